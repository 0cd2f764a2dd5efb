// SPDX-License-Identifier: MIT
#include "qssesqlitelog.h"
#include "qssememorylog_p.h"
#include "qssesqlitewriter_p.h"

class QSseSqliteLogPrivate : public QSseMemoryLogPrivate
{
public:
    explicit QSseSqliteLogPrivate(const QString &fileName);

    bool store(const std::shared_ptr<QSseKeptEvent> &event) override;
    void dropped(const Topic &topic, const QSseKeptEvent &event, bool counts) override;
    void forgotten(const Topic &topic) override;

    const QString fileName;
    const std::shared_ptr<QSseSqliteWriter> writer;
    QString openError;
};

QSseSqliteLogPrivate::QSseSqliteLogPrivate(const QString &fileName)
    : fileName(fileName), writer(std::make_shared<QSseSqliteWriter>(fileName))
{
    agesFrom = Time::min(); // what is read from the file has had its age for long
}

bool QSseSqliteLogPrivate::store(const std::shared_ptr<QSseKeptEvent> &event)
{
    return writer->append(event);
}

void QSseSqliteLogPrivate::dropped(const Topic &topic, const QSseKeptEvent &event, bool counts)
{
    writer->drop({ event.position, topic.name, counts });
}

void QSseSqliteLogPrivate::forgotten(const Topic &topic)
{
    writer->forget({ topic.name, forgottenUpTo });
}

QSseSqliteLog::QSseSqliteLog(const QString &fileName)
    : QSseMemoryLog(std::make_unique<QSseSqliteLogPrivate>(fileName))
{
}

QSseSqliteLog::~QSseSqliteLog()
{
    Q_D(QSseSqliteLog);
    d->writer->close();
}

QString QSseSqliteLog::fileName() const
{
    Q_D(const QSseSqliteLog);
    return d->fileName;
}

bool QSseSqliteLog::open()
{
    Q_D(QSseSqliteLog);
    const std::lock_guard locker(d->mutex);
    if (d->writer->isOpen())
        return true;
    if (d->head > 0) {
        d->openError = tr("Events were published before the event log was opened");
        return false;
    }
    d->refresh();
    d->openError = d->writer->open(d->epoch, d);
    if (!d->openError.isEmpty())
        d->reset();
    d->refresh();
    return d->openError.isEmpty();
}

bool QSseSqliteLog::isOpen() const
{
    Q_D(const QSseSqliteLog);
    return d->writer->isOpen();
}

QString QSseSqliteLog::errorString() const
{
    Q_D(const QSseSqliteLog);
    const std::lock_guard locker(d->mutex);
    return d->openError.isEmpty() ? d->writer->error() : d->openError;
}

qint64 QSseSqliteLog::maximumPendingBytes() const
{
    Q_D(const QSseSqliteLog);
    return d->writer->maximumPendingBytes();
}

void QSseSqliteLog::setMaximumPendingBytes(qint64 bytes)
{
    Q_D(QSseSqliteLog);
    d->writer->setMaximumPendingBytes(bytes);
}

QSseLoggedEventPointer QSseSqliteLog::append(QSseEvent event)
{
    Q_D(QSseSqliteLog);
    QSseLoggedEventPointer logged = QSseMemoryLog::append(std::move(event));
    d->writer->report(); // not under the mutex
    return logged;
}

bool QSseSqliteLog::isDurable() const
{
    return isOpen();
}

void QSseSqliteLog::flush(std::function<void(const QString &error)> done)
{
    Q_D(QSseSqliteLog);
    d->writer->flush(std::move(done));
}

void QSseSqliteLog::setErrorHandler(std::function<void(const QString &text)> handler)
{
    Q_D(QSseSqliteLog);
    d->writer->setErrorHandler(std::move(handler));
}
