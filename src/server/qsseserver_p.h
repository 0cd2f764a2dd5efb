// SPDX-License-Identifier: MIT
#ifndef QSSESERVER_P_H
#define QSSESERVER_P_H

#include "qsseinbox_p.h"
#include "qssememorylog.h"
#include "qsseserver.h"
#include "qsseshard_p.h"
#include "qsseshardthread_p.h"

#include <QtCore/QHash>
#include <QtCore/QMap>
#include <QtCore/QMutex>
#include <QtCore/QSet>

#include <atomic>
#include <deque>
#include <memory>
#include <vector>

class QSseServerPrivate
{
public:
    explicit QSseServerPrivate(QSseServer *server) : q(server) { }
    ~QSseServerPrivate();

    // Publishing, in any thread.
    std::optional<QSseServer::Refusal> refusal(const QSseEvent &event) const;
    std::optional<QSseServer::Refusal> refusal(const QString &topic) const;
    std::optional<QSseServer::Refusal> refusal(const QSseEvent *events, qsizetype count,
                                               QSet<QString> *newTopics) const;
    bool publish(QSseEvent *events, qsizetype count, QString *ids);
    void report(const QSseServer::Refusal &refusal);
    void watchLog();

    static std::chrono::milliseconds keepAliveFromEnvironment();

    // In the server's thread.
    void dispatchLocally();
    std::optional<std::chrono::milliseconds> lifetime(const QSseSubscription &subscription) const;
    QSseSubscriber makeSubscriber(const QTcpSocket &socket, const QSseSubscription &subscription);
    std::shared_ptr<QSseJoin> makeJoin(const QSseSubscription &subscription,
                                       const QSseSubscriber &subscriber) const;
    QByteArray snapshots(QSseJoin *join) const;
    QSseEvent snapshot(QSseTopic *topic, quint64 *position) const;
    void removeSubscriber(quint64 id, QSseSubscriber::RemovalReason reason);
    void finishClosing();

    QSseShard *makeShard();
    QSseShard *shardFor(quint64 subscriber, bool canMove);
    bool addThread();
    void removeShards();
    template<typename Command> void postToShards(const Command &command);
    void pushSettings();

    QSseServer *const q;
    std::shared_ptr<QSseEventLog> log = std::make_shared<QSseMemoryLog>();

    // Held while events get their positions and are handed on, so that everybody has one order.
    mutable QMutex mutex;
    QSet<QString> topicNames;
    bool strict = false;
    int maximumTopics = 100'000;
    int maximumTopicSize = int(QSseTopicFilter::MaximumSize);
    int maximumEventSize = 1024 * 1024;

    struct LocalDelivery
    {
        QSseLoggedEventPointer event;
        bool isForTopic; // QSseTopic::notified() comes before QSseServer::notified()
    };
    std::atomic<quint64> published = 0;
    std::atomic<bool> hasListeners = false; // to notified(), ever
    QSseInbox<QSseLoggedEventPointer> localInbox;
    std::deque<LocalDelivery> localQueue; // taken from the inbox; of the server's thread

    int workerThreads = 1;
    QSseShard::Settings settings {
        keepAliveFromEnvironment(), std::chrono::seconds(30), qint64(1024) * 1024, {}
    };
    const std::shared_ptr<QSseShard::Counters> counters = std::make_shared<QSseShard::Counters>();
    // Made when there is somebody to send to. Changed in the server's thread with the mutex held.
    std::vector<QSseShard *> shards;
    std::vector<std::unique_ptr<QSseShardThread>> threads;
    QSseShard *localShard = nullptr; // the one in the server's own thread

    std::chrono::milliseconds retryInterval = std::chrono::seconds(2);
    std::chrono::milliseconds maximumStreamLifetime { 0 };
    QSseSubscriber::OverflowPolicy overflowPolicy = QSseSubscriber::OverflowPolicy::Disconnect;
    int maximumSubscribers = 100'000;
    int maximumSubscribersPerAddress = 0;
    int maximumFilters = 100;
    bool closing = false;
    bool isClosed = false;
    quint64 lastSubscriberId = 0; // and how many there ever were
    struct Entry
    {
        QSseSubscriber subscriber;
        QSseShard *shard = nullptr;
    };
    QHash<quint64, Entry> subscribers;
    QHash<QHostAddress, int> subscribersByAddress;
    QMap<QSseSubscriber::RemovalReason, quint64> removed; // how many ever, by why
    QMap<QString, QSseTopic *> topics; // those asked for; sorted, so that snapshots are too
};

#endif // QSSESERVER_P_H
