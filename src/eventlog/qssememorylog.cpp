// SPDX-License-Identifier: MIT
#include "qssememorylog.h"
#include "qssefiltertree_p.h"

#include <QtCore/QHash>
#include <QtCore/QMutex>
#include <QtCore/QRandomGenerator>
#include <QtCore/QSet>

#include <algorithm>
#include <deque>
#include <map>
#include <queue>
#include <unordered_map>
#include <variant>

QSseEventLog::~QSseEventLog() = default;

namespace {

struct TopicLog
{
    std::deque<QSseLoggedEventPointer> events;
    quint64 droppedUpTo = 0;
};

using EventIterator = std::deque<QSseLoggedEventPointer>::const_iterator;

// The events of one topic still to be merged into a page.
struct Run
{
    EventIterator next;
    EventIterator end;

    bool operator<(const Run &other) const { return (*next)->position > (*other.next)->position; }
};

QByteArray makeEpoch()
{
    // The time alone could be met again after the clock was set back, or by a second log.
    const auto now = quint64(QDateTime::currentMSecsSinceEpoch());
    return QByteArray::number(now, 36)
        + QByteArray::number(QRandomGenerator::global()->generate(), 36);
}

} // namespace

class QSseMemoryLogPrivate
{
public:
    void dropOldest(TopicLog &topic);
    void enforceLimits(TopicLog &topic);
    QList<const TopicLog *> matching(const QList<QSseTopicFilter> &filters) const;
    QByteArray idAt(quint64 position) const;

    mutable QMutex mutex;
    const QByteArray idPrefix = makeEpoch() + '-';
    quint64 head = 0;
    qint64 bytes = 0;
    int maximumEventsPerTopic = 1000;
    qint64 maximumBytes = qint64(64) * 1024 * 1024;
    std::unordered_map<QString, TopicLog> topics; // stay where they are, so are pointed to
    std::map<quint64, TopicLog *> byOldest; // topics that keep events, by their oldest's position
    QHash<QByteArray, quint64> foreignIds;  // of kept events whose id the caller chose
};

QByteArray QSseMemoryLogPrivate::idAt(quint64 position) const
{
    const QByteArray number = QByteArray::number(position);
    QByteArray id;
    id.reserve(idPrefix.size() + number.size());
    return id.append(idPrefix).append(number);
}

void QSseMemoryLogPrivate::dropOldest(TopicLog &topic)
{
    const QSseLoggedEventPointer oldest = std::move(topic.events.front());
    topic.events.pop_front();
    topic.droppedUpTo = oldest->position;
    bytes -= oldest->memory();

    const auto foreign = foreignIds.constFind(oldest->event.idUtf8());
    if (foreign != foreignIds.constEnd() && *foreign == oldest->position)
        foreignIds.erase(foreign);
    // With its node: in a full log this happens for each event.
    auto node = byOldest.extract(oldest->position);
    if (topic.events.empty())
        return;
    node.key() = topic.events.front()->position;
    byOldest.insert(std::move(node));
}

void QSseMemoryLogPrivate::enforceLimits(TopicLog &topic)
{
    while (topic.events.size() > size_t(maximumEventsPerTopic))
        dropOldest(topic);
    while (bytes > maximumBytes && !byOldest.empty())
        dropOldest(*byOldest.begin()->second);
}

QList<const TopicLog *> QSseMemoryLogPrivate::matching(const QList<QSseTopicFilter> &filters) const
{
    QList<const TopicLog *> found;
    const bool allExact = std::all_of(filters.begin(), filters.end(),
                                      [](const QSseTopicFilter &f) { return f.isExact(); });
    if (allExact) {
        for (const QSseTopicFilter &filter :
             QSet<QSseTopicFilter>(filters.begin(), filters.end())) {
            const auto topic = topics.find(filter.pattern());
            if (topic != topics.end())
                found.append(&topic->second);
        }
        return found;
    }
    // There may be many topics, so they are not each asked of each filter.
    QSseFilterTree<std::monostate> wanted;
    for (const QSseTopicFilter &filter : filters)
        wanted.insert(filter, {});
    for (const auto &[name, topic] : topics) {
        bool matches = false;
        wanted.match(name, [&matches](std::monostate) { matches = true; });
        if (matches)
            found.append(&topic);
    }
    return found;
}

QSseMemoryLog::QSseMemoryLog() : d(new QSseMemoryLogPrivate) { }

QSseMemoryLog::~QSseMemoryLog() = default;

int QSseMemoryLog::maximumEventsPerTopic() const
{
    const QMutexLocker locker(&d->mutex);
    return d->maximumEventsPerTopic;
}

