// SPDX-License-Identifier: MIT
#ifndef QSSETIMERQUEUE_P_H
#define QSSETIMERQUEUE_P_H

#include <QtCore/QAbstractEventDispatcher>

#include <chrono>
#include <map>
#include <unordered_map>

// Qt 6.8 gave ids a type of their own and made durations of intervals.
#if QT_VERSION >= QT_VERSION_CHECK(6, 8, 0)
using QSseTimerId = Qt::TimerId;
using QSseTimerInfo = QAbstractEventDispatcher::TimerInfoV2;
#else
using QSseTimerId = int;
using QSseTimerInfo = QAbstractEventDispatcher::TimerInfo;
#endif

/*!
    The timers of one thread, in the order they are due. Starting and stopping one costs O(log n).

    All types are precise: a coarse timer is allowed to be late, but need not be, and the waits are
    rounded up to whole milliseconds anyway. No timer fires early.
*/
class QSseTimerQueue
{
public:
    using Duration = std::chrono::nanoseconds;

    /*! Rounded up, lest waits end too early, and no more than fit. */
    static int toMilliseconds(Duration duration);

    void start(QSseTimerId id, Duration interval, Qt::TimerType type, QObject *object);
    bool stop(QSseTimerId id);
    /*! Looks at all timers: objects seldom die with timers running. */
    bool stopAll(QObject *object);
    void clear();

    /*! Soonest first. */
    QList<QSseTimerInfo> timersOf(QObject *object) const;
    /*! 0 if overdue, negative if there is no such timer. */
    Duration remaining(QSseTimerId id) const;
    /*! How long to sleep, -1 if no timer waits. */
    int millisecondsToNext() const;

    /*!
        Fires what is due now, each timer once, and answers how many with an interval were fired.
        Those without one, Qt's way to work when idle, do not count as something that happened.
    */
    int fireDue();

private:
    using Clock = std::chrono::steady_clock;
    /*! The deadline, and a serial number: what was scheduled first is fired first. */
    using Key = std::pair<Clock::time_point, quint64>;
    using Queue = std::map<Key, QSseTimerId>;

    struct Timer
    {
        Key key;
        Duration interval;
        Qt::TimerType type;
        QObject *object;
        bool running = false; // its handler is
    };

    bool fire(Queue::node_type entry, Clock::time_point now);

    std::unordered_map<QSseTimerId, Timer> m_timers;
    Queue m_queue; // but for the running ones: nested event loops neither fire nor await them
    quint64 m_lastSerial = 0;
};

#endif // QSSETIMERQUEUE_P_H
