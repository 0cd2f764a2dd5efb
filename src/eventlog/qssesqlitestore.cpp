// SPDX-License-Identifier: MIT
#include "qssesqlitestore_p.h"

#include <QtCore/QDir>
#include <QtCore/QSet>
#include <QtCore/QUuid>
#include <QtSql/QSqlError>

using namespace QSseStoreStep;
using namespace std::chrono_literals;

namespace {

constexpr int ApplicationId = 0x51537365; // "QSse"
constexpr int FormatVersion = 1;
constexpr int KeptEpochs = 1000;

// SQLite's own result codes.
constexpr QLatin1StringView Busy("5");
constexpr QLatin1StringView NotADatabase("26");

// Columns of events, in the order of the table.
enum Column {
    Position,
    Topic,
    Id,
    Event,
    Data,
    Comment,
    Retry,
    OccurredAt,
    Ttl,
    Source,
    TransactionId,
    AppendedAt
};

constexpr const char *Tables[] = {
    "CREATE TABLE events (position INTEGER PRIMARY KEY, topic TEXT NOT NULL, id BLOB, event TEXT,"
    " data BLOB, comment TEXT, retry INTEGER, occurred_at INTEGER, ttl INTEGER, source TEXT,"
    " transaction_id TEXT, appended_at INTEGER NOT NULL)",
    "CREATE TABLE topics (name TEXT PRIMARY KEY, dropped_up_to INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE epochs (number INTEGER PRIMARY KEY, epoch BLOB NOT NULL UNIQUE,"
    " last_position INTEGER NOT NULL)",
    "CREATE TABLE forgotten (topics_up_to INTEGER NOT NULL, events_up_to INTEGER NOT NULL)",
    "INSERT INTO forgotten VALUES (0, 0)",
};

QVariant optional(std::chrono::milliseconds duration)
{
    return duration < 0ms ? QVariant() : QVariant(qint64(duration.count()));
}

std::chrono::milliseconds toDuration(const QVariant &value)
{
    return std::chrono::milliseconds(value.isNull() ? -1 : value.toLongLong());
}

// An empty blob is read as a null one.
QByteArray toField(const QVariant &value)
{
    const QByteArray field = value.toByteArray();
    return value.isNull() || !field.isNull() ? field : QByteArray("");
}

QSseEvent toEvent(const QSqlQuery &row)
{
    QSseEvent event;
    event.setTopic(row.value(Topic).toString());
    event.setIdUtf8(toField(row.value(Id)));
    event.setEvent(row.value(Event).toString());
    if (!row.value(Data).isNull())
        event.setDataUtf8(toField(row.value(Data)));
    if (!row.value(Comment).isNull())
        event.setComment(row.value(Comment).toString());
    event.setRetry(toDuration(row.value(Retry)));
    event.setOccurredAt(QDateTime::fromMSecsSinceEpoch(row.value(OccurredAt).toLongLong()).toUTC());
    event.setTtl(toDuration(row.value(Ttl)));
    event.setSource(row.value(Source).toString());
    event.setTransactionId(row.value(TransactionId).toString());
    return event;
}

} // namespace

/*! What a transaction comes to, besides the events themselves. */
struct QSseSqliteStore::Changes
{
    QSet<quint64> dropped; // events that need not be stored first
    QHash<QString, quint64> droppedUpTo;
    quint64 topicsForgottenUpTo = 0;
    quint64 eventsForgottenUpTo = 0;
    quint64 head = 0;

    void drop(const QString &topic, quint64 position)
    {
        quint64 &upTo = droppedUpTo[topic];
        upTo = qMax(upTo, position);
    }
};

QSseSqliteStore::QSseSqliteStore(const QString &fileName)
    : m_fileName(fileName),
      m_connection(QStringLiteral("QSseSqliteLog-") + QUuid::createUuid().toString())
{
}

