// SPDX-License-Identifier: MIT
#include "qsseconnectionguard_p.h"
#include "qsseguardedsocket_p.h"

#include <QtCore/QLoggingCategory>

#include <algorithm>

using namespace std::chrono_literals;

Q_DECLARE_LOGGING_CATEGORY(lcHttp)

namespace {
// What a client that finds the server full is told to wait, in seconds.
constexpr char RetryAfter[] = "2";
} // namespace

QSseConnectionGuard::QSseConnectionGuard(QObject *parent) : QObject(parent)
{
    m_clock.start();
    m_timer.setSingleShot(true);
    connect(&m_timer, &QTimer::timeout, this, &QSseConnectionGuard::expire);
}

void QSseConnectionGuard::setTimeout(Wait wait, std::chrono::milliseconds timeout)
{
    m_limits.timeouts[size_t(wait)] = timeout;
    wakeAt(m_clock.elapsed());
}

bool QSseConnectionGuard::admit(QSseGuardedSocket *socket)
{
    std::list<QSseGuardedSocket *> &idle = m_lists[size_t(Wait::Idle)];
    const bool isFull = m_connections >= m_limits.connections;
    if (isFull && !idle.empty())
        idle.front()->cut();
    const bool isAdmitted = m_connections < m_limits.connections;
    const bool isTold = m_connections < m_limits.connections + MaximumRefused;
    ++m_connections;
    if (isAdmitted) {
        watch(socket, Wait::Request);
        return true;
    }

    qCDebug(lcHttp, "a connection is refused: there are %d", m_connections - 1);
    connect(socket, &QAbstractSocket::disconnected, socket, &QObject::deleteLater);
    if (isTold)
        socket->refuse(503, tr("There are too many connections"),
                       { { "Retry-After", RetryAfter } });
    else
        socket->cut();
    return false;
}

void QSseConnectionGuard::watch(QSseGuardedSocket *socket, Wait wait, bool restart)
{
    Place &place = socket->place();
    if (place.wait == wait && !restart)
        return;
    if (place.wait != Wait::Nothing)
        m_lists[size_t(place.wait)].erase(place.position);
    place.wait = wait;
    if (wait == Wait::Nothing)
        return;
    std::list<QSseGuardedSocket *> &list = m_lists[size_t(wait)];
    place.position = list.insert(list.end(), socket);
    place.since = m_clock.elapsed();
    if (timeout(wait) > 0ms)
        wakeAt(place.since + timeout(wait).count());
}

void QSseConnectionGuard::leave(QSseGuardedSocket *socket)
{
    watch(socket, Wait::Nothing);
    --m_connections;
}

bool QSseConnectionGuard::countIncoming(qint64 bytes)
{
    m_incoming += bytes;
    return m_incoming <= MaximumIncoming;
}

void QSseConnectionGuard::expire()
{
    for (const Wait wait : { Wait::Request, Wait::Idle, Wait::Writing, Wait::Linger }) {
        std::list<QSseGuardedSocket *> &list = m_lists[size_t(wait)];
        const qint64 limit = timeout(wait).count();
        if (limit == 0)
            continue;
        // Whoever is told leaves the list.
        while (!list.empty() && list.front()->place().since + limit <= m_clock.elapsed())
            list.front()->timeOut();
        if (!list.empty())
            wakeAt(list.front()->place().since + limit);
    }
}

void QSseConnectionGuard::wakeAt(qint64 time)
{
    if (m_timer.isActive() && m_wakeTime <= time)
        return;
    m_wakeTime = time;
    m_timer.start(std::max<qint64>(time - m_clock.elapsed(), 0));
}

std::chrono::milliseconds QSseConnectionGuard::timeout(Wait wait) const
{
    return m_limits.timeouts[size_t(wait)];
}
