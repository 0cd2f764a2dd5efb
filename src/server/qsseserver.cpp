// SPDX-License-Identifier: MIT
#include "qsseserver.h"
#include "qsseframes_p.h"
#include "qsseserver_p.h"
#include "qssesubscriber_p.h"
#include "qssetopic.h"
#include "qssetopicfilter_p.h"

#include <QtCore/QDeadlineTimer>
#include <QtCore/QLoggingCategory>
#include <QtCore/QMetaMethod>
#include <QtCore/QPointer>
#include <QtCore/QRandomGenerator>
#include <QtCore/QThread>
#include <QtNetwork/QTcpSocket>

#if QT_CONFIG(ssl)
#include <QtNetwork/QSslSocket>
#endif

#include <algorithm>
#include <utility>

#ifdef Q_OS_UNIX
#include <fcntl.h>
#endif

Q_LOGGING_CATEGORY(lcServer, "qsse.server", QtInfoMsg)

using namespace std::chrono_literals;
using Error = QSseServer::Error;
using Refusal = QSseServer::Refusal;

namespace {

constexpr auto DefaultKeepAlive = 15s;
constexpr auto EndGrace = 5s;
constexpr int MaximumWorkerThreads = 64;
// A snapshot that is overtaken by events this often is sent all the same, and they follow it.
constexpr int SnapshotAttempts = 10;
constexpr QLatin1String Earliest("earliest");
// A stream that may last for a limited time ends up to this part of it earlier.
constexpr int LifetimeJitter = 8;
// How many bytes of events are read from the log at once.
constexpr qsizetype ReadBytes = qsizetype(256) * 1024;

// The same topics in the same order make the same group, however they were asked for.
QList<QSseTopicFilter> normalized(QList<QSseTopicFilter> topics)
{
    if (topics.size() < 2)
        return topics; // mostly it is one, and stays the list it was
    // An expression may have the pattern of a name, and must not come between two of that.
    std::sort(topics.begin(), topics.end(), [](const QSseTopicFilter &a, const QSseTopicFilter &b) {
        return std::pair(a.pattern(), a.isExact()) < std::pair(b.pattern(), b.isExact());
    });
    topics.erase(std::unique(topics.begin(), topics.end()), topics.end());
    return topics;
}

// A TLS socket's state cannot be given to another, nor can what is queued in one: the answer to a
// request before ours in a pipeline.
bool canDuplicate(QTcpSocket *socket)
{
    socket->flush();
    if (socket->bytesToWrite() > 0)
        return false;
#ifndef Q_OS_UNIX
    return false;
#elif QT_CONFIG(ssl)
    return !qobject_cast<const QSslSocket *>(socket);
#else
    return true;
#endif
}

// A second descriptor of the socket's connection, or -1. A fresh QTcpSocket on it has none of the
// buffers and connections of the one that read the request, and can live in any thread.
qintptr duplicate(const QTcpSocket *socket)
{
#ifdef Q_OS_UNIX
    return ::fcntl(int(socket->socketDescriptor()), F_DUPFD_CLOEXEC, 0);
#else
    return -1;
#endif
}

// Closes our descriptor only: a duplicate keeps the connection.
void giveUp(QTcpSocket *socket)
{
    socket->abort();
    socket->deleteLater();
}

} // namespace

std::chrono::milliseconds QSseServerPrivate::keepAliveFromEnvironment()
{
    bool isNumber = false;
    const int ms = qEnvironmentVariableIntValue("SSE_KEEP_ALIVE_IN_MS", &isNumber);
    return isNumber && ms >= 0 ? std::chrono::milliseconds(ms)
                               : std::chrono::milliseconds(DefaultKeepAlive);
}

QSseServerPrivate::~QSseServerPrivate()
{
    log->setErrorHandler({});
    removeShards();
}

std::optional<Refusal> QSseServerPrivate::refusal(const QSseEvent &event) const
{
    if (!event.isValid())
        return Refusal { Error::InvalidEvent, event.errorString() };
    if (event.size() > maximumEventSize)
        return Refusal { Error::EventTooLarge,
                         QSseServer::tr("The event has %1 bytes, more than the limit of %2")
                             .arg(event.size())
                             .arg(maximumEventSize) };
    return std::nullopt;
}

