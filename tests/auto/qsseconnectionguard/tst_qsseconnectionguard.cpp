// SPDX-License-Identifier: MIT
// What guards a QSseHttpServer from its clients, seen from outside.
#include "loopback.h"
#include "rawclient.h"
#include "streamclient.h"

#include <QSseHttpServer>
#include <QSseServer>
#include <QSseStream>

#include <QtCore/QElapsedTimer>
#include <QtCore/QRegularExpression>
#include <QtCore/QTimer>
#include <QtTest/QSignalSpy>
#include <QtTest/QTest>

#if QT_CONFIG(ssl)
#include "selfsigned.h"
#endif

#ifdef QT_WEBSOCKETS_LIB
#include <QtWebSockets/QWebSocket>
#endif

#include <future>
#include <memory>
#include <vector>

#ifdef Q_OS_UNIX
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#endif

using namespace std::chrono_literals;

namespace {

/*! A server with a page, a stream, a publish endpoint, and one subscriber and one publisher who
   must not be disturbed. */
class Fixture
{
public:
    Fixture()
    {
        http.addEventStream(QStringLiteral("/events"));
        http.addPublishEndpoint(QStringLiteral("/topics"));
        http.route(QStringLiteral("/"), [this] {
            ++pages;
            return "page";
        });
        http.route(QStringLiteral("/large"), [this] {
            ++pages;
            return large;
        });
        http.route(QStringLiteral("/url"),
                   [](const QHttpServerRequest &request) { return request.url().toString(); });
        port = http.listen(QHostAddress::LocalHost);
    }

    std::unique_ptr<RawClient> client(const QByteArray &bytes = {}) const
    {
        return std::make_unique<RawClient>(port, bytes);
    }

    QSseServer server;
    QSseHttpServer http { &server };
    const QByteArray large = QByteArray(5'000'000, 'l');
    int pages = 0;
    quint16 port = 0;
};

/*! A stream and who publishes to it over HTTP, to show that both go on. */
class Bystanders
{
public:
    explicit Bystanders(quint16 port)
        : m_stream(port, StreamClient::get("/events?topic=bystander")), m_publisher(port)
    {
    }
    bool areUndisturbed()
    {
        if (!QTest::qWaitFor([this] { return m_stream.status() == 200; }))
            return false;
        m_expected.append(QString::number(m_expected.size()));
        const QByteArray data = m_expected.last().toUtf8();
        m_publisher.send("POST /topics/bystander HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
                         + QByteArray::number(data.size()) + "\r\n\r\n" + data);
        return QTest::qWaitFor([this] { return m_stream.data() == m_expected; });
    }

private:
    StreamClient m_stream;
    RawClient m_publisher;
    QStringList m_expected;
};

QByteArray get(const QByteArray &target, const QByteArray &fields = {})
{
    return StreamClient::get(target, fields);
}

QByteArray post(const QByteArray &target, const QByteArray &body, const QByteArray &fields = {})
{
    return "POST " + target + " HTTP/1.1\r\nHost: localhost\r\n" + fields
        + "Content-Length: " + QByteArray::number(body.size()) + "\r\n\r\n" + body;
}

} // namespace

class TestQSseConnectionGuard : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void properties();
    void pipelines();
    void requestInPieces();
    void keepsOrCloses_data();
    void keepsOrCloses();
    void answersHeadWithoutBody();
    void targets_data();
    void targets();
    void continues();
    void chunkedBody();
    void halfClosed();
    void refuses_data();
    void refuses();
    void answerSurvivesTheRest();
    void tooMuchAtOnce();
    void slowRequests();
    void silentConnections();
    void idleConnections();
    void unreadAnswers();
    void tooManyConnections();
    void streamsAreNotCounted();
    void webSocket();
    void tls();
    void tlsStreamsInWorkerThread();
    void tlsFailures();
    void noDescriptorsLeft();
};

