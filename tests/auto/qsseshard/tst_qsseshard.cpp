// SPDX-License-Identifier: MIT
// The sending side under load, seen through QSseServer: what it costs, and what becomes of events
// when clients, or the shard itself, do not keep up.
#include "loopback.h"

#include <QSseServer>

#include <QtCore/QFile>
#include <QtCore/QRandomGenerator>
#include <QtCore/QScopeGuard>
#include <QtCore/QSemaphore>
#include <QtNetwork/QTcpServer>
#include <QtNetwork/QTcpSocket>
#include <QtTest/QSignalSpy>
#include <QtTest/QTest>

#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool IsSanitized = true;
#else
constexpr bool IsSanitized = false;
#endif

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define COUNTS_ALLOCATIONS

namespace {
thread_local std::atomic<qint64> allocations = 0; // of the thread, read by another
}

// Every allocation of the process comes here, Qt's too.
// NOLINTBEGIN(bugprone-reserved-identifier)
extern "C" {
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

void *malloc(size_t size)
{
    ++allocations;
    return __libc_malloc(size);
}
void *calloc(size_t count, size_t size)
{
    ++allocations;
    return __libc_calloc(count, size);
}
void *realloc(void *memory, size_t size)
{
    ++allocations;
    return __libc_realloc(memory, size);
}
}
// NOLINTEND(bugprone-reserved-identifier)
#endif

using namespace std::chrono_literals;
using RemovalReason = QSseSubscriber::RemovalReason;

namespace {

const QString TopicA = QStringLiteral("a");
const QString TopicB = QStringLiteral("b");

/*! A client made of a bare descriptor: it checks that the numbers of each topic have no gap. */
class Client
{
public:
    explicit Client(quint16 port) : m_fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))
    {
        const sockaddr_in address = loopbackAddress(port);
        if (::connect(m_fd, reinterpret_cast<const sockaddr *>(&address), sizeof(address)) < 0)
            m_failure = "cannot connect";
    }
    ~Client() { ::close(m_fd); }
    Q_DISABLE_COPY_MOVE(Client)

    /*! Makes the end of the connection a reset. */
    void breakOnClose() { resetOnClose(m_fd); }

    /*! Reads what there is, for at most \a timeout ms; false when nothing came. */
    bool read(int timeout = 0)
    {
        pollfd ready { m_fd, POLLIN, 0 };
        if (::poll(&ready, 1, timeout) <= 0)
            return false;
        std::array<char, 65536> bytes;
        const ssize_t size = ::recv(m_fd, bytes.data(), bytes.size(), MSG_DONTWAIT);
        if (size <= 0) {
            m_isEnded = true;
            return false;
        }
        m_received.append(bytes.data(), size);
        qsizetype from = 0;
        for (qsizetype end; (end = m_received.indexOf('\n', from)) >= 0; from = end + 1)
            readLine(QByteArrayView(m_received).sliced(from, end - from));
        m_received.remove(0, from);
        return true;
    }
    /*! Reads until the last number of topic \a topic is \a number. */
    bool readUpTo(qint64 number, char topic = 'a')
    {
        while (last(topic) != number && m_failure.isEmpty() && read(10'000)) { }
        return last(topic) == number && m_failure.isEmpty();
    }

    qint64 last(char topic) const { return m_last.at(size_t(topic - 'a')); }
    bool isEnded() const { return m_isEnded; }
    QByteArray failure() const { return m_failure; }

private:
    // "data: a 17 xxx…"
    void readLine(QByteArrayView line)
    {
        if (!line.startsWith("data: "))
            return;
        qint64 &last = m_last.at(size_t(line.at(6) - 'a'));
        const qint64 number = std::strtoll(line.data() + 8, nullptr, 10);
        if (last >= 0 && number != last + 1 && m_failure.isEmpty())
            m_failure = QByteArray::number(number) + " came after " + QByteArray::number(last);
        last = number;
    }

    const int m_fd;
    QByteArray m_received;
    std::array<qint64, 2> m_last { -1, -1 };
    bool m_isEnded = false;
    QByteArray m_failure;
};

/*! A server whose sockets come from a bare QTcpServer. */
class Fixture
{
public:
    Fixture() { listener.listen(QHostAddress::LocalHost); }

    std::unique_ptr<Client> connectClient(const QSseSubscription &subscription)
    {
        auto client = std::make_unique<Client>(listener.serverPort());
        if (!listener.waitForNewConnection(5000))
            return nullptr;
        server.addSubscriber(listener.nextPendingConnection(), subscription);
        return client;
    }
    std::unique_ptr<Client> connectClient(const QList<QSseTopicFilter> &topics)
    {
        return connectClient(QSseSubscription { topics });
    }

    /*! Publishes \a number under \a topic, with \a size bytes more. */
    void publish(qint64 number, qsizetype size = 0, const QString &topic = TopicA)
    {
        server.notify(topic,
                      QSseEvent(topic.toUtf8() + ' ' + QByteArray::number(number) + ' '
                                + QByteArray(size, 'x')));
    }

    QTcpServer listener;
    QSseServer server;
};

qint64 residentBytes()
{
    QFile file(QStringLiteral("/proc/self/statm"));
    if (!file.open(QIODevice::ReadOnly))
        return 0;
    return file.readAll().split(' ').value(1).toLongLong() * ::sysconf(_SC_PAGESIZE);
}

} // namespace

