// SPDX-License-Identifier: MIT
#include "options.h"

#include <QtCore/QCommandLineParser>
#include <QtCore/QCoreApplication>
#include <QtCore/QFile>

#include <limits>

using std::chrono::milliseconds;

namespace {

QString tr(const char *text)
{
    return QCoreApplication::translate("qsse-hub", text);
}

/*! A flag with a number that is one setting. */
struct NumberFlag
{
    const char *name;
    const char *text;
    std::function<void(QSseServer &, QSseHttpServer &, int)> apply;
};

const std::vector<NumberFlag> &numberFlags()
{
    using Server = QSseServer;
    using Http = QSseHttpServer;
    static const std::vector<NumberFlag> flags {
        { "keep-alive", QT_TR_NOOP("Send a comment after <N> ms of silence, 0 for never (15000)."),
          [](Server &s, Http &, int n) { s.setKeepAliveInterval(milliseconds(n)); } },
        { "retry", QT_TR_NOOP("Tell clients to reconnect after <N> ms (2000)."),
          [](Server &s, Http &, int n) { s.setRetryInterval(milliseconds(n)); } },
        { "history", QT_TR_NOOP("Keep the last <N> events of each topic (1000)."),
          [](Server &s, Http &, int n) { s.setHistorySize(n); } },
        { "history-bytes", QT_TR_NOOP("Keep at most <N> bytes of events (67108864)."),
          [](Server &s, Http &, int n) { s.setMaximumHistoryBytes(n); } },
        { "history-age", QT_TR_NOOP("Keep events for at most <N> ms, 0 for no such limit (0)."),
          [](Server &s, Http &, int n) { s.setHistoryAge(milliseconds(n)); } },
        { "threads", QT_TR_NOOP("Send from <N> threads, 0 for the one that reads requests (1)."),
          [](Server &s, Http &, int n) { s.setWorkerThreads(n); } },
        { "max-subscribers", QT_TR_NOOP("Take at most <N> subscribers (100000)."),
          [](Server &s, Http &, int n) { s.setMaximumSubscribers(n); } },
        { "max-subscribers-per-address",
          QT_TR_NOOP("Take at most <N> subscribers from one address, 0 for any number (0)."),
          [](Server &s, Http &, int n) { s.setMaximumSubscribersPerAddress(n); } },
        { "max-filters", QT_TR_NOOP("Take at most <N> topic filters in a subscription (100)."),
          [](Server &s, Http &, int n) { s.setMaximumFilters(n); } },
        { "max-topics", QT_TR_NOOP("Make at most <N> topics (100000)."),
          [](Server &s, Http &, int n) { s.setMaximumTopics(n); } },
        { "max-topic-size", QT_TR_NOOP("Take topic names of at most <N> bytes (255)."),
          [](Server &s, Http &, int n) { s.setMaximumTopicSize(n); } },
        { "max-event-size", QT_TR_NOOP("Take events of at most <N> bytes (1048576)."),
          [](Server &s, Http &, int n) { s.setMaximumEventSize(n); } },
        { "max-queued-bytes",
          QT_TR_NOOP("Queue at most <N> bytes for a subscriber that reads slowly (1048576)."),
          [](Server &s, Http &, int n) { s.setMaximumQueuedBytes(n); } },
        { "stall-timeout",
          QT_TR_NOOP("End the stream of a subscriber that reads nothing for <N> ms (30000)."),
          [](Server &s, Http &, int n) { s.setStallTimeout(milliseconds(n)); } },
        { "max-lifetime", QT_TR_NOOP("End each stream after <N> ms, 0 for never (0)."),
          [](Server &s, Http &, int n) { s.setMaximumStreamLifetime(milliseconds(n)); } },
        { "max-head-size", QT_TR_NOOP("Take request heads of at most <N> bytes (16384)."),
          [](Server &, Http &h, int n) { h.setMaximumHeadSize(n); } },
        { "max-body-size", QT_TR_NOOP("Take request bodies of at most <N> bytes (1048576)."),
          [](Server &, Http &h, int n) { h.setMaximumBodySize(n); } },
        { "max-connections",
          QT_TR_NOOP("Keep at most <N> connections that are not streams (4096)."),
          [](Server &, Http &h, int n) { h.setMaximumConnections(n); } },
        { "request-timeout", QT_TR_NOOP("A request must be complete within <N> ms (10000)."),
          [](Server &, Http &h, int n) { h.setRequestTimeout(milliseconds(n)); } },
        { "idle-timeout",
          QT_TR_NOOP("Close a connection that waits <N> ms for a next request (60000)."),
          [](Server &, Http &h, int n) { h.setIdleTimeout(milliseconds(n)); } },
    };
    return flags;
}

// ADDR:PORT, with an IPv6 address in brackets.
bool readListen(const QString &text, Options *options)
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

bool readOverflow(const QString &text, Options *options)
{
    using Policy = QSseSubscriber::OverflowPolicy;
    const QList<std::pair<QLatin1String, Policy>> policies {
        { QLatin1String("disconnect"), Policy::Disconnect },
        { QLatin1String("conflate"), Policy::Conflate },
        { QLatin1String("drop"), Policy::Drop },
    };
    for (const auto &[name, policy] : policies) {
        if (text != name)
            continue;
        options->settings.emplace_back([policy = policy](QSseServer &server, QSseHttpServer &) {
            server.setOverflowPolicy(policy);
        });
        return true;
    }
    return false;
}

// What a file with a secret has, without the line end that editors put there.
std::optional<QByteArray> readSecret(const QString &fileName)
{
    QFile file(fileName);
    if (!file.open(QIODevice::ReadOnly))
        return std::nullopt;
    const QByteArray secret = file.readAll().trimmed();
    return secret.isEmpty() ? std::nullopt : std::make_optional(secret);
}

/*! The parser and the values it found, from the command line or the environment. */
class FlagReader
{
public:
    FlagReader();
    QString read(const QStringList &arguments, Options *options);

private:
    void addFlag(const char *name, const QString &text, const char *valueName);
    QStringList values(const QString &name) const;
    QString value(const QString &name) const // the last one wins
    {
        const QStringList all = values(name);
        return all.isEmpty() ? QString() : all.constLast();
    }
    QStringList values(const char *name) const { return values(QString::fromLatin1(name)); }
    QString value(const char *name) const { return value(QString::fromLatin1(name)); }
    bool isSet(const char *name) const;
    QString readNumbers(Options *options) const;
    QString readFiles(Options *options) const;
    QString readAccess(Options *options) const;