// Called with the mutex held, for the name of a new topic.
std::optional<Refusal> QSseServerPrivate::refusal(const QString &topic) const
{
    const QString error = QSseTopicFilter::topicError(topic);
    if (!error.isEmpty())
        return Refusal { Error::InvalidTopic, error };
    if (maximumTopicSize < QSseTopicFilter::MaximumSize && topic.toUtf8().size() > maximumTopicSize)
        return Refusal {
            Error::InvalidTopic,
            QSseServer::tr("The topic's name has more than %1 bytes").arg(maximumTopicSize)
        };
    return std::nullopt;
}

// Called with the mutex held.
std::optional<Refusal> QSseServerPrivate::refusal(const QSseEvent *events, qsizetype count,
                                                  QSet<QString> *newTopics) const
{
    for (qsizetype i = 0; i < count; ++i) {
        if (std::optional<Refusal> refused = refusal(events[i]))
            return refused;
    }
    for (qsizetype i = 0; i < count; ++i) {
        const QString topic = events[i].topic();
        if (topicNames.contains(topic))
            continue; // its name was looked at when it was new
        if (std::optional<Refusal> refused = refusal(topic))
            return refused;
        if (strict)
            return Refusal { Error::UnknownTopic,
                             QSseServer::tr("There is no topic '%1'").arg(topic) };
        newTopics->insert(topic);
        if (topicNames.size() + newTopics->size() > maximumTopics)
            return Refusal { Error::TooManyTopics,
                             QSseServer::tr("There are %1 topics already").arg(topicNames.size()) };
    }
    return std::nullopt;
}

// Takes the events and fills in their ids: all or none.
bool QSseServerPrivate::publish(QSseEvent *events, qsizetype count, QString *ids)
{
    QMutexLocker locker(&mutex);
    QSet<QString> newTopics;
    if (const std::optional<Refusal> refused = refusal(events, count, &newTopics)) {
        locker.unlock();
        report(*refused);
        return false;
    }

    topicNames.unite(newTopics);
    published.fetch_add(quint64(count), std::memory_order_relaxed);
    for (qsizetype i = 0; i < count; ++i) {
        const QSseLoggedEventPointer logged = log->append(std::move(events[i]));
        ids[i] = logged->event.id();
        for (QSseShard *shard : shards)
            shard->post(logged);
        if (hasListeners && localInbox.push(logged))
            QMetaObject::invokeMethod(
                q, [this] { dispatchLocally(); }, Qt::QueuedConnection);
    }
    return true;
}

void QSseServerPrivate::report(const Refusal &refusal)
{
    qCWarning(lcServer, "%ls", qUtf16Printable(refusal.text));
    if (QThread::currentThread() == q->thread()) {
        Q_EMIT q->errorOccurred(refusal.error, refusal.text);
    } else {
        QMetaObject::invokeMethod(
            q, [this, refusal] { Q_EMIT q->errorOccurred(refusal.error, refusal.text); },
            Qt::QueuedConnection);
    }
}

// The log tells of trouble in any thread, with the mutex held too, so never at once.
void QSseServerPrivate::watchLog()
{
    log->setErrorHandler([this](const QString &text) {
        QMetaObject::invokeMethod(
            q,
            [this, text] {
                report({ Error::LogFailed, text });
            },
            Qt::QueuedConnection);
    });
}

void QSseServerPrivate::dispatchLocally()
{
    std::vector<QSseLoggedEventPointer> arrived;
    localInbox.takeAll(&arrived);
    for (const QSseLoggedEventPointer &logged : arrived) {
        localQueue.push_back({ logged, true });
        localQueue.push_back({ logged, false });
    }
    // A handler may delete the server, and us. One with an event loop of its own makes us go on
    // from within it, with what comes next.
    const QPointer<QSseServer> alive(q);
    while (alive && !localQueue.empty()) {
        const auto [logged, isForTopic] = localQueue.front();
        localQueue.pop_front();
        if (!isForTopic)
            Q_EMIT q->notified(logged->event);
        else if (QSseTopic *topic = topics.value(logged->event.topic()))
            Q_EMIT topic->notified(logged->event);
    }
}

QSseSubscriber QSseServerPrivate::makeSubscriber(const QTcpSocket &socket,
                                                 const QSseSubscription &subscription)
{
    QSseSubscriber subscriber;
    subscriber.d->id = ++lastSubscriberId;
    subscriber.d->peerAddress = socket.peerAddress();
    subscriber.d->peerPort = socket.peerPort();
    subscriber.d->topics = subscription.topics;
    subscriber.d->lastEventId = subscription.lastEventId;
    subscriber.d->claims = subscription.claims;
    subscriber.d->connectedAt = QDateTime::currentDateTimeUtc();
    return subscriber;
}