QSseSqliteStore::~QSseSqliteStore()
{
    for (QSqlQuery *query : { &m_insertEvent, &m_deleteEvent, &m_setDropped, &m_deleteTopic,
                              &m_setForgotten, &m_setHead })
        *query = QSqlQuery();
    m_database.close();
    m_database = QSqlDatabase();
    QSqlDatabase::removeDatabase(m_connection);
}

QString QSseSqliteStore::open(const QByteArray &epoch, QSseMemoryLogPrivate *log)
{
    m_epoch = epoch;
    bool isNew = false;
    // One transaction, so that a file that cannot be read as a whole is left alone.
    const auto begin = [&] { return (!isNew || makeTables()) && beginRun() && load(log); };
    const bool isOpen =
        connect() && checkFormat(&isNew) && configure() && transaction(begin) && prepareWriting();
    return isOpen ? QString() : m_error;
}

bool QSseSqliteStore::connect()
{
    if (!QSqlDatabase::isDriverAvailable(QStringLiteral("QSQLITE")))
        return fail(tr("Qt's driver for SQLite is not installed"));
    m_database = QSqlDatabase::addDatabase(QStringLiteral("QSQLITE"), m_connection);
    m_database.setDatabaseName(m_fileName);
    m_database.setConnectOptions(QStringLiteral("QSQLITE_BUSY_TIMEOUT=1000"));
    return m_database.open() || fail(m_database.lastError());
}

// Nothing is written before this is known.
bool QSseSqliteStore::checkFormat(bool *isNew)
{
    if (!execute("PRAGMA locking_mode = EXCLUSIVE"))
        return false;
    const QVariant tables = value("SELECT count(*) FROM sqlite_master");
    if (!tables.isValid())
        return false;
    const QVariant application = value("PRAGMA application_id");
    const QVariant version = value("PRAGMA user_version");
    if (!application.isValid() || !version.isValid())
        return false;
    *isNew = tables.toInt() == 0 && application.toInt() == 0 && version.toInt() == 0;
    if (!*isNew && application.toInt() != ApplicationId)
        return fail(tr("%1 is not an event log"));
    if (version.toInt() > FormatVersion)
        return fail(tr("%1 was written by a newer version of QSse"));
    return true;
}

bool QSseSqliteStore::configure()
{
    const QVariant mode = value("PRAGMA journal_mode = WAL");
    if (!mode.isValid())
        return false;
    if (mode.toString() != QLatin1String("wal"))
        return fail(tr("%1 is where SQLite cannot keep a write-ahead log"));
    return execute("PRAGMA synchronous = FULL") && execute("PRAGMA journal_size_limit = 16777216");
}

bool QSseSqliteStore::makeTables()
{
    for (const char *table : Tables) {
        if (!execute(table))
            return false;
    }
    const QString pragma = QStringLiteral("PRAGMA %1 = %2");
    return execute(qUtf8Printable(pragma.arg(QLatin1String("application_id")).arg(ApplicationId)))
        && execute(qUtf8Printable(pragma.arg(QLatin1String("user_version")).arg(FormatVersion)));
}

bool QSseSqliteStore::beginRun()
{
    QSqlQuery query;
    return prepare(&query,
                   "INSERT INTO epochs (epoch, last_position)"
                   " SELECT ?, coalesce(max(last_position), 0) FROM epochs")
        && execute(&query, { m_epoch })
        && prepare(&query, "DELETE FROM epochs WHERE number < (SELECT max(number) FROM epochs) - ?")
        && execute(&query, { KeptEpochs });
}

bool QSseSqliteStore::load(QSseMemoryLogPrivate *log)
{
    return loadEpochs(log) && loadEvents(log) && loadDropped(log);
}

