// SPDX-License-Identifier: MIT
// QSse as it comes: every default, and all of it switched on.
#include "control.h"

#include <QSseHttpServer>
#include <QSseServer>

#include <QtCore/QCoreApplication>

int serveQSse(const Load &load)
{
    QSseServer server;
    QSseHttpServer http(&server);
    http.addEventStream(QStringLiteral("/events"));

    QStringList topics;
    for (int i = 0; i < load.topics; ++i)
        topics.append(QStringLiteral("t/%1").arg(i));
    ControlledPublisher publisher(load, [&](int topic, qint64, const QByteArray &data) {
        server.notify(topics.at(topic), QSseEvent(data));
    });

    const quint16 port = http.listen(QHostAddress::LocalHost);
    if (port == 0)
        return 1;
    Control::sayListening(port, QCoreApplication::applicationPid());
    return QCoreApplication::exec();
}
