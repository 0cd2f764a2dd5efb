// SPDX-License-Identifier: MIT
#include "qssememorylog_p.h"

#include <QSseMemoryLog>

#include <QtCore/QRegularExpression>
#include <QtCore/QSet>

#include <QtTest/QtTest>

#include <atomic>
#include <limits>
#include <map>
#include <random>
#include <thread>
#include <vector>

using namespace Qt::StringLiterals;
using namespace std::chrono_literals;

namespace {

using Filters = QList<QSseTopicFilter>;
using Page = QSseEventLog::Page;

constexpr qsizetype anySize = std::numeric_limits<qsizetype>::max();
const Filters everything { "**" };

QSseLoggedEventPointer append(QSseEventLog *log, const char *topic, const char *data = "x",
                              const char *id = nullptr)
{
    QSseEvent event(data);
    event.setTopic(QString::fromUtf8(topic));
    event.setIdUtf8(id);
    return log->append(event);
}

// Everything up to the head, as "<topic>:<data>" with spaces between.
QByteArray dataOf(const Page &page)
{
    QByteArrayList data;
    for (const QSseLoggedEventPointer &logged : page.events)
        data << logged->event.topic().toUtf8() + ':' + logged->event.dataUtf8();
    return data.join(' ');
}

QByteArray read(const QSseEventLog &log, const Filters &filters = everything, quint64 after = 0)
{
    return dataOf(log.read(filters, after, log.head(), anySize));
}

QList<quint64> positionsOf(const Page &page)
{
    QList<quint64> positions;
    for (const QSseLoggedEventPointer &logged : page.events)
        positions << logged->position;
    return positions;
}

// Positions 1 to 6 in three topics, with the position as data.
void fill(QSseEventLog *log)
{
    append(log, "a", "1");
    append(log, "b/x", "2");
    append(log, "a", "3");
    append(log, "b/y", "4");
    append(log, "b/x", "5");
    append(log, "a", "6");
}

} // namespace

class tst_QSseMemoryLog : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void isEmptyAtFirst();
    void givesPositions();
    void fillsInIdAndTime();
    void keepsTheCallersIdAndTime();
    void keepsTheCallersEvent();
    void idsAndPositions();
    void positionOfUnknownIds_data();
    void positionOfUnknownIds();
    void epochsDiffer();
    void looksUpTheCallersIds();
    void looksUpTheLatestOfEqualIds();
    void forgetsIdsOfDroppedEvents();
    void knowsItsOwnIdsOfDroppedEvents();
    void reads_data();
    void reads();
    void readsByExpression();
    void readsBetweenBounds_data();
    void readsBetweenBounds();
    void readsPages();
    void readsAtLeastOneEvent();
    void readsPagesOfFilters();
    void tellsWhatWasDropped();
    void keepsTheLatestOfEachTopic();
    void keepsNone();
    void limitsBytes();
    void limitsBytesOverAllTopics();
    void limitsBytesWithOneBigEvent();
    void keepsNoBytes();
    void lowersTheCountLater();
    void lowersTheBytesLater();
    void raisesLimitsLater();
    void takesNegativeLimitsForNone();
    void oldest();
    void removesTopics();
    void hasARetentionForEachTopic();
    void limitsBytesOfATopic();
    void limitsAge();
    void limitsAgeOfATopic();
    void limitsAgeLater();
    void honoursTtl();
    void boundsTtlByTheTimeOfTheEvent();
    void honoursTtlBesideOtherLimits();
    void keepsForVeryLong();
    void freesWhatIsOver();
    void findsEvents();
    void findsEventsWithIdsOfOtherTopics();
    void readsTheLatest();
    void tellsWhatLatestWasDropped();
    void knowsRemovedTopics();
    void forgetsTheFirstRemovedTopics();
    void agreesWithANaiveLog_data();
    void agreesWithANaiveLog();
    void flushesAtOnce();
    void frees();
    void keepsWhatReadersHold();
    void appendsFromManyThreads();
    void readsWhileOthersAppend();
    void changesLimitsWhileOthersAppend();
};

void tst_QSseMemoryLog::isEmptyAtFirst()
{
    const QSseMemoryLog log;
    QVERIFY(log.retention() == QSseRetention());
    QCOMPARE(log.retention().events, 1000);
    QCOMPARE(log.maximumBytes(), 64 * 1024 * 1024);
    QCOMPARE(log.head(), 0u);
    QVERIFY(!log.oldest(everything));
    const Page page = log.read(everything, 0, 0, anySize);
    QVERIFY(page.events.isEmpty());
    QCOMPARE(page.upTo, 0u);
    QCOMPARE(page.droppedUpTo, 0u);
    // A client that comes before the first event has an id to come back with.
    QCOMPARE(log.positionOf(log.idAt(0)), std::optional<quint64>(0));
}

void tst_QSseMemoryLog::givesPositions()
{
    QSseMemoryLog log;
    for (quint64 position = 1; position <= 10; ++position) {
        QCOMPARE(append(&log, position % 2 ? "a" : "b")->position, position);
        QCOMPARE(log.head(), position);
    }
}

void tst_QSseMemoryLog::fillsInIdAndTime()
{
    QSseMemoryLog log;
    const QDateTime before = QDateTime::currentDateTimeUtc();
    const QSseLoggedEventPointer logged = append(&log, "a", "x");
    const QDateTime after = QDateTime::currentDateTimeUtc();

    QCOMPARE(logged->event.idUtf8(), log.idAt(1));
    QCOMPARE(logged->event.topic(), u"a"_s);
    QVERIFY(logged->event.occurredAt() >= before);
    QVERIFY(logged->event.occurredAt() <= after);
    QCOMPARE(logged->event.occurredAt().timeSpec(), Qt::UTC);
    QCOMPARE(logged->frame, "id: " + log.idAt(1) + "\ndata: x\n\n");
    QCOMPARE(logged->frame, logged->event.encode());

    // An empty id would make clients forget theirs.
    QCOMPARE(append(&log, "a", "x", "")->event.idUtf8(), log.idAt(2));
}

void tst_QSseMemoryLog::keepsTheCallersIdAndTime()
{
    const QDateTime when = QDateTime::fromMSecsSinceEpoch(1'700'000'000'000).toUTC();
    QSseEvent event("x");
    event.setTopic(u"a"_s);
    event.setId(u"mine"_s);
    event.setOccurredAt(when);
    QSseMemoryLog log;
    const QSseLoggedEventPointer logged = log.append(event);
    QCOMPARE(logged->event, event);
    QCOMPARE(logged->event.occurredAt(), when);
    QCOMPARE(logged->frame, "id: mine\ndata: x\n\n"_ba);
    QCOMPARE(logged->position, 1u);
}

void tst_QSseMemoryLog::keepsTheCallersEvent()
{
    QSseEvent event("x");
    event.setTopic(u"a"_s);
    QSseMemoryLog log;
    const QSseLoggedEventPointer logged = log.append(event);
    QVERIFY(event.id().isNull()); // filled in the log's alone
    QVERIFY(!event.occurredAt().isValid());
    event.setData(u"y"_s);
    QCOMPARE(logged->event.data(), u"x"_s);
    QVERIFY(log.read(everything, 0, 1, anySize).events.first() == logged);
}

