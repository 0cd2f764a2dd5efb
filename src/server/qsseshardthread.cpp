// SPDX-License-Identifier: MIT
#include "qsseshard_p.h"
#include "qsseshardthread_p.h"

#ifdef Q_OS_LINUX
#include "qsseepolldispatcher_p.h"

QSseShardThread::QSseShardThread()
    : m_dispatcher(std::make_unique<QSseEpollDispatcher>(nullptr, &m_awake))
{
}

bool QSseShardThread::canTake() const
{
    return m_dispatcher->isValid();
}
#else
class QSseEpollDispatcher
{
};

QSseShardThread::QSseShardThread() = default;

bool QSseShardThread::canTake() const
{
    return true;
}
#endif

void QSseShardThread::take(QSseShard *shard)
{
    m_shard = shard;
    setObjectName(QStringLiteral("qsse-shard"));
#ifdef Q_OS_LINUX
    // Qt's own dispatchers look at every descriptor each turn: with 10,000 idle subscribers that
    // costs a hundred times what it takes to send an event.
    shard->setDispatcher(m_dispatcher.get(), &m_awake);
    setEventDispatcher(m_dispatcher.release());
#endif
    shard->moveToThread(this);
    connect(this, &QThread::finished, shard, &QObject::deleteLater);
    start();
}

QSseShardThread::~QSseShardThread()
{
    quit();
    wait();
}
