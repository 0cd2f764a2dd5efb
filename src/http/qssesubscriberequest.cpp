// SPDX-License-Identifier: MIT
#include "qssesubscriberequest_p.h"

#include <QtCore/QStringList>
#include <QtCore/QUrlQuery>

QList<QSseTopicFilter> QSseSubscribeRequest::topics(const QUrlQuery &query)
{
    const QStringList patterns =
        query.allQueryItemValues(QStringLiteral("topic"), QUrl::FullyDecoded);
    return QList<QSseTopicFilter>(patterns.begin(), patterns.end());
}

// Browsers send the header on reconnecting; the parameters are for clients that cannot, and for
// the first connect.
QString QSseSubscribeRequest::lastEventId(const QByteArray &header, const QUrlQuery &query)
{
    if (!header.isEmpty())
        return QString::fromUtf8(header);
    for (const char *name : { "lastEventId", "last_event_id" }) {
        QString value = query.queryItemValue(QLatin1String(name), QUrl::FullyDecoded);
        if (!value.isEmpty())
            return value;
    }
    return QString();
}

// The most specific range decides; a missing header accepts everything.
bool QSseSubscribeRequest::acceptsEventStream(const QByteArray &accept)
{
    static const QList<QByteArray> ranges { "*/*", "text/*", "text/event-stream" };
    qsizetype bestRange = -1;
    bool accepted = accept.trimmed().isEmpty();
    for (const QByteArray &item : accept.split(',')) {
        const QList<QByteArray> parts = item.split(';');
        const qsizetype range = ranges.indexOf(parts.first().trimmed().toLower());
        if (range < bestRange || range < 0)
            continue;
        bestRange = range;
        accepted = true;
        for (const QByteArray &parameter : parts.mid(1)) {
            const QByteArray text = parameter.trimmed().toLower();
            if (text.startsWith("q="))
                accepted = text.mid(2).toDouble() > 0;
        }
    }
    return accepted;
}
