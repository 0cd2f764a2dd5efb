// SPDX-License-Identifier: MIT
#ifndef QSSEAFTERSTORING_P_H
#define QSSEAFTERSTORING_P_H

#include <QtCore/QHash>
#include <QtCore/QObject>
#include <QtCore/QString>

#include <functional>
#include <memory>

class QSseEventLog;

/*!
    Brings the word that a log has stored something, which it gives in a thread of its own, to the
    thread of this object. What has not come by the end of it is forgotten.
*/
class QSseAfterStoring : public QObject
{
    Q_OBJECT

public:
    using Handler = std::function<void(const QString &error)>;

    explicit QSseAfterStoring(QObject *parent = nullptr);
    ~QSseAfterStoring() override;

    /*! Calls \a handler in this object's thread when all that \a log has is stored, or with an
       error when some of it is not. */
    void call(QSseEventLog *log, const Handler &handler);

private:
    struct Mailbox;

    void deliver(quint64 number, const QString &error);

    const std::shared_ptr<Mailbox> m_mailbox;
    QHash<quint64, Handler> m_handlers;
    quint64 m_last = 0;
};

#endif // QSSEAFTERSTORING_P_H