bool QSseSqliteStore::loadEpochs(QSseMemoryLogPrivate *log)
{
    QSqlQuery rows;
    if (!prepare(&rows, "SELECT epoch, last_position FROM epochs") || !execute(&rows))
        return false;
    while (rows.next()) {
        const quint64 last = rows.value(1).toULongLong();
        log->head = qMax(log->head, last);
        if (rows.value(0).toByteArray() != m_epoch)
            log->pastEpochs.insert(rows.value(0).toByteArray(), last);
    }
    return !rows.lastError().isValid() || fail(rows.lastError());
}

bool QSseSqliteStore::loadEvents(QSseMemoryLogPrivate *log)
{
    QSqlQuery rows;
    if (!prepare(&rows, "SELECT * FROM events ORDER BY position") || !execute(&rows))
        return false;
    const qint64 now = QDateTime::currentMSecsSinceEpoch();
    while (rows.next()) {
        const auto event = std::make_shared<QSseKeptEvent>();
        event->event = toEvent(rows);
        event->position = rows.value(Position).toULongLong();
        if (!event->event.isValid() || event->event.topic().isEmpty()
            || qint64(event->position) <= 0)
            return fail(tr("%1 is damaged"));
        const qint64 age = qMax(qint64(0), now - rows.value(AppendedAt).toLongLong());
        event->appendedAt = log->now()
            - std::min<std::chrono::milliseconds>(std::chrono::milliseconds(age),
                                                  std::chrono::hours(24 * 365 * 100));
        log->restore(event);
    }
    return !rows.lastError().isValid() || fail(rows.lastError());
}

bool QSseSqliteStore::loadDropped(QSseMemoryLogPrivate *log)
{
    QSqlQuery rows;
    if (!prepare(&rows, "SELECT name, dropped_up_to FROM topics ORDER BY dropped_up_to")
        || !execute(&rows))
        return false;
    while (rows.next())
        log->restoreDropped(rows.value(0).toString(), rows.value(1).toULongLong());
    if (rows.lastError().isValid())
        return fail(rows.lastError());
    const QVariant topics = value("SELECT topics_up_to FROM forgotten");
    const QVariant events = value("SELECT events_up_to FROM forgotten");
    log->restoreForgotten(topics.toULongLong(), events.toULongLong());
    return topics.isValid() && events.isValid();
}

