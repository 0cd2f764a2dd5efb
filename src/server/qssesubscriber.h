// SPDX-License-Identifier: MIT
#ifndef QSSESUBSCRIBER_H
#define QSSESUBSCRIBER_H

#include "qsse_server_export.h"
#include "qsseevent.h"
#include "qssetopicfilter.h"

#include <QtCore/QDateTime>
#include <QtCore/QList>
#include <QtCore/QSharedDataPointer>
#include <QtCore/QVariantMap>
#include <QtNetwork/QHostAddress>

#include <functional>
#include <optional>

class QSseSubscriber;
class QSseSubscriberPrivate;

/*!
    Decides for one connection whether it gets \a event, beyond what its topics say. Called in the
    thread that sends, so it must be thread-safe, quick, and must not throw.
*/
using QSseEventFilter =
    std::function<bool(const QSseEvent &event, const QSseSubscriber &subscriber)>;

/*!
    A connection to a QSseServer, as a value: it tells who it is and what it asked for, and does
    not keep the connection alive. Implicitly shared, reentrant.
*/
class QSSE_SERVER_EXPORT QSseSubscriber
{
    Q_GADGET

public:
    /*! Why a subscriber was removed. */
    enum class RemovalReason {
        ClientClosed, //!< the client ended the connection
        NetworkError, //!< the connection broke, or its other end is gone
        Overflow,     //!< it did not read fast enough, see QSseServer::maximumQueuedBytes()
        Stalled,      //!< it read nothing for QSseServer::stallTimeout()
        Expired,      //!< QSseSubscription::expiresAt, or QSseServer::maximumStreamLifetime()
        ServerClosed, //!< QSseServer::close(), or the server was destroyed
        Disconnected, //!< QSseServer::disconnectSubscriber()
    };
    Q_ENUM(RemovalReason)

    /*! What a subscriber gets once it reads again whose queue was full, see
        QSseServer::maximumQueuedBytes(). */
    enum class OverflowPolicy {
        Disconnect, //!< all it missed, from the history; it is removed, with
                    //!< RemovalReason::Overflow, when that no longer has it: it comes back with its
                    //!< last id and learns of the gap
        Conflate, //!< of each topic the newest event of those it missed
        Drop,     //!< an event "gap" in place of what it missed
    };
    Q_ENUM(OverflowPolicy)

    /*! No subscriber: id() is 0. */
    QSseSubscriber();
    QSseSubscriber(const QSseSubscriber &other);
    QSseSubscriber(QSseSubscriber &&other) noexcept;
    QSseSubscriber &operator=(const QSseSubscriber &other);
    QSseSubscriber &operator=(QSseSubscriber &&other) noexcept;
    ~QSseSubscriber();

    /*! Unique in its server, never 0 and never reused. */
    quint64 id() const;
    QHostAddress peerAddress() const;
    quint16 peerPort() const;
    QList<QSseTopicFilter> topics() const;
    /*! The id it asked to resume from, empty when it did not. */
    QString lastEventId() const;
    QVariantMap claims() const;
    /*! When it was added, UTC. */
    QDateTime connectedAt() const;

    friend bool operator==(const QSseSubscriber &a, const QSseSubscriber &b)
    {
        return a.id() == b.id();
    }
    friend bool operator!=(const QSseSubscriber &a, const QSseSubscriber &b) { return !(a == b); }

private:
    friend class QSseServerPrivate;
    QSharedDataPointer<QSseSubscriberPrivate> d;
};

/*! What a connection asks for; plain data, filled in by whoever parsed the request. */
struct QSseSubscription
{
    QList<QSseTopicFilter> topics; //!< at least one; all must be valid
    QString
        lastEventId = {}; //!< where the client resumes; empty for "now", "earliest" for all kept
    QSseEventFilter filter = {}; //!< the per-connection matcher; none takes everything
    QVariantMap claims = {};     //!< what is known of the client; kept for QSseSubscriber::claims()
    QSseEvent firstEvent = {};   //!< sent before everything else, on every connect; none when null
    QList<QPair<QByteArray, QByteArray>> responseHeaders = {}; //!< sent as they are
    QList<QSseTopicFilter> grants = {}; //!< of QSseServer::privateTopics(), those it may see
    QDateTime expiresAt = {};           //!< when the stream is ended; never unless valid
    std::optional<QSseSubscriber::OverflowPolicy>
        overflowPolicy = {}; //!< in place of QSseServer::overflowPolicy()
};

#endif // QSSESUBSCRIBER_H