void tst_QSseMemoryLog::idsAndPositions()
{
    QSseMemoryLog log;
    fill(&log);

    static const QRegularExpression form(u"\\A[0-9a-z]+-([0-9]+)\\z"_s);
    for (quint64 position = 0; position <= log.head(); ++position) {
        const QByteArray id = log.idAt(position);
        const auto match = form.match(QString::fromLatin1(id));
        QVERIFY2(match.hasMatch(), id.constData());
        QCOMPARE(match.captured(1).toULongLong(), position);
        QCOMPARE(log.positionOf(id), std::optional<quint64>(position));
    }
    const QByteArray epoch = log.idAt(0).chopped(2);
    QCOMPARE(log.idAt(6), epoch + "-6");
    QCOMPARE(log.idAt(12345678901234567890u), epoch + "-12345678901234567890");
}

void tst_QSseMemoryLog::positionOfUnknownIds_data()
{
    QTest::addColumn<QByteArray>("afterEpoch"); // or the whole id where it has no '-'

    QTest::newRow("none") << QByteArray();
    QTest::newRow("empty") << ""_ba;
    QTest::newRow("text") << "hello"_ba;
    QTest::newRow("number") << "1"_ba;
    QTest::newRow("epoch alone") << "-"_ba;
    QTest::newRow("future") << "-7"_ba;
    QTest::newRow("far future") << "-18446744073709551615"_ba;
    QTest::newRow("beyond 64 bits") << "-18446744073709551617"_ba;
    QTest::newRow("negative") << "--1"_ba;
    QTest::newRow("signed") << "-+1"_ba;
    QTest::newRow("fraction") << "-1.0"_ba;
    QTest::newRow("hexadecimal") << "-0x1"_ba;
    QTest::newRow("text after it") << "-1x"_ba;
    QTest::newRow("leading zero") << "-01"_ba;
    QTest::newRow("leading space") << "- 1"_ba;
    QTest::newRow("trailing space") << "-1 "_ba;
    // The server sends a known id back, so nothing may be hidden in one.
    QTest::newRow("leading LF") << "-\n1"_ba;
    QTest::newRow("trailing CR") << "-1\r"_ba;
    QTest::newRow("NUL and more") << "-1\0\ndata: evil"_ba;
}

void tst_QSseMemoryLog::positionOfUnknownIds()
{
    QFETCH(QByteArray, afterEpoch);
    QSseMemoryLog log;
    fill(&log);
    const QByteArray epoch = log.idAt(0).chopped(2);
    const QByteArray id = afterEpoch.startsWith('-') ? epoch + afterEpoch : afterEpoch;
    QCOMPARE(log.positionOf(id), std::nullopt);
}

void tst_QSseMemoryLog::epochsDiffer()
{
    QSet<QByteArray> ids;
    for (int i = 0; i < 20; ++i) {
        QSseMemoryLog log;
        append(&log, "a");
        for (const QByteArray &id : std::as_const(ids))
            QCOMPARE(log.positionOf(id), std::nullopt);
        ids << log.idAt(1);
    }
    QCOMPARE(ids.size(), 20);
}

void tst_QSseMemoryLog::looksUpTheCallersIds()
{
    QSseMemoryLog log;
    append(&log, "a");
    append(&log, "a", "x", "mine");
    append(&log, "b");
    append(&log, "b", "x", "\xe2\x82\xac");
    QCOMPARE(log.positionOf("mine"), std::optional<quint64>(2));
    QCOMPARE(log.positionOf("\xe2\x82\xac"), std::optional<quint64>(4));
    QCOMPARE(log.positionOf("min"), std::nullopt);
    // The log's own id for the same place is good as well.
    QCOMPARE(log.positionOf(log.idAt(2)), std::optional<quint64>(2));
    QCOMPARE(read(log, everything, *log.positionOf("mine")), "b:x b:x"_ba);
}

void tst_QSseMemoryLog::looksUpTheLatestOfEqualIds()
{
    QSseMemoryLog log;
    log.setRetention({ 2 });
    append(&log, "a", "x", "same");
    append(&log, "a", "x", "same");
    QCOMPARE(log.positionOf("same"), std::optional<quint64>(2));
    append(&log, "a"); // drops the first, not what the id stands for
    QCOMPARE(log.positionOf("same"), std::optional<quint64>(2));
    append(&log, "a");
    QCOMPARE(log.positionOf("same"), std::nullopt);
    append(&log, "a", "x", "same");
    QCOMPARE(log.positionOf("same"), std::optional<quint64>(5));
}

void tst_QSseMemoryLog::forgetsIdsOfDroppedEvents()
{
    QSseMemoryLog log;
    log.setRetention({ 1 });
    append(&log, "a", "x", "one");
    append(&log, "b", "x", "two");
    append(&log, "a", "x", "three"); // by count
    QCOMPARE(log.positionOf("one"), std::nullopt);
    QCOMPARE(log.positionOf("two"), std::optional<quint64>(2));
    log.removeTopic(u"b"_s);
    QCOMPARE(log.positionOf("two"), std::nullopt);
    QCOMPARE(log.positionOf("three"), std::optional<quint64>(3));
    log.setMaximumBytes(1);
    QCOMPARE(log.positionOf("three"), std::nullopt);
}

// They still tell where the reader was: what is missing is in droppedUpTo.
void tst_QSseMemoryLog::knowsItsOwnIdsOfDroppedEvents()
{
    QSseMemoryLog log;
    log.setRetention({ 1 });
    append(&log, "a");
    append(&log, "b");
    append(&log, "a");
    append(&log, "a");
    QCOMPARE(log.positionOf(log.idAt(1)), std::optional<quint64>(1));
    QCOMPARE(log.read({ "a" }, 1, 4, anySize).droppedUpTo, 3u);
    QCOMPARE(log.read({ "b" }, 1, 4, anySize).droppedUpTo, 0u);
}

void tst_QSseMemoryLog::reads_data()
{
    QTest::addColumn<Filters>("filters");
    QTest::addColumn<QByteArray>("expected");

    const QByteArray all = "a:1 b/x:2 a:3 b/y:4 b/x:5 a:6";
    const auto row = [](const char *name, const Filters &filters, const QByteArray &expected) {
        QTest::newRow(name) << filters << expected;
    };
    row("no filter", {}, "");
    row("one topic", { "a" }, "a:1 a:3 a:6");
    row("two topics, merged", { "b/x", "a" }, "a:1 b/x:2 a:3 b/x:5 a:6");
    row("three topics, merged", { "b/y", "b/x", "a" }, all);
    row("unknown topic", { "c" }, "");
    row("unknown topic and another", { "c", "b/y" }, "b/y:4");
    row("same topic twice", { "a", "a" }, "a:1 a:3 a:6");
    row("*", { "b/*" }, "b/x:2 b/y:4 b/x:5");
    row("* at the top", { "*" }, "a:1 a:3 a:6");
    row("**", { "**" }, all);
    row("** last", { "b/**" }, "b/x:2 b/y:4 b/x:5");
    row("wildcards and topics overlap", { "b/*", "b/x", "**", "a" }, all);
    row("wildcard twice", { "b/*", "b/*" }, "b/x:2 b/y:4 b/x:5");
    row("wildcard and a topic", { "b/*", "a" }, all);
    row("invalid", { "a*" }, "");
    row("invalid and another", { "", "b/y" }, "b/y:4");
}

