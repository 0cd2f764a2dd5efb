// SPDX-License-Identifier: MIT
#include "qssehttpserver.h"
#include "qsseafterstoring_p.h"
#include "qsseconnectionguard_p.h"
#include "qsseeventlog.h"
#include "qssegate_p.h"
#include "qsselistener_p.h"
#include "qssepublishbody_p.h"
#include "qssestream.h"
#include "qssestream_p.h"
#include "qssesubscriberequest_p.h"

#include <QtCore/QJsonArray>
#include <QtCore/QJsonDocument>
#include <QtCore/QLoggingCategory>
#include <QtCore/QRegularExpression>
#include <QtCore/QTimer>
#include <QtCore/QUrlQuery>

Q_LOGGING_CATEGORY(lcHttp, "qsse.http", QtInfoMsg)

using namespace std::chrono_literals;
using Wait = QSseConnectionGuard::Wait;
using Method = QSseHttpExchange::Method;
using Status = QSseHttpExchange::Status;

class QSseHttpServerPrivate
{
public:
    bool isOnLoopback() const;
    QSseHeaders corsHeaders(const QSseHttpExchange &exchange, const QByteArray &methods) const;

    void serveStream(QSseHttpExchange &exchange, const QList<QSseTopicFilter> &topics);
    void servePublish(QSseHttpExchange &exchange, const QString &topic);
    void answerPublished(QSseHttpExchange &exchange, const QSseHeaders &headers,
                         const QByteArray &type, const QByteArray &ids);
    template<typename Serve> bool addRoute(const QString &pattern, Serve serve);
    quint16 listen(std::unique_ptr<QSseListener> tcp, const QHostAddress &address, quint16 port);

    QSseHttpServer *q = nullptr;
    QSseServer *server = nullptr;
    QSseConnectionGuard guard; // outlives the connections
    QHttpServer http;
    QSseAfterStoring afterStoring; // its answers go before the connections
    QSseGate gate;
    QString errorString;
};

// Adds a route for all methods; serve is given each exchange.
template<typename Serve> bool QSseHttpServerPrivate::addRoute(const QString &pattern, Serve serve)
{

    return bool(http.route(
        pattern, [this, serve](const QHttpServerRequest &request, QSse::Responder responder) {
            QSseHttpExchange exchange(&http, request, std::move(responder));
            serve(exchange);
        }));
}

// Whether nobody but this machine reaches us. With no listener left nothing is known of that.
bool QSseHttpServerPrivate::isOnLoopback() const
{
    bool isListening = false;
    // Not servers(), which looks through all connections too.
    const auto servers = http.findChildren<QTcpServer *>(QString(), Qt::FindDirectChildrenOnly);
    for (const QTcpServer *server : servers) {
        if (server->isListening() && !server->serverAddress().isLoopback())
            return false;
        isListening = isListening || server->isListening();
    }
    return isListening;
}

QSseHeaders QSseHttpServerPrivate::corsHeaders(const QSseHttpExchange &exchange,
                                               const QByteArray &methods) const
{
    if (gate.allowedOrigins.isEmpty())
        return {};
    QSseHeaders headers { { "Vary", "Origin" } };
    const QByteArray origin = exchange.header("Origin");
    if (origin.isEmpty() || !gate.isAllowed(origin))
        return headers;
    if (gate.allowedOrigins.contains(QLatin1String("*"))) {
        headers.emplaceBack("Access-Control-Allow-Origin", "*");
    } else {
        headers.emplaceBack("Access-Control-Allow-Origin", origin);
        headers.emplaceBack("Access-Control-Allow-Credentials", "true");
    }
    if (exchange.method() == Method::Options) {
        headers.emplaceBack("Access-Control-Allow-Methods", methods);
        headers.emplaceBack("Access-Control-Allow-Headers",
                            "Last-Event-ID, Cache-Control, Content-Type, Authorization");
        headers.emplaceBack("Access-Control-Max-Age", "86400");
    }
    return headers;
}

void QSseHttpServerPrivate::serveStream(QSseHttpExchange &exchange,
                                        const QList<QSseTopicFilter> &topics)
{
    if (!gate.admitHost(exchange, isOnLoopback()))
        return;
    QSseHeaders headers = corsHeaders(exchange, "GET, HEAD");
    if (!QSsePrivate::admitStream(exchange, headers))
        return;
    QSseSubscription subscription { topics.isEmpty()
                                        ? QSseSubscribeRequest::topics(exchange.request().query())
                                        : topics };
    if (gate.admitSubscriber(exchange, *server, &subscription, &headers))
        QSsePrivate::openStream(*server, exchange, std::move(subscription), headers);
}

