// SPDX-License-Identifier: MIT
#include "qssetopic.h"
#include "qsseserver.h"
#include "qsseserver_p.h"

#include <QtCore/QLocale>
#include <QtCore/QMetaMethod>

class QSseTopicPrivate
{
public:
    QString name;
    QSseServer *server = nullptr;
    std::function<QSseEvent()> snapshot;
};

QSseTopic::QSseTopic(const QString &name, QSseServer *server)
    : QObject(server), d(new QSseTopicPrivate { name, server, {} })
{
}

QSseTopic::~QSseTopic() = default;

QString QSseTopic::name() const
{
    return d->name;
}

QSseServer *QSseTopic::server() const
{
    return d->server;
}

QSseRetention QSseTopic::retention() const
{
    return d->server->eventLog()->retention(d->name);
}

void QSseTopic::setRetention(const QSseRetention &retention)
{
    d->server->eventLog()->setRetention(d->name, retention);
}

void QSseTopic::setSnapshot(std::function<QSseEvent()> snapshot)
{
    d->snapshot = std::move(snapshot);
}

QSseEvent QSseTopic::snapshot() const
{
    const auto snapshot = d->snapshot; // a copy: it may set another or unregister the topic
    return snapshot ? snapshot() : QSseEvent();
}

QString QSseTopic::notify(const QSseEvent &event)
{
    return d->server->notify(d->name, event);
}

QString QSseTopic::notify(const QString &text)
{
    return d->server->notify(d->name, QSseEvent(text));
}

QString QSseTopic::notify(double number)
{
    return notify(QString::number(number, 'g', QLocale::FloatingPointShortest));
}

QString QSseTopic::notify(int number)
{
    return notify(QString::number(number));
}

QString QSseTopic::notify(qint64 number)
{
    return notify(QString::number(number));
}

QString QSseTopic::notify(const QJsonObject &json)
{
    return notify(QSseEvent::fromJson(json));
}

QString QSseTopic::notify(const QJsonArray &json)
{
    return notify(QSseEvent::fromJson(json));
}

void QSseTopic::connectNotify(const QMetaMethod &signal)
{
    if (signal == QMetaMethod::fromSignal(&QSseTopic::notified))
        d->server->d->hasListeners = true;
}
