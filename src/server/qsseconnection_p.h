// SPDX-License-Identifier: MIT
#ifndef QSSECONNECTION_P_H
#define QSSECONNECTION_P_H

#include "qsseeventlog.h"
#include "qssesubscriber.h"

#include <QtCore/QHash>
#include <QtCore/QList>
#include <QtNetwork/QTcpSocket>

#include <chrono>
#include <list>
#include <memory>
#include <optional>

struct QSseGroup;

/*! What a shard needs to begin a stream; made in the server's thread. */
struct QSseJoin
{
    QSseJoin() = default;
    ~QSseJoin();
    Q_DISABLE_COPY_MOVE(QSseJoin)

    QSseSubscriber subscriber;
    QList<QSseTopicFilter> topics;
    QList<QSseTopicFilter> grants;
    QSseEventFilter filter;
    QSseSubscriber::OverflowPolicy overflowPolicy = QSseSubscriber::OverflowPolicy::Disconnect;
    std::optional<std::chrono::milliseconds> lifetime; //!< the stream is ended after it
    std::unique_ptr<QTcpSocket> socket;                //!< plain TCP comes as a descriptor instead
    qintptr descriptor = -1;           //!< ours to close until a connection takes it
    QByteArray opening;                //!< response head and first blocks
    quint64 after = 0;                 //!< events after this position follow the opening
    quint64 idPosition = 0;            //!< the position of the last id sent, 0 for none
    quint64 droppedUpTo = 0;           //!< events dropped up to here are no news to the client
    QHash<QString, quint64> snapshots; //!< topics and up to where the opening has their events
};

/*!
    The sending end of one stream: a socket and what is queued for it. Lives in its shard's thread.
*/
class QSseConnection
{
public:
    explicit QSseConnection(std::shared_ptr<QSseJoin> join);
    ~QSseConnection();
    Q_DISABLE_COPY_MOVE(QSseConnection)

    /*! Sends \a bytes, or queues what the kernel does not take at once; answers whether the
        connection still stands. The bytes are not needed any longer then. */
    bool send(const QByteArray &bytes);
    /*! Hands \a bytes to the kernel and nobody else; answers how many it took, -1 when the
        connection is broken. Only while nothing is queued: they would overtake it. */
    qint64 sendDirectly(const QByteArray &bytes);
    /*! Whether it may be called, and for every event. */
    bool canSendDirectly() const;
    qint64 queuedBytes() const { return m_hasQueue ? countQueuedBytes() : 0; }
    /*! False when queuedBytes() is 0 for sure; costs nothing. */
    bool mayHaveQueue() const { return m_hasQueue; }
    /*! How many bytes ever left the queue: grows as long as the client reads. */
    qint64 takenBytes() const { return m_everQueued - queuedBytes(); }
    /*! Has the kernel break the connection when the peer acknowledges nothing for \a timeout. */
    void setAcknowledgeTimeout(std::chrono::milliseconds timeout);
    bool wants(const QSseLoggedEvent &event) const;

    const QSseSubscriber &subscriber() const { return m_join->subscriber; }
    quint64 id() const { return m_join->subscriber.id(); }
    QSseJoin &join() { return *m_join; }
    QTcpSocket *socket() const { return m_socket; }

    // Kept by the shard.
    std::shared_ptr<QSseGroup> group; // null while it catches up or ends
    qsizetype indexInGroup = 0;
    qint64 lastActivity = 0; // ms of the shard's clock
    int keepAliveEarly = 0;  // in parts of the interval
    std::list<QSseConnection *>::iterator activity;
    qint64 expiresAt = 0;                                // ms of the shard's clock, 0 for never
    std::optional<QSseSubscriber::RemovalReason> ending; // set once the stream is being ended

private:
    qint64 countQueuedBytes() const;

    std::shared_ptr<QSseJoin> m_join;
    QTcpSocket *m_socket = nullptr;
    int m_descriptor = -1; // of a plain TCP socket
    const bool m_hasFilter;
    qint64 m_everQueued = 0;
    mutable bool m_hasQueue = false; // or had: saves asking the socket for each event
};

#endif // QSSECONNECTION_P_H
