// SPDX-License-Identifier: MIT
#include "cells.h"

#include <QtCore/QLocale>

#include <cmath>
#include <sys/resource.h>

namespace {

constexpr int MostSubscribers = 20'000;

QStringList list(const char *words)
{
    return QString::fromLatin1(words).split(QLatin1Char(' '));
}

QList<Cell> makeCells()
{
    const QStringList rates = list("deliveries published cpu p50 p99 serverCpu clientCpu peak");
    const QStringList costs = list("cpu p50 p99 serverCpu");
    QList<Cell> all;
    const auto add = [&all](const char *name, int subscribers, double rate,
                            const QStringList &metrics) {
        Cell cell;
        cell.name = QString::fromLatin1(name);
        cell.subscribers = subscribers;
        cell.load.rate = rate;
        cell.metrics = metrics;
        all.append(cell);
        return &all.last();
    };
    add("dense", 1000, 100, costs);
    const QStringList besideSleepers = list("cpu p50 p99 growth");
    add("awake", 999, 100, besideSleepers);
    add("sleeper", 999, 100, besideSleepers)->sleepers = 1;
    Cell *sleepers = add("sleepers", 10, 100, besideSleepers);
    sleepers->sleepers = 100;
    sleepers->load.bytes = 4000;
    add("full", 1000, 1000, rates);
    add("overload", 1000, 4000, rates)->isOverload = true;
    add("sparse1", 1, 1000, costs);
    add("sparse100", 1, 1000, costs)->idle = 100;
    add("sparse", 1, 1000, costs)->idle = 10'000;
    Cell *idle = add("idle", 0, 0, list("bytes idleCpu"));
    idle->idle = 10'000;
    idle->isQuiet = true;
    add("connect", 5000, 10, list("connections connectCpu"))->connects = true;
    add("topics", 10'000, 10'000, costs)->load.topics = 10'000;
    add("many", MostSubscribers, 1, list("subscribers cpu p50 max bytes"));
    return all;
}

QString counted(double count, const char *what)
{
    const QString number =
        QLocale(QLocale::English).toString(count, 'f', count == std::floor(count) ? 0 : 1);
    return number + QLatin1Char(' ') + QLatin1String(what) + QLatin1String(count == 1 ? "" : "s");
}

} // namespace

const QList<Cell> &cells()
{
    static const QList<Cell> all = makeCells();
    return all;
}

QList<Cell> sweepCells()
{
    constexpr double Deliveries = 50'000; // a second over all subscribers, within these rates
    constexpr double LowestRate = 1;
    constexpr double HighestRate = 1000;
    QList<Cell> all;
    for (const int subscribers : { 10, 100, 1000, 5000, 10'000, MostSubscribers }) {
        Cell cell;
        cell.name = QStringLiteral("sweep%1").arg(subscribers);
        cell.subscribers = subscribers;
        cell.load.rate = qBound(LowestRate, Deliveries / subscribers, HighestRate);
        cell.metrics = list("subscribers cpu p50 p99 bytes idleCpu");
        cell.isQuiet = true;
        cell.isInSweep = true;
        all.append(cell);
    }
    return all;
}

QString description(const Cell &cell)
{
    QStringList parts;
    if (cell.subscribers > 0)
        parts.append(counted(cell.subscribers, "subscriber"));
    if (cell.idle > 0)
        parts.append(counted(cell.idle, "idle subscriber"));
    if (cell.sleepers > 0)
        parts.append(counted(cell.sleepers, "subscriber") + QLatin1String(" that never read"));
    if (cell.load.topics > 1)
        parts.append(counted(cell.load.topics, "topic"));
    if (cell.load.rate > 0)
        parts.append(counted(cell.load.rate, "event") + QLatin1String(" a second of ")
                     + counted(cell.load.bytes, "byte"));
    if (cell.connects)
        parts.append(QStringLiteral("while they connect"));
    return parts.join(QLatin1String(", "));
}

Cell fitted(Cell cell, double scale, int limit)
{
    const auto scaled = [scale](int count) { return count == 0 ? 0 : qMax(1, int(count * scale)); };
    cell.idle = qMin(scaled(cell.idle), limit - 1);
    cell.sleepers = scaled(cell.sleepers);
    cell.subscribers = qMin(scaled(cell.subscribers), limit - cell.idle - cell.sleepers);
    cell.load.topics = scaled(cell.load.topics);
    return cell;
}

int raiseConnectionLimit()
{
    constexpr rlim_t Reserve = 200; // for what a server has open besides
    rlimit limit {};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit); // the servers inherit it
    return int(qMin(limit.rlim_cur - Reserve, rlim_t(MostSubscribers)));
}