void tst_QSseMemoryLog::reads()
{
    QFETCH(Filters, filters);
    QSseMemoryLog log;
    fill(&log);
    const Page page = log.read(filters, 0, log.head(), anySize);
    QTEST(dataOf(page), "expected");
    QCOMPARE(page.upTo, 6u);
    QCOMPARE(page.droppedUpTo, 0u);
}

void tst_QSseMemoryLog::readsByExpression()
{
    QSseMemoryLog log;
    fill(&log);
    QCOMPARE(read(log, { QSseTopicFilter(QRegularExpression(u"a|b/[yz]"_s)) }),
             "a:1 a:3 b/y:4 a:6"_ba);
    // One of the same text as a name is still no name.
    QCOMPARE(read(log, { QSseTopicFilter(QRegularExpression(u"."_s)) }), "a:1 a:3 a:6"_ba);
}

void tst_QSseMemoryLog::readsBetweenBounds_data()
{
    QTest::addColumn<quint64>("after");
    QTest::addColumn<quint64>("upTo");
    QTest::addColumn<QList<quint64>>("all");
    QTest::addColumn<QList<quint64>>("ofA"); // 1, 3 and 6 are in topic a

    const auto row = [](const char *name, quint64 after, quint64 upTo, const QList<quint64> &all,
                        const QList<quint64> &ofA) {
        QTest::newRow(name) << after << upTo << all << ofA;
    };
    row("all", 0, 6, { 1, 2, 3, 4, 5, 6 }, { 1, 3, 6 });
    row("nothing yet", 0, 0, {}, {});
    row("the first", 0, 1, { 1 }, { 1 });
    row("after the first", 1, 6, { 2, 3, 4, 5, 6 }, { 3, 6 });
    row("in the middle", 2, 5, { 3, 4, 5 }, { 3 });
    row("between those of a topic", 3, 5, { 4, 5 }, {});
    row("the last", 5, 6, { 6 }, { 6 });
    row("after the last", 6, 6, {}, {});
    row("empty", 3, 3, {}, {});
    row("turned round", 5, 2, {}, {});
}

void tst_QSseMemoryLog::readsBetweenBounds()
{
    QFETCH(quint64, after);
    QFETCH(quint64, upTo);
    QSseMemoryLog log;
    fill(&log);
    const Page all = log.read(everything, after, upTo, anySize);
    QTEST(positionsOf(all), "all");
    QCOMPARE(all.upTo, upTo);
    const Page ofA = log.read({ "a" }, after, upTo, anySize);
    QTEST(positionsOf(ofA), "ofA");
    QCOMPARE(ofA.upTo, upTo);
}

void tst_QSseMemoryLog::readsPages()
{
    QSseMemoryLog log;
    fill(&log);
    const qsizetype size = log.oldest(everything)->frame.size(); // all are of one size

    Page page = log.read(everything, 0, 6, 2 * size);
    QCOMPARE(positionsOf(page), (QList<quint64> { 1, 2 }));
    QCOMPARE(page.upTo, 2u);
    page = log.read(everything, page.upTo, 6, 2 * size + 1);
    QCOMPARE(positionsOf(page), (QList<quint64> { 3, 4, 5 }));
    QCOMPARE(page.upTo, 5u);
    page = log.read(everything, page.upTo, 6, 2 * size);
    QCOMPARE(positionsOf(page), QList<quint64> { 6 });
    QCOMPARE(page.upTo, 6u);
    page = log.read(everything, page.upTo, 6, 2 * size);
    QVERIFY(page.events.isEmpty());
    QCOMPARE(page.upTo, 6u);

    // A page is full just as its bounds are reached.
    page = log.read(everything, 0, 3, 3 * size);
    QCOMPARE(positionsOf(page), (QList<quint64> { 1, 2, 3 }));
    QCOMPARE(page.upTo, 3u);
}

void tst_QSseMemoryLog::readsAtLeastOneEvent()
{
    QSseMemoryLog log;
    fill(&log);
    for (const qsizetype size : { qsizetype(0), qsizetype(1), qsizetype(-1) }) {
        QList<quint64> positions;
        for (quint64 after = 0; after < log.head();) {
            const Page page = log.read(everything, after, log.head(), size);
            QCOMPARE(page.events.size(), 1);
            QVERIFY(page.upTo > after);
            positions += positionsOf(page);
            after = page.upTo;
        }
        QCOMPARE(positions, (QList<quint64> { 1, 2, 3, 4, 5, 6 }));
    }
}

void tst_QSseMemoryLog::readsPagesOfFilters()
{
    QSseMemoryLog log;
    fill(&log);
    append(&log, "b/x", "7");
    // The page that ends the topic goes up to the end, past what is of others.
    Page page = log.read({ "a" }, 0, 7, 1);
    QCOMPARE(positionsOf(page), QList<quint64> { 1 });
    QCOMPARE(page.upTo, 1u);
    page = log.read({ "a" }, 3, 7, 1);
    QCOMPARE(positionsOf(page), QList<quint64> { 6 });
    QCOMPARE(page.upTo, 7u);

    // Read in pages of any size, a log gives what it gives at once.
    const QByteArray whole = read(log, { "a", "b/x" });
    for (qsizetype size = 0; size < 300; size += 10) {
        Page joined;
        for (quint64 after = 0; after < log.head();) {
            page = log.read({ "a", "b/x" }, after, log.head(), size);
            QVERIFY(page.upTo > after);
            joined.events += page.events;
            after = page.upTo;
        }
        QCOMPARE(dataOf(joined), whole);
    }
}

void tst_QSseMemoryLog::tellsWhatWasDropped()
{
    QSseMemoryLog log;
    log.setRetention({ 2 });
    fill(&log);               // 1 is dropped
    append(&log, "b/x", "7"); // and 2

    const auto dropped = [&log](const Filters &filters, quint64 after = 0) {
        return log.read(filters, after, log.head(), anySize).droppedUpTo;
    };
    QCOMPARE(dropped({ "a" }), 1u);
    QCOMPARE(dropped({ "b/x" }), 2u);
    QCOMPARE(dropped({ "b/y" }), 0u);
    QCOMPARE(dropped({ "c" }), 0u);
    QCOMPARE(dropped({}), 0u);
    QCOMPARE(dropped({ "a", "b/x" }), 2u);
    QCOMPARE(dropped({ "a", "b/y" }), 1u);
    QCOMPARE(dropped(everything), 2u);
    QCOMPARE(dropped({ "b/*" }), 2u);
    QCOMPARE(dropped({ "a" }, 1), 0u); // nothing a reader from there would miss
    QCOMPARE(dropped(everything, 1), 2u);
    // It is told without reading anything too.
    QCOMPARE(log.read(everything, 1, 1, 0).droppedUpTo, 2u);
    QCOMPARE(log.droppedUpTo(everything), 2u);
    QCOMPARE(log.droppedUpTo(everything, 1), 2u);
    QCOMPARE(log.droppedUpTo(everything, 2), 0u);
    QCOMPARE(log.droppedUpTo({ "a", "b/y" }), 1u);
    QCOMPARE(log.droppedUpTo({ "c" }), 0u);
    QCOMPARE(read(log), "a:3 b/y:4 b/x:5 a:6 b/x:7"_ba);
}

