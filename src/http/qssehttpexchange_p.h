// SPDX-License-Identifier: MIT
#ifndef QSSEHTTPEXCHANGE_P_H
#define QSSEHTTPEXCHANGE_P_H

#include <QtCore/QByteArray>
#include <QtCore/QList>
#include <QtCore/QPair>
#include <QtCore/QString>
#include <QtHttpServer/QHttpServerRequest>
#include <QtHttpServer/QHttpServerResponder>

class QAbstractHttpServer;
class QTcpSocket;

/*! Header fields, in the order they are sent. */
using QSseHeaders = QList<QPair<QByteArray, QByteArray>>;

/*!
    A request and its one answer: hides in what the versions of Qt HttpServer differ.
*/
class QSseHttpExchange
{
public:
    using Method = QHttpServerRequest::Method;
    using Status = QHttpServerResponder::StatusCode;

    /*! \a http is where the request came in; null only before Qt 6.5. */
    QSseHttpExchange(const QAbstractHttpServer *http, const QHttpServerRequest &request,
                     QHttpServerResponder &&responder);

    const QHttpServerRequest &request() const { return m_request; }
    Method method() const { return m_request.method(); }
    QByteArray header(const char *name) const { return m_request.value(name); }

    void respond(Status status, const QSseHeaders &headers = {}, const QByteArray &body = {});
    /*! Answers with \a text as one line. */
    void refuse(Status status, const QString &text, QSseHeaders headers = {});
    /*! The connection, to be taken over for good; null when that is not possible. After it nothing
        else may be asked of this object. */
    QTcpSocket *takeSocket();

private:
    const QAbstractHttpServer *const m_http;
    const QHttpServerRequest &m_request;
    QHttpServerResponder m_responder;
};

#endif // QSSEHTTPEXCHANGE_P_H
