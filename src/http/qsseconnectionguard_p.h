// SPDX-License-Identifier: MIT
#ifndef QSSECONNECTIONGUARD_P_H
#define QSSECONNECTIONGUARD_P_H

#include <QtCore/QElapsedTimer>
#include <QtCore/QObject>
#include <QtCore/QTimer>

#include <array>
#include <chrono>
#include <list>

class QSseGuardedSocket;

/*!
    The limits of an HTTP server and the books about its connections: how many there are, what they
    have to do next and by when. One timer serves them all.
*/
class QSseConnectionGuard : public QObject
{
    Q_OBJECT

public:
    /*! What a connection has to do before its time is over. */
    enum class Wait {
        Request, //!< complete a request
        Idle,    //!< begin the next one
        Writing, //!< take some bytes of what was answered
        Linger,  //!< end its side after ours has ended
        Nothing,
    };

    /*! Where a connection stands in the books. */
    struct Place
    {
        Wait wait = Wait::Nothing;
        qint64 since = 0; // ms of the guard's clock
        std::list<QSseGuardedSocket *>::iterator position;
    };

    struct Limits
    {
        int headSize = 16 * 1024;
        int bodySize = 1024 * 1024;
        int connections = 4096;
        // By Wait; 0 for no end.
        std::array<std::chrono::milliseconds, 4> timeouts {
            std::chrono::seconds(10),
            std::chrono::seconds(60),
            std::chrono::seconds(30),
            std::chrono::seconds(2),
        };
    };

    /*! The most bytes of incomplete requests, all connections together. */
    static constexpr qint64 MaximumIncoming = qint64(64) * 1024 * 1024;
    /*! How many connections beyond the limit are told so; others are cut. */
    static constexpr int MaximumRefused = 256;

    explicit QSseConnectionGuard(QObject *parent = nullptr);

    const Limits &limits() const { return m_limits; }
    void setHeadSize(int bytes) { m_limits.headSize = bytes; }
    void setBodySize(int bytes) { m_limits.bodySize = bytes; }
    void setConnections(int count) { m_limits.connections = count; }
    std::chrono::milliseconds timeout(Wait wait) const;
    void setTimeout(Wait wait, std::chrono::milliseconds timeout);

    /*! Takes \a socket into the books. Answers whether it may go on; otherwise it is told to come
        back later, and deletes itself. */
    bool admit(QSseGuardedSocket *socket);
    /*! Sets what \a socket has to do; its time begins anew if that is something else than before,
        or with \a restart. */
    void watch(QSseGuardedSocket *socket, Wait wait, bool restart = false);
    /*! Takes an admitted \a socket out of the books. */
    void leave(QSseGuardedSocket *socket);
    /*! Counts \a bytes more of incomplete requests, fewer when negative; answers whether that is
        within the limit. */
    bool countIncoming(qint64 bytes);

private:
    void expire();
    void wakeAt(qint64 time);

    Limits m_limits;
    std::array<std::list<QSseGuardedSocket *>, 4> m_lists; // by Wait, longest waiting first
    int m_connections = 0;
    qint64 m_incoming = 0;
    QElapsedTimer m_clock;
    QTimer m_timer { this };
    qint64 m_wakeTime = 0; // when the timer is active
};

#endif // QSSECONNECTIONGUARD_P_H
