// SPDX-License-Identifier: MIT
#ifndef QSSEMEMORYLOG_P_H
#define QSSEMEMORYLOG_P_H

#include "qsseeventlog.h"

#include <QtCore/QHash>

#include <chrono>
#include <deque>
#include <limits>
#include <map>
#include <mutex>
#include <set>
#include <unordered_map>
#include <utility>

/*! An event with what the log alone has to know of it. */
struct QSseKeptEvent : QSseLoggedEvent
{
    using Time = std::chrono::steady_clock::time_point;
    static constexpr Time Never = Time::max();

    Time appendedAt;
    Time end = Never;          //!< of its ttl
    bool hasCallersId = false; //!< not made of the position
    bool isStored = false;     //!< as QSseMemoryLogPrivate::store() has it
};

/*!
    The state of a log in memory and all it does under its mutex. A log that stores events besides
    derives from it: store(), dropped() and forgotten() tell what there is to do, in order, and must
    be quick.
*/
class QSSE_CORE_EXPORT QSseMemoryLogPrivate
{
public:
    using Time = QSseKeptEvent::Time;
    using KeptPointer = std::shared_ptr<const QSseKeptEvent>;
    using Filters = QList<QSseTopicFilter>;

    struct Topic
    {
        QString name;
        std::deque<KeptPointer> events;
        std::optional<QSseRetention> retention;
        qint64 bytes = 0;
        quint64 lastPosition = 0;
        quint64 droppedUpTo = 0;
        quint64 removal = 0;                // its key in removed, 0 for a topic that is there
        Time ageEnd = QSseKeptEvent::Never; // its key in byAgeEnd
    };

    QSseMemoryLogPrivate();
    virtual ~QSseMemoryLogPrivate();
    Q_DISABLE_COPY_MOVE(QSseMemoryLogPrivate)

    /*! The clock of ends. */
    virtual Time now() const;
    /*! Takes an event just appended; returns whether dropped() has to be called for it. */
    virtual bool store(const std::shared_ptr<QSseKeptEvent> &event);
    /*! An event of \a topic, one that store() took, is gone; \a counts as dropped or not. */
    virtual void dropped(const Topic &topic, const QSseKeptEvent &event, bool counts);
    /*! Nothing is known of \a topic any more but forgottenUpTo. */
    virtual void forgotten(const Topic &topic);

    /*! Puts \a event, which store() had in an earlier run, at its position: after all others. */
    void restore(const std::shared_ptr<QSseKeptEvent> &event);
    /*! Restores that \a topic had events up to \a position that are gone. Comes after restore(), in
        the order of positions. */
    void restoreDropped(const QString &topic, quint64 position);
    /*! Restores what is known of topics that are not: \a forgotten, and what is not known of any:
        that there may have been events up to \a lost. Comes last. */
    void restoreForgotten(quint64 forgotten, quint64 lost);
    /*! Forgets all that was restored. */
    void reset();

    /*! Brings time up to date, and drops what is over by then. */
    void refresh(int maximumDrops = std::numeric_limits<int>::max());
    /*! Sees to it that there are ages to compare with \a retention's. */
    void useAge(const QSseRetention &retention);
    void append(const std::shared_ptr<QSseKeptEvent> &event);
    void remove(Topic *topic);
    void enforceLimits(Topic &topic);
    void enforceAllLimits();
    Topic &topic(const QString &name);
    const QSseRetention &retentionOf(const Topic &topic) const;
    void updateAgeEnd(Topic &topic);

    /*! The topics wanted; ones without an event after \a after may be left out. */
    QList<const Topic *> matching(const Filters &filters, quint64 after) const;
    quint64 droppedUpTo(const Filters &filters, const QList<const Topic *> &matching,
                        quint64 after) const;
    quint64 forgottenUpToOf(const Filters &filters, quint64 after) const;
    QByteArray idAt(quint64 position) const;
    quint64 positionOf(const Topic &topic, const QByteArray &id) const;
    std::optional<quint64> lastOfEpoch(const QByteArray &id) const;
    static std::optional<quint64> positionIn(const QByteArray &id);
    static KeptPointer find(const Topic &topic, quint64 position);

    mutable std::mutex mutex;
    const QByteArray epoch;
    const QByteArray idPrefix;
    QHash<QByteArray, quint64> pastEpochs; // to the last position that their ids stand for
    quint64 head = 0;
    qint64 bytes = 0;
    QSseRetention retention;
    qint64 maximumBytes = qint64(64) * 1024 * 1024;
    std::unordered_map<QString, Topic> topics; // stay where they are, so are pointed to
    // Kept events by the ids their callers chose: the newest, and those of other topics behind it.
    QHash<QByteArray, const QSseKeptEvent *> callersIds;
    QHash<std::pair<QByteArray, QString>, const QSseKeptEvent *> shadowedIds;
    Time agesFrom = QSseKeptEvent::Never; // from then on appendedAt is right
    quint64 forgottenUpTo = 0; // nothing is known of what topics not in here had up to this

private:
    using Events = std::deque<KeptPointer>;

    void push(Topic &topic, const std::shared_ptr<QSseKeptEvent> &event);
    KeptPointer take(Topic &topic, Events::iterator at);
    void updateOldest(Topic &topic, quint64 before);
    void drop(Topic &topic);
    void addCallersId(const QSseKeptEvent &event);
    void removeCallersId(const QSseKeptEvent &event);
    void setRemoved(Topic *topic);
    void forget(Topic *topic);
    void dropOver(int atMost);
    QList<const Topic *> changedAfter(quint64 after) const;

    Time time; // as of this call
    quint64 removals = 0;
    std::map<quint64, Topic *> removed;  // by the order in which they were
    std::map<quint64, Topic *> byOldest; // topics that keep events, by their oldest's position
    std::set<std::pair<Time, Topic *>> byAgeEnd;       // topics by when their oldest is too old
    std::map<std::pair<Time, quint64>, Topic *> byEnd; // of events with a ttl, and positions
    std::deque<Topic *> recent;                        // of the last positions, each one's topic
};

#endif // QSSEMEMORYLOG_P_H
