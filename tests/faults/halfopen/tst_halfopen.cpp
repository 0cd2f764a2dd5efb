// SPDX-License-Identifier: MIT
// Peers that vanish without a word, in a network of the test's own that can be taken down.

#include "barestream.h"
#include "faults.h"

#include <QSseHttpServer>
#include <QSseServer>

#include <QtCore/QElapsedTimer>

#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>

using namespace std::chrono_literals;

namespace {

/*! Gives the process a network of its own; must come before there are threads. */
bool unshareNetwork()
{
    return ::unshare(CLONE_NEWNET) == 0 || ::unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
}

/*! Takes the loopback interface up or down. */
bool setLoopback(bool isUp)
{
    const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifreq request {};
    qstrcpy(request.ifr_name, "lo");
    bool isDone = ::ioctl(fd, SIOCGIFFLAGS, &request) == 0;
    request.ifr_flags = short(isUp ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP);
    isDone = isDone && ::ioctl(fd, SIOCSIFFLAGS, &request) == 0;
    ::close(fd);
    return isDone;
}

bool hasOwnNetwork = false;

} // namespace

class tst_HalfOpen : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void initTestCase();
    void vanished_data();
    void vanished();
};

void tst_HalfOpen::initTestCase()
{
    if (!hasOwnNetwork)
        QSKIP("the system gives no network of its own");
}

void tst_HalfOpen::vanished_data()
{
    QTest::addColumn<int>("bytes"); // of an event every 20 ms
    QTest::newRow("idle") << 0;
    QTest::newRow("busy") << 100'000;
}

// Whether there is something to send or only keep-alives, all are found out and removed, and when
// the network is back nothing is left of them.
void tst_HalfOpen::vanished()
{
    QFETCH(int, bytes);
    const int subscribers = Faults::form(100, 1000);
    const auto isUpAgain = qScopeGuard([] { setLoopback(true); });
    QVERIFY(setLoopback(true));
    QSseServer server;
    server.setKeepAliveInterval(200ms);
    server.setStallTimeout(1s);
    QMap<QSseSubscriber::RemovalReason, int> removed;
    connect(
        &server, &QSseServer::subscriberRemoved, this,
        [&](const QSseSubscriber &, QSseSubscriber::RemovalReason reason) { ++removed[reason]; });
    QSseHttpServer http(&server);
    QVERIFY(http.addEventStream(QStringLiteral("/events")));
    const quint16 port = http.listen(QHostAddress::LocalHost);
    QVERIFY(port != 0);
    QTimer publisher;
    publisher.callOnTimeout(
        [&] { server.notify(QStringLiteral("a"), QSseEvent(QByteArray(bytes, 'x'))); });

    StreamPoller poller;
    const auto check = [](BareStream &stream, const BareStream::Event &event) {
        stream.checkIds(event);
    };
    const auto read = [&] { poller.poll(0, check); };
    BareStream first; // so that the server has made its thread before descriptors are counted
    QVERIFY(first.open(-1, port, "/events?topic=a"));
    QTRY_COMPARE(server.subscriberCount(), 1);
    first.close();
    QTRY_COMPARE(server.subscriberCount(), 0);
    QCOMPARE(removed.take(QSseSubscriber::RemovalReason::ClientClosed), 1);
    const int descriptorsBefore = Faults::usageOf(::getpid()).descriptors;

    BareStreams streams = makeStreams(subscribers);
    for (const auto &stream : streams)
        QVERIFY(stream->open(poller.descriptor(), port, "/events?topic=a"));
    QTRY_COMPARE_WITH_TIMEOUT(server.subscriberCount(), subscribers, 20'000);
    if (bytes > 0)
        publisher.start(20ms);
    const auto hasSomething = [&](const BareStream &stream) {
        return bytes > 0 ? stream.events > 0 : stream.comments > 0;
    };
    QTRY_VERIFY((read(), allOf(streams, hasSomething)));
    QCOMPARE(server.subscriberCount(), subscribers);

    QElapsedTimer clock;
    clock.start();
    QVERIFY(setLoopback(false));
    QTRY_COMPARE_WITH_TIMEOUT(server.subscriberCount(), 0, 10'000);
    const qint64 removedAfter = clock.elapsed();
    publisher.stop();
    const int broken = removed.value(QSseSubscriber::RemovalReason::NetworkError);
    const int stalled = removed.value(QSseSubscriber::RemovalReason::Stalled);
    QCOMPARE(broken + stalled, subscribers);

    QVERIFY(setLoopback(true));
    for (const auto &stream : streams)
        stream->close();
    QTRY_COMPARE(Faults::usageOf(::getpid()).descriptors, descriptorsBefore);
    BareStream fresh;
    QVERIFY(fresh.open(poller.descriptor(), port, "/events?topic=a"));
    QTRY_COMPARE(server.subscriberCount(), 1);
    QTRY_VERIFY((read(), fresh.number >= 0 || fresh.hasHead()));
    server.notify(QStringLiteral("a"), QSseEvent("hello"));
    QTRY_COMPARE((read(), fresh.events), 1);
    QCOMPARE(fresh.failure, QByteArray());
    qInfo("%d subscribers vanished, all removed after %lld ms: %d broken, %d stalled", subscribers,
          removedAfter, broken, stalled);
}

int main(int argc, char **argv)
{
    hasOwnNetwork = unshareNetwork();
    return Faults::run<tst_HalfOpen>(argc, argv);
}
#include "tst_halfopen.moc"
