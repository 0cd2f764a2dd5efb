// SPDX-License-Identifier: MIT
// A hub under mixed load for as long as QSSE_SOAK_SECONDS says.

#include "barepublisher.h"
#include "barestream.h"
#include "faults.h"
#include "hubprocess.h"
#include "visitor.h"

#include <QtCore/QElapsedTimer>

#include <atomic>
#include <random>
#include <thread>

using namespace std::chrono_literals;

namespace {

constexpr char Target[] = "/events?topic=**";
constexpr qint64 StallTimeout = 5000;   // milliseconds
constexpr int RecentPositions = 65'536; // of QSseMemoryLog
// So that sleepers are cut off before they wake up.
constexpr qint64 TurnTime = 2 * StallTimeout;

/*! The clients of the hub, other than the publishers. */
class Load
{
public:
    explicit Load(quint16 port) : m_port(port) { }

    bool begin()
    {
        return std::all_of(m_readers.begin(), m_readers.end(), [this](const auto &stream) {
            return stream->open(m_poller.descriptor(), m_port, Target);
        });
    }
    /*! Has some come and go, others reconnect, and the sleepers fall asleep or wake up. */
    bool step()
    {
        std::vector<std::unique_ptr<Visitor>> together;
        for (int i = 0; i < 50; ++i)
            together.push_back(std::make_unique<Visitor>(m_port, ++m_visitors));
        for (const auto &visitor : together) {
            if (!visitor->waitForAnswer())
                return false;
        }
        together.clear();
        BareStream &reader = *m_readers[m_random() % m_readers.size()];
        if (m_random() % 2 == 0)
            reader.reset();
        return reader.open(m_poller.descriptor(), m_port, Target) && turnSleepers();
    }
    /*! Reads for \a milliseconds. */
    void read(qint64 milliseconds)
    {
        const QDeadlineTimer deadline(milliseconds);
        while (!deadline.hasExpired())
            m_poller.poll(int(deadline.remainingTime()), check);
        QCoreApplication::processEvents(); // for what the hub prints
    }
    /*! Sends the sleepers away, so that only those are left whose number is known. */
    void sendSleepersAway()
    {
        for (const auto &stream : m_sleepers) {
            if (stream->isOpen())
                stream->reset();
        }
    }

    const BareStreams &readers() const { return m_readers; }
    const BareStreams &sleepers() const { return m_sleepers; }
    int visitors() const { return m_visitors; }
    qint64 wakings() const { return m_wakings; }

private:
    static void check(BareStream &stream, const BareStream::Event &event)
    {
        stream.checkIds(event);
    }

    // In turn they sleep until they are cut off, and read all they missed.
    bool turnSleepers()
    {
        if (m_turn.isValid() && m_turn.elapsed() < TurnTime)
            return true;
        m_turn.start();
        m_areAsleep = !m_areAsleep;
        return std::all_of(m_sleepers.begin(), m_sleepers.end(), [this](const auto &stream) {
            const auto handle = [&](const BareStream::Event &event) { check(*stream, event); };
            while (stream->isOpen() && stream->read(handle)) { }
            stream->hasSmallBuffers = stream->mayEnd = m_areAsleep;
            m_wakings += m_areAsleep ? 0 : 1;
            return stream->open(m_areAsleep ? -1 : m_poller.descriptor(), m_port, Target);
        });
    }

    const quint16 m_port;
    StreamPoller m_poller;
    BareStreams m_readers = makeStreams(25);
    BareStreams m_sleepers = makeStreams(20);
    std::mt19937 m_random { 20261122 };
    int m_visitors = 0;
    QElapsedTimer m_turn;
    bool m_areAsleep = false;
    qint64 m_wakings = 0;
};

} // namespace

class tst_Soak : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void mixed();
};

// Nothing is lost, and the hub needs no more in the end than after a minute.
void tst_Soak::mixed()
{
    if (!Faults::isLong())
        QSKIP("only with QSSE_SOAK=1");
    constexpr qint64 Minute = 60'000; // milliseconds
    bool isSet = false;
    const int asked = qEnvironmentVariableIntValue("QSSE_SOAK_SECONDS", &isSet);
    const qint64 minutes = qMax(isSet ? asked / 60 : 10, 2);
    // Slow enough that who comes back finds all it missed in the history of each topic, and fast
    // enough that this is full after a minute.
    HubProcess hub({ "--generate", "topic=a,rate=50,bytes=1000", "--max-queued-bytes", "65536",
                     "--stall-timeout", QByteArray::number(StallTimeout) });
    QVERIFY2(hub.listen(), hub.errors().constData());
    const auto usage = [&] { return Faults::usageOf(hub.process().processId()); };

    // What the log remembers of the latest positions is full before the first minute, too.
    BarePublisher filler(hub.port());
    for (int n = 0; n < RecentPositions; ++n)
        QVERIFY(!filler.post("filler", "x").isNull());

    Load load(hub.port());
    QVERIFY(load.begin());
    std::atomic_bool isPublishing = true;
    std::atomic<qint64> published = 0;
    std::atomic<qint64> refused = 0;
    std::thread publisher([&] {
        BarePublisher publisher(hub.port());
        for (qint64 n = 0; isPublishing; ++n) {
            const QByteArray topic = "b/" + QByteArray::number(n % 5);
            ++(publisher.post(topic, QByteArray(200, 'x')).isNull() ? refused : published);
            std::this_thread::sleep_for(5ms);
        }
    });
    const auto stopPublishing = qScopeGuard([&] {
        isPublishing = false;
        publisher.join();
    });

    Faults::Usage first;
    Faults::Usage last;
    for (qint64 minute = 1; minute <= minutes; ++minute) {
        QElapsedTimer clock;
        clock.start();
        while (clock.elapsed() < Minute) {
            QVERIFY(load.step());
            load.read(100);
            QCOMPARE(firstFailure(load.readers()), QByteArray());
            QCOMPARE(firstFailure(load.sleepers()), QByteArray());
        }
        load.sendSleepersAway();
        load.read(2000);
        last = usage();
        if (minute == 1)
            first = last;
        qInfo("minute %lld: memory %s, %d descriptors; %d visitors, sleepers woke up %lld times, "
              "%lld "
              "published by POST",
              minute, Faults::inMiB(last.resident).constData(), last.descriptors, load.visitors(),
              load.wakings(), published.load());
    }
    QCOMPARE(refused, 0);
    QCOMPARE(hub.errors(), QByteArray());
    QVERIFY(load.wakings() > 0);
    for (const auto &stream : load.sleepers())
        QCOMPARE(stream->gaps, 0);
    QCOMPARE(last.descriptors, first.descriptors);
    if (Faults::IsMeasuring)
        QVERIFY(last.resident <= first.resident + first.resident / 50);
}

int main(int argc, char **argv)
{
    return Faults::run<tst_Soak>(argc, argv);
}
#include "tst_soak.moc"