// The time the stream may last.
std::optional<std::chrono::milliseconds>
QSseServerPrivate::lifetime(const QSseSubscription &subscription) const
{
    std::optional<std::chrono::milliseconds> lifetime;
    if (maximumStreamLifetime > 0ms) {
        const qint64 most = maximumStreamLifetime.count();
        lifetime = std::chrono::milliseconds(
            most - QRandomGenerator::global()->bounded(most / LifetimeJitter + 1));
    }
    if (subscription.expiresAt.isValid()) {
        const std::chrono::milliseconds rest(
            QDateTime::currentDateTimeUtc().msecsTo(subscription.expiresAt));
        lifetime = qMin(rest, lifetime.value_or(rest));
    }
    return lifetime;
}

// What a new subscriber begins with, and from which position on it gets events. Whatever happens
// while this runs follows from the log, so nothing is lost and nothing comes twice.
std::shared_ptr<QSseJoin> QSseServerPrivate::makeJoin(const QSseSubscription &subscription,
                                                      const QSseSubscriber &subscriber) const
{
    auto join = std::make_shared<QSseJoin>();
    join->subscriber = subscriber;
    join->topics = normalized(subscription.topics);
    join->grants = normalized(subscription.grants);
    join->filter = subscription.filter;
    join->overflowPolicy = subscription.overflowPolicy.value_or(overflowPolicy);
    join->lifetime = lifetime(subscription);
    join->after = log->head();

    const QByteArray requested = subscription.lastEventId.toUtf8();
    const bool fromEarliest = subscription.lastEventId == Earliest;
    const std::optional<quint64> known = log->positionOf(requested);
    const quint64 resumeAt = known.value_or(0);
    // Who comes without an id is spared it: with many topics it takes its time.
    const quint64 dropped = requested.isEmpty() ? 0 : log->droppedUpTo(join->topics, resumeAt);

    QByteArray id;    // what the client may resume from before it has seen anything else
    QByteArray state; // what it gets besides events from the log
    if (fromEarliest) {
        join->after = 0;
        join->droppedUpTo = dropped;
    } else if (requested.isEmpty()) {
        state = snapshots(join.get());
        if (state.isEmpty())
            id = log->idAt(join->after);
    } else if (known && dropped == 0) {
        join->after = resumeAt;
        id = requested;
    } else {
        const QSseLoggedEventPointer oldest = log->oldest(join->topics);
        join->droppedUpTo = dropped;
        state = QSseFrames::gap(requested, oldest ? oldest->event.idUtf8() : QByteArray())
            + snapshots(join.get());
        join->after = 0;
    }

    if (!id.isEmpty())
        join->idPosition = join->after;
    join->opening = QSseFrames::responseHead(subscription.responseHeaders)
        + QSseFrames::retry(retryInterval, id.isEmpty() ? QByteArray() : id);
    if (!subscription.firstEvent.isNull()) {
        join->opening += subscription.firstEvent.encode();
        // An id of its own, which may be one we know, must not be where the client resumes from.
        if (!subscription.firstEvent.idUtf8().isNull())
            join->opening += QSseFrames::id(id.isEmpty() ? requested : id);
    }
    join->opening += state;
    return join;
}

// The snapshots of the wanted topics.
QByteArray QSseServerPrivate::snapshots(QSseJoin *join) const
{
    QByteArray frames;
    // By name: a snapshot's code may register and unregister topics.
    const QStringList names = topics.keys();
    for (const QString &name : names) {
        QSseTopic *topic = topics.value(name);
        if (!topic || !QSsePrivate::matchesAny(join->topics, name)
            || !settings.maySee(name, join->grants))
            continue;
        quint64 position = 0;
        QSseEvent snapshot = this->snapshot(topic, &position);
        // Without an id: a client cut off between two snapshots must get both again.
        snapshot.setIdUtf8(QByteArray());
        if (snapshot.isNull())
            continue;
        if (!snapshot.isValid()) {
            qCWarning(lcServer, "The snapshot of %ls is left out: %ls", qUtf16Printable(name),
                      qUtf16Printable(snapshot.errorString()));
            continue;
        }
        snapshot.setTopic(name);
        if (join->filter && !join->filter(snapshot, join->subscriber))
            continue;
        frames += snapshot.encode();
        join->snapshots.insert(name, position);
    }
    return frames;
}

