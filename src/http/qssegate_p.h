// SPDX-License-Identifier: MIT
#ifndef QSSEGATE_P_H
#define QSSEGATE_P_H

#include "qsseaccess.h"
#include "qsseaccesstoken_p.h"
#include "qssehttpexchange_p.h"
#include "qsseserver.h"
#include "qssesubscriber.h"

#include <QtCore/QByteArray>
#include <QtCore/QStringList>

/*!
    Decides who comes in, for QSseHttpServer, and answers those who do not. Each function returns
    whether the exchange may go on; if not, it has been answered.
*/
class QSseGate
{
public:
    QSseAuthorizer authorizer;
    QByteArray publishKey;
    QString tokenCookie = QStringLiteral("qsse_token");
    QStringList allowedHosts;
    QStringList allowedOrigins;

    bool isAllowed(const QByteArray &origin) const;

    /*! Whether the request names a host that is ours. \a onLoopback: nobody but this machine
        reaches the server. */
    bool admitHost(QSseHttpExchange &exchange, bool onLoopback) const;
    /*! Whether \a subscription may be had of \a server, as the authorizer changes it. What
        has to go with every answer is added to \a headers. */
    bool admitSubscriber(QSseHttpExchange &exchange, const QSseServer &server,
                         QSseSubscription *subscription, QSseHeaders *headers) const;
    /*! Whether anything may be published by who sends this; what, is for admitTopics() to say. */
    bool admitPublisher(QSseHttpExchange &exchange, bool onLoopback, QSseHeaders *headers) const;
    /*! Whether it may be published under \a topics. */
    bool admitTopics(QSseHttpExchange &exchange, const QStringList &topics,
                     QSseHeaders *headers) const;

private:
    bool isOwnOrigin(const QSseHttpExchange &exchange, const QByteArray &origin) const;
    std::optional<QSseAccessToken> readToken(QSseHttpExchange &exchange,
                                             QSseHeaders *headers) const;
    bool admitCookie(QSseHttpExchange &exchange, const QSseAccessToken &token,
                     const QSseHeaders &headers) const;
    bool admitKey(QSseHttpExchange &exchange, QSseHeaders *headers) const;
    std::optional<QSseAccess> authorize(QSseHttpExchange &exchange, const QSseAccessToken &token,
                                        const QSseAccessRequest &request,
                                        const QSseHeaders &headers) const;
};

#endif // QSSEGATE_P_H