class TestQSseShard : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void sendsWithoutAllocations();
    void sendsDirectlyToOneWhoDoesNotRead();
    void servesWithoutDescriptorsForAThread();
    void publishesFasterThanItSends_data();
    void publishesFasterThanItSends();
    void joinsLeavesAndBreaksUnderLoad_data();
    void joinsLeavesAndBreaksUnderLoad();
};

// What the sending thread allocates must not depend on the number of subscribers.
void TestQSseShard::sendsWithoutAllocations()
{
#ifdef COUNTS_ALLOCATIONS
    constexpr int Events = 100;
    const auto allocationsWith = [](int subscribers) -> qint64 {
        Fixture f;
        std::atomic<std::atomic<qint64> *> counter = nullptr;
        std::vector<std::unique_ptr<Client>> clients;
        for (int i = 0; i < subscribers; ++i)
            clients.push_back(f.connectClient({ "a" }));
        QSseSubscription probe { { "a" } };
        probe.filter = [&](const QSseEvent &, const QSseSubscriber &) {
            counter = &allocations; // of the thread that sends
            return true;
        };
        clients.push_back(f.connectClient(probe));
        qint64 before = 0;
        for (int i = 0; i < 2 * Events; ++i) {
            if (i == Events)
                before = *counter.load();
            f.publish(i);
            for (const auto &client : clients) { // one event at a time, so that none are joined
                if (!client->readUpTo(i))
                    return -1;
            }
        }
        return *counter.load() - before;
    };
    const qint64 withFew = allocationsWith(5);
    const qint64 withMany = allocationsWith(205);
    QVERIFY(withFew >= 0);
    QVERIFY(withMany >= 0);
    const double each = double(withMany - withFew) / (200 * Events);
    qInfo("%lld allocations for %d events with 6 subscribers, %lld with 206", withFew, Events,
          withMany);
    QVERIFY2(each < 0.001, QByteArray::number(each));
#else
    QSKIP("Allocations cannot be counted here");
#endif
}

