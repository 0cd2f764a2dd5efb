// SPDX-License-Identifier: MIT
#include "qssehttpserver.h"
#include "qsselistener_p.h"
#include "qssestream.h"
#include "qssestream_p.h"

#include <QtCore/QJsonArray>
#include <QtCore/QJsonDocument>
#include <QtCore/QJsonObject>
#include <QtCore/QLoggingCategory>
#include <QtCore/QRegularExpression>
#include <QtCore/QTimer>
#include <QtCore/QUrlQuery>

#include <functional>

Q_LOGGING_CATEGORY(lcHttp, "qsse.http", QtInfoMsg)

using namespace std::chrono_literals;
using Method = QSseHttpExchange::Method;
using Status = QSseHttpExchange::Status;

namespace {

/*! Events read from a request, or what is wrong with it. */
struct ParsedEvents
{
    QList<QSseEvent> events;
    QString error;
};

ParsedEvents parseError(const QString &text)
{
    return { {}, text };
}

// The event of `POST path/TOPIC?event=…&id=…&retry=…`.
ParsedEvents parsePlain(const QHttpServerRequest &request, const QString &topic)
{
    const QUrlQuery query = request.query();
    const QByteArray body = request.body();
    QSseEvent event(body.isNull() ? QByteArray("") : body);
    event.setTopic(topic);
    if (query.hasQueryItem(QStringLiteral("event")))
        event.setEvent(query.queryItemValue(QStringLiteral("event"), QUrl::FullyDecoded));
    if (query.hasQueryItem(QStringLiteral("id")))
        event.setId(query.queryItemValue(QStringLiteral("id"), QUrl::FullyDecoded));
    if (query.hasQueryItem(QStringLiteral("retry"))) {
        bool isNumber = false;
        const QString text = query.queryItemValue(QStringLiteral("retry"), QUrl::FullyDecoded);
        const uint retry = text.toUInt(&isNumber);
        if (!isNumber)
            return parseError(QSseHttpServer::tr("'retry' must be a number of milliseconds"));
        event.setRetry(std::chrono::milliseconds(retry));
    }
    return { { event }, {} };
}

// Sets a text field of event from json; answers whether json has text there, or nothing.
bool readText(const QJsonObject &json, QLatin1String name, const std::function<void(QString)> &set)
{
    const QJsonValue value = json.value(name);
    if (value.isString())
        set(value.toString());
    return value.isString() || value.isUndefined() || value.isNull();
}

QString readEvent(const QJsonValue &value, QSseEvent *event)
{
    if (!value.isObject())
        return QSseHttpServer::tr("An event must be a JSON object");
    const QJsonObject json = value.toObject();
    const QJsonValue data = json.value(QLatin1String("data"));
    if (data.isString())
        event->setData(data.toString());
    else if (!data.isUndefined())
        *event = QSseEvent::fromJson(data);

    const std::pair<QLatin1String, std::function<void(QString)>> fields[] = {
        { QLatin1String("topic"), [&](const QString &text) { event->setTopic(text); } },
        { QLatin1String("event"), [&](const QString &text) { event->setEvent(text); } },
        { QLatin1String("id"), [&](const QString &text) { event->setId(text); } },
        { QLatin1String("comment"), [&](const QString &text) { event->setComment(text); } },
    };
    for (const auto &[name, set] : fields) {
        if (!readText(json, name, set))
            return QSseHttpServer::tr("'%1' must be a string").arg(name);
    }
    if (event->topic().isEmpty())
        return QSseHttpServer::tr("'topic' is missing");

    const QJsonValue retry = json.value(QLatin1String("retry"));
    if (!retry.isUndefined() && !retry.isNull()) {
        if (retry.toInt(-1) < 0)
            return QSseHttpServer::tr("'retry' must be a number of milliseconds");
        event->setRetry(std::chrono::milliseconds(retry.toInt()));
    }
    return QString();
}

// The events of `POST path` with a JSON object or an array of them.
ParsedEvents parseJson(const QByteArray &body)
{
    QJsonParseError error;
    const QJsonDocument document = QJsonDocument::fromJson(body, &error);
    if (error.error != QJsonParseError::NoError) {
        return parseError(QSseHttpServer::tr("The body is not JSON: %1 at byte %2")
                              .arg(error.errorString())
                              .arg(error.offset));
    }
    const QJsonArray items =
        document.isArray() ? document.array() : QJsonArray { document.object() };
    if (items.isEmpty())
        return parseError(QSseHttpServer::tr("There is no event in the array"));
    ParsedEvents parsed;
    for (const QJsonValue item : items) {
        QSseEvent event;
        const QString wrong = readEvent(item, &event);
        if (!wrong.isEmpty())
            return parseError(wrong);
        parsed.events.append(event);
    }
    return parsed;
}

} // namespace

class QSseHttpServerPrivate
{
public:
    bool isAllowed(const QByteArray &origin) const;
    bool mayPublish(const QSseHttpExchange &exchange) const;
    QSseHeaders corsHeaders(const QSseHttpExchange &exchange, const QByteArray &methods) const;

    void serveStream(QSseHttpExchange &exchange, const QList<QSseTopicFilter> &topics);
    void servePublish(QSseHttpExchange &exchange, const QString &topic);
    template<typename Serve> bool addRoute(const QString &pattern, Serve serve);

