// SPDX-License-Identifier: MIT
#ifndef QSSEEVENTLOG_H
#define QSSEEVENTLOG_H

#include "qsseevent.h"
#include "qssetopicfilter.h"

#include <QtCore/QList>

#include <memory>
#include <optional>

/*! An event as a log keeps it and as it is sent: never changed once made, shared by all readers. */
struct QSseLoggedEvent
{
    quint64 position = 0; //!< 1 for the log's first event, then one more each
    QSseEvent event;      //!< with topic, id and occurredAt filled in
    QByteArray frame;     //!< event.encode()

    /*! About how many bytes of memory this takes. */
    qsizetype memory() const { return Overhead + event.size() + frame.size(); }
    static constexpr qsizetype Overhead = 448; // of a short event, as measured
};

using QSseLoggedEventPointer = std::shared_ptr<const QSseLoggedEvent>;

/*!
    Gives events their order and ids, keeps the latest, and answers what comes after an id.

    An implementation is thread-safe: append() comes from every publishing thread and reading from
    the threads that send. Nothing in it may wait for the network.
*/
class QSSE_CORE_EXPORT QSseEventLog
{
public:
    QSseEventLog() = default;
    virtual ~QSseEventLog();
    Q_DISABLE_COPY_MOVE(QSseEventLog)

    /*! What a reader gets. */
    struct Page
    {
        QList<QSseLoggedEventPointer> events; //!< in order
        quint64 upTo = 0;        //!< everything wanted up to this position is in events
        quint64 droppedUpTo = 0; //!< the last position of a wanted event no longer kept
    };

    /*! Keeps \a event, which is valid and has a topic, under the next position; an id made of that
        and the time are filled in where it has none. Never fails; what was made of it is
        returned. */
    virtual QSseLoggedEventPointer append(QSseEvent event) = 0;

    /*! The position of the last event appended, 0 before the first. */
    virtual quint64 head() const = 0;
    /*! The id that stands for "everything up to \a position". */
    virtual QByteArray idAt(quint64 position) const = 0;
    /*! The position that \a id stands for, or nothing when it is unknown or no longer kept. */
    virtual std::optional<quint64> positionOf(const QByteArray &id) const = 0;

    /*! The events of topics that any of \a filters matches, positions in (\a after, \a upTo], from
        the oldest on until their frames make up \a maximumBytes; at least one if there is any. */
    virtual Page read(const QList<QSseTopicFilter> &filters, quint64 after, quint64 upTo,
                      qsizetype maximumBytes) const = 0;
    /*! The oldest event kept of the topics that any of \a filters matches, or null. */
    virtual QSseLoggedEventPointer oldest(const QList<QSseTopicFilter> &filters) const = 0;

    /*! Drops \a topic and its events. */
    virtual void removeTopic(const QString &topic) = 0;
};

#endif // QSSEEVENTLOG_H
