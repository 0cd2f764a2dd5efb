// SPDX-License-Identifier: MIT
#ifndef QSSESQLITESTORE_P_H
#define QSSESQLITESTORE_P_H

#include "qssememorylog_p.h"

#include <QtCore/QCoreApplication>
#include <QtSql/QSqlDatabase>
#include <QtSql/QSqlError>
#include <QtSql/QSqlQuery>

#include <functional>
#include <variant>
#include <vector>

/*! What a log in memory did that its file has to follow. */
namespace QSseStoreStep {

struct Append
{
    QSseMemoryLogPrivate::KeptPointer event;
    qint64 appendedAt; //!< in ms since 1970
};

struct Drop
{
    quint64 position;
    QString topic;
    bool counts;
};

/*! All that is known of the topic any more is that all were forgotten up to a position. */
struct Forget
{
    QString topic;
    quint64 upTo;
};

/*! Events that are not stored. */
struct Lose
{
    QHash<QString, quint64> topics; //!< to the last position lost
    quint64 unnamedUpTo = 0;        //!< of others than these
    quint64 last = 0;
};

struct Flush
{
    std::function<void(const QString &error)> done;
};

} // namespace QSseStoreStep

/*!
    The file of a QSseSqliteLog. All of it is called in one thread.

    An error is one translated line; the file is then as it was before the call, and the call may be
    made again.
*/
class QSseSqliteStore
{
    Q_DECLARE_TR_FUNCTIONS(QSseSqliteLog)
public:
    using Step = std::variant<QSseStoreStep::Append, QSseStoreStep::Drop, QSseStoreStep::Forget,
                              QSseStoreStep::Lose, QSseStoreStep::Flush>;

    explicit QSseSqliteStore(const QString &fileName);
    ~QSseSqliteStore();
    Q_DISABLE_COPY_MOVE(QSseSqliteStore)

    /*! Opens the file, begins the run \a epoch in it and puts what it has into \a log, which is
        empty and whose mutex is held. Returns an error or an empty text. */
    QString open(const QByteArray &epoch, QSseMemoryLogPrivate *log);
    /*! Takes \a steps in one transaction. Returns an error or an empty text. */
    QString write(const std::vector<Step> &steps);

private:
    struct Changes;

    bool connect();
    bool checkFormat(bool *isNew);
    bool configure();
    bool makeTables();
    bool beginRun();
    bool load(QSseMemoryLogPrivate *log);
    bool loadEpochs(QSseMemoryLogPrivate *log);
    bool loadEvents(QSseMemoryLogPrivate *log);
    bool loadDropped(QSseMemoryLogPrivate *log);
    bool prepareWriting();

    bool take(const Step &step, Changes *changes);
    bool insert(const QSseStoreStep::Append &append);
    bool finish(const Changes &changes);

    bool transaction(const std::function<bool()> &body);
    bool prepare(QSqlQuery *query, const char *statement);
    bool execute(const char *statement);
    bool execute(QSqlQuery *query, const QVariantList &values = {});
    QVariant value(const char *statement);
    bool fail(const QSqlError &error);
    bool fail(const QString &error); // with %1 for the file

    const QString m_fileName;
    const QString m_connection;
    QByteArray m_epoch;
    QString m_error;
    QSqlDatabase m_database;
    QSqlQuery m_insertEvent;
    QSqlQuery m_deleteEvent;
    QSqlQuery m_setDropped;
    QSqlQuery m_deleteTopic;
    QSqlQuery m_setForgotten;
    QSqlQuery m_setHead;
};

#endif // QSSESQLITESTORE_P_H
