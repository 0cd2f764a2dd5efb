// SPDX-License-Identifier: MIT
#ifndef QSSEQMLJSON_P_H
#define QSSEQMLJSON_P_H

#include "qsseevent.h"

#include <QtCore/QVariant>

namespace QSse {

/*!
    An event with \a value, as QML has it, for its data: text as it is; numbers, booleans and null
    as JSON writes them; objects and arrays as compact JSON. Null when \a value is undefined.
*/
QSseEvent eventFromVariant(const QVariant &value, const QString &event);

} // namespace QSse

#endif // QSSEQMLJSON_P_H
