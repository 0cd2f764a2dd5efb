// SPDX-License-Identifier: MIT
#ifndef QSSEMEMORYLOG_H
#define QSSEMEMORYLOG_H

#include "qsseeventlog.h"

class QSseMemoryLogPrivate;

/*!
    The log a server has unless another is set: events live in memory and end with the process.

    Ids are \c {<epoch>-<position>}; the epoch is new for every log, so an id of an earlier run is
    recognised as unknown instead of pointing at a wrong place. Retention is by count for each
    topic and by bytes in total: memory is bounded. All functions are thread-safe.
*/
class QSSE_CORE_EXPORT QSseMemoryLog : public QSseEventLog
{
public:
    QSseMemoryLog();
    ~QSseMemoryLog() override;

    /*! The most events kept for a topic; 1000 unless set, 0 for none. */
    int maximumEventsPerTopic() const;
    void setMaximumEventsPerTopic(int count);
    /*! The most bytes of memory kept events may take, over all topics; 64 MiB unless set. Beyond it
       the oldest event of all goes first. */
    qint64 maximumBytes() const;
    void setMaximumBytes(qint64 bytes);

    QSseLoggedEventPointer append(QSseEvent event) override;
    quint64 head() const override;
    QByteArray idAt(quint64 position) const override;
    std::optional<quint64> positionOf(const QByteArray &id) const override;
    Page read(const QList<QSseTopicFilter> &filters, quint64 after, quint64 upTo,
              qsizetype maximumBytes) const override;
    QSseLoggedEventPointer oldest(const QList<QSseTopicFilter> &filters) const override;
    void removeTopic(const QString &topic) override;

private:
    std::unique_ptr<QSseMemoryLogPrivate> d;
};

#endif // QSSEMEMORYLOG_H
