// SPDX-License-Identifier: MIT
// Many streams at once, and none of them misses anything. The load is there to find mistakes, not
// to measure speed.

#include "hubprocess.h"
#include "loopback.h"

#include <QSseHttpServer>
#include <QSseServer>
#include <QSseStream>
#include <QSseTopic>

#include <QtCore/QDeadlineTimer>
#include <QtCore/QElapsedTimer>
#include <QtTest/QtTest>

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

namespace {

constexpr auto Patience = 90s;

struct Event
{
    QByteArray id; // set by this block, empty when it has none
    QByteArray type;
    QByteArray data;
    bool hasData = false;
};

/*!
    One connection at a time to an event stream, read with plain system calls, so that nothing of
    what is tested helps to test it.
*/
class Stream
{
public:
    ~Stream() { close(); }

    bool open(int epoll, quint16 port, const QByteArray &target)
    {
        close();
        if (lastId.isEmpty())
            number = -1; // begins anew
        m_buffer.clear();
        m_block = {};
        m_hasHead = false;
        m_fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const sockaddr_in address = loopbackAddress(port);
        epoll_event interest {};
        interest.events = EPOLLIN;
        interest.data.ptr = this;
        QByteArray request = "GET " + target + " HTTP/1.1\r\nHost: localhost\r\n";
        if (!lastId.isEmpty())
            request += "Last-Event-ID: " + lastId + "\r\n";
        request += "\r\n";
        return m_fd >= 0
            && ::connect(m_fd, reinterpret_cast<const sockaddr *>(&address), sizeof(address)) == 0
            && ::send(m_fd, request.constData(), size_t(request.size()), MSG_NOSIGNAL)
            == request.size()
            && ::epoll_ctl(epoll, EPOLL_CTL_ADD, m_fd, &interest) == 0;
    }
    void close()
    {
        if (m_fd >= 0)
            ::close(m_fd);
        m_fd = -1;
    }

    /*! Reads what there is and calls \a handler for each block. */
    template<typename Handler> void read(Handler handler)
    {
        char bytes[64 * 1024];
        const ssize_t size = ::recv(m_fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (size <= 0) {
            fail("the stream ended");
            close();
            return;
        }
        m_buffer.append(bytes, size);
        if (!m_hasHead && !readHead())
            return;
        qsizetype from = 0;
        for (qsizetype end; (end = m_buffer.indexOf('\n', from)) >= 0; from = end + 1)
            readLine(m_buffer.mid(from, end - from), handler);
        m_buffer.remove(0, from);
    }
    void fail(const QByteArray &text)
    {
        if (failure.isEmpty())
            failure = text;
    }

    QByteArray lastId;
    QByteArray failure; // the first thing that was wrong
    qint64 number = -1; // of the last event, -1 before the first
    qint64 events = 0;
    bool isLive = false; // whether a live event came on this connection

private:
    bool readHead()
    {
        const qsizetype end = m_buffer.indexOf("\r\n\r\n");
        if (end < 0)
            return false;
        if (!m_buffer.startsWith("HTTP/1.1 200 "))
            fail("refused: " + m_buffer);
        m_buffer.remove(0, end + 4);
        return m_hasHead = true;
    }
    template<typename Handler> void readLine(const QByteArray &line, Handler handler)
    {
        if (line.startsWith("id: ")) {
            lastId = m_block.id = line.mid(4);
        } else if (line.startsWith("event: ")) {
            m_block.type = line.mid(7);
        } else if (line.startsWith("data: ")) {
            m_block.data += line.mid(6);
            m_block.hasData = true;
        } else if (line.isEmpty()) {
            handler(std::exchange(m_block, {}));
        }
    }

    int m_fd = -1;
    bool m_hasHead = false;
    QByteArray m_buffer;
    Event m_block;
};

/*! An epoll loop over streams, for one thread. */
class Poller
{
public:
    Poller() : m_epoll(::epoll_create1(EPOLL_CLOEXEC)) { }
    ~Poller() { ::close(m_epoll); }
    Q_DISABLE_COPY_MOVE(Poller)

