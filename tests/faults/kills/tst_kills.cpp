// SPDX-License-Identifier: MIT
// A hub with a durable log, killed again and again under load.

#include "barepublisher.h"
#include "barestream.h"
#include "faults.h"
#include "hubprocess.h"

#include <QtCore/QDeadlineTimer>
#include <QtCore/QElapsedTimer>
#include <QtCore/QTemporaryDir>

#include <atomic>
#include <random>
#include <set>
#include <thread>

using namespace std::chrono_literals;

namespace {

/*! An event's publisher and its number there. */
using Name = std::pair<int, qint64>;

Name nameOf(const QByteArray &data)
{
    const qsizetype space = data.indexOf(' ');
    return { data.left(space).toInt(), data.mid(space + 1).toLongLong() };
}

/*! Publishes numbered events in a thread of its own; every number once, acknowledged or not. */
class NumberPublisher
{
public:
    NumberPublisher(quint16 port, int number)
        : m_thread([this, port, number] {
              BarePublisher publisher(port);
              const QByteArray prefix = QByteArray::number(number) + ' ';
              for (qint64 next = 1; m_isRunning; ++next) {
                  if (!publisher.post("a", prefix + QByteArray::number(next)).isNull()) {
                      m_acknowledged.emplace_back(number, next);
                      ++m_count;
                  }
                  std::this_thread::sleep_for(1ms);
              }
          })
    {
    }
    ~NumberPublisher() { stop(); }
    Q_DISABLE_COPY_MOVE(NumberPublisher)

    void stop()
    {
        m_isRunning = false;
        if (m_thread.joinable())
            m_thread.join();
    }
    /*! How many were acknowledged so far. */
    qint64 count() const { return m_count; }
    /*! Those that were acknowledged, once it is stopped. */
    const std::vector<Name> &acknowledged() const { return m_acknowledged; }

private:
    std::atomic_bool m_isRunning = true;
    std::atomic<qint64> m_count = 0;
    std::vector<Name> m_acknowledged;
    std::thread m_thread;
};

/*! What one subscriber got over all its connections. */
struct Delivery
{
    void add(const Name &name)
    {
        qint64 &last = lastNumbers[name.first];
        if (!seen.insert(name).second)
            ++doubled;
        else if (name.second < last)
            ++outOfOrder;
        last = qMax(last, name.second);
        order.push_back(name);
    }

    std::vector<Name> order;
    std::set<Name> seen;
    std::map<int, qint64> lastNumbers;
    qint64 doubled = 0;
    qint64 outOfOrder = 0;
};

/*! Several subscribers in a thread of their own, who come back whenever they are cut off. */
class Subscribers
{
public:
    Subscribers(quint16 port, int count)
        : m_port(port), m_streams(makeStreams(count)), m_deliveries(size_t(count))
    {
        for (const auto &stream : m_streams)
            stream->mayEnd = true;
        m_thread = std::thread([this] { run(); });
    }
    ~Subscribers() { stop(); }
    Q_DISABLE_COPY_MOVE(Subscribers)

    /*! How many know where they would resume. */
    int ready() const { return m_ready; }
    /*! How many events the one that got the fewest has. */
    qint64 fewest() const { return m_fewest; }
    void stop()
    {
        m_isRunning = false;
        if (m_thread.joinable())
            m_thread.join();
    }
    // Once it is stopped.
    const BareStreams &streams() const { return m_streams; }
    const std::vector<Delivery> &deliveries() const { return m_deliveries; }

private:
    void run()
    {
        StreamPoller poller;
        const auto handle = [this](BareStream &stream, const BareStream::Event &event) {
            if (event.type == "gap")
                stream.fail("a gap: " + event.data);
            else if (event.hasData)
                deliveryOf(stream).add(nameOf(event.data));
        };
        while (m_isRunning) {
            for (const auto &stream : m_streams) {
                if (!stream->isOpen())
                    stream->open(poller.descriptor(), m_port, "/events?topic=a");
            }
            poller.poll(10, handle);
            m_ready = int(std::count_if(m_streams.begin(), m_streams.end(), [](const auto &stream) {
                return !stream->lastId.isEmpty();
            }));
            m_fewest = qint64(std::min_element(m_deliveries.begin(), m_deliveries.end(),
                                               [](const Delivery &a, const Delivery &b) {
                                                   return a.seen.size() < b.seen.size();
                                               })
                                  ->seen.size());
        }
    }
    Delivery &deliveryOf(const BareStream &stream)
    {
        const auto found = std::find_if(m_streams.begin(), m_streams.end(),
                                        [&](const auto &other) { return other.get() == &stream; });
        return m_deliveries[size_t(found - m_streams.begin())];
    }

