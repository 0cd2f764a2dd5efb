// SPDX-License-Identifier: MIT
#ifndef QSSEEPOLLDISPATCHER_P_H
#define QSSEEPOLLDISPATCHER_P_H

#include "qsse_server_export.h"
#include "qssetimerqueue_p.h"

#include <QtCore/QAbstractEventDispatcher>
#include <QtCore/QHash>
#include <QtCore/QMutex>

#include <sys/epoll.h>

#include <array>
#include <atomic>
#include <chrono>
#include <vector>

#if QT_VERSION >= QT_VERSION_CHECK(6, 8, 0)
using QSseEventDispatcherBase = QAbstractEventDispatcherV2;
using QSseTimerInterval = std::chrono::nanoseconds;
#else
using QSseEventDispatcherBase = QAbstractEventDispatcher;
using QSseTimerInterval = qint64; // ms
#endif

/*!
    An event dispatcher for threads with thousands of sockets most of which are idle.

    Qt's own hands all descriptors to poll() each time it waits, so that every event costs as much
    as there are sockets. Here the kernel keeps the descriptors, in an epoll instance, and a round
    costs as much as there are sockets with something to do. Other than that it behaves like Qt's,
    with these exceptions: notifiers of what cannot be polled, such as regular files, are disabled
    with a warning; and a descriptor must not be closed before its notifiers are disabled.

    All is to be called in the thread of the dispatcher, but wakeUp() and interrupt(), which are
    thread-safe. Install it with QThread::setEventDispatcher() before the thread is started.
*/
class QSSE_SERVER_EXPORT QSseEpollDispatcher : public QSseEventDispatcherBase
{
    Q_OBJECT

public:
    /*! The thread holds \a awake, which must outlive it, but while it sleeps: whoever gets hold of
        it may do the thread's work meanwhile. */
    explicit QSseEpollDispatcher(QObject *parent = nullptr, QMutex *awake = nullptr);
    /*! Notifiers and timers may still be there; nothing happens to them any more. */
    ~QSseEpollDispatcher() override;

    /*! Whether it can be used: it needs two descriptors, and there may be none left. */
    bool isValid() const { return m_isValid; }

    bool processEvents(QEventLoop::ProcessEventsFlags flags) override;

    void registerSocketNotifier(QSocketNotifier *notifier) override;
    void unregisterSocketNotifier(QSocketNotifier *notifier) override;

    void registerTimer(QSseTimerId id, QSseTimerInterval interval, Qt::TimerType type,
                       QObject *object) override;
    bool unregisterTimer(QSseTimerId id) override;
    bool unregisterTimers(QObject *object) override;
#if QT_VERSION >= QT_VERSION_CHECK(6, 8, 0)
    QList<TimerInfoV2> timersForObject(QObject *object) const override;
    Duration remainingTime(QSseTimerId id) const override;
#else
    QList<TimerInfo> registeredTimers(QObject *object) const override;
    int remainingTime(QSseTimerId id) override;
#endif

    /*! Ends the wait of the present or else of the next processEvents(). Thread-safe. */
    void wakeUp() override;
    /*! Makes processEvents() return as soon as it can. Thread-safe. */
    void interrupt() override;
    void startingUp() override;
    void closingDown() override;

private:
    using Notifiers = std::array<QSocketNotifier *, 3>; // by their types
    /*! What a descriptor is watched for. */
    struct Watch
    {
        Notifiers notifiers {};
        quint32 generation = 0; // new each time epoll is told of the descriptor
        quint32 applied = 0;    // the events epoll was asked for; 0 if it knows nothing of it
        quint32 ready = 0;      // a bit for each type to be activated in this round
        bool dirty = false;     // listed in m_dirty

        quint32 wanted() const;
    };
    enum WaitState { Awake, Blocked, Woken };

    int wait(bool forNotifiers, int timeout);
    int sleep(bool forNotifiers, int timeout);
    void forgetWakeUps();

    void markDirty(int descriptor, Watch *watch);
    void applyChanges();
    bool apply(int descriptor, Watch *watch);
    static void disable(int descriptor, const Notifiers &notifiers);

    int activate(int events);
    void markReady(const epoll_event &event);
    QSocketNotifier *takeReady(int descriptor, std::size_t type);

    QMutex *const m_awake;
    const int m_epoll;
    const int m_wakeUp; // an eventfd
    bool m_isValid = false;
    std::atomic<WaitState> m_state = Awake;
    std::atomic<bool> m_interrupted = false;

    QHash<int, Watch> m_watches; // by descriptor
    std::vector<int> m_dirty;    // descriptors of changed watches, each once
    quint32 m_lastGeneration = 0;
    QSseTimerQueue m_timers;

    // What epoll reported. Nested event loops overwrite it with what is true by then.
    std::array<epoll_event, 256> m_events;
    std::size_t m_next = 0; // to be activated: a type of an event
    std::size_t m_end = 0;
};

#endif // QSSEEPOLLDISPATCHER_P_H
