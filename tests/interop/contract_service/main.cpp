// SPDX-License-Identifier: MIT
// qsse-contract-service: shows QSseEventSource to the harness of LaunchDarkly's SSE contract tests,
// which is to be started with -url and the URL that this prints.

#include "contractservice.h"

#include <QtCore/QCommandLineParser>
#include <QtCore/QCoreApplication>

#include <cstdio>

namespace {

void print(FILE *stream, const QString &line)
{
    std::fprintf(stream, "%s\n", qUtf8Printable(line));
    std::fflush(stream);
}

} // namespace

int main(int argc, char *argv[])
{
    QCoreApplication app(argc, argv);
    QCommandLineParser parser;
    parser.addHelpOption();
    const QCommandLineOption portOption(
        QStringLiteral("port"), QStringLiteral("Listen on port <N> of localhost, 0 for any (0)."),
        QStringLiteral("N"), QStringLiteral("0"));
    parser.addOption(portOption);
    parser.process(app);

    bool isPort = false;
    const quint16 wanted = parser.value(portOption).toUShort(&isPort);
    if (!isPort) {
        print(stderr, QStringLiteral("qsse-contract-service: --port needs a number up to 65535"));
        return 2;
    }

    ContractService service;
    const quint16 port = service.listen(wanted);
    if (port == 0) {
        print(stderr, QLatin1String("qsse-contract-service: ") + service.errorString());
        return 1;
    }
    print(stdout, QStringLiteral("listening on http://localhost:%1").arg(port));
    QObject::connect(&service, &ContractService::finished, &app, &QCoreApplication::quit);
    return QCoreApplication::exec();
}