    QCommandLineParser m_parser;
};

FlagReader::FlagReader()
{
    m_parser.setApplicationDescription(
        tr("A Server-Sent Events hub.\n\n"
           "  GET  /events?topic=FILTER&topic=FILTER   an event stream\n"
           "  POST /topics/TOPIC?event=E&id=I&retry=R  publishes the body, answers its id\n"
           "  POST /publish                            publishes {topic, data, event, id, retry}\n"
           "                                           or an array of them, answers their ids\n"
           "  GET  /healthz                            answers 200 while the hub runs\n\n"
           "Each flag may be given as an environment variable: --max-filters 5 as\n"
           "QSSE_MAX_FILTERS=5; those that may be repeated take a comma-separated list there."));
    m_parser.addHelpOption();
    m_parser.addVersionOption();
    addFlag("listen", tr("Listen on <ADDR:PORT>; port 0 takes any free one (127.0.0.1:8080)."),
            "ADDR:PORT");
    addFlag("store", tr("Keep events in <FILE>, so that they outlive the hub."), "FILE");
    addFlag("overflow",
            tr("What subscribers get that read too slowly: disconnect, conflate or drop "
               "(disconnect)."),
            "POLICY");
    addFlag("publish-key-file", tr("Who publishes must send the key in <FILE> as bearer token."),
            "FILE");
    addFlag("jwt-key-file",
            tr("Who publishes or subscribes must send a JSON Web Token signed for the key in "
               "<FILE>."),
            "FILE");
    addFlag("jwt-algorithm", tr("The one algorithm of tokens: HS256, RS256 or ES256 (HS256)."),
            "NAME");
    addFlag("jwt-audience", tr("Tokens must be for the audience <NAME>."), "NAME");
    addFlag("anonymous", tr("1: subscribing to topics that are not private needs no token (0)."),
            "0|1");
    addFlag("private",
            tr("Topics that <FILTER> matches need a token that grants them; repeatable."),
            "FILTER");
    addFlag("allow-origin", tr("Let pages of <ORIGIN>, or of any for *, in; repeatable."),
            "ORIGIN");
    addFlag("allow-host", tr("Answer requests for <HOST>, or any for *; repeatable."), "HOST");
    addFlag("tls-certificate", tr("Serve https with the certificate chain in <FILE> (PEM)."),
            "FILE");
    addFlag("tls-key", tr("The private key of the certificate (PEM)."), "FILE");
    for (const NumberFlag &flag : numberFlags())
        addFlag(flag.name, tr(flag.text), "N");
    addFlag("generate",
            tr("Publish R events a second of B bytes under T, for measuring: "
               "<topic=T,rate=R,bytes=B>."),
            "topic=T,rate=R,bytes=B");
}

void FlagReader::addFlag(const char *name, const QString &text, const char *valueName)
{
    m_parser.addOption({ QString::fromLatin1(name), text, QString::fromLatin1(valueName) });
}

QStringList FlagReader::values(const QString &name) const
{
    if (m_parser.isSet(name))
        return m_parser.values(name);
    const QString variable = QLatin1String("QSSE_")
        + QString(name).replace(QLatin1Char('-'), QLatin1Char('_')).toUpper();
    const QString text = qEnvironmentVariable(qPrintable(variable));
    // The load generator's value is one, with commas in it.
    if (name == QLatin1String("generate"))
        return text.isEmpty() ? QStringList() : QStringList(text);
    return text.split(QLatin1Char(','), Qt::SkipEmptyParts);
}

bool FlagReader::isSet(const char *name) const
{
    return !values(name).isEmpty();
}

// What is wrong with the arguments, or nothing.
QString FlagReader::read(const QStringList &arguments, Options *options)
{
    // Not process(), which would end with 1 where all other bad arguments end with 2.
    if (!m_parser.parse(arguments))
        return m_parser.errorText();
    if (m_parser.isSet(QStringLiteral("help")) || m_parser.isSet(QStringLiteral("help-all")))
        m_parser.showHelp();
    if (m_parser.isSet(QStringLiteral("version")))
        m_parser.showVersion();
    if (!m_parser.positionalArguments().isEmpty())
        return tr("Unexpected argument '%1'").arg(m_parser.positionalArguments().constFirst());
    if (isSet("listen") && !readListen(value("listen"), options))
        return tr("--listen needs ADDR:PORT");
    if (isSet("overflow") && !readOverflow(value("overflow"), options))
        return tr("--overflow needs disconnect, conflate or drop");
    QString error = readNumbers(options);
    if (error.isEmpty())
        error = readFiles(options);
    if (error.isEmpty())
        error = readAccess(options);
    if (error.isEmpty() && isSet("generate")) {
        options->load = LoadGenerator::parse(value("generate"), &error);
        if (!error.isEmpty())
            error.prepend(QLatin1String("--generate: "));
    }
    return error;
}

QString FlagReader::readNumbers(Options *options) const
{
    for (const NumberFlag &flag : numberFlags()) {
        if (!isSet(flag.name))
            continue;
        bool isNumber = false;
        const int number = value(flag.name).toInt(&isNumber);
        if (!isNumber || number < 0)
            return tr("--%1 needs a number").arg(QLatin1String(flag.name));
        options->settings.emplace_back(
            [apply = flag.apply, number](QSseServer &server, QSseHttpServer &http) {
                apply(server, http, number);
            });
    }
    return QString();
}

QString FlagReader::readFiles(Options *options) const
{
    options->storeFile = value("store");
    options->certificateFile = value("tls-certificate");
    options->keyFile = value("tls-key");
    if (options->certificateFile.isEmpty() != options->keyFile.isEmpty())
        return tr("--tls-certificate and --tls-key go together");
    if (!isSet("publish-key-file"))
        return QString();
    const std::optional<QByteArray> key = readSecret(value("publish-key-file"));
    if (!key)
        return tr("There is no key in '%1'").arg(value("publish-key-file"));
    options->settings.emplace_back(
        [key](QSseServer &, QSseHttpServer &http) { http.setPublishKey(*key); });
    return QString();
}

QString FlagReader::readAccess(Options *options) const
{
    options->jwtKeyFile = value("jwt-key-file");
    options->jwtAudience = value("jwt-audience");
    if (isSet("jwt-algorithm"))
        options->jwtAlgorithm = value("jwt-algorithm");
    options->anonymousSubscribe = value("anonymous") == QLatin1String("1");

    const QStringList patterns = values("private");
    const QList<QSseTopicFilter> filters(patterns.begin(), patterns.end());
    for (const QSseTopicFilter &filter : filters) {
        if (!filter.isValid())
            return QLatin1String("--private: ") + filter.errorString();
    }
    options->settings.emplace_back(
        [filters, origins = values("allow-origin"),
         hosts = values("allow-host")](QSseServer &server, QSseHttpServer &http) {
            server.setPrivateTopics(filters);
            http.setAllowedOrigins(origins);
            http.setAllowedHosts(hosts);
        });
    return QString();
}

} // namespace

std::optional<Options> Options::parse(const QStringList &arguments, QString *error)
{
    Options options;
    FlagReader reader;
    *error = reader.read(arguments, &options);
    return error->isEmpty() ? std::make_optional(std::move(options)) : std::nullopt;
}
