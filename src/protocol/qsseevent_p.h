// SPDX-License-Identifier: MIT
#ifndef QSSEEVENT_P_H
#define QSSEEVENT_P_H

#include "qsseevent.h"

#include <QtCore/QSharedData>

class QSseEventPrivate : public QSharedData
{
public:
    // Null and empty differ: a null field is not on the wire.
    QByteArray comment;
    QByteArray data;
    QByteArray event;
    QByteArray id;
    std::chrono::milliseconds retry { -1 };

    QString topic;
    QDateTime occurredAt;
    std::chrono::milliseconds ttl { -1 };
    QString source;
    QString transactionId;
};

namespace QSsePrivate {

/*! \a utf8 itself when it is valid, else a copy with U+FFFD for what is not. */
QByteArray validUtf8(const QByteArray &utf8);

/*! QString::fromUtf8() that keeps a leading U+FEFF: inside a field it is text, not a mark. */
QString textFromUtf8(const QByteArray &utf8);

} // namespace QSsePrivate

#endif // QSSEEVENT_P_H
