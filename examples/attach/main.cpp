// SPDX-License-Identifier: MIT
// An application that serves a page with QHttpServer gains a stream: the lines marked with "+".

#include <QSseServer> // +
#include <QSseStream> // +
#include <QtCore>
#include <QtHttpServer>

constexpr char Page[] = "<h1 id=load>waiting</h1><script>"
                        "new EventSource('/load').onmessage = e => load.textContent = e.data"
                        "</script>";

int main(int argc, char *argv[])
{
    QCoreApplication app(argc, argv);
    QHttpServer http;
    http.route(QStringLiteral("/"), [] { return Page; });

    QSseServer sse; // +
    const auto stream = [&](const QHttpServerRequest &request, QSse::Responder responder) {
        QSse::stream(sse, http, request, std::move(responder), { "load" }); // +
    };
    http.route(QStringLiteral("/load"), stream); // +

    auto *tcp = new QTcpServer(&http);
    if (!tcp->listen(QHostAddress::LocalHost, 8081))
        return 1;
    http.bind(tcp);

    QTimer timer;
    timer.callOnTimeout([&] {
        QFile file(QStringLiteral("/proc/loadavg"));
        if (file.open(QIODevice::ReadOnly))
            sse.notify(QStringLiteral("load"), QSseEvent(file.readAll().trimmed())); // +
    });
    timer.start(1000);
    return QCoreApplication::exec();
}
