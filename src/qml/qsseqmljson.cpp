// SPDX-License-Identifier: MIT
#include "qsseqmljson_p.h"

#include <QtCore/QJsonValue>
#include <QtCore/QUrl>
#include <QtQml/QJSValue>

QSseEvent QSse::eventFromVariant(const QVariant &value, const QString &event)
{
    // A binding to an object or array literal arrives as the JavaScript value itself.
    if (value.metaType() == QMetaType::fromType<QJSValue>())
        return eventFromVariant(value.value<QJSValue>().toVariant(), event);
    if (!value.isValid())
        return QSseEvent();

    QSseEvent result;
    if (value.metaType() == QMetaType::fromType<QString>()
        || value.metaType() == QMetaType::fromType<QUrl>()) {
        // An empty string of JavaScript's may come as a null one, which would be no data at all.
        const QString text = value.toString();
        result.setData(text.isNull() ? QLatin1String("") : text);
    } else {
        result = QSseEvent::fromJson(QJsonValue::fromVariant(value));
    }
    result.setEvent(event);
    return result;
}
