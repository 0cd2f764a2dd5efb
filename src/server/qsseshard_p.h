// SPDX-License-Identifier: MIT
#ifndef QSSESHARD_P_H
#define QSSESHARD_P_H

#include "qsseconnection_p.h"
#include "qsseinbox_p.h"
#include "qssekeepalive_p.h"
#include "qssetopicindex_p.h"

#include <QtCore/QAbstractEventDispatcher>
#include <QtCore/QElapsedTimer>
#include <QtCore/QHash>
#include <QtCore/QObject>
#include <QtCore/QSet>
#include <QtCore/QTimer>
#include <QtCore/QVarLengthArray>

#include <atomic>
#include <functional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

/*! What connections are sent the same bytes for: what they want and what they may see. */
struct QSseGroupKey
{
    QList<QSseTopicFilter> topics; // sorted, each once
    QList<QSseTopicFilter> grants; // likewise

    friend bool operator==(const QSseGroupKey &a, const QSseGroupKey &b)
    {
        return a.topics == b.topics && a.grants == b.grants;
    }
    friend size_t qHash(const QSseGroupKey &key, size_t seed = 0)
    {
        return qHashMulti(seed, key.topics, key.grants);
    }
};

/*! Connections with the same key and no filter of their own. */
struct QSseGroup
{
    QSseGroupKey key;
    QVarLengthArray<QSseConnection *, 1> members; // often a topic has one subscriber alone
    std::vector<QSseLoggedEventPointer> pending;  // not sent yet in this turn
    qsizetype pendingBytes = 0;
};

/*!
    Sends events to a set of connections: the fan-out.

    All that concerns the shard comes through post(), from any thread, and is done in that order in
    the shard's thread. Events are posted in the order of their positions, so at any moment the
    shard stands at one position, and a connection that has caught up to it is live.
*/
class QSseShard : public QObject
{
    Q_OBJECT

public:
    struct Settings
    {
        std::chrono::milliseconds keepAliveInterval;
        std::chrono::milliseconds stallTimeout;
        qint64 maximumQueuedBytes;
        QList<QSseTopicFilter> privateTopics;

        bool maySee(const QString &topic, const QList<QSseTopicFilter> &grants) const;
    };
    /*! What all shards of a server count together. */
    struct Counters
    {
        std::atomic<quint64> deliveries = 0;
        std::atomic<quint64> overflows = 0;
        std::atomic<quint64> conflations = 0;
        std::atomic<quint64> drops = 0;
    };

    /*! The shard stands at the head of \a log. */
    QSseShard(std::shared_ptr<const QSseEventLog> log, std::shared_ptr<Counters> counters,
              Settings settings);
    /*! Cuts all connections. */
    ~QSseShard() override;

    /*! Sends \a event to who wants it: at once, in the calling thread, if they are few and the
        shard's thread sleeps, else in that. Thread-safe. */
    void post(const QSseLoggedEventPointer &event);
    /*! Calls \a command in the shard's thread, after what was posted before. Thread-safe. */
    void post(std::function<void()> command);

    /*! Has the shard woken through the \a dispatcher of its thread, which holds \a awake but while
        it sleeps; then others may do its work. Without it posted events of Qt do. Called before
        anything is posted. */
    void setDispatcher(QAbstractEventDispatcher *dispatcher, QMutex *awake);

    // To be called in the shard's thread.
    void setSettings(const Settings &settings);
    void add(const std::shared_ptr<QSseJoin> &join);
    /*! Sends what is queued and ends the stream, after \a grace at the latest. */
    void end(quint64 id, QSseSubscriber::RemovalReason reason, std::chrono::milliseconds grace);
    /*! The same for all; unless \a retry is 0, each is told to come back after a random time from
        \a retry to twice that. */
    void endAll(QSseSubscriber::RemovalReason reason, std::chrono::milliseconds grace,
                std::chrono::milliseconds retry);

Q_SIGNALS:
    void overflowed(quint64 subscriber);
    void removed(quint64 subscriber, QSseSubscriber::RemovalReason reason);

private:
    // One of the three.
    struct Item
    {
        QSseLoggedEventPointer event;
        std::function<void()> command;
        quint64 skipTo = 0; // there were too many events; they have to be read from the log
    };