// Publishes what the request has: under topic, or under those that its JSON names when topic is
// a null string.
void QSseHttpServerPrivate::servePublish(QSseHttpExchange &exchange, const QString &topic)
{
    const bool onLoopback = isOnLoopback();
    if (!gate.admitHost(exchange, onLoopback))
        return;
    QSseHeaders headers = corsHeaders(exchange, "POST");
    if (exchange.method() != Method::Post) {
        QSsePrivate::refuseMethod(exchange, "POST", headers);
        return;
    }
    if (!gate.admitPublisher(exchange, onLoopback, &headers))
        return;
    const QByteArray body = exchange.request().body();
    if (body.size() > guard.limits().bodySize) {
        exchange.refuse(
            Status::PayloadTooLarge,
            QSseHttpServer::tr("The body has more than %1 bytes").arg(guard.limits().bodySize),
            headers);
        return;
    }
    const QSsePublishBody parsed = topic.isNull()
        ? QSsePublishBody::fromJson(body)
        : QSsePublishBody::fromText(topic, exchange.request().query(), body);
    if (!parsed.error.isEmpty()) {
        exchange.refuse(Status::BadRequest, parsed.error, headers);
        return;
    }
    if (!gate.admitTopics(exchange, parsed.topics(), &headers))
        return;
    if (const auto refusal = server->refusal(parsed.events)) {
        QSsePrivate::refuse(exchange, *server, *refusal, headers);
        return;
    }

    const QStringList ids = server->notify(parsed.events);
    if (topic.isNull()) {
        answerPublished(
            exchange, headers, "application/json",
            QJsonDocument(QJsonArray::fromStringList(ids)).toJson(QJsonDocument::Compact));
    } else {
        answerPublished(exchange, headers, "text/plain; charset=utf-8", ids.value(0).toUtf8());
    }
}

// The answer means that the events outlive us, if any do.
void QSseHttpServerPrivate::answerPublished(QSseHttpExchange &exchange, const QSseHeaders &headers,
                                            const QByteArray &type, const QByteArray &ids)
{
    const QSseHeaders withType = headers + QSseHeaders { { "Content-Type", type } };
    const std::shared_ptr<QSseEventLog> log = server->eventLog();
    if (!log->isDurable()) {
        exchange.respond(Status::Ok, withType, ids);
        return;
    }
    const std::shared_ptr<QSseHttpExchange> later = exchange.detach();
    afterStoring.call(log.get(), [later, headers, withType, ids](const QString &error) {
        if (error.isEmpty())
            later->respond(Status::Ok, withType, ids);
        else
            later->refuse(Status::InsufficientStorage,
                          QSseHttpServer::tr("The events were sent, but are not stored"), headers);
    });
}

QSseHttpServer::QSseHttpServer(QSseServer *server, QObject *parent)
    : QObject(parent), d(new QSseHttpServerPrivate)
{
    d->q = this;
    d->server = server;
    d->guard.setParent(this); // follows it into another thread
    d->http.setParent(this);
    d->afterStoring.setParent(this);
}

QSseHttpServer::~QSseHttpServer() = default;

QSseServer *QSseHttpServer::sseServer() const
{
    return d->server;
}

QHttpServer *QSseHttpServer::httpServer() const
{
    return &d->http;
}

bool QSseHttpServer::addEventStream(const QString &path)
{
    return addEventStream(path, {});
}

bool QSseHttpServer::addEventStream(const QString &path, const QList<QSseTopicFilter> &topics)
{
    return d->addRoute(
        QRegularExpression::escape(path),
        [d = d.get(), topics](QSseHttpExchange &exchange) { d->serveStream(exchange, topics); });
}

bool QSseHttpServer::addPublishEndpoint(const QString &path)
{
    // Everything after the path and a slash is the topic, its slashes too.
    const QString prefix = path + QLatin1Char('/');
    const auto serveTopic = [d = d.get(), prefix](QSseHttpExchange &exchange) {
        const QString topic = exchange.request().url().path(QUrl::FullyDecoded).mid(prefix.size());
        d->servePublish(exchange, topic.isNull() ? QString(QLatin1String("")) : topic);
    };
    const auto serveJson = [d = d.get()](QSseHttpExchange &exchange) {
        d->servePublish(exchange, QString());
    };
    return d->addRoute(QRegularExpression::escape(path), serveJson)
        && d->addRoute(QRegularExpression::escape(prefix) + QLatin1String("[\\s\\S]*"), serveTopic);
}

QStringList QSseHttpServer::allowedOrigins() const
{
    return d->gate.allowedOrigins;
}

void QSseHttpServer::setAllowedOrigins(const QStringList &origins)
{
    if (d->gate.allowedOrigins == origins)
        return;
    d->gate.allowedOrigins = origins;
    Q_EMIT allowedOriginsChanged();
}

QStringList QSseHttpServer::allowedHosts() const
{
    return d->gate.allowedHosts;
}

void QSseHttpServer::setAllowedHosts(const QStringList &hosts)
{
    if (d->gate.allowedHosts == hosts)
        return;
    d->gate.allowedHosts = hosts;
    Q_EMIT allowedHostsChanged();
}

