// SPDX-License-Identifier: MIT
#ifndef QSSEHTTPEXCHANGE_P_H
#define QSSEHTTPEXCHANGE_P_H

#include "qsseresponse_p.h"

#include <QtCore/QByteArray>
#include <QtCore/QPointer>
#include <QtCore/QString>
#include <QtCore/QUrl>
#include <QtHttpServer/QHttpServerRequest>
#include <QtHttpServer/QHttpServerResponder>
#include <QtNetwork/QHostAddress>

#include <memory>
#include <optional>

class QAbstractHttpServer;
class QSseGuardedSocket;
class QTcpSocket;

/*!
    A request and its one answer: hides in what the versions of Qt HttpServer differ.

    It may be answered after the handler of the request has returned, once it is detached. That is
    safe whatever becomes of the connection and the server when the request came through a
    QSseHttpServer, and the requests behind it on the connection wait. One that came through
    another QHttpServer must be answered before that is destroyed.
*/
class QSseHttpExchange
{
public:
    using Method = QHttpServerRequest::Method;
    using Status = QHttpServerResponder::StatusCode;

    /*! \a http is where the request came in; null only before Qt 6.5. */
    QSseHttpExchange(const QAbstractHttpServer *http, const QHttpServerRequest &request,
                     QHttpServerResponder &&responder);
    /*! Answers 500 when nobody has answered. */
    ~QSseHttpExchange();
    Q_DISABLE_COPY(QSseHttpExchange)

    /*! Moves all of it into an object that may outlive the handler, and be shared; this one is of
        no use any more. */
    std::shared_ptr<QSseHttpExchange> detach();

    /*! The request; only until the exchange is detached. */
    const QHttpServerRequest &request() const { return *m_request; }
    Method method() const { return m_method; }
    QByteArray header(const QByteArray &name) const;
    QUrl url() const;
    QByteArray body() const;
    QHostAddress remoteAddress() const;

    /*! Sends the answer; nothing happens when the connection is gone, or has an answer. */
    void respond(Status status, const QSseHeaders &headers = {}, const QByteArray &body = {});
    /*! Answers with \a text as one line. */
    void refuse(Status status, const QString &text, QSseHeaders headers = {});
    /*! The connection, to be taken over for good; null when that is not possible. It has no parent
        if the request came through a QSseHttpServer. After it nothing else may be asked of this
        object. */
    QTcpSocket *takeSocket();

private:
    struct Kept // of a detached request
    {
        QList<QPair<QByteArray, QByteArray>> headers;
        QUrl url;
        QByteArray body;
        QHostAddress remoteAddress;
    };

    QSseHttpExchange(QSseHttpExchange &&other) = default; // which detach() then silences

    static Kept keep(const QHttpServerRequest &request);
    QSseGuardedSocket *findGuarded(const QHttpServerResponder &responder) const;
    void respondByResponder(Status status, const QSseHeaders &headers, const QByteArray &body,
                            bool hasBody);
    QTcpSocket *takeFromResponder();

    [[maybe_unused]] const QAbstractHttpServer *m_http; // since Qt 6.5
    const QHttpServerRequest *m_request;
    std::optional<Kept> m_kept;
    Method m_method;
    QPointer<QSseGuardedSocket> m_guarded;
    bool m_isGuarded = false; // or was
    bool m_isOpen = true;     // there is no answer yet
    // Of a connection that is not guarded:
    std::optional<QHttpServerResponder> m_responder;
#if QT_VERSION < QT_VERSION_CHECK(6, 5, 0)
    QPointer<QTcpSocket> m_socket; // of which the responder does not notice the end
#else
    quint16 m_remotePort = 0;
    quint16 m_localPort = 0;
#endif
};

#endif // QSSEHTTPEXCHANGE_P_H
