// SPDX-License-Identifier: MIT
#ifndef QSSELISTENER_P_H
#define QSSELISTENER_P_H

#include <QtNetwork/QTcpServer>

#include <deque>

/*!
    A QTcpServer that goes through a burst of connections in small steps.

    QTcpServer makes a socket of everything that waits in the backlog at once; with thousands the
    server would have as many sockets and buffers before it reads the first request, and keep that
    memory. Here a few are taken each turn of the event loop, in which they send their requests and
    become streams; the others wait as descriptors. It survives running out of those.
*/
class QSseListener : public QTcpServer
{
    Q_OBJECT

public:
    explicit QSseListener(QObject *parent = nullptr);
    /*! Closes the connections that have not been taken. */
    ~QSseListener() override;

protected:
    void incomingConnection(qintptr descriptor) override;

private:
    void takeSome();

    std::deque<qintptr> m_waiting; // accepted, but not yet sockets
};

#endif // QSSELISTENER_P_H
