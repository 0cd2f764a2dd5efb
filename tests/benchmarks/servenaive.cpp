// SPDX-License-Identifier: MIT
// What people write who need events in a hurry: a route of QHttpServer keeps its clients, and a
// loop writes to each of them.
#include "control.h"

#include <QtCore/QCoreApplication>
#include <QtCore/QUrlQuery>
#include <QtHttpServer/QHttpServer>
#include <QtHttpServer/QHttpServerResponder>
#include <QtNetwork/QTcpServer>
#include <QtNetwork/QTcpSocket>

#include <map>
#include <memory>
#include <vector>

namespace {

#if QT_VERSION < QT_VERSION_CHECK(6, 5, 0)

using Responder = QHttpServerResponder &&;
using Client = QTcpSocket *;

Client makeClient(QHttpServerResponder &responder)
{
    responder.writeStatusLine();
    responder.writeHeader("Content-Type", "text/event-stream");
    responder.writeBody("");
    return responder.socket();
}

void send(const Client &client, const QByteArray &frame)
{
    client->write(frame);
}

#else // a responder no longer tells its socket

using Responder = QHttpServerResponder &;
using Client = std::unique_ptr<QHttpServerResponder>;

Client makeClient(QHttpServerResponder &responder)
{
    auto client = std::make_unique<QHttpServerResponder>(std::move(responder));
    client->writeBeginChunked("text/event-stream");
    return client;
}

void send(const Client &client, const QByteArray &frame)
{
    client->writeChunk(frame);
}

#endif

} // namespace

int serveNaive(const Load &load)
{
    QHttpServer http;
    std::map<QString, std::vector<Client>> clients; // by topic
    http.route(QStringLiteral("/events"),
               [&](const QHttpServerRequest &request, Responder responder) {
                   clients[request.query().queryItemValue(QStringLiteral("topic"))].push_back(
                       makeClient(responder));
               });

    ControlledPublisher publisher(load, [&](int topic, qint64 number, const QByteArray &data) {
        const QByteArray frame = makeFrame(number, data);
        for (const Client &client : clients[QStringLiteral("t/%1").arg(topic)])
            send(client, frame);
    });

#if QT_VERSION < QT_VERSION_CHECK(6, 5, 0)
    const quint16 port = http.listen(QHostAddress::LocalHost);
#else
    QTcpServer listener;
    const quint16 port = listener.listen(QHostAddress::LocalHost) && http.bind(&listener)
        ? listener.serverPort()
        : 0;
#endif
    if (port == 0)
        return 1;
    Control::sayListening(port, QCoreApplication::applicationPid());
    return QCoreApplication::exec();
}
