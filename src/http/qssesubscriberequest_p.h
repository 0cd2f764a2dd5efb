// SPDX-License-Identifier: MIT
#ifndef QSSESUBSCRIBEREQUEST_P_H
#define QSSESUBSCRIBEREQUEST_P_H

#include "qssetopicfilter.h"

#include <QtCore/QByteArray>
#include <QtCore/QList>
#include <QtCore/QString>

class QUrlQuery;

/*! What a request for an event stream says, read from its parts. */
namespace QSseSubscribeRequest {

/*! The filters that the parameters `topic` of \a query name, valid or not. A space is %20 there: a
    + stays what it is. */
QList<QSseTopicFilter> topics(const QUrlQuery &query);

/*! Where the client resumes: what its Last-Event-ID \a header says, else \a query. */
QString lastEventId(const QByteArray &header, const QUrlQuery &query);

/*! Whether an \a accept header lets us answer with text/event-stream (RFC 9110 §12.5.1). */
bool acceptsEventStream(const QByteArray &accept);

} // namespace QSseSubscribeRequest

#endif // QSSESUBSCRIBEREQUEST_P_H
