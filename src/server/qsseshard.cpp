// SPDX-License-Identifier: MIT
#include "qsseframes_p.h"
#include "qsseshard_p.h"
#include "qssetopicfilter_p.h"

#include <QtCore/QRandomGenerator>

#if QT_CONFIG(ssl)
#include <QtNetwork/QSslSocket>
#endif

#include <algorithm>
#include <mutex>

using namespace std::chrono_literals;
using RemovalReason = QSseSubscriber::RemovalReason;

namespace {

// A catching-up connection has about this much under way: enough to keep it busy, and far below
// what counts as too slow.
constexpr qsizetype PageBytes = qsizetype(64) * 1024;
// How many pages one connection gets before others have their turn.
constexpr int PagesPerTurn = 8;
// Joining more than this into one send saves nothing and delays the first of them.
constexpr qsizetype MaximumJoinedBytes = qsizetype(256) * 1024;
// An event for more subscribers than this is left to the shard's thread.
constexpr qsizetype MaximumDirectSends = 2;
// What events that wait for the shard may take; what follows is read from the log.
constexpr qint64 MaximumWaitingBytes = qint64(64) * 1024 * 1024;
// A turn with so much to do is followed by a rest of a quarter of its time, but no longer than
// this.
constexpr size_t BusyItems = 4;
constexpr std::chrono::milliseconds MaximumRest = 3ms;
// How often those who stopped reading, and those whose time may be up, are looked at.
constexpr auto CheckInterval = 500ms;
// How long the rest of a stream whose time is up may take.
constexpr auto ExpiryGrace = 1s;

} // namespace

bool QSseShard::Settings::maySee(const QString &topic, const QList<QSseTopicFilter> &grants) const
{
    return !QSsePrivate::matchesAny(privateTopics, topic) || QSsePrivate::matchesAny(grants, topic);
}

QSseShard::QSseShard(std::shared_ptr<const QSseEventLog> log, std::shared_ptr<Counters> counters,
                     Settings settings)
    : m_log(std::move(log)), m_counters(std::move(counters)), m_settings(std::move(settings)),
      m_position(m_log->head()), m_index([this](const QString &topic, const QSseGroup &group) {
          return m_settings.maySee(topic, group.key.grants);
      }),
      m_keepAlive(
          &m_clock,
          [this](QSseConnection *connection, qint64 now) { sendKeepAlive(connection, now); }, this)
{
    m_clock.start();
    for (QTimer *timer : { &m_restTimer, &m_checkTimer }) {
        timer->setParent(this); // follows it into another thread
        timer->setSingleShot(true);
    }
    m_restTimer.setTimerType(Qt::PreciseTimer);
    connect(&m_restTimer, &QTimer::timeout, this, &QSseShard::drain);
    connect(&m_checkTimer, &QTimer::timeout, this, &QSseShard::check);
    m_keepAlive.setInterval(m_settings.keepAliveInterval);
}

QSseShard::~QSseShard()
{
    for (const auto &[id, connection] : m_connections) {
        connection->socket()->disconnect(this);
        connection->socket()->abort();
        delete connection->socket();
    }
}

void QSseShard::post(const QSseLoggedEventPointer &event)
{
    if (sendDirectly(event))
        return;
    const qsizetype size = event->memory();
    if (m_waitingBytes.fetch_add(size, std::memory_order_relaxed) <= MaximumWaitingBytes) {
        push({ event, {} });
    } else {
        m_waitingBytes.fetch_sub(size, std::memory_order_relaxed);
        push({ {}, {}, event->position });
    }
}

void QSseShard::post(std::function<void()> command)
{
    push({ {}, std::move(command) });
}

void QSseShard::push(Item item)
{
    const auto isSkippedToo = [](Item &last, const Item &next) {
        if (last.skipTo == 0 || next.skipTo == 0)
            return false;
        last.skipTo = next.skipTo;
        return true;
    };
    if (!m_inbox.push(std::move(item), isSkippedToo))
        return;
    if (m_dispatcher)
        m_dispatcher->wakeUp();
    else
        QMetaObject::invokeMethod(this, &QSseShard::drain, Qt::QueuedConnection);
}

