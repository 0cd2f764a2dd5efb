// SPDX-License-Identifier: MIT
#ifndef QSSESQLITEWRITER_P_H
#define QSSESQLITEWRITER_P_H

#include "qssesqlitestore_p.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

/*!
    Steps that wait to be stored, and the thread that does it, all that has gathered in one
    transaction. All functions are thread-safe and none but open() and close() waits for the disk.
*/
class QSseSqliteWriter : public std::enable_shared_from_this<QSseSqliteWriter>
{
    Q_DECLARE_TR_FUNCTIONS(QSseSqliteLog)
public:
    using Callback = std::function<void(const QString &error)>;

    explicit QSseSqliteWriter(const QString &fileName);

    /*! Starts the thread, which opens the file. Returns an error or an empty text. The mutex of
        \a log is held. */
    QString open(const QByteArray &epoch, QSseMemoryLogPrivate *log);
    /*! Ends the thread once all is stored, or leaves it behind when that takes too long. */
    void close();
    bool isOpen() const;

    /*! Returns whether it is going to be stored. */
    bool append(const QSseMemoryLogPrivate::KeptPointer &event);
    void drop(QSseStoreStep::Drop drop);
    void forget(QSseStoreStep::Forget forget);
    void flush(Callback done);

    /*! Calls the handler if there is an error it was not told yet. */
    void report();
    void setErrorHandler(Callback handler);
    QString error() const;
    qint64 maximumPendingBytes() const;
    void setMaximumPendingBytes(qint64 bytes);

private:
    using Clock = std::chrono::steady_clock;
    using Step = QSseSqliteStore::Step;
    using Lock = std::unique_lock<std::mutex>;

    void run(const QByteArray &epoch, QSseMemoryLogPrivate *log);
    void storeAll(QSseSqliteStore *store);
    bool nextBatch();
    void storeBatch(QSseSqliteStore *store);
    void batchStored();
    void batchFailed(const QString &error);
    bool mayTryAgain();
    void push(Step step);
    void lose(const QSseKeptEvent &event);
    bool isInOutage() const;
    void beginOutage(const QString &error);
    std::vector<Callback> takeFlushes();
    static void call(const std::vector<Callback> &flushes, const QString &error);

    const QString m_fileName;
    std::thread m_thread;

    std::mutex m_handlerMutex; // held while the error handler is called; taken before the other
    mutable std::mutex m_mutex;
    std::condition_variable m_pushed;
    std::condition_variable m_changed; // m_state
    enum class State { Closed, Opening, Open, Closing, Ended } m_state = State::Closed;
    Clock::time_point m_closeBy; // once it is Closing
    std::deque<Step> m_steps;
    std::vector<Step> m_batch;       // being stored; the thread's alone while it is
    std::vector<Callback> m_flushes; // of that
    qint64 m_batchBytes = 0;
    qint64 m_pendingBytes = 0; // of events in both
    qint64 m_maximumPendingBytes = qint64(64) * 1024 * 1024;
    bool m_isFull = false;    // until there is some room again
    bool m_isFailing = false; // as of the last try
    Clock::time_point m_lastLoss;
    QString m_error; // why it is not open, or of the last outage
    bool m_isReported = true;
    Callback m_errorHandler;
};

#endif // QSSESQLITEWRITER_P_H