void tst_QSseMemoryLog::keepsTheLatestOfEachTopic()
{
    QSseMemoryLog log;
    log.setRetention({ 3 });
    QCOMPARE(log.retention().events, 3);
    append(&log, "b", "once");
    for (const char *data : { "1", "2", "3", "4", "5" })
        append(&log, "a", data);
    QCOMPARE(read(log), "b:once a:3 a:4 a:5"_ba);
    QCOMPARE(log.head(), 6u);
}

void tst_QSseMemoryLog::keepsNone()
{
    QSseMemoryLog log;
    log.setRetention({ 0 });
    QCOMPARE(log.retention().events, 0);
    const QSseLoggedEventPointer first = append(&log, "a", "x", "mine");
    QVERIFY(first);
    QCOMPARE(first->frame, "id: mine\ndata: x\n\n"_ba); // made all the same, to be sent live
    const QSseLoggedEventPointer second = append(&log, "a");
    QCOMPARE(second->position, 2u);
    QCOMPARE(log.head(), 2u);
    QCOMPARE(log.positionOf("mine"), std::nullopt);
    QCOMPARE(log.positionOf(log.idAt(2)), std::optional<quint64>(2));
    QVERIFY(!log.oldest(everything));
    const Page page = log.read(everything, 0, 2, anySize);
    QVERIFY(page.events.isEmpty());
    QCOMPARE(page.upTo, 2u);
    QCOMPARE(page.droppedUpTo, 2u);
}

void tst_QSseMemoryLog::limitsBytes()
{
    QSseMemoryLog log;
    const qsizetype size = append(&log, "a", "1")->memory();
    log.setMaximumBytes(3 * size);
    QCOMPARE(log.maximumBytes(), 3 * size);
    append(&log, "a", "2");
    append(&log, "a", "3");
    QCOMPARE(read(log), "a:1 a:2 a:3"_ba); // just fits
    append(&log, "a", "4");
    QCOMPARE(read(log), "a:2 a:3 a:4"_ba);
    log.setMaximumBytes(3 * size - 1);
    QCOMPARE(read(log), "a:3 a:4"_ba);
    QCOMPARE(log.read(everything, 0, 4, anySize).droppedUpTo, 2u);
}

void tst_QSseMemoryLog::limitsBytesOverAllTopics()
{
    QSseMemoryLog log;
    fill(&log);
    const qsizetype size = log.oldest(everything)->memory();
    log.setMaximumBytes(6 * size);
    QCOMPARE(read(log), "a:1 b/x:2 a:3 b/y:4 b/x:5 a:6"_ba);

    // The oldest of all goes first, whichever topic grows.
    append(&log, "b/y", "7");
    QCOMPARE(read(log), "b/x:2 a:3 b/y:4 b/x:5 a:6 b/y:7"_ba);
    append(&log, "b/y", "8");
    append(&log, "c", "9");
    QCOMPARE(read(log), "b/y:4 b/x:5 a:6 b/y:7 b/y:8 c:9"_ba);
    QCOMPARE(log.read({ "a" }, 0, 9, anySize).droppedUpTo, 3u);
    QCOMPARE(log.read({ "b/x" }, 0, 9, anySize).droppedUpTo, 2u);
    QCOMPARE(log.read({ "b/y" }, 0, 9, anySize).droppedUpTo, 0u);
}

void tst_QSseMemoryLog::limitsBytesWithOneBigEvent()
{
    QSseMemoryLog log;
    fill(&log);
    log.setMaximumBytes(1000);
    const QByteArray big(2000, 'x');
    QVERIFY(append(&log, "a", big.constData())->frame.size() > 2000);
    QVERIFY(read(log).isEmpty()); // bounded, whatever it takes
    QCOMPARE(log.read(everything, 0, 7, anySize).droppedUpTo, 7u);
    append(&log, "a", "8");
    QCOMPARE(read(log), "a:8"_ba); // and what is gone is not counted any more
}

void tst_QSseMemoryLog::keepsNoBytes()
{
    QSseMemoryLog log;
    log.setMaximumBytes(0);
    fill(&log);
    QCOMPARE(log.head(), 6u);
    QVERIFY(read(log).isEmpty());
    QCOMPARE(log.read({ "b/y" }, 0, 6, anySize).droppedUpTo, 4u);
}

void tst_QSseMemoryLog::lowersTheCountLater()
{
    QSseMemoryLog log;
    fill(&log);
    log.setRetention({ 1 });
    QCOMPARE(read(log), "b/y:4 b/x:5 a:6"_ba);
    QCOMPARE(log.read(everything, 0, 6, anySize).droppedUpTo, 3u);
    QCOMPARE(log.read({ "b/x" }, 0, 6, anySize).droppedUpTo, 2u);
    log.setRetention({ 0 });
    QVERIFY(read(log).isEmpty());
    QVERIFY(!log.oldest(everything));
}

void tst_QSseMemoryLog::lowersTheBytesLater()
{
    QSseMemoryLog log;
    fill(&log);
    const qsizetype size = log.oldest(everything)->memory();
    log.setMaximumBytes(4 * size);
    QCOMPARE(read(log), "a:3 b/y:4 b/x:5 a:6"_ba);
    log.setMaximumBytes(size);
    QCOMPARE(read(log), "a:6"_ba);
    log.setMaximumBytes(0);
    QVERIFY(read(log).isEmpty());
}

void tst_QSseMemoryLog::raisesLimitsLater()
{
    QSseMemoryLog log;
    log.setRetention({ 1 });
    fill(&log);
    log.setRetention({ 2 });
    QCOMPARE(read(log), "b/y:4 b/x:5 a:6"_ba); // what is gone is gone
    append(&log, "a", "7");
    append(&log, "a", "8");
    QCOMPARE(read(log), "b/y:4 b/x:5 a:7 a:8"_ba);
}

void tst_QSseMemoryLog::takesNegativeLimitsForNone()
{
    QSseMemoryLog log;
    log.setRetention({ -1 });
    log.setMaximumBytes(-1);
    QCOMPARE(log.maximumBytes(), 0);
    fill(&log);
    QVERIFY(read(log).isEmpty());
}

