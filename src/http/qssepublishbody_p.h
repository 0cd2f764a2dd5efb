// SPDX-License-Identifier: MIT
#ifndef QSSEPUBLISHBODY_P_H
#define QSSEPUBLISHBODY_P_H

#include "qsseevent.h"

#include <QtCore/QByteArray>
#include <QtCore/QList>
#include <QtCore/QString>

class QUrlQuery;

/*!
    The events of a request to publish, or one translated line on what is wrong with it. Whether
    the events and their topics are valid is for the server to say.
*/
struct QSsePublishBody
{
    QList<QSseEvent> events;
    QString error;

    /*! The one event of `POST path/TOPIC?event=…&id=…&retry=…`, whose data is \a body. In
        \a query a space is %20: a + stays what it is. */
    static QSsePublishBody fromText(const QString &topic, const QUrlQuery &query,
                                    const QByteArray &body);
    /*! The events of `POST path` with a JSON object or an array of them as \a body. */
    static QSsePublishBody fromJson(const QByteArray &body);

    /*! The topics of the events, each once. */
    QStringList topics() const;
};

#endif // QSSEPUBLISHBODY_P_H
