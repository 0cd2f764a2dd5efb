// SPDX-License-Identifier: MIT
// Servers that end while many are connected and events flow.

#include "barepublisher.h"
#include "barestream.h"
#include "faults.h"
#include "hubprocess.h"

#include <QSseHttpServer>
#include <QSseServer>

#include <QtCore/QElapsedTimer>

#include <sys/wait.h>

#include <atomic>
#include <map>
#include <set>
#include <thread>

using namespace std::chrono_literals;

namespace {

/*! Subscribers that never read, in a process of their own, which needs as many descriptors as the
    server. */
class SleepingProcess
{
public:
    SleepingProcess(quint16 port, int subscribers) : m_process(::fork())
    {
        if (m_process == 0)
            subscribeAndSleep(port, subscribers);
    }
    ~SleepingProcess()
    {
        ::kill(m_process, SIGKILL);
        ::waitpid(m_process, nullptr, 0);
    }
    Q_DISABLE_COPY_MOVE(SleepingProcess)

private:
    // After a fork() of a process with threads nothing but system calls is allowed.
    [[noreturn]] static void subscribeAndSleep(quint16 port, int subscribers)
    {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::close_range(3, ~0U, 0);
        constexpr char Request[] = "GET /events?topic=a HTTP/1.1\r\nHost: localhost\r\n\r\n";
        const sockaddr_in address = loopbackAddress(port);
        for (int i = 0; i < subscribers; ++i) {
            const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
            if (::connect(fd, reinterpret_cast<const sockaddr *>(&address), sizeof(address)) != 0
                || ::send(fd, Request, sizeof(Request) - 1, MSG_NOSIGNAL) < 0)
                ::_exit(1);
        }
        for (;;)
            ::pause();
    }

    const pid_t m_process;
};

} // namespace

class tst_OrderlyEnd : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void terminated();
    void destroyed();
};

// The hub ends in time although half of its subscribers do not read; the others have got everything
// published before, and are told to come back at different times.
void tst_OrderlyEnd::terminated()
{
    constexpr qint64 Grace = 2000; // milliseconds, the hub's
    const int subscribers = Faults::form(300, 2000);
    HubProcess hub(
        { "--generate",
          Faults::form<QByteArray>("topic=a,rate=100,bytes=4000", "topic=a,rate=20,bytes=4000") });
    QVERIFY2(hub.listen(), hub.errors().constData());

    StreamPoller poller;
    std::map<BareStream *, qint64> published; // the last number that came by POST
    std::map<BareStream *, int> large;        // events, of the generator
    std::map<BareStream *, int> retry;
    const auto check = [&](BareStream &stream, const BareStream::Event &event) {
        stream.checkIds(event);
        if (event.retry >= 0)
            retry[&stream] = event.retry;
        if (event.data.startsWith("t="))
            ++large[&stream];
        if (event.data.startsWith("n="))
            published[&stream] = event.data.mid(2).toLongLong();
    };
    const auto read = [&] { poller.poll(20, check); };
    BareStreams readers = makeStreams(subscribers / 2);
    BareStreams sleepers = makeStreams(subscribers / 2);
    for (size_t i = 0; i < readers.size(); ++i) {
        QVERIFY(readers[i]->open(poller.descriptor(), hub.port(), "/events?topic=a"));
        sleepers[i]->hasSmallBuffers = true;
        QVERIFY(sleepers[i]->open(-1, hub.port(), "/events?topic=a"));
    }
    std::atomic_bool isPublishing = true;
    std::atomic<qint64> acknowledged = 0;
    std::thread publisher([&] {
        BarePublisher publisher(hub.port());
        for (qint64 n = 1; isPublishing; ++n) {
            if (!publisher.post("a", "n=" + QByteArray::number(n)).isNull())
                acknowledged = n;
            std::this_thread::sleep_for(2ms);
        }
    });
    const auto stopPublishing = qScopeGuard([&] {
        isPublishing = false;
        publisher.join();
    });
    // More than the kernel takes for those who sleep.
    const auto hasMuch = [&](const auto &stream) { return large[stream.get()] > 50; };
    const auto isFlowing = [&] {
        return acknowledged > 50 && std::all_of(readers.begin(), readers.end(), hasMuch);
    };
    QTRY_VERIFY_WITH_TIMEOUT((read(), isFlowing()), 60'000);
    for (const auto &stream : readers)
        stream->mayEnd = true;

    const qint64 before = acknowledged;
    QElapsedTimer clock;
    clock.start();
    hub.sendSignal(SIGTERM);
    const auto isEnded = [](const BareStream &stream) { return !stream.isOpen(); };
    QTRY_VERIFY_WITH_TIMEOUT((read(), hub.isFinished()), 20'000);
    const qint64 ended = clock.elapsed();
    QCOMPARE(hub.exitCode(), 0);
    QCOMPARE(hub.errors(), QByteArray());
    QTRY_VERIFY((read(), allOf(readers, isEnded)));
    QCOMPARE(firstFailure(readers), QByteArray());
    std::set<int> retries;
    for (const auto &stream : readers) {
        QVERIFY(published[stream.get()] >= before);
        retries.insert(retry[stream.get()]);
    }
    qInfo("%d subscribers, half of them asleep: ended after %lld ms, %d different times to come "
          "back",
          subscribers, ended, int(retries.size()));
    QVERIFY(retries.size() > readers.size() / 2);
    if (Faults::IsMeasuring)
        QVERIFY(ended <= Grace + 1000);
}

// A server goes at once, with all its subscribers connected and events under way to them.
void tst_OrderlyEnd::destroyed()
{
    rlimit limit {};
    QCOMPARE(::getrlimit(RLIMIT_NOFILE, &limit), 0);
    const int subscribers = int(qMin<rlim_t>(Faults::form(1000, 10'000), limit.rlim_max - 100));
    auto server = std::make_unique<QSseServer>();
    auto http = std::make_unique<QSseHttpServer>(server.get());
    QVERIFY(http->addEventStream(QStringLiteral("/events")));
    const quint16 port = http->listen(QHostAddress::LocalHost);
    QVERIFY(port != 0);
    const SleepingProcess clients(port, subscribers);
    QTRY_COMPARE_WITH_TIMEOUT(server->subscriberCount(), subscribers, 60'000);

    const QString topic = QStringLiteral("a");
    for (int i = 0; i < 100; ++i)
        server->notify(topic, QSseEvent(QByteArray(4000, 'x')));
    QElapsedTimer clock;
    clock.start();
    http.reset();
    server.reset();
    const qint64 taken = clock.elapsed();
    qInfo("%d subscribers: destroyed in %lld ms", subscribers, taken);
    if (Faults::IsMeasuring)
        QVERIFY(taken < 2000);
}

int main(int argc, char **argv)
{
    return Faults::run<tst_OrderlyEnd>(argc, argv);
}
#include "tst_orderlyend.moc"
