// SPDX-License-Identifier: MIT
#include "options.h"
#include "qsseversion.h"
#include "ratereplay.h"
#include "signalwatcher.h"
#include "tickerserver.h"
#include "tickerwindow.h"

#include <QtGui/QGuiApplication>

#include <cstdio>
#include <optional>

namespace {

// Says why when it cannot.
bool listen(TickerServer &server, const Options &options)
{
    if (server.listen(options.address, options.port))
        return true;
    const QString reason = server.errorString();
    // A port nobody asked for is no reason to give up.
    if (!options.portGiven && server.listen(options.address, 0)) {
        std::fprintf(stderr, "Port %d: %s. Using a free one.\n", options.port, qPrintable(reason));
        return true;
    }
    std::fprintf(stderr, "Cannot listen on %s port %d: %s\n",
                 qPrintable(options.address.toString()), options.port, qPrintable(reason));
    return false;
}

QUrl streamUrl(const TickerServer &server)
{
    QUrl url = server.url();
    url.setPath(QLatin1String(TickerServer::StreamPath));
    url.setQuery(QStringLiteral("topic=fx/**"));
    return url;
}

} // namespace

int main(int argc, char *argv[])
{
    QCoreApplication::setApplicationName(QStringLiteral("qsse-ticker"));
    QCoreApplication::setApplicationVersion(QStringLiteral(QSSE_VERSION_STR));

    QStringList arguments;
    for (int i = 0; i < argc; ++i)
        arguments.append(QString::fromLocal8Bit(argv[i]));
    CommandLine commandLine;
    const bool headless = commandLine.isHeadless(arguments);
    std::unique_ptr<QCoreApplication> app;
    if (headless)
        app = std::make_unique<QCoreApplication>(argc, argv);
    else
        app = std::make_unique<QGuiApplication>(argc, argv);
    const Options options = commandLine.process(QCoreApplication::arguments());
    SignalWatcher signalWatcher;
    QObject::connect(&signalWatcher, &SignalWatcher::terminationRequested, app.get(),
                     &QCoreApplication::quit);

    std::optional<RateReplay> replay;
    std::optional<TickerServer> server;
    if (options.streamUrl.isEmpty()) {
        replay.emplace();
        replay->setSpeed(options.speed);
        server.emplace(&*replay);
        if (!listen(*server, options))
            return EXIT_FAILURE;
        replay->setRunning(true);
        std::printf("listening on %s\n", qPrintable(server->url().toString()));
        std::fflush(stdout);
    }

    std::optional<TickerWindow> window;
    if (!headless) {
        window.emplace(options, server ? streamUrl(*server) : options.streamUrl,
                       server ? &*server : nullptr, replay ? &*replay : nullptr);
        if (!window->isValid())
            return EXIT_FAILURE;
        if (!options.screenshot.isEmpty())
            window->saveScreenshot(options.screenshot);
    }
    return app->exec();
}
