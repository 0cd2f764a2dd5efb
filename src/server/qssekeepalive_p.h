// SPDX-License-Identifier: MIT
#ifndef QSSEKEEPALIVE_P_H
#define QSSEKEEPALIVE_P_H

#include <QtCore/QObject>
#include <QtCore/QTimer>

#include <chrono>
#include <functional>
#include <list>

class QElapsedTimer;
class QSseConnection;

/*!
    Tells which connections were sent nothing for an interval: one timer over a list of them in the
    order of when they last were. Each is told of up to an eighth of the interval early, at random,
    so that those that fell silent together do not stay together.
*/
class QSseKeepAlive : public QObject
{
    Q_OBJECT

public:
    using Handler = std::function<void(QSseConnection *, qint64 now)>;

    /*! Times are ms of \a clock. \a silent is called for each silent connection, and has to touch()
        or remove() it. */
    QSseKeepAlive(const QElapsedTimer *clock, Handler silent, QObject *parent);

    /*! 0 for never. */
    void setInterval(std::chrono::milliseconds interval);
    void add(QSseConnection *connection);
    void remove(QSseConnection *connection);
    /*! \a connection is sent something, \a now. */
    void touch(QSseConnection *connection, qint64 now);

private:
    void schedule();
    void tellSilent();

    const QElapsedTimer *const m_clock;
    const Handler m_silent;
    qint64 m_interval = 0;
    QTimer m_timer;
    std::list<QSseConnection *> m_byActivity; // who was sent something longest ago comes first
};

#endif // QSSEKEEPALIVE_P_H
