// SPDX-License-Identifier: MIT
#include "qssehttpexchange_p.h"

#include <QtHttpServer/QAbstractHttpServer>
#include <QtNetwork/QTcpSocket>

#if QT_CONFIG(ssl)
#include <QtNetwork/QSslSocket>
#endif

#include <memory>

QSseHttpExchange::QSseHttpExchange(const QAbstractHttpServer *http,
                                   const QHttpServerRequest &request,
                                   QHttpServerResponder &&responder)
    : m_http(http), m_request(request), m_responder(std::move(responder))
{
}

void QSseHttpExchange::refuse(Status status, const QString &text, QSseHeaders headers)
{
    headers.emplaceBack("Content-Type", "text/plain; charset=utf-8");
    respond(status, headers, text.toUtf8() + '\n');
}

#if QT_VERSION < QT_VERSION_CHECK(6, 5, 0)

void QSseHttpExchange::respond(Status status, const QSseHeaders &headers, const QByteArray &body)
{
    m_responder.writeStatusLine(status);
    for (const auto &[name, value] : headers)
        m_responder.writeHeader(name, value);
    const bool hasBody = method() != Method::Head && status != Status::NoContent;
    if (hasBody)
        m_responder.writeHeader("Content-Length", QByteArray::number(body.size()));
    m_responder.writeBody(hasBody ? body : QByteArray());
}

QTcpSocket *QSseHttpExchange::takeSocket()
{
    return m_responder.socket();
}

#else

void QSseHttpExchange::respond(Status status, const QSseHeaders &headers, const QByteArray &body)
{
    QHttpHeaders fields;
    for (const auto &[name, value] : headers)
        fields.append(name, value);
    if (method() == Method::Head || status == Status::NoContent)
        m_responder.write(fields, status);
    else
        m_responder.write(body, fields, status);
}

// A responder does not tell its connection, but the connection is somewhere below the server: it
// leaves when it becomes a stream, so there are never many to look through.
QTcpSocket *QSseHttpExchange::takeSocket()
{
    QTcpSocket *found = nullptr;
    const QList<QTcpSocket *> sockets = m_http->findChildren<QTcpSocket *>();
    for (QTcpSocket *socket : sockets) {
        if (socket->state() == QAbstractSocket::ConnectedState
            && socket->peerPort() == m_request.remotePort()
            && socket->peerAddress() == m_request.remoteAddress()
            && socket->localPort() == m_request.localPort())
            found = socket;
    }
    bool movesAsItIs = found && found->bytesToWrite() > 0;
#if QT_CONFIG(ssl)
    movesAsItIs = movesAsItIs || qobject_cast<QSslSocket *>(found);
#endif
    // A TLS socket moves as it is, and so does one with an earlier answer in its queue. The
    // server's handler watches it on until its responder is gone, which must be after the end of
    // the stream and before the end of the socket.
    if (movesAsItIs) {
        auto responder = std::make_shared<QHttpServerResponder>(std::move(m_responder));
        QObject::connect(found, &QAbstractSocket::disconnected, found,
                         [responder]() mutable { responder.reset(); });
    }
    return found;
}

#endif
