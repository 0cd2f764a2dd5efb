// SPDX-License-Identifier: MIT
#include "qsseshard_p.h"
#include "qsseshardthread_p.h"

#ifdef Q_OS_LINUX
#include "qsseepolldispatcher_p.h"
#endif

QSseShardThread::QSseShardThread(QSseShard *shard) : m_shard(shard)
{
    setObjectName(QStringLiteral("qsse-shard"));
#ifdef Q_OS_LINUX
    // Qt's own dispatchers look at every descriptor each turn: with 10,000 idle subscribers that
    // costs a hundred times what it takes to send an event.
    auto *dispatcher = new QSseEpollDispatcher(nullptr, &m_awake);
    setEventDispatcher(dispatcher);
    shard->setDispatcher(dispatcher, &m_awake);
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
