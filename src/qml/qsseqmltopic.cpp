// SPDX-License-Identifier: MIT
#include "qsseqmltopic.h"

#include "qsseqmljson_p.h"

QSseQmlTopic::QSseQmlTopic(QObject *parent) : QObject(parent) { }

QSseQmlTopic::~QSseQmlTopic()
{
    detach();
}

void QSseQmlTopic::setServer(QSseQmlServer *server)
{
    if (server == m_server)
        return;
    detach();
    m_server = server;
    attach();
    Q_EMIT serverChanged();
}

void QSseQmlTopic::setName(const QString &name)
{
    if (name == m_name)
        return;
    detach();
    m_name = name;
    attach();
    Q_EMIT nameChanged();
}

void QSseQmlTopic::setEvent(const QString &event)
{
    if (event == m_event)
        return;
    m_event = event;
    Q_EMIT eventChanged();
}

void QSseQmlTopic::setValue(const QVariant &value)
{
    if (value == m_value)
        return;
    m_value = value;
    Q_EMIT valueChanged();
    notify(m_value);
}

QString QSseQmlTopic::notify(const QVariant &value)
{
    const QSseEvent event = QSse::eventFromVariant(value, m_event);
    if (!m_topic || event.isNull())
        return QString();
    // First, so that a subscriber added by whoever hears of the event gets the new state.
    m_last = event;
    return m_topic->notify(event);
}

void QSseQmlTopic::componentComplete()
{
    m_complete = true;
    attach();
}

void QSseQmlTopic::attach()
{
    if (!m_complete || !m_server || m_name.isEmpty())
        return;
    m_topic = m_server->sseServer()->topic(m_name);
    if (!m_topic)
        return;
    connect(m_topic, &QSseTopic::notified, this, &QSseQmlTopic::notified);
    m_topic->setSnapshot([this] { return m_last; });
    notify(m_value);
}

void QSseQmlTopic::detach()
{
    if (!m_topic)
        return;
    m_topic->disconnect(this);
    m_topic->setSnapshot({});
    m_topic.clear();
    m_last = QSseEvent();
}
