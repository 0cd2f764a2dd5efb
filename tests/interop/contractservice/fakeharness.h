// SPDX-License-Identifier: MIT
#ifndef FAKEHARNESS_H
#define FAKEHARNESS_H

#include "headfield.h"

#include <QtCore/QHash>
#include <QtCore/QJsonDocument>
#include <QtCore/QJsonObject>
#include <QtCore/QList>
#include <QtCore/QPointer>
#include <QtNetwork/QTcpServer>
#include <QtNetwork/QTcpSocket>

/*!
    What the contract service meets of a harness: `/stream`, where the test sends what it likes, and
    `/reports`, which answers each report, or keeps it waiting while answersReports is false.
*/
class FakeHarness
{
public:
    struct Request
    {
        QByteArray line;
        QByteArray head;
        QByteArray body;

        /*! The field \a name, null when there is none. */
        QByteArray header(const QByteArray &name) const { return headField(head, name); }
        QByteArray path() const { return line.split(' ').value(1); }
        QJsonObject json() const { return QJsonDocument::fromJson(body).object(); }
    };

    FakeHarness()
    {
        QObject::connect(&m_server, &QTcpServer::newConnection, &m_server, [this] {
            while (QTcpSocket *socket = m_server.nextPendingConnection())
                accept(socket);
        });
        m_server.listen(QHostAddress::LocalHost);
    }

    /*! The parameters of a stream that begins here. */
    QJsonObject parameters() const
    {
        return { { QStringLiteral("streamUrl"), url(QStringLiteral("stream")) },
                 { QStringLiteral("callbackUrl"), url(QStringLiteral("reports")) },
                 { QStringLiteral("initialDelayMs"), 0 } };
    }
    QString url(const QString &name) const
    {
        return QStringLiteral("http://localhost:%1/").arg(m_server.serverPort()) + name;
    }

    QList<Request> streams; // all that were asked for
    QList<Request> reports;
    bool answersReports = true;
    QByteArray reportStatus = "202 Accepted";

    /*! Sends \a bytes on the latest stream. */
    void send(const QByteArray &bytes) { m_stream->write(bytes); }
    void endStream() { m_stream->disconnectFromHost(); }
    bool hasStream() const { return m_stream && m_stream->isOpen(); }
    /*! Answers the reports that wait, and all that come. */
    void answerReports()
    {
        answersReports = true;
        while (!m_waiting.isEmpty())
            answer(m_waiting.takeFirst());
    }

private:
    void accept(QTcpSocket *socket)
    {
        QObject::connect(socket, &QTcpSocket::readyRead, socket, [this, socket] { read(socket); });
        QObject::connect(socket, &QTcpSocket::disconnected, socket, [this, socket] {
            m_unread.remove(socket);
            socket->close();
            socket->deleteLater();
        });
    }

    void read(QTcpSocket *socket)
    {
        QByteArray &unread = m_unread[socket];
        unread += socket->readAll();
        const qsizetype end = unread.indexOf("\r\n\r\n");
        if (end < 0)
            return;
        Request request;
        request.head = unread.left(end);
        const qsizetype size = request.header("Content-Length").toLongLong();
        if (unread.size() < end + 4 + size)
            return;
        request.line = unread.left(unread.indexOf("\r\n"));
        request.body = unread.mid(end + 4, size);
        unread.remove(0, end + 4 + size);
        handle(socket, request);
    }

    void handle(QTcpSocket *socket, const Request &request)
    {
        if (request.path() == "/stream") {
            streams.append(request);
            m_stream = socket;
            socket->write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                          "Connection: close\r\n\r\n");
            return;
        }
        reports.append(request);
        if (answersReports)
            answer(socket);
        else
            m_waiting.append(socket);
    }

    void answer(QTcpSocket *socket)
    {
        socket->write("HTTP/1.1 " + reportStatus + "\r\nContent-Length: 0\r\n\r\n");
    }

    QHash<QTcpSocket *, QByteArray> m_unread;
    QList<QTcpSocket *> m_waiting;
    QPointer<QTcpSocket> m_stream;
    QTcpServer m_server; // goes first: its sockets still report that they close
};

#endif // FAKEHARNESS_H
