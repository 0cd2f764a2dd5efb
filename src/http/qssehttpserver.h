// SPDX-License-Identifier: MIT
#ifndef QSSEHTTPSERVER_H
#define QSSEHTTPSERVER_H

#include "qsse_httpserver_export.h"
#include "qsseaccess.h"
#include "qssetopicfilter.h"

#include <QtCore/QList>
#include <QtCore/QObject>
#include <QtCore/QStringList>
#include <QtHttpServer/QHttpServer>
#include <QtNetwork/QHostAddress>

#if QT_CONFIG(ssl)
#include <QtNetwork/QSslConfiguration>
#endif

#include <chrono>
#include <memory>
#include <utility>

class QSseHttpServer;
class QSseHttpServerPrivate;
class QSseServer;

/*!
    A QHttpServer that serves the streams of a QSseServer and takes events to publish.

    Add event streams, publish endpoints and, with route(), any other route. It lives in the thread
    of its QSseServer, which must outlive it. (QHttpServer is a final class, so this holds one
    instead of being one.)
*/
class QSSE_HTTPSERVER_EXPORT QSseHttpServer : public QObject
{
    Q_OBJECT
    Q_PROPERTY(QStringList allowedOrigins READ allowedOrigins WRITE setAllowedOrigins NOTIFY
                   allowedOriginsChanged)
    Q_PROPERTY(
        QStringList allowedHosts READ allowedHosts WRITE setAllowedHosts NOTIFY allowedHostsChanged)
    Q_PROPERTY(QString tokenCookie READ tokenCookie WRITE setTokenCookie NOTIFY tokenCookieChanged)
    Q_PROPERTY(int maximumHeadSize READ maximumHeadSize WRITE setMaximumHeadSize NOTIFY
                   maximumHeadSizeChanged)
    Q_PROPERTY(int maximumBodySize READ maximumBodySize WRITE setMaximumBodySize NOTIFY
                   maximumBodySizeChanged)
    Q_PROPERTY(int maximumConnections READ maximumConnections WRITE setMaximumConnections NOTIFY
                   maximumConnectionsChanged)
    Q_PROPERTY(std::chrono::milliseconds requestTimeout READ requestTimeout WRITE setRequestTimeout
                   NOTIFY requestTimeoutChanged)
    Q_PROPERTY(std::chrono::milliseconds idleTimeout READ idleTimeout WRITE setIdleTimeout NOTIFY
                   idleTimeoutChanged)
    Q_PROPERTY(std::chrono::milliseconds writeTimeout READ writeTimeout WRITE setWriteTimeout NOTIFY
                   writeTimeoutChanged)

public:
    /*! How many connections may wait to be accepted: Qt's default of 50 turns bursts away. */
    static constexpr int ListenBacklog = 4096;

    explicit QSseHttpServer(QSseServer *server, QObject *parent = nullptr);
    ~QSseHttpServer() override;

    QSseServer *sseServer() const;
    /*! The server behind this, for what is not wrapped here. */
    QHttpServer *httpServer() const;

    /*! Serves event streams at \a path: `GET path?topic=FILTER&topic=FILTER…`, resuming after the
        Last-Event-ID header or the query parameter lastEventId (or last_event_id). In the query,
        here and in all endpoints, a space is written %20; a + means itself, and not a space as in
        what forms send.

        Answers 400 for a bad filter, 401 and 403 as the authorizer says, 404 for an unknown topic
        of a strict server, 405 for other methods, 406 when Accept excludes text/event-stream, 421
        for a host that is not allowed, 503 when the server is full; each with a line of text that
        says why. */
    bool addEventStream(const QString &path);
    /*! The same with \a topics fixed here instead of named by the client. */
    bool addEventStream(const QString &path, const QList<QSseTopicFilter> &topics);

    /*! Takes events at \a path.

        `POST path/TOPIC` publishes the body as the data under TOPIC, with event, id and retry as
        query parameters, and answers the event's id as text. `POST path` takes one JSON object
        {topic, data, event, id, retry, comment} or an array of them, publishes all or none, and
        answers a JSON array of their ids; data that is no string is sent as compact JSON.

        Who may publish is for the authorizer to say; without one, who has the publish key; without
        that, whoever reaches the server, as long as it listens on loopback addresses only.

        Answers 400 for what is not valid, 401 and 403 for who may not publish, which a browser's
        request from an origin that is not allowed may not either, 404 for an unknown topic of a
        strict server, 405 for other methods, 413 for too large a body, 421 for a host that is not
        allowed. Nothing is published then. With a durable log the answer comes when the events are
        stored; 507 tells that they were published, and that some are not stored. */
    bool addPublishEndpoint(const QString &path);

    /*! Adds a route, with the arguments of QHttpServer::route(). */
    template<typename... Args> bool route(Args &&...args)
    {
        return bool(httpServer()->route(std::forward<Args>(args)...));
    }