    const quint16 m_port;
    BareStreams m_streams;
    std::vector<Delivery> m_deliveries;
    std::atomic_bool m_isRunning = true;
    std::atomic<int> m_ready = 0;
    std::atomic<qint64> m_fewest = 0;
    std::thread m_thread;
};

} // namespace

class tst_Kills : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void kills_data();
    void kills();
};

void tst_Kills::kills_data()
{
    QTest::addColumn<int>("restarts");
    QTest::newRow("running") << 0;
    QTest::newRow("killed") << Faults::form(5, 50);
}

// Every event that was acknowledged reaches every subscriber once and in order. One that was not
// may be missing, or come once.
void tst_Kills::kills()
{
    constexpr int PublisherCount = 4;
    constexpr int SubscriberCount = 5;
    QFETCH(int, restarts);
    QTemporaryDir folder;
    const QByteArray store = QFile::encodeName(folder.filePath(QStringLiteral("events.sqlite")));
    QByteArrayList arguments { "--history", "1000000" };
    if (restarts > 0)
        arguments += { "--store", store };
    auto hub = std::make_unique<HubProcess>(arguments);
    QVERIFY2(hub->listen(), hub->errors().constData());
    const quint16 port = hub->port();

    Subscribers subscribers(port, SubscriberCount);
    QTRY_COMPARE(subscribers.ready(), SubscriberCount);
    std::vector<std::unique_ptr<NumberPublisher>> publishers;
    for (int i = 0; i < PublisherCount; ++i)
        publishers.push_back(std::make_unique<NumberPublisher>(port, i));
    const auto acknowledged = [&] {
        qint64 sum = 0;
        for (const auto &publisher : publishers)
            sum += publisher->count();
        return sum;
    };

    std::mt19937 random(20261122);
    qint64 restartTime = 0; // milliseconds, all together
    for (int i = 0; i <= restarts; ++i) {
        const qint64 wanted = acknowledged() + 50 + qint64(random() % 200);
        QTRY_VERIFY_WITH_TIMEOUT(acknowledged() >= wanted, 60'000);
        if (i == restarts)
            break;
        hub->sendSignal(SIGKILL);
        QVERIFY(hub->waitForFinished());
        QElapsedTimer clock;
        clock.start();
        hub = std::make_unique<HubProcess>(
            arguments + QByteArrayList { "--listen", "127.0.0.1:" + QByteArray::number(port) });
        QVERIFY2(hub->listen(), hub->errors().constData());
        restartTime += clock.elapsed();
    }

    std::set<Name> wanted;
    for (const auto &publisher : publishers) {
        publisher->stop();
        wanted.insert(publisher->acknowledged().begin(), publisher->acknowledged().end());
    }
    const auto isEnough = [&] { return subscribers.fewest() >= qint64(wanted.size()); };
    const bool hasEnough = QTest::qWaitFor(isEnough, 20'000);
    subscribers.stop();

    // Those that were acknowledged, as one subscriber saw them.
    const auto inOrder = [&](const Delivery &delivery) {
        std::vector<Name> names;
        std::copy_if(delivery.order.begin(), delivery.order.end(), std::back_inserter(names),
                     [&](const Name &name) { return wanted.count(name) > 0; });
        return names;
    };
    const std::vector<Name> order = inOrder(subscribers.deliveries().front());
    qint64 delivered = 0;
    qint64 lost = 0;
    qint64 doubled = 0;
    qint64 outOfOrder = 0;
    bool isSameOrder = true;
    for (const Delivery &delivery : subscribers.deliveries()) {
        delivered += qint64(delivery.order.size());
        doubled += delivery.doubled;
        outOfOrder += delivery.outOfOrder;
        isSameOrder = isSameOrder && inOrder(delivery) == order;
        lost += std::count_if(wanted.begin(), wanted.end(),
                              [&](const Name &name) { return delivery.seen.count(name) == 0; });
    }
    qInfo("%lld acknowledged, %lld delivered to %d subscribers, lost %lld, doubled %lld, out of "
          "order %lld, %d restarts, listening again after %lld ms on average",
          qint64(wanted.size()), delivered, SubscriberCount, lost, doubled, outOfOrder, restarts,
          restarts > 0 ? restartTime / restarts : 0);
    QCOMPARE(firstFailure(subscribers.streams()), QByteArray());
    QCOMPARE(lost, 0);
    QCOMPARE(doubled, 0);
    QCOMPARE(outOfOrder, 0);
    QVERIFY(isSameOrder);
    QVERIFY(hasEnough);
}

int main(int argc, char **argv)
{
    return Faults::run<tst_Kills>(argc, argv);
}
#include "tst_kills.moc"
