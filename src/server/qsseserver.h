// SPDX-License-Identifier: MIT
#ifndef QSSESERVER_H
#define QSSESERVER_H

#include "qsse_server_export.h"
#include "qsseevent.h"
#include "qssesubscriber.h"
#include "qssetopicfilter.h"

#include <QtCore/QList>
#include <QtCore/QMap>
#include <QtCore/QObject>
#include <QtCore/QStringList>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

class QSseEventLog;
class QSseServerPrivate;
class QSseTopic;
class QTcpSocket;

/*!
    Pushes events to subscribers over Server-Sent Events streams (WHATWG HTML §9.2).

    Publish with notify(), from any thread; everything else is called in the thread the server
    lives in, which needs an event loop. Sockets come from addSubscriber(), usually by way of
    QSseHttpServer or QSse::stream().

    Every event gets a position, and each subscriber sees the events of its topics in that order,
    each once, whether replayed or live. The latest events of each topic are kept, and a client
    that reconnects with a Last-Event-ID gets what it missed.
*/
class QSSE_SERVER_EXPORT QSseServer : public QObject
{
    Q_OBJECT
    Q_PROPERTY(std::chrono::milliseconds keepAliveInterval READ keepAliveInterval WRITE
                   setKeepAliveInterval NOTIFY keepAliveIntervalChanged)
    Q_PROPERTY(
        int workerThreads READ workerThreads WRITE setWorkerThreads NOTIFY workerThreadsChanged)
    Q_PROPERTY(std::chrono::milliseconds retryInterval READ retryInterval WRITE setRetryInterval
                   NOTIFY retryIntervalChanged)
    Q_PROPERTY(int historySize READ historySize WRITE setHistorySize NOTIFY historySizeChanged)
    Q_PROPERTY(std::chrono::milliseconds historyAge READ historyAge WRITE setHistoryAge NOTIFY
                   historyAgeChanged)
    Q_PROPERTY(qint64 maximumHistoryBytes READ maximumHistoryBytes WRITE setMaximumHistoryBytes
                   NOTIFY maximumHistoryBytesChanged)
    Q_PROPERTY(qint64 maximumQueuedBytes READ maximumQueuedBytes WRITE setMaximumQueuedBytes NOTIFY
                   maximumQueuedBytesChanged)
    Q_PROPERTY(int maximumEventSize READ maximumEventSize WRITE setMaximumEventSize NOTIFY
                   maximumEventSizeChanged)
    Q_PROPERTY(
        int maximumTopics READ maximumTopics WRITE setMaximumTopics NOTIFY maximumTopicsChanged)
    Q_PROPERTY(int maximumSubscribers READ maximumSubscribers WRITE setMaximumSubscribers NOTIFY
                   maximumSubscribersChanged)
    Q_PROPERTY(int maximumSubscribersPerAddress READ maximumSubscribersPerAddress WRITE
                   setMaximumSubscribersPerAddress NOTIFY maximumSubscribersPerAddressChanged)
    Q_PROPERTY(
        int maximumFilters READ maximumFilters WRITE setMaximumFilters NOTIFY maximumFiltersChanged)
    Q_PROPERTY(int maximumTopicSize READ maximumTopicSize WRITE setMaximumTopicSize NOTIFY
                   maximumTopicSizeChanged)
    Q_PROPERTY(std::chrono::milliseconds maximumStreamLifetime READ maximumStreamLifetime WRITE
                   setMaximumStreamLifetime NOTIFY maximumStreamLifetimeChanged)
    Q_PROPERTY(std::chrono::milliseconds stallTimeout READ stallTimeout WRITE setStallTimeout NOTIFY
                   stallTimeoutChanged)
    Q_PROPERTY(QSseSubscriber::OverflowPolicy overflowPolicy READ overflowPolicy WRITE
                   setOverflowPolicy NOTIFY overflowPolicyChanged)
    Q_PROPERTY(QList<QSseTopicFilter> privateTopics READ privateTopics WRITE setPrivateTopics NOTIFY
                   privateTopicsChanged)
    Q_PROPERTY(bool strict READ isStrict WRITE setStrict NOTIFY strictChanged)
    Q_PROPERTY(int subscriberCount READ subscriberCount NOTIFY subscriberCountChanged)

public:
    /*! What was refused; the event or subscriber concerned is dropped, all others go on. */
    enum class Error {
        InvalidEvent,       //!< QSseEvent::error() is set
        EventTooLarge,      //!< the event exceeds maximumEventSize()
        InvalidTopic,       //!< the topic's name is no valid one, see QSseTopicFilter::topicError()
        UnknownTopic,       //!< the server is strict and the topic is not registered
        TooManyTopics,      //!< a new topic would exceed maximumTopics()
        InvalidFilter,      //!< a subscription has no topic filter, an invalid one or too many
        PrivateTopic,       //!< a subscription names a private topic it has no grant for
        TooManySubscribers, //!< one more would exceed maximumSubscribers()
        TooManyFromAddress, //!< one more would exceed maximumSubscribersPerAddress()
        InvalidSocket,      //!< the socket handed over is not connected
        LogFailed,          //!< the event log could not store what was published
        Closed,             //!< the server is closing
    };
    Q_ENUM(Error)