void QSseMemoryLog::setMaximumEventsPerTopic(int count)
{
    const QMutexLocker locker(&d->mutex);
    d->maximumEventsPerTopic = qMax(0, count);
    for (auto &[name, topic] : d->topics)
        d->enforceLimits(topic);
}

qint64 QSseMemoryLog::maximumBytes() const
{
    const QMutexLocker locker(&d->mutex);
    return d->maximumBytes;
}

void QSseMemoryLog::setMaximumBytes(qint64 bytes)
{
    const QMutexLocker locker(&d->mutex);
    d->maximumBytes = qMax(qint64(0), bytes);
    for (auto &[name, topic] : d->topics)
        d->enforceLimits(topic);
}

QSseLoggedEventPointer QSseMemoryLog::append(QSseEvent event)
{
    auto logged = std::make_shared<QSseLoggedEvent>();
    logged->event = std::move(event);
    if (!logged->event.occurredAt().isValid())
        logged->event.setOccurredAt(QDateTime::currentDateTimeUtc());
    const QByteArray id = logged->event.idUtf8();

    const QMutexLocker locker(&d->mutex);
    logged->position = ++d->head;
    // An id of ours belongs to the event it was made for: readers who saw that must not be taken to
    // this one, into which its publisher made it.
    if (id.isEmpty() || id.startsWith(d->idPrefix))
        logged->event.setIdUtf8(d->idAt(logged->position));
    else
        d->foreignIds.insert(id, logged->position);
    logged->frame = logged->event.encode();

    TopicLog &topic = d->topics[logged->event.topic()];
    if (topic.events.empty())
        d->byOldest.emplace(logged->position, &topic);
    topic.events.push_back(logged);
    d->bytes += logged->memory();
    d->enforceLimits(topic);
    return logged;
}

quint64 QSseMemoryLog::head() const
{
    const QMutexLocker locker(&d->mutex);
    return d->head;
}

QByteArray QSseMemoryLog::idAt(quint64 position) const
{
    return d->idAt(position);
}

std::optional<quint64> QSseMemoryLog::positionOf(const QByteArray &id) const
{
    const QMutexLocker locker(&d->mutex);
    const auto foreign = d->foreignIds.constFind(id);
    if (foreign != d->foreignIds.constEnd())
        return *foreign;
    if (!id.startsWith(d->idPrefix))
        return std::nullopt;
    const quint64 position = id.mid(d->idPrefix.size()).toULongLong();
    // toULongLong() stops at a NUL and lets signs and spaces pass: only the very id is known, as a
    // server sends it back.
    if (position > d->head || id != d->idAt(position))
        return std::nullopt;
    return position;
}

QSseEventLog::Page QSseMemoryLog::read(const QList<QSseTopicFilter> &filters, quint64 after,
                                       quint64 upTo, qsizetype maximumBytes) const
{
    const QMutexLocker locker(&d->mutex);
    Page page;
    std::priority_queue<Run> runs;
    const auto isBefore = [](quint64 position, const QSseLoggedEventPointer &event) {
        return position < event->position;
    };
    for (const TopicLog *topic : d->matching(filters)) {
        page.droppedUpTo = qMax(page.droppedUpTo, topic->droppedUpTo);
        const auto &events = topic->events;
        const Run run { std::upper_bound(events.begin(), events.end(), after, isBefore),
                        std::upper_bound(events.begin(), events.end(), upTo, isBefore) };
        if (run.next < run.end)
            runs.push(run);
    }

    qsizetype size = 0;
    while (!runs.empty() && (page.events.isEmpty() || size < maximumBytes)) {
        Run run = runs.top();
        runs.pop();
        page.events.append(*run.next);
        size += (*run.next)->frame.size();
        if (++run.next != run.end)
            runs.push(run);
    }
    page.upTo = runs.empty() ? upTo : page.events.last()->position;
    return page;
}

QSseLoggedEventPointer QSseMemoryLog::oldest(const QList<QSseTopicFilter> &filters) const
{
    const QMutexLocker locker(&d->mutex);
    QSseLoggedEventPointer oldest;
    for (const TopicLog *topic : d->matching(filters)) {
        if (!topic->events.empty()
            && (!oldest || topic->events.front()->position < oldest->position))
            oldest = topic->events.front();
    }
    return oldest;
}

void QSseMemoryLog::removeTopic(const QString &topic)
{
    const QMutexLocker locker(&d->mutex);
    const auto found = d->topics.find(topic);
    if (found == d->topics.end())
        return;
    while (!found->second.events.empty())
        d->dropOldest(found->second);
    d->topics.erase(found);
}