void tst_QSseMemoryLog::oldest()
{
    QSseMemoryLog log;
    fill(&log);
    const auto position = [&log](const Filters &filters) {
        const QSseLoggedEventPointer found = log.oldest(filters);
        return found ? found->position : 0;
    };
    QCOMPARE(position(everything), 1u);
    QCOMPARE(position({ "a" }), 1u);
    QCOMPARE(position({ "b/x" }), 2u);
    QCOMPARE(position({ "b/y", "b/x" }), 2u);
    QCOMPARE(position({ "b/*" }), 2u);
    QCOMPARE(position({ "c", "b/y" }), 4u);
    QCOMPARE(position({ "c" }), 0u);
    QCOMPARE(position({}), 0u);
    log.setRetention({ 1 });
    QCOMPARE(position(everything), 4u);
    QCOMPARE(position({ "a" }), 6u);
}

void tst_QSseMemoryLog::removesTopics()
{
    QSseMemoryLog log;
    fill(&log);
    const qsizetype size = log.oldest(everything)->memory();
    log.removeTopic(u"nothing"_s);
    log.removeTopic(u"b/*"_s); // a name, not a filter
    QCOMPARE(read(log), "a:1 b/x:2 a:3 b/y:4 b/x:5 a:6"_ba);
    log.removeTopic(u"a"_s);
    log.removeTopic(u"a"_s);
    QCOMPARE(read(log), "b/x:2 b/y:4 b/x:5"_ba);
    QCOMPARE(log.oldest(everything)->position, 2u);
    QVERIFY(!log.oldest({ "a" }));
    QCOMPARE(log.head(), 6u);

    // Its bytes are free again.
    log.setMaximumBytes(4 * size);
    append(&log, "a", "7");
    QCOMPARE(read(log), "b/x:2 b/y:4 b/x:5 a:7"_ba);
    append(&log, "a", "8");
    QCOMPARE(read(log), "b/y:4 b/x:5 a:7 a:8"_ba);
    for (const QString &topic : { u"a"_s, u"b/x"_s, u"b/y"_s })
        log.removeTopic(topic);
    QVERIFY(read(log).isEmpty());
    QCOMPARE(append(&log, "b/x", "9")->position, 9u);
    QCOMPARE(read(log), "b/x:9"_ba);
}

namespace {

// A log whose clock stands still unless it is moved.
class ClockedLog : public QSseMemoryLog
{
public:
    ClockedLog() : QSseMemoryLog(std::make_unique<Private>()) { }
    void pass(std::chrono::milliseconds time) { static_cast<Private *>(d.get())->time += time; }

private:
    struct Private : QSseMemoryLogPrivate
    {
        Time now() const override { return time; }
        Time time = Time(1h);
    };
};

QSseLoggedEventPointer appendFor(QSseEventLog *log, const char *topic, const char *data,
                                 std::chrono::milliseconds ttl, const QDateTime &occurredAt = {})
{
    QSseEvent event(data);
    event.setTopic(QString::fromUtf8(topic));
    event.setTtl(ttl);
    event.setOccurredAt(occurredAt);
    return log->append(event);
}

} // namespace

void tst_QSseMemoryLog::hasARetentionForEachTopic()
{
    QSseMemoryLog log;
    const QSseRetention one { 1 };
    log.setRetention(u"a"_s, one);
    QVERIFY(log.retention(u"a"_s) == one);
    QVERIFY(log.retention(u"b"_s) == QSseRetention());
    fill(&log);
    QCOMPARE(read(log), "b/x:2 b/y:4 b/x:5 a:6"_ba);
    log.setRetention({ 0 });
    QCOMPARE(read(log), "a:6"_ba);
    QVERIFY(log.retention(u"b/x"_s) == QSseRetention { 0 });
    log.setRetention(u"b/x"_s, { 2 });
    append(&log, "b/x", "7");
    QCOMPARE(read(log), "a:6 b/x:7"_ba);
    log.removeTopic(u"a"_s);
    QVERIFY(log.retention(u"a"_s) == QSseRetention { 0 });
    append(&log, "a", "8");
    QCOMPARE(read(log), "b/x:7"_ba);

    // One that never had an event leaves nothing behind.
    log.setRetention(u"c"_s, one);
    log.removeTopic(u"c"_s);
    QVERIFY(log.retention(u"c"_s) == QSseRetention { 0 });
    QCOMPARE(log.droppedUpTo({ "c" }), 0u);
}

void tst_QSseMemoryLog::limitsBytesOfATopic()
{
    QSseMemoryLog log;
    fill(&log);
    const qsizetype size = log.oldest(everything)->memory();
    log.setRetention(u"a"_s, { 1000, 2 * size });
    QCOMPARE(read(log), "b/x:2 a:3 b/y:4 b/x:5 a:6"_ba);
    append(&log, "a", "7");
    QCOMPARE(read(log), "b/x:2 b/y:4 b/x:5 a:6 a:7"_ba);
    QCOMPARE(log.droppedUpTo({ "a" }), 3u);
    log.setRetention({ 1000, 0 });
    QCOMPARE(read(log), "a:6 a:7"_ba);
}

void tst_QSseMemoryLog::limitsAge()
{
    ClockedLog log;
    log.setRetention({ 1000, -1, 10s });
    append(&log, "a", "1", "mine");
    log.pass(4s);
    append(&log, "b", "2");
    append(&log, "a", "3");
    log.pass(5999ms);
    QCOMPARE(read(log), "a:1 b:2 a:3"_ba);
    log.pass(1ms);
    QCOMPARE(read(log), "b:2 a:3"_ba);
    QCOMPARE(log.droppedUpTo({ "a" }), 1u);
    QCOMPARE(log.positionOf("mine"), std::nullopt);
    log.pass(4s);
    QVERIFY(!log.oldest(everything));
    QCOMPARE(log.droppedUpTo({ "a" }), 3u);
    QCOMPARE(log.droppedUpTo({ "b" }), 2u);
    append(&log, "b", "4");
    QCOMPARE(read(log), "b:4"_ba);
}

void tst_QSseMemoryLog::limitsAgeOfATopic()
{
    ClockedLog log;
    log.setRetention(u"a"_s, { 2, -1, 10s });
    fill(&log); // drops 1 by count
    log.pass(9s);
    append(&log, "a", "7"); // and 3
    QCOMPARE(read(log), "b/x:2 b/y:4 b/x:5 a:6 a:7"_ba);
    log.pass(1s);
    QCOMPARE(read(log), "b/x:2 b/y:4 b/x:5 a:7"_ba);
    log.removeTopic(u"a"_s);
    append(&log, "a", "8"); // for ever again
    log.pass(1h);
    QCOMPARE(read(log), "b/x:2 b/y:4 b/x:5 a:8"_ba);
}

void tst_QSseMemoryLog::limitsAgeLater()
{
    ClockedLog log;
    append(&log, "a", "1");
    log.pass(1h);
    log.setRetention({ 1000, -1, 10s });
    QCOMPARE(read(log), "a:1"_ba); // the first age: it begins with it
    log.pass(9s);
    append(&log, "a", "2");
    log.setRetention({ 1000, -1, 5s });
    QCOMPARE(read(log), "a:2"_ba);
    log.setRetention({ 1000, -1, 20s });
    log.pass(19s);
    QCOMPARE(read(log), "a:2"_ba);
    log.setRetention(u"a"_s, { 1000, -1, 1h });
    log.pass(1min);
    QCOMPARE(read(log), "a:2"_ba);
    log.setRetention(u"a"_s, {});
    log.pass(100h);
    QCOMPARE(read(log), "a:2"_ba);
}

