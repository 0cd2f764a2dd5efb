// SPDX-License-Identifier: MIT
#ifndef FAKESSESERVER_H
#define FAKESSESERVER_H

#include <QtCore/QHash>
#include <QtCore/QList>
#include <QtCore/QPointer>
#include <QtCore/QTimer>
#include <QtCore/QUrl>
#include <QtNetwork/QSslConfiguration>
#include <QtNetwork/QSslServer>
#include <QtNetwork/QTcpServer>
#include <QtNetwork/QTcpSocket>

#include <memory>

/*!
    An HTTP server that answers what the test tells it to, and remembers what it was asked.

    Each request takes the first of the answers; the last one stays for all that come later.
*/
class FakeSseServer
{
public:
    struct Request
    {
        QByteArray line;
        QList<QPair<QByteArray, QByteArray>> headers;
        QByteArray body;

        bool has(const QByteArray &name) const { return values(name).size() > 0; }
        QByteArray header(const QByteArray &name) const { return values(name).value(0); }
        QList<QByteArray> values(const QByteArray &name) const
        {
            QList<QByteArray> found;
            for (const auto &header : headers) {
                if (header.first.compare(name, Qt::CaseInsensitive) == 0)
                    found << header.second;
            }
            return found;
        }
    };

    /*! What becomes of the connection once the pieces are written. */
    enum class Then {
        Keep,
        End, // closed, which is also how an answer without a length ends
    };
    struct Answer
    {
        QList<QByteArray> pieces; // each written once the one before has left
        Then then = Then::Keep;
    };

    /*! An event stream that begins with \a body. */
    static Answer stream(const QByteArray &body = {}, Then then = Then::Keep,
                         const QByteArray &contentType = "text/event-stream")
    {
        return stream(QList<QByteArray> { body }, then, contentType);
    }
    static Answer stream(const QList<QByteArray> &pieces, Then then = Then::Keep,
                         const QByteArray &contentType = "text/event-stream")
    {
        return { QList<QByteArray> { "HTTP/1.1 200 OK\r\nContent-Type: " + contentType
                                     + "\r\nConnection: close\r\n\r\n" }
                     + pieces,
                 then };
    }
    /*! An event stream in chunks; send them with sendChunk(). */
    static Answer chunkedStream()
    {
        return { { "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                   "Transfer-Encoding: chunked\r\n\r\n" },
                 Then::Keep };
    }
    /*! A whole answer on a connection that stays. */
    static Answer status(const QByteArray &codeAndReason, const QByteArray &headers = {},
                         const QByteArray &body = {})
    {
        QByteArray head = "HTTP/1.1 " + codeAndReason + "\r\n" + headers;
        if (!codeAndReason.startsWith("204"))
            head += "Content-Length: " + QByteArray::number(body.size()) + "\r\n";
        return { { head + "\r\n" + body }, Then::Keep };
    }
    static Answer redirect(const QByteArray &code, const QByteArray &location)
    {
        return status(code + " Elsewhere", "Location: " + location + "\r\n");
    }
    static Answer hangUp() { return { {}, Then::End }; }

    /*! Speaks TLS when \a tls has a certificate. */
    explicit FakeSseServer(const QSslConfiguration &tls = {})
    {
        if (tls.localCertificate().isNull()) {
            m_server = std::make_unique<QTcpServer>();
        } else {
            auto server = std::make_unique<QSslServer>();
            server->setSslConfiguration(tls);
            m_server = std::move(server);
        }
        QObject::connect(m_server.get(), &QTcpServer::pendingConnectionAvailable, m_server.get(),
                         [this] { accept(); });
        listen();
    }

    bool listen() { return m_server->listen(QHostAddress::LocalHost, m_port) && remember(); }
    void stopListening() { m_server->close(); }

    QUrl url(const QString &path = QStringLiteral("/events")) const
    {
        QUrl url(QStringLiteral("http://127.0.0.1") + path);
        if (qobject_cast<QSslServer *>(m_server.get()))
            url.setScheme(QStringLiteral("https"));
        url.setPort(m_port);
        return url;
    }

    QList<Answer> answers { stream() };
    QList<Request> requests;

    /*! How many connections are there. */
    qsizetype connections() const { return m_sockets.size(); }

    /*! Sends \a bytes on the connection of the latest request. */
    void send(const QByteArray &bytes)
    {
        if (m_latest)
            m_latest->write(bytes);
    }
    void sendChunk(const QByteArray &bytes)
    {
        send(QByteArray::number(bytes.size(), 16) + "\r\n" + bytes + "\r\n");
    }
    /*! What of that is still with us because the client does not read. */
    qint64 bytesWaiting() const { return m_latest ? m_latest->bytesToWrite() : 0; }
    /*! Ends the connection of the latest request. */
    void end()
    {
        if (m_latest)
            m_latest->disconnectFromHost();
    }

private:
    bool remember()
    {
        m_port = m_server->serverPort();
        return true;
    }

    void accept()
    {
        while (QTcpSocket *socket = m_server->nextPendingConnection()) {
            m_sockets << socket;
            socket->setSocketOption(QAbstractSocket::LowDelayOption, 1);
            QObject::connect(socket, &QTcpSocket::readyRead, socket, [=] { read(socket); });
            QObject::connect(socket, &QTcpSocket::disconnected, socket, [=] { forget(socket); });
            read(socket);
        }
    }

    void forget(QTcpSocket *socket)
    {
        m_sockets.removeAll(socket);
        m_unread.remove(socket);
        socket->deleteLater();
    }

    void read(QTcpSocket *socket)
    {
        QByteArray &unread = m_unread[socket];
        unread += socket->readAll();
        const qsizetype end = unread.indexOf("\r\n\r\n");
        if (end < 0)
            return;
        Request request = parsed(unread.left(end));
        const qsizetype length = request.header("Content-Length").toLongLong();
        if (unread.size() < end + 4 + length)
            return;
        request.body = unread.mid(end + 4, length);
        unread.remove(0, end + 4 + length);
        requests << request;
        m_latest = socket;
        const Answer answer = answers.size() > 1 ? answers.takeFirst() : answers.value(0);
        write(socket, answer.pieces, answer.then);
    }

    static Request parsed(const QByteArray &head)
    {
        QList<QByteArray> lines = head.split('\n');
        Request request { lines.takeFirst().trimmed(), {}, {} };
        for (const QByteArray &line : std::as_const(lines)) {
            const qsizetype colon = line.indexOf(':');
            request.headers.emplaceBack(line.left(colon), line.mid(colon + 1).trimmed());
        }
        return request;
    }

    // A turn of the event loop after each piece, so that they become packets of their own.
    static void write(QPointer<QTcpSocket> socket, QList<QByteArray> pieces, Then then)
    {
        if (!socket)
            return;
        if (pieces.isEmpty()) {
            if (then == Then::End)
                socket->disconnectFromHost();
            return;
        }
        socket->write(pieces.takeFirst());
        socket->flush();
        QTimer::singleShot(0, socket, [=] { write(socket, pieces, then); });
    }

    quint16 m_port = 0;
    QList<QTcpSocket *> m_sockets;
    QHash<QTcpSocket *, QByteArray> m_unread;
    QPointer<QTcpSocket> m_latest;
    std::unique_ptr<QTcpServer> m_server; // goes first: its sockets still report that they close
};

#endif // FAKESSESERVER_H
