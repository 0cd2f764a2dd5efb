// SPDX-License-Identifier: MIT
// qsse-hub behind nginx as it is installed: a reverse proxy that buffers.

#include "eventsourceprobe.h"
#include "hubprocess.h"
#include "selfsigned.h"

#include <QtCore/QFile>
#include <QtCore/QStandardPaths>
#include <QtCore/QTemporaryDir>
#include <QtNetwork/QNetworkReply>
#include <QtNetwork/QTcpServer>
#include <QtNetwork/QTcpSocket>
#include <QtTest/QtTest>

#include <memory>

namespace {

constexpr int Patience = 20'000;

// The second server speaks HTTP/2 and packs streams.
// /buffered/ goes the same way, but does not obey X-Accel-Buffering.
constexpr char Configuration[] = R"(
daemon off;
master_process off;
pid nginx.pid;
error_log stderr;
events { }
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    gzip on;
    server {
        listen 127.0.0.1:@NGINX@;
        location / {
            proxy_pass http://127.0.0.1:@HUB@;
        }
        location /buffered/ {
            proxy_pass http://127.0.0.1:@HUB@/;
            proxy_ignore_headers X-Accel-Buffering;
        }
    }
    server {
        listen 127.0.0.1:@TLS@ ssl http2;
        ssl_certificate @CERTIFICATE@;
        ssl_certificate_key @KEY@;
        gzip_types text/event-stream;
        location / {
            proxy_pass http://127.0.0.1:@HUB@;
        }
    }
}
)";

QString findNginx()
{
    const QString name = QStringLiteral("nginx");
    const QString inPath = QStandardPaths::findExecutable(name);
    return inPath.isEmpty() ? QStandardPaths::findExecutable(
               name, { QStringLiteral("/usr/sbin"), QStringLiteral("/usr/local/sbin") })
                            : inPath;
}

quint16 freePort()
{
    QTcpServer server;
    server.listen(QHostAddress::LocalHost);
    return server.serverPort();
}

} // namespace

class tst_Nginx : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void initTestCase();

    void eventArrivesAtOnce();
    void keepAliveArrives();
    void resume();
    void head();
    void eventSource();
    void eventSourceThroughHttp2();
    void bufferedWithoutTheHeader();

private:
    bool startNginx();
    QByteArray url(const QByteArray &target) const;
    QByteArray publish(const QByteArray &target, const QByteArray &data);

    QTemporaryDir m_dir;
    std::unique_ptr<HubProcess> m_hub;
    std::unique_ptr<ChildProcess> m_nginx;
    SelfSigned m_certificate;
    quint16 m_port = 0;
    quint16 m_tlsPort = 0;
};

void tst_Nginx::initTestCase()
{
    if (findNginx().isEmpty())
        QSKIP("nginx is not installed");
    if (QStandardPaths::findExecutable(QStringLiteral("curl")).isEmpty())
        QSKIP("curl is not installed");
    if (!m_certificate.isValid())
        QSKIP("openssl is not installed");
    m_hub = std::make_unique<HubProcess>(QByteArrayList { "--keep-alive", "300" });
    QVERIFY2(m_hub->listen(), m_hub->errors().constData());
    // Someone else may take the port before nginx does.
    bool isRunning = false;
    for (int attempt = 0; attempt < 5 && !isRunning; ++attempt)
        isRunning = startNginx();
    QVERIFY2(isRunning, m_nginx->errors().constData());
}

bool tst_Nginx::startNginx()
{
    m_port = freePort();
    QByteArray configuration(Configuration);
    configuration.replace("@NGINX@", QByteArray::number(m_port));
    m_tlsPort = freePort();
    configuration.replace("@TLS@", QByteArray::number(m_tlsPort));
    configuration.replace("@CERTIFICATE@", m_certificate.certificateFile().toUtf8());
    configuration.replace("@KEY@", m_certificate.keyFile().toUtf8());
    configuration.replace("@HUB@", QByteArray::number(m_hub->port()));
    QFile file(m_dir.filePath(QStringLiteral("nginx.conf")));
    if (!file.open(QIODevice::WriteOnly) || file.write(configuration) != configuration.size())
        return false;
    file.close();

    m_nginx = std::make_unique<ChildProcess>(
        findNginx(),
        QByteArrayList { "-e", "stderr", "-p", m_dir.path().toUtf8(), "-c", "nginx.conf" });
    m_nginx->start();
    return QTest::qWaitFor(
               [this] {
                   QTcpSocket probe;
                   probe.connectToHost(QHostAddress::LocalHost, m_port);
                   return probe.waitForConnected(1000) || m_nginx->isFinished();
               },
               Patience)
        && !m_nginx->isFinished();
}

QByteArray tst_Nginx::url(const QByteArray &target) const
{
    return "http://127.0.0.1:" + QByteArray::number(m_port) + target;
}

QByteArray tst_Nginx::publish(const QByteArray &target, const QByteArray &data)
{
    Curl curl(url(target), Curl::post(), data);
    curl.waitForFinished();
    return "id: " + curl.body() + "\ndata: " + data;
}

