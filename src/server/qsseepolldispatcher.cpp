// SPDX-License-Identifier: MIT
#include "qsseepolldispatcher_p.h"

#include <QtCore/QCoreApplication>
#include <QtCore/QDebug>
#include <QtCore/QSocketNotifier>

#include <algorithm>
#include <cerrno>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace {

// By QSocketNotifier::Type. Hang-ups and errors come unasked and concern all types.
constexpr std::array<quint32, 3> interests = { EPOLLIN, EPOLLOUT, EPOLLPRI };
constexpr quint32 concernsAll = EPOLLHUP | EPOLLERR;

// The generation tells a descriptor from one that had the same number before.
quint64 pack(int descriptor, quint32 generation)
{
    return quint64(generation) << 32 | quint32(descriptor);
}

int descriptorOf(const epoll_event &event)
{
    return int(quint32(event.data.u64));
}

quint32 generationOf(const epoll_event &event)
{
    return quint32(event.data.u64 >> 32);
}

} // namespace

quint32 QSseEpollDispatcher::Watch::wanted() const
{
    quint32 events = 0;
    for (std::size_t type = 0; type < notifiers.size(); ++type) {
        if (notifiers[type])
            events |= interests[type];
    }
    return events;
}

QSseEpollDispatcher::QSseEpollDispatcher(QObject *parent, QMutex *awake)
    : QSseEventDispatcherBase(parent), m_awake(awake), m_epoll(epoll_create1(EPOLL_CLOEXEC)),
      m_wakeUp(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))
{
    // Edge-triggered, every write is reported once and need not be read. No watch has generation
    // 0, so what is reported of it is ignored.
    epoll_event event {};
    event.events = EPOLLIN | EPOLLET;
    event.data.u64 = pack(m_wakeUp, 0);
    m_isValid =
        m_epoll >= 0 && m_wakeUp >= 0 && epoll_ctl(m_epoll, EPOLL_CTL_ADD, m_wakeUp, &event) == 0;
}

QSseEpollDispatcher::~QSseEpollDispatcher()
{
    close(m_wakeUp);
    close(m_epoll);
}

bool QSseEpollDispatcher::processEvents(QEventLoop::ProcessEventsFlags flags)
{
    m_interrupted.store(false, std::memory_order_relaxed);
    Q_EMIT awake();
    QCoreApplication::sendPostedEvents();

    const bool withNotifiers = !(flags & QEventLoop::ExcludeSocketNotifiers);
    const bool withTimers = !(flags & QEventLoop::X11ExcludeTimers);
    const bool canBlock =
        (flags & QEventLoop::WaitForMoreEvents) && m_state.load(std::memory_order_relaxed) != Woken;
    if (canBlock && !m_interrupted.load(std::memory_order_relaxed))
        Q_EMIT aboutToBlock();
    // The wake-up that came with it is left to the next round.
    if (m_interrupted.load(std::memory_order_relaxed))
        return false;

    int timeout = 0;
    if (canBlock)
        timeout = withTimers ? m_timers.millisecondsToNext() : -1;
    const int events = wait(withNotifiers, timeout);
    // Acquires what was posted or set before wakeUp(): the next round has to see it.
    int processed = m_state.exchange(Awake, std::memory_order_acq_rel) == Woken ? 1 : 0;
    if (withNotifiers)
        processed += activate(events);
    if (withTimers)
        processed += m_timers.fireDue();
    return processed > 0;
}

// Answers how many events there are. Who wakes this up before it is blocked keeps it from blocking;
// who comes later has to write.
int QSseEpollDispatcher::wait(bool forNotifiers, int timeout)
{
    if (forNotifiers)
        applyChanges();
    else
        forgetWakeUps();
    WaitState awake = Awake;
    if (timeout != 0 && !m_state.compare_exchange_strong(awake, Blocked, std::memory_order_acq_rel))
        timeout = 0;
    if (!m_awake || timeout == 0)
        return sleep(forNotifiers, timeout);
    m_awake->unlock();
    const int events = sleep(forNotifiers, timeout);
    m_awake->lock();
    return events;
}

