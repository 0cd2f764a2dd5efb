// SPDX-License-Identifier: MIT
#include "qssememorylog.h"
#include "qssefiltertree_p.h"
#include "qssememorylog_p.h"

#include <QtCore/QRandomGenerator>
#include <QtCore/QSet>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <limits>
#include <queue>
#include <variant>

using namespace std::chrono_literals;

using Kept = QSseKeptEvent;

QSseEventLog::~QSseEventLog() = default;

bool QSseEventLog::isDurable() const
{
    return false;
}

void QSseEventLog::flush(std::function<void(const QString &error)> done)
{
    done(QString());
}

void QSseEventLog::setErrorHandler(std::function<void(const QString &text)> handler)
{
    Q_UNUSED(handler)
}

namespace {

using Topic = QSseMemoryLogPrivate::Topic;
using EventIterator = std::deque<QSseMemoryLogPrivate::KeptPointer>::const_iterator;

constexpr size_t RecentPositions = 65'536;
constexpr size_t RemovedTopics = 10'000;
// More than the one that comes, so that whatever piled up goes in the end.
constexpr int DropsPerAppend = 8;

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

Kept::Time after(Kept::Time begin, std::chrono::milliseconds duration)
{
    // The clock counts nanoseconds and would overflow.
    constexpr std::chrono::milliseconds Longest = std::chrono::hours(24 * 365 * 100);
    return begin + std::min(duration, Longest);
}

// The clock may have been set since the event occurred, so that is believed only so far.
std::chrono::milliseconds remainingTtl(const QSseEvent &event)
{
    const qint64 ttl = event.ttl().count();
    const qint64 passed = event.occurredAt().msecsTo(QDateTime::currentDateTimeUtc());
    return std::chrono::milliseconds(ttl - qBound(qint64(0), passed, ttl));
}

EventIterator firstAfter(const Topic &topic, quint64 position)
{
    const auto isBefore = [](quint64 position, const auto &event) {
        return position < event->position;
    };
    return std::upper_bound(topic.events.begin(), topic.events.end(), position, isBefore);
}

std::pair<QByteArray, QString> keyOf(const Kept &event)
{
    return { event.event.idUtf8(), event.event.topic() };
}

bool areExact(const QList<QSseTopicFilter> &filters)
{
    return std::all_of(filters.begin(), filters.end(),
                       [](const QSseTopicFilter &filter) { return filter.isExact(); });
}

} // namespace

QSseMemoryLogPrivate::QSseMemoryLogPrivate() : epoch(makeEpoch()), idPrefix(epoch + '-') { }

QSseMemoryLogPrivate::~QSseMemoryLogPrivate() = default;

Kept::Time QSseMemoryLogPrivate::now() const
{
    return std::chrono::steady_clock::now();
}

bool QSseMemoryLogPrivate::store(const std::shared_ptr<Kept> &)
{
    return false;
}

void QSseMemoryLogPrivate::dropped(const Topic &, const Kept &, bool) { }

void QSseMemoryLogPrivate::forgotten(const Topic &) { }

QByteArray QSseMemoryLogPrivate::idAt(quint64 position) const
{
    char digits[std::numeric_limits<quint64>::digits10 + 1];
    const char *const end = std::to_chars(std::begin(digits), std::end(digits), position).ptr;
    QByteArray id;
    id.reserve(idPrefix.size() + (end - digits));
    return id.append(idPrefix).append(digits, end - digits);
}

// The last position that ids of the same epoch stand for, if the epoch is one of this log's.
std::optional<quint64> QSseMemoryLogPrivate::lastOfEpoch(const QByteArray &id) const
{
    if (id.startsWith(idPrefix))
        return head;
    if (pastEpochs.isEmpty())
        return std::nullopt;
    const auto past = pastEpochs.constFind(id.first(qMax(qsizetype(0), id.indexOf('-'))));
    return past == pastEpochs.constEnd() ? std::nullopt : std::optional<quint64>(*past);
}

std::optional<quint64> QSseMemoryLogPrivate::positionIn(const QByteArray &id)
{
    const QByteArray number = id.mid(id.indexOf('-') + 1);
    const quint64 position = number.toULongLong();
    // toULongLong() stops at a NUL and lets signs and spaces pass: only the very id is known, as a
    // server sends it back.
    if (number != QByteArray::number(position))
        return std::nullopt;
    return position;
}