// The topic's snapshot, and the position up to which it has the topic's events. Another thread may
// publish while it is made; then whether it has that event cannot be known, so it is made again.
QSseEvent QSseServerPrivate::snapshot(QSseTopic *topic, quint64 *position) const
{
    const QList<QSseTopicFilter> filter { topic->name() };
    const QPointer<QSseTopic> alive(topic);
    QSseEvent snapshot;
    for (int attempt = 0; alive && attempt < SnapshotAttempts; ++attempt) {
        *position = log->head();
        snapshot = topic->snapshot();
        const bool isOvertaken = !log->read(filter, *position, log->head(), 0).events.isEmpty();
        if (!isOvertaken && log->droppedUpTo(filter, *position) == 0)
            break;
    }
    return snapshot;
}

void QSseServerPrivate::removeSubscriber(quint64 id, QSseSubscriber::RemovalReason reason)
{
    const QSseSubscriber subscriber = subscribers.take(id).subscriber;
    if (subscriber.id() == 0)
        return;
    const auto fromAddress = subscribersByAddress.find(subscriber.peerAddress());
    if (--*fromAddress == 0)
        subscribersByAddress.erase(fromAddress);
    ++removed[reason];
    const QPointer<QSseServer> alive(q);
    qCDebug(lcServer) << "subscriber" << id << "removed:" << reason;
    Q_EMIT q->subscriberRemoved(subscriber, reason);
    if (alive)
        Q_EMIT q->subscriberCountChanged(int(subscribers.size()));
    if (alive)
        finishClosing();
}

void QSseServerPrivate::finishClosing()
{
    if (closing && subscribers.isEmpty() && !std::exchange(isClosed, true))
        Q_EMIT q->closed();
}

QSseShard *QSseServerPrivate::makeShard()
{
    auto *shard = new QSseShard(log, counters, settings);
    // Queued: whatever the application does in subscriberRemoved(), it does not do it in the
    // middle of sending.
    QObject::connect(
        shard, &QSseShard::removed, q,
        [this](quint64 id, QSseSubscriber::RemovalReason reason) { removeSubscriber(id, reason); },
        Qt::QueuedConnection);
    QObject::connect(
        shard, &QSseShard::overflowed, q,
        [this](quint64 id) {
            if (const auto entry = subscribers.constFind(id); entry != subscribers.constEnd())
                Q_EMIT q->subscriberOverflowed(entry->subscriber);
        },
        Qt::QueuedConnection);
    return shard;
}

// Subscribers take turns. A socket that cannot move to another thread stays in the server's, and so
// do all when no thread can be had.
QSseShard *QSseServerPrivate::shardFor(quint64 subscriber, bool canMove)
{
    // Held, so that a new shard gets all events after the log's head as it sees it, and none before
    // it is ready.
    const QMutexLocker locker(&mutex);
    if (canMove && workerThreads > 0) {
        const size_t index = subscriber % size_t(workerThreads);
        while (threads.size() <= index && addThread()) { }
        if (index < threads.size())
            return threads[index]->shard();
    }
    if (!localShard) {
        localShard = makeShard();
        localShard->setParent(q); // follows it into another thread
        shards.push_back(localShard);
    }
    return localShard;
}

bool QSseServerPrivate::addThread()
{
    auto thread = std::make_unique<QSseShardThread>();
    if (!thread->canTake()) {
        qCWarning(lcServer, "There are too many open files for another thread");
        return false;
    }
    thread->take(makeShard());
    shards.push_back(thread->shard());
    threads.push_back(std::move(thread));
    return true;
}

void QSseServerPrivate::removeShards()
{
    {
        const QMutexLocker locker(&mutex);
        shards.clear();
    }
    delete std::exchange(localShard, nullptr);
    threads.clear();
}

template<typename Command> void QSseServerPrivate::postToShards(const Command &command)
{
    for (QSseShard *shard : shards)
        shard->post([shard, command] { command(shard); });
}

void QSseServerPrivate::pushSettings()
{
    postToShards([settings = settings](QSseShard *shard) { shard->setSettings(settings); });
}

