// SPDX-License-Identifier: MIT
#ifndef QSSEFRAMES_P_H
#define QSSEFRAMES_P_H

#include "qsse_server_export.h"

#include <QtCore/QByteArray>
#include <QtCore/QList>
#include <QtCore/QPair>

#include <chrono>

/*! What a stream has besides published events, ready to be sent. */
namespace QSseFrames {

/*! The header fields that tell what a stream is, for GET and HEAD alike. */
QSSE_SERVER_EXPORT QList<QPair<QByteArray, QByteArray>> streamHeaders();
/*! Status line and header fields of the response that a stream is the body of. */
QByteArray responseHead(const QList<QPair<QByteArray, QByteArray>> &extraHeaders);
/*! A block that only moves the client's last event id; an empty one takes it away. */
QByteArray id(const QByteArray &id);
/*! A block that sets the client's reconnection time and, unless null, its last event id. */
QByteArray retry(std::chrono::milliseconds retry, const QByteArray &id = QByteArray());
/*! The event "gap": what followed the id \a requested is no longer kept before \a oldest. */
QByteArray gap(const QByteArray &requested, const QByteArray &oldest);
/*! A comment, for a stream that was silent for long. */
QByteArray keepAlive();

} // namespace QSseFrames

#endif // QSSEFRAMES_P_H