    /*! The origins, such as \c https://example.org, whose pages may use the endpoints (CORS); a
        single \c * for all, which then get no credentials. Empty, the default, for none but the
        server's own. */
    QStringList allowedOrigins() const;
    void setAllowedOrigins(const QStringList &origins);
    /*! The names, without a port, that the Host header of requests to the endpoints may have, such
        as \c example.org, \c 192.0.2.1 or \c [2001:db8::1]; a single \c * for any. Empty, the
        default, for any too, unless the server listens on loopback addresses only: then for
        \c localhost, names that end in \c .localhost, and loopback addresses, so that no page
        gets at it by a name of its own that leads here (DNS rebinding). A proxy that passes the
        public name on therefore needs this set. Requests without the header, which no browser
        sends, are always served; routes of your own look after themselves. */
    QStringList allowedHosts() const;
    void setAllowedHosts(const QStringList &hosts);

    /*! Has \a authorizer asked about every event stream and every request to publish; an empty
        one, the default, lets everybody subscribe. It is given the token of the request: from the
        header `Authorization: Bearer TOKEN`, a cookie or the query parameter access_token, which
        ends up in the logs of proxies and is only for who can set neither. Two that differ are
        400.

        A token in nothing but a cookie publishes only with an Origin header that names this server
        or is listed in allowedOrigins(). Answers to who has none or a bad one have a
        WWW-Authenticate header as RFC 6750 wants it.

        No token is logged here. Qt HttpServer itself logs whole requests when its categories, those
        that begin with qt.httpserver, are on for debug messages, which by default they are not. */
    void setAuthorizer(const QSseAuthorizer &authorizer);
    /*! What a request to publish must bring as its token, see setAuthorizer(), while there is no
        authorizer: printable ASCII without spaces, commas and semicolons, long and random. Empty,
        the default, for no such key. */
    void setPublishKey(const QByteArray &key);
    /*! The name of the cookie that may have the token; \c qsse_token. Empty for none. */
    QString tokenCookie() const;
    void setTokenCookie(const QString &name);

    // Limits of all connections that are not streams yet. Those of requests hold for connections
    // that come after they are set.

    /*! The most bytes of a request's line and header fields, and of what follows a body that comes
        in chunks; 16 KiB. A longer request line is answered with 414, more fields, or more than
        96, with 431. */
    int maximumHeadSize() const;
    void setMaximumHeadSize(int bytes);
    /*! The most bytes of a request's body, of any route; 1 MiB. A longer one is answered with 413
        as soon as its length is known. All that is being read together may have 64 MiB; beyond it
        503. */
    int maximumBodySize() const;
    void setMaximumBodySize(int bytes);
    /*! The most connections; 4,096. Beyond it the one that waits longest for a further request is
        closed, or, when there is none, the new one is answered with 503. */
    int maximumConnections() const;
    void setMaximumConnections(int count);
    /*! How long a request may take from its first byte to its last, the first one of a connection
        from its beginning, with the handshake of TLS; 10 s, 0 for ever. Then it is answered with
        408. A connection on which nothing came is closed without an answer. */
    std::chrono::milliseconds requestTimeout() const;
    void setRequestTimeout(std::chrono::milliseconds timeout);
    /*! How long a connection is kept for a further request; 60 s, 0 for ever. */
    std::chrono::milliseconds idleTimeout() const;
    void setIdleTimeout(std::chrono::milliseconds timeout);
    /*! How long a client may read nothing of what it is answered; 30 s, 0 for ever. Then the
        connection is cut. */
    std::chrono::milliseconds writeTimeout() const;
    void setWriteTimeout(std::chrono::milliseconds timeout);

    /*! Listens on \a address and \a port, 0 for any free one, and returns the port; 0 with
        errorString() when it cannot. */
    quint16 listen(const QHostAddress &address = QHostAddress::Any, quint16 port = 0);
#if QT_CONFIG(ssl)
    /*! The same for TLS, with \a configuration, which has the certificate and its key. HTTP/1.1
        is spoken, not HTTP/2. */
    quint16 listen(const QHostAddress &address, quint16 port,
                   const QSslConfiguration &configuration);
#endif
    /*! Why the last listen() failed. */
    QString errorString() const;
    /*! The ports listened on. */
    QList<quint16> serverPorts() const;
    /*! Stops listening; open streams go on. */
    void close();

Q_SIGNALS:
    void allowedOriginsChanged();
    void allowedHostsChanged();
    void tokenCookieChanged();
    void maximumHeadSizeChanged();
    void maximumBodySizeChanged();
    void maximumConnectionsChanged();
    void requestTimeoutChanged();
    void idleTimeoutChanged();
    void writeTimeoutChanged();

private:
    std::unique_ptr<QSseHttpServerPrivate> d;
};

#endif // QSSEHTTPSERVER_H
