// SPDX-License-Identifier: MIT
#include "metrics.h"

#include <algorithm>

const QList<Metric> &metrics()
{
    static const QList<Metric> all {
        { QStringLiteral("deliveries"), QStringLiteral("deliveries per second"), 0 },
        { QStringLiteral("published"), QStringLiteral("published, % of what was due"), 1 },
        { QStringLiteral("cpu"), QStringLiteral("server's CPU per delivery, µs"), 3 },
        { QStringLiteral("p50"), QStringLiteral("latency, median, ms"), 3 },
        { QStringLiteral("p99"), QStringLiteral("latency, 99 %, ms"), 3 },
        { QStringLiteral("max"), QStringLiteral("latency, highest, ms"), 1 },
        { QStringLiteral("serverCpu"), QStringLiteral("server, % of a core"), 1 },
        { QStringLiteral("clientCpu"), QStringLiteral("load client, % of a core"), 1 },
        { QStringLiteral("peak"), QStringLiteral("highest resident memory, MiB"), 1 },
        { QStringLiteral("growth"), QStringLiteral("memory grew by, MiB"), 1 },
        { QStringLiteral("bytes"), QStringLiteral("resident bytes per subscriber"), 0 },
        { QStringLiteral("idleCpu"), QStringLiteral("server when idle, % of a core"), 3 },
        { QStringLiteral("connections"), QStringLiteral("connections per second"), 0 },
        { QStringLiteral("connectCpu"), QStringLiteral("server's CPU per connection, µs"), 1 },
        { QStringLiteral("subscribers"), QStringLiteral("subscribers connected"), 0 },
    };
    return all;
}

namespace {

Spread spreadOf(QList<double> values)
{
    std::sort(values.begin(), values.end());
    const qsizetype middle = values.size() / 2;
    const double median = values.size() % 2 == 1 ? values.at(middle)
                                                 : (values.at(middle - 1) + values.at(middle)) / 2;
    return { median, values.constFirst(), values.constLast() };
}

} // namespace

Summary::Summary(const QList<Run> &all) : runs(int(all.size()))
{
    QMap<QString, QList<double>> lists;
    for (const Run &run : all) {
        faults += run.faults;
        if (failure.isEmpty())
            failure = run.failure;
        for (auto value = run.values.begin(); value != run.values.end(); ++value)
            lists[value.key()].append(value.value());
    }
    for (auto list = lists.begin(); list != lists.end(); ++list)
        values.insert(list.key(), spreadOf(list.value()));
}
