// SPDX-License-Identifier: MIT
// A hub that has no descriptors left.

#include "barestream.h"
#include "faults.h"
#include "hubprocess.h"

#include <QtCore/QDeadlineTimer>
#include <QtCore/QElapsedTimer>

using namespace std::chrono_literals;

class tst_Descriptors : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void exhausted();
};

// The streams there are go on, the log says what is wrong without end only now and then, and those
// who wait are served by themselves as soon as others go.
void tst_Descriptors::exhausted()
{
    if (!Faults::IsMeasuring)
        QSKIP("UndefinedBehaviorSanitizer looks at memory through a pipe, which needs descriptors");
    constexpr int Limit = 64;
    constexpr int Leaving = 20;
    constexpr auto Grace = 500ms; // for the hub to notice
    const std::chrono::seconds lasting = Faults::form(3s, 60s);
    const int waiting = Faults::form(1000, 2000);
    HubProcess hub({ "--generate", "topic=a,rate=50,bytes=100", "--history", "100000" });
    hub.setOpenFileLimit(Limit);
    QVERIFY2(hub.listen(), hub.errors().constData());

    StreamPoller poller;
    const auto check = [](BareStream &stream, const BareStream::Event &event) {
        stream.checkIds(event);
    };
    const auto read = [&] { poller.poll(20, check); };
    BareStreams streams = makeStreams(waiting);
    for (const auto &stream : streams)
        QVERIFY(stream->open(poller.descriptor(), hub.port(), "/events?topic=a"));
    const auto served = [&] {
        return std::count_if(streams.begin(), streams.end(),
                             [](const auto &stream) { return stream->events > 0; });
    };
    const QDeadlineTimer settling(2s);
    while (!settling.hasExpired())
        read();
    const auto servedAtFirst = served();
    QVERIFY(servedAtFirst > Limit / 2);
    QVERIFY(servedAtFirst < Limit);

    QTRY_VERIFY(!hub.errors().isEmpty());
    const auto linesBefore = hub.errors().count('\n');
    std::vector<qint64> eventsBefore;
    for (const auto &stream : streams)
        eventsBefore.push_back(stream->events);
    QElapsedTimer clock;
    clock.start();
    while (std::chrono::milliseconds(clock.elapsed()) < lasting) {
        read();
        QCoreApplication::processEvents(); // for what the hub prints
    }
    const auto lines = hub.errors().count('\n') - linesBefore;
    QCOMPARE(served(), servedAtFirst);
    for (size_t i = 0; i < streams.size(); ++i) {
        const qint64 expected = 50 * (lasting - Grace) / 1s;
        QVERIFY(eventsBefore[i] == 0 || streams[i]->events >= eventsBefore[i] + expected);
    }
    QVERIFY2(lines <= lasting / 1s + 1, hub.errors().constData());

    int left = 0;
    for (const auto &stream : streams) {
        if (stream->events > 0 && left < Leaving) {
            stream->close();
            ++left;
        }
    }
    clock.start();
    QTRY_VERIFY_WITH_TIMEOUT((read(), served() >= servedAtFirst + Leaving - 2), 20'000);
    const qint64 servedAfter = clock.elapsed();
    QCOMPARE(firstFailure(streams), QByteArray());
    // All at once, most of whom were never accepted: the hub goes through what they left behind.
    for (const auto &stream : streams)
        stream->close();
    BareStream last;
    QVERIFY(last.open(poller.descriptor(), hub.port(), "/events?topic=a"));
    QTRY_VERIFY_WITH_TIMEOUT((read(), last.events > 0), 20'000);
    QCOMPARE(last.failure, QByteArray());
    QVERIFY(!hub.isFinished());
    qInfo(
        "%d descriptors: %lld of %d served, %lld lines in %lld s; %d gave way to others in %lld ms",
        Limit, qint64(servedAtFirst), waiting, qint64(lines), qint64(lasting.count()), Leaving,
        servedAfter);
}

int main(int argc, char **argv)
{
    return Faults::run<tst_Descriptors>(argc, argv);
}
#include "tst_descriptors.moc"