QSseMemoryLogPrivate::KeptPointer QSseMemoryLogPrivate::find(const Topic &topic, quint64 position)
{
    const auto next = firstAfter(topic, position);
    if (next == topic.events.begin() || (*std::prev(next))->position != position)
        return nullptr;
    return *std::prev(next);
}

// Where in the topic an event with the id is, if there is one.
quint64 QSseMemoryLogPrivate::positionOf(const Topic &topic, const QByteArray &id) const
{
    const Kept *event = callersIds.value(id);
    if (!event || event->event.topic() != topic.name)
        event = shadowedIds.value({ id, topic.name });
    return event ? event->position : positionIn(id).value_or(0);
}

Topic &QSseMemoryLogPrivate::topic(const QString &name)
{
    const auto [found, isNew] = topics.try_emplace(name);
    Topic &topic = found->second;
    if (isNew) {
        topic.name = name;
        topic.lastPosition = topic.droppedUpTo = forgottenUpTo; // it may have been here before
    } else if (topic.removal) {
        removed.erase(std::exchange(topic.removal, 0));
    }
    return topic;
}

const QSseRetention &QSseMemoryLogPrivate::retentionOf(const Topic &topic) const
{
    return topic.retention ? *topic.retention : retention;
}

void QSseMemoryLogPrivate::append(const std::shared_ptr<Kept> &event)
{
    event->position = ++head;
    event->appendedAt = time;
    if (event->event.ttl() >= 0ms)
        event->end = after(now(), remainingTtl(event->event));
    const QByteArray id = event->event.idUtf8();
    // An id of ours belongs to the event it was made for: readers who saw that must not be taken to
    // this one, into which its publisher made it.
    event->hasCallersId = !id.isEmpty() && !lastOfEpoch(id);
    if (!event->hasCallersId)
        event->event.setIdUtf8(idAt(event->position));
    event->frame = event->event.encode();

    Topic &topic = this->topic(event->event.topic());
    recent.push_back(&topic);
    if (recent.size() > RecentPositions)
        recent.pop_front();
    event->isStored = store(event);
    push(topic, event);
    enforceLimits(topic);
}

void QSseMemoryLogPrivate::push(Topic &topic, const std::shared_ptr<Kept> &event)
{
    const quint64 position = event->position;
    topic.lastPosition = position;
    topic.events.push_back(event);
    const qint64 memory = event->memory();
    topic.bytes += memory;
    bytes += memory;
    if (event->hasCallersId)
        addCallersId(*event);
    if (event->end != Kept::Never)
        byEnd.emplace(std::pair(event->end, position), &topic);
    if (topic.events.size() == 1) {
        byOldest.emplace(position, &topic);
        updateAgeEnd(topic);
    }
}

QSseMemoryLogPrivate::KeptPointer QSseMemoryLogPrivate::take(Topic &topic, Events::iterator at)
{
    KeptPointer event = std::move(*at);
    const bool isOldest = at == topic.events.begin();
    if (isOldest)
        topic.events.pop_front(); // erase() does more
    else
        topic.events.erase(at);
    const qint64 memory = event->memory();
    topic.bytes -= memory;
    bytes -= memory;
    if (event->hasCallersId)
        removeCallersId(*event);
    if (event->end != Kept::Never)
        byEnd.erase({ event->end, event->position });
    if (isOldest)
        updateOldest(topic, event->position);
    return event;
}

void QSseMemoryLogPrivate::updateOldest(Topic &topic, quint64 before)
{
    // With its node: in a full log this happens for each event.
    auto node = byOldest.extract(before);
    if (!topic.events.empty()) {
        node.key() = topic.events.front()->position;
        byOldest.insert(std::move(node));
    }
    updateAgeEnd(topic);
}

void QSseMemoryLogPrivate::addCallersId(const Kept &event)
{
    const Kept *&newest = callersIds[event.event.idUtf8()];
    if (newest && newest->event.topic() != event.event.topic())
        shadowedIds.insert(keyOf(*newest), newest);
    if (!shadowedIds.isEmpty())
        shadowedIds.remove(keyOf(event));
    newest = &event;
}

void QSseMemoryLogPrivate::removeCallersId(const Kept &event)
{
    const auto found = callersIds.constFind(event.event.idUtf8());
    if (found != callersIds.constEnd() && *found == &event)
        callersIds.erase(found);
    else if (shadowedIds.value(keyOf(event)) == &event)
        shadowedIds.remove(keyOf(event));
}

