// SPDX-License-Identifier: MIT
#include "qsseafterstoring_p.h"
#include "qsseeventlog.h"

#include <QtCore/QMutex>

// Outlives the receiver as long as the log may write to it.
struct QSseAfterStoring::Mailbox
{
    QMutex mutex;
    QSseAfterStoring *receiver;
};

QSseAfterStoring::QSseAfterStoring(QObject *parent)
    : QObject(parent), m_mailbox(std::make_shared<Mailbox>())
{
    m_mailbox->receiver = this;
}

QSseAfterStoring::~QSseAfterStoring()
{
    const QMutexLocker locker(&m_mailbox->mutex);
    m_mailbox->receiver = nullptr;
}

void QSseAfterStoring::call(QSseEventLog *log, const Handler &handler)
{
    const quint64 number = ++m_last;
    m_handlers.insert(number, handler);
    // The handler stays here: what it holds must be used and freed in this thread.
    log->flush([mailbox = m_mailbox, number](const QString &error) {
        const QMutexLocker locker(&mailbox->mutex);
        if (QSseAfterStoring *receiver = mailbox->receiver) {
            QMetaObject::invokeMethod(
                receiver, [=] { receiver->deliver(number, error); }, Qt::QueuedConnection);
        }
    });
}

void QSseAfterStoring::deliver(quint64 number, const QString &error)
{
    if (const Handler handler = m_handlers.take(number))
        handler(error);
}