    // How much a connection had taken of its queue, and when that was last seen to have grown.
    struct Progress
    {
        qint64 taken = 0;
        qint64 at = 0; // ms of the shard's clock
    };

    void push(Item item);
    bool sendDirectly(const QSseLoggedEventPointer &event);
    static bool canSendDirectly(const QList<QSseGroup *> &groups);
    void sendDirectly(QSseConnection *connection, const QByteArray &bytes, qint64 now);
    void drain();
    void restAfter(std::chrono::milliseconds work);
    void skip(quint64 position);
    void deliver(const QSseLoggedEventPointer &event);
    void addPending(QSseGroup *group, const QSseLoggedEventPointer &event);
    void flush(QSseGroup *group);
    const QByteArray &joinFrames(const std::vector<QSseLoggedEventPointer> &events);
    void flushAll();
    void lapse(QSseConnection *connection, quint64 position);

    QSseConnection *find(quint64 id) const;
    void catchUp(quint64 id);
    bool sendPage(QSseConnection *connection);
    bool sendConflated(QSseConnection *connection);
    bool sendGap(QSseConnection *connection);
    QByteArray gapFrame(const QSseJoin &join) const;
    bool wants(QSseConnection *connection, const QSseLoggedEvent &event) const;
    void watchDraining(QSseConnection *connection);
    void unwatchDraining(QSseConnection *connection);
    void goLive(QSseConnection *connection);

    void joinGroup(QSseConnection *connection);
    void leaveGroup(QSseConnection *connection);
    std::shared_ptr<QSseGroup> makeGroup(const QSseGroupKey &key);
    void removeGroup(QSseGroup *group);

    bool send(QSseConnection *connection, const QByteArray &bytes);
    bool send(QSseConnection *connection, const QByteArray &bytes, qint64 now);
    void remove(QSseConnection *connection, QSseSubscriber::RemovalReason reason);
    void handleDisconnected(QSseConnection *connection);

    void sendKeepAlive(QSseConnection *connection, qint64 now);

    void scheduleCheck();
    void check();
    void removeStalled(qint64 now);
    void removeOutrun();
    void endExpired(qint64 now);

    const std::shared_ptr<const QSseEventLog> m_log;
    const std::shared_ptr<Counters> m_counters;
    Settings m_settings;
    QAbstractEventDispatcher *m_dispatcher = nullptr;
    QMutex *m_awake = nullptr;
    QSseInbox<Item> m_inbox;
    std::vector<Item> m_items;              // kept for its memory
    std::atomic<qint64> m_waitingBytes = 0; // of the events not delivered
    quint64 m_position;                     // of the last event delivered

    std::unordered_map<quint64, std::unique_ptr<QSseConnection>> m_connections;
    // Groups belong to their members; an empty one is taken out of all of these.
    QHash<QSseGroupKey, std::weak_ptr<QSseGroup>> m_sharedGroups;
    QSseTopicIndex m_index;
    std::vector<QSseGroup *> m_dirty; // groups with something pending
    // What is being sent; kept for their memory.
    std::vector<QSseLoggedEventPointer> m_sending;
    QByteArray m_joined;

    QElapsedTimer m_clock;
    QTimer m_restTimer;
    QSseKeepAlive m_keepAlive;

    // Looked at now and then, by the timer.
    QTimer m_checkTimer;
    QHash<QSseConnection *, Progress> m_queued;      // those for whom something waits
    QSet<QSseConnection *> m_lapsed;                 // those that were live and read too slowly
    std::set<std::pair<qint64, quint64>> m_expiries; // ms of the clock, and of which subscriber
};

#endif // QSSESHARD_P_H
