// SPDX-License-Identifier: MIT
#include "qssesqlitewriter_p.h"

#include <QtCore/QDateTime>
#include <QtCore/QDir>
#include <QtCore/QLoggingCategory>

#include <utility>

using namespace QSseStoreStep;
using namespace std::chrono_literals;

Q_LOGGING_CATEGORY(lcEventLog, "qsse.eventlog")

namespace {

// A transaction is kept so small that some are done before close() gives up.
constexpr size_t BatchSteps = 8192;
constexpr qint64 BatchBytes = qint64(4) * 1024 * 1024;
constexpr auto RetryInterval = 1s;
constexpr auto ClosingRetryInterval = 100ms;
constexpr auto CloseTimeout = 5s;
// Names of topics that are remembered for what they lost, in one step.
constexpr qsizetype LostTopics = 10'000;

qint64 bytesOf(const QSseSqliteStore::Step &step)
{
    const auto *append = std::get_if<Append>(&step);
    return append ? append->event->memory() : 0;
}

} // namespace

QSseSqliteWriter::QSseSqliteWriter(const QString &fileName) : m_fileName(fileName) { }

QString QSseSqliteWriter::open(const QByteArray &epoch, QSseMemoryLogPrivate *log)
{
    if (m_thread.joinable())
        m_thread.join(); // it could not open the file before
    Lock lock(m_mutex);
    m_state = State::Opening;
    // The thread has a share of this, so that close() can leave it behind.
    m_thread = std::thread([self = shared_from_this(), epoch, log] { self->run(epoch, log); });
    m_changed.wait(lock, [this] { return m_state != State::Opening; });
    return m_state == State::Open ? QString() : m_error;
}

void QSseSqliteWriter::run(const QByteArray &epoch, QSseMemoryLogPrivate *log)
{
    {
        QSseSqliteStore store(m_fileName);
        const QString error = store.open(epoch, log);
        {
            const Lock lock(m_mutex);
            m_error = error;
            if (!error.isEmpty())
                m_steps.clear();
            m_state = error.isEmpty() ? State::Open : State::Closed;
        }
        m_changed.notify_all();
        if (!error.isEmpty())
            return;
        storeAll(&store);
    }
    const Lock lock(m_mutex);
    m_state = State::Ended;
    m_changed.notify_all();
}

void QSseSqliteWriter::close()
{
    if (!m_thread.joinable())
        return;
    Lock lock(m_mutex);
    if (m_state == State::Open)
        m_state = State::Closing;
    m_closeBy = Clock::now() + CloseTimeout;
    m_pushed.notify_all();
    const bool hasEnded =
        m_changed.wait_until(lock, m_closeBy, [this] { return m_state != State::Closing; });
    const std::vector<Callback> flushes = takeFlushes();
    if (!hasEnded || !m_steps.empty() || !m_batch.empty())
        qCWarning(lcEventLog, "Not all events are stored in %ls", qUtf16Printable(m_fileName));
    m_errorHandler = nullptr;
    lock.unlock();
    if (hasEnded)
        m_thread.join();
    else
        m_thread.detach();
    call(flushes, tr("The event log was closed"));
}

bool QSseSqliteWriter::isOpen() const
{
    const Lock lock(m_mutex);
    return m_state == State::Open;
}

bool QSseSqliteWriter::append(const QSseMemoryLogPrivate::KeptPointer &event)
{
    const Lock lock(m_mutex);
    if (m_state != State::Open)
        return false;
    m_isFull = m_isFull || m_pendingBytes + event->memory() > m_maximumPendingBytes;
    if (m_isFull) {
        lose(*event);
        return false;
    }
    m_pendingBytes += event->memory();
    push(Append { event, QDateTime::currentMSecsSinceEpoch() });
    return true;
}

void QSseSqliteWriter::drop(Drop drop)
{
    const Lock lock(m_mutex);
    push(std::move(drop));
}

void QSseSqliteWriter::forget(Forget forget)
{
    const Lock lock(m_mutex);
    // Without it the file knows more than it has to.
    if (m_state != State::Closed && !m_isFull)
        push(std::move(forget));
}

void QSseSqliteWriter::push(Step step)
{
    m_steps.push_back(std::move(step));
    if (m_steps.size() == 1)
        m_pushed.notify_one();
}

void QSseSqliteWriter::lose(const QSseKeptEvent &event)
{
    if (!isInOutage()) {
        beginOutage(tr("Events are published faster than %1 takes them, and are not stored")
                        .arg(QDir::toNativeSeparators(m_fileName)));
    }
    m_lastLoss = Clock::now();
    if (m_steps.empty() || !std::holds_alternative<Lose>(m_steps.back()))
        push(Lose());
    auto &lost = std::get<Lose>(m_steps.back());
    const QString topic = event.event.topic();
    if (lost.topics.size() < LostTopics || lost.topics.contains(topic))
        lost.topics.insert(topic, event.position);
    else
        lost.unnamedUpTo = event.position;
    lost.last = event.position;
}