QSseServer::QSseServer(QObject *parent) : QObject(parent), d(new QSseServerPrivate(this)) { }

QSseServer::~QSseServer() = default;

std::chrono::milliseconds QSseServer::keepAliveInterval() const
{
    return d->settings.keepAliveInterval;
}

void QSseServer::setKeepAliveInterval(std::chrono::milliseconds interval)
{
    if (d->settings.keepAliveInterval == interval)
        return;
    d->settings.keepAliveInterval = interval;
    d->pushSettings();
    Q_EMIT keepAliveIntervalChanged();
}

int QSseServer::workerThreads() const
{
    return d->workerThreads;
}

void QSseServer::setWorkerThreads(int count)
{
    count = qBound(0, count, MaximumWorkerThreads);
    if (d->workerThreads == count)
        return;
    if (!d->subscribers.isEmpty()) {
        qCWarning(lcServer, "The worker threads cannot change while there are subscribers");
        return;
    }
    d->removeShards();
    d->workerThreads = count;
    Q_EMIT workerThreadsChanged();
}

std::chrono::milliseconds QSseServer::retryInterval() const
{
    return d->retryInterval;
}

void QSseServer::setRetryInterval(std::chrono::milliseconds interval)
{
    interval = qMax(interval, 0ms); // below, there would be no block to put the first id into
    if (d->retryInterval == interval)
        return;
    d->retryInterval = interval;
    Q_EMIT retryIntervalChanged();
}

std::shared_ptr<QSseEventLog> QSseServer::eventLog() const
{
    return d->log;
}

void QSseServer::setEventLog(const std::shared_ptr<QSseEventLog> &log)
{
    if (!log || d->published > 0 || d->lastSubscriberId > 0) {
        qCWarning(lcServer, "The event log cannot change any more, and cannot be null");
        return;
    }
    d->log->setErrorHandler({});
    d->removeShards();
    {
        const QMutexLocker locker(&d->mutex);
        d->log = log;
    }
    d->watchLog();
}

int QSseServer::historySize() const
{
    return d->log->retention().events;
}

void QSseServer::setHistorySize(int events)
{
    QSseRetention retention = d->log->retention();
    if (retention.events == events)
        return;
    retention.events = qMax(0, events);
    d->log->setRetention(retention);
    Q_EMIT historySizeChanged();
}

std::chrono::milliseconds QSseServer::historyAge() const
{
    return qMax(d->log->retention().age, 0ms);
}

void QSseServer::setHistoryAge(std::chrono::milliseconds age)
{
    if (historyAge() == age)
        return;
    QSseRetention retention = d->log->retention();
    retention.age = age > 0ms ? age : -1ms;
    d->log->setRetention(retention);
    Q_EMIT historyAgeChanged();
}

qint64 QSseServer::maximumHistoryBytes() const
{
    return d->log->maximumBytes();
}

void QSseServer::setMaximumHistoryBytes(qint64 bytes)
{
    if (maximumHistoryBytes() == bytes)
        return;
    d->log->setMaximumBytes(bytes);
    Q_EMIT maximumHistoryBytesChanged();
}

qint64 QSseServer::maximumQueuedBytes() const
{
    return d->settings.maximumQueuedBytes;
}

void QSseServer::setMaximumQueuedBytes(qint64 bytes)
{
    if (d->settings.maximumQueuedBytes == bytes)
        return;
    d->settings.maximumQueuedBytes = bytes;
    d->pushSettings();
    Q_EMIT maximumQueuedBytesChanged();
}

QSseSubscriber::OverflowPolicy QSseServer::overflowPolicy() const
{
    return d->overflowPolicy;
}

void QSseServer::setOverflowPolicy(QSseSubscriber::OverflowPolicy policy)
{
    if (d->overflowPolicy == policy)
        return;
    d->overflowPolicy = policy;
    Q_EMIT overflowPolicyChanged();
}

std::chrono::milliseconds QSseServer::stallTimeout() const
{
    return d->settings.stallTimeout;
}

void QSseServer::setStallTimeout(std::chrono::milliseconds timeout)
{
    if (d->settings.stallTimeout == timeout)
        return;
    d->settings.stallTimeout = timeout;
    d->pushSettings();
    Q_EMIT stallTimeoutChanged();
}

std::chrono::milliseconds QSseServer::maximumStreamLifetime() const
{
    return d->maximumStreamLifetime;
}

