// SPDX-License-Identifier: MIT
#include "qsseepolldispatcher_p.h"

#include <QtCore/QCoreApplication>
#include <QtCore/QDebug>
#include <QtCore/QSocketNotifier>

#include <algorithm>
#include <cerrno>
#include <limits>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

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

int toMilliseconds(nanoseconds duration)
{
    constexpr milliseconds longest(std::numeric_limits<int>::max());
    return int(std::min(std::chrono::ceil<milliseconds>(duration), longest).count());
}

#if QT_VERSION >= QT_VERSION_CHECK(6, 8, 0)
nanoseconds toDuration(nanoseconds interval)
{
    return interval;
}

QSseTimerInfo toInfo(Qt::TimerId id, nanoseconds interval, Qt::TimerType type)
{
    return { interval, id, type };
}
#else
nanoseconds toDuration(qint64 interval)
{
    return std::min(milliseconds(interval), std::chrono::floor<milliseconds>(nanoseconds::max()));
}

QSseTimerInfo toInfo(int id, nanoseconds interval, Qt::TimerType type)
{
    return { id, toMilliseconds(interval), type };
}
#endif

} // namespace

void QSseTimerQueue::start(QSseTimerId id, Duration interval, Qt::TimerType type, QObject *object)
{
    stop(id);
    const auto now = Clock::now();
    const Key key(now + std::min<Duration>(interval, Clock::time_point::max() - now),
                  ++m_lastSerial);
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
    if (m_epoll < 0 || m_wakeUp < 0 || epoll_ctl(m_epoll, EPOLL_CTL_ADD, m_wakeUp, &event) < 0)
        qFatal("QSseEpollDispatcher: out of descriptors");
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

void QSseEpollDispatcher::registerTimer(QSseTimerId id, QSseTimerInterval interval,
                                        Qt::TimerType type, QObject *object)
{
    m_timers.start(id, toDuration(interval), type, object);
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
QList<QSseTimerInfo> QSseEpollDispatcher::timersForObject(QObject *object) const
{
    return m_timers.timersOf(object);
}

QAbstractEventDispatcher::Duration QSseEpollDispatcher::remainingTime(QSseTimerId id) const
{
    return m_timers.remaining(id);
}
#else
QList<QSseTimerInfo> QSseEpollDispatcher::registeredTimers(QObject *object) const
{
    return m_timers.timersOf(object);
}

int QSseEpollDispatcher::remainingTime(QSseTimerId id)
{
    return toMilliseconds(m_timers.remaining(id));
}
#endif