void QSseShard::setDispatcher(QAbstractEventDispatcher *dispatcher, QMutex *awake)
{
    m_dispatcher = dispatcher;
    m_awake = awake;
    connect(dispatcher, &QAbstractEventDispatcher::awake, this, &QSseShard::drain,
            Qt::DirectConnection);
}

// Waking a thread costs more than sending to one or two subscribers.
bool QSseShard::sendDirectly(const QSseLoggedEventPointer &event)
{
    if (!m_awake)
        return false;
    const std::unique_lock sleeping(*m_awake, std::try_to_lock);
    if (!sleeping || !m_inbox.isEmpty())
        return false;
    const QList<QSseGroup *> groups = m_index.find(event->event.topic());
    if (!canSendDirectly(groups))
        return false;
    m_position = event->position;
    const qint64 now = m_clock.elapsed();
    for (const QSseGroup *group : groups) {
        for (QSseConnection *connection : group->members)
            sendDirectly(connection, event->frame, now);
    }
    return true;
}

bool QSseShard::canSendDirectly(const QList<QSseGroup *> &groups)
{
    qsizetype subscribers = 0;
    for (const QSseGroup *group : groups)
        subscribers += group->members.size();
    return subscribers <= MaximumDirectSends
        && std::all_of(groups.begin(), groups.end(), [](const QSseGroup *group) {
               return std::all_of(group->members.begin(), group->members.end(),
                                  [](const QSseConnection *c) { return c->canSendDirectly(); });
           });
}

// In any thread, so what has to do with the socket is left to the shard's.
void QSseShard::sendDirectly(QSseConnection *connection, const QByteArray &bytes, qint64 now)
{
    const qint64 sent = connection->sendDirectly(bytes);
    m_keepAlive.touch(connection, now);
    m_counters->deliveries.fetch_add(1, std::memory_order_relaxed);
    if (sent == bytes.size())
        return;
    push({ {}, [this, id = connection->id(), rest = bytes.mid(qMax(sent, qint64(0)))] {
              if (QSseConnection *connection = find(id))
                  send(connection, rest);
          } });
}

void QSseShard::drain()
{
    if (m_restTimer.isActive())
        return; // it comes back here
    const qint64 begun = m_clock.elapsed();
    // Out of the member's memory: a filter with an event loop of its own comes here once more.
    std::vector<Item> items = std::exchange(m_items, {});
    m_inbox.takeAll(&items);
    const bool isBusy = items.size() >= BusyItems;
    for (const Item &item : items) {
        if (item.event) {
            m_waitingBytes.fetch_sub(item.event->memory(), std::memory_order_relaxed);
            deliver(item.event);
        } else if (item.command) {
            item.command();
        } else {
            skip(item.skipTo);
        }
    }
    items.clear();
    m_items = std::move(items);
    flushAll();
    if (isBusy)
        restAfter(std::chrono::milliseconds(m_clock.elapsed() - begun));
}

// Events come faster than each can be sent on its own. A little patience lets more of them come
// together in each send, and so costs less for each.
void QSseShard::restAfter(std::chrono::milliseconds work)
{
    const std::chrono::milliseconds rest = qMin(work / 4, MaximumRest);
    if (rest > 0ms)
        m_restTimer.start(rest);
}

// More was published than could be sent for a while: everybody reads it from the log.
void QSseShard::skip(quint64 position)
{
    flushAll();
    std::vector<quint64> live;
    for (const auto &[id, connection] : m_connections) {
        if (!connection->group)
            continue;
        live.push_back(id);
        lapse(connection.get(), m_position);
    }
    m_position = position;
    for (const quint64 id : live)
        catchUp(id);
}

void QSseShard::flushAll()
{
    while (!m_dirty.empty()) {
        QSseGroup *group = m_dirty.back();
        m_dirty.pop_back();
        flush(group);
    }
}