void QSseServer::setMaximumStreamLifetime(std::chrono::milliseconds lifetime)
{
    if (d->maximumStreamLifetime == lifetime)
        return;
    d->maximumStreamLifetime = lifetime;
    Q_EMIT maximumStreamLifetimeChanged();
}

int QSseServer::maximumEventSize() const
{
    const QMutexLocker locker(&d->mutex);
    return d->maximumEventSize;
}

void QSseServer::setMaximumEventSize(int bytes)
{
    if (maximumEventSize() == bytes)
        return;
    {
        const QMutexLocker locker(&d->mutex);
        d->maximumEventSize = bytes;
    }
    Q_EMIT maximumEventSizeChanged();
}

int QSseServer::maximumTopics() const
{
    const QMutexLocker locker(&d->mutex);
    return d->maximumTopics;
}

void QSseServer::setMaximumTopics(int count)
{
    if (maximumTopics() == count)
        return;
    {
        const QMutexLocker locker(&d->mutex);
        d->maximumTopics = count;
    }
    Q_EMIT maximumTopicsChanged();
}

int QSseServer::maximumSubscribers() const
{
    return d->maximumSubscribers;
}

void QSseServer::setMaximumSubscribers(int count)
{
    if (d->maximumSubscribers == count)
        return;
    d->maximumSubscribers = count;
    Q_EMIT maximumSubscribersChanged();
}

int QSseServer::maximumSubscribersPerAddress() const
{
    return d->maximumSubscribersPerAddress;
}

void QSseServer::setMaximumSubscribersPerAddress(int count)
{
    if (d->maximumSubscribersPerAddress == count)
        return;
    d->maximumSubscribersPerAddress = count;
    Q_EMIT maximumSubscribersPerAddressChanged();
}

int QSseServer::maximumFilters() const
{
    return d->maximumFilters;
}

void QSseServer::setMaximumFilters(int count)
{
    if (d->maximumFilters == count)
        return;
    d->maximumFilters = count;
    Q_EMIT maximumFiltersChanged();
}

int QSseServer::maximumTopicSize() const
{
    const QMutexLocker locker(&d->mutex);
    return d->maximumTopicSize;
}

void QSseServer::setMaximumTopicSize(int bytes)
{
    bytes = qMin(bytes, int(QSseTopicFilter::MaximumSize));
    if (maximumTopicSize() == bytes)
        return;
    {
        const QMutexLocker locker(&d->mutex);
        d->maximumTopicSize = bytes;
    }
    Q_EMIT maximumTopicSizeChanged();
}

QList<QSseTopicFilter> QSseServer::privateTopics() const
{
    return d->settings.privateTopics;
}

void QSseServer::setPrivateTopics(const QList<QSseTopicFilter> &filters)
{
    if (d->settings.privateTopics == filters)
        return;
    d->settings.privateTopics = filters;
    d->pushSettings();
    Q_EMIT privateTopicsChanged();
}

bool QSseServer::isStrict() const
{
    const QMutexLocker locker(&d->mutex);
    return d->strict;
}

void QSseServer::setStrict(bool strict)
{
    if (isStrict() == strict)
        return;
    {
        const QMutexLocker locker(&d->mutex);
        d->strict = strict;
    }
    Q_EMIT strictChanged();
}

QSseTopic *QSseServer::topic(const QString &name)
{
    if (QSseTopic *known = d->topics.value(name))
        return known;
    std::optional<Refusal> refused;
    {
        const QMutexLocker locker(&d->mutex);
        refused = d->refusal(name);
        if (!refused && !d->topicNames.contains(name) && d->topicNames.size() >= d->maximumTopics)
            refused = Refusal { Error::TooManyTopics,
                                tr("There are %1 topics already").arg(d->topicNames.size()) };
        if (!refused)
            d->topicNames.insert(name);
    }
    if (refused) {
        d->report(*refused);
        return nullptr;
    }
    return *d->topics.insert(name, new QSseTopic(name, this));
}

bool QSseServer::hasTopic(const QString &name) const
{
    const QMutexLocker locker(&d->mutex);
    return d->topicNames.contains(name);
}

QStringList QSseServer::topics() const
{
    QStringList names;
    {
        const QMutexLocker locker(&d->mutex);
        names = d->topicNames.values();
    }
    names.sort();
    return names;
}

