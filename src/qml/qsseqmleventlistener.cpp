// SPDX-License-Identifier: MIT
#include "qsseqmleventlistener.h"

QSseQmlEventListener::QSseQmlEventListener(QObject *parent) : QObject(parent) { }

QSseQmlEventListener::~QSseQmlEventListener() = default;

void QSseQmlEventListener::setTarget(QSseQmlEventSource *target)
{
    if (target == m_target)
        return;
    disconnect(m_targetDestroyed);
    m_target = target;
    if (m_target) {
        m_targetDestroyed =
            connect(m_target, &QObject::destroyed, this, &QSseQmlEventListener::targetChanged);
    }
    listen();
    Q_EMIT targetChanged();
}

void QSseQmlEventListener::setType(const QString &type)
{
    if (type == m_type)
        return;
    m_type = type;
    listen();
    Q_EMIT typeChanged();
}

void QSseQmlEventListener::setEnabled(bool enabled)
{
    if (enabled == m_enabled)
        return;
    m_enabled = enabled;
    listen();
    Q_EMIT enabledChanged();
}

void QSseQmlEventListener::listen()
{
    disconnect(m_connection);
    if (!m_target || !m_enabled)
        return;
    m_connection = m_target->eventSource()->addEventListener(
        m_type, this, [this](const QSseEvent &event) { Q_EMIT received(event); });
}