void TestQSseConnectionGuard::properties()
{
    Fixture f;
    QCOMPARE(f.http.maximumHeadSize(), 16 * 1024);
    QCOMPARE(f.http.maximumBodySize(), 1024 * 1024);
    QCOMPARE(f.http.maximumConnections(), 4096);
    QCOMPARE(f.http.requestTimeout(), 10s);
    QCOMPARE(f.http.idleTimeout(), 60s);
    QCOMPARE(f.http.writeTimeout(), 30s);
    for (const char *name : { "maximumHeadSize", "maximumBodySize", "maximumConnections" }) {
        QSignalSpy changed(&f.http, QByteArray("2" + QByteArray(name) + "Changed()"));
        QVERIFY(f.http.setProperty(name, 77));
        QVERIFY(f.http.setProperty(name, 77));
        QCOMPARE(f.http.property(name).toInt(), 77);
        QCOMPARE(changed.size(), 1);
    }
    for (const char *name : { "requestTimeout", "idleTimeout", "writeTimeout" }) {
        QSignalSpy changed(&f.http, QByteArray("2" + QByteArray(name) + "Changed()"));
        QVERIFY(f.http.setProperty(name, QVariant::fromValue(77ms)));
        QVERIFY(f.http.setProperty(name, QVariant::fromValue(77ms)));
        QCOMPARE(f.http.property(name).value<std::chrono::milliseconds>(), 77ms);
        QCOMPARE(changed.size(), 1);
    }
}

void TestQSseConnectionGuard::pipelines()
{
    Fixture f;
    QSignalSpy published(&f.server, &QSseServer::notified);
    QByteArray bytes;
    for (int i = 0; i < 100; ++i)
        bytes += post("/topics/a", QByteArray::number(i)) + get("/");
    const auto client = f.client(bytes + get("/events?topic=a") + get("/"));
    QTRY_COMPARE(f.server.subscriberCount(), 1);
    QTRY_COMPARE(published.size(), 100);
    for (int i = 0; i < 100; ++i)
        QCOMPARE(published.at(i).at(0).value<QSseEvent>().data(), QString::number(i));
    f.server.notify(QStringLiteral("a"), QSseEvent("last"));
    QTRY_VERIFY(client->got().endsWith("data: last\n\n"));
    QCOMPARE(client->got().count("HTTP/1.1 200 OK"), 201);
    QCOMPARE(f.pages, 100);
}

void TestQSseConnectionGuard::requestInPieces()
{
    Fixture f;
    const QByteArray bytes = post("/topics/a", "body") + get("/");
    const auto client = f.client();
    client->socket().setSocketOption(QAbstractSocket::LowDelayOption, 1);
    QTRY_VERIFY(client->isConnected());
    for (const char c : bytes) {
        client->send(QByteArray(1, c));
        client->socket().flush();
        QCoreApplication::processEvents();
    }
    QTRY_VERIFY(client->got().endsWith("page"));
    QCOMPARE(client->got().count("HTTP/1.1 200 OK"), 2);
}

void TestQSseConnectionGuard::keepsOrCloses_data()
{
    QTest::addColumn<QByteArray>("head");
    QTest::addColumn<QByteArray>("connection");
    QTest::newRow("1.1") << QByteArray("1.1\r\nHost: localhost\r\n") << QByteArray();
    QTest::newRow("1.1 close") << QByteArray("1.1\r\nHost: localhost\r\nConnection: close\r\n")
                               << QByteArray("close");
    QTest::newRow("1.0") << QByteArray("1.0\r\n") << QByteArray("close");
    QTest::newRow("1.0 keep-alive")
        << QByteArray("1.0\r\nConnection: keep-alive\r\n") << QByteArray("keep-alive");
}

void TestQSseConnectionGuard::keepsOrCloses()
{
    QFETCH(QByteArray, head);
    QFETCH(QByteArray, connection);
    Fixture f;
    const auto client = f.client("GET / HTTP/" + head + "\r\n");
    QTRY_VERIFY(client->got().endsWith("page"));
    QCOMPARE(client->hasHeader("Connection: " + connection), !connection.isEmpty());
    if (connection == "close") {
        QTRY_VERIFY(client->isEnded());
        QVERIFY(!client->wasReset());
    } else {
        client->send(get("/"));
        QTRY_COMPARE(f.pages, 2);
        QVERIFY(!client->isEnded());
    }
}

