// SPDX-License-Identifier: MIT
#include "qsseguardedsocket_p.h"
#include "qssehttpexchange_p.h"

#include <QtCore/QCoreApplication>
#include <QtHttpServer/QAbstractHttpServer>
#include <QtNetwork/QTcpSocket>

#if QT_CONFIG(ssl)
#include <QtNetwork/QSslSocket>
#endif

#include <memory>
#include <utility>

// The responder of a guarded connection is left alone: a server forgets the request when it goes,
// and the guard sees to the order of answers by itself.
QSseHttpExchange::QSseHttpExchange(const QAbstractHttpServer *http,
                                   const QHttpServerRequest &request,
                                   QHttpServerResponder &&responder)
    : m_http(http), m_request(&request), m_method(request.method()),
      m_guarded(findGuarded(responder)), m_isGuarded(m_guarded)
{
    if (m_isGuarded)
        return;
    m_responder.emplace(std::move(responder));
#if QT_VERSION < QT_VERSION_CHECK(6, 5, 0)
    m_socket = m_responder->socket();
#else
    m_remotePort = request.remotePort();
    m_localPort = request.localPort();
#endif
}

QSseHttpExchange::~QSseHttpExchange()
{
    if (m_isOpen && m_isGuarded) {
        refuse(Status::InternalServerError,
               QCoreApplication::translate("QSse", "The request was not answered"));
    }
}

std::shared_ptr<QSseHttpExchange> QSseHttpExchange::detach()
{
    if (!m_kept)
        m_kept = keep(*m_request);
    m_request = nullptr;
    std::shared_ptr<QSseHttpExchange> detached(new QSseHttpExchange(std::move(*this)));
    m_isOpen = false;
    return detached;
}

QByteArray QSseHttpExchange::header(const QByteArray &name) const
{
    if (!m_kept)
        return m_request->value(name);
    for (const auto &[key, value] : m_kept->headers) {
        if (key.compare(name, Qt::CaseInsensitive) == 0)
            return value;
    }
    return QByteArray();
}

QUrl QSseHttpExchange::url() const
{
    return m_kept ? m_kept->url : m_request->url();
}

QByteArray QSseHttpExchange::body() const
{
    return m_kept ? m_kept->body : m_request->body();
}

QHostAddress QSseHttpExchange::remoteAddress() const
{
    return m_kept ? m_kept->remoteAddress : m_request->remoteAddress();
}

void QSseHttpExchange::refuse(Status status, const QString &text, QSseHeaders headers)
{
    const QByteArray body = QSsePrivate::textBody(text, &headers);
    respond(status, headers, body);
}

void QSseHttpExchange::respond(Status status, const QSseHeaders &headers, const QByteArray &body)
{
    if (!std::exchange(m_isOpen, false))
        return;
    const bool hasBody = m_method != Method::Head && status != Status::NoContent;
    if (!m_isGuarded)
        respondByResponder(status, headers, body, hasBody);
    else if (m_guarded && m_guarded->isAnswering())
        m_guarded->write(QSsePrivate::response(int(status), headers, body, hasBody));
}

QTcpSocket *QSseHttpExchange::takeSocket()
{
    QTcpSocket *socket = nullptr;
    if (!m_isGuarded)
        socket = takeFromResponder();
    else if (m_isOpen && m_guarded && m_guarded->isAnswering())
        socket = m_guarded->takeNetworkSocket();
    m_isOpen = m_isOpen && !socket;
    return socket;
}

#if QT_VERSION < QT_VERSION_CHECK(6, 5, 0)

QSseGuardedSocket *QSseHttpExchange::findGuarded(const QHttpServerResponder &responder) const
{
    return qobject_cast<QSseGuardedSocket *>(responder.socket());
}

QSseHttpExchange::Kept QSseHttpExchange::keep(const QHttpServerRequest &request)
{
    return { request.headers(), request.url(), request.body(), request.remoteAddress() };
}

void QSseHttpExchange::respondByResponder(Status status, const QSseHeaders &headers,
                                          const QByteArray &body, bool hasBody)
{
    if (!m_socket || m_socket->state() != QAbstractSocket::ConnectedState)
        return;
    m_responder->writeStatusLine(status);
    for (const auto &[name, value] : headers)
        m_responder->writeHeader(name, value);
    if (hasBody)
        m_responder->writeHeader("Content-Length", QByteArray::number(body.size()));
    m_responder->writeBody(hasBody ? body : QByteArray());
}

QTcpSocket *QSseHttpExchange::takeFromResponder()
{
    return m_socket;
}

#else

QSseGuardedSocket *QSseHttpExchange::findGuarded(const QHttpServerResponder &) const
{
    QSseGuardedSocket *socket = QSseGuardedSocket::lastRead();
    const bool isIt = socket && socket->isAnswering()
        && socket->peerPort() == m_request->remotePort()
        && socket->peerAddress() == m_request->remoteAddress()
        && socket->localPort() == m_request->localPort();
    return isIt ? socket : nullptr;
}

QSseHttpExchange::Kept QSseHttpExchange::keep(const QHttpServerRequest &request)
{
    return { request.headers().toListOfPairs(), request.url(), request.body(),
             request.remoteAddress() };
}

void QSseHttpExchange::respondByResponder(Status status, const QSseHeaders &headers,
                                          const QByteArray &body, bool hasBody)
{
    QHttpHeaders fields;
    for (const auto &[name, value] : headers)
        fields.append(name, value);
    if (hasBody)
        m_responder->write(body, fields, status);
    else
        m_responder->write(fields, status);
}

// A responder does not tell its connection, but the connection is somewhere below the server: it
// leaves when it becomes a stream, so there are never many to look through.
QTcpSocket *QSseHttpExchange::takeFromResponder()
{
    QTcpSocket *found = nullptr;
    const QList<QTcpSocket *> sockets = m_http->findChildren<QTcpSocket *>();
    for (QTcpSocket *socket : sockets) {
        if (socket->state() == QAbstractSocket::ConnectedState && socket->peerPort() == m_remotePort
            && socket->peerAddress() == remoteAddress() && socket->localPort() == m_localPort)
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
        auto responder = std::make_shared<QHttpServerResponder>(std::move(*m_responder));
        QObject::connect(found, &QAbstractSocket::disconnected, found,
                         [responder]() mutable { responder.reset(); });
    }
    return found;
}

#endif
