// SPDX-License-Identifier: MIT
#ifndef STREAMCLIENT_H
#define STREAMCLIENT_H

#include <QSseParser>

#include <QtCore/QList>
#include <QtCore/QStringList>
#include <QtNetwork/QTcpSocket>

/*!
    A client made of a bare socket: it keeps the response head, every event, every comment and the
    raw body, and can stop reading.
*/
class StreamClient : public QObject
{
public:
    explicit StreamClient(quint16 port, const QByteArray &request = QByteArray())
    {
        connect(&m_socket, &QTcpSocket::connected, this, [this, request] {
            if (!request.isEmpty())
                m_socket.write(request);
        });
        connect(&m_socket, &QTcpSocket::readyRead, this, &StreamClient::read);
        connect(&m_socket, &QTcpSocket::disconnected, this, [this] {
            read();
            m_isEnded = true;
        });
        m_socket.connectToHost(QHostAddress::LocalHost, port);
    }

    // The socket would still tell us of its end after the parser is gone.
    ~StreamClient() override { m_socket.disconnect(this); }

    /*! A GET request for \a target, with further header lines each ended by CRLF. */
    static QByteArray get(const QByteArray &target, const QByteArray &headers = QByteArray())
    {
        return "GET " + target + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n";
    }

    void stopReading()
    {
        m_isReading = false;
        m_socket.setReadBufferSize(1);
    }
    /*! Takes what has come since the last call, \a bytes at most, of one that stopped reading. */
    void readSome(qsizetype bytes)
    {
        m_socket.setReadBufferSize(bytes);
        m_isReading = true;
        read();
        m_isReading = false;
    }
    void startReading()
    {
        m_isReading = true;
        m_socket.setReadBufferSize(0);
        read();
    }

    QTcpSocket &socket() { return m_socket; }
    bool isEnded() const { return m_isEnded; }
    QByteArray head() const { return m_head; }
    int status() const { return m_head.mid(9, 3).toInt(); }
    QByteArray body() const { return m_body; }
    QList<QSseEvent> events() const { return m_events; }
    QStringList comments() const { return m_comments; }
    QString lastEventId() const { return QString::fromUtf8(m_parser.lastEventId()); }
    std::chrono::milliseconds retry() const { return m_parser.retry(); }

    QStringList data() const
    {
        QStringList all;
        for (const QSseEvent &event : m_events)
            all.append(event.data());
        return all;
    }

private:
    void read()
    {
        if (!m_isReading)
            return;
        QByteArray bytes = m_socket.readAll();
        if (!m_hasHead) {
            m_head += bytes;
            const qsizetype end = m_head.indexOf("\r\n\r\n");
            if (end < 0)
                return;
            bytes = m_head.mid(end + 4);
            m_head.truncate(end + 4);
            m_hasHead = true;
        }
        m_body += bytes;
        m_parser.addData(bytes);
        for (;;) {
            switch (m_parser.readNext()) {
            case QSseParser::Token::Event:
                m_events.append(m_parser.event());
                break;
            case QSseParser::Token::Comment:
                m_comments.append(QString::fromUtf8(m_parser.comment()));
                break;
            default:
                return;
            }
        }
    }

    QTcpSocket m_socket;
    QSseParser m_parser;
    QByteArray m_head;
    QByteArray m_body;
    QList<QSseEvent> m_events;
    QStringList m_comments;
    bool m_hasHead = false;
    bool m_isReading = true;
    bool m_isEnded = false;
};

#endif // STREAMCLIENT_H
