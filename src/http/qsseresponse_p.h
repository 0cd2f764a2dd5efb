// SPDX-License-Identifier: MIT
#ifndef QSSERESPONSE_P_H
#define QSSERESPONSE_P_H

#include <QtCore/QByteArray>
#include <QtCore/QList>
#include <QtCore/QPair>
#include <QtCore/QString>

/*! Header fields, in the order they are sent. */
using QSseHeaders = QList<QPair<QByteArray, QByteArray>>;

namespace QSsePrivate {

/*! A whole response. Its body's length is added; without \a hasBody, as to HEAD, it has neither. */
QByteArray response(int status, const QSseHeaders &headers, const QByteArray &body,
                    bool hasBody = true);

/*! The body that says \a text, and the header field for it added to \a headers. */
QByteArray textBody(const QString &text, QSseHeaders *headers);

} // namespace QSsePrivate

#endif // QSSERESPONSE_P_H
