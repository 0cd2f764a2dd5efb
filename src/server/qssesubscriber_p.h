// SPDX-License-Identifier: MIT
#ifndef QSSESUBSCRIBER_P_H
#define QSSESUBSCRIBER_P_H

#include "qssesubscriber.h"

#include <QtCore/QSharedData>

class QSseSubscriberPrivate : public QSharedData
{
public:
    quint64 id = 0;
    QHostAddress peerAddress;
    quint16 peerPort = 0;
    QList<QSseTopicFilter> topics;
    QString lastEventId;
    QVariantMap claims;
    QDateTime connectedAt;
};

#endif // QSSESUBSCRIBER_P_H
