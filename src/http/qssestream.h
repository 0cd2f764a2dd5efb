// SPDX-License-Identifier: MIT
#ifndef QSSESTREAM_H
#define QSSESTREAM_H

#include "qsse_httpserver_export.h"
#include "qsseevent.h"
#include "qssesubscriber.h"
#include "qssetopicfilter.h"

#include <QtCore/QList>
#include <QtHttpServer/QHttpServer>

class QSseServer;

namespace QSse {

/*! The parameter by which a route's handler takes its responder, which is another one in each
    version of Qt HttpServer: `[&](const QHttpServerRequest &request, QSse::Responder responder)`.
 */
#if QT_VERSION < QT_VERSION_CHECK(6, 5, 0)
using Responder = QHttpServerResponder &&;
#else
using Responder = QHttpServerResponder &;
#endif

/*!
    Turns \a request, in the route of any QHttpServer, into a stream of \a server's events.

    \a topics are what it carries; \a firstEvent, unless null, opens it; \a filter may hold back
    single events of this connection. The answers to a request that cannot become a stream are
    those of QSseHttpServer::addEventStream(), but nobody is asked who the client is and which host
    it names: that is for the route to look at. Call it in the server's thread. Returns whether the
    stream was opened; the request is answered either way.
*/
#if QT_VERSION < QT_VERSION_CHECK(6, 5, 0)
QSSE_HTTPSERVER_EXPORT bool stream(QSseServer &server, const QHttpServerRequest &request,
                                   QHttpServerResponder &&responder,
                                   const QList<QSseTopicFilter> &topics,
                                   const QSseEvent &firstEvent = QSseEvent(),
                                   const QSseEventFilter &filter = {});
#endif

/*! \overload From Qt 6.5 on a responder no longer tells its connection, so \a http, the server
    whose route this is, is needed to find it. Works with every version. */
QSSE_HTTPSERVER_EXPORT bool
stream(QSseServer &server, const QAbstractHttpServer &http, const QHttpServerRequest &request,
       QHttpServerResponder &&responder, const QList<QSseTopicFilter> &topics,
       const QSseEvent &firstEvent = QSseEvent(), const QSseEventFilter &filter = {});

/*! \overload For a route that has found out who the client is: with the claims, grants and
    expiresAt of \a subscription. Its lastEventId counts for a client that names none itself. */
QSSE_HTTPSERVER_EXPORT bool stream(QSseServer &server, const QAbstractHttpServer &http,
                                   const QHttpServerRequest &request,
                                   QHttpServerResponder &&responder,
                                   const QSseSubscription &subscription);

} // namespace QSse

#endif // QSSESTREAM_H
