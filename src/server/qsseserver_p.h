// SPDX-License-Identifier: MIT
#ifndef QSSESERVER_P_H
#define QSSESERVER_P_H

#include "qsseinbox_p.h"
#include "qssememorylog.h"
#include "qsseserver.h"
#include "qsseshard_p.h"

#include <QtCore/QHash>
#include <QtCore/QMap>
#include <QtCore/QMutex>
#include <QtCore/QSet>

#include <deque>

class QSseServerPrivate
{
public:
    explicit QSseServerPrivate(QSseServer *server);

    // Publishing, in any thread.
    std::optional<QSseServer::Refusal> refusal(const QSseEvent &event) const;
    std::optional<QSseServer::Refusal> refusal(const QList<QSseEvent> &events) const;
    QStringList publish(const QList<QSseEvent> &events);
    void report(const QSseServer::Refusal &refusal);

    // In the server's thread.
    void dispatchLocally();
    QSseSubscriber makeSubscriber(const QTcpSocket &socket, const QSseSubscription &subscription);
    std::shared_ptr<QSseJoin> makeJoin(const QSseSubscription &subscription,
                                       const QSseSubscriber &subscriber) const;
    QByteArray snapshots(QSseJoin *join) const;
    QSseEvent snapshot(QSseTopic *topic, quint64 *position) const;
    void removeSubscriber(quint64 id, QSseSubscriber::RemovalReason reason);
    void finishClosing();
    void pushSettings();

    QSseServer *const q;
    const std::shared_ptr<QSseMemoryLog> log = std::make_shared<QSseMemoryLog>();

    // Held while events get their positions and are handed on, so that everybody has one order.
    mutable QMutex mutex;
    QSet<QString> topicNames;
    bool strict = false;
    int maximumTopics = 100'000;
    int maximumEventSize = 1024 * 1024;

    struct LocalDelivery
    {
        QSseLoggedEventPointer event;
        bool isForTopic; // QSseTopic::notified() comes before QSseServer::notified()
    };
    QSseInbox<QSseLoggedEventPointer> localInbox;
    std::deque<LocalDelivery> localQueue; // taken from the inbox; of the server's thread
    QSseShard::Settings settings;
    QSseShard shard;

    std::chrono::milliseconds retryInterval = std::chrono::seconds(2);
    int maximumSubscribers = 100'000;
    bool closing = false;
    bool isClosed = false;
    quint64 lastSubscriberId = 0;
    QHash<quint64, QSseSubscriber> subscribers;
    QMap<QString, QSseTopic *> topics; // those asked for; sorted, so that snapshots are too
};

#endif // QSSESERVER_P_H
