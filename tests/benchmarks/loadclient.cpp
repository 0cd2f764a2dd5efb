// SPDX-License-Identifier: MIT
#include "loadclient.h"
#include "loopback.h"
#include "publisher.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace {

constexpr size_t BufferSize = size_t(256) * 1024;
constexpr std::string_view DataField = "data:";
constexpr qint64 Unknown = -2; // the number before the first event

qint64 readNumber(const char *&text)
{
    qint64 number = 0;
    for (; *text >= '0' && *text <= '9'; ++text)
        number = number * 10 + (*text - '0');
    return number;
}

// How many of the events published in turn over the topics are one topic's.
qint64 countOf(int topic, qint64 published, int topics)
{
    if (topic == LoadClient::IdleTopic)
        return 0;
    return published / topics + (topic < published % topics ? 1 : 0);
}

} // namespace

LoadClient::LoadClient(Begin begin)
    : m_begin(begin), m_epoll(::epoll_create1(EPOLL_CLOEXEC)), m_buffer(BufferSize)
{
}

LoadClient::~LoadClient()
{
    for (Connection &connection : m_connections)
        close(connection);
    ::close(m_epoll);
}

bool LoadClient::connectAll(quint16 port, const std::vector<int> &topics, int sleepers,
                            int inFlight, std::chrono::seconds patience)
{
    m_connections.resize(topics.size());
    for (size_t i = topics.size() - size_t(sleepers); i < topics.size(); ++i)
        m_connections[i].sleeps = true;
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (m_settled < topics.size() && std::chrono::steady_clock::now() < deadline) {
        while (m_opened < topics.size() && m_opened - m_settled < size_t(inFlight)) {
            m_connections[m_opened].topic = topics[m_opened];
            open(m_connections[m_opened++], port);
        }
        poll(100);
    }
    return m_settled == topics.size() && m_faults.cut == 0;
}

void LoadClient::open(Connection &connection, quint16 port)
{
    connection.last = m_begin == Begin::Anywhere ? Unknown : -1;
    connection.state = State::Connecting;
    connection.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const sockaddr_in address = loopbackAddress(port);
    epoll_event interest {};
    interest.events = EPOLLOUT;
    interest.data.ptr = &connection;
    const int result =
        ::connect(connection.fd, reinterpret_cast<const sockaddr *>(&address), sizeof(address));
    if ((result != 0 && errno != EINPROGRESS)
        || ::epoll_ctl(m_epoll, EPOLL_CTL_ADD, connection.fd, &interest) != 0) {
        ++m_faults.cut;
        close(connection);
    }
}

void LoadClient::close(Connection &connection)
{
    if (connection.state == State::Closed)
        return;
    if (connection.state == State::Connecting || connection.state == State::InHead)
        ++m_settled;
    connection.state = State::Closed;
    // A reset leaves nothing behind, where thousands of ports would wait for a minute otherwise.
    resetOnClose(connection.fd);
    ::close(connection.fd);
}

void LoadClient::run(std::chrono::nanoseconds duration)
{
    const qint64 end = monotonicNanoseconds() + duration.count();
    for (qint64 left = duration.count(); left > 0; left = end - monotonicNanoseconds())
        poll(int(left / 1'000'000));
}

void LoadClient::poll(int milliseconds)
{
    epoll_event ready[256];
    const int count = ::epoll_wait(m_epoll, ready, int(std::size(ready)), milliseconds);
    for (int i = 0; i < count; ++i)
        handle(*static_cast<Connection *>(ready[i].data.ptr), ready[i].events);
}

void LoadClient::handle(Connection &connection, quint32 events)
{
    if (connection.state == State::Connecting && (events & EPOLLERR) == 0)
        sendRequest(connection);
    else if (connection.state != State::Asleep)
        read(connection);
    else if ((events & (EPOLLERR | EPOLLHUP)) != 0)
        close(connection); // it was cut off, as it may be
}

// Only the end of the connection is told from here on.
void LoadClient::fallAsleep(Connection &connection)
{
    epoll_event interest {};
    interest.data.ptr = &connection;
    ::epoll_ctl(m_epoll, EPOLL_CTL_MOD, connection.fd, &interest);
    connection.state = State::Asleep;
}

void LoadClient::sendRequest(Connection &connection)
{
    const std::string topic =
        connection.topic == IdleTopic ? "idle" : "t/" + std::to_string(connection.topic);
    const std::string request = "GET /events?topic=" + topic
        + " HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";
    epoll_event interest {};
    interest.events = EPOLLIN;
    interest.data.ptr = &connection;
    ::epoll_ctl(m_epoll, EPOLL_CTL_MOD, connection.fd, &interest);
    ::send(connection.fd, request.data(), request.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    connection.state = State::InHead;
}

void LoadClient::read(Connection &connection)
{
    const size_t kept = connection.carry.size();
    std::memcpy(m_buffer.data(), connection.carry.data(), kept);
    const ssize_t size =
        ::recv(connection.fd, m_buffer.data() + kept, m_buffer.size() - kept, MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size <= 0) {
        ++m_faults.cut;
        close(connection);
        return;
    }
    m_now = monotonicNanoseconds();
    m_bytesRead += quint64(size);
    const char *const end = m_buffer.data() + kept + size;
    const char *const rest = readLines(connection, m_buffer.data(), end);
    connection.carry.assign(rest, end);
    if (connection.sleeps && connection.state == State::Live)
        fallAsleep(connection);
}

// Returns where the line begins that is not complete.
const char *LoadClient::readLines(Connection &connection, const char *from, const char *to)
{
    for (;;) {
        const void *found = std::memchr(from, '\n', size_t(to - from));
        if (!found)
            return from;
        const auto *end = static_cast<const char *>(found);
        const std::string_view line(from, size_t(end - from));
        if (connection.state == State::InHead)
            readHeadLine(connection, line);
        else if (line.substr(0, DataField.size()) == DataField)
            readData(connection, from + DataField.size());
        from = end + 1;
    }
}

void LoadClient::readHeadLine(Connection &connection, std::string_view line)
{
    if (line.substr(0, 5) == "HTTP/" && line.substr(8, 5) != " 200 ")
        ++m_faults.cut; // an answer, but no stream
    if (line == "\r") {
        connection.state = State::Live;
        ++m_settled;
    }
}

// Data of other kinds, such as QSse's event `gap` has, begins otherwise.
void LoadClient::readData(Connection &connection, const char *text)
{
    if (*text == ' ')
        ++text;
    if (text[0] != 't' || text[1] != '=')
        return;
    text += std::strlen("t=");
    const qint64 sentAt = readNumber(text);
    text += std::strlen(" n=");
    const qint64 number = readNumber(text);
    m_latencies.add(m_now - sentAt);
    const qint64 last = connection.last;
    if (number == last)
        ++m_faults.doubled;
    else if (number < last)
        ++m_faults.reordered;
    else if (last != Unknown)
        m_faults.lost += number - last - 1;
    connection.last = qMax(last, number);
}

Histogram LoadClient::takeLatencies()
{
    return std::exchange(m_latencies, {});
}

Faults LoadClient::faults(qint64 published, int topics) const
{
    Faults faults = m_faults;
    for (const Connection &connection : m_connections) {
        if (connection.state != State::Live)
            continue;
        const qint64 expected = countOf(connection.topic, published, topics) - 1;
        faults.missing += qMax(qint64(0), expected - qMax(connection.last, qint64(-1)));
    }
    return faults;
}