void QSseMemoryLogPrivate::updateAgeEnd(Topic &topic)
{
    const std::chrono::milliseconds age = retentionOf(topic).age;
    const bool hasEnd = age >= 0ms && !topic.events.empty();
    const Time end =
        hasEnd ? after(qMax(agesFrom, topic.events.front()->appendedAt), age) : Kept::Never;
    if (end == topic.ageEnd)
        return;
    if (topic.ageEnd != Kept::Never)
        byAgeEnd.erase({ topic.ageEnd, &topic });
    if (hasEnd)
        byAgeEnd.emplace(end, &topic);
    topic.ageEnd = end;
}

// The topic's oldest.
void QSseMemoryLogPrivate::drop(Topic &topic)
{
    const KeptPointer event = take(topic, topic.events.begin());
    const bool counts = event->end > time;
    if (counts)
        topic.droppedUpTo = qMax(topic.droppedUpTo, event->position);
    if (event->isStored)
        dropped(topic, *event, counts);
}

void QSseMemoryLogPrivate::enforceLimits(Topic &topic)
{
    const QSseRetention &limits = retentionOf(topic);
    const size_t maximumEvents = size_t(qMax(0, limits.events));
    while (topic.events.size() > maximumEvents)
        drop(topic);
    while (limits.bytes >= 0 && topic.bytes > limits.bytes)
        drop(topic);
    while (bytes > maximumBytes && !byOldest.empty())
        drop(*byOldest.begin()->second);
}

void QSseMemoryLogPrivate::enforceAllLimits()
{
    for (auto &[name, topic] : topics) {
        updateAgeEnd(topic);
        enforceLimits(topic);
    }
    refresh();
}

void QSseMemoryLogPrivate::refresh(int maximumDrops)
{
    // Most logs have no need for the time, and asking for it is a good part of an append.
    if (agesFrom == Kept::Never && byEnd.empty())
        return;
    time = now();
    dropOver(maximumDrops);
}

void QSseMemoryLogPrivate::useAge(const QSseRetention &retention)
{
    if (retention.age >= 0ms && agesFrom == Kept::Never)
        agesFrom = now();
}

void QSseMemoryLogPrivate::dropOver(int atMost)
{
    for (; atMost > 0 && !byEnd.empty() && byEnd.begin()->first.first <= time; --atMost) {
        const auto [key, topic] = *byEnd.begin();
        const auto index = std::prev(firstAfter(*topic, key.second)) - topic->events.cbegin();
        const KeptPointer event = take(*topic, topic->events.begin() + index);
        if (event->isStored)
            dropped(*topic, *event, false);
    }
    for (; atMost > 0 && !byAgeEnd.empty() && byAgeEnd.begin()->first <= time; --atMost)
        drop(*byAgeEnd.begin()->second);
}

void QSseMemoryLogPrivate::remove(Topic *topic)
{
    while (!topic->events.empty())
        drop(*topic);
    topic->retention.reset();
    setRemoved(topic);
}

void QSseMemoryLogPrivate::setRemoved(Topic *topic)
{
    topic->removal = ++removals;
    removed.emplace(topic->removal, topic);
    if (topic->lastPosition == 0)
        forget(topic); // it never had an event
    else if (removed.size() > RemovedTopics)
        forget(removed.begin()->second);
}

void QSseMemoryLogPrivate::forget(Topic *topic)
{
    // Whether they counted as dropped or not, so that nobody looks for its events in recent.
    forgottenUpTo = qMax(forgottenUpTo, topic->lastPosition);
    removed.erase(topic->removal);
    const auto node = topics.extract(topic->name);
    forgotten(node.mapped());
}

void QSseMemoryLogPrivate::restore(const std::shared_ptr<Kept> &event)
{
    event->hasCallersId = !lastOfEpoch(event->event.idUtf8());
    event->isStored = true;
    event->frame = event->event.encode();
    if (event->event.ttl() >= 0ms)
        event->end = after(time, remainingTtl(event->event));
    head = qMax(head, event->position);
    Topic &topic = this->topic(event->event.topic());
    push(topic, event);
    enforceLimits(topic);
}

void QSseMemoryLogPrivate::restoreDropped(const QString &name, quint64 position)
{
    head = qMax(head, position);
    Topic &topic = this->topic(name);
    topic.droppedUpTo = qMax(topic.droppedUpTo, position);
    topic.lastPosition = qMax(topic.lastPosition, position);
    if (topic.events.empty() && !topic.retention)
        setRemoved(&topic);
}

