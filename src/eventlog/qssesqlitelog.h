// SPDX-License-Identifier: MIT
#ifndef QSSESQLITELOG_H
#define QSSESQLITELOG_H

#include "qsse_sqlitelog_export.h"
#include "qssememorylog.h"

#include <QtCore/QCoreApplication>

class QSseSqliteLogPrivate;

/*!
    A log that outlives the process: a QSseMemoryLog whose events are also in an SQLite file.

    Reading and append() are as quick as those of a QSseMemoryLog and never wait for the disk: a
    thread of the log's own stores what was appended and deletes what was dropped, all that has
    gathered in one transaction. flush() tells when that is done. The same retention bounds the
   file; retention() and maximumBytes() are settings, which are not stored: make them before open().

    Positions go on over restarts, and so do the ids callers chose. The log's own ids begin with a
    new epoch each time; those of the last 1,000 runs stay known. What a process that was killed had
    not stored yet is as if it had never been published: a client that has seen some of it resumes
    after the last event that was stored, and positions from there on are given anew.

    When the file cannot be written to, events go on being kept in memory and sent live. Up to
    maximumPendingBytes() of them wait for the disk, which is tried every second. Those beyond it
   are not stored, and count as dropped after a restart. Until open() has succeeded, and once it has
    failed, the log is one in memory alone.

    All functions are thread-safe. Needs a QCoreApplication and Qt's driver QSQLITE.
*/
class QSSE_SQLITELOG_EXPORT QSseSqliteLog : public QSseMemoryLog
{
public:
    /*! A log in the file \a fileName, which open() makes if it is not there. */
    explicit QSseSqliteLog(const QString &fileName);
    /*! Stores what still waits, for at most 5 s; then gives up what is left. */
    ~QSseSqliteLog() override;

    QString fileName() const;
    /*! Reads what is in the file and applies the retention to it. Comes before the first append();
        waits for the disk. Returns false when it fails, with the reason in errorString(); the file
        is then as it was. While it is open, no other log or program can open the file. */
    bool open();
    bool isOpen() const;
    /*! One translated line on why open() failed, or why events cannot be stored at present; empty
        when there is nothing wrong. */
    QString errorString() const;

    /*! The most bytes of memory that events may take which wait to be stored; 64 MiB unless set. */
    qint64 maximumPendingBytes() const;
    void setMaximumPendingBytes(qint64 bytes);

    QSseLoggedEventPointer append(QSseEvent event) override;
    /*! As isOpen(). */
    bool isDurable() const override;
    /*! Calls \a done once a transaction has ended that has all that was appended before, which is
        then on the disk. With an error when some of it could not be stored, if it was appended a
        second ago at most: it may still be stored later. Called in this thread or the log's own, at
        the latest from the destructor. */
    void flush(std::function<void(const QString &error)> done) override;
    /*! \a handler is called once each time the file begins not to take what is published. It is
        called in the log's own thread or a publishing one, and must not call the log. */
    void setErrorHandler(std::function<void(const QString &text)> handler) override;

private:
    Q_DECLARE_PRIVATE_D(d, QSseSqliteLog)
    Q_DECLARE_TR_FUNCTIONS(QSseSqliteLog)
};

#endif // QSSESQLITELOG_H