    int descriptor() const { return m_epoll; }
    /*! Waits for \a milliseconds at most and reads once from every stream that has something. */
    template<typename Handler> void poll(int milliseconds, Handler handler)
    {
        epoll_event ready[256];
        const int count = ::epoll_wait(m_epoll, ready, int(std::size(ready)), milliseconds);
        for (int i = 0; i < count; ++i) {
            auto *stream = static_cast<Stream *>(ready[i].data.ptr);
            stream->read([&](const Event &event) { handler(*stream, event); });
        }
    }

private:
    const int m_epoll;
};

using Streams = std::vector<std::unique_ptr<Stream>>;

Streams makeStreams(int count)
{
    Streams streams;
    for (int i = 0; i < count; ++i)
        streams.push_back(std::make_unique<Stream>());
    return streams;
}

QByteArray firstFailure(const Streams &streams)
{
    for (size_t i = 0; i < streams.size(); ++i) {
        if (!streams[i]->failure.isEmpty())
            return "stream " + QByteArray::number(quint64(i)) + ": " + streams[i]->failure;
    }
    return QByteArray();
}

template<typename Predicate> bool allOf(const Streams &streams, Predicate predicate)
{
    return std::all_of(streams.begin(), streams.end(),
                       [&](const std::unique_ptr<Stream> &stream) { return predicate(*stream); });
}

} // namespace

class tst_Fanout : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void initTestCase();
    void hub_data();
    void hub();
    void joining_data();
    void joining();
};

void tst_Fanout::initTestCase()
{
    constexpr rlim_t Wanted = 4096;
    rlimit limit {};
    QCOMPARE(::getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_max < Wanted)
        QSKIP("too few open files are allowed");
    limit.rlim_cur = qMax(limit.rlim_cur, Wanted);
    QCOMPARE(::setrlimit(RLIMIT_NOFILE, &limit), 0); // the hub inherits it
}

void tst_Fanout::hub_data()
{
    QTest::addColumn<QByteArray>("threads");
    QTest::newRow("one thread") << QByteArray("1");
    QTest::newRow("the server's thread") << QByteArray("0");
    QTest::newRow("three threads") << QByteArray("3");
}

// A thousand subscribers of a hundred events a second, for three seconds.
void tst_Fanout::hub()
{
    constexpr int Subscribers = 1000;
    constexpr int Events = 300;
    constexpr int Bytes = 120;
    QFETCH(QByteArray, threads);
    HubProcess hub({ "--generate", "topic=a,rate=100,bytes=120", "--threads", threads });
    QVERIFY2(hub.listen(), hub.errors().constData());

    Poller poller;
    Streams streams = makeStreams(Subscribers);
    for (const auto &stream : streams)
        QVERIFY(stream->open(poller.descriptor(), hub.port(), "/events?topic=a"));

    // The opening's id says where the stream begins; every event's is one more.
    const auto check = [](Stream &stream, const Event &event) {
        if (event.id.isEmpty())
            return;
        const qint64 number = event.id.mid(event.id.lastIndexOf('-') + 1).toLongLong();
        if (event.hasData) {
            ++stream.events;
            if (number != stream.number + 1)
                stream.fail(event.id + " came after " + QByteArray::number(stream.number));
            if (event.data.size() != Bytes || !event.data.startsWith("t="))
                stream.fail("the data is " + event.data);
        } else if (stream.number >= 0 && number != stream.number) {
            stream.fail("the id moved to " + event.id + " past lost events");
        }
        stream.number = number;
    };
    const QDeadlineTimer deadline(Patience);
    const auto isDone = [](const Stream &stream) {
        return stream.events >= Events || !stream.failure.isEmpty();
    };
    while (!allOf(streams, isDone) && !deadline.hasExpired())
        poller.poll(100, check);
    QCOMPARE(firstFailure(streams), QByteArray());
    QVERIFY(allOf(streams, isDone));

    hub.sendSignal(SIGTERM);
    QVERIFY(hub.waitForFinished());
    QCOMPARE(hub.exitCode(), 0);
}

void tst_Fanout::joining_data()
{
    QTest::addColumn<QByteArray>("target");
    QTest::addColumn<QByteArray>("opening");
    QTest::newRow("snapshot") << QByteArray("/events?topic=a") << QByteArray("snapshot");
    QTest::newRow("first event") << QByteArray("/first") << QByteArray("first");
}