    QSseHttpServer *q = nullptr;
    QSseServer *server = nullptr;
    QHttpServer http;
    QStringList allowedOrigins;
    int maximumBodySize = 1024 * 1024;
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

bool QSseHttpServerPrivate::isAllowed(const QByteArray &origin) const
{
    return allowedOrigins.contains(QLatin1String("*"))
        || allowedOrigins.contains(QString::fromUtf8(origin));
}

// A page anywhere can make a browser send us a simple POST, so the origin it names must be allowed.
bool QSseHttpServerPrivate::mayPublish(const QSseHttpExchange &exchange) const
{
    const QByteArray origin = exchange.header("Origin");
    const QByteArray host = exchange.header("Host");
    return origin.isEmpty() || origin == "http://" + host || origin == "https://" + host
        || isAllowed(origin);
}

QSseHeaders QSseHttpServerPrivate::corsHeaders(const QSseHttpExchange &exchange,
                                               const QByteArray &methods) const
{
    if (allowedOrigins.isEmpty())
        return {};
    QSseHeaders headers { { "Vary", "Origin" } };
    const QByteArray origin = exchange.header("Origin");
    if (origin.isEmpty() || !isAllowed(origin))
        return headers;
    if (allowedOrigins.contains(QLatin1String("*"))) {
        headers.emplaceBack("Access-Control-Allow-Origin", "*");
    } else {
        headers.emplaceBack("Access-Control-Allow-Origin", origin);
        headers.emplaceBack("Access-Control-Allow-Credentials", "true");
    }
    if (exchange.method() == Method::Options) {
        headers.emplaceBack("Access-Control-Allow-Methods", methods);
        headers.emplaceBack("Access-Control-Allow-Headers",
                            "Last-Event-ID, Cache-Control, Content-Type");
        headers.emplaceBack("Access-Control-Max-Age", "86400");
    }
    return headers;
}

void QSseHttpServerPrivate::serveStream(QSseHttpExchange &exchange,
                                        const QList<QSseTopicFilter> &topics)
{
    QSseSubscription subscription { topics };
    if (topics.isEmpty()) {
        const QStringList patterns = exchange.request().query().allQueryItemValues(
            QStringLiteral("topic"), QUrl::FullyDecoded);
        subscription.topics = QList<QSseTopicFilter>(patterns.begin(), patterns.end());
    }
    QSsePrivate::serveStream(*server, exchange, std::move(subscription),
                             corsHeaders(exchange, "GET, HEAD"));
}

// Publishes what the request has: under topic, or under those that its JSON names when topic is
// a null string.
void QSseHttpServerPrivate::servePublish(QSseHttpExchange &exchange, const QString &topic)
{
    const QSseHeaders headers = corsHeaders(exchange, "POST");
    if (exchange.method() != Method::Post) {
        QSsePrivate::refuseMethod(exchange, "POST", headers);
        return;
    }
    if (!mayPublish(exchange)) {
        exchange.refuse(Status::Forbidden, QSseHttpServer::tr("This origin may not publish"),
                        headers);
        return;
    }
    if (exchange.request().body().size() > maximumBodySize) {
        exchange.refuse(Status::PayloadTooLarge,
                        QSseHttpServer::tr("The body has more than %1 bytes").arg(maximumBodySize),
                        headers);
        return;
    }
    const ParsedEvents parsed = topic.isNull() ? parseJson(exchange.request().body())
                                               : parsePlain(exchange.request(), topic);
    if (!parsed.error.isEmpty()) {
        exchange.refuse(Status::BadRequest, parsed.error, headers);
        return;
    }
    if (const auto refusal = server->refusal(parsed.events)) {
        QSsePrivate::refuse(exchange, *server, *refusal, headers);
        return;
    }

    const QStringList ids = server->notify(parsed.events);
    if (topic.isNull()) {
        exchange.respond(
            Status::Ok, headers + QSseHeaders { { "Content-Type", "application/json" } },
            QJsonDocument(QJsonArray::fromStringList(ids)).toJson(QJsonDocument::Compact));
    } else {
        exchange.respond(Status::Ok,
                         headers + QSseHeaders { { "Content-Type", "text/plain; charset=utf-8" } },
                         ids.value(0).toUtf8());
    }
}

QSseHttpServer::QSseHttpServer(QSseServer *server, QObject *parent)
    : QObject(parent), d(new QSseHttpServerPrivate)
{
    d->q = this;
    d->server = server;
    d->http.setParent(this); // follows it into another thread
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
    return d->allowedOrigins;
}

void QSseHttpServer::setAllowedOrigins(const QStringList &origins)
{
    if (d->allowedOrigins == origins)
        return;
    d->allowedOrigins = origins;
    Q_EMIT allowedOriginsChanged();
}

int QSseHttpServer::maximumBodySize() const
{
    return d->maximumBodySize;
}

void QSseHttpServer::setMaximumBodySize(int bytes)
{
    if (d->maximumBodySize == bytes)
        return;
    d->maximumBodySize = bytes;
    Q_EMIT maximumBodySizeChanged();
}

quint16 QSseHttpServer::listen(const QHostAddress &address, quint16 port)
{
    auto tcp = std::make_unique<QSseListener>();
    tcp->setListenBacklogSize(ListenBacklog);
    if (!tcp->listen(address, port)) {
        d->errorString = tcp->errorString();
        qCWarning(lcHttp, "cannot listen on %ls port %d: %ls", qUtf16Printable(address.toString()),
                  int(port), qUtf16Printable(d->errorString));
        return 0;
    }
    const quint16 bound = tcp->serverPort();
    d->http.bind(tcp.release()); // which makes itself the parent
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
        server->close();
        // The connections go with it, and a request on one may have called us: it is answered
        // first.
        QTimer::singleShot(0, server, &QObject::deleteLater);
    }
}
