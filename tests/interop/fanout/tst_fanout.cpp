// SPDX-License-Identifier: MIT
// Many streams at once, and none of them misses anything. The load is there to find mistakes, not
// to measure speed.

#include "barestream.h"
#include "hubprocess.h"

#include <QSseHttpServer>
#include <QSseServer>
#include <QSseStream>
#include <QSseTopic>

#include <QtCore/QDeadlineTimer>
#include <QtCore/QElapsedTimer>
#include <QtTest/QtTest>

#include <sys/resource.h>

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

    StreamPoller poller;
    BareStreams streams = makeStreams(Subscribers);
    for (const auto &stream : streams)
        QVERIFY(stream->open(poller.descriptor(), hub.port(), "/events?topic=a"));

    // The opening's id says where the stream begins.
    const auto check = [](BareStream &stream, const BareStream::Event &event) {
        stream.checkIds(event);
        if (event.hasData && (event.data.size() != Bytes || !event.data.startsWith("t=")))
            stream.fail("the data is " + event.data);
    };
    const QDeadlineTimer deadline(Patience);
    const auto isDone = [](const BareStream &stream) {
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

// Subscribers join, and come back, at random while another thread publishes thousands of numbers a
// second: from the first number on each sees all of them.
void tst_Fanout::joining()
{
    QFETCH(QByteArray, target);
    QFETCH(QByteArray, opening);
    const bool isLong = qEnvironmentVariableIntValue("QSSE_SOAK") != 0;
    constexpr int Subscribers = 100;
    const int comeBack = isLong ? 500 : 100;
    const qint64 rate = isLong ? 5000 : 2000;      // numbers a second
    const int joinWithin = isLong ? 10'000 : 2000; // milliseconds
    const qint64 numbers = rate * (joinWithin + 500) / 1000;
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
        for (qint64 number = 1; number <= numbers || !allJoined; ++number) {
            due += std::chrono::nanoseconds(1s) / rate;
            std::this_thread::sleep_until(due);
            const std::lock_guard lock(mutex);
            current = number;
            QSseEvent event(QByteArray::number(number));
            server.notify(topic, event);
            server.notify(other, event);
        }
        isPublishing = false;
    });

    const auto check = [&opening](BareStream &stream, const BareStream::Event &event) {
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
        BareStream *stream;
        bool isReset; // whether the connection before it ends with a reset
    };
    BareStreams streams = makeStreams(Subscribers);
    std::vector<Action> actions;
    std::mt19937 random(20261122);
    std::uniform_int_distribution<qint64> moment(0, joinWithin);
    for (const auto &stream : streams)
        actions.push_back({ moment(random) / 2, stream.get(), false });
    // Where it has only just come it begins anew.
    for (int i = 0; i < comeBack; ++i) {
        const Action &joins = actions[random() % Subscribers];
        actions.push_back({ qMax(joins.at, moment(random)), joins.stream, random() % 2 == 0 });
    }
    std::stable_sort(actions.begin(), actions.end(),
                     [](const Action &a, const Action &b) { return a.at < b.at; });

    std::thread reader([&] {
        StreamPoller poller;
        QElapsedTimer clock;
        clock.start();
        const QDeadlineTimer deadline(Patience);
        size_t next = 0;
        const auto isLive = [](const BareStream &stream) {
            return stream.isLive || !stream.failure.isEmpty();
        };
        const auto isComplete = [&](const BareStream &stream) {
            return stream.number == current || !stream.failure.isEmpty();
        };
        while (!deadline.hasExpired()) {
            for (; next < actions.size() && actions[next].at <= clock.elapsed(); ++next) {
                BareStream *stream = actions[next].stream;
                stream->isLive = false;
                if (actions[next].isReset)
                    stream->reset();
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
    QVERIFY(current >= numbers);
    QVERIFY(allOf(streams, [&](const BareStream &stream) { return stream.number == current; }));
    qint64 delivered = 0;
    for (const auto &stream : streams)
        delivered += stream->events;
    qInfo("%lld numbers at %lld/s, %d joins, %d reconnects, %lld delivered, lost 0, doubled 0",
          current, rate, Subscribers, comeBack, delivered);
}

QTEST_GUILESS_MAIN(tst_Fanout)
#include "tst_fanout.moc"
