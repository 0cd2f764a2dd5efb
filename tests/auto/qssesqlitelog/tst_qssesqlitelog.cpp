// SPDX-License-Identifier: MIT
#include <QSseSqliteLog>

#include <QtCore/QDir>
#include <QtCore/QFile>
#include <QtCore/QFileInfo>
#include <QtCore/QProcess>
#include <QtCore/QTemporaryDir>
#include <QtCore/QUuid>
#include <QtSql/QSqlDatabase>
#include <QtSql/QSqlQuery>

#include <QtTest/QtTest>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <future>
#include <limits>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#ifdef Q_OS_UNIX
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

using namespace Qt::StringLiterals;
using namespace std::chrono_literals;

namespace {

using Filters = QList<QSseTopicFilter>;

constexpr qsizetype anySize = std::numeric_limits<qsizetype>::max();
const Filters everything { "**" };

QSseLoggedEventPointer append(QSseEventLog *log, const char *topic, const QByteArray &data = "x",
                              const char *id = nullptr)
{
    QSseEvent event(data);
    event.setTopic(QString::fromUtf8(topic));
    event.setIdUtf8(id);
    return log->append(event);
}

QList<QSseLoggedEventPointer> allOf(const QSseEventLog &log, const Filters &filters = everything)
{
    return log.read(filters, 0, log.head(), anySize).events;
}

// As "<topic>:<data>" with spaces between.
QByteArray read(const QSseEventLog &log, const Filters &filters = everything)
{
    QByteArrayList data;
    for (const QSseLoggedEventPointer &logged : allOf(log, filters))
        data << logged->event.topic().toUtf8() + ':' + logged->event.dataUtf8();
    return data.join(' ');
}

// What flush() reports, or "late".
QString flush(QSseEventLog *log)
{
    const auto result = std::make_shared<std::promise<QString>>();
    std::future<QString> error = result->get_future();
    log->flush([result](const QString &error) { result->set_value(error); });
    return error.wait_for(20s) == std::future_status::ready ? error.get() : u"late"_s;
}

// Runs a statement on the file while no log has it open; returns the first value.
QVariant query(const QString &fileName, const QString &statement)
{
    const QString connection = QUuid::createUuid().toString();
    QVariant value;
    {
        QSqlDatabase database = QSqlDatabase::addDatabase(u"QSQLITE"_s, connection);
        database.setDatabaseName(fileName);
        if (!database.open())
            qFatal("cannot open the file");
        QSqlQuery query(database);
        if (!query.exec(statement))
            qFatal("%s", qPrintable(statement));
        if (query.next())
            value = query.value(0);
    }
    QSqlDatabase::removeDatabase(connection);
    return value;
}

QByteArray contents(const QString &fileName)
{
    QFile file(fileName);
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

void write(const QString &fileName, const QByteArray &contents)
{
    QFile file(fileName);
    if (!file.open(QIODevice::WriteOnly) || file.write(contents) != contents.size())
        qFatal("cannot write the file");
}

QByteArray epochOf(const QSseEventLog &log)
{
    return log.idAt(0).chopped(2);
}

// Counts what an error handler is told.
struct Errors
{
    explicit Errors(QSseEventLog *log)
    {
        log->setErrorHandler([this](const QString &) { ++count; });
    }
    std::atomic<int> count { 0 };
};

} // namespace

#ifdef Q_OS_UNIX
namespace {

// While it lives, no file can grow beyond a size.
class FullDisk
{
public:
    explicit FullDisk(rlim_t size)
    {
        std::signal(SIGXFSZ, SIG_IGN);
        ::getrlimit(RLIMIT_FSIZE, &m_before);
        const rlimit limit { size, m_before.rlim_max };
        ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    ~FullDisk() { ::setrlimit(RLIMIT_FSIZE, &m_before); }
    Q_DISABLE_COPY_MOVE(FullDisk)

private:
    rlimit m_before;
};

} // namespace
#endif

class tst_QSseSqliteLog : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void init();
    void cleanup();