int QSseEpollDispatcher::sleep(bool forNotifiers, int timeout)
{
    if (forNotifiers)
        return epoll_wait(m_epoll, m_events.data(), int(m_events.size()), timeout);

    // Sockets that are ready, but excluded, must not end the wait.
    pollfd wakeUp = { m_wakeUp, POLLIN, 0 };
    poll(&wakeUp, 1, timeout);
    return 0;
}

// poll() is not edge-triggered, so what was written long ago would end it.
void QSseEpollDispatcher::forgetWakeUps()
{
    eventfd_t count = 0;
    eventfd_read(m_wakeUp, &count);
}

void QSseEpollDispatcher::wakeUp()
{
    if (m_state.exchange(Woken, std::memory_order_acq_rel) == Blocked)
        eventfd_write(m_wakeUp, 1);
}

void QSseEpollDispatcher::interrupt()
{
    m_interrupted.store(true, std::memory_order_relaxed);
    wakeUp();
}

void QSseEpollDispatcher::startingUp()
{
    if (m_awake)
        m_awake->lock();
}

void QSseEpollDispatcher::closingDown()
{
    if (m_awake)
        m_awake->unlock();
    m_timers.clear();
}

void QSseEpollDispatcher::registerSocketNotifier(QSocketNotifier *notifier)
{
    const int descriptor = int(notifier->socket());
    Watch &watch = m_watches[descriptor];
    QSocketNotifier *&place = watch.notifiers.at(notifier->type());
    if (place && place != notifier)
        qWarning("QSseEpollDispatcher: several notifiers of one type for descriptor %d",
                 descriptor);
    place = notifier;
    markDirty(descriptor, &watch);
}

void QSseEpollDispatcher::unregisterSocketNotifier(QSocketNotifier *notifier)
{
    const int descriptor = int(notifier->socket());
    const auto type = std::size_t(notifier->type());
    const auto it = m_watches.find(descriptor);
    if (it == m_watches.end() || it->notifiers.at(type) != notifier)
        return;
    it->notifiers.at(type) = nullptr;
    it->ready &= ~(1U << type);
    // The descriptor is probably closed next. Were it still in the epoll instance and a duplicate
    // open elsewhere, it would be reported forever and nobody could remove it.
    if (it->applied != 0 && it->wanted() == 0) {
        epoll_ctl(m_epoll, EPOLL_CTL_DEL, descriptor, nullptr);
        it->applied = 0;
    }
    markDirty(descriptor, &*it);
}

void QSseEpollDispatcher::markDirty(int descriptor, Watch *watch)
{
    if (!std::exchange(watch->dirty, true))
        m_dirty.push_back(descriptor);
}

// Write notifiers come and go all the time; mostly nothing is left to do for them here.
void QSseEpollDispatcher::applyChanges()
{
    // Those that cannot be watched are disabled, which makes them dirty once more: no iterators.
    for (std::size_t i = 0; i < m_dirty.size(); ++i) {
        const int descriptor = m_dirty[i];
        const auto it = m_watches.find(descriptor);
        it->dirty = false;
        const quint32 wanted = it->wanted();
        if (wanted == 0)
            m_watches.erase(it);
        else if (wanted != it->applied && !apply(descriptor, &*it))
            disable(descriptor, it->notifiers);
    }
    m_dirty.clear();
}

