// SPDX-License-Identifier: MIT
// The least that fan-out can cost: one thread, epoll, and one send() for each subscriber and event.
// No history, no ids that mean anything, no queues, no keep-alive: who cannot take an event at once
// is cut off.
#include "control.h"
#include "loopback.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace {

constexpr int Backlog = 4096;
constexpr std::string_view Head = "HTTP/1.1 200 OK\r\nConnection: close\r\n"
                                  "Content-Type: text/event-stream\r\n"
                                  "Cache-Control: no-store, no-transform\r\n"
                                  "X-Accel-Buffering: no\r\n\r\n";

class FloorServer
{
public:
    explicit FloorServer(const Load &load) : m_publisher(load), m_subscribers(size_t(load.topics))
    {
    }
    ~FloorServer() = default; // the process ends, and with it every descriptor
    Q_DISABLE_COPY_MOVE(FloorServer)

    bool listen();
    void run();

private:
    void watch(int fd);
    void handle(int fd);
    void setTimer(std::chrono::milliseconds interval);
    void acceptAll();
    void readRequest(int fd);
    void subscribe(int fd, std::string_view request);
    void publish(int topic, const QByteArray &frame);
    void publishDue();

    const int m_epoll = ::epoll_create1(EPOLL_CLOEXEC);
    const int m_timer = ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    const int m_listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool m_isEnded = false;
    Publisher m_publisher;
    std::unordered_map<int, std::string> m_requests; // that have not come to their end
    std::vector<std::vector<int>> m_subscribers;     // by topic
};

bool FloorServer::listen()
{
    sockaddr_in address = loopbackAddress(0);
    socklen_t size = sizeof(address);
    auto *generic = reinterpret_cast<sockaddr *>(&address);
    if (::bind(m_listener, generic, size) != 0 || ::listen(m_listener, Backlog) != 0
        || ::getsockname(m_listener, generic, &size) != 0)
        return false;
    for (const int fd : { STDIN_FILENO, m_timer, m_listener })
        watch(fd);
    Control::sayListening(ntohs(address.sin_port), ::getpid());
    return true;
}

void FloorServer::run()
{
    while (!m_isEnded) {
        epoll_event ready[256];
        const int count = ::epoll_wait(m_epoll, ready, int(std::size(ready)), -1);
        for (int i = 0; i < count; ++i)
            handle(ready[i].data.fd);
    }
}

void FloorServer::watch(int fd)
{
    epoll_event interest {};
    interest.events = EPOLLIN;
    interest.data.fd = fd;
    ::epoll_ctl(m_epoll, EPOLL_CTL_ADD, fd, &interest);
}

void FloorServer::handle(int fd)
{
    if (fd == m_listener) {
        acceptAll();
    } else if (fd == m_timer) {
        publishDue();
    } else if (fd == STDIN_FILENO) {
        const auto go = [this] {
            m_publisher.start();
            setTimer(m_publisher.interval());
        };
        const auto stop = [this] {
            setTimer({});
            Control::sayPublished(m_publisher.published());
        };
        m_isEnded = !Control::obey(go, stop);
    } else {
        readRequest(fd);
    }
}

void FloorServer::setTimer(std::chrono::milliseconds interval)
{
    timespec time {};
    time.tv_sec = interval.count() / 1000;
    time.tv_nsec = interval.count() % 1000 * 1'000'000;
    const itimerspec periodic { time, time };
    ::timerfd_settime(m_timer, 0, &periodic, nullptr);
}

void FloorServer::acceptAll()
{
    int fd = -1;
    while ((fd = ::accept4(m_listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        const int yes = 1;
        ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
        watch(fd);
    }
}

void FloorServer::readRequest(int fd)
{
    char bytes[4096];
    const ssize_t size = ::recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (size <= 0) {
        for (auto &fds : m_subscribers)
            fds.erase(std::remove(fds.begin(), fds.end(), fd), fds.end());
        m_requests.erase(fd);
        ::close(fd);
        return;
    }
    std::string &request = m_requests[fd];
    request.append(bytes, size_t(size));
    if (request.find("\r\n\r\n") == std::string::npos)
        return;
    subscribe(fd, request);
    m_requests.erase(fd);
}

// Topics are t/0, t/1 and so on; whoever asks for another one is kept and never sent anything.
void FloorServer::subscribe(int fd, std::string_view request)
{
    constexpr std::string_view Query = "?topic=t/";
    ::send(fd, Head.data(), Head.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    const size_t at = request.find(Query);
    size_t topic = m_subscribers.size();
    if (at != std::string_view::npos)
        std::from_chars(request.data() + at + Query.size(), request.data() + request.size(), topic);
    if (topic < m_subscribers.size())
        m_subscribers[topic].push_back(fd);
}

void FloorServer::publish(int topic, const QByteArray &frame)
{
    auto &fds = m_subscribers[size_t(topic)];
    for (size_t i = fds.size(); i-- > 0;) {
        if (::send(fds[i], frame.constData(), size_t(frame.size()), MSG_NOSIGNAL | MSG_DONTWAIT)
            == frame.size())
            continue;
        ::close(fds[i]);
        fds[i] = fds.back();
        fds.pop_back();
    }
}

void FloorServer::publishDue()
{
    quint64 expirations = 0;
    [[maybe_unused]] const ssize_t got = ::read(m_timer, &expirations, sizeof(expirations));
    m_publisher.publishDue([this](int topic, qint64 number, const QByteArray &data) {
        publish(topic, makeFrame(number, data));
    });
}

} // namespace

int serveFloor(const Load &load)
{
    FloorServer server(load);
    if (!server.listen())
        return 1;
    server.run();
    return 0;
}
