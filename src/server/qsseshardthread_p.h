// SPDX-License-Identifier: MIT
#ifndef QSSESHARDTHREAD_P_H
#define QSSESHARDTHREAD_P_H

#include <QtCore/QMutex>
#include <QtCore/QThread>

class QSseShard;

/*! A thread for one shard, which it takes along when it ends. Lives in the server's thread. */
class QSseShardThread : public QThread
{
    Q_OBJECT

public:
    /*! Moves \a shard here and starts. */
    explicit QSseShardThread(QSseShard *shard);
    /*! Waits until the shard has cut its connections. */
    ~QSseShardThread() override;

    QSseShard *shard() const { return m_shard; }

private:
    QSseShard *const m_shard;
    QMutex m_awake; // the thread has it but while it sleeps
};

#endif // QSSESHARDTHREAD_P_H