void tst_Nginx::eventArrivesAtOnce()
{
    Curl stream(url("/events?topic=once"));
    QTRY_VERIFY_WITH_TIMEOUT(stream.isOpen(), Patience);
    QCOMPARE(stream.status(), 200);
    QVERIFY2(stream.header("Server").startsWith("nginx"), stream.head().constData());
    QCOMPARE(stream.header("Content-Type"), "text/event-stream");
    QCOMPARE(stream.header("Cache-Control"), "no-store, no-transform");
    QByteArrayList expected;
    for (const char *data : { "a", "b", "c" }) {
        expected.append(publish("/topics/once", data));
        QTRY_COMPARE_WITH_TIMEOUT(stream.events(), expected, Patience);
        QVERIFY(!stream.isFinished());
    }
}

void tst_Nginx::keepAliveArrives()
{
    Curl stream(url("/events?topic=idle"));
    QTRY_VERIFY_WITH_TIMEOUT(stream.blocks().count(": keep-alive") >= 2, Patience);
    QVERIFY(!stream.isFinished());
}

void tst_Nginx::resume()
{
    publish("/topics/resume?id=1", "a");
    const QByteArrayList missed { publish("/topics/resume?id=2", "b"),
                                  publish("/topics/resume?id=3", "c") };
    Curl header(url("/events?topic=resume"), { "-H", "Last-Event-ID: 1" });
    Curl parameter(url("/events?topic=resume&lastEventId=1"));
    QTRY_COMPARE_WITH_TIMEOUT(header.events(), missed, Patience);
    QTRY_COMPARE_WITH_TIMEOUT(parameter.events(), missed, Patience);
}

void tst_Nginx::head()
{
    Curl curl(url("/events?topic=head"), { "-I" });
    QVERIFY(curl.waitForFinished());
    QCOMPARE(curl.exitCode(), 0);
    QCOMPARE(curl.status(), 200);
    QCOMPARE(curl.header("Content-Type"), "text/event-stream");
}

void tst_Nginx::eventSource()
{
    EventSourceProbe source(QUrl::fromEncoded(url("/events?topic=client")));
    source.open();
    QTRY_COMPARE_WITH_TIMEOUT(source.log.size(), 1, Patience);
    for (int i = 1; i <= 3; ++i) {
        publish("/topics/client", QByteArray::number(i));
        QTRY_COMPARE_WITH_TIMEOUT(source.events.size(), i, Patience);
    }
}

// Each event arrives by itself although nginx packs the stream. Pausing and going on loses nothing,
// although it takes a new connection with HTTP/2.
void tst_Nginx::eventSourceThroughHttp2()
{
    QNetworkRequest request(
        QUrl(QStringLiteral("https://127.0.0.1:%1/events?topic=h2").arg(m_tlsPort)));
    request.setSslConfiguration(m_certificate.client());
    EventSourceProbe source(request);
    QByteArrayList codings;
    QList<bool> http2;
    source.setResponseHandler([&](const QNetworkReply &reply) {
        codings << reply.rawHeader("Content-Encoding");
        http2 << reply.attribute(QNetworkRequest::Http2WasUsedAttribute).toBool();
        return true;
    });
    source.open();
    QTRY_COMPARE_WITH_TIMEOUT(source.log.size(), 1, Patience);
    QCOMPARE(codings, QByteArrayList { "gzip" });
    QCOMPARE(http2, QList<bool> { true });
    for (int i = 1; i <= 3; ++i) {
        publish("/topics/h2", QByteArray::number(i));
        QTRY_COMPARE_WITH_TIMEOUT(source.events.size(), i, Patience);
    }

    source.setPaused(true);
    QCOMPARE(source.readyState(), QSseEventSource::ReadyState::Connecting);
    publish("/topics/h2", "4");
    QCOMPARE(source.events.size(), 3);
    source.setPaused(false);
    QTRY_COMPARE_WITH_TIMEOUT(source.events.size(), 4, Patience);
    publish("/topics/h2", "5");
    QTRY_COMPARE_WITH_TIMEOUT(source.data().join(QString()), QStringLiteral("12345"), Patience);
    QCOMPARE(http2, (QList<bool> { true, true }));
    QVERIFY(source.errors.isEmpty());
}

// That it is the header which makes the others work: without it nginx passes on full buffers only,
// and the rest when the hub ends the stream. Last, because it ends the hub.
void tst_Nginx::bufferedWithoutTheHeader()
{
    QByteArrayList expected { publish("/topics/held", QByteArray(50'000, '.')) };
    Curl stream(url("/events?topic=held&lastEventId=earliest"));
    Curl held(url("/buffered/events?topic=held&lastEventId=earliest"));
    QTRY_COMPARE_WITH_TIMEOUT(stream.events(), expected, Patience);
    QTRY_COMPARE_WITH_TIMEOUT(held.status(), 200, Patience);

    expected.append(publish("/topics/held", "x"));
    QTRY_COMPARE_WITH_TIMEOUT(stream.events(), expected, Patience);
    QVERIFY(held.events().isEmpty());

    m_hub->sendSignal(SIGTERM);
    QVERIFY(held.waitForFinished());
    QCOMPARE(held.exitCode(), 0);
    QCOMPARE(held.events(), expected);
    QVERIFY(stream.waitForFinished());
    QCOMPARE(stream.exitCode(), 0);
}

QTEST_GUILESS_MAIN(tst_Nginx)
#include "tst_nginx.moc"