    explicit QSseServer(QObject *parent = nullptr);
    /*! Cuts every stream at once and never blocks; close() is the polite way. */
    ~QSseServer() override;

    /*! How long a stream may be silent before a comment is sent, so that proxies and dead-peer
        detection see life; every event starts it anew. 15 s, or the milliseconds that the
        environment variable SSE_KEEP_ALIVE_IN_MS has; 0 for never. Each comment comes up to an
        eighth early, at random, so that idle subscribers do not all wake the server at once. */
    std::chrono::milliseconds keepAliveInterval() const;
    void setKeepAliveInterval(std::chrono::milliseconds interval);

    /*! How many threads send to subscribers, so that whatever happens in the server's own thread
        delays no stream and the other way round; 1, at most 64. 0 sends in the server's thread,
        where with Qt's event dispatcher each event costs a look at all sockets.
        Cannot be changed while there are subscribers. Sockets that cannot move to another thread
        are served in the server's in any case, see addSubscriber(). */
    int workerThreads() const;
    void setWorkerThreads(int count);

    /*! The `retry:` that opens every stream: how long a client waits before it reconnects. 2 s. */
    std::chrono::milliseconds retryInterval() const;
    void setRetryInterval(std::chrono::milliseconds interval);

    /*! Where events are kept, of which the properties below are settings; a QSseMemoryLog unless
        another is set, which must be done before anything is published or subscribed to. The
        server and its threads share it. Null is refused. */
    std::shared_ptr<QSseEventLog> eventLog() const;
    void setEventLog(const std::shared_ptr<QSseEventLog> &log);
    /*! How many events of each topic are kept for clients that resume; 1000, 0 for none. A topic
        may differ, see QSseTopic::setRetention(). */
    int historySize() const;
    void setHistorySize(int events);
    /*! How long events are kept for that; 0, the default, for as long as there is room. */
    std::chrono::milliseconds historyAge() const;
    void setHistoryAge(std::chrono::milliseconds age);
    /*! The most bytes kept over all topics; 64 MiB. Beyond it the oldest event of all goes first.
     */
    qint64 maximumHistoryBytes() const;
    void setMaximumHistoryBytes(qint64 bytes);

