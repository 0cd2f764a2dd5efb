// SPDX-License-Identifier: MIT
#ifndef QSSEMEMORYLOG_H
#define QSSEMEMORYLOG_H

#include "qsseeventlog.h"

class QSseMemoryLogPrivate;

/*!
    The log a server has unless another is set: events live in memory and end with the process.

    Ids are \c {<epoch>-<position>}; the epoch is new for every log, so an id of an earlier run is
    recognised as unknown instead of pointing at a wrong place. Memory is bounded by the retention
    of each topic (1,000 events unless set) and by maximumBytes() (64 MiB). Ages and times to live
    are measured with a clock that nobody sets; what is over goes with the next call. All functions
    are thread-safe.

    Of topics that were removed, the last 10,000 are known by name. What earlier ones had counts as
    dropped for every filter with a wildcard, and for every topic that is new since.
*/
class QSSE_CORE_EXPORT QSseMemoryLog : public QSseEventLog
{
public:
    QSseMemoryLog();
    ~QSseMemoryLog() override;

    QSseLoggedEventPointer append(QSseEvent event) override;
    quint64 head() const override;
    QByteArray idAt(quint64 position) const override;
    std::optional<quint64> positionOf(const QByteArray &id) const override;
    Page read(const QList<QSseTopicFilter> &filters, quint64 after, quint64 upTo,
              qsizetype maximumBytes) const override;
    Page latest(const QList<QSseTopicFilter> &filters, quint64 after, quint64 upTo) const override;
    quint64 droppedUpTo(const QList<QSseTopicFilter> &filters, quint64 after = 0) const override;
    QSseLoggedEventPointer oldest(const QList<QSseTopicFilter> &filters) const override;
    QSseLoggedEventPointer event(const QString &topic, const QByteArray &id) const override;
    void removeTopic(const QString &topic) override;

    QSseRetention retention() const override;
    void setRetention(const QSseRetention &retention) override;
    QSseRetention retention(const QString &topic) const override;
    void setRetention(const QString &topic, const QSseRetention &retention) override;
    qint64 maximumBytes() const override;
    void setMaximumBytes(qint64 bytes) override;

protected:
    explicit QSseMemoryLog(std::unique_ptr<QSseMemoryLogPrivate> d);
    const std::unique_ptr<QSseMemoryLogPrivate> d;
};

#endif // QSSEMEMORYLOG_H
