// SPDX-License-Identifier: MIT
#ifndef QSSESHARDTHREAD_P_H
#define QSSESHARDTHREAD_P_H

#include <QtCore/QMutex>
#include <QtCore/QThread>

#include <memory>

class QSseEpollDispatcher;
class QSseShard;

/*! A thread for one shard, which it takes along when it ends. Lives in the server's thread. */
class QSseShardThread : public QThread
{
    Q_OBJECT

public:
    QSseShardThread();
    /*! Waits until the shard has cut its connections. */
    ~QSseShardThread() override;

    /*! Whether there are descriptors enough for take(). */
    bool canTake() const;
    /*! Moves \a shard here and starts. */
    void take(QSseShard *shard);
    QSseShard *shard() const { return m_shard; }

private:
    QSseShard *m_shard = nullptr;
    QMutex m_awake;                                    // the thread has it but while it sleeps
    std::unique_ptr<QSseEpollDispatcher> m_dispatcher; // until the thread has it; Linux alone
};

#endif // QSSESHARDTHREAD_P_H
