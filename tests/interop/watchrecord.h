// SPDX-License-Identifier: MIT
#ifndef WATCHRECORD_H
#define WATCHRECORD_H

#include <QtCore/QByteArray>
#include <QtCore/QJsonDocument>
#include <QtCore/QJsonObject>

/*! The records of watch.mjs, as text to be compared. */
namespace WatchRecord {

enum ReadyState { Connecting = 0, Open = 1, Closed = 2 };

inline QByteArray fromJson(const QJsonObject &record)
{
    return QJsonDocument(record).toJson(QJsonDocument::Compact);
}

inline QByteArray event(const QString &type, const QString &data, const QString &id)
{
    return fromJson({ { QStringLiteral("type"), type },
                      { QStringLiteral("data"), data },
                      { QStringLiteral("id"), id } });
}

inline QByteArray message(const QString &data, const QString &id)
{
    return event(QStringLiteral("message"), data, id);
}

inline QByteArray opened()
{
    return fromJson({ { QStringLiteral("state"), QStringLiteral("open") },
                      { QStringLiteral("readyState"), Open } });
}

/*! An error after which the source is in \a state. */
inline QByteArray error(ReadyState state)
{
    return fromJson({ { QStringLiteral("state"), QStringLiteral("error") },
                      { QStringLiteral("readyState"), state } });
}

} // namespace WatchRecord

#endif // WATCHRECORD_H
