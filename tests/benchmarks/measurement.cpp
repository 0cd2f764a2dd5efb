// SPDX-License-Identifier: MIT
#include "measurement.h"

#include "publisher.h"
#include "serverprocess.h"

#include <vector>

using namespace std::chrono_literals;

namespace {

constexpr std::chrono::nanoseconds WarmUp = 1s;
constexpr auto ConnectPatience = 180s;
constexpr auto DrainPatience = 20s;
constexpr auto DrainQuiet = 2s; // nothing came for so long: nothing will
constexpr auto DrainStep = 100ms;
// QSse sends a comment after 15 s of silence; an idle server is watched for as long as one of them.
constexpr auto KeepAlivePeriod = 15s;
// A burst of connections is what the cell "connect" is about. Elsewhere a small listen backlog, as
// the naive server has, is not to overflow.
constexpr int BurstInFlight = 512;
constexpr int GentleInFlight = 40;

constexpr qint64 toNanoseconds(std::chrono::nanoseconds duration)
{
    return duration.count();
}

/*! What a server used up between two moments. */
class Usage
{
public:
    explicit Usage(const ServerProcess &server) : m_server(server) { }

    double seconds() const { return double(monotonicNanoseconds() - m_begin) / 1e9; }
    double serverSeconds() const { return toSeconds(m_server.cpuTime() - m_serverBegin); }
    double clientSeconds() const
    {
        return toSeconds(readClock(CLOCK_PROCESS_CPUTIME_ID) - m_clientBegin);
    }

private:
    static double toSeconds(std::chrono::nanoseconds time) { return double(time.count()) / 1e9; }

    const ServerProcess &m_server;
    const qint64 m_begin = monotonicNanoseconds();
    const std::chrono::nanoseconds m_serverBegin = m_server.cpuTime();
    const std::chrono::nanoseconds m_clientBegin = readClock(CLOCK_PROCESS_CPUTIME_ID);
};

class Measurement
{
public:
    Measurement(const Cell &cell, const QString &contender, std::chrono::nanoseconds window)
        : m_cell(cell), m_window(window), m_warmUp(qMin(WarmUp, window)),
          m_server(contender, cell.load),
          m_client(cell.connects ? LoadClient::Begin::Anywhere : LoadClient::Begin::AtFirst)
    {
    }

    Run run();

private:
    void set(const char *key, double value) { m_run.values[QString::fromLatin1(key)] = value; }
    bool connectAll();
    void watchIdle();
    void watchDelivery();
    void go();
    void finish();
    Faults drain(qint64 published);
    qint64 waitForPublished();

    const Cell &m_cell;
    const std::chrono::nanoseconds m_window;
    const std::chrono::nanoseconds m_warmUp;
    ServerProcess m_server;
    LoadClient m_client;
    qint64 m_wentAt = 0;
    double m_connectedBytes = 0; // what the server took when all were connected
    Run m_run;
};

Run Measurement::run()
{
    if (!m_server.waitForListening()) {
        m_run.failure = QStringLiteral("did not start");
        return m_run;
    }
    if (m_cell.connects)
        go();
    if (!connectAll()) {
        m_run.failure = QStringLiteral("not all could connect");
        return m_run;
    }
    if (m_cell.isQuiet)
        watchIdle();
    if (m_cell.connects)
        m_client.run(m_window);
    else if (m_cell.load.rate > 0)
        watchDelivery();
    if (m_cell.load.rate > 0)
        finish();
    const auto peak = double(m_server.peakBytes());
    set("peak", peak / 1024 / 1024);
    set("growth", (peak - m_connectedBytes) / 1024 / 1024);
    return m_run;
}

bool Measurement::connectAll()
{
    std::vector<int> topics(size_t(m_cell.idle), LoadClient::IdleTopic);
    for (int i = 0; i < m_cell.subscribers; ++i)
        topics.push_back(i % m_cell.load.topics);
    for (int i = 0; i < m_cell.sleepers; ++i)
        topics.push_back(i % m_cell.load.topics);

    const auto before = double(m_server.residentBytes());
    const Usage usage(m_server);
    if (!m_client.connectAll(m_server.port(), topics, m_cell.sleepers,
                             m_cell.connects ? BurstInFlight : GentleInFlight, ConnectPatience))
        return false;
    const auto connections = double(topics.size());
    set("connections", connections / usage.seconds());
    set("connectCpu", usage.serverSeconds() * 1e6 / connections);
    set("subscribers", connections);
    m_client.run(m_warmUp); // what the server puts off until the connections are made
    m_connectedBytes = double(m_server.residentBytes());
    set("bytes", (m_connectedBytes - before) / connections);
    return true;
}

void Measurement::watchIdle()
{
    const Usage usage(m_server);
    m_client.run(KeepAlivePeriod);
    set("idleCpu", usage.serverSeconds() / usage.seconds() * 100);
}

void Measurement::watchDelivery()
{
    go();
    m_client.run(m_warmUp);
    m_client.takeLatencies();
    const Usage usage(m_server);
    m_client.run(m_window);
    const double seconds = usage.seconds();
    const double serverSeconds = usage.serverSeconds();
    const double clientSeconds = usage.clientSeconds();
    const Histogram latencies = m_client.takeLatencies();

    const auto deliveries = double(latencies.count());
    set("deliveries", deliveries / seconds);
    set("serverCpu", serverSeconds / seconds * 100);
    set("clientCpu", clientSeconds / seconds * 100);
    if (deliveries == 0)
        return;
    set("cpu", serverSeconds * 1e6 / deliveries);
    set("p50", latencies.quantile(0.5) / 1e6);
    set("p99", latencies.quantile(0.99) / 1e6);
    set("max", latencies.maximum() / 1e6);
}

void Measurement::go()
{
    m_server.go();
    m_wentAt = monotonicNanoseconds();
}

// Stops publishing and waits until everybody has everything, or nothing comes any more.
void Measurement::finish()
{
    const qint64 published = waitForPublished();
    if (published < 0) {
        m_run.failure = QStringLiteral("did not stop");
        return;
    }
    m_run.faults = drain(published);
}

Faults Measurement::drain(qint64 published)
{
    const qint64 begin = monotonicNanoseconds();
    qint64 movedAt = begin;
    for (;;) {
        const quint64 before = m_client.bytesRead();
        m_client.run(DrainStep);
        const Faults faults = m_client.faults(published, m_cell.load.topics);
        const qint64 now = monotonicNanoseconds();
        if (m_client.bytesRead() > before)
            movedAt = now;
        if (faults.missing == 0 || now - movedAt > toNanoseconds(DrainQuiet)
            || now - begin > toNanoseconds(DrainPatience))
            return faults;
    }
}

qint64 Measurement::waitForPublished()
{
    m_server.stop();
    const double due = double(monotonicNanoseconds() - m_wentAt) / 1e9 * m_cell.load.rate;
    const auto deadline = std::chrono::steady_clock::now() + DrainPatience;
    while (std::chrono::steady_clock::now() < deadline) {
        m_client.poll(1);
        if (const std::optional<qint64> published = m_server.published()) {
            set("published", qMin(double(*published) / due, 1.0) * 100);
            return *published;
        }
    }
    return -1;
}

} // namespace

Run measure(const Cell &cell, const QString &contender, std::chrono::nanoseconds window)
{
    return Measurement(cell, contender, window).run();
}
