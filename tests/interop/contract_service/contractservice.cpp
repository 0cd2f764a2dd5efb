// SPDX-License-Identifier: MIT
#include "contractservice.h"
#include "reportedstream.h"

#include <QtCore/QJsonArray>
#include <QtCore/QJsonObject>
#include <QtCore/QTimer>
#include <QtHttpServer/QHttpServerResponse>
#include <QtNetwork/QTcpSocket>
#if QT_VERSION >= QT_VERSION_CHECK(6, 8, 0)
#include <QtNetwork/QHttpHeaders>
#endif

using Method = QHttpServerRequest::Method;
using Status = QHttpServerResponse::StatusCode;

namespace {

constexpr int AnswerTimeout = 1000; // milliseconds for the last answer to leave

QJsonObject capabilities()
{
    return { { QStringLiteral("capabilities"),
               QJsonArray { QStringLiteral("bom"), QStringLiteral("comments"),
                            QStringLiteral("headers"), QStringLiteral("last-event-id"),
                            QStringLiteral("post"), QStringLiteral("read-timeout"),
                            QStringLiteral("report"), QStringLiteral("restart"),
                            QStringLiteral("server-directed-shutdown-request") } } };
}

QHttpServerResponse badRequest(const QString &why)
{
    return QHttpServerResponse("text/plain; charset=utf-8", why.toUtf8() + '\n',
                               Status::BadRequest);
}

QHttpServerResponse created(const QByteArray &location)
{
    QHttpServerResponse response(Status::Created);
#if QT_VERSION < QT_VERSION_CHECK(6, 8, 0)
    response.setHeader("Location", location);
#else
    QHttpHeaders headers;
    headers.append(QHttpHeaders::WellKnownHeader::Location, location);
    response.setHeaders(std::move(headers));
#endif
    return response;
}

} // namespace

ContractService::ContractService() : m_tcp(new QTcpServer(&m_http))
{
    const QString root = QStringLiteral("/");
    const QString stream = QStringLiteral("/streams/<arg>");
    m_http.route(root, Method::Get, [] { return capabilities(); });
    m_http.route(root, Method::Post,
                 [this](const QHttpServerRequest &request) { return create(request.body()); });
    m_http.route(root, Method::Delete, [this] {
        QTimer::singleShot(0, this, &ContractService::finish); // after the answer is written
        return Status::NoContent;
    });
    m_http.route(stream, Method::Post, [this](qint64 id, const QHttpServerRequest &request) {
        return command(id, request.body());
    });
    m_http.route(stream, Method::Delete, [this](qint64 id) { return remove(id); });
}

quint16 ContractService::listen(quint16 port)
{
    if (!m_tcp->listen(QHostAddress::LocalHost, port))
        return 0;
    m_http.bind(m_tcp);
    return m_tcp->serverPort();
}

QHttpServerResponse ContractService::create(const QByteArray &body)
{
    auto stream = std::make_unique<ReportedStream>(&m_callbacks);
    const QString error = stream->open(body);
    if (!error.isEmpty())
        return badRequest(error);
    stream->setParent(this);
    m_streams.insert(++m_lastId, stream.release());
    return created("/streams/" + QByteArray::number(m_lastId));
}

QHttpServerResponse ContractService::command(qint64 id, const QByteArray &body)
{
    ReportedStream *const stream = m_streams.value(id);
    if (!stream)
        return Status::NotFound;
    const QString error = stream->obey(body);
    return error.isEmpty() ? QHttpServerResponse(Status::NoContent) : badRequest(error);
}

QHttpServerResponse ContractService::remove(qint64 id)
{
    ReportedStream *const stream = m_streams.take(id);
    if (!stream)
        return Status::NotFound;
    stream->finish();
    return Status::NoContent;
}

void ContractService::finish()
{
    const auto sockets = m_tcp->findChildren<QTcpSocket *>();
    for (QTcpSocket *socket : sockets)
        socket->waitForBytesWritten(AnswerTimeout);
    Q_EMIT finished();
}
