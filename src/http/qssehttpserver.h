// SPDX-License-Identifier: MIT
#ifndef QSSEHTTPSERVER_H
#define QSSEHTTPSERVER_H

#include "qsse_httpserver_export.h"
#include "qssetopicfilter.h"

#include <QtCore/QList>
#include <QtCore/QObject>
#include <QtCore/QStringList>
#include <QtHttpServer/QHttpServer>
#include <QtNetwork/QHostAddress>

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
    Q_PROPERTY(int maximumBodySize READ maximumBodySize WRITE setMaximumBodySize NOTIFY
                   maximumBodySizeChanged)

public:
    /*! How many connections may wait to be accepted: Qt's default of 50 turns bursts away. */
    static constexpr int ListenBacklog = 4096;

    explicit QSseHttpServer(QSseServer *server, QObject *parent = nullptr);
    ~QSseHttpServer() override;

    QSseServer *sseServer() const;
    /*! The server behind this, for what is not wrapped here. */
    QHttpServer *httpServer() const;

    /*! Serves event streams at \a path: `GET path?topic=FILTER&topic=FILTER…`, resuming after the
        Last-Event-ID header or the query parameter lastEventId (or last_event_id).

        Answers 400 for a bad filter, 404 for an unknown topic of a strict server, 405 for other
        methods, 406 when Accept excludes text/event-stream, 503 when the server is full; each
        with a line of text that says why. */
    bool addEventStream(const QString &path);
    /*! The same with \a topics fixed here instead of named by the client. */
    bool addEventStream(const QString &path, const QList<QSseTopicFilter> &topics);

    /*! Takes events at \a path.

        `POST path/TOPIC` publishes the body as the data under TOPIC, with event, id and retry as
        query parameters, and answers the event's id as text. `POST path` takes one JSON object
        {topic, data, event, id, retry, comment} or an array of them, publishes all or none, and
        answers a JSON array of their ids; data that is no string is sent as compact JSON.

        Answers 400 for what is not valid, 403 for a browser's request from an origin that is not
        allowed, 404 for an unknown topic of a strict server, 405 for other methods, 413 for too
        large a body. There is no authentication: whoever reaches the port may publish. */
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
    /*! The most bytes a body to publish may have; 1 MiB. */
    int maximumBodySize() const;
    void setMaximumBodySize(int bytes);

    /*! Listens on \a address and \a port, 0 for any free one, and returns the port; 0 with
        errorString() when it cannot. */
    quint16 listen(const QHostAddress &address = QHostAddress::Any, quint16 port = 0);
    /*! Why the last listen() failed. */
    QString errorString() const;
    /*! The ports listened on. */
    QList<quint16> serverPorts() const;
    /*! Stops listening; open streams go on. */
    void close();

Q_SIGNALS:
    void allowedOriginsChanged();
    void maximumBodySizeChanged();

private:
    std::unique_ptr<QSseHttpServerPrivate> d;
};

#endif // QSSEHTTPSERVER_H