void QSseShard::deliver(const QSseLoggedEventPointer &event)
{
    m_position = event->position;
    // A copy: sending may remove a group's last connection, and so the group.
    const QList<QSseGroup *> groups = m_index.find(event->event.topic());
    for (QSseGroup *group : groups)
        addPending(group, event);
}

void QSseShard::addPending(QSseGroup *group, const QSseLoggedEventPointer &event)
{
    // A connection with a filter has a group of its own; in a shared one nobody has a filter.
    if (!group->members.front()->wants(*event))
        return;
    if (group->pending.empty())
        m_dirty.push_back(group);
    group->pending.push_back(event);
    group->pendingBytes += event->frame.size();
    if (group->pendingBytes > MaximumJoinedBytes)
        flush(group);
}

void QSseShard::flush(QSseGroup *group)
{
    if (group->pending.empty())
        return;
    m_sending.swap(group->pending);
    group->pendingBytes = 0;
    const quint64 before = m_sending.front()->position - 1;
    const QByteArray &bytes = joinFrames(m_sending);
    const qint64 now = m_clock.elapsed();
    m_counters->deliveries.fetch_add(m_sending.size() * size_t(group->members.size()),
                                     std::memory_order_relaxed);
    // From the back: a member that leaves gives its place to one that was served already. The last
    // one to leave takes the group with it.
    for (qsizetype i = group->members.size(); i-- > 0;) {
        QSseConnection *connection = group->members[i];
        const qint64 queued = connection->queuedBytes();
        if (queued > 0 && queued + bytes.size() > m_settings.maximumQueuedBytes)
            lapse(connection, before);
        else
            send(connection, bytes, now);
    }
    m_sending.clear();
}

const QByteArray &QSseShard::joinFrames(const std::vector<QSseLoggedEventPointer> &events)
{
    if (events.size() == 1)
        return events.front()->frame;
    m_joined.resize(0);
    for (const QSseLoggedEventPointer &event : events)
        m_joined.append(event->frame);
    return m_joined;
}

// More waits than may be queued: from here on the connection reads from the log, at its own pace.
void QSseShard::lapse(QSseConnection *connection, quint64 position)
{
    leaveGroup(connection);
    connection->join().after = connection->join().idPosition = position;
    watchDraining(connection);
    m_lapsed.insert(connection);
    m_counters->overflows.fetch_add(1, std::memory_order_relaxed);
    scheduleCheck();
    Q_EMIT overflowed(connection->id());
}

void QSseShard::setSettings(const Settings &settings)
{
    m_settings = settings;
    m_index.forgetFound();
    m_keepAlive.setInterval(settings.keepAliveInterval);
}

void QSseShard::add(const std::shared_ptr<QSseJoin> &join)
{
    const quint64 id = join->subscriber.id();
    const QByteArray opening = std::exchange(join->opening, {});
    auto owned = std::make_unique<QSseConnection>(join);
    QSseConnection *connection = owned.get();
    m_connections.emplace(id, std::move(owned));

    QTcpSocket *socket = connection->socket();
    socket->setParent(this);
    m_keepAlive.add(connection);
    if (socket->state() != QAbstractSocket::ConnectedState) {
        remove(connection, RemovalReason::NetworkError);
        return;
    }
    connect(socket, &QTcpSocket::disconnected, this,
            [this, connection] { handleDisconnected(connection); });
    connect(socket, &QTcpSocket::readyRead, socket,
            [socket] { socket->skip(socket->bytesAvailable()); });
    // Later than ours, which tells a stalled client from a broken connection.
    if (m_settings.stallTimeout > 0ms)
        connection->setAcknowledgeTimeout(m_settings.stallTimeout + 2 * CheckInterval);
    if (join->lifetime) {
        connection->expiresAt = m_clock.elapsed() + qMax<qint64>(join->lifetime->count(), 1);
        m_expiries.emplace(connection->expiresAt, id);
        scheduleCheck();
    }
    if (!send(connection, opening))
        return;
    watchDraining(connection);
    catchUp(id);
}

