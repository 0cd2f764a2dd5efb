// SPDX-License-Identifier: MIT
#include "qsseconnection_p.h"
#include "qssekeepalive_p.h"

#include <QtCore/QElapsedTimer>
#include <QtCore/QRandomGenerator>

namespace {
// How early a connection may be told of, in parts of the interval.
constexpr int EarlyUnits = 1024;
constexpr int MaximumEarly = EarlyUnits / 8;
} // namespace

QSseKeepAlive::QSseKeepAlive(const QElapsedTimer *clock, Handler silent, QObject *parent)
    : QObject(parent), m_clock(clock), m_silent(std::move(silent))
{
    m_timer.setParent(this); // follows it into another thread
    m_timer.setSingleShot(true);
    connect(&m_timer, &QTimer::timeout, this, &QSseKeepAlive::tellSilent);
}

void QSseKeepAlive::setInterval(std::chrono::milliseconds interval)
{
    m_interval = interval.count();
    m_timer.stop();
    schedule();
}

void QSseKeepAlive::add(QSseConnection *connection)
{
    m_byActivity.push_back(connection);
    connection->activity = std::prev(m_byActivity.end());
    connection->lastActivity = m_clock->elapsed();
    schedule();
}

void QSseKeepAlive::remove(QSseConnection *connection)
{
    m_byActivity.erase(connection->activity);
}

void QSseKeepAlive::touch(QSseConnection *connection, qint64 now)
{
    connection->lastActivity = now;
    m_byActivity.splice(m_byActivity.end(), m_byActivity, connection->activity);
}

void QSseKeepAlive::schedule()
{
    if (m_interval <= 0 || m_byActivity.empty() || m_timer.isActive())
        return;
    const qint64 earliest = m_interval - m_interval * MaximumEarly / EarlyUnits;
    const qint64 due = m_byActivity.front()->lastActivity + earliest - m_clock->elapsed();
    m_timer.start(int(qMax(due, m_interval / 16 + 1)));
}

void QSseKeepAlive::tellSilent()
{
    const qint64 now = m_clock->elapsed();
    const qint64 earliest = m_interval - m_interval * MaximumEarly / EarlyUnits;
    auto next = m_byActivity.begin();
    while (next != m_byActivity.end() && now - (*next)->lastActivity >= earliest) {
        QSseConnection *connection = *next++;
        const qint64 early = m_interval * connection->keepAliveEarly / EarlyUnits;
        if (now - connection->lastActivity < m_interval - early)
            continue;
        connection->keepAliveEarly = QRandomGenerator::global()->bounded(MaximumEarly);
        m_silent(connection, now);
    }
    schedule();
}
