// SPDX-License-Identifier: MIT
#include "servers.h"
#include "cuttingproxy.h"
#include "headfield.h"
#include "texts.h"

#include <QSseHttpServer>
#include <QSseServer>

#include <QtCore/QCoreApplication>
#include <QtCore/QJsonDocument>
#include <QtCore/QJsonObject>
#include <QtCore/QTimer>

#include <cstdio>

using namespace std::chrono_literals;

namespace {

/*! One connection to a fake language model: takes a POST of {"answer": n} and sends the tokens of
    that answer, from the one after Last-Event-ID on. A child of its socket. */
class Answering : public QObject
{
public:
    explicit Answering(QTcpSocket *socket) : QObject(socket), m_socket(socket)
    {
        connect(socket, &QTcpSocket::disconnected, &m_timer, &QTimer::stop);
        connect(socket, &QTcpSocket::disconnected, socket, &QObject::deleteLater);
        connect(socket, &QTcpSocket::readyRead, this, [this] { read(); });
        m_timer.callOnTimeout(this, [this] { sendNext(); });
        read();
    }

private:
    void read()
    {
        m_got += m_socket->readAll();
        const qsizetype end = m_got.indexOf("\r\n\r\n");
        if (!m_socket->isOpen() || end < 0
            || m_got.size() < end + 4 + header("Content-Length").toInt())
            return;
        if (isGood(m_got.mid(end + 4)))
            begin();
        else
            m_socket->write("HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n");
        m_got.clear();
    }
    QByteArray header(const QByteArray &name) const
    {
        return headField(m_got.left(m_got.indexOf("\r\n\r\n")), name);
    }
    // Every attempt has to bring all that the first one did.
    bool isGood(const QByteArray &body)
    {
        m_answer = QJsonDocument::fromJson(body).object().value(u"answer").toInteger(-1);
        m_next = 0;
        const QByteArray id = header("Last-Event-ID");
        if (!id.isEmpty()) {
            const int last = id.mid(id.indexOf('-') + 1).toInt();
            m_next = last + 1;
            if (id != Texts::tokenId(m_answer, last) || m_next > Texts::tokenCount(m_answer))
                return false;
        }
        return m_answer >= 0 && m_got.startsWith("POST /answers HTTP/1.1\r\n")
            && header("Content-Type") == "application/json"
            && header("Authorization") == "Bearer " + QByteArray::number(m_answer);
    }
    // Half of the answers come in chunks.
    bool isChunked() const { return m_answer % 2 == 0; }
    void begin()
    {
        m_socket->write(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            + QByteArray(isChunked() ? "Transfer-Encoding: chunked" : "Connection: close")
            + "\r\n\r\n");
        send("retry: 10\n\n");
        m_timer.start(5ms);
    }
    void sendNext()
    {
        const bool isDone = m_next == Texts::tokenCount(m_answer);
        send(": working\n\nid: " + Texts::tokenId(m_answer, m_next) + "\ndata: "
             + (isDone ? QByteArray(Texts::Done) : Texts::token(m_answer, m_next)) + "\n\n");
        ++m_next;
        if (!isDone)
            return;
        m_timer.stop();
        if (isChunked())
            m_socket->write("0\r\n\r\n");
        else
            m_socket->disconnectFromHost();
    }
    void send(const QByteArray &bytes)
    {
        m_socket->write(isChunked() ? QByteArray::number(bytes.size(), 16) + "\r\n" + bytes + "\r\n"
                                    : bytes);
    }

    QTcpSocket *const m_socket;
    QByteArray m_got;
    QTimer m_timer;
    qint64 m_answer = -1;
    int m_next = 0; // the token to send
};

/*! Numbered events of several topics. */
class EventServer
{
public:
    EventServer() : m_http(&m_server)
    {
        m_server.setRetryInterval(10ms);
        m_server.setKeepAliveInterval(200ms);
        m_server.setHistorySize(100'000);
        m_http.addEventStream(QStringLiteral("/events"));
        m_publisher.callOnTimeout([this] { publish(); });
        m_publisher.start(20ms);
        m_ender.callOnTimeout([this] { m_server.disconnectAll(); });
        m_ender.start(3s);
    }

    quint16 listen() { return m_http.listen(QHostAddress::LocalHost); }

private:
    void publish()
    {
        for (int topic = 0; topic < Texts::TopicCount; ++topic)
            m_server.notify(QStringLiteral("t/%1").arg(topic),
                            QSseEvent(Texts::event(topic, m_number)));
        ++m_number;
    }

    QSseServer m_server;
    QSseHttpServer m_http;
    QTimer m_publisher;
    QTimer m_ender;
    qint64 m_number = 0;
};

} // namespace

int runServers(int argc, char **argv)
{
    QCoreApplication app(argc, argv);
    EventServer events;
    QTcpServer answers;
    QObject::connect(&answers, &QTcpServer::newConnection, &answers, [&] {
        while (QTcpSocket *socket = answers.nextPendingConnection())
            new Answering(socket);
    });
    const quint16 port = events.listen();
    if (port == 0 || !answers.listen(QHostAddress::LocalHost))
        return 1;
    const CuttingProxy eventProxy(port, 32'000, 1);
    const CuttingProxy answerProxy(answers.serverPort(), 8000, 2);
    std::printf("%d %d\n", eventProxy.port(), answerProxy.port());
    std::fflush(stdout);
    return QCoreApplication::exec();
}
