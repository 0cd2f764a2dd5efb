// SPDX-License-Identifier: MIT
#ifndef QSSEQMLTYPES_P_H
#define QSSEQMLTYPES_P_H

#include "qsseevent.h"

#include <QtQml/qqml.h>

/*! Makes QSseEvent known to QML, where it is the value type \c sseEvent. */
struct QSseQmlEvent
{
    Q_GADGET
    QML_FOREIGN(QSseEvent)
    QML_VALUE_TYPE(sseEvent)
};

#endif // QSSEQMLTYPES_P_H