void QSseServer::unregisterTopic(const QString &name)
{
    {
        const QMutexLocker locker(&d->mutex);
        d->topicNames.remove(name);
        d->log->removeTopic(name);
    }
    delete d->topics.take(name);
}

int QSseServer::subscriberCount() const
{
    return int(d->subscribers.size());
}

QList<QSseSubscriber> QSseServer::subscribers() const
{
    QList<QSseSubscriber> all;
    all.reserve(d->subscribers.size());
    for (const auto &entry : std::as_const(d->subscribers))
        all.append(entry.subscriber);
    return all;
}

QList<QSseSubscriber> QSseServer::subscribers(const QString &topic) const
{
    QList<QSseSubscriber> found;
    for (const auto &entry : std::as_const(d->subscribers)) {
        if (QSsePrivate::matchesAny(entry.subscriber.topics(), topic))
            found.append(entry.subscriber);
    }
    return found;
}

std::optional<Refusal> QSseServer::refusal(const QSseSubscription &subscription,
                                           const QHostAddress &address) const
{
    if (d->closing)
        return Refusal { Error::Closed, tr("The server is closing") };
    if (subscription.topics.isEmpty())
        return Refusal { Error::InvalidFilter, tr("No topic is given") };
    if (subscription.topics.size() > d->maximumFilters)
        return Refusal { Error::InvalidFilter,
                         tr("More than %1 topics are given").arg(d->maximumFilters) };
    for (const QSseTopicFilter &filter : subscription.topics) {
        if (!filter.isValid())
            return Refusal { Error::InvalidFilter, filter.errorString() };
        if (filter.isExact() && !d->settings.maySee(filter.pattern(), subscription.grants))
            return Refusal { Error::PrivateTopic,
                             tr("The topic '%1' is private").arg(filter.pattern()) };
        if (isStrict() && filter.isExact() && !hasTopic(filter.pattern()))
            return Refusal { Error::UnknownTopic,
                             tr("There is no topic '%1'").arg(filter.pattern()) };
    }
    if (!subscription.firstEvent.isNull() && !subscription.firstEvent.isValid())
        return Refusal { Error::InvalidEvent, subscription.firstEvent.errorString() };
    if (d->subscribers.size() >= d->maximumSubscribers)
        return Refusal { Error::TooManySubscribers,
                         tr("There are %1 subscribers already").arg(d->subscribers.size()) };
    const int fromAddress = d->subscribersByAddress.value(address);
    if (d->maximumSubscribersPerAddress > 0 && fromAddress >= d->maximumSubscribersPerAddress)
        return Refusal {
            Error::TooManyFromAddress,
            tr("There are %1 subscribers from this address already").arg(fromAddress)
        };
    return std::nullopt;
}

QSseEvent QSseServer::event(const QString &topic, const QString &id) const
{
    const QSseLoggedEventPointer logged = d->log->event(topic, id.toUtf8());
    return logged ? logged->event : QSseEvent();
}

std::optional<QList<QSseEvent>> QSseServer::eventsSince(const QString &id,
                                                        const QList<QSseTopicFilter> &filters,
                                                        int maximumCount) const
{
    const quint64 head = d->log->head();
    const std::optional<quint64> known = d->log->positionOf(id.toUtf8());
    quint64 after = known.value_or(0);
    if (!id.isEmpty() && (!known || d->log->droppedUpTo(filters, after) > 0))
        return std::nullopt;
    QList<QSseEvent> events;
    while (after < head && events.size() < maximumCount) {
        const QSseEventLog::Page page = d->log->read(filters, after, head, ReadBytes);
        if (!id.isEmpty() && page.droppedUpTo > after)
            return std::nullopt;
        for (const QSseLoggedEventPointer &logged : page.events)
            events.append(logged->event);
        after = page.upTo;
    }
    return events.mid(0, maximumCount);
}

QSseServer::Statistics QSseServer::statistics() const
{
    return { d->published,
             d->counters->deliveries,
             d->lastSubscriberId,
             d->counters->overflows,
             d->counters->conflations,
             d->counters->drops,
             d->removed };
}

std::optional<Refusal> QSseServer::refusal(const QList<QSseEvent> &events) const
{
    const QMutexLocker locker(&d->mutex);
    QSet<QString> newTopics;
    return d->refusal(events.constData(), events.size(), &newTopics);
}

