// SPDX-License-Identifier: MIT
#ifndef QSSESTREAM_P_H
#define QSSESTREAM_P_H

#include "qssehttpexchange_p.h"
#include "qsseserver.h"
#include "qssesubscriber.h"

namespace QSsePrivate {

/*! Whether \a exchange can become a stream, whatever its topics; if not, it has been answered.
    \a headers go with every answer. */
bool admitStream(QSseHttpExchange &exchange, const QSseHeaders &headers = {});

/*! Makes \a exchange, which admitStream() let pass, a stream of \a server with what
    \a subscription asks for, resuming where the request says, or answers why not. */
bool openStream(QSseServer &server, QSseHttpExchange &exchange, QSseSubscription subscription,
                const QSseHeaders &headers = {});

/*! Answers \a exchange for \a error of a server, which \a text explains. */
void refuse(QSseHttpExchange &exchange, const QSseServer &server,
            const QSseServer::Refusal &refusal, QSseHeaders headers = {});

/*! Answers a request whose method is none of \a allowed: 405, or 204 for OPTIONS. */
void refuseMethod(QSseHttpExchange &exchange, const QByteArray &allowed, QSseHeaders headers = {});

} // namespace QSsePrivate

#endif // QSSESTREAM_P_H