// Subscribers join, and some of them come back, at random while another thread publishes a thousand
// numbers a second: from the first number on each sees all of them.
void tst_Fanout::joining()
{
    QFETCH(QByteArray, target);
    QFETCH(QByteArray, opening);
    constexpr int Subscribers = 200;
    constexpr qint64 Numbers = 2500;
    constexpr int JoinWithin = 2000; // milliseconds
    const QString topic = QStringLiteral("a");

    std::mutex mutex; // the state changes together with its event
    qint64 current = 0;
    std::atomic_bool isPublishing = true;
    std::atomic_bool allJoined = false;
    std::atomic_bool isRead = false;

    QSseServer server;
    server.setHistorySize(1'000'000); // who comes back late gets everything all the same
    server.topic(topic)->setSnapshot([&] {
        const std::lock_guard lock(mutex);
        QSseEvent event(QByteArray::number(current));
        event.setEvent(QStringLiteral("snapshot"));
        return event;
    });
    QSseHttpServer http(&server);
    QVERIFY(http.addEventStream(QStringLiteral("/events")));
    // A topic without a snapshot, so that what opens the stream is the first event alone.
    const QString other = QStringLiteral("b");
    QSseEvent first("hello");
    first.setEvent(QStringLiteral("first"));
    QVERIFY(http.route(QStringLiteral("/first"),
                       [&](const QHttpServerRequest &request, QSse::Responder responder) {
                           QSse::stream(server, *http.httpServer(), request, std::move(responder),
                                        { QSseTopicFilter(other) }, first);
                       }));
    const quint16 port = http.listen(QHostAddress::LocalHost);
    QVERIFY(port != 0);

    std::thread publisher([&] {
        auto due = std::chrono::steady_clock::now();
        for (qint64 number = 1; number <= Numbers || !allJoined; ++number) {
            due += 1ms;
            std::this_thread::sleep_until(due);
            const std::lock_guard lock(mutex);
            current = number;
            QSseEvent event(QByteArray::number(number));
            server.notify(topic, event);
            server.notify(other, event);
        }
        isPublishing = false;
    });

    const auto check = [&opening](Stream &stream, const Event &event) {
        if (event.type == opening) {
            if (stream.isLive)
                stream.fail("the opening came late");
            if (opening == "snapshot") {
                if (stream.number >= 0)
                    stream.fail("a snapshot came to one that resumed");
                stream.number = event.data.toLongLong();
            }
        } else if (event.hasData) {
            const qint64 number = event.data.toLongLong();
            if (opening == "snapshot" && stream.number < 0)
                stream.fail("no snapshot came before " + event.data);
            if (stream.number >= 0 && number != stream.number + 1)
                stream.fail(event.data + " came after " + QByteArray::number(stream.number) + " "
                            + QByteArray::number(stream.events) + " events after the opening");
            stream.number = number;
            stream.isLive = true;
            ++stream.events;
        }
    };

    struct Action
    {
        qint64 at; // milliseconds
        Stream *stream;
    };
    Streams streams = makeStreams(Subscribers);
    std::vector<Action> actions;
    std::mt19937 random(20261122);
    std::uniform_int_distribution<qint64> moment(0, JoinWithin);
    for (const auto &stream : streams) {
        const qint64 joins = moment(random);
        actions.push_back({ joins, stream.get() });
        if (random() % 2 == 0) // comes back once or, when it has just come, begins anew
            actions.push_back({ joins + moment(random) / 4, stream.get() });
    }
    std::sort(actions.begin(), actions.end(),
              [](const Action &a, const Action &b) { return a.at < b.at; });

    std::thread reader([&] {
        Poller poller;
        QElapsedTimer clock;
        clock.start();
        const QDeadlineTimer deadline(Patience);
        size_t next = 0;
        const auto isLive = [](const Stream &stream) {
            return stream.isLive || !stream.failure.isEmpty();
        };
        const auto isComplete = [&](const Stream &stream) {
            return stream.number == current || !stream.failure.isEmpty();
        };
        while (!deadline.hasExpired()) {
            for (; next < actions.size() && actions[next].at <= clock.elapsed(); ++next) {
                Stream *stream = actions[next].stream;
                stream->isLive = false;
                if (!stream->open(poller.descriptor(), port, target))
                    stream->fail("cannot connect");
            }
            poller.poll(next < actions.size() ? 1 : 20, check);
            if (next == actions.size() && allOf(streams, isLive))
                allJoined = true;
            if (!isPublishing && allOf(streams, isComplete))
                break;
        }
        allJoined = true; // whatever happened, the publisher must end
        isRead = true;
    });

    const bool isEnded = QTest::qWaitFor([&] { return isRead && !isPublishing; }, 120'000);
    publisher.join();
    reader.join();
    QVERIFY(isEnded);
    QCOMPARE(firstFailure(streams), QByteArray());
    QVERIFY(current >= Numbers);
    QVERIFY(allOf(streams, [&](const Stream &stream) { return stream.number == current; }));
}

QTEST_GUILESS_MAIN(tst_Fanout)
#include "tst_fanout.moc"
