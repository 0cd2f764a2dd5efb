// SPDX-License-Identifier: MIT
#ifndef RAWCLIENT_H
#define RAWCLIENT_H

#include <QtCore/QByteArray>
#include <QtNetwork/QTcpSocket>

/*!
    A client that sends any bytes and keeps all that comes back.
*/
class RawClient : public QObject
{
public:
    explicit RawClient(quint16 port, const QByteArray &bytes = QByteArray())
    {
        connect(&m_socket, &QTcpSocket::readyRead, this, [this] { m_got += m_socket.readAll(); });
        connect(&m_socket, &QTcpSocket::disconnected, this, [this] {
            if (m_socket.isOpen())
                m_got += m_socket.readAll();
            m_isEnded = true;
        });
        m_socket.connectToHost(QHostAddress::LocalHost, port);
        m_socket.write(bytes); // once it is connected
    }
    ~RawClient() override { m_socket.disconnect(this); }

    void send(const QByteArray &bytes) { m_socket.write(bytes); }

    QTcpSocket &socket() { return m_socket; }
    bool isConnected() const { return m_socket.state() == QAbstractSocket::ConnectedState; }
    /*! Whether the server has ended the connection; not with a reset, if wasReset() is false. */
    bool isEnded() const { return m_isEnded; }
    bool wasReset() const
    {
        return m_isEnded && m_socket.error() != QAbstractSocket::RemoteHostClosedError;
    }
    QByteArray got() const { return m_got; }
    /*! Of the first response. */
    int status() const { return m_got.mid(9, 3).toInt(); }
    bool hasHeader(const QByteArray &line) const
    {
        return m_got.toLower().contains("\r\n" + line.toLower() + "\r\n");
    }
    QByteArray body() const { return m_got.mid(m_got.indexOf("\r\n\r\n") + 4); }

private:
    QTcpSocket m_socket;
    QByteArray m_got;
    bool m_isEnded = false;
};

#endif // RAWCLIENT_H
