// SPDX-License-Identifier: MIT
#ifndef CUTTINGPROXY_H
#define CUTTINGPROXY_H

#include "loopback.h"

#include <QtNetwork/QTcpServer>
#include <QtNetwork/QTcpSocket>

#include <limits>
#include <random>

/*!
    A connection through a CuttingProxy. Deletes itself when it is over.
*/
class CutConnection : public QObject
{
public:
    /*! What becomes of it when its bytes are used up. */
    enum class End {
        Reset,
        Close,
        HalfClose, // only our side of it ends; the client has to end the other
        Silence,   // nothing comes any more
        Count
    };

    /*! Forwards between \a client, which it takes, and port \a target, until \a requestBytes or
        \a answerBytes have gone one way, and then ends as \a end says. */
    CutConnection(QTcpSocket *client, quint16 target, qint64 requestBytes, qint64 answerBytes,
                  End end)
        : m_client(client), m_end(end), m_requestBytes(requestBytes), m_answerBytes(answerBytes)
    {
        client->setParent(this);
        for (QTcpSocket *socket : { m_client, &m_server }) {
            socket->setReadBufferSize(BufferSize);
            connect(socket, &QTcpSocket::readyRead, this, [this] { forward(); });
            connect(socket, &QTcpSocket::bytesWritten, this, [this] { forward(); });
        }
        connect(client, &QTcpSocket::disconnected, this, &QObject::deleteLater);
        connect(&m_server, &QTcpSocket::errorOccurred, this, [this] {
            forward();
            m_client->disconnectFromHost(); // once it has got the rest
        });
        m_server.connectToHost(QHostAddress::LocalHost, target);
        connect(&m_server, &QTcpSocket::connected, this, [this] {
            m_server.setSocketOption(QAbstractSocket::LowDelayOption, 1);
            forward();
        });
        client->setSocketOption(QAbstractSocket::LowDelayOption, 1);
    }

private:
    // A client that does not read holds up the server, as it would without us.
    static constexpr qint64 BufferSize = Q_INT64_C(64) * 1024;

    void forward()
    {
        if (m_isOver)
            return;
        forward(m_client, &m_server, &m_requestBytes);
        forward(&m_server, m_client, &m_answerBytes);
        // What was forwarded is to arrive.
        if ((m_requestBytes == 0 || m_answerBytes == 0) && m_client->bytesToWrite() == 0
            && m_server.bytesToWrite() == 0)
            cut();
    }
    static void forward(QTcpSocket *from, QTcpSocket *to, qint64 *left)
    {
        if (to->state() != QAbstractSocket::ConnectedState)
            return;
        const QByteArray bytes = from->read(qMin(*left, BufferSize - to->bytesToWrite()));
        *left -= bytes.size();
        to->write(bytes);
    }
    void cut()
    {
        m_isOver = true;
        const int descriptor = int(m_client->socketDescriptor());
        switch (m_end) {
        case End::Reset:
            resetOnClose(descriptor);
            m_client->abort();
            break;
        case End::Close:
            m_client->disconnectFromHost();
            break;
        case End::HalfClose:
            ::shutdown(descriptor, SHUT_WR);
            break;
        default:
            break;
        }
        // What still comes is dropped, or the client's end would not be seen.
        for (QTcpSocket *socket : { m_client, &m_server })
            connect(socket, &QTcpSocket::readyRead, socket, [socket] { socket->readAll(); });
    }

    QTcpSocket *const m_client;
    QTcpSocket m_server;
    const End m_end;
    qint64 m_requestBytes; // left to forward
    qint64 m_answerBytes;
    bool m_isOver = false;
};

/*!
    Stands before a server and cuts every connection at a random byte.
*/
class CuttingProxy
{
public:
    /*! Forwards to port \a target up to \a maximumBytes of what that answers. */
    CuttingProxy(quint16 target, int maximumBytes, quint32 seed)
        : m_target(target), m_maximumBytes(maximumBytes), m_random(seed)
    {
        QObject::connect(&m_server, &QTcpServer::newConnection, &m_server, [this] { accept(); });
        m_server.listen(QHostAddress::LocalHost);
    }

    quint16 port() const { return m_server.serverPort(); }

private:
    static constexpr int MaximumRequestBytes = 400; // about the size of one
    static constexpr qint64 NoLimit = std::numeric_limits<qint64>::max();

    void accept()
    {
        while (QTcpSocket *client = m_server.nextPendingConnection()) {
            const bool isRequestCut = m_random() % 16 == 0;
            const qint64 request = isRequestCut ? m_random() % MaximumRequestBytes : NoLimit;
            const qint64 answer = 1 + m_random() % m_maximumBytes;
            auto end = CutConnection::End(m_random() % int(CutConnection::End::Count));
            if (end == CutConnection::End::Silence && m_random() % 8 != 0)
                end = CutConnection::End::Reset; // each takes a time-out
            auto *connection = new CutConnection(client, m_target, request, answer, end);
            connection->setParent(&m_server);
        }
    }

    const quint16 m_target;
    const int m_maximumBytes;
    std::mt19937 m_random;
    QTcpServer m_server; // goes first, with the connections
};

#endif // CUTTINGPROXY_H