void QSseShard::watchDraining(QSseConnection *connection)
{
    const auto goOn = [this, id = connection->id()] { catchUp(id); };
    // Queued, because a TLS socket may tell of bytes written while it is being written to.
    connect(connection->socket(), &QTcpSocket::bytesWritten, this, goOn, Qt::QueuedConnection);
#if QT_CONFIG(ssl)
    // To a TLS socket bytes are written once they are encrypted; they wait again after that.
    if (const auto *ssl = qobject_cast<const QSslSocket *>(connection->socket()))
        connect(ssl, &QSslSocket::encryptedBytesWritten, this, goOn, Qt::QueuedConnection);
#endif
}

void QSseShard::unwatchDraining(QSseConnection *connection)
{
    disconnect(connection->socket(), &QTcpSocket::bytesWritten, this, nullptr);
#if QT_CONFIG(ssl)
    if (const auto *ssl = qobject_cast<const QSslSocket *>(connection->socket()))
        disconnect(ssl, &QSslSocket::encryptedBytesWritten, this, nullptr);
#endif
}

QSseConnection *QSseShard::find(quint64 id) const
{
    const auto found = m_connections.find(id);
    return found == m_connections.end() ? nullptr : found->second.get();
}

void QSseShard::catchUp(quint64 id)
{
    QSseConnection *connection = find(id);
    if (!connection || connection->group || connection->ending)
        return;
    for (int page = 0; page < PagesPerTurn; ++page) {
        if (connection->join().after == m_position) {
            goLive(connection);
            return;
        }
        if (connection->queuedBytes() >= PageBytes)
            return; // bytesWritten() brings us back
        if (!sendPage(connection))
            return;
    }
    post([this, id] { catchUp(id); });
}

// Sends the next piece of what the connection missed; false when it is gone for that.
bool QSseShard::sendPage(QSseConnection *connection)
{
    using Policy = QSseSubscriber::OverflowPolicy;
    QSseJoin &join = connection->join();
    const bool isLapsed = m_lapsed.contains(connection);
    if (isLapsed && join.overflowPolicy == Policy::Conflate)
        return sendConflated(connection);
    if (isLapsed && join.overflowPolicy == Policy::Drop)
        return sendGap(connection);

    const QSseEventLog::Page page = m_log->read(join.topics, join.after, m_position, PageBytes);
    QByteArray bytes;
    if (page.droppedUpTo > qMax(join.after, join.droppedUpTo)) {
        if (isLapsed) {
            remove(connection, RemovalReason::Overflow);
            return false;
        }
        bytes = gapFrame(join);
        join.droppedUpTo = page.droppedUpTo;
    }
    for (const QSseLoggedEventPointer &event : page.events) {
        const bool isInSnapshot = event->position <= join.snapshots.value(event->event.topic());
        if (isInSnapshot || !wants(connection, *event))
            continue;
        bytes.append(event->frame);
        join.idPosition = event->position;
        m_counters->deliveries.fetch_add(1, std::memory_order_relaxed);
    }
    join.after = page.upTo;
    return bytes.isEmpty() || send(connection, bytes);
}

bool QSseShard::sendConflated(QSseConnection *connection)
{
    QSseJoin &join = connection->join();
    const QSseEventLog::Page page = m_log->latest(join.topics, join.after, m_position);
    m_counters->conflations.fetch_add(1, std::memory_order_relaxed);
    QByteArray bytes;
    if (page.droppedUpTo > join.after)
        bytes = gapFrame(join); // not even the newest of a topic is kept
    join.after = m_position;
    for (const QSseLoggedEventPointer &event : page.events) {
        if (!wants(connection, *event))
            continue;
        bytes.append(event->frame);
        join.idPosition = event->position;
        m_counters->deliveries.fetch_add(1, std::memory_order_relaxed);
        if (bytes.size() >= PageBytes) {
            join.after = event->position; // the rest of the topics is in the next page
            break;
        }
    }
    return bytes.isEmpty() || send(connection, bytes);
}

