// SPDX-License-Identifier: MIT
// A server that tells the time. Watch it with: curl -N 'http://127.0.0.1:8080/events?topic=clock'

#include <QSseHttpServer>
#include <QSseServer>
#include <QtCore>

int main(int argc, char *argv[])
{
    QCoreApplication app(argc, argv);
    QSseServer sse;
    QSseHttpServer http(&sse);
    http.addEventStream(QStringLiteral("/events"));
    if (http.listen(QHostAddress::LocalHost, 8080) == 0)
        return 1;

    QTimer timer;
    timer.callOnTimeout(
        [&] { sse.notify(QStringLiteral("clock"), QSseEvent(QTime::currentTime().toString())); });
    timer.start(1000);
    return QCoreApplication::exec();
}