    void opensANewFile();
    void isAMemoryLogUntilOpen();
    void opensBeforeTheFirstEventOnly();
    void keepsEvents_data();
    void keepsEvents();
    void keepsPositionsAndIds();
    void keepsWhatTheDestructorFinds();
    void keepsWhatWasDropped();
    void keepsRemovedTopics();
    void appliesARetentionLowered();
    void countsAgeOverRestarts();
    void countsTtlOverRestarts();
    void resumesAfterTheLastEventStored();
    void keepsEpochs();
    void forgetsTopicsInTheFileToo();
    void boundsTheFile();
    void survivesKilling();
    void flushesWithoutEvents();
    void appendsFromManyThreads();
    void losesWhatTheDiskIsTooSlowFor();
    void namesTopicsOfManyLosses();
    void outlivesAFullDisk();
    void closesWithAFullDisk();
    void refusesFiles_data();
    void refusesFiles();
    void refusesADamagedFile();
    void refusesAMissingDirectory();
    void refusesAReadOnlyDirectory();
    void refusesASecondLog();
    void refusesASecondProcess();

private:
    std::unique_ptr<QSseSqliteLog> opened(int events = 1000);
    QString m_fileName;
    std::unique_ptr<QTemporaryDir> m_dir;
};

void tst_QSseSqliteLog::init()
{
    m_dir = std::make_unique<QTemporaryDir>();
    QVERIFY(m_dir->isValid());
    m_fileName = m_dir->filePath(u"log.db"_s);
}

void tst_QSseSqliteLog::cleanup()
{
    m_dir.reset();
}

std::unique_ptr<QSseSqliteLog> tst_QSseSqliteLog::opened(int events)
{
    auto log = std::make_unique<QSseSqliteLog>(m_fileName);
    log->setRetention({ events });
    if (!log->open())
        qFatal("%s", qPrintable(log->errorString()));
    return log;
}

void tst_QSseSqliteLog::opensANewFile()
{
    QSseSqliteLog log(m_fileName);
    QCOMPARE(log.fileName(), m_fileName);
    QCOMPARE(log.maximumPendingBytes(), 64 * 1024 * 1024);
    QVERIFY(!log.isOpen());
    QVERIFY2(log.open(), qPrintable(log.errorString()));
    QVERIFY(log.isOpen());
    QVERIFY(log.open()); // once more does nothing
    QVERIFY(log.errorString().isEmpty());
    QCOMPARE(log.head(), 0u);
    QCOMPARE(read(log), ""_ba);
    QCOMPARE(log.droppedUpTo(everything), 0u);
}

void tst_QSseSqliteLog::isAMemoryLogUntilOpen()
{
    QSseSqliteLog log(m_fileName);
    append(&log, "a", "1");
    QCOMPARE(read(log), "a:1"_ba);
    QVERIFY(!flush(&log).isEmpty());
    QVERIFY(!QFile::exists(m_fileName));
}

void tst_QSseSqliteLog::opensBeforeTheFirstEventOnly()
{
    QSseSqliteLog log(m_fileName);
    append(&log, "a", "1");
    QVERIFY(!log.open());
    QVERIFY(!log.errorString().isEmpty());
    QVERIFY(!log.isOpen());
    QCOMPARE(read(log), "a:1"_ba);
}

void tst_QSseSqliteLog::keepsEvents_data()
{
    QTest::addColumn<QSseEvent>("event");

    const auto row = [](const char *name, const auto &change) {
        QSseEvent event("data");
        change(&event);
        QTest::newRow(name) << event;
    };
    row("data", [](QSseEvent *) {});
    row("empty data", [](QSseEvent *e) { e->setDataUtf8(""); });
    row("no data", [](QSseEvent *e) {
        e->setDataUtf8({});
        e->setComment(u"comment\nof two lines"_s);
    });
    row("empty comment", [](QSseEvent *e) { e->setComment(u""_s); });
    row("any data",
        [](QSseEvent *e) { e->setDataUtf8("a\0b\r\nc\xef\xbb\xbf\xf0\x9f\x98\x80 'x'"_ba); });
    row("event", [](QSseEvent *e) { e->setEvent(u"r\u00e4te"_s); });
    row("id", [](QSseEvent *e) { e->setId(u"m\u00efne"_s); });
    row("retry", [](QSseEvent *e) { e->setRetry(1500ms); });
    row("time", [](QSseEvent *e) {
        e->setOccurredAt(QDateTime::fromMSecsSinceEpoch(1'700'000'000'123).toUTC());
    });
    row("early time",
        [](QSseEvent *e) { e->setOccurredAt(QDateTime::fromMSecsSinceEpoch(-5).toUTC()); });
    row("ttl", [](QSseEvent *e) { e->setTtl(1h); });
    row("longest ttl", [](QSseEvent *e) { e->setTtl(std::chrono::milliseconds::max()); });
    row("source", [](QSseEvent *e) {
        e->setSource(u"sensor \u20ac"_s);
        e->setTransactionId(u"42"_s);
    });
    row("big", [](QSseEvent *e) { e->setDataUtf8(QByteArray(1'000'000, 'x')); });
}

void tst_QSseSqliteLog::keepsEvents()
{
    QFETCH(QSseEvent, event);
    event.setTopic(u"t\u00f6pic/a"_s);
    const QSseLoggedEventPointer before = opened()->append(event);
    const auto log = opened();
    const QList<QSseLoggedEventPointer> events = allOf(*log);
    QCOMPARE(events.size(), 1);
    QCOMPARE(events.first()->position, 1u);
    QCOMPARE(events.first()->event, before->event);
    QCOMPARE(events.first()->event.occurredAt().timeSpec(), Qt::UTC);
    QCOMPARE(events.first()->frame, before->frame);
    QVERIFY(log->event(u"t\u00f6pic/a"_s, before->event.idUtf8()) == events.first());
}

void tst_QSseSqliteLog::keepsPositionsAndIds()
{
    QByteArray firstEpoch;
    {
        const auto log = opened();
        firstEpoch = epochOf(*log);
        append(log.get(), "a", "1");
        append(log.get(), "b", "2", "mine");
        append(log.get(), "a", "3");
    }
    {
        const auto log = opened();
        QVERIFY(epochOf(*log) != firstEpoch);
        QCOMPARE(log->head(), 3u);
        QCOMPARE(read(*log), "a:1 b:2 a:3"_ba);
        const QSseLoggedEventPointer fourth = append(log.get(), "b", "4");
        QCOMPARE(fourth->position, 4u);
        QCOMPARE(fourth->event.idUtf8(), log->idAt(4));
        // Who publishes an event of the first run again makes a new one.
        QCOMPARE(append(log.get(), "b", "5", firstEpoch + "-1")->event.idUtf8(), log->idAt(5));
    }
    const auto log = opened();
    QCOMPARE(read(*log), "a:1 b:2 a:3 b:4 b:5"_ba);
    QCOMPARE(log->positionOf("mine"), std::optional<quint64>(2));
    for (quint64 position = 0; position <= 3; ++position) {
        const QByteArray id = firstEpoch + '-' + QByteArray::number(position);
        QCOMPARE(log->positionOf(id), std::optional<quint64>(position));
    }
    QCOMPARE(log->positionOf(firstEpoch + "-03"), std::nullopt);
    QCOMPARE(log->positionOf(firstEpoch), std::nullopt);
    QCOMPARE(log->positionOf("other-3"), std::nullopt);
    QCOMPARE(log->event(u"a"_s, firstEpoch + "-3")->position, 3u);
    QVERIFY(!log->event(u"b"_s, firstEpoch + "-3"));
    QCOMPARE(log->event(u"b"_s, "mine")->position, 2u);
}

void tst_QSseSqliteLog::keepsWhatTheDestructorFinds()
{
    {
        const auto log = opened(20'000);
        for (int i = 0; i < 20'000; ++i) // several transactions
            append(log.get(), "a", QByteArray::number(i));
    }
    const auto log = opened(20'000);
    const QList<QSseLoggedEventPointer> events = allOf(*log);
    QCOMPARE(events.size(), 20'000);
    for (int i = 0; i < 20'000; ++i)
        QCOMPARE(events.at(i)->event.dataUtf8(), QByteArray::number(i));
}

void tst_QSseSqliteLog::keepsWhatWasDropped()
{
    {
        const auto log = opened(2);
        for (const char *topic : { "a", "b", "a", "a", "b", "c", "a" })
            append(log.get(), topic);
    }
    {
        const auto log = opened(2);
        QCOMPARE(read(*log), "b:x a:x b:x c:x a:x"_ba);
        QCOMPARE(log->droppedUpTo({ "a" }), 3u);
        QCOMPARE(log->droppedUpTo({ "b" }), 0u);
        append(log.get(), "b");
        QCOMPARE(flush(log.get()), QString());
        append(log.get(), "b"); // events of the file are dropped like others
    }
    const auto log = opened(2);
    QCOMPARE(log->droppedUpTo({ "a" }), 3u);
    QCOMPARE(log->droppedUpTo({ "b" }), 5u);
    QCOMPARE(log->droppedUpTo({ "c" }), 0u);
    QCOMPARE(log->droppedUpTo(everything), 5u);
    QCOMPARE(log->droppedUpTo(everything, 5), 0u);
}

void tst_QSseSqliteLog::keepsRemovedTopics()
{
    {
        const auto log = opened();
        append(log.get(), "a", "1");
        append(log.get(), "b", "2");
        QCOMPARE(flush(log.get()), QString());
        append(log.get(), "a", "3");
        log->removeTopic(u"a"_s);
    }
    {
        const auto log = opened();
        QCOMPARE(read(*log), "b:2"_ba);
        QCOMPARE(log->droppedUpTo({ "a" }), 3u);
        append(log.get(), "a", "4");
    }
    const auto log = opened();
    QCOMPARE(read(*log), "b:2 a:4"_ba);
    QCOMPARE(log->droppedUpTo({ "a" }), 3u);
}

void tst_QSseSqliteLog::appliesARetentionLowered()
{
    {
        const auto log = opened();
        for (int i = 1; i <= 6; ++i)
            append(log.get(), i % 2 ? "a" : "b", QByteArray::number(i));
    }
    {
        QSseSqliteLog log(m_fileName);
        log.setRetention({ 2 });
        log.setRetention(u"b"_s, { 1 });
        QVERIFY(log.open());
        QCOMPARE(read(log), "a:3 a:5 b:6"_ba);
        QCOMPARE(log.droppedUpTo({ "a" }), 1u);
        QCOMPARE(log.droppedUpTo({ "b" }), 4u);
    }
    QCOMPARE(query(m_fileName, u"SELECT count(*) FROM events"_s).toInt(), 3);
    const auto log = opened();
    QCOMPARE(read(*log), "a:3 a:5 b:6"_ba);
    QCOMPARE(log->droppedUpTo({ "b" }), 4u);
}

void tst_QSseSqliteLog::countsAgeOverRestarts()
{
    {
        const auto log = opened();
        append(log.get(), "a", "old");
        append(log.get(), "a", "new");
        append(log.get(), "a", "from a future that the clock was in");
    }
    query(m_fileName,
          u"UPDATE events SET appended_at = appended_at - 3600000 WHERE position = 1"_s);
    query(m_fileName,
          u"UPDATE events SET appended_at = appended_at + 3600000 WHERE position = 3"_s);
    QSseSqliteLog log(m_fileName);
    log.setRetention({ 1000, -1, 30min });
    QVERIFY(log.open());
    QCOMPARE(allOf(log).size(), 2);
    QCOMPARE(allOf(log).first()->event.dataUtf8(), "new"_ba);
    QCOMPARE(log.droppedUpTo({ "a" }), 1u);
}

void tst_QSseSqliteLog::countsTtlOverRestarts()
{
    {
        const auto log = opened();
        QSseEvent event("x");
        event.setTopic(u"a"_s);
        event.setTtl(30min);
        log->append(event);
        log->append(event);
    }
    query(m_fileName,
          u"UPDATE events SET occurred_at = occurred_at - 3600000 WHERE position = 1"_s);
    {
        const auto log = opened();
        QCOMPARE(allOf(*log).size(), 1);
        QCOMPARE(allOf(*log).first()->position, 2u);
        QCOMPARE(log->droppedUpTo(everything), 0u); // it was worth nothing any more
    }
    QCOMPARE(query(m_fileName, u"SELECT count(*) FROM events"_s).toInt(), 1);
}

// As if the process had been killed when it had published five and stored two of them.
void tst_QSseSqliteLog::resumesAfterTheLastEventStored()
{
    QByteArray epoch;
    {
        const auto log = opened();
        epoch = epochOf(*log);
        for (int i = 1; i <= 5; ++i)
            append(log.get(), "a", QByteArray::number(i));
    }
    query(m_fileName, u"DELETE FROM events WHERE position > 2"_s);
    query(m_fileName, u"UPDATE epochs SET last_position = 2"_s);
    {
        const auto log = opened();
        QCOMPARE(log->head(), 2u);
        QCOMPARE(log->positionOf(epoch + "-2"), std::optional<quint64>(2));
        QCOMPARE(log->positionOf(epoch + "-5"), std::optional<quint64>(2));
        QCOMPARE(append(log.get(), "a", "new")->position, 3u);
    }
    const auto log = opened();
    QCOMPARE(log->positionOf(epoch + "-5"), std::optional<quint64>(2)); // which was another third
    QCOMPARE(read(*log), "a:1 a:2 a:new"_ba);
}

void tst_QSseSqliteLog::keepsEpochs()
{
    opened();
    query(m_fileName,
          u"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500)"
          " INSERT INTO epochs (epoch, last_position) SELECT CAST('e' || i AS BLOB), 7 FROM n"_s);
    {
        const auto log = opened();
        QCOMPARE(log->head(), 7u);
        QCOMPARE(log->positionOf("e1500-7"), std::optional<quint64>(7));
        QCOMPARE(log->positionOf("e501-7"), std::optional<quint64>(7));
        QCOMPARE(log->positionOf("e500-7"), std::nullopt);
    }
    QCOMPARE(query(m_fileName, u"SELECT count(*) FROM epochs"_s).toInt(), 1001);
}

void tst_QSseSqliteLog::forgetsTopicsInTheFileToo()
{
    {
        const auto log = opened();
        for (int i = 1; i <= 10'005; ++i) {
            const QString topic = u"t/%1"_s.arg(i);
            append(log.get(), topic.toUtf8().constData());
            log->removeTopic(topic);
        }
    }
    QCOMPARE(query(m_fileName, u"SELECT count(*) FROM topics"_s).toInt(), 10'000);
    const auto log = opened();
    QCOMPARE(log->droppedUpTo({ "t/6" }), 6u);
    QCOMPARE(log->droppedUpTo({ "t/1" }), 5u); // not known which of them it was
    QCOMPARE(log->droppedUpTo({ "t/1" }, 5), 0u);
}

void tst_QSseSqliteLog::boundsTheFile()
{
    const auto sizeOf = [this](const char *suffix) {
        return QFileInfo(m_fileName + QLatin1String(suffix)).size();
    };
    {
        const auto log = opened(200);
        const QByteArray data(1000, 'x');
        for (int i = 1; i <= 50 * 200; ++i) {
            append(log.get(), "a", data);
            if (i % 100 == 0)
                QCOMPARE(flush(log.get()), QString());
            QVERIFY(sizeOf("-wal") < 8'000'000);
        }
    }
    QCOMPARE(query(m_fileName, u"SELECT count(*) FROM events"_s).toInt(), 200);
    QVERIFY2(sizeOf("") < 1'000'000, QByteArray::number(sizeOf("")).constData());
    QCOMPARE(allOf(*opened(200)).first()->position, 9801u);
}

void tst_QSseSqliteLog::survivesKilling()
{
#ifdef Q_OS_UNIX
    QHash<quint64, QByteArray> acknowledged; // to their ids
    quint64 lastAcknowledged = 0;
    for (int round = 0; round < 5; ++round) {
        QProcess child;
        child.start(QCoreApplication::applicationFilePath(), { u"--append"_s, m_fileName });
        QByteArray output;
        // Killed at any moment once it is at work.
        while (output.count('\n') < 20 + 30 * round) {
            QVERIFY2(child.waitForReadyRead(20'000), child.readAllStandardError().constData());
            output += child.readAllStandardOutput();
        }
        ::kill(pid_t(child.processId()), SIGKILL);
        QVERIFY(child.waitForFinished());
        output += child.readAllStandardOutput();
        for (const QByteArray &line : output.split('\n')) {
            const QByteArrayList words = line.split(' ');
            if (words.size() == 2 && words.at(1).endsWith('.')) { // whole lines
                lastAcknowledged = words.at(0).toULongLong();
                acknowledged.insert(lastAcknowledged, words.at(1).chopped(1));
            }
        }

        const auto log = opened(1'000'000);
        const QList<QSseLoggedEventPointer> events = allOf(*log);
        QVERIFY(quint64(events.size()) >= lastAcknowledged);
        QCOMPARE(log->head(), quint64(events.size()));
        for (qsizetype i = 0; i < events.size(); ++i) { // all of them, in order
            QCOMPARE(events.at(i)->position, quint64(i + 1));
            QCOMPARE(events.at(i)->event.dataUtf8(), QByteArray::number(i + 1));
        }
        for (auto event = acknowledged.cbegin(); event != acknowledged.cend(); ++event)
            QCOMPARE(log->positionOf(event.value()), std::optional<quint64>(event.key()));
        // A reader that saw what was not stored in time goes on after all that was.
        const QByteArray epoch = acknowledged.value(lastAcknowledged).split('-').first();
        QCOMPARE(log->positionOf(epoch + "-999999999"), std::optional<quint64>(log->head()));
    }
    QVERIFY(acknowledged.size() >= 100);
#else
    QSKIP("needs signals");
#endif
}

void tst_QSseSqliteLog::flushesWithoutEvents()
{
    const auto log = opened();
    QCOMPARE(flush(log.get()), QString());
    append(log.get(), "a");
    QCOMPARE(flush(log.get()), QString());
    QCOMPARE(flush(log.get()), QString());
}

void tst_QSseSqliteLog::appendsFromManyThreads()
{
    constexpr int ThreadCount = 4;
    constexpr int EventsOfThread = 500;
    QSet<QByteArray> data;
    {
        const auto log = opened(10'000);
        std::atomic<int> flushed { 0 };
        std::vector<std::thread> threads;
        for (int thread = 0; thread < ThreadCount; ++thread) {
            threads.emplace_back([&log, &flushed, thread] {
                for (int i = 0; i < EventsOfThread; ++i) {
                    append(log.get(), "a", QByteArray::number(thread * EventsOfThread + i));
                    log->flush([&flushed](const QString &error) { flushed += error.isEmpty(); });
                    if (i % 50 == 0)
                        log->read(everything, log->head() / 2, log->head(), 1000);
                }
            });
        }
        for (std::thread &thread : threads)
            thread.join();
        QCOMPARE(flush(log.get()), QString());
        QCOMPARE(flushed, ThreadCount * EventsOfThread);
    }
    const auto log = opened(10'000);
    for (const QSseLoggedEventPointer &event : allOf(*log))
        data << event->event.dataUtf8();
    QCOMPARE(data.size(), ThreadCount * EventsOfThread);
    QCOMPARE(log->head(), quint64(ThreadCount * EventsOfThread));
}

void tst_QSseSqliteLog::losesWhatTheDiskIsTooSlowFor()
{
    quint64 stored = 0;
    {
        const auto log = opened(100'000);
        Errors errors(log.get());
        const qsizetype size = append(log.get(), "a", "first")->memory();
        QCOMPARE(flush(log.get()), QString());
        log->setMaximumPendingBytes(10 * size);
        QTest::ignoreMessage(QtWarningMsg, QRegularExpression(u"faster"_s));
        for (int i = 0; i < 20'000; ++i)
            append(log.get(), "a", "12345");
        append(log.get(), "b");
        QCOMPARE(errors.count, 1);
        QVERIFY(!flush(log.get()).isEmpty());
        QVERIFY(!log->errorString().isEmpty());
        QCOMPARE(allOf(*log).size(), 20'002); // those who are here miss nothing
        QCOMPARE(log->droppedUpTo(everything), 0u);

        // Once the disk has caught up and a while has passed, all is well again.
        log->setMaximumPendingBytes(1'000'000);
        QTRY_COMPARE_WITH_TIMEOUT(flush(log.get()), QString(), 10'000);
        QVERIFY(log->errorString().isEmpty());
        stored = append(log.get(), "c", "last")->position;
        QCOMPARE(flush(log.get()), QString());
    }
    const auto log = opened(100'000);
    QCOMPARE(log->head(), stored);
    const QList<QSseLoggedEventPointer> events = allOf(*log);
    QVERIFY(events.size() < 20'000);
    QCOMPARE(events.first()->event.dataUtf8(), "first"_ba);
    QCOMPARE(events.last()->event.dataUtf8(), "last"_ba);
    QVERIFY(log->droppedUpTo({ "a" }, 1) > 1);
    QCOMPARE(log->droppedUpTo({ "c" }), 0u);
    // Nobody is told that there is nothing between what he has and what he gets.
    for (qsizetype i = 1; i < events.size(); ++i) {
        const quint64 before = events.at(i - 1)->position;
        if (events.at(i)->position > before + 1)
            QVERIFY(log->droppedUpTo(everything, before) > before);
    }
}

void tst_QSseSqliteLog::namesTopicsOfManyLosses()
{
#ifdef Q_OS_UNIX
    constexpr int Topics = 10'010;
    {
        const auto log = opened();
        append(log.get(), "kept");
        QCOMPARE(flush(log.get()), QString());
        {
            const FullDisk full(1000);
            QTest::ignoreMessage(QtWarningMsg, QRegularExpression(u"cannot be used"_s));
            append(log.get(), "kept");
            QVERIFY(!flush(log.get()).isEmpty());
            log->setMaximumPendingBytes(0);
            for (int i = 0; i < Topics; ++i)
                append(log.get(), u"t/%1"_s.arg(i).toUtf8().constData());
            QCOMPARE(log->droppedUpTo(everything), 0u);
        }
    }
    const auto log = opened();
    QCOMPARE(log->head(), quint64(Topics + 2));
    QCOMPARE(read(*log), "kept:x kept:x"_ba);
    // There is a limit to how many are named; then it may have been any topic.
    for (const char *topic : { "t/0", "t/9999", "t/10000", "t/10009", "kept" })
        QVERIFY2(log->droppedUpTo({ topic }) > 2, topic);
#else
    QSKIP("needs a limit on the size of files");
#endif
}

void tst_QSseSqliteLog::outlivesAFullDisk()
{
#ifdef Q_OS_UNIX
    const QByteArray data(10'000, 'x');
    auto log = opened();
    Errors errors(log.get());
    for (int outage = 1; outage <= 2; ++outage) {
        append(log.get(), "a", "before");
        QCOMPARE(flush(log.get()), QString());
        {
            FullDisk full(1000);
            QTest::ignoreMessage(QtWarningMsg, QRegularExpression(u"cannot be used"_s));
            for (int i = 0; i < 10; ++i)
                append(log.get(), "a", data);
            QVERIFY(!flush(log.get()).isEmpty());
            QTRY_COMPARE(errors.count, outage);
            QVERIFY(!log->errorString().isEmpty());
            QVERIFY(!flush(log.get()).isEmpty()); // at once
            append(log.get(), "a", "live");
            QCOMPARE(allOf(*log).size(), 12 * outage);
        }
        QTRY_COMPARE_WITH_TIMEOUT(flush(log.get()), QString(), 10'000);
        QVERIFY(log->errorString().isEmpty());
        QCOMPARE(errors.count, outage);
    }
    const QByteArray before = read(*log);
    log.reset();
    // All of it was within what may wait.
    const auto reopened = opened();
    QCOMPARE(read(*reopened), before);
    QCOMPARE(reopened->droppedUpTo(everything), 0u);
#else
    QSKIP("needs a limit on the size of files");
#endif
}

void tst_QSseSqliteLog::closesWithAFullDisk()
{
#ifdef Q_OS_UNIX
    QString error;
    {
        auto log = opened();
        append(log.get(), "a", "stored");
        QCOMPARE(flush(log.get()), QString());
        FullDisk full(1000);
        QTest::ignoreMessage(QtWarningMsg, QRegularExpression(u"cannot be used"_s));
        QTest::ignoreMessage(QtWarningMsg, QRegularExpression(u"Not all events are stored"_s));
        append(log.get(), "a", QByteArray(10'000, 'x'));
        log->flush([&error](const QString &text) { error = text; });
        QElapsedTimer timer;
        timer.start();
        log.reset();
        QVERIFY2(timer.elapsed() < 7000, QByteArray::number(timer.elapsed()).constData());
    }
    QVERIFY(!error.isEmpty());
    QCOMPARE(read(*opened()), "a:stored"_ba);
#else
    QSKIP("needs a limit on the size of files");
#endif
}

void tst_QSseSqliteLog::refusesFiles_data()
{
    QTest::addColumn<QString>("statement");   // what is done to a new database
    QTest::addColumn<QByteArray>("contents"); // or what is in the file
    QTest::addColumn<QString>("message");

    QTest::newRow("text") << QString() << QByteArray(10'000, 'x') << u"is not an event log"_s;
    QTest::newRow("short text") << QString() << "hello"_ba << u"is not an event log"_s;
    QTest::newRow("another database")
        << u"CREATE TABLE orders (id INTEGER)"_s << ""_ba << u"is not an event log"_s;
    QTest::newRow("another application")
        << u"PRAGMA application_id = 77"_s << ""_ba << u"is not an event log"_s;
    QTest::newRow("newer version") << u"newer"_s << ""_ba << u"newer version"_s;
}

void tst_QSseSqliteLog::refusesFiles()
{
    QFETCH(QString, statement);
    QFETCH(QByteArray, contents);
    QFETCH(QString, message);
    if (statement == u"newer"_s) {
        append(opened().get(), "a");
        query(m_fileName, u"PRAGMA user_version = 2"_s);
    } else if (!statement.isEmpty()) {
        query(m_fileName, statement);
    } else {
        write(m_fileName, contents);
    }
    const QByteArray before = ::contents(m_fileName);
    QSseSqliteLog log(m_fileName);
    QVERIFY(!log.open());
    QVERIFY(!log.isOpen());
    QVERIFY2(log.errorString().contains(message), qPrintable(log.errorString()));
    QVERIFY(log.errorString().contains(m_fileName));
    QVERIFY(::contents(m_fileName) == before);
    // It serves as a log in memory all the same.
    append(&log, "a", "1");
    QCOMPARE(read(log), "a:1"_ba);
    QVERIFY(!flush(&log).isEmpty());
}

void tst_QSseSqliteLog::refusesADamagedFile()
{
    {
        const auto log = opened();
        for (int i = 0; i < 200; ++i)
            append(log.get(), "a", QByteArray(1000, 'x'));
    }
    QByteArray damaged = contents(m_fileName);
    const qsizetype half = damaged.size() / 2;
    damaged.replace(half, damaged.size() - half, QByteArray(damaged.size() - half, '\xee'));
    write(m_fileName, damaged);
    QSseSqliteLog log(m_fileName);
    QVERIFY(!log.open());
    QVERIFY(!log.errorString().isEmpty());
    QCOMPARE(log.head(), 0u);
    QCOMPARE(read(log), ""_ba);
    QCOMPARE(append(&log, "a", "1")->position, 1u);
    QCOMPARE(read(log), "a:1"_ba);
    QVERIFY(contents(m_fileName) == damaged);
}

void tst_QSseSqliteLog::refusesAMissingDirectory()
{
    QSseSqliteLog log(m_dir->filePath(u"none/log.db"_s));
    QVERIFY(!log.open());
    QVERIFY(!log.errorString().isEmpty());
    // It can be tried again.
    QVERIFY(QDir(m_dir->path()).mkdir(u"none"_s));
    QVERIFY2(log.open(), qPrintable(log.errorString()));
    QVERIFY(log.errorString().isEmpty());
}

void tst_QSseSqliteLog::refusesAReadOnlyDirectory()
{
#ifdef Q_OS_UNIX
    append(opened().get(), "a");
    ::chmod(qPrintable(m_dir->path()), 0555);
    ::chmod(qPrintable(m_fileName), 0444);
    const bool isRoot = ::geteuid() == 0; // who may write everywhere
    if (isRoot)
        QCOMPARE(::seteuid(65534), 0);
    QSseSqliteLog present(m_fileName);
    QSseSqliteLog absent(m_dir->filePath(u"absent.db"_s));
    const bool areOpen = present.open() || absent.open();
    if (isRoot)
        QCOMPARE(::seteuid(0), 0);
    ::chmod(qPrintable(m_dir->path()), 0755);
    QVERIFY(!areOpen);
    QVERIFY(!present.errorString().isEmpty());
    QVERIFY(!absent.errorString().isEmpty());
#else
    QSKIP("needs permissions");
#endif
}

void tst_QSseSqliteLog::refusesASecondLog()
{
    auto first = opened();
    append(first.get(), "a", "1");
    QSseSqliteLog second(m_fileName);
    QVERIFY(!second.open());
    QVERIFY2(second.errorString().contains(u"in use"_s), qPrintable(second.errorString()));
    append(first.get(), "a", "2");
    QCOMPARE(flush(first.get()), QString()); // is not disturbed
    first.reset();
    QVERIFY(second.open());
    QCOMPARE(read(second), "a:1 a:2"_ba);
}

void tst_QSseSqliteLog::refusesASecondProcess()
{
    const auto log = opened();
    QProcess child;
    child.start(QCoreApplication::applicationFilePath(), { u"--append"_s, m_fileName });
    QVERIFY(child.waitForFinished());
    QCOMPARE(child.exitCode(), 2);
    QVERIFY(child.readAllStandardError().contains("in use"));
    append(log.get(), "a");
    QCOMPARE(flush(log.get()), QString());
}

namespace {

// What is killed: appends for ever and prints each position and id that is stored for sure.
int appendForEver(const QString &fileName)
{
    QSseSqliteLog log(fileName);
    log.setRetention({ 1'000'000 });
    if (!log.open()) {
        std::fprintf(stderr, "%s\n", qPrintable(log.errorString()));
        return 2;
    }
    std::atomic<quint64> stored { log.head() };
    for (quint64 next = log.head() + 1;; ++next) {
        const QSseLoggedEventPointer event = append(&log, "a", QByteArray::number(next));
        log.flush([event, &stored](const QString &error) {
            if (!error.isEmpty())
                std::exit(3);
            stored = event->position;
            std::printf("%llu %s.\n", event->position, event->event.idUtf8().constData());
            std::fflush(stdout);
        });
        while (next > stored + 100) // the parent has to keep up
            std::this_thread::yield();
    }
}

} // namespace

int main(int argc, char *argv[])
{
    QCoreApplication app(argc, argv);
    if (argc == 3 && qstrcmp(argv[1], "--append") == 0)
        return appendForEver(QString::fromLocal8Bit(argv[2]));
    tst_QSseSqliteLog test;
    return QTest::qExec(&test, argc, argv);
}

#include "tst_qssesqlitelog.moc"