// A lone subscriber is sent to by whoever publishes, until the kernel takes no more.
void TestQSseShard::sendsDirectlyToOneWhoDoesNotRead()
{
    Fixture f;
    f.server.setHistorySize(100'000);
    f.server.setMaximumHistoryBytes(qint64(1024) * 1024 * 1024);
    const auto client = f.connectClient({ "a" });
    QVERIFY(client);
    constexpr qint64 Events = 4000; // 20 MB
    for (qint64 i = 0; i < Events; ++i) {
        f.publish(i, i % 10'000);
        if (i % 100 == 0)
            client->read();
    }
    QVERIFY2(client->readUpTo(Events - 1), client->failure());
    f.publish(Events);
    QVERIFY2(client->readUpTo(Events), client->failure());
}

// The first subscriber starts the worker thread, which needs descriptors of its own.
void TestQSseShard::servesWithoutDescriptorsForAThread()
{
    Fixture f;
    Client client(f.listener.serverPort());
    QVERIFY(f.listener.waitForNewConnection(5000));
    QTcpSocket *socket = f.listener.nextPendingConnection();
    rlimit before {};
    QCOMPARE(::getrlimit(RLIMIT_NOFILE, &before), 0);
    rlimit tight = before;
    const int next = ::dup(0);
    tight.rlim_cur = rlim_t(next) + 1; // for the duplicate of the socket alone
    ::close(next);
    QCOMPARE(::setrlimit(RLIMIT_NOFILE, &tight), 0);
    const QSseSubscriber subscriber = f.server.addSubscriber(socket, { { "a" } });
    QCOMPARE(::setrlimit(RLIMIT_NOFILE, &before), 0);
    QVERIFY(subscriber.id() != 0);
    f.publish(0);
    const auto hasRead = [&client](qint64 number) {
        client.read();
        return client.last('a') == number;
    };
    QTRY_VERIFY(hasRead(0));
    const auto another = f.connectClient({ "a" }); // there are some again
    f.publish(1);
    QVERIFY(another->readUpTo(1));
    QTRY_VERIFY(hasRead(1));
}

void TestQSseShard::publishesFasterThanItSends_data()
{
    QTest::addColumn<int>("history");
    QTest::addColumn<bool>("getsAll");
    QTest::newRow("with a long history") << 100'000 << true;
    QTest::newRow("with a short history") << 10 << false;
}

// What waits for a shard is limited; the rest comes from the log, if that has it.
void TestQSseShard::publishesFasterThanItSends()
{
    QFETCH(int, history);
    QFETCH(bool, getsAll);
    constexpr qint64 Events = 3000;
    constexpr qsizetype Size = 50'000; // 150 MB in all
    Fixture f;
    f.server.setHistorySize(history);
    f.server.setMaximumHistoryBytes(qint64(1024) * 1024 * 1024);
    QSignalSpy removed(&f.server, &QSseServer::subscriberRemoved);

    QSemaphore isBlocked;
    QSemaphore unblock;
    QSseSubscription blocking { { "b" } };
    blocking.filter = [&](const QSseEvent &, const QSseSubscriber &) {
        isBlocked.release();
        unblock.acquire();
        return true;
    };
    const auto release = qScopeGuard([&] { unblock.release(); });
    const auto blocker = f.connectClient(blocking);
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < 3; ++i)
        clients.push_back(f.connectClient({ "a" }));
    f.publish(0, 0, TopicB);
    isBlocked.acquire();

    const qint64 before = residentBytes();
    for (qint64 i = 0; i < Events; ++i)
        f.publish(i, Size);
    if (!getsAll && !IsSanitized)
        QVERIFY2(residentBytes() - before < qint64(100) * 1024 * 1024,
                 QByteArray::number(residentBytes() - before));
    unblock.release();

    if (getsAll) {
        for (const auto &client : clients)
            QVERIFY2(client->readUpTo(Events - 1), client->failure());
        f.publish(Events);
        for (const auto &client : clients)
            QVERIFY2(client->readUpTo(Events), client->failure());
        QVERIFY(removed.isEmpty());
    } else {
        for (const auto &client : clients) {
            while (!client->isEnded() && client->read(10'000)) { }
            QCOMPARE(client->failure(), QByteArray());
            QVERIFY(client->last('a') < Events - 1);
        }
        QTRY_COMPARE(removed.size(), 3);
        for (const QList<QVariant> &arguments : std::as_const(removed))
            QCOMPARE(arguments.at(1).value<RemovalReason>(), RemovalReason::Overflow);
    }
    QVERIFY2(blocker->readUpTo(0, 'b'), blocker->failure());
}

void TestQSseShard::joinsLeavesAndBreaksUnderLoad_data()
{
    QTest::addColumn<int>("threads");
    QTest::newRow("in the server's thread") << 0;
    QTest::newRow("one worker thread") << 1;
    QTest::newRow("two worker threads") << 2;
}

void TestQSseShard::joinsLeavesAndBreaksUnderLoad()
{
    QFETCH(int, threads);
    constexpr size_t MaximumClients = 60;
    constexpr int Rounds = 400;
    const QList<QList<QSseTopicFilter>> wishes {
        { "a" }, { "a", "b" }, { "*" }, { "b" }, { "**" }
    };
    Fixture f;
    f.server.setWorkerThreads(threads);
    f.server.setHistorySize(1'000'000);
    f.server.setKeepAliveInterval(2ms);

    std::atomic<bool> isPublishing = true;
    std::array<qint64, 2> published { -1, -1 };
    std::vector<std::thread> publishers;
    for (const QString &topic : { TopicA, TopicB }) {
        publishers.emplace_back([&, topic, number = &published.at(topic == TopicB)] {
            while (isPublishing) {
                for (int i = 0; i < 3; ++i)
                    f.publish(++*number, 100, topic);
                std::this_thread::sleep_for(1ms);
            }
        });
    }

    QRandomGenerator random(20261122);
    std::vector<std::unique_ptr<Client>> clients;
    QByteArray failure;
    for (int round = 0; round < Rounds && failure.isEmpty(); ++round) {
        clients.push_back(f.connectClient(wishes.at(random.bounded(int(wishes.size())))));
        for (const auto &client : clients) {
            if (random.bounded(4) != 0) // some read late
                client->read();
            failure += client->failure();
        }
        while (clients.size() > MaximumClients || (!clients.empty() && random.bounded(3) == 0)) {
            const auto leaving = clients.begin() + random.bounded(int(clients.size()));
            if (random.bounded(2) == 0)
                (*leaving)->breakOnClose();
            clients.erase(leaving);
        }
        if (round % 10 == 0 && f.server.subscriberCount() > 0)
            f.server.disconnectSubscriber(f.server.subscribers().constFirst().id());
        QCoreApplication::processEvents();
    }
    isPublishing = false;
    for (std::thread &publisher : publishers)
        publisher.join();
    QCOMPARE(failure, QByteArray());

    f.publish(published[0] + 1, 0, TopicA);
    f.publish(published[1] + 1, 0, TopicB);
    for (const auto &client : clients) {
        const auto isComplete = [&] {
            return client->last('a') != published[0] && client->last('b') != published[1];
        };
        while (!client->isEnded() && !isComplete() && client->read(threads == 0 ? 0 : 1000))
            QCoreApplication::processEvents();
        QCOMPARE(client->failure(), QByteArray());
    }
    clients.clear();
    QTRY_COMPARE(f.server.subscriberCount(), 0);
}

QTEST_GUILESS_MAIN(TestQSseShard)
#include "tst_qsseshard.moc"