bool QSseShard::sendGap(QSseConnection *connection)
{
    QSseJoin &join = connection->join();
    m_counters->drops.fetch_add(1, std::memory_order_relaxed);
    const QByteArray gap = gapFrame(join);
    join.after = m_position;
    return send(connection, gap);
}

QByteArray QSseShard::gapFrame(const QSseJoin &join) const
{
    const QSseLoggedEventPointer oldest = m_log->oldest(join.topics);
    return QSseFrames::gap(m_log->idAt(join.after), oldest ? oldest->event.idUtf8() : QByteArray());
}

bool QSseShard::wants(QSseConnection *connection, const QSseLoggedEvent &event) const
{
    return m_settings.maySee(event.event.topic(), connection->join().grants)
        && connection->wants(event);
}

void QSseShard::goLive(QSseConnection *connection)
{
    // What the client has now is complete up to here, whatever the last event it saw.
    if (connection->join().idPosition < m_position
        && !send(connection, QSseFrames::id(m_log->idAt(m_position))))
        return;
    unwatchDraining(connection);
    m_lapsed.remove(connection);
    connection->join().snapshots = {}; // all of them are behind it
    joinGroup(connection);
}

void QSseShard::joinGroup(QSseConnection *connection)
{
    const QSseJoin &join = connection->join();
    const QSseGroupKey key { join.topics, join.grants };
    std::shared_ptr<QSseGroup> group;
    if (join.filter) {
        group = makeGroup(key);
    } else {
        // What waits there came before this connection went live. Looked up anew after that: the
        // group is gone when its last member has left while it was sent to.
        if (const auto waiting = m_sharedGroups.value(key).lock())
            flush(waiting.get());
        std::weak_ptr<QSseGroup> &shared = m_sharedGroups[key];
        group = shared.lock();
        if (!group)
            shared = group = makeGroup(key);
    }
    connection->indexInGroup = group->members.size();
    group->members.push_back(connection);
    connection->group = std::move(group);
}

std::shared_ptr<QSseGroup> QSseShard::makeGroup(const QSseGroupKey &key)
{
    auto group = std::make_shared<QSseGroup>();
    group->key = key;
    m_index.insert(key.topics, group.get());
    return group;
}

void QSseShard::leaveGroup(QSseConnection *connection)
{
    const std::shared_ptr<QSseGroup> group = std::move(connection->group);
    connection->group.reset();
    if (!group)
        return;
    QSseConnection *last = group->members.back();
    group->members[connection->indexInGroup] = last;
    last->indexInGroup = connection->indexInGroup;
    group->members.pop_back();
    if (group->members.empty())
        removeGroup(group.get());
}

void QSseShard::removeGroup(QSseGroup *group)
{
    m_index.remove(group->key.topics, group);
    m_dirty.erase(std::remove(m_dirty.begin(), m_dirty.end(), group), m_dirty.end());
    const auto shared = m_sharedGroups.constFind(group->key);
    if (shared != m_sharedGroups.constEnd() && shared->lock().get() == group)
        m_sharedGroups.erase(shared);
}

bool QSseShard::send(QSseConnection *connection, const QByteArray &bytes)
{
    return send(connection, bytes, m_clock.elapsed());
}

bool QSseShard::send(QSseConnection *connection, const QByteArray &bytes, qint64 now)
{
    if (!connection->send(bytes)) {
        remove(connection, RemovalReason::NetworkError);
        return false;
    }
    m_keepAlive.touch(connection, now);
    if (connection->mayHaveQueue() && !m_queued.contains(connection)) {
        m_queued.insert(connection, { connection->takenBytes(), now });
        scheduleCheck();
    }
    return true;
}

void QSseShard::end(quint64 id, RemovalReason reason, std::chrono::milliseconds grace)
{
    flushAll();
    QSseConnection *connection = find(id);
    if (!connection)
        return;
    QTcpSocket *socket = connection->socket();
    // For one that is ending already too: whichever grace is over first counts.
    QTimer::singleShot(qMax(grace, 0ms), socket, [socket] { socket->abort(); });
    if (connection->ending)
        return;
    connection->ending = reason;
    leaveGroup(connection);
    m_lapsed.remove(connection); // it needs nothing more from the log
    socket->disconnectFromHost();
}