    /*! The most unsent bytes that wait for one subscriber; 1 MiB. Beyond it no more are queued, but
        the subscriber reads on from the history as it can; overflowPolicy() decides what it gets
        then. */
    qint64 maximumQueuedBytes() const;
    void setMaximumQueuedBytes(qint64 bytes);
    /*! What a subscriber gets that reads too slowly; OverflowPolicy::Disconnect unless a
        QSseSubscription has its own. For subscribers added later. */
    QSseSubscriber::OverflowPolicy overflowPolicy() const;
    void setOverflowPolicy(QSseSubscriber::OverflowPolicy policy);
    /*! How long a subscriber for whom something waits may take none of it, and a peer may leave
        what was sent unacknowledged (TCP_USER_TIMEOUT, on Linux, for subscribers added later),
        before it is removed; 30 s, 0 for as long as the network lets it. */
    std::chrono::milliseconds stallTimeout() const;
    void setStallTimeout(std::chrono::milliseconds timeout);
    /*! How long a stream lasts at most; 0, the default, for no end. Each ends up to an eighth
        earlier, at random, so that not all come back at once. For subscribers added later. */
    std::chrono::milliseconds maximumStreamLifetime() const;
    void setMaximumStreamLifetime(std::chrono::milliseconds lifetime);
    /*! The most bytes the fields of an event may have together; 1 MiB. */
    int maximumEventSize() const;
    void setMaximumEventSize(int bytes);
    /*! The most topics there may be; 100,000. */
    int maximumTopics() const;
    void setMaximumTopics(int count);
    /*! The most subscribers there may be; 100,000. */
    int maximumSubscribers() const;
    void setMaximumSubscribers(int count);
    /*! The most subscribers from one address; 0, the default, for no limit: behind a proxy all come
        from one. */
    int maximumSubscribersPerAddress() const;
    void setMaximumSubscribersPerAddress(int count);
    /*! The most topic filters one subscription may have; 100. */
    int maximumFilters() const;
    void setMaximumFilters(int count);
    /*! The most bytes a topic's name may have; QSseTopicFilter::MaximumSize, which is the most. */
    int maximumTopicSize() const;
    void setMaximumTopicSize(int bytes);

    /*! Topics whose events, kept and live, only those subscribers get who have a grant for them,
       see QSseSubscription::grants: others get none of them through wildcards, and are refused when
        they ask by name. None by default. What happens in the process is not concerned. */
    QList<QSseTopicFilter> privateTopics() const;
    void setPrivateTopics(const QList<QSseTopicFilter> &filters);

    /*! Whether only registered topics, those topic() was called for, may be published and
        subscribed to by name; otherwise, the default, publishing makes a topic. */
    bool isStrict() const;
    void setStrict(bool strict);

    /*! The topic \a name, made and registered if it is new; owned by the server. Null, with
        errorOccurred(), when \a name is no valid name or there are too many topics. */
    QSseTopic *topic(const QString &name);
    /*! Whether \a name is registered or has been published under. Thread-safe. */
    bool hasTopic(const QString &name) const;
    /*! All topics' names, sorted. Thread-safe. */
    QStringList topics() const;
    /*! Forgets the topic, its history and its QSseTopic; its subscribers stay. */
    void unregisterTopic(const QString &name);

    /*! The event published under \a topic with \a id; a null event when it is not kept.
        Thread-safe. */
    QSseEvent event(const QString &topic, const QString &id) const;
    using QObject::event; // which that would hide
    /*! Up to \a maximumCount kept events of the topics that any of \a filters matches, after the
       one with \a id, or from the first kept for an empty id; in order. Nothing when \a id is not
        known, or something after it is no longer kept. Thread-safe. */
    std::optional<QList<QSseEvent>> eventsSince(const QString &id,
                                                const QList<QSseTopicFilter> &filters,
                                                int maximumCount = 1000) const;

    /*! What the server has done since it was made. */
    struct Statistics
    {
        quint64 published = 0;   //!< events taken by notify()
        quint64 deliveries = 0;  //!< events sent to subscribers, one for each of them
        quint64 subscribed = 0;  //!< subscribers added
        quint64 overflows = 0;   //!< times a subscriber's queue was full
        quint64 conflations = 0; //!< times it was sent the newest events instead of all
        quint64 drops = 0;       //!< times it was sent "gap" instead of what it missed
        QMap<QSseSubscriber::RemovalReason, quint64> removed; //!< subscribers removed, by why
    };
    Statistics statistics() const;

    int subscriberCount() const;
    QList<QSseSubscriber> subscribers() const;
    /*! Those who get the events of \a topic. */
    QList<QSseSubscriber> subscribers(const QString &topic) const;