bool QSseSqliteStore::prepareWriting()
{
    // A transaction that failed may be in the file all the same, so each can be done again.
    return prepare(&m_insertEvent,
                   "INSERT OR REPLACE INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
        && prepare(&m_deleteEvent, "DELETE FROM events WHERE position = ?")
        && prepare(&m_setDropped,
                   "INSERT INTO topics VALUES (?, ?) ON CONFLICT (name) DO UPDATE"
                   " SET dropped_up_to = max(dropped_up_to, excluded.dropped_up_to)")
        && prepare(&m_deleteTopic, "DELETE FROM topics WHERE name = ?")
        && prepare(&m_setForgotten,
                   "UPDATE forgotten SET topics_up_to = max(topics_up_to, ?),"
                   " events_up_to = max(events_up_to, ?)")
        && prepare(&m_setHead,
                   "UPDATE epochs SET last_position = max(last_position, ?) WHERE epoch = ?");
}

QString QSseSqliteStore::write(const std::vector<Step> &steps)
{
    Changes changes;
    for (const Step &step : steps) {
        if (const auto *drop = std::get_if<Drop>(&step))
            changes.dropped.insert(drop->position);
    }
    const auto body = [&] {
        for (const Step &step : steps) {
            if (!take(step, &changes))
                return false;
        }
        return finish(changes);
    };
    return transaction(body) ? QString() : m_error;
}

bool QSseSqliteStore::take(const Step &step, Changes *changes)
{
    if (const auto *append = std::get_if<Append>(&step)) {
        changes->head = append->event->position;
        return changes->dropped.contains(append->event->position) || insert(*append);
    }
    if (const auto *drop = std::get_if<Drop>(&step)) {
        if (drop->counts)
            changes->drop(drop->topic, drop->position);
        return execute(&m_deleteEvent, { qint64(drop->position) });
    }
    if (const auto *forget = std::get_if<Forget>(&step)) {
        changes->droppedUpTo.remove(forget->topic);
        changes->topicsForgottenUpTo = qMax(changes->topicsForgottenUpTo, forget->upTo);
        return execute(&m_deleteTopic, { forget->topic });
    }
    if (const auto *lose = std::get_if<Lose>(&step)) {
        for (auto lost = lose->topics.cbegin(); lost != lose->topics.cend(); ++lost)
            changes->drop(lost.key(), lost.value());
        changes->eventsForgottenUpTo = qMax(changes->eventsForgottenUpTo, lose->unnamedUpTo);
        changes->head = lose->last;
    }
    return true;
}

bool QSseSqliteStore::insert(const Append &append)
{
    const QSseEvent &event = append.event->event;
    const QVariant comment = event.comment().isNull() ? QVariant() : QVariant(event.comment());
    const QVariant data = event.hasData() ? QVariant(event.dataUtf8()) : QVariant();
    return execute(&m_insertEvent,
                   { qint64(append.event->position), event.topic(), event.idUtf8(), event.event(),
                     data, comment, optional(event.retry()), event.occurredAt().toMSecsSinceEpoch(),
                     optional(event.ttl()), event.source(), event.transactionId(),
                     append.appendedAt });
}

bool QSseSqliteStore::finish(const Changes &changes)
{
    for (auto topic = changes.droppedUpTo.cbegin(); topic != changes.droppedUpTo.cend(); ++topic) {
        if (!execute(&m_setDropped, { topic.key(), qint64(topic.value()) }))
            return false;
    }
    if (changes.topicsForgottenUpTo > 0 || changes.eventsForgottenUpTo > 0) {
        if (!execute(&m_setForgotten,
                     { qint64(changes.topicsForgottenUpTo), qint64(changes.eventsForgottenUpTo) }))
            return false;
    }
    return changes.head == 0 || execute(&m_setHead, { qint64(changes.head), m_epoch });
}

bool QSseSqliteStore::transaction(const std::function<bool()> &body)
{
    if (!m_database.transaction())
        return fail(m_database.lastError());
    if (body() && (m_database.commit() || fail(m_database.lastError())))
        return true;
    m_database.rollback(); // fails when SQLite did so by itself
    return false;
}

bool QSseSqliteStore::prepare(QSqlQuery *query, const char *statement)
{
    *query = QSqlQuery(m_database);
    query->setForwardOnly(true);
    return query->prepare(QString::fromUtf8(statement)) || fail(query->lastError());
}

bool QSseSqliteStore::execute(const char *statement)
{
    QSqlQuery query(m_database);
    return query.exec(QString::fromUtf8(statement)) || fail(query.lastError());
}

bool QSseSqliteStore::execute(QSqlQuery *query, const QVariantList &values)
{
    for (int i = 0; i < values.size(); ++i)
        query->bindValue(i, values.at(i));
    return query->exec() || fail(query->lastError());
}

QVariant QSseSqliteStore::value(const char *statement)
{
    QSqlQuery query(m_database);
    if (query.exec(QString::fromUtf8(statement)) && query.next())
        return query.value(0);
    fail(query.lastError());
    return QVariant();
}

bool QSseSqliteStore::fail(const QSqlError &error)
{
    if (error.nativeErrorCode() == Busy)
        return fail(tr("%1 is in use by another program"));
    if (error.nativeErrorCode() == NotADatabase)
        return fail(tr("%1 is not an event log"));
    const QString reason =
        error.databaseText().isEmpty() ? error.driverText() : error.databaseText();
    return fail(tr("%1 cannot be used: %2").arg(QStringLiteral("%1"), reason));
}

bool QSseSqliteStore::fail(const QString &error)
{
    m_error = error;
    m_error.replace(QLatin1String("%1"), QDir::toNativeSeparators(m_fileName));
    return false;
}
