// SPDX-License-Identifier: MIT
#include "qssestream.h"
#include "qssestream_p.h"

#include "qsseframes_p.h"

#include <QtCore/QCoreApplication>
#include <QtCore/QUrlQuery>

#include <algorithm>

using namespace std::chrono_literals;
using Method = QSseHttpExchange::Method;
using Status = QSseHttpExchange::Status;

namespace {

// Whether the Accept header (RFC 9110 §12.5.1) lets us answer with text/event-stream. The most
// specific range decides; a missing header accepts everything.
bool acceptsEventStream(const QByteArray &accept)
{
    static const QList<QByteArray> ranges { "*/*", "text/*", "text/event-stream" };
    qsizetype bestRange = -1;
    bool accepted = accept.trimmed().isEmpty();
    for (const QByteArray &item : accept.split(',')) {
        const QList<QByteArray> parts = item.split(';');
        const qsizetype range = ranges.indexOf(parts.first().trimmed().toLower());
        if (range < bestRange || range < 0)
            continue;
        bestRange = range;
        accepted = true;
        for (const QByteArray &parameter : parts.mid(1)) {
            const QByteArray text = parameter.trimmed().toLower();
            if (text.startsWith("q="))
                accepted = text.mid(2).toDouble() > 0;
        }
    }
    return accepted;
}

// Browsers send the header on reconnecting; the parameters are for clients that cannot, and for
// the first connect.
QString lastEventId(const QHttpServerRequest &request)
{
    const QByteArray header = request.value("Last-Event-ID");
    if (!header.isEmpty())
        return QString::fromUtf8(header);
    const QUrlQuery query = request.query();
    for (const char *name : { "lastEventId", "last_event_id" }) {
        QString value = query.queryItemValue(QLatin1String(name), QUrl::FullyDecoded);
        if (!value.isEmpty())
            return value;
    }
    return QString();
}

Status statusOf(QSseServer::Error error)
{
    switch (error) {
    case QSseServer::Error::InvalidEvent:
    case QSseServer::Error::InvalidTopic:
    case QSseServer::Error::InvalidFilter:
        return Status::BadRequest;
    case QSseServer::Error::PrivateTopic:
        return Status::Forbidden;
    case QSseServer::Error::TooManyFromAddress:
        return Status::TooManyRequests;
    case QSseServer::Error::UnknownTopic:
        return Status::NotFound;
    case QSseServer::Error::EventTooLarge:
        return Status::PayloadTooLarge;
    case QSseServer::Error::TooManyTopics:
    case QSseServer::Error::TooManySubscribers:
    case QSseServer::Error::LogFailed:
    case QSseServer::Error::Closed:
        return Status::ServiceUnavailable;
    case QSseServer::Error::InvalidSocket:
        break;
    }
    return Status::InternalServerError;
}

} // namespace

void QSsePrivate::refuse(QSseHttpExchange &exchange, const QSseServer &server,
                         const QSseServer::Refusal &refusal, QSseHeaders headers)
{
    const Status status = statusOf(refusal.error);
    if (status == Status::ServiceUnavailable || status == Status::TooManyRequests) {
        const auto wait = std::chrono::ceil<std::chrono::seconds>(server.retryInterval());
        headers.emplaceBack("Retry-After", QByteArray::number(qint64(qMax(wait, 1s).count())));
    }
    exchange.refuse(status, refusal.text, headers);
}

void QSsePrivate::refuseMethod(QSseHttpExchange &exchange, const QByteArray &allowed,
                               QSseHeaders headers)
{
    headers.emplaceBack("Allow", allowed + ", OPTIONS");
    if (exchange.method() == Method::Options)
        exchange.respond(Status::NoContent, headers);
    else
        exchange.refuse(
            Status::MethodNotAllowed,
            QCoreApplication::translate("QSse", "The method is not allowed here; use %1")
                .arg(QLatin1String(allowed)),
            headers);
}

bool QSsePrivate::serveStream(QSseServer &server, QSseHttpExchange &exchange,
                              QSseSubscription subscription, const QSseHeaders &headers)
{
    const Method method = exchange.method();
    if (method != Method::Get && method != Method::Head) {
        refuseMethod(exchange, "GET, HEAD", headers);
        return false;
    }
    if (!acceptsEventStream(exchange.header("Accept"))) {
        exchange.refuse(
            Status::NotAcceptable,
            QCoreApplication::translate("QSse", "Only text/event-stream is served here"), headers);
        return false;
    }
    if (const auto refusal = server.refusal(subscription, exchange.request().remoteAddress())) {
        refuse(exchange, server, *refusal, headers);
        return false;
    }
    if (method == Method::Head) {
        exchange.respond(Status::Ok, QSseFrames::streamHeaders() + headers);
        return false;
    }

    subscription.lastEventId = lastEventId(exchange.request());
    subscription.responseHeaders += headers;
    QTcpSocket *socket = exchange.takeSocket();
    if (!socket) {
        exchange.refuse(Status::NotImplemented,
                        QCoreApplication::translate("QSse", "Streams need HTTP/1.1 or HTTP/1.0"),
                        headers);
        return false;
    }
    return server.addSubscriber(socket, subscription).id() != 0;
}

namespace {

bool streamOn(QSseServer &server, const QAbstractHttpServer *http,
              const QHttpServerRequest &request, QHttpServerResponder &&responder,
              const QList<QSseTopicFilter> &topics, const QSseEvent &firstEvent,
              const QSseEventFilter &filter)
{
    QSseHttpExchange exchange(http, request, std::move(responder));
    QSseSubscription subscription { topics };
    subscription.filter = filter;
    subscription.firstEvent = firstEvent;
    return QSsePrivate::serveStream(server, exchange, std::move(subscription));
}

} // namespace

#if QT_VERSION < QT_VERSION_CHECK(6, 5, 0)
bool QSse::stream(QSseServer &server, const QHttpServerRequest &request,
                  QHttpServerResponder &&responder, const QList<QSseTopicFilter> &topics,
                  const QSseEvent &firstEvent, const QSseEventFilter &filter)
{
    return streamOn(server, nullptr, request, std::move(responder), topics, firstEvent, filter);
}
#endif

bool QSse::stream(QSseServer &server, const QAbstractHttpServer &http,
                  const QHttpServerRequest &request, QHttpServerResponder &&responder,
                  const QList<QSseTopicFilter> &topics, const QSseEvent &firstEvent,
                  const QSseEventFilter &filter)
{
    return streamOn(server, &http, request, std::move(responder), topics, firstEvent, filter);
}
