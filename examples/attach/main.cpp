// SPDX-License-Identifier: MIT
// An application that serves pages with QHttpServer gains a stream: the lines marked with "+".

#include <QSseServer> // +
#include <QSseStream> // +
#include <QSseTopic>
#include <QtCore>
#include <QtHttpServer>

#if QT_VERSION < QT_VERSION_CHECK(6, 5, 0)
using Responder = QHttpServerResponder &&;
#else
using Responder = QHttpServerResponder &;
#endif

int main(int argc, char *argv[])
{
    QCoreApplication app(argc, argv);
    QHttpServer http;
    http.route(QStringLiteral("/"), [] { return "<h1>The page that was always here</h1>"; });

    QSseServer sse; // +
    const auto load = [&](const QHttpServerRequest &request, Responder responder) {
        QSse::stream(sse, http, request, std::move(responder), { "load" }, QSseEvent("hello")); // +
    };
    http.route(QStringLiteral("/load"), load); // +

    auto *tcp = new QTcpServer(&http);
    if (!tcp->listen(QHostAddress::LocalHost, 8081))
        return 1;
    http.bind(tcp);

    QTimer timer;
    QObject::connect(&timer, &QTimer::timeout, sse.topic(QStringLiteral("load")), [&] {
        QFile file(QStringLiteral("/proc/loadavg"));
        if (file.open(QIODevice::ReadOnly))
            sse.topic(QStringLiteral("load"))->notify(QString::fromLatin1(file.readAll()));
    });
    timer.start(1000);
    return QCoreApplication::exec();
}
