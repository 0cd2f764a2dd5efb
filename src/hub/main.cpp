// SPDX-License-Identifier: MIT
// qsse-hub: a ready server. Publish by POST, subscribe by GET.

#include "openfiles.h"
#include "options.h"
#include "signalwatcher.h"

#include <QSseHttpServer>
#include <QSseServer>
#include <qsseversion.h>

#ifdef QSSE_HUB_HAS_JWT
#include <QSseJwtVerifier>
#endif
#ifdef QSSE_HUB_HAS_SQLITELOG
#include <QSseSqliteLog>
#endif

#include <QtCore/QCoreApplication>
#include <QtCore/QFile>
#if QT_CONFIG(ssl)
#include <QtNetwork/QSslCertificate>
#include <QtNetwork/QSslConfiguration>
#include <QtNetwork/QSslKey>
#endif

#include <cstdio>
#include <optional>

using namespace std::chrono_literals;

namespace {

constexpr auto CloseGrace = 2s;

QString tr(const char *text)
{
    return QCoreApplication::translate("qsse-hub", text);
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

// Each of these returns what is wrong, or nothing.

QString openStore(const Options &options, QSseServer *server)
{
    if (options.storeFile.isEmpty())
        return QString();
#ifdef QSSE_HUB_HAS_SQLITELOG
    const auto log = std::make_shared<QSseSqliteLog>(options.storeFile);
    const std::shared_ptr<QSseEventLog> before = server->eventLog();
    log->setRetention(before->retention()); // what the flags say, and the file is to follow
    log->setMaximumBytes(before->maximumBytes());
    if (!log->open())
        return log->errorString();
    server->setEventLog(log);
    return QString();
#else
    Q_UNUSED(server)
    return tr("This hub was built without Qt Sql, so without --store");
#endif
}

QString requireTokens(const Options &options, QSseHttpServer *http)
{
    if (options.jwtKeyFile.isEmpty())
        return QString();
#ifdef QSSE_HUB_HAS_JWT
    QFile file(options.jwtKeyFile);
    if (!file.open(QIODevice::ReadOnly))
        return options.jwtKeyFile + QLatin1String(": ") + file.errorString();
    using Algorithm = QSseJwtVerifier::Algorithm;
    const QMap<QString, Algorithm> algorithms {
        { QStringLiteral("HS256"), Algorithm::HS256 },
        { QStringLiteral("RS256"), Algorithm::RS256 },
        { QStringLiteral("ES256"), Algorithm::ES256 },
    };
    if (!algorithms.contains(options.jwtAlgorithm))
        return tr("--jwt-algorithm needs HS256, RS256 or ES256");
    QSseJwtVerifier verifier(algorithms.value(options.jwtAlgorithm), file.readAll().trimmed());
    if (!verifier.isValid())
        return options.jwtKeyFile + QLatin1String(": ") + verifier.errorString();
    verifier.setAudience(options.jwtAudience);
    verifier.setAnonymousSubscribe(options.anonymousSubscribe);
    http->setAuthorizer(verifier.authorizer());
    return QString();
#else
    Q_UNUSED(http)
    return tr("This hub was built without libjwt, so without --jwt-key-file");
#endif
}

#if QT_CONFIG(ssl)
std::optional<QSslConfiguration> readTls(const Options &options, QString *error)
{
    QSslConfiguration tls = QSslConfiguration::defaultConfiguration();
    QFile keyFile(options.keyFile);
    const QList<QSslCertificate> chain = QSslCertificate::fromPath(options.certificateFile);
    if (chain.isEmpty())
        *error = tr("There is no certificate in '%1'").arg(options.certificateFile);
    else if (!keyFile.open(QIODevice::ReadOnly))
        *error = options.keyFile + QLatin1String(": ") + keyFile.errorString();
    const QByteArray pem = keyFile.isOpen() ? keyFile.readAll() : QByteArray();
    for (const QSsl::KeyAlgorithm algorithm : { QSsl::Rsa, QSsl::Ec }) {
        const QSslKey key(pem, algorithm);
        if (key.isNull() || chain.isEmpty())
            continue;
        tls.setLocalCertificateChain(chain);
        tls.setPrivateKey(key);
        return tls;
    }
    if (error->isEmpty())
        *error = tr("There is no private key in '%1'").arg(options.keyFile);
    return std::nullopt;
}
#endif

QString listen(const Options &options, QSseHttpServer *http)
{
    quint16 port = 0;
    QLatin1String scheme("http");
    if (options.certificateFile.isEmpty()) {
        port = http->listen(options.address, options.port);
    } else {
#if QT_CONFIG(ssl)
        QString error;
        const std::optional<QSslConfiguration> tls = readTls(options, &error);
        if (!tls)
            return error;
        port = http->listen(options.address, options.port, *tls);
        scheme = QLatin1String("https");
#else
        return tr("This hub's Qt has no TLS");
#endif
    }
    if (port == 0)
        return http->errorString();
    print(stdout,
          QStringLiteral("listening on %1://%2:%3")
              .arg(scheme, hostInUrl(options.address))
              .arg(port));
    return QString();
}

} // namespace

int main(int argc, char *argv[])
{
    QCoreApplication app(argc, argv);
    QCoreApplication::setApplicationName(QStringLiteral("qsse-hub"));
    QCoreApplication::setApplicationVersion(QStringLiteral(QSSE_VERSION_STR));
    QString error;
    const std::optional<Options> options = Options::parse(QCoreApplication::arguments(), &error);
    if (!options) {
        print(stderr, QLatin1String("qsse-hub: ") + error);
        return 2;
    }

    raiseOpenFileLimit();
    QSseServer server;
    QSseHttpServer http(&server);
    http.addEventStream(QStringLiteral("/events"));
    http.addPublishEndpoint(QStringLiteral("/topics"));
    http.addPublishEndpoint(QStringLiteral("/publish"));
    http.route(QStringLiteral("/healthz"), [] { return "ok\n"; });
    for (const Options::Setting &set : options->settings)
        set(server, http);
    error = openStore(*options, &server);
    if (error.isEmpty())
        error = requireTokens(*options, &http);
    if (error.isEmpty())
        error = listen(*options, &http);
    if (!error.isEmpty()) {
        print(stderr, QLatin1String("qsse-hub: ") + error);
        return 1;
    }

    std::optional<LoadGenerator> load;
    if (options->load)
        load.emplace(&server, *options->load);

    SignalWatcher signalWatcher;
    QObject::connect(&signalWatcher, &SignalWatcher::terminationRequested, &server, [&] {
        load.reset();
        http.close();
        server.close(CloseGrace);
    });
    QObject::connect(&server, &QSseServer::closed, &app, &QCoreApplication::quit);
    return QCoreApplication::exec();
}