void QSseSqliteWriter::flush(Callback done)
{
    Lock lock(m_mutex);
    QString error;
    if (m_state != State::Open)
        error = tr("The event log is not open");
    else if (isInOutage())
        error = m_error;
    if (error.isEmpty()) {
        push(Flush { std::move(done) });
        return;
    }
    lock.unlock();
    done(error);
}

void QSseSqliteWriter::storeAll(QSseSqliteStore *store)
{
    while (nextBatch())
        storeBatch(store);
}

// Waits for something to do. Returns false when there is nothing more to come.
bool QSseSqliteWriter::nextBatch()
{
    Lock lock(m_mutex);
    m_pushed.wait(lock, [this] { return !m_steps.empty() || m_state == State::Closing; });
    m_batchBytes = 0;
    while (!m_steps.empty() && m_batch.size() < BatchSteps && m_batchBytes < BatchBytes) {
        m_batchBytes += bytesOf(m_steps.front());
        if (auto *flush = std::get_if<Flush>(&m_steps.front()))
            m_flushes.push_back(std::move(flush->done));
        else
            m_batch.push_back(std::move(m_steps.front()));
        m_steps.pop_front();
    }
    const bool isLate = m_state == State::Closing && Clock::now() >= m_closeBy;
    return !isLate && (!m_batch.empty() || !m_flushes.empty());
}

void QSseSqliteWriter::storeBatch(QSseSqliteStore *store)
{
    for (;;) {
        const QString error = m_batch.empty() ? QString() : store->write(m_batch);
        if (error.isEmpty()) {
            batchStored();
            return;
        }
        batchFailed(error);
        if (!mayTryAgain())
            return;
    }
}

void QSseSqliteWriter::batchStored()
{
    std::vector<Step> stored; // freed without the mutex
    Lock lock(m_mutex);
    stored.swap(m_batch);
    m_isFailing = false;
    m_pendingBytes -= m_batchBytes;
    if (m_pendingBytes <= m_maximumPendingBytes / 2)
        m_isFull = false;
    const std::vector<Callback> flushes = std::exchange(m_flushes, {});
    lock.unlock();
    call(flushes, QString());
}

void QSseSqliteWriter::batchFailed(const QString &error)
{
    Lock lock(m_mutex);
    if (!isInOutage())
        beginOutage(error);
    m_isFailing = true;
    const std::vector<Callback> flushes = takeFlushes();
    lock.unlock();
    report();
    call(flushes, error);
}

bool QSseSqliteWriter::mayTryAgain()
{
    Lock lock(m_mutex);
    const auto isClosing = [this] { return m_state == State::Closing; };
    if (!m_pushed.wait_for(lock, RetryInterval, isClosing))
        return true;
    lock.unlock();
    std::this_thread::sleep_for(ClosingRetryInterval);
    return Clock::now() < m_closeBy;
}

// All that wait, also for steps not tried yet.
std::vector<QSseSqliteWriter::Callback> QSseSqliteWriter::takeFlushes()
{
    std::vector<Callback> flushes = std::exchange(m_flushes, {});
    std::deque<Step> others;
    for (Step &step : m_steps) {
        if (auto *flush = std::get_if<Flush>(&step))
            flushes.push_back(std::move(flush->done));
        else
            others.push_back(std::move(step));
    }
    m_steps.swap(others);
    return flushes;
}

void QSseSqliteWriter::call(const std::vector<Callback> &flushes, const QString &error)
{
    for (const Callback &done : flushes)
        done(error);
}

// Whoever flushes now may have appended something that is not going to be stored.
bool QSseSqliteWriter::isInOutage() const
{
    return m_isFailing || Clock::now() < m_lastLoss + RetryInterval;
}

void QSseSqliteWriter::beginOutage(const QString &error)
{
    m_error = error;
    m_isReported = false;
}

void QSseSqliteWriter::report()
{
    const Lock handling(m_handlerMutex);
    Lock lock(m_mutex);
    if (std::exchange(m_isReported, true))
        return;
    const Callback handler = m_errorHandler;
    const QString error = m_error;
    lock.unlock();
    qCWarning(lcEventLog, "%ls", qUtf16Printable(error));
    if (handler)
        handler(error);
}

void QSseSqliteWriter::setErrorHandler(Callback handler)
{
    const Lock handling(m_handlerMutex); // the one before has returned
    const Lock lock(m_mutex);
    m_errorHandler = std::move(handler);
}

QString QSseSqliteWriter::error() const
{
    const Lock lock(m_mutex);
    return m_state == State::Closed || isInOutage() ? m_error : QString();
}

qint64 QSseSqliteWriter::maximumPendingBytes() const
{
    const Lock lock(m_mutex);
    return m_maximumPendingBytes;
}

void QSseSqliteWriter::setMaximumPendingBytes(qint64 bytes)
{
    const Lock lock(m_mutex);
    m_maximumPendingBytes = qMax(qint64(0), bytes);
}
