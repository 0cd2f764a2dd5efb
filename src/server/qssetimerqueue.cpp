// SPDX-License-Identifier: MIT
#include "qssetimerqueue_p.h"

#include <QtCore/QCoreApplication>

#include <algorithm>
#include <limits>

namespace {

using std::chrono::milliseconds;

QSseTimerInfo toInfo(QSseTimerId id, std::chrono::nanoseconds interval, Qt::TimerType type)
{
#if QT_VERSION >= QT_VERSION_CHECK(6, 8, 0)
    return { interval, id, type };
#else
    return { id, QSseTimerQueue::toMilliseconds(interval), type };
#endif
}

} // namespace

int QSseTimerQueue::toMilliseconds(Duration duration)
{
    constexpr milliseconds longest(std::numeric_limits<int>::max());
    return int(std::min(std::chrono::ceil<milliseconds>(duration), longest).count());
}

void QSseTimerQueue::start(QSseTimerId id, Duration interval, Qt::TimerType type, QObject *object)
{
    stop(id);
    const auto now = Clock::now();
    interval = std::clamp<Duration>(interval, Duration::zero(), Clock::time_point::max() - now);
    const Key key(now + interval, ++m_lastSerial);
    m_timers.insert({ id, Timer { key, interval, type, object } });
    m_queue.insert({ key, id });
}

bool QSseTimerQueue::stop(QSseTimerId id)
{
    const auto it = m_timers.find(id);
    if (it == m_timers.end())
        return false;
    m_queue.erase(it->second.key); // it is not there if it is running
    m_timers.erase(it);
    return true;
}

bool QSseTimerQueue::stopAll(QObject *object)
{
    const std::size_t before = m_timers.size();
    for (auto it = m_timers.begin(); it != m_timers.end();) {
        if (it->second.object == object) {
            m_queue.erase(it->second.key);
            it = m_timers.erase(it);
        } else {
            ++it;
        }
    }
    return m_timers.size() < before;
}

void QSseTimerQueue::clear()
{
    m_queue.clear();
    m_timers.clear();
}

QList<QSseTimerInfo> QSseTimerQueue::timersOf(QObject *object) const
{
    std::map<Key, QSseTimerInfo> found;
    for (const auto &[id, timer] : m_timers) {
        if (timer.object == object)
            found.insert({ timer.key, toInfo(id, timer.interval, timer.type) });
    }
    QList<QSseTimerInfo> infos;
    for (const auto &[key, info] : found)
        infos.append(info);
    return infos;
}

QSseTimerQueue::Duration QSseTimerQueue::remaining(QSseTimerId id) const
{
    const auto it = m_timers.find(id);
    if (it == m_timers.end())
        return milliseconds(-1);
    return std::max<Duration>(it->second.key.first - Clock::now(), Duration::zero());
}

int QSseTimerQueue::millisecondsToNext() const
{
    if (m_queue.empty())
        return -1;
    return std::max(0, toMilliseconds(m_queue.begin()->first.first - Clock::now()));
}

int QSseTimerQueue::fireDue()
{
    if (m_queue.empty())
        return 0;
    // Whatever handlers start and whatever is repeated sorts behind this, so there is an end.
    const Key last(Clock::now(), m_lastSerial);
    int fired = 0;
    while (!m_queue.empty() && m_queue.begin()->first <= last) {
        if (fire(m_queue.extract(m_queue.begin()), last.first))
            ++fired;
    }
    return fired;
}

// Answers whether it counts. The entry of the queue is reused, which saves its allocation.
bool QSseTimerQueue::fire(Queue::node_type entry, Clock::time_point now)
{
    const QSseTimerId id = entry.mapped();
    Timer &timer = m_timers.at(id);
    const bool counts = timer.interval > Duration::zero();
    // One that is very late does not make up for all that was missed.
    timer.key.first += timer.interval;
    if (timer.key.first < now)
        timer.key.first = now + timer.interval;
    timer.key.second = ++m_lastSerial;
    timer.running = true;

    QTimerEvent event(id);
    QCoreApplication::sendEvent(timer.object, &event);

    // The handler may have stopped it, and another may have got its id.
    const auto it = m_timers.find(id);
    if (it != m_timers.end() && it->second.running) {
        it->second.running = false;
        entry.key() = it->second.key;
        m_queue.insert(std::move(entry));
    }
    return counts;
}