QSseSubscriber QSseServer::addSubscriber(QTcpSocket *socket, const QSseSubscription &subscription)
{
    std::optional<Refusal> refused =
        refusal(subscription, socket ? socket->peerAddress() : QHostAddress());
    if (!refused && (!socket || socket->state() != QAbstractSocket::ConnectedState))
        refused = Refusal { Error::InvalidSocket, tr("The socket is not connected") };
    if (refused) {
        if (socket)
            giveUp(socket);
        d->report(*refused);
        return QSseSubscriber();
    }
    // Without a descriptor to spare the socket is kept as it is, and in this thread: it may be the
    // one that called us, which goes on using it when we return.
    const bool isDuplicable = canDuplicate(socket);
    const qintptr descriptor = isDuplicable ? duplicate(socket) : -1;

    QSseSubscriber subscriber = d->makeSubscriber(*socket, subscription);
    const std::shared_ptr<QSseJoin> join = d->makeJoin(subscription, subscriber);
    const bool canMove = descriptor >= 0 || (!isDuplicable && !socket->parent());
    QSseShard *shard = d->shardFor(subscriber.id(), canMove);
    if (descriptor >= 0) {
        join->descriptor = descriptor;
        giveUp(socket);
    } else {
        // Whoever read the request must not read on; what it does on disconnect stays.
        disconnect(socket, &QIODevice::readyRead, nullptr, nullptr);
        socket->setParent(nullptr);
        socket->moveToThread(shard->thread());
        join->socket.reset(socket);
    }
    shard->post([shard, join] { shard->add(join); });

    d->subscribers.insert(subscriber.id(), { subscriber, shard });
    ++d->subscribersByAddress[subscriber.peerAddress()];
    qCDebug(lcServer) << "subscriber" << subscriber.id() << "added:" << subscriber.topics();
    const QPointer<QSseServer> alive(this);
    Q_EMIT subscriberAdded(subscriber);
    if (alive)
        Q_EMIT subscriberCountChanged(subscriberCount());
    return subscriber;
}

void QSseServer::disconnectSubscriber(quint64 id)
{
    if (QSseShard *shard = d->subscribers.value(id).shard) {
        shard->post(
            [shard, id] { shard->end(id, QSseSubscriber::RemovalReason::Disconnected, EndGrace); });
    }
}

void QSseServer::disconnectAll()
{
    d->postToShards([](QSseShard *shard) {
        shard->endAll(QSseSubscriber::RemovalReason::Disconnected, EndGrace, 0ms);
    });
}

QMetaObject::Connection QSseServer::subscribe(const QSseTopicFilter &filter, const QObject *context,
                                              std::function<void(const QSseEvent &)> handler)
{
    return connect(this, qOverload<const QSseEvent &>(&QSseServer::notified), context,
                   [filter, handler = std::move(handler)](const QSseEvent &event) {
                       if (filter.matches(event.topic()))
                           handler(event);
                   });
}

void QSseServer::close(std::chrono::milliseconds grace)
{
    if (d->closing)
        return;
    d->closing = true;
    if (d->subscribers.isEmpty()) {
        QMetaObject::invokeMethod(
            this, [d = d.get()] { d->finishClosing(); }, Qt::QueuedConnection);
        return;
    }
    // A shard with much to do comes to it late; that is part of the time.
    d->postToShards([end = QDeadlineTimer(grace), retry = d->retryInterval](QSseShard *shard) {
        shard->endAll(QSseSubscriber::RemovalReason::ServerClosed,
                      std::chrono::milliseconds(end.remainingTime()), retry);
    });
}

QString QSseServer::notify(const QString &topic, const QSseEvent &event)
{
    return notify(topic, QSseEvent(event));
}

QString QSseServer::notify(const QString &topic, QSseEvent &&event)
{
    event.setTopic(topic);
    QString id;
    d->publish(&event, 1, &id);
    return id;
}

QStringList QSseServer::notify(const QList<QSseEvent> &events)
{
    QList<QSseEvent> published = events;
    QStringList ids(events.size());
    return d->publish(published.data(), published.size(), ids.data()) ? ids : QStringList();
}

void QSseServer::connectNotify(const QMetaMethod &signal)
{
    if (signal == QMetaMethod::fromSignal(qOverload<const QSseEvent &>(&QSseServer::notified)))
        d->hasListeners = true;
}