    /*! What addSubscriber() would refuse \a subscription from \a address for, or nothing. */
    struct Refusal
    {
        Error error;
        QString text; //!< one translated line
    };
    std::optional<Refusal> refusal(const QSseSubscription &subscription,
                                   const QHostAddress &address = QHostAddress()) const;
    /*! What notify() would refuse \a events for, or nothing. Thread-safe. */
    std::optional<Refusal> refusal(const QList<QSseEvent> &events) const;

    /*! Answers the request read from \a socket with an event stream and keeps it going.

        The server takes over the connection whatever the outcome: the caller must not use
        \a socket any more. It may be deleted by its owner, at once or later; plain TCP
        connections are moved to a socket of the server's own. One with TLS moves to a worker
        thread if it has no parent, so do not call this from within a signal of such a socket, and
       is served in the server's thread if it has. Returns the new subscriber, or one with id 0 and
        errorOccurred() when it was refused; the connection is closed then. */
    QSseSubscriber addSubscriber(QTcpSocket *socket, const QSseSubscription &subscription);
    /*! Ends the stream of subscriber \a id; the client may reconnect. */
    void disconnectSubscriber(quint64 id);
    /*! Ends every stream; the clients may reconnect. */
    void disconnectAll();

    /*! Subscribes inside the process: \a handler is called for each event of the topics that
        \a filter matches, in order, in the thread of \a context, until \a context is destroyed.
        Thread-safe as QObject::connect() is. */
    QMetaObject::Connection subscribe(const QSseTopicFilter &filter, const QObject *context,
                                      std::function<void(const QSseEvent &)> handler);

    /*! Takes no more subscribers, sends what is queued and ends all streams; closed() follows
        when the last is gone, after \a grace at the latest. notify() goes on to reach the
        history and the process, not the network. */
    void close(std::chrono::milliseconds grace = std::chrono::seconds(5));

    /*! As the slot notify(), but it keeps \a event itself and not a copy, which costs less. */
    QString notify(const QString &topic, QSseEvent &&event);

public Q_SLOTS:
    /*! Publishes \a event under \a topic and returns its id: the event's own, or one made from
        its position if it has none, or brings one that this server made for another event.
        Thread-safe; never waits for the network. Returns a null string, with errorOccurred(),
        when the event is refused. */
    QString notify(const QString &topic, const QSseEvent &event);
    /*! Publishes \a events, each under its own QSseEvent::topic(): all of them, one after the
        other with nothing between, or none. Returns their ids, or nothing. Thread-safe. */
    QStringList notify(const QList<QSseEvent> &events);

Q_SIGNALS:
    /*! \a event, with topic, id and time filled in, was published; in the server's thread. What is
        published before the first receiver connects is not signalled. */
    void notified(const QSseEvent &event);
    void subscriberAdded(const QSseSubscriber &subscriber);
    /*! The queue of \a subscriber was full: it reads too slowly, see maximumQueuedBytes(). */
    void subscriberOverflowed(const QSseSubscriber &subscriber);
    void subscriberRemoved(const QSseSubscriber &subscriber, QSseSubscriber::RemovalReason reason);
    void subscriberCountChanged(int count);
    /*! All streams have ended after close(). */
    void closed();
    /*! Something was refused; \a text is one line. Emitted in the server's thread. */
    void errorOccurred(QSseServer::Error error, const QString &text);

    void keepAliveIntervalChanged();
    void workerThreadsChanged();
    void retryIntervalChanged();
    void historySizeChanged();
    void historyAgeChanged();
    void maximumHistoryBytesChanged();
    void maximumQueuedBytesChanged();
    void maximumEventSizeChanged();
    void maximumTopicsChanged();
    void maximumSubscribersChanged();
    void maximumSubscribersPerAddressChanged();
    void maximumFiltersChanged();
    void maximumTopicSizeChanged();
    void maximumStreamLifetimeChanged();
    void stallTimeoutChanged();
    void overflowPolicyChanged();
    void privateTopicsChanged();
    void strictChanged();

protected:
    void connectNotify(const QMetaMethod &signal) override;

private:
    friend class QSseTopic;
    std::unique_ptr<QSseServerPrivate> d;
};

#endif // QSSESERVER_H
