// SPDX-License-Identifier: MIT
#include "options.h"

#include "ratereplay.h"
#include "tickerserver.h"

#include <QtCore/QCoreApplication>

#include <cstdio>
#include <cstdlib>

namespace {

QString tr(const char *text)
{
    return QCoreApplication::translate("CommandLine", text);
}

QString portOption()
{
    return QStringLiteral("port");
}
QString addressOption()
{
    return QStringLiteral("address");
}
QString connectOption()
{
    return QStringLiteral("connect");
}
QString headlessOption()
{
    return QStringLiteral("headless");
}
QString speedOption()
{
    return QStringLiteral("speed");
}
QString themeOption()
{
    return QStringLiteral("theme");
}
QString screenshotOption()
{
    return QStringLiteral("screenshot");
}

bool hasDisplay()
{
#if defined(Q_OS_UNIX) && !defined(Q_OS_DARWIN)
    for (const char *name : { "DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM" }) {
        if (!qEnvironmentVariableIsEmpty(name))
            return true;
    }
    return false;
#else
    return true;
#endif
}

// The base URL of another instance is enough: what is left out is as this program serves it.
QUrl streamUrlOf(QUrl url)
{
    if (url.path().isEmpty() || url.path() == QLatin1String("/"))
        url.setPath(QLatin1String(TickerServer::StreamPath));
    if (!url.hasQuery())
        url.setQuery(QStringLiteral("topic=fx/**"));
    return url;
}

} // namespace

CommandLine::CommandLine()
{
    m_parser.setApplicationDescription(
        tr("A ticker of euro exchange rates that publishes them as Server-Sent Events,\n"
           "shows them as they come back, and serves a web page that does the same."));
    m_parser.addHelpOption();
    m_parser.addVersionOption();
    m_parser.addOptions({
        { portOption(), tr("Serve on <port>, 0 for any free one."), tr("port"),
          QStringLiteral("8080") },
        { addressOption(), tr("Serve on the IP address <address>."), tr("address"),
          QStringLiteral("127.0.0.1") },
        { connectOption(), tr("Serve nothing; show the events of another instance at <URL>."),
          tr("URL") },
        { headlessOption(), tr("Serve without a window.") },
        { speedOption(),
          tr("Play <factor> times as fast, %1 to %2.")
              .arg(RateReplay::MinimumSpeed)
              .arg(RateReplay::MaximumSpeed),
          tr("factor"), QStringLiteral("1") },
        { themeOption(), tr("The window's colours: system, light or dark."), tr("theme"),
          QStringLiteral("system") },
        { screenshotOption(),
          tr("Save a picture of the window in <file> after some seconds, and quit."), tr("file") },
    });
}

bool CommandLine::isHeadless(const QStringList &arguments)
{
    // Mistakes are reported later, for which no window is needed either.
    if (!m_parser.parse(arguments) || m_parser.isSet(QStringLiteral("help"))
        || m_parser.isSet(QStringLiteral("version"))) {
        m_headless = true;
    } else if (m_parser.isSet(headlessOption())) {
        m_headless = true;
    } else if (!hasDisplay()) {
        std::fputs(qPrintable(tr("There is no display: running without a window.\n")), stderr);
        m_headless = true;
    }
    return m_headless;
}

Options CommandLine::process(const QStringList &arguments)
{
    m_parser.process(arguments);
    if (!m_parser.positionalArguments().isEmpty())
        fail(tr("Unexpected argument: %1").arg(m_parser.positionalArguments().first()));

    Options options;
    bool ok = false;
    options.port = m_parser.value(portOption()).toUShort(&ok);
    options.portGiven = m_parser.isSet(portOption());
    if (!ok)
        fail(tr("%1 is no port number").arg(m_parser.value(portOption())));
    if (!options.address.setAddress(m_parser.value(addressOption())))
        fail(tr("%1 is no IP address").arg(m_parser.value(addressOption())));
    options.speed = m_parser.value(speedOption()).toDouble(&ok);
    if (!ok || options.speed < RateReplay::MinimumSpeed || options.speed > RateReplay::MaximumSpeed)
        fail(tr("%1 is no speed that can be played").arg(m_parser.value(speedOption())));
    options.theme = m_parser.value(themeOption());
    if (!QStringList { QStringLiteral("system"), QStringLiteral("light"), QStringLiteral("dark") }
             .contains(options.theme))
        fail(tr("%1 is no theme").arg(options.theme));
    options.screenshot = m_parser.value(screenshotOption());

    if (m_parser.isSet(connectOption())) {
        options.streamUrl = streamUrlOf(QUrl(m_parser.value(connectOption()), QUrl::StrictMode));
        const QString scheme = options.streamUrl.scheme();
        if (options.streamUrl.host().isEmpty()
            || (scheme != QLatin1String("http") && scheme != QLatin1String("https")))
            fail(tr("%1 is no http URL").arg(m_parser.value(connectOption())));
    }
    if (m_headless && (m_parser.isSet(connectOption()) || m_parser.isSet(screenshotOption())))
        fail(tr("--connect and --screenshot need a window"));
    return options;
}

void CommandLine::fail(const QString &text) const
{
    std::fprintf(stderr, "%s\n", qPrintable(text));
    std::exit(EXIT_FAILURE);
}
