// SPDX-License-Identifier: MIT
// Subscribers that never read, beside others that do.

#include "barestream.h"
#include "faults.h"
#include "hubprocess.h"

#include <QtCore/QDeadlineTimer>
#include <QtCore/QElapsedTimer>

using namespace std::chrono_literals;

class tst_Sleepers : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void sleepers_data();
    void sleepers();
};

void tst_Sleepers::sleepers_data()
{
    QTest::addColumn<QByteArray>("policy");
    QTest::newRow("disconnect") << QByteArray("disconnect");
    QTest::newRow("conflate") << QByteArray("conflate");
}

// The others miss nothing, each sleeper costs no more than its queue, is removed by the policy, and
// gets what it missed when it comes back. One that only dozes is brought up to date, if the policy
// is to conflate.
void tst_Sleepers::sleepers()
{
    QFETCH(QByteArray, policy);
    const bool isConflating = policy == "conflate";
    const int sleeping = Faults::form(20, 100);
    const int reading = Faults::form(5, 10);
    const qint64 seconds = Faults::form(3, 20);
    const qint64 queue = Faults::form(64 * Faults::KiB, Faults::MiB);
    const qint64 doze = Faults::form(600, 10'000); // milliseconds
    QByteArrayList arguments { "--generate", "topic=a,rate=100,bytes=4000", "--overflow", policy };
    if (!Faults::isLong()) // the long form keeps to the defaults
        arguments += { "--max-queued-bytes", QByteArray::number(queue), "--stall-timeout", "1000" };
    HubProcess hub(arguments);
    QVERIFY2(hub.listen(), hub.errors().constData());
    const QByteArray target = "/events?topic=a";

    const auto check = [](BareStream &stream, const BareStream::Event &event) {
        stream.checkIds(event);
    };
    StreamPoller poller;
    BareStreams readers = makeStreams(reading);
    for (const auto &stream : readers)
        QVERIFY(stream->open(poller.descriptor(), hub.port(), target));
    const QDeadlineTimer patience(120s);
    const qint64 settled = Faults::form(10, 1000); // events; the long form first fills the history
    while (!allOf(readers, [&](const BareStream &stream) { return stream.events >= settled; })
           && !patience.hasExpired())
        poller.poll(100, check);
    const auto usage = [&] { return Faults::usageOf(hub.process().processId()); };
    const Faults::Usage before = usage();

    QElapsedTimer clock;
    clock.start();
    BareStreams sleepers = makeStreams(sleeping);
    for (const auto &stream : sleepers) {
        stream->hasSmallBuffers = stream->mayEnd = true;
        QVERIFY(stream->open(-1, hub.port(), target));
    }
    BareStream dozer;
    dozer.hasSmallBuffers = true;
    const int dozing = isConflating ? 1 : 0;
    if (isConflating)
        QVERIFY(dozer.open(-1, hub.port(), target));
    qint64 residentMost = before.resident;
    int descriptorsMost = 0;
    qint64 removedAfter = 0;
    qint64 skipped = 0;
    const auto checkDozer = [&](BareStream &stream, const BareStream::Event &event) {
        const qint64 next = event.id.mid(event.id.lastIndexOf('-') + 1).toLongLong();
        if (event.type == "gap" || (event.hasData && next <= stream.number))
            stream.fail(event.type + ' ' + event.id + " came to one that dozed");
        if (event.hasData && stream.number >= 0)
            skipped += next - stream.number - 1;
        stream.number = qMax(next, stream.number);
    };
    while ((clock.elapsed() < seconds * 1000 || removedAfter == 0) && !patience.hasExpired()) {
        poller.poll(100, check);
        QCoreApplication::processEvents(); // for what the hub prints
        const Faults::Usage now = usage();
        residentMost = qMax(residentMost, now.resident);
        descriptorsMost = qMax(descriptorsMost, now.descriptors);
        // Who never reads does not see its end, but the hub has closed it.
        const bool areAdded = descriptorsMost >= before.descriptors + sleeping;
        if (removedAfter == 0 && areAdded && now.descriptors <= before.descriptors + dozing)
            removedAfter = clock.elapsed();
        if (isConflating && clock.elapsed() > doze) {
            while (dozer.read([&](const BareStream::Event &event) { checkDozer(dozer, event); })) {
            }
        }
    }
    QCOMPARE(firstFailure(readers), QByteArray());
    QVERIFY(
        allOf(readers, [&](const BareStream &stream) { return stream.events >= 50 * seconds; }));
    QVERIFY2(removedAfter > 0, "the sleepers stay");
    QCOMPARE(dozer.failure, QByteArray());
    QVERIFY(!isConflating || (dozer.isOpen() && skipped > 0));
    const qint64 growth = residentMost - before.resident;
    if (Faults::IsMeasuring)
        QVERIFY2(growth <= sleeping * queue + 10 * Faults::MiB, Faults::inMiB(growth).constData());

    // They wake up, see that they are cut off, and come back.
    const QDeadlineTimer waking(20s);
    for (const auto &stream : sleepers)
        QVERIFY(stream->listenWith(poller.descriptor()));
    const auto isEnded = [](const BareStream &stream) { return !stream.isOpen(); };
    while (!allOf(sleepers, isEnded) && !waking.hasExpired())
        poller.poll(100, check);
    QVERIFY(allOf(sleepers, isEnded));
    for (const auto &stream : sleepers) {
        QVERIFY(!stream->lastId.isEmpty());
        stream->hasSmallBuffers = stream->mayEnd = false;
        QVERIFY(stream->open(poller.descriptor(), hub.port(), target));
    }
    const auto isUpToDate = [&](const BareStream &stream) {
        return stream.number >= readers.front()->number;
    };
    const QDeadlineTimer comingBack(20s);
    while (!allOf(sleepers, isUpToDate) && !comingBack.hasExpired())
        poller.poll(100, check);
    QVERIFY(allOf(sleepers, isUpToDate));
    QCOMPARE(firstFailure(sleepers), QByteArray());
    QCOMPARE(firstFailure(readers), QByteArray());
    qint64 gaps = 0;
    for (const auto &stream : sleepers)
        gaps += stream->gaps;
    if (!Faults::isLong()) // all they missed is still kept
        QCOMPARE(gaps, 0);
    qInfo("%d sleepers, %d readers: %lld events to each reader, sleepers removed after %lld ms, "
          "memory grew by %s, %lld told of a gap, %lld conflated",
          sleeping, reading, readers.front()->events, removedAfter,
          Faults::inMiB(growth).constData(), gaps, skipped);
}

int main(int argc, char **argv)
{
    return Faults::run<tst_Sleepers>(argc, argv);
}
#include "tst_sleepers.moc"