bool QSseEpollDispatcher::apply(int descriptor, Watch *watch)
{
    const bool known = watch->applied != 0;
    if (!known)
        watch->generation = ++m_lastGeneration;
    watch->applied = watch->wanted();
    epoll_event event {};
    event.events = watch->applied;
    event.data.u64 = pack(descriptor, watch->generation);
    if (epoll_ctl(m_epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, descriptor, &event) == 0)
        return true;
    // Somebody closed it without disabling its notifiers, and it was reused.
    if (known && errno == ENOENT)
        return epoll_ctl(m_epoll, EPOLL_CTL_ADD, descriptor, &event) == 0;
    if (!known && errno == EEXIST)
        return epoll_ctl(m_epoll, EPOLL_CTL_MOD, descriptor, &event) == 0;
    return false;
}

void QSseEpollDispatcher::disable(int descriptor, const Notifiers &notifiers)
{
    qWarning("QSseEpollDispatcher: cannot watch descriptor %d (%s), disabling its notifiers",
             descriptor, qPrintable(qt_error_string(errno)));
    for (QSocketNotifier *notifier : notifiers) {
        if (notifier)
            notifier->setEnabled(false);
    }
}

// Two passes: a notifier that is disabled in the meantime, or is new, is not activated.
int QSseEpollDispatcher::activate(int events)
{
    m_next = 0;
    m_end = std::size_t(std::max(events, 0)) * interests.size();
    for (int i = 0; i < events; ++i)
        markReady(m_events[std::size_t(i)]);

    int activated = 0;
    while (m_next < m_end) {
        const int descriptor = descriptorOf(m_events[m_next / interests.size()]);
        if (QSocketNotifier *notifier = takeReady(descriptor, m_next++ % interests.size())) {
            QEvent event(QEvent::SockAct);
            QCoreApplication::sendEvent(notifier, &event);
            ++activated;
        }
    }
    return activated;
}

void QSseEpollDispatcher::markReady(const epoll_event &event)
{
    const auto it = m_watches.find(descriptorOf(event));
    if (it == m_watches.end() || it->generation != generationOf(event))
        return;
    it->ready = 0;
    for (std::size_t type = 0; type < interests.size(); ++type) {
        if (it->notifiers[type] && (event.events & (interests[type] | concernsAll)))
            it->ready |= 1U << type;
    }
}

QSocketNotifier *QSseEpollDispatcher::takeReady(int descriptor, std::size_t type)
{
    const auto it = m_watches.find(descriptor);
    if (it == m_watches.end() || !(it->ready & (1U << type)))
        return nullptr;
    it->ready &= ~(1U << type);
    return it->notifiers[type];
}

bool QSseEpollDispatcher::unregisterTimer(QSseTimerId id)
{
    return m_timers.stop(id);
}

bool QSseEpollDispatcher::unregisterTimers(QObject *object)
{
    return m_timers.stopAll(object);
}

#if QT_VERSION >= QT_VERSION_CHECK(6, 8, 0)
void QSseEpollDispatcher::registerTimer(QSseTimerId id, QSseTimerInterval interval,
                                        Qt::TimerType type, QObject *object)
{
    m_timers.start(id, interval, type, object);
}

QList<QSseTimerInfo> QSseEpollDispatcher::timersForObject(QObject *object) const
{
    return m_timers.timersOf(object);
}

QAbstractEventDispatcher::Duration QSseEpollDispatcher::remainingTime(QSseTimerId id) const
{
    return m_timers.remaining(id);
}
#else
void QSseEpollDispatcher::registerTimer(QSseTimerId id, QSseTimerInterval interval,
                                        Qt::TimerType type, QObject *object)
{
    using std::chrono::milliseconds;
    constexpr auto longest = std::chrono::floor<milliseconds>(QSseTimerQueue::Duration::max());
    m_timers.start(id, std::min(milliseconds(interval), longest), type, object);
}

QList<QSseTimerInfo> QSseEpollDispatcher::registeredTimers(QObject *object) const
{
    return m_timers.timersOf(object);
}

int QSseEpollDispatcher::remainingTime(QSseTimerId id)
{
    return QSseTimerQueue::toMilliseconds(m_timers.remaining(id));
}
#endif