void tst_QSseMemoryLog::honoursTtl()
{
    ClockedLog log;
    append(&log, "a", "1");
    const QByteArray id = appendFor(&log, "a", "2", 10s)->event.idUtf8();
    appendFor(&log, "a", "3", 20s);
    appendFor(&log, "b", "4", 5s);
    append(&log, "a", "5");
    QVERIFY(log.event(u"a"_s, id));
    log.pass(9999ms);
    QCOMPARE(read(log), "a:1 a:2 a:3 a:5"_ba);
    QVERIFY(!log.oldest({ "b" }));
    log.pass(1ms);
    QCOMPARE(read(log), "a:1 a:3 a:5"_ba);
    QVERIFY(!log.event(u"a"_s, id));
    log.pass(10s);
    QCOMPARE(read(log), "a:1 a:5"_ba);
    QCOMPARE(log.latest(everything, 0, 4).events.size(), 1);
    // Nobody misses anything.
    QCOMPARE(log.droppedUpTo(everything), 0u);
    QCOMPARE(log.read(everything, 0, 5, anySize).droppedUpTo, 0u);
    QCOMPARE(log.latest(everything, 1, 4).droppedUpTo, 0u);
    QCOMPARE(log.positionOf(id), std::optional<quint64>(2));

    const QSseLoggedEventPointer none = appendFor(&log, "a", "6", 0ms);
    QCOMPARE(none->position, 6u); // to be sent live
    QCOMPARE(read(log), "a:1 a:5"_ba);
}