void QSseHttpServer::setAuthorizer(const QSseAuthorizer &authorizer)
{
    d->gate.authorizer = authorizer;
}

void QSseHttpServer::setPublishKey(const QByteArray &key)
{
    d->gate.publishKey = key;
}

QString QSseHttpServer::tokenCookie() const
{
    return d->gate.tokenCookie;
}

void QSseHttpServer::setTokenCookie(const QString &name)
{
    if (d->gate.tokenCookie == name)
        return;
    d->gate.tokenCookie = name;
    Q_EMIT tokenCookieChanged();
}

int QSseHttpServer::maximumHeadSize() const
{
    return d->guard.limits().headSize;
}

void QSseHttpServer::setMaximumHeadSize(int bytes)
{
    bytes = qMax(bytes, 1);
    if (maximumHeadSize() == bytes)
        return;
    d->guard.setHeadSize(bytes);
    Q_EMIT maximumHeadSizeChanged();
}

int QSseHttpServer::maximumBodySize() const
{
    return d->guard.limits().bodySize;
}

void QSseHttpServer::setMaximumBodySize(int bytes)
{
    bytes = qMax(bytes, 0);
    if (maximumBodySize() == bytes)
        return;
    d->guard.setBodySize(bytes);
    Q_EMIT maximumBodySizeChanged();
}

int QSseHttpServer::maximumConnections() const
{
    return d->guard.limits().connections;
}

void QSseHttpServer::setMaximumConnections(int count)
{
    count = qMax(count, 1);
    if (maximumConnections() == count)
        return;
    d->guard.setConnections(count);
    Q_EMIT maximumConnectionsChanged();
}

std::chrono::milliseconds QSseHttpServer::requestTimeout() const
{
    return d->guard.timeout(Wait::Request);
}

void QSseHttpServer::setRequestTimeout(std::chrono::milliseconds timeout)
{
    timeout = qMax(timeout, 0ms);
    if (requestTimeout() == timeout)
        return;
    d->guard.setTimeout(Wait::Request, timeout);
    Q_EMIT requestTimeoutChanged();
}

std::chrono::milliseconds QSseHttpServer::idleTimeout() const
{
    return d->guard.timeout(Wait::Idle);
}

void QSseHttpServer::setIdleTimeout(std::chrono::milliseconds timeout)
{
    timeout = qMax(timeout, 0ms);
    if (idleTimeout() == timeout)
        return;
    d->guard.setTimeout(Wait::Idle, timeout);
    Q_EMIT idleTimeoutChanged();
}

std::chrono::milliseconds QSseHttpServer::writeTimeout() const
{
    return d->guard.timeout(Wait::Writing);
}

void QSseHttpServer::setWriteTimeout(std::chrono::milliseconds timeout)
{
    timeout = qMax(timeout, 0ms);
    if (writeTimeout() == timeout)
        return;
    d->guard.setTimeout(Wait::Writing, timeout);
    Q_EMIT writeTimeoutChanged();
}

quint16 QSseHttpServer::listen(const QHostAddress &address, quint16 port)
{
    return d->listen(std::make_unique<QSseListener>(&d->guard), address, port);
}

#if QT_CONFIG(ssl)
quint16 QSseHttpServer::listen(const QHostAddress &address, quint16 port,
                               const QSslConfiguration &configuration)
{
    auto tcp = std::make_unique<QSseListener>(&d->guard);
    tcp->setTls(configuration);
    return d->listen(std::move(tcp), address, port);
}
#endif

quint16 QSseHttpServerPrivate::listen(std::unique_ptr<QSseListener> tcp,
                                      const QHostAddress &address, quint16 port)
{
    tcp->setListenBacklogSize(QSseHttpServer::ListenBacklog);
    if (!tcp->listen(address, port)) {
        errorString = tcp->errorString();
        qCWarning(lcHttp, "cannot listen on %ls port %d: %ls", qUtf16Printable(address.toString()),
                  int(port), qUtf16Printable(errorString));
        return 0;
    }
    const quint16 bound = tcp->serverPort();
    http.bind(tcp.release()); // which makes itself the parent
    return bound;
}

QString QSseHttpServer::errorString() const
{
    return d->errorString;
}

QList<quint16> QSseHttpServer::serverPorts() const
{
    QList<quint16> ports = d->http.serverPorts();
    ports.removeAll(0); // those that are closed
    return ports;
}

void QSseHttpServer::close()
{
    const QList<QTcpServer *> servers = d->http.servers();
    for (QTcpServer *server : servers) {
        if (auto *listener = qobject_cast<QSseListener *>(server))
            listener->close();
        else
            server->close();
        // The connections go with it, and a request on one may have called us: it is answered
        // first.
        QTimer::singleShot(0, server, &QObject::deleteLater);
    }
}