// A route without a method is asked for HEAD too, and answers with a body.
void TestQSseConnectionGuard::answersHeadWithoutBody()
{
    Fixture f;
    const auto client = f.client("HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n"
                                 "OPTIONS /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    QTRY_VERIFY(client->got().contains("HTTP/1.1 204"));
    QVERIFY(client->got().indexOf("\r\n\r\nHTTP/1.1 204") > 0);
    QVERIFY(!client->got().contains("page"));
}

void TestQSseConnectionGuard::targets_data()
{
    QTest::addColumn<QByteArray>("target");
    QTest::addColumn<int>("status");
    QTest::newRow("origin") << QByteArray("/url") << 200;
    QTest::newRow("absolute") << QByteArray("http://example.org/url") << 200;
    QTest::newRow("no authority") << QByteArray("//example.org/url") << 404;
    QTest::newRow("relative") << QByteArray("url") << 400;
}

void TestQSseConnectionGuard::targets()
{
    QFETCH(QByteArray, target);
    QFETCH(int, status);
    Fixture f;
    const auto client = f.client("GET " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    QTRY_COMPARE(client->status(), status);
    if (status == 200) {
        const QByteArray host = target.startsWith('/') ? "localhost" : "example.org";
        QTRY_VERIFY2(client->body().startsWith("http://" + host), client->body());
    }
}

void TestQSseConnectionGuard::continues()
{
    Fixture f;
    QSignalSpy published(&f.server, &QSseServer::notified);
    const QByteArray expecting = post("/topics/a", "body", "Expect: 100-continue\r\n");
    const auto client = f.client(expecting.chopped(4));
    QTRY_COMPARE(client->got(), QByteArray("HTTP/1.1 100 Continue\r\n\r\n"));
    client->send("body");
    QTRY_COMPARE(published.size(), 1);
    QCOMPARE(published.at(0).at(0).value<QSseEvent>().data(), QStringLiteral("body"));
    QTRY_VERIFY(client->got().contains("HTTP/1.1 200 OK\r\n"));

    const auto large =
        f.client("POST /topics/a HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
                 "Content-Length: 2000000\r\n\r\n");
    QTRY_COMPARE(large->status(), 413); // before it is sent
}

void TestQSseConnectionGuard::chunkedBody()
{
    Fixture f;
    QSignalSpy published(&f.server, &QSseServer::notified);
    const auto client =
        f.client("POST /topics/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "3\r\none\r\n4;x=y\r\n two\r\n0\r\nX: trailer\r\n\r\n"
                 + get("/"));
    QTRY_COMPARE(published.size(), 1);
    QCOMPARE(published.at(0).at(0).value<QSseEvent>().data(), QStringLiteral("one two"));
    QTRY_VERIFY(client->got().endsWith("page"));
}

#ifdef Q_OS_UNIX
// A client that ends its side after the request still gets all of the answer.
void TestQSseConnectionGuard::halfClosed()
{
    Fixture f;
    const auto client = f.client(get("/") + get("/large"));
    QTRY_COMPARE(client->socket().bytesToWrite(), 0);
    QVERIFY(client->isConnected());
    QCOMPARE(::shutdown(int(client->socket().socketDescriptor()), SHUT_WR), 0);
    QTRY_VERIFY(client->isEnded());
    QVERIFY(!client->wasReset());
    QVERIFY(client->got().endsWith("\r\n\r\n" + f.large));
}
#else
void TestQSseConnectionGuard::halfClosed()
{
    QSKIP("needs shutdown()");
}
#endif

void TestQSseConnectionGuard::refuses_data()
{
    QTest::addColumn<QByteArray>("bytes");
    QTest::addColumn<int>("status");
    const auto row = [](const char *name, const QByteArray &bytes, int status) {
        QTest::newRow(name) << bytes << status;
    };
    const QByteArray chunked =
        "POST /topics/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    row("TLS", QByteArray("\x16\x03\x01\x02\x00\x01\x00\x01\xfc", 9) + QByteArray(508, '\xaa'),
        400);
    row("garbage", QByteArray(100'000, '\xff'), 414);
    row("no HTTP", "EHLO example.org\r\n", 400);
    row("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505);
    row("long target", get("/" + QByteArray(100'000, 'x')), 414);
    row("large fields", get("/", "X: " + QByteArray(100'000, 'x') + "\r\n"), 431);
    row("many fields", get("/", QByteArray("X: y\r\n").repeated(1000)), 431);
    row("large body", post("/topics/a", QByteArray(1024 * 1024 + 1, 'x')), 413);
    row("large chunk", chunked + "100001\r\n", 413);
    row("many chunks",
        chunked + QByteArray("100\r\n" + QByteArray(256, 'x') + "\r\n").repeated(5000), 413);
    row("compressed",
        "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501);
    row("two lengths", post("/topics/a", "x", "Content-Length: 2\r\n"), 400);
    row("length and chunks", post("/topics/a", "0\r\n\r\n", "Transfer-Encoding: chunked\r\n"), 400);
    row("continued field", get("/", "X: y\r\n z\r\n"), 400);
}

void TestQSseConnectionGuard::refuses()
{
    QFETCH(QByteArray, bytes);
    QFETCH(int, status);
    Fixture f;
    QSignalSpy published(&f.server, &QSseServer::notified);
    Bystanders bystanders(f.port);
    QVERIFY(bystanders.areUndisturbed());
    published.clear();

    // Nothing is done of it, what was asked before is, and what comes behind is not understood.
    const auto client = f.client(get("/") + bytes + get("/"));
    QTRY_VERIFY(client->isEnded());
    QVERIFY(!client->wasReset());
    const QByteArray refusal = client->got().mid(client->got().indexOf("page") + 4);
    QVERIFY2(refusal.startsWith("HTTP/1.1 " + QByteArray::number(status) + ' '), refusal.left(200));
    QVERIFY(client->hasHeader("Connection: close"));
    const QByteArray text = refusal.mid(refusal.indexOf("\r\n\r\n") + 4);
    QVERIFY2(text.size() > 10 && text.endsWith('\n') && text.count('\n') == 1, text);
    QCOMPARE(f.pages, 1);
    QVERIFY(published.isEmpty());
    QVERIFY(bystanders.areUndisturbed());
}

// Somebody who sends on for a while after being refused reads the answer nevertheless.
void TestQSseConnectionGuard::answerSurvivesTheRest()
{
    Fixture f;
    std::future<QByteArray> answer = std::async(std::launch::async, [&f] {
        const int descriptor = ::socket(AF_INET, SOCK_STREAM, 0);
        const sockaddr_in address = loopbackAddress(f.port);
        ::connect(descriptor, reinterpret_cast<const sockaddr *>(&address), sizeof(address));
        const QByteArray request = post("/topics/a", QByteArray(3'000'000, 'x'));
        for (qsizetype sent = 0; sent < request.size();) {
            const ssize_t count = ::send(descriptor, request.constData() + sent,
                                         size_t(request.size() - sent), MSG_NOSIGNAL);
            if (count < 0)
                break;
            sent += count;
        }
        QByteArray answer(10'000, '\0');
        const ssize_t count = ::recv(descriptor, answer.data(), size_t(answer.size()), 0);
        ::close(descriptor);
        return answer.first(std::max<qsizetype>(count, 0));
    });
    QTRY_COMPARE(answer.wait_for(0s), std::future_status::ready);
    const QByteArray got = answer.get();
    QVERIFY2(got.startsWith("HTTP/1.1 413 ") && got.endsWith("bytes\n"), got);
}

void TestQSseConnectionGuard::tooMuchAtOnce()
{
    Fixture f;
    f.http.setMaximumBodySize(1'000'000'000);
    Bystanders bystanders(f.port);
    const QByteArray half(33 * 1024 * 1024, 'x');
    const QByteArray head =
        "POST /topics/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n";
    const auto one = f.client(head + half);
    QTRY_COMPARE(one->socket().bytesToWrite(), 0);
    QCOMPARE(one->status(), 0);
    const auto two = f.client(head + half);
    QTRY_COMPARE(two->status(), 503);
    QVERIFY(bystanders.areUndisturbed());
    QVERIFY(!one->isEnded());
}

void TestQSseConnectionGuard::slowRequests()
{
    Fixture f;
    f.http.setRequestTimeout(300ms);
    Bystanders bystanders(f.port);
    QVERIFY(bystanders.areUndisturbed());
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 200; ++i)
        clients.push_back(
            f.client(i % 2 ? "GET / HTTP/1.1\r\n" : post("/topics/a", "x").chopped(1)));
    QTimer drip;
    connect(&drip, &QTimer::timeout, this, [&] {
        for (size_t i = 1; i < clients.size(); i += 2)
            clients.at(i)->send("X");
    });
    drip.start(20);
    QElapsedTimer clock;
    clock.start();
    QVERIFY(bystanders.areUndisturbed());
    for (const auto &client : clients) {
        QTRY_COMPARE(client->status(), 408);
        QTRY_VERIFY(client->isEnded());
    }
    QVERIFY(clock.elapsed() >= 200);
    QVERIFY(bystanders.areUndisturbed());
    QCOMPARE(f.pages, 0);

    // It is the time of each request, not that of the connection.
    const auto patient = f.client();
    for (int i = 1; i <= 4; ++i) {
        patient->send(get("/"));
        QTRY_COMPARE(f.pages, i);
        const auto waiting = f.client("G");
        QTRY_COMPARE(waiting->status(), 408);
    }
    QVERIFY(!patient->isEnded());
    patient->send("G");
    QTRY_VERIFY(patient->isEnded());
    QVERIFY(patient->got().contains("HTTP/1.1 408 "));
}

void TestQSseConnectionGuard::silentConnections()
{
    Fixture f;
    f.http.setRequestTimeout(100ms);
    const auto client = f.client();
    const auto blank = f.client("\r\n\r\n");
    QTRY_VERIFY(client->isEnded());
    QTRY_VERIFY(blank->isEnded());
    QCOMPARE(client->got(), QByteArray());
    QCOMPARE(blank->got(), QByteArray());
}

void TestQSseConnectionGuard::idleConnections()
{
    Fixture f;
    f.http.setIdleTimeout(200ms);
    const auto client = f.client(get("/"));
    QTRY_VERIFY(client->got().endsWith("page"));
    QVERIFY(!client->isEnded());
    QTRY_VERIFY(client->isEnded());
    QVERIFY(!client->wasReset());
    QVERIFY(client->got().endsWith("page"));
}

// Answers are not made faster than they are taken, and not for ever.
void TestQSseConnectionGuard::unreadAnswers()
{
    Fixture f;
    f.http.setWriteTimeout(300ms);
    Bystanders bystanders(f.port);
    QVERIFY(bystanders.areUndisturbed());
    const auto client = f.client();
    client->socket().setReadBufferSize(1);
    client->send(get("/large").repeated(50));
    QTRY_VERIFY(f.pages >= 1);
    QVERIFY(bystanders.areUndisturbed());
    QTRY_VERIFY(f.http.httpServer()->findChildren<QTcpSocket *>().size() <= 1); // the publisher's
    QVERIFY(f.pages <= 3); // as much as the system takes for us
    QVERIFY(bystanders.areUndisturbed());

    // One that reads, if slowly, gets all.
    const int before = f.pages;
    const auto reader = f.client(get("/large").repeated(3));
    QTRY_COMPARE(reader->got().count('l') / 5'000'000, 3);
    QCOMPARE(f.pages, before + 3);
}

void TestQSseConnectionGuard::tooManyConnections()
{
    Fixture f;
    f.http.setMaximumConnections(3);
    const auto first = f.client(get("/"));
    QTRY_COMPARE(f.pages, 1);
    const auto second = f.client(get("/"));
    QTRY_COMPARE(f.pages, 2);
    const auto busy = f.client("G");
    // Who waits longest for a request gives way.
    const auto third = f.client(get("/"));
    QTRY_COMPARE(f.pages, 3);
    QTRY_VERIFY(first->isEnded());
    QVERIFY(!second->isEnded());
    const QByteArray expecting = post("/topics/a", "x", "Expect: 100-continue\r\n");
    for (RawClient *client : { second.get(), third.get() }) {
        client->send(expecting.chopped(1));
        QTRY_VERIFY(client->got().endsWith("100 Continue\r\n\r\n")); // so it is being read
    }
    const auto probe = f.client();
    QTRY_COMPARE(probe->status(), 503);
    QVERIFY(probe->hasHeader("Retry-After: 2"));
    QTRY_VERIFY(probe->isEnded());
    QVERIFY(!probe->wasReset());

    busy->socket().abort();
    const auto isServed = [&] {
        const auto client = f.client(get("/"));
        return QTest::qWaitFor([&] { return client->status() != 0; }) && client->status() == 200;
    };
    QTRY_VERIFY(isServed());
    second->send("x" + get("/"));
    QTRY_COMPARE(second->got().count("page"), 2);
}

void TestQSseConnectionGuard::streamsAreNotCounted()
{
    Fixture f;
    f.http.setMaximumConnections(1);
    std::vector<std::unique_ptr<RawClient>> streams;
    for (int i = 1; i <= 10; ++i) {
        streams.push_back(f.client(get("/events?topic=a")));
        QTRY_COMPARE(f.server.subscriberCount(), i);
    }
    const auto client = f.client(get("/"));
    QTRY_COMPARE(client->body(), QByteArray("page"));
}

#ifdef QT_WEBSOCKETS_LIB
void TestQSseConnectionGuard::webSocket()
{
    Fixture f;
    f.http.setIdleTimeout(100ms);
    f.http.setRequestTimeout(100ms);
#if QT_VERSION >= QT_VERSION_CHECK(6, 8, 0)
    f.http.httpServer()->addWebSocketUpgradeVerifier(&f.http, [](const QHttpServerRequest &) {
        return QHttpServerWebSocketUpgradeResponse::accept();
    });
#else
    f.http.route(QStringLiteral("/chat"), [](QSse::Responder) {}); // upgrades need a route there
#endif
    std::unique_ptr<QWebSocket> accepted;
    connect(f.http.httpServer(), &QHttpServer::newWebSocketConnection, this, [&] {
        accepted.reset(f.http.httpServer()->nextPendingWebSocketConnection().release());
        connect(accepted.get(), &QWebSocket::textMessageReceived, accepted.get(),
                &QWebSocket::sendTextMessage);
        accepted->sendTextMessage(QStringLiteral("welcome"));
    });
    QWebSocket client;
    QSignalSpy got(&client, &QWebSocket::textMessageReceived);
    QSignalSpy ended(&client, &QWebSocket::disconnected);
    client.open(QUrl(QStringLiteral("ws://127.0.0.1:%1/chat?a=b").arg(f.port)));
    QTRY_COMPARE(got.size(), 1);
    QCOMPARE(accepted->requestUrl().path(), QStringLiteral("/chat"));
    const auto idle = f.client();
    QTRY_VERIFY(idle->isEnded()); // the time of what is HTTP is over
    const QString large(300'000, QLatin1Char('x'));
    client.sendTextMessage(large);
    QTRY_COMPARE(got.size(), 2);
    QCOMPARE(got.at(1).at(0).toString(), large);

    QSignalSpy acceptedEnded(accepted.get(), &QWebSocket::disconnected);
    client.close();
    QTRY_COMPARE(ended.size(), 1);
    QTRY_COMPARE(acceptedEnded.size(), 1);
}
#else
void TestQSseConnectionGuard::webSocket()
{
    QSKIP("needs Qt WebSockets");
}
#endif

#if QT_CONFIG(ssl)

namespace {

QSslConfiguration clientTls()
{
    QSslConfiguration tls = QSslConfiguration::defaultConfiguration();
    tls.setPeerVerifyMode(QSslSocket::VerifyNone);
    tls.setAllowedNextProtocols({ "h2", "http/1.1" });
    return tls;
}

} // namespace

void TestQSseConnectionGuard::tls()
{
    const QSslConfiguration configuration = SelfSigned().server();
    if (configuration.isNull())
        QSKIP("needs openssl");
    Fixture f;
    const quint16 port = f.http.listen(QHostAddress::LocalHost, 0, configuration);
    QVERIFY(port);
    QCOMPARE(f.http.serverPorts().size(), 2);
    QSslSocket client;
    client.setSslConfiguration(clientTls());
    client.connectToHostEncrypted(QStringLiteral("127.0.0.1"), port);
    client.write(get("/url") + get("/large") + get("/events?topic=a"));
    QByteArray got;
    const auto hasRead = [&](const QByteArray &bytes) {
        got += client.readAll();
        return got.contains(bytes);
    };
    QTRY_VERIFY(hasRead("https://localhost"));
    QTRY_VERIFY(hasRead("text/event-stream"));
    QVERIFY(got.contains(f.large));
    QCOMPARE(client.sslConfiguration().nextNegotiatedProtocol(), QByteArray("http/1.1"));
    f.server.notify(QStringLiteral("a"), QSseEvent("1"));
    QTRY_VERIFY(hasRead("data: 1\n\n"));
    client.disconnectFromHost();
    QTRY_COMPARE(f.server.subscriberCount(), 0);

    QSignalSpy published(&f.server, &QSseServer::notified);
    QSslSocket publisher;
    publisher.setSslConfiguration(clientTls());
    publisher.connectToHostEncrypted(QStringLiteral("127.0.0.1"), port);
    publisher.write(post("/topics/a", QByteArray(1'000'000, 'x')));
    publisher.write(post("/topics/a", QByteArray(1000, 'x')).repeated(100));
    QTRY_COMPARE(published.size(), 101);

    QSslSocket last;
    last.setSslConfiguration(clientTls());
    QSignalSpy ended(&last, &QSslSocket::disconnected);
    last.connectToHostEncrypted(QStringLiteral("127.0.0.1"), port);
    last.write(get("/", "Connection: close\r\n"));
    QTRY_COMPARE(ended.size(), 1);
    QVERIFY(last.readAll().endsWith("page"));
}

// The server's thread is held up, and the stream goes on.
void TestQSseConnectionGuard::tlsStreamsInWorkerThread()
{
    const QSslConfiguration configuration = SelfSigned().server();
    if (configuration.isNull())
        QSKIP("needs openssl");
    Fixture f;
    const quint16 port = f.http.listen(QHostAddress::LocalHost, 0, configuration);
    std::promise<void> opened;
    std::promise<void> published;
    std::future<QByteArray> received = std::async(std::launch::async, [&] {
        QSslSocket client;
        client.setSslConfiguration(clientTls());
        client.connectToHostEncrypted(QStringLiteral("127.0.0.1"), port);
        client.write(get("/events?topic=a"));
        QByteArray got;
        while (!got.contains("\n\n") && client.waitForReadyRead(5000))
            got += client.readAll();
        opened.set_value();
        published.get_future().wait();
        while (!got.contains("data: 1\n\n") && client.waitForReadyRead(5000))
            got += client.readAll();
        return got;
    });
    std::future<void> isOpen = opened.get_future();
    QTRY_COMPARE(isOpen.wait_for(0s), std::future_status::ready);
    f.server.notify(QStringLiteral("a"), QSseEvent("1"));
    published.set_value();
    const QByteArray got = received.get(); // without an event loop
    QVERIFY2(got.endsWith("data: 1\n\n"), got);
    QTRY_COMPARE(f.server.subscriberCount(), 0);
}

void TestQSseConnectionGuard::tlsFailures()
{
    const QSslConfiguration configuration = SelfSigned().server();
    if (configuration.isNull())
        QSKIP("needs openssl");
    Fixture f;
    f.http.setRequestTimeout(500ms);
    Bystanders bystanders(f.port);
    QVERIFY(bystanders.areUndisturbed());
    const quint16 port = f.http.listen(QHostAddress::LocalHost, 0, configuration);
    RawClient plain(port, get("/"));
    QTRY_VERIFY(plain.isEnded());
    QVERIFY(!plain.got().contains("HTTP"));
    QCOMPARE(f.pages, 0);

    QSslSocket distrustful; // of a certificate nobody knows
    QSignalSpy ended(&distrustful, &QSslSocket::disconnected);
    distrustful.connectToHostEncrypted(QStringLiteral("127.0.0.1"), port);
    QTRY_COMPARE(ended.size(), 1);

    RawClient silent(port);
    QTRY_VERIFY(silent.isEnded()); // the handshake has its time too
    QVERIFY(bystanders.areUndisturbed());

    f.http.setMaximumConnections(1); // there are two
    RawClient refused(port);
    QTRY_VERIFY(refused.isEnded());
    QCOMPARE(refused.got(), QByteArray());
}

#else
void TestQSseConnectionGuard::tls()
{
    QSKIP("needs TLS");
}
void TestQSseConnectionGuard::tlsStreamsInWorkerThread()
{
    QSKIP("needs TLS");
}
void TestQSseConnectionGuard::tlsFailures()
{
    QSKIP("needs TLS");
}
#endif

#ifdef Q_OS_UNIX
// Accepting stops while there are no descriptors, and goes on by itself when there are.
void TestQSseConnectionGuard::noDescriptorsLeft()
{
    Fixture f;
    StreamClient stream(f.port, get("/events?topic=a"));
    QTRY_COMPARE(stream.status(), 200);
    // Before they are gone: it needs one.
    const auto client = f.client();
    QTRY_VERIFY(client->isConnected());
    QTRY_VERIFY(!f.http.httpServer()->findChildren<QTcpSocket *>().isEmpty());
    QTcpSocket late;
    late.bind(QHostAddress::LocalHost);

    rlimit before {};
    QCOMPARE(::getrlimit(RLIMIT_NOFILE, &before), 0);
    std::vector<int> eaten;
    while (eaten.size() < 100)
        eaten.push_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    QVERIFY(eaten.back() > 0);
    const rlimit lower { rlim_t(eaten.back() + 1), before.rlim_max };
    QCOMPARE(::setrlimit(RLIMIT_NOFILE, &lower), 0);

    QTest::ignoreMessage(QtWarningMsg,
                         QRegularExpression(QStringLiteral("cannot accept a connection")));
    late.connectToHost(QHostAddress::LocalHost, f.port);
    late.write(get("/"));
    client->send(get("/")); // one that was accepted is served
    QTRY_COMPARE(client->body(), QByteArray("page"));
    f.server.notify(QStringLiteral("a"), QSseEvent("1"));
    QTRY_COMPARE(stream.data(), QStringList(QStringLiteral("1")));
    QCOMPARE(f.pages, 1);

    for (const int descriptor : eaten)
        ::close(descriptor);
    QTRY_COMPARE(f.pages, 2);
    QTRY_VERIFY(late.peek(1000).endsWith("page"));
    QCOMPARE(::setrlimit(RLIMIT_NOFILE, &before), 0);
    f.server.notify(QStringLiteral("a"), QSseEvent("2"));
    QTRY_COMPARE(stream.data().size(), 2);
}
#else
void TestQSseConnectionGuard::noDescriptorsLeft()
{
    QSKIP("needs RLIMIT_NOFILE");
}
#endif

QTEST_GUILESS_MAIN(TestQSseConnectionGuard)
#include "tst_qsseconnectionguard.moc"