void QSseMemoryLogPrivate::restoreForgotten(quint64 forgotten, quint64 lost)
{
    head = qMax(head, qMax(forgotten, lost));
    forgottenUpTo = qMax(forgottenUpTo, qMax(forgotten, lost));
    for (auto &[name, topic] : topics) {
        topic.droppedUpTo = qMax(topic.droppedUpTo, lost);
        topic.lastPosition = qMax(topic.lastPosition, lost);
    }
}

void QSseMemoryLogPrivate::reset()
{
    for (auto &[name, topic] : topics) {
        while (!topic.events.empty())
            take(topic, topic.events.begin());
        topic.droppedUpTo = topic.lastPosition = topic.removal = 0;
    }
    removed.clear();
    pastEpochs.clear();
    forgottenUpTo = head = 0;
}

// To each topic once.
QList<const Topic *> QSseMemoryLogPrivate::changedAfter(quint64 after) const
{
    const auto count = std::ptrdiff_t(after < head ? head - after : 0);
    QList<const Topic *> changed(recent.end() - count, recent.end());
    std::sort(changed.begin(), changed.end(), std::less<>());
    changed.erase(std::unique(changed.begin(), changed.end()), changed.end());
    return changed;
}

QList<const Topic *> QSseMemoryLogPrivate::matching(const Filters &filters, quint64 after) const
{
    QList<const Topic *> found;
    if (areExact(filters)) {
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
    const auto appendIfWanted = [&](const Topic *topic) {
        bool matches = false;
        wanted.match(topic->name, [&matches](std::monostate) { matches = true; });
        if (matches)
            found.append(topic);
    };
    // Nor is there a look at all of them for a few events. In recent, forgotten topics are before
    // forgottenUpTo.
    const quint64 behind = after < head ? head - after : 0;
    if (behind <= qMin(recent.size(), topics.size()) && after >= forgottenUpTo) {
        for (const Topic *topic : changedAfter(after))
            appendIfWanted(topic);
    } else {
        for (const auto &[name, topic] : topics)
            appendIfWanted(&topic);
    }
    return found;
}

// Of wanted topics that are not known any more.
quint64 QSseMemoryLogPrivate::forgottenUpToOf(const Filters &filters, quint64 after) const
{
    if (forgottenUpTo <= after)
        return 0;
    const bool areKnown = std::all_of(filters.begin(), filters.end(), [this](const auto &filter) {
        return filter.isExact() && topics.find(filter.pattern()) != topics.end();
    });
    return areKnown ? 0 : forgottenUpTo;
}

quint64 QSseMemoryLogPrivate::droppedUpTo(const Filters &filters,
                                          const QList<const Topic *> &matching, quint64 after) const
{
    quint64 dropped = forgottenUpToOf(filters, after);
    for (const Topic *topic : matching)
        dropped = qMax(dropped, topic->droppedUpTo);
    return dropped > after ? dropped : 0;
}

QSseMemoryLog::QSseMemoryLog() : QSseMemoryLog(std::make_unique<QSseMemoryLogPrivate>()) { }

QSseMemoryLog::QSseMemoryLog(std::unique_ptr<QSseMemoryLogPrivate> d) : d(std::move(d)) { }

QSseMemoryLog::~QSseMemoryLog() = default;

QSseLoggedEventPointer QSseMemoryLog::append(QSseEvent event)
{
    auto kept = std::make_shared<Kept>();
    kept->event = std::move(event);
    if (!kept->event.occurredAt().isValid())
        kept->event.setOccurredAt(QDateTime::currentDateTimeUtc());

    const std::lock_guard locker(d->mutex);
    d->refresh(DropsPerAppend);
    d->append(kept);
    return kept;
}

quint64 QSseMemoryLog::head() const
{
    const std::lock_guard locker(d->mutex);
    return d->head;
}

QByteArray QSseMemoryLog::idAt(quint64 position) const
{
    return d->idAt(position);
}

std::optional<quint64> QSseMemoryLog::positionOf(const QByteArray &id) const
{
    const std::lock_guard locker(d->mutex);
    d->refresh();
    const auto callers = d->callersIds.constFind(id);
    if (callers != d->callersIds.constEnd())
        return (*callers)->position;
    const std::optional<quint64> last = d->lastOfEpoch(id);
    const std::optional<quint64> position = d->positionIn(id);
    if (!last || !position)
        return std::nullopt;
    if (*position <= *last)
        return position;
    // A reader may have seen more of an earlier run than was stored of it; there is none in this.
    return id.startsWith(d->idPrefix) ? std::nullopt : last;
}

QSseEventLog::Page QSseMemoryLog::read(const QList<QSseTopicFilter> &filters, quint64 after,
                                       quint64 upTo, qsizetype maximumBytes) const
{
    const std::lock_guard locker(d->mutex);
    d->refresh();
    const QList<const Topic *> topics = d->matching(filters, after);
    Page page;
    page.droppedUpTo = d->droppedUpTo(filters, topics, after);
    std::priority_queue<Run> runs;
    for (const Topic *topic : topics) {
        const Run run { firstAfter(*topic, after), firstAfter(*topic, upTo) };
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

QSseEventLog::Page QSseMemoryLog::latest(const QList<QSseTopicFilter> &filters, quint64 after,
                                         quint64 upTo) const
{
    const std::lock_guard locker(d->mutex);
    d->refresh();
    Page page;
    page.upTo = upTo;
    page.droppedUpTo = d->forgottenUpToOf(filters, after);
    for (const Topic *topic : d->matching(filters, after)) {
        const auto next = firstAfter(*topic, upTo);
        if (next != topic->events.begin()
            && (*std::prev(next))->position > qMax(after, topic->droppedUpTo))
            page.events.append(*std::prev(next));
        else if (topic->droppedUpTo > after)
            page.droppedUpTo = qMax(page.droppedUpTo, topic->droppedUpTo);
    }
    std::sort(page.events.begin(), page.events.end(),
              [](const auto &a, const auto &b) { return a->position < b->position; });
    return page;
}

quint64 QSseMemoryLog::droppedUpTo(const QList<QSseTopicFilter> &filters, quint64 after) const
{
    const std::lock_guard locker(d->mutex);
    d->refresh();
    return d->droppedUpTo(filters, d->matching(filters, after), after);
}

QSseLoggedEventPointer QSseMemoryLog::oldest(const QList<QSseTopicFilter> &filters) const
{
    const std::lock_guard locker(d->mutex);
    d->refresh();
    QSseLoggedEventPointer oldest;
    for (const Topic *topic : d->matching(filters, 0)) {
        if (!topic->events.empty()
            && (!oldest || topic->events.front()->position < oldest->position))
            oldest = topic->events.front();
    }
    return oldest;
}

QSseLoggedEventPointer QSseMemoryLog::event(const QString &topic, const QByteArray &id) const
{
    const std::lock_guard locker(d->mutex);
    d->refresh();
    const auto found = d->topics.find(topic);
    if (found == d->topics.end())
        return nullptr;
    const QSseLoggedEventPointer event = d->find(found->second, d->positionOf(found->second, id));
    return event && event->event.idUtf8() == id ? event : nullptr;
}

void QSseMemoryLog::removeTopic(const QString &topic)
{
    const std::lock_guard locker(d->mutex);
    d->refresh();
    const auto found = d->topics.find(topic);
    if (found != d->topics.end() && !found->second.removal)
        d->remove(&found->second);
}

QSseRetention QSseMemoryLog::retention() const
{
    const std::lock_guard locker(d->mutex);
    return d->retention;
}

void QSseMemoryLog::setRetention(const QSseRetention &retention)
{
    const std::lock_guard locker(d->mutex);
    d->refresh();
    d->useAge(retention);
    d->retention = retention;
    d->enforceAllLimits();
}

QSseRetention QSseMemoryLog::retention(const QString &topic) const
{
    const std::lock_guard locker(d->mutex);
    const auto found = d->topics.find(topic);
    return found == d->topics.end() ? d->retention : d->retentionOf(found->second);
}

void QSseMemoryLog::setRetention(const QString &topic, const QSseRetention &retention)
{
    const std::lock_guard locker(d->mutex);
    d->refresh();
    d->useAge(retention);
    Topic &changed = d->topic(topic);
    changed.retention = retention;
    d->updateAgeEnd(changed);
    d->enforceLimits(changed);
    d->refresh();
}

qint64 QSseMemoryLog::maximumBytes() const
{
    const std::lock_guard locker(d->mutex);
    return d->maximumBytes;
}

void QSseMemoryLog::setMaximumBytes(qint64 bytes)
{
    const std::lock_guard locker(d->mutex);
    d->refresh();
    d->maximumBytes = qMax(qint64(0), bytes);
    d->enforceAllLimits();
}
