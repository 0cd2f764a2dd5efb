// SPDX-License-Identifier: MIT
// Publishes to itself over HTTP with nothing but the installed package.

#include <QSseEventSource>
#include <QSseHttpServer>
#ifdef WITH_JWT
#include <QSseJwtVerifier>
#endif
#include <QSseServer>
#include <QSseTopic>

#include <QCoreApplication>
#include <QTimer>

#include <chrono>

using namespace std::chrono_literals;

int main(int argc, char *argv[])
{
    QCoreApplication app(argc, argv);
    QSseServer sse;
    sse.setKeepAliveInterval(15s);
    QSseHttpServer http(&sse);
    http.addEventStream("/events");
#ifdef WITH_JWT
    QSseJwtVerifier verifier(QSseJwtVerifier::Algorithm::HS256, QByteArray(32, 'x'));
    verifier.setAnonymousSubscribe(true);
    http.setAuthorizer(verifier.authorizer());
#endif
    const quint16 port = http.listen(QHostAddress::LocalHost);

    QSseEventSource source(QUrl(QString("http://127.0.0.1:%1/events?topic=fx/eur/*").arg(port)));
    QObject::connect(&source, &QSseEventSource::opened, sse.topic("fx/eur/usd"),
                     [&] { sse.topic("fx/eur/usd")->notify(1.0934); });
    QObject::connect(&source, &QSseEventSource::messageReceived, [](const QSseEvent &event) {
        QCoreApplication::exit(event.data() == "1.0934" ? 0 : 1);
    });
    source.open();
    QTimer::singleShot(20s, &app, [] { QCoreApplication::exit(2); });
    return QCoreApplication::exec();
}
