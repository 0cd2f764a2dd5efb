// SPDX-License-Identifier: MIT
#include "qssestream.h"
#include "qssestream_p.h"

#include "qsseframes_p.h"
#include "qssesubscriberequest_p.h"

#include <QtCore/QCoreApplication>
#include <QtCore/QUrlQuery>

using namespace std::chrono_literals;
using Method = QSseHttpExchange::Method;
using Status = QSseHttpExchange::Status;

namespace {

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

bool QSsePrivate::admitStream(QSseHttpExchange &exchange, const QSseHeaders &headers)
{
    if (exchange.method() != Method::Get && exchange.method() != Method::Head) {
        refuseMethod(exchange, "GET, HEAD", headers);
        return false;
    }
    if (!QSseSubscribeRequest::acceptsEventStream(exchange.header("Accept"))) {
        exchange.refuse(
            Status::NotAcceptable,
            QCoreApplication::translate("QSse", "Only text/event-stream is served here"), headers);
        return false;
    }
    return true;
}

bool QSsePrivate::openStream(QSseServer &server, QSseHttpExchange &exchange,
                             QSseSubscription subscription, const QSseHeaders &headers)
{
    if (const auto refusal = server.refusal(subscription, exchange.remoteAddress())) {
        refuse(exchange, server, *refusal, headers);
        return false;
    }
    if (exchange.method() == Method::Head) {
        exchange.respond(Status::Ok, QSseFrames::streamHeaders() + headers);
        return false;
    }

    const QString lastEventId = QSseSubscribeRequest::lastEventId(exchange.header("Last-Event-ID"),
                                                                  QUrlQuery(exchange.url()));
    if (!lastEventId.isEmpty())
        subscription.lastEventId = lastEventId;
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
              QSseSubscription subscription)
{
    QSseHttpExchange exchange(http, request, std::move(responder));
    return QSsePrivate::admitStream(exchange)
        && QSsePrivate::openStream(server, exchange, std::move(subscription));
}

QSseSubscription subscriptionTo(const QList<QSseTopicFilter> &topics, const QSseEvent &firstEvent,
                                const QSseEventFilter &filter)
{
    QSseSubscription subscription { topics };
    subscription.filter = filter;
    subscription.firstEvent = firstEvent;
    return subscription;
}

} // namespace

#if QT_VERSION < QT_VERSION_CHECK(6, 5, 0)
bool QSse::stream(QSseServer &server, const QHttpServerRequest &request,
                  QHttpServerResponder &&responder, const QList<QSseTopicFilter> &topics,
                  const QSseEvent &firstEvent, const QSseEventFilter &filter)
{
    return streamOn(server, nullptr, request, std::move(responder),
                    subscriptionTo(topics, firstEvent, filter));
}
#endif

bool QSse::stream(QSseServer &server, const QAbstractHttpServer &http,
                  const QHttpServerRequest &request, QHttpServerResponder &&responder,
                  const QList<QSseTopicFilter> &topics, const QSseEvent &firstEvent,
                  const QSseEventFilter &filter)
{
    return streamOn(server, &http, request, std::move(responder),
                    subscriptionTo(topics, firstEvent, filter));
}

bool QSse::stream(QSseServer &server, const QAbstractHttpServer &http,
                  const QHttpServerRequest &request, QHttpServerResponder &&responder,
                  const QSseSubscription &subscription)
{
    return streamOn(server, &http, request, std::move(responder), subscription);
}
