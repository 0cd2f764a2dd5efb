// SPDX-License-Identifier: MIT
// qsse-hub: a ready server. Publish by POST, subscribe by GET.

#include "loadgenerator.h"
#include "openfiles.h"
#include "signalwatcher.h"

#include <QSseHttpServer>
#include <QSseServer>
#include <qsseversion.h>

#include <QtCore/QCommandLineParser>
#include <QtCore/QCoreApplication>

#include <cstdio>
#include <optional>

using namespace std::chrono_literals;

namespace {

struct Options
{
    QHostAddress address = QHostAddress(QHostAddress::LocalHost);
    quint16 port = 8080;
    std::optional<std::chrono::milliseconds> keepAlive;
    std::optional<int> history;
    std::optional<int> threads;
    std::optional<LoadGenerator::Options> load;
    QString error;
};

QString tr(const char *text)
{
    return QCoreApplication::translate("qsse-hub", text);
}

// ADDR:PORT, with an IPv6 address in brackets.
bool parseListen(const QString &text, Options *options)
{
    const qsizetype colon = text.lastIndexOf(QLatin1Char(':'));
    QString host = text.left(qMax(colon, qsizetype(0)));
    if (host.startsWith(QLatin1Char('[')) && host.endsWith(QLatin1Char(']')))
        host = host.mid(1, host.size() - 2);
    if (host == QLatin1String("localhost"))
        host = QStringLiteral("127.0.0.1");
    bool isPort = false;
    options->port = text.mid(colon + 1).toUShort(&isPort);
    return options->address.setAddress(host) && isPort;
}

std::optional<int> parseCount(const QString &text)
{
    bool isNumber = false;
    const int number = text.toInt(&isNumber);
    return isNumber && number >= 0 ? std::make_optional(number) : std::nullopt;
}

Options parseOptions()
{
    QCommandLineParser parser;
    parser.setApplicationDescription(
        tr("A Server-Sent Events hub.\n\n"
           "  GET  /events?topic=FILTER&topic=FILTER   an event stream\n"
           "  POST /topics/TOPIC?event=E&id=I&retry=R  publishes the body, answers its id\n"
           "  POST /publish                            publishes {topic, data, event, id, retry}\n"
           "                                           or an array of them, answers their ids\n"
           "  GET  /healthz                            answers 200 while the hub runs"));
    const QCommandLineOption help = parser.addHelpOption();
    const QCommandLineOption version = parser.addVersionOption();
    const QCommandLineOption listen(QStringLiteral("listen"),
                                    tr("Listen on <ADDR:PORT>; port 0 takes any free one."),
                                    QStringLiteral("ADDR:PORT"), QStringLiteral("127.0.0.1:8080"));
    const QCommandLineOption keepAlive(
        QStringLiteral("keep-alive"),
        tr("Send a comment after <MS> milliseconds of silence, 0 for never (15000)."),
        QStringLiteral("MS"));
    const QCommandLineOption history(
        QStringLiteral("history"),
        tr("Keep the last <N> events of each topic for clients that reconnect (1000)."),
        QStringLiteral("N"));
    const QCommandLineOption threads(
        QStringLiteral("threads"),
        tr("Send from <N> threads, 0 for the one that reads requests (1)."), QStringLiteral("N"));
    const QCommandLineOption generate(QStringLiteral("generate"),
                                      tr("Publish R events a second of B bytes under T, for "
                                         "measuring: <topic=T,rate=R,bytes=B>."),
                                      QStringLiteral("topic=T,rate=R,bytes=B"));
    parser.addOptions({ listen, keepAlive, history, threads, generate });
    Options options;
    // Not process(), which would end with 1 where all other bad arguments end with 2.
    if (!parser.parse(QCoreApplication::arguments())) {
        options.error = parser.errorText();
        return options;
    }
    if (parser.isSet(help) || parser.isSet(QStringLiteral("help-all")))
        parser.showHelp();
    if (parser.isSet(version))
        parser.showVersion();
    if (!parser.positionalArguments().isEmpty())
        options.error =
            tr("Unexpected argument '%1'").arg(parser.positionalArguments().constFirst());
    if (!parseListen(parser.value(listen), &options))
        options.error = tr("--listen needs ADDR:PORT");
    if (parser.isSet(keepAlive)) {
        if (const std::optional<int> ms = parseCount(parser.value(keepAlive)))
            options.keepAlive = std::chrono::milliseconds(*ms);
        else
            options.error = tr("--keep-alive needs a number of milliseconds");
    }
    if (parser.isSet(history)) {
        options.history = parseCount(parser.value(history));
        if (!options.history)
            options.error = tr("--history needs a number of events");
    }
    if (parser.isSet(threads)) {
        options.threads = parseCount(parser.value(threads));
        if (!options.threads)
            options.error = tr("--threads needs a number of threads");
    }
    if (parser.isSet(generate)) {
        QString error;
        options.load = LoadGenerator::parse(parser.value(generate), &error);
        if (!options.load)
            options.error = QLatin1String("--generate: ") + error;
    }
    return options;
}

void print(FILE *stream, const QString &line)
{
    std::fprintf(stream, "%s\n", qUtf8Printable(line));
    std::fflush(stream);
}

QString hostInUrl(const QHostAddress &address)
{
    return address.protocol() == QAbstractSocket::IPv6Protocol
        ? QLatin1Char('[') + address.toString() + QLatin1Char(']')
        : address.toString();
}

} // namespace

int main(int argc, char *argv[])
{
    QCoreApplication app(argc, argv);
    QCoreApplication::setApplicationName(QStringLiteral("qsse-hub"));
    QCoreApplication::setApplicationVersion(QStringLiteral(QSSE_VERSION_STR));
    const Options options = parseOptions();
    if (!options.error.isEmpty()) {
        print(stderr, QLatin1String("qsse-hub: ") + options.error);
        return 2;
    }

    raiseOpenFileLimit();
    QSseServer server;
    if (options.keepAlive)
        server.setKeepAliveInterval(*options.keepAlive);
    if (options.history)
        server.setHistorySize(*options.history);
    if (options.threads)
        server.setWorkerThreads(*options.threads);

    QSseHttpServer http(&server);
    http.addEventStream(QStringLiteral("/events"));
    http.addPublishEndpoint(QStringLiteral("/topics"));
    http.addPublishEndpoint(QStringLiteral("/publish"));
    http.route(QStringLiteral("/healthz"), [] { return "ok\n"; });
    const quint16 port = http.listen(options.address, options.port);
    if (port == 0) {
        print(stderr, QLatin1String("qsse-hub: ") + http.errorString());
        return 1;
    }

    std::optional<LoadGenerator> load;
    if (options.load)
        load.emplace(&server, *options.load);

    SignalWatcher signalWatcher;
    QObject::connect(&signalWatcher, &SignalWatcher::terminationRequested, &server, [&] {
        load.reset();
        http.close();
        server.close(2s);
    });
    QObject::connect(&server, &QSseServer::closed, &app, &QCoreApplication::quit);

    print(stdout,
          QStringLiteral("listening on http://%1:%2").arg(hostInUrl(options.address)).arg(port));
    return QCoreApplication::exec();
}