void QSseShard::endAll(RemovalReason reason, std::chrono::milliseconds grace,
                       std::chrono::milliseconds retry)
{
    flushAll();
    std::vector<quint64> ids;
    ids.reserve(m_connections.size());
    for (const auto &[id, connection] : m_connections)
        ids.push_back(id);
    for (const quint64 id : ids) {
        QSseConnection *connection = find(id);
        if (!connection)
            continue;
        // A different time for each, so that they do not all come back at once.
        const std::chrono::milliseconds spread(
            QRandomGenerator::global()->bounded(qint64(retry.count()) + 1));
        if (connection->ending || retry == 0ms
            || send(connection, QSseFrames::retry(retry + spread)))
            end(id, reason, grace);
    }
}

void QSseShard::handleDisconnected(QSseConnection *connection)
{
    const bool byClient = connection->socket()->error() == QAbstractSocket::RemoteHostClosedError;
    remove(connection,
           connection->ending.value_or(byClient ? RemovalReason::ClientClosed
                                                : RemovalReason::NetworkError));
}

void QSseShard::remove(QSseConnection *connection, RemovalReason reason)
{
    leaveGroup(connection);
    m_lapsed.remove(connection);
    m_queued.remove(connection);
    m_expiries.erase({ connection->expiresAt, connection->id() });
    m_keepAlive.remove(connection);
    QTcpSocket *socket = connection->socket();
    socket->disconnect(this);
    socket->abort();
    socket->deleteLater(); // it may be the one that called us
    const quint64 id = connection->id();
    m_connections.erase(id);
    Q_EMIT removed(id, reason);
}

void QSseShard::sendKeepAlive(QSseConnection *connection, qint64 now)
{
    // Behind what is queued it tells nothing, and a queue that stands still would only grow.
    if (connection->ending || connection->queuedBytes() > 0)
        m_keepAlive.touch(connection, now);
    else
        send(connection, QSseFrames::keepAlive(), now);
}

void QSseShard::scheduleCheck()
{
    if (!m_checkTimer.isActive())
        m_checkTimer.start(CheckInterval);
}

void QSseShard::check()
{
    const qint64 now = m_clock.elapsed();
    removeStalled(now);
    removeOutrun();
    endExpired(now);
    if (!m_queued.isEmpty() || !m_lapsed.isEmpty() || !m_expiries.empty())
        scheduleCheck();
}

void QSseShard::removeStalled(qint64 now)
{
    const qint64 timeout = m_settings.stallTimeout.count();
    const QList<QSseConnection *> queued = m_queued.keys();
    for (QSseConnection *connection : queued) {
        Progress &progress = m_queued[connection];
        const qint64 taken = connection->takenBytes();
        if (connection->queuedBytes() == 0)
            m_queued.remove(connection);
        else if (taken != progress.taken)
            progress = { taken, now };
        else if (timeout > 0 && now - progress.at >= timeout)
            remove(connection, RemovalReason::Stalled);
    }
}

// Removes those who have stopped reading and whose next event is no longer in the log. They would
// learn of it only on reading.
void QSseShard::removeOutrun()
{
    const QSet<QSseConnection *> lapsed = m_lapsed;
    for (QSseConnection *connection : lapsed) {
        const QSseJoin &join = connection->join();
        if (join.overflowPolicy == QSseSubscriber::OverflowPolicy::Disconnect
            && m_log->droppedUpTo(join.topics, join.after) > 0)
            remove(connection, RemovalReason::Overflow);
    }
}

void QSseShard::endExpired(qint64 now)
{
    while (!m_expiries.empty() && m_expiries.begin()->first <= now) {
        const quint64 id = m_expiries.begin()->second;
        m_expiries.erase(m_expiries.begin());
        end(id, RemovalReason::Expired, ExpiryGrace);
    }
}
