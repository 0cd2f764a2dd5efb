// SPDX-License-Identifier: MIT
#ifndef QSSELISTENER_P_H
#define QSSELISTENER_P_H

#include <QtCore/QDeadlineTimer>
#include <QtNetwork/QTcpServer>

#if QT_CONFIG(ssl)
#include <QtNetwork/QSslConfiguration>
#endif

#include <deque>
#include <memory>
#include <optional>

class QSseConnectionGuard;
class QSocketNotifier;
class QTcpSocket;

/*!
    A QTcpServer that hands out guarded connections, and goes through a burst of them in small
    steps.

    QTcpServer makes a socket of everything that waits in the backlog at once; with thousands the
    server would have as many sockets and buffers before it reads the first request, and keep that
    memory. Here a few are taken each turn of the event loop, in which they send their requests and
    become streams; the others wait as descriptors. When there are no descriptors left it pauses:
    QTcpServer would either stop for good, or try again without a rest.
*/
class QSseListener : public QTcpServer
{
    Q_OBJECT

public:
    /*! \a guard must outlive it. */
    explicit QSseListener(QSseConnectionGuard *guard, QObject *parent = nullptr);
    /*! Closes the connections that have not been taken. */
    ~QSseListener() override;

    bool listen(const QHostAddress &address, quint16 port);
    /*! Stops listening; connections go on. */
    void close();

#if QT_CONFIG(ssl)
    /*! Serves TLS alone, with \a configuration. Only HTTP/1.1 is offered (ALPN). */
    void setTls(const QSslConfiguration &configuration);
#endif

protected:
    void incomingConnection(qintptr descriptor) override;

private:
    void acceptAll();
    void pause();
    void takeSome();
    void take(qintptr descriptor);
    std::unique_ptr<QTcpSocket> makeSocket() const;

    QSseConnectionGuard *const m_guard;
    std::unique_ptr<QSocketNotifier> m_notifier; // in place of the one of QTcpServer
    std::deque<qintptr> m_waiting;               // accepted, but not yet sockets
    QDeadlineTimer m_nextWarning { 0 };
#if QT_CONFIG(ssl)
    std::optional<QSslConfiguration> m_tls;
#endif
};

#endif // QSSELISTENER_P_H