void tst_QSseMemoryLog::boundsTtlByTheTimeOfTheEvent()
{
    ClockedLog log;
    const QDateTime now = QDateTime::currentDateTimeUtc();
    appendFor(&log, "a", "late", 2h, now.addSecs(-3600));
    appendFor(&log, "a", "over", 2h, now.addSecs(-7200));
    appendFor(&log, "a", "early", 2h, now.addSecs(36'000)); // no longer than it says
    QCOMPARE(read(log), "a:late a:early"_ba);
    log.pass(59min);
    QCOMPARE(read(log), "a:late a:early"_ba);
    log.pass(1min);
    QCOMPARE(read(log), "a:early"_ba);
    log.pass(1h);
    QCOMPARE(read(log), ""_ba);
    QCOMPARE(log.droppedUpTo(everything), 0u);
}

void tst_QSseMemoryLog::honoursTtlBesideOtherLimits()
{
    ClockedLog log;
    log.setRetention({ 3, -1, 10s });
    append(&log, "a", "1");
    appendFor(&log, "a", "2", 5s);
    append(&log, "a", "3");
    log.pass(5s);
    append(&log, "a", "4"); // what is over takes no place
    QCOMPARE(read(log), "a:1 a:3 a:4"_ba);
    appendFor(&log, "a", "5", 3s); // drops 1
    QCOMPARE(log.droppedUpTo(everything), 1u);
    log.pass(5s); // 3 is too old, 5 is over
    QCOMPARE(read(log), "a:4"_ba);
    QCOMPARE(log.droppedUpTo(everything), 3u);
    appendFor(&log, "b", "6", 1s);
    log.setRetention(u"b"_s, { 0 });
    QCOMPARE(log.droppedUpTo({ "b" }), 6u); // while it was worth something
    appendFor(&log, "a", "7", 1s);
    log.removeTopic(u"a"_s);
    log.pass(1h);
    QCOMPARE(read(log), ""_ba);
    QCOMPARE(log.droppedUpTo({ "a" }), 7u);
}

void tst_QSseMemoryLog::keepsForVeryLong()
{
    ClockedLog log;
    log.setRetention({ 1000, -1, std::chrono::milliseconds::max() });
    appendFor(&log, "a", "1", std::chrono::milliseconds::max());
    log.pass(24h * 365 * 50);
    QCOMPARE(read(log), "a:1"_ba);
}

void tst_QSseMemoryLog::freesWhatIsOver()
{
    ClockedLog log;
    log.setRetention(u"old"_s, { 1000, -1, 1s });
    std::vector<std::weak_ptr<const QSseLoggedEvent>> events;
    for (int i = 0; i < 100; ++i) {
        events.push_back(appendFor(&log, "a", "x", 1s));
        events.push_back(append(&log, "old"));
    }
    log.pass(1s);
    // Publishing alone is enough, if not all at once.
    for (int i = 0; i < 100; ++i)
        append(&log, "b");
    for (const auto &event : events)
        QVERIFY(event.expired());
}

void tst_QSseMemoryLog::findsEvents()
{
    QSseMemoryLog log;
    log.setRetention({ 2 });
    append(&log, "a", "1", "one");
    append(&log, "a", "2");
    append(&log, "b", "3", "three");
    append(&log, "a", "4", "same");
    append(&log, "a", "5", "same");
    const auto dataOf = [&log](const QString &topic, const QByteArray &id) {
        const QSseLoggedEventPointer event = log.event(topic, id);
        return event ? event->event.dataUtf8() : "none"_ba;
    };
    QCOMPARE(dataOf(u"a"_s, "one"), "none"_ba); // dropped
    QCOMPARE(dataOf(u"a"_s, log.idAt(2)), "none"_ba);
    QCOMPARE(dataOf(u"b"_s, "three"), "3"_ba);
    QCOMPARE(dataOf(u"a"_s, "three"), "none"_ba);
    QCOMPARE(dataOf(u"c"_s, "three"), "none"_ba);
    QCOMPARE(dataOf(u"a"_s, "same"), "5"_ba);
    QCOMPARE(dataOf(u"b"_s, log.idAt(3)), "none"_ba); // it has one of its own
    append(&log, "b", "6");
    QCOMPARE(dataOf(u"b"_s, log.idAt(6)), "6"_ba);
    QCOMPARE(dataOf(u"a"_s, log.idAt(6)), "none"_ba);
    QCOMPARE(dataOf(u"b"_s, log.idAt(6) + ' '), "none"_ba);
    QCOMPARE(dataOf(u"b"_s, "6"), "none"_ba);
    QCOMPARE(dataOf(u"b"_s, ""), "none"_ba);
}

void tst_QSseMemoryLog::findsEventsWithIdsOfOtherTopics()
{
    QSseMemoryLog log;
    log.setRetention(u"c"_s, { 1 });
    append(&log, "a", "1", "same");
    append(&log, "b", "2", "same");
    append(&log, "c", "3", "same");
    for (const char *topic : { "a", "b", "c" })
        QVERIFY(log.event(QString::fromLatin1(topic), "same"));
    QCOMPARE(log.positionOf("same"), std::optional<quint64>(3));
    append(&log, "c", "4");
    QVERIFY(!log.event(u"c"_s, "same"));
    QCOMPARE(log.event(u"a"_s, "same")->position, 1u);
    append(&log, "a", "5", "same");
    QCOMPARE(log.event(u"a"_s, "same")->position, 5u);
    QCOMPARE(log.event(u"b"_s, "same")->position, 2u);
    log.removeTopic(u"b"_s);
    QVERIFY(!log.event(u"b"_s, "same"));
    QCOMPARE(log.event(u"a"_s, "same")->position, 5u);
}

void tst_QSseMemoryLog::readsTheLatest()
{
    QSseMemoryLog log;
    fill(&log);
    const auto latest = [&log](const Filters &filters, quint64 after, quint64 upTo) {
        const Page page = log.latest(filters, after, upTo);
        return page.upTo == upTo && page.droppedUpTo == 0 ? dataOf(page) : "wrong"_ba;
    };
    QCOMPARE(latest(everything, 0, 6), "b/y:4 b/x:5 a:6"_ba);
    QCOMPARE(latest(everything, 0, 5), "a:3 b/y:4 b/x:5"_ba);
    QCOMPARE(latest(everything, 3, 5), "b/y:4 b/x:5"_ba);
    QCOMPARE(latest(everything, 5, 6), "a:6"_ba);
    QCOMPARE(latest(everything, 6, 6), ""_ba);
    QCOMPARE(latest({ "a", "b/x" }, 0, 6), "b/x:5 a:6"_ba);
    QCOMPARE(latest({ "a", "a" }, 0, 2), "a:1"_ba);
    QCOMPARE(latest({ "b/*" }, 2, 4), "b/y:4"_ba);
    QCOMPARE(latest({ "c" }, 0, 6), ""_ba);
}

void tst_QSseMemoryLog::tellsWhatLatestWasDropped()
{
    QSseMemoryLog log;
    log.setRetention({ 1 });
    fill(&log); // 4, 5 and 6 are kept
    QCOMPARE(dataOf(log.latest(everything, 0, 6)), "b/y:4 b/x:5 a:6"_ba);
    QCOMPARE(log.latest(everything, 0, 6).droppedUpTo, 0u); // nothing the newest do not replace
    QCOMPARE(dataOf(log.latest(everything, 0, 5)), "b/y:4 b/x:5"_ba);
    QCOMPARE(log.latest(everything, 0, 5).droppedUpTo, 3u);
    QCOMPARE(log.latest(everything, 3, 5).droppedUpTo, 0u);
    log.removeTopic(u"b/x"_s);
    QCOMPARE(dataOf(log.latest(everything, 0, 6)), "b/y:4 a:6"_ba);
    QCOMPARE(log.latest(everything, 0, 6).droppedUpTo, 5u);
    QCOMPARE(log.latest(everything, 5, 6).droppedUpTo, 0u);
    QCOMPARE(log.latest({ "b/y" }, 0, 6).droppedUpTo, 0u);
}

void tst_QSseMemoryLog::knowsRemovedTopics()
{
    QSseMemoryLog log;
    fill(&log);
    log.removeTopic(u"a"_s);
    QCOMPARE(log.droppedUpTo({ "a" }), 6u);
    QCOMPARE(log.droppedUpTo(everything), 6u);
    QCOMPARE(log.droppedUpTo({ "b/*" }), 0u);
    append(&log, "a", "7");
    QCOMPARE(log.droppedUpTo({ "a" }), 6u);
    QCOMPARE(read(log, { "a" }), "a:7"_ba);
    log.removeTopic(u"a"_s);
    log.removeTopic(u"a"_s);
    QCOMPARE(log.droppedUpTo({ "a" }), 7u);
    QCOMPARE(log.read({ "a" }, 0, 7, anySize).droppedUpTo, 7u);
}

void tst_QSseMemoryLog::forgetsTheFirstRemovedTopics()
{
    QSseMemoryLog log;
    append(&log, "kept");
    const auto name = [](int i) { return u"t/%1"_s.arg(i); };
    for (int i = 2; i <= 10'005; ++i) { // at position i
        append(&log, name(i).toUtf8().constData());
        log.removeTopic(name(i));
        if (i == 4)
            append(&log, "kept"); // so from here on at i + 1
    }
    // Of 10,004 the last 10,000 are known by name.
    QCOMPARE(log.droppedUpTo({ "t/6" }), 7u);
    QCOMPARE(log.droppedUpTo({ "t/10005" }), 10'006u);
    QCOMPARE(log.droppedUpTo({ "kept" }), 0u);
    for (const char *topic : { "t/2", "t/5", "never/there" }) {
        QCOMPARE(log.droppedUpTo({ topic }), 6u);
        QCOMPARE(log.droppedUpTo({ topic }, 6), 0u);
    }
    QCOMPARE(log.droppedUpTo({ "other/*" }), 6u);
    QCOMPARE(log.latest({ "other/*" }, 0, 9).droppedUpTo, 6u);
    append(&log, "t/2");
    QCOMPARE(log.droppedUpTo({ "t/2" }), 6u);
    QCOMPARE(read(log), "kept:x kept:x t/2:x"_ba);
}

namespace {

// What a log is to answer, found by looking at all there ever was.
struct NaiveLog
{
    struct Entry
    {
        QString topic;
        bool isKept = true;
    };
    std::vector<Entry> entries; // by position - 1

    void keepLatest(const QString &topic, int count)
    {
        for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
            if (entry->topic == topic && --count < 0)
                entry->isKept = false;
        }
    }

    QList<quint64> read(const QSseTopicFilter &filter, quint64 after, quint64 upTo) const
    {
        QList<quint64> positions;
        for (quint64 position = after + 1; position <= upTo; ++position) {
            const Entry &entry = entries[position - 1];
            if (entry.isKept && filter.matches(entry.topic))
                positions << position;
        }
        return positions;
    }

    QList<quint64> latest(const QSseTopicFilter &filter, quint64 after, quint64 upTo) const
    {
        std::map<QString, quint64> newest;
        for (quint64 position = after + 1; position <= upTo; ++position) {
            if (filter.matches(entries[position - 1].topic))
                newest[entries[position - 1].topic] = position;
        }
        QList<quint64> positions;
        for (const auto &[topic, position] : newest) {
            if (entries[position - 1].isKept)
                positions << position;
        }
        std::sort(positions.begin(), positions.end());
        return positions;
    }

    quint64 droppedUpTo(const QSseTopicFilter &filter, quint64 after) const
    {
        for (quint64 position = entries.size(); position > after; --position) {
            const Entry &entry = entries[position - 1];
            if (!entry.isKept && filter.matches(entry.topic))
                return position;
        }
        return 0;
    }
};

} // namespace

void tst_QSseMemoryLog::agreesWithANaiveLog_data()
{
    QTest::addColumn<int>("topics");
    QTest::addColumn<int>("events");

    // With few topics all are looked at, with many what came last.
    QTest::newRow("few topics") << 3 << 400;
    QTest::newRow("some topics") << 40 << 400;
    QTest::newRow("many topics") << 1000 << 1500;
}

void tst_QSseMemoryLog::agreesWithANaiveLog()
{
    QFETCH(int, topics);
    QFETCH(int, events);
    std::mt19937 random(1);
    const auto below = [&random](quint64 end) { return quint64(random()) % end; };
    QSseMemoryLog log;
    NaiveLog naive;
    const Filters filters { "**", "a/**", "*/1", "b/*" };
    for (int i = 0; i < events; ++i) {
        const QString topic =
            u"%1/%2"_s.arg(QChar(u'a' + char16_t(below(3)))).arg(below(quint64(topics)));
        append(&log, topic.toUtf8().constData());
        naive.entries.push_back({ topic });
        if (below(2) == 0) { // fewer for a while, so that some go
            const int count = int(below(3));
            log.setRetention(topic, { count });
            naive.keepLatest(topic, count);
            log.setRetention(topic, {});
        } else if (below(20) == 0) {
            log.removeTopic(topic);
            naive.keepLatest(topic, 0);
        }

        const quint64 head = log.head();
        const quint64 after = below(3) == 0 ? below(head + 1) : head - qMin(head, below(20));
        const quint64 upTo = after + below(head - after + 1);
        const QSseTopicFilter filter = filters.at(qsizetype(below(4)));
        const Page page = log.read({ filter }, after, upTo, anySize);
        QCOMPARE(positionsOf(page), naive.read(filter, after, upTo));
        QCOMPARE(page.droppedUpTo, naive.droppedUpTo(filter, after));
        QCOMPARE(log.droppedUpTo({ filter }, after), naive.droppedUpTo(filter, after));
        QCOMPARE(positionsOf(log.latest({ filter }, after, head)),
                 naive.latest(filter, after, head));
    }
}

void tst_QSseMemoryLog::flushesAtOnce()
{
    QSseMemoryLog log;
    append(&log, "a");
    QString result = u"not called"_s;
    log.flush([&result](const QString &error) { result = error; });
    QCOMPARE(result, QString());
}

void tst_QSseMemoryLog::frees()
{
    std::weak_ptr<const QSseLoggedEvent> dropped;
    std::weak_ptr<const QSseLoggedEvent> removed;
    std::weak_ptr<const QSseLoggedEvent> kept;
    {
        const std::unique_ptr<QSseEventLog> log = std::make_unique<QSseMemoryLog>();
        log->setRetention({ 1 });
        dropped = append(log.get(), "a");
        kept = append(log.get(), "a");
        removed = append(log.get(), "b");
        QVERIFY(dropped.expired());
        log->removeTopic(u"b"_s);
        QVERIFY(removed.expired());
        QVERIFY(!kept.expired());
    }
    QVERIFY(kept.expired());
}

void tst_QSseMemoryLog::keepsWhatReadersHold()
{
    QSseLoggedEventPointer held;
    Page page;
    {
        QSseMemoryLog log;
        held = append(&log, "a", "1");
        page = log.read(everything, 0, 1, anySize);
        log.setRetention({ 0 });
        QVERIFY(!log.oldest(everything));
    }
    QCOMPARE(held->event.data(), u"1"_s);
    QCOMPARE(dataOf(page), "a:1"_ba);
    QVERIFY(page.events.first() == held);
}

namespace {

constexpr int ThreadCount = 4;
constexpr int EventsOfThread = 500;
constexpr quint64 EventsOfAll = ThreadCount * EventsOfThread;

// Publishers that all begin at once, each under a topic of its own and one of all.
class Publishers
{
public:
    explicit Publishers(QSseEventLog *log)
    {
        for (int i = 0; i < ThreadCount; ++i) {
            threads.emplace_back([this, log, i] { publish(log, i); });
        }
        mayBegin = true;
    }

    ~Publishers() { wait(); }

    void wait()
    {
        for (std::thread &thread : threads) {
            if (thread.joinable())
                thread.join();
        }
    }

    QList<QSseLoggedEventPointer> published[ThreadCount];

private:
    void publish(QSseEventLog *log, int thread)
    {
        while (!mayBegin)
            std::this_thread::yield();
        const QByteArray own = "own/" + QByteArray::number(thread);
        for (int i = 0; i < EventsOfThread; ++i) {
            published[thread] << append(log, i % 2 ? own.constData() : "all",
                                        QByteArray::number(i).constData());
        }
    }

    std::vector<std::thread> threads;
    std::atomic<bool> mayBegin { false };
};

} // namespace

void tst_QSseMemoryLog::appendsFromManyThreads()
{
    QSseMemoryLog log;
    Publishers publishers(&log);
    publishers.wait();

    QCOMPARE(log.head(), EventsOfAll);
    QList<QSseLoggedEventPointer> byPosition(EventsOfAll);
    for (const QList<QSseLoggedEventPointer> &published : publishers.published) {
        quint64 last = 0;
        for (const QSseLoggedEventPointer &logged : published) {
            QVERIFY(logged->position > last); // a thread's own events stay in order
            last = logged->position;
            QVERIFY(last <= EventsOfAll);
            QVERIFY(!byPosition.at(last - 1)); // each position once
            byPosition[last - 1] = logged;
            QCOMPARE(logged->event.idUtf8(), log.idAt(last));
        }
    }
    QVERIFY(log.read(everything, 0, EventsOfAll, anySize).events == byPosition);
}

void tst_QSseMemoryLog::readsWhileOthersAppend()
{
    QSseMemoryLog log;
    Publishers publishers(&log);
    QList<quint64> positions;
    QList<quint64> ofAll;
    for (quint64 after = 0; after < EventsOfAll;) {
        const quint64 head = log.head();
        const Page page = log.read(everything, after, head, 1000);
        QCOMPARE(page.droppedUpTo, 0u);
        QVERIFY(page.upTo >= after);
        QVERIFY(page.upTo <= head);
        positions += positionsOf(page);
        QCOMPARE(positions.size(), qsizetype(page.upTo)); // nothing up to there is to come yet
        ofAll += positionsOf(log.read({ "all" }, after, page.upTo, anySize));
        if (page.upTo == after)
            std::this_thread::yield();
        after = page.upTo;
    }
    publishers.wait();
    for (qsizetype i = 0; i < positions.size(); ++i)
        QCOMPARE(positions.at(i), quint64(i + 1));
    QCOMPARE(ofAll, positionsOf(log.read({ "all" }, 0, EventsOfAll, anySize)));
    QCOMPARE(ofAll.size(), qsizetype(EventsOfAll / 2));
}

void tst_QSseMemoryLog::changesLimitsWhileOthersAppend()
{
    QSseMemoryLog log;
    Publishers publishers(&log);
    for (int i = 0; log.head() < EventsOfAll; ++i) {
        log.setRetention({ i % 10 });
        log.setMaximumBytes(i % 7 * 100);
        log.removeTopic(u"own/0"_s);
        const Page page = log.read(everything, 0, log.head(), anySize);
        const QList<quint64> positions = positionsOf(page);
        QVERIFY(std::is_sorted(positions.begin(), positions.end()));
        log.oldest(everything);
        log.positionOf("mine");
    }
    publishers.wait();
    log.setRetention({ 10 });
    log.setMaximumBytes(0);
    QVERIFY(read(log).isEmpty());
    log.setMaximumBytes(1000);
    append(&log, "a");
    QCOMPARE(read(log), "a:x"_ba);
}

QTEST_APPLESS_MAIN(tst_QSseMemoryLog)
#include "tst_qssememorylog.moc"
