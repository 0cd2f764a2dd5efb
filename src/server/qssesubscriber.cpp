// SPDX-License-Identifier: MIT
#include "qssesubscriber.h"
#include "qssesubscriber_p.h"

QSseSubscriber::QSseSubscriber() : d(new QSseSubscriberPrivate) { }

QSseSubscriber::QSseSubscriber(const QSseSubscriber &other) = default;
QSseSubscriber::QSseSubscriber(QSseSubscriber &&other) noexcept = default;
QSseSubscriber &QSseSubscriber::operator=(const QSseSubscriber &other) = default;
QSseSubscriber &QSseSubscriber::operator=(QSseSubscriber &&other) noexcept = default;
QSseSubscriber::~QSseSubscriber() = default;

quint64 QSseSubscriber::id() const
{
    return d->id;
}

QHostAddress QSseSubscriber::peerAddress() const
{
    return d->peerAddress;
}

quint16 QSseSubscriber::peerPort() const
{
    return d->peerPort;
}

QList<QSseTopicFilter> QSseSubscriber::topics() const
{
    return d->topics;
}

QString QSseSubscriber::lastEventId() const
{
    return d->lastEventId;
}

QVariantMap QSseSubscriber::claims() const
{
    return d->claims;
}

QDateTime QSseSubscriber::connectedAt() const
{
    return d->connectedAt;
}
