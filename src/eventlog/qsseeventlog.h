// SPDX-License-Identifier: MIT
#ifndef QSSEEVENTLOG_H
#define QSSEEVENTLOG_H

#include "qsseevent.h"
#include "qssetopicfilter.h"

#include <QtCore/QList>

#include <chrono>
#include <functional>
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

/*! How much of a topic a log keeps; whatever is reached first makes its oldest event go. */
struct QSseRetention
{
    int events = 1000; //!< 0 for none
    qint64 bytes = -1; //!< of memory; a negative value for no limit but that of the whole log
    std::chrono::milliseconds age { -1 }; //!< since it was appended; a negative value for any

    friend bool operator==(const QSseRetention &a, const QSseRetention &b)
    {
        return a.events == b.events && a.bytes == b.bytes && a.age == b.age;
    }
    friend bool operator!=(const QSseRetention &a, const QSseRetention &b) { return !(a == b); }
};

/*!
    Gives events their order and ids, keeps the latest, and answers what comes after an id.

    What goes because of the retention, or with its topic, counts as dropped: readers that come for
    it are told so. An event whose QSseEvent::ttl() is over is worth nothing to anybody: it goes
    unnoticed.

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
        quint64 droppedUpTo = 0; //!< as of QSseEventLog::droppedUpTo() for the same reader
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
    /*! The newest event with a position in (\a after, \a upTo] of each topic that any of \a filters
        matches, whatever their size. The page's droppedUpTo is about topics alone of which just
        that event is no longer kept. */
    virtual Page latest(const QList<QSseTopicFilter> &filters, quint64 after,
                        quint64 upTo) const = 0;
    /*! The last position after \a after of an event no longer kept of a topic that any of
        \a filters matches; 0 when there is none. A topic that was removed is still known for what
        it had. With wildcards and many topics this is quick for a reader that was here lately. */
    virtual quint64 droppedUpTo(const QList<QSseTopicFilter> &filters, quint64 after = 0) const = 0;
    /*! The oldest event kept of the topics that any of \a filters matches, or null. */
    virtual QSseLoggedEventPointer oldest(const QList<QSseTopicFilter> &filters) const = 0;
    /*! The event of \a topic that has \a id, the newest if there are several; null when none is
        kept. */
    virtual QSseLoggedEventPointer event(const QString &topic, const QByteArray &id) const = 0;

    /*! Drops \a topic, its events and its own retention. */
    virtual void removeTopic(const QString &topic) = 0;

    /*! What is kept of each topic that has no retention of its own. */
    virtual QSseRetention retention() const = 0;
    virtual void setRetention(const QSseRetention &retention) = 0;
    /*! What is kept of \a topic. */
    virtual QSseRetention retention(const QString &topic) const = 0;
    /*! Gives \a topic, which need not have events yet, a retention of its own until it is
        removed. */
    virtual void setRetention(const QString &topic, const QSseRetention &retention) = 0;
    /*! The most bytes of memory kept events may take, over all topics. Beyond it the oldest event
        of all goes first. */
    virtual qint64 maximumBytes() const = 0;
    virtual void setMaximumBytes(qint64 bytes) = 0;

    /*! Whether events outlive the process, so that flush() takes its time. Unless reimplemented,
        false. */
    virtual bool isDurable() const;
    /*! Calls \a done, in any thread, once all that was appended before is stored as durably as this
        log does it, with an empty text; or with an error in one translated line when some of it is
        not. Unless reimplemented, at once. */
    virtual void flush(std::function<void(const QString &error)> done);
    /*! Has \a handler called, in any thread and with one translated line, when the log cannot keep
        its promise. It must not call the log. The handler before is not called any more, and has
        returned. Unless reimplemented, there is nothing to tell. */
    virtual void setErrorHandler(std::function<void(const QString &text)> handler);
};

#endif // QSSEEVENTLOG_H
