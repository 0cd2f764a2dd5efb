// SPDX-License-Identifier: MIT
#include "streamclient.h"

#include <QSseAccess>
#include <QSseHttpServer>
#include <QSseMemoryLog>
#include <QSseServer>
#include <QSseStream>
#include <QSseTopic>

#include <QtCore/QJsonArray>
#include <QtCore/QJsonDocument>
#include <QtCore/QLoggingCategory>
#include <QtCore/QMutex>
#include <QtCore/QRegularExpression>
#include <QtCore/QThread>
#include <QtNetwork/QTcpServer>
#include <QtTest/QSignalSpy>
#include <QtTest/QTest>

#include <memory>
#include <stdexcept>
#include <thread>

using namespace std::chrono_literals;

namespace {

/*! Sends raw requests, so that what no HTTP library would send can be sent too. */
class Fixture
{
public:
    Fixture()
    {
        http.addEventStream(QStringLiteral("/events"));
        http.addEventStream(QStringLiteral("/fixed"), { "a", "b/*" });
        http.addPublishEndpoint(QStringLiteral("/topics"));
        port = http.listen(QHostAddress::LocalHost);
    }

    std::unique_ptr<StreamClient> request(const QByteArray &bytes) const
    {
        return std::make_unique<StreamClient>(port, bytes);
    }
    std::unique_ptr<StreamClient> get(const QByteArray &target,
                                      const QByteArray &headers = {}) const
    {
        return request(StreamClient::get(target, headers));
    }
    std::unique_ptr<StreamClient> post(const QByteArray &target, const QByteArray &body,
                                       const QByteArray &headers = {}) const
    {
        return request("POST " + target + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
                       + QByteArray::number(body.size()) + "\r\n" + headers + "\r\n" + body);
    }

    QSseServer server;
    QSseHttpServer http { &server };
    quint16 port = 0;
};

// Header fields' names are sent in lower case from Qt 6.8 on.
bool hasLine(const QByteArray &head, const QByteArray &line)
{
    return head.toLower().contains("\r\n" + line.toLower() + "\r\n");
}

} // namespace

class TestQSseHttpServer : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void streams();
    void streamsFixedTopics();
    void streamsInForeignRoute();
    void streamsOverKeptConnection();
    void streamsInPipeline();
    void streamsToHttp10();
    void resumes_data();
    void resumes();
    void accepts_data();
    void accepts();
    void refusesStream_data();
    void refusesStream();
    void refusesWhenFull();
    void head();
    void publishes_data();
    void publishes();
    void publishesJson();
    void refusesPublishing_data();
    void refusesPublishing();
    void refusesForeignOrigins();
    void corsForStreams();
    void corsPreflight();
    void asksTheAuthorizer_data();
    void asksTheAuthorizer();
    void findsToken_data();
    void findsToken();
    void keepsTokensOutOfCaches();
    void narrowsStreams();
    void sendsAway_data();
    void sendsAway();
    void tellsNothingOfTopics();
    void answersPreflightsWithoutToken();
    void refusesOnlyWhatTheAuthorizerFailsAt_data();
    void refusesOnlyWhatTheAuthorizerFailsAt();
    void grantsPrivateTopicsForATime();
    void answersWhenStored();
    void authorizesPublishing();
    void narrowsPublishing();
    void filtersByClaims();
    void publishesByKey_data();
    void publishesByKey();
    void needsOriginForCookies();
    void publishesOnLoopbackOnly();
    void servesHosts_data();
    void servesHosts();
    void logsNoToken();
    void manyConnectionsAtOnce();
    void listenFails();
    void stopsListening();
    void stopsListeningInRoute();
    void movesToThread();
    void destroyedWithStreams();
};

void TestQSseHttpServer::streams()
{
    Fixture f;
    QSignalSpy added(&f.server, &QSseServer::subscriberAdded);
    const auto client = f.get("/events?topic=fx/*&topic=a%20b%2fc");
    QTRY_COMPARE(added.size(), 1);
    QTRY_COMPARE(client->status(), 200);
    QVERIFY(hasLine(client->head(), "Content-Type: text/event-stream"));
    f.server.notify(QStringLiteral("fx/usd"), QSseEvent("1"));
    f.server.notify(QStringLiteral("other"), QSseEvent("2"));
    f.server.notify(QStringLiteral("a b/c"), QSseEvent("3"));
    QTRY_COMPARE(client->data(), QStringList({ QStringLiteral("1"), QStringLiteral("3") }));
    QCOMPARE(added.at(0).at(0).value<QSseSubscriber>().peerPort(), client->socket().localPort());
}

void TestQSseHttpServer::streamsFixedTopics()
{
    Fixture f;
    const auto client = f.get("/fixed?topic=secret");
    QTRY_COMPARE(f.server.subscriberCount(), 1);
    f.server.notify(QStringLiteral("secret"), QSseEvent("1"));
    f.server.notify(QStringLiteral("b/c"), QSseEvent("2"));
    QTRY_COMPARE(client->data(), QStringList(QStringLiteral("2")));
}

// A route of a QHttpServer that knows nothing of us becomes a stream.
void TestQSseHttpServer::streamsInForeignRoute()
{
    QSseServer server;
    QHttpServer http;
#if QT_VERSION < QT_VERSION_CHECK(6, 5, 0)
    http.route(QStringLiteral("/rates"),
               [&](const QHttpServerRequest &request, QHttpServerResponder &&responder) {
                   QSse::stream(server, request, std::move(responder), { "usd", "jpy" },
                                QSseEvent("first"));
               });
#endif
    http.route(QStringLiteral("/portable"),
               [&](const QHttpServerRequest &request, QSse::Responder responder) {
                   QSse::stream(server, http, request, std::move(responder), { "usd", "jpy" },
                                QSseEvent("first"), [](const QSseEvent &e, const QSseSubscriber &) {
                                    return !e.data().startsWith(QLatin1Char('-'));
                                });
               });
    http.route(QStringLiteral("/plain"), [] { return "plain"; });
    auto tcp = std::make_unique<QTcpServer>();
    QVERIFY(tcp->listen(QHostAddress::LocalHost));
    const quint16 port = tcp->serverPort();
    http.bind(tcp.release());

    for (const QByteArray target : { "/rates", "/portable" }) {
#if QT_VERSION >= QT_VERSION_CHECK(6, 5, 0)
        if (target == "/rates")
            continue;
#endif
        StreamClient client(port, StreamClient::get(target));
        QTRY_COMPARE(client.data(), QStringList(QStringLiteral("first")));
        server.notify(QStringLiteral("usd"), QSseEvent("1"));
        if (target == "/portable")
            server.notify(QStringLiteral("usd"), QSseEvent("-1"));
        server.notify(QStringLiteral("jpy"), QSseEvent("2"));
        QTRY_COMPARE(
            client.data(),
            QStringList({ QStringLiteral("first"), QStringLiteral("1"), QStringLiteral("2") }));
    }
    StreamClient plain(port, StreamClient::get("/plain"));
    QTRY_COMPARE(plain.body(), QByteArray("plain"));
}

// Browsers ask for the page and the stream over one connection.
void TestQSseHttpServer::streamsOverKeptConnection()
{
    Fixture f;
    f.http.route(QStringLiteral("/"), [] { return "page"; });
    QTcpSocket socket;
    socket.connectToHost(QHostAddress::LocalHost, f.port);
    socket.write(StreamClient::get("/"));
    QTRY_VERIFY(socket.peek(1000).endsWith("page"));
    socket.readAll();
    socket.write(StreamClient::get("/events?topic=a"));
    QTRY_VERIFY(socket.peek(1000).contains("text/event-stream"));
    f.server.notify(QStringLiteral("a"), QSseEvent("1"));
    QTRY_VERIFY(socket.peek(1000).endsWith("data: 1\n\n"));
}

// RFC 9112 §9.3.2: what was asked for before the stream is answered before it, and completely.
void TestQSseHttpServer::streamsInPipeline()
{
    Fixture f;
    const QByteArray page(5'000'000, 'p');
    f.http.route(QStringLiteral("/"), [page] { return page; });
    QTcpSocket socket;
    socket.connectToHost(QHostAddress::LocalHost, f.port);
    // The last comes too late: after a stream nothing is answered any more.
    socket.write(StreamClient::get("/") + StreamClient::get("/events?topic=a")
                 + StreamClient::get("/"));
    QTRY_COMPARE(f.server.subscriberCount(), 1);
    f.server.notify(QStringLiteral("a"), QSseEvent("1"));
    QByteArray got;
    const auto isRead = [&] {
        got += socket.readAll();
        return got.endsWith("data: 1\n\n");
    };
    QTRY_VERIFY(isRead());
    QCOMPARE(got.count("HTTP/1.1 200"), 2);
    QVERIFY(got.contains(page + "HTTP/1.1 200 OK\r\nConnection: close\r\n"));
    socket.abort();
    QTRY_COMPARE(f.server.subscriberCount(), 0);
}

void TestQSseHttpServer::streamsToHttp10()
{
    Fixture f;
    const auto client = f.request("GET /events?topic=a HTTP/1.0\r\n\r\n");
    QTRY_COMPARE(f.server.subscriberCount(), 1);
    f.server.notify(QStringLiteral("a"), QSseEvent("1"));
    QTRY_COMPARE(client->data(), QStringList(QStringLiteral("1")));
    f.server.disconnectAll();
    QTRY_VERIFY(client->isEnded());
}

void TestQSseHttpServer::resumes_data()
{
    QTest::addColumn<QByteArray>("query");
    QTest::addColumn<QByteArray>("header");
    QTest::newRow("header") << QByteArray() << QByteArray("Last-Event-ID: two\r\n");
    QTest::newRow("lower-case header") << QByteArray() << QByteArray("last-event-id: two\r\n");
    QTest::newRow("lastEventId") << QByteArray("&lastEventId=two") << QByteArray();
    QTest::newRow("last_event_id") << QByteArray("&last_event_id=tw%6f") << QByteArray();
    QTest::newRow("header wins") << QByteArray("&lastEventId=one")
                                 << QByteArray("Last-Event-ID: two\r\n");
}

void TestQSseHttpServer::resumes()
{
    QFETCH(QByteArray, query);
    QFETCH(QByteArray, header);
    Fixture f;
    for (const char *id : { "one", "two", "three" }) {
        QSseEvent event(id);
        event.setIdUtf8(id);
        f.server.notify(QStringLiteral("a"), event);
    }
    const auto client = f.get("/events?topic=a" + query, header);
    QTRY_COMPARE(client->data(), QStringList(QStringLiteral("three")));
}

void TestQSseHttpServer::accepts_data()
{
    QTest::addColumn<QByteArray>("accept");
    QTest::addColumn<int>("status");
    QTest::newRow("none") << QByteArray() << 200;
    QTest::newRow("exact") << QByteArray("text/event-stream") << 200;
    QTest::newRow("any") << QByteArray("*/*") << 200;
    QTest::newRow("text") << QByteArray("application/json, text/*;q=0.5") << 200;
    QTest::newRow("case") << QByteArray("Text/Event-Stream") << 200;
    QTest::newRow("other") << QByteArray("application/json") << 406;
    QTest::newRow("html") << QByteArray("text/html,application/xml;q=0.9") << 406;
    QTest::newRow("q=0") << QByteArray("text/event-stream;q=0, */*") << 406;
    QTest::newRow("any but this") << QByteArray("*/*, text/event-stream; q=0.000") << 406;
}

void TestQSseHttpServer::accepts()
{
    QFETCH(QByteArray, accept);
    QFETCH(int, status);
    Fixture f;
    const auto client =
        f.get("/events?topic=a", accept.isNull() ? accept : "Accept: " + accept + "\r\n");
    QTRY_COMPARE(client->status(), status);
}

void TestQSseHttpServer::refusesStream_data()
{
    QTest::addColumn<QByteArray>("request");
    QTest::addColumn<int>("status");
    QTest::addColumn<QByteArray>("text");
    const auto get = [](const QByteArray &target) { return StreamClient::get(target); };
    QTest::newRow("no topic") << get("/events") << 400 << QByteArray("No topic is given\n");
    QTest::newRow("empty topic") << get("/events?topic=") << 400
                                 << QByteArray("A topic must not be empty\n");
    QTest::newRow("bad filter") << get("/events?topic=a/**/b") << 400
                                << QByteArray("'**' must be the last level of a topic filter\n");
    QTest::newRow("one bad of two") << get("/events?topic=known&topic=b*") << 400
                                    << QByteArray("'*' must be a whole level of a topic filter\n");
    QTest::newRow("no UTF-8") << get("/events?topic=a%ff") << 400
                              << QByteArray("A topic must be valid Unicode\n");
    QTest::newRow("too long") << get("/events?topic=" + QByteArray(256, 'a')) << 400
                              << QByteArray("A topic must not be longer than 255 bytes\n");
    QTest::newRow("too many") << get("/events?topic=a" + QByteArray("&topic=a").repeated(100))
                              << 400 << QByteArray("More than 100 topics are given\n");
    QTest::newRow("unknown topic")
        << get("/events?topic=unknown") << 404 << QByteArray("There is no topic 'unknown'\n");
    for (const QByteArray method : { "POST", "PUT", "DELETE", "PATCH" }) {
        QTest::newRow(method)
            << method
                + QByteArray(
                    " /events?topic=known HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
            << 405 << QByteArray("The method is not allowed here; use GET, HEAD\n");
    }
}

void TestQSseHttpServer::refusesStream()
{
    QFETCH(QByteArray, request);
    QFETCH(int, status);
    QFETCH(QByteArray, text);
    Fixture f;
    f.server.setStrict(true);
    f.server.topic(QStringLiteral("known"));
    const auto undisturbed = f.get("/events?topic=known");
    QTRY_COMPARE(undisturbed->status(), 200);

    const auto client = f.request(request);
    QTRY_COMPARE(client->body(), text);
    QCOMPARE(client->status(), status);
    if (status == 405)
        QVERIFY(hasLine(client->head(), "Allow: GET, HEAD, OPTIONS"));

    f.server.notify(QStringLiteral("known"), QSseEvent("1"));
    QTRY_COMPARE(undisturbed->data(), QStringList(QStringLiteral("1")));
    QCOMPARE(f.server.subscriberCount(), 1);
}

void TestQSseHttpServer::refusesWhenFull()
{
    Fixture f;
    f.server.setMaximumSubscribers(1);
    const auto first = f.get("/events?topic=a");
    QTRY_COMPARE(first->status(), 200);
    const auto second = f.get("/events?topic=a");
    QTRY_COMPARE(second->status(), 503);
    QVERIFY(hasLine(second->head(), "Retry-After: 2"));
}

void TestQSseHttpServer::head()
{
    Fixture f;
    const auto client = f.request("HEAD /events?topic=a HTTP/1.1\r\nHost: localhost\r\n\r\n");
    QTRY_COMPARE(client->status(), 200);
    QVERIFY(hasLine(client->head(), "Content-Type: text/event-stream"));
    QVERIFY(client->body().isEmpty());
    QCOMPARE(f.server.subscriberCount(), 0);
}

void TestQSseHttpServer::publishes_data()
{
    QTest::addColumn<QByteArray>("target");
    QTest::addColumn<QByteArray>("body");
    QTest::addColumn<QByteArray>("frame");
    QTest::newRow("data") << QByteArray("/topics/a/b") << QByteArray("1\n2")
                          << QByteArray("data: 1\ndata: 2\n\n");
    QTest::newRow("all fields") << QByteArray("/topics/a/b?event=e&id=i%201&retry=7")
                                << QByteArray("x")
                                << QByteArray("id: i 1\nevent: e\ndata: x\nretry: 7\n\n");
    QTest::newRow("encoded") << QByteArray("/topics/a%2Fb") << QByteArray("x")
                             << QByteArray("data: x\n\n");
    QTest::newRow("empty body") << QByteArray("/topics/a/b") << QByteArray()
                                << QByteArray("data: \n\n");
    QTest::newRow("no UTF-8") << QByteArray("/topics/a/b") << QByteArray("\xff")
                              << QByteArray("data: \xef\xbf\xbd\n\n");
}

void TestQSseHttpServer::publishes()
{
    QFETCH(QByteArray, target);
    QFETCH(QByteArray, body);
    QFETCH(QByteArray, frame);
    Fixture f;
    QSignalSpy published(&f.server, &QSseServer::notified);
    const auto subscriber = f.get("/events?topic=a/b");
    QTRY_VERIFY(!subscriber->body().isEmpty());
    const auto publisher = f.post(target, body);
    QTRY_COMPARE(published.size(), 1);
    QTRY_COMPARE(publisher->status(), 200);
    QVERIFY(hasLine(publisher->head(), "Content-Type: text/plain; charset=utf-8"));
    QTRY_COMPARE(QString::fromUtf8(publisher->body()),
                 published.at(0).at(0).value<QSseEvent>().id());
    QTRY_VERIFY2(subscriber->body().endsWith(frame), subscriber->body());
}

void TestQSseHttpServer::publishesJson()
{
    Fixture f;
    QSignalSpy published(&f.server, &QSseServer::notified);
    const auto one =
        f.post("/topics", R"({"topic":"a","data":"text","event":"e","id":"i","retry":5})");
    QTRY_COMPARE(one->body(), QByteArray(R"(["i"])"));
    QVERIFY(hasLine(one->head(), "Content-Type: application/json"));
    QTRY_COMPARE(published.size(), 1);
    const auto event = published.at(0).at(0).value<QSseEvent>();
    QCOMPARE(event.topic(), QStringLiteral("a"));
    QCOMPARE(event.data(), QStringLiteral("text"));
    QCOMPARE(event.event(), QStringLiteral("e"));
    QCOMPARE(event.retry(), 5ms);

    const auto many =
        f.post("/topics", R"([{"topic":"a","data":{"x":[1,null]}},{"topic":"b","data":2.5},
        {"topic":"c","comment":"only"}])");
    QTRY_COMPARE(many->status(), 200);
    QTRY_COMPARE(QJsonDocument::fromJson(many->body()).array().size(), 3);
    QTRY_COMPARE(published.size(), 4);
    QCOMPARE(published.at(1).at(0).value<QSseEvent>().data(), QStringLiteral(R"({"x":[1,null]})"));
    QCOMPARE(published.at(2).at(0).value<QSseEvent>().data(), QStringLiteral("2.5"));
    QVERIFY(!published.at(3).at(0).value<QSseEvent>().hasData());
}

void TestQSseHttpServer::refusesPublishing_data()
{
    QTest::addColumn<QByteArray>("target");
    QTest::addColumn<QByteArray>("body");
    QTest::addColumn<int>("status");
    QTest::addColumn<QByteArray>("text");
    const QByteArray badId = "An id must not have a line break or a NUL\n";
    const auto row = [](const char *name, const char *target, const QByteArray &body, int status,
                        const QByteArray &text) {
        QTest::newRow(name) << QByteArray(target) << body << status << text;
    };
    row("no topic", "/topics/", "x", 400, "A topic must not be empty\n");
    row("wildcard", "/topics/a/*", "x", 400, "A topic's name must not have '*'\n");
    row("empty level", "/topics/a//b", "x", 400, "A topic must not have an empty level\n");
    row("control", "/topics/a%01", "x", 400, "A topic must not have control characters\n");
    row("newline in topic", "/topics/a%0Ab", "x", 400,
        "A topic must not have control characters\n");
    row("topic no UTF-8", "/topics/%ff", "x", 400, "A topic must be valid Unicode\n");
    row("LF in id", "/topics/a?id=1%0A2", "x", 400, badId);
    row("CR in id", "/topics/a?id=1%0D2", "x", 400, badId);
    row("NUL in id", "/topics/a?id=1%002", "x", 400, badId);
    row("LF in event", "/topics/a?event=1%0A2", "x", 400,
        "An event name must not have a line break\n");
    row("retry", "/topics/a?retry=soon", "x", 400, "'retry' must be a number of milliseconds\n");
    row("no JSON", "/topics", "x", 400, "The body is not JSON: illegal value at byte 1\n");
    row("JSON no UTF-8", "/topics", "{\"topic\":\"\xff\"}", 400,
        "The body is not JSON: invalid UTF8 string at byte 10\n");
    row("no object", "/topics", "[1]", 400, "An event must be a JSON object\n");
    row("empty array", "/topics", "[]", 400, "There is no event in the array\n");
    row("JSON without topic", "/topics", R"({"data":"x"})", 400, "'topic' is missing\n");
    row("JSON without data", "/topics", R"({"topic":"a"})", 400,
        "An event needs data, a comment, an id or a retry\n");
    row("JSON bad id", "/topics", R"({"topic":"a","data":"x","id":"a\u0000"})", 400, badId);
    row("JSON id no string", "/topics", R"({"topic":"a","data":"x","id":1})", 400,
        "'id' must be a string\n");
    row("JSON retry", "/topics", R"({"topic":"a","data":"x","retry":-1})", 400,
        "'retry' must be a number of milliseconds\n");
    row("one bad of two", "/topics", R"([{"topic":"a","data":"x"},{"topic":"a","id":"\n"}])", 400,
        badId);
    row("unknown topic", "/topics/unknown", "x", 404, "There is no topic 'unknown'\n");
    row("body too large", "/topics/a", QByteArray(1001, 'x'), 413,
        "The body has more than 1000 bytes\n");
    row("event too large", "/topics/a", QByteArray(501, 'x'), 413,
        "The event has 501 bytes, more than the limit of 500\n");
}

void TestQSseHttpServer::refusesPublishing()
{
    QFETCH(QByteArray, target);
    QFETCH(QByteArray, body);
    QFETCH(int, status);
    QFETCH(QByteArray, text);
    Fixture f;
    f.http.setMaximumBodySize(1000);
    f.server.setMaximumEventSize(500);
    f.server.setStrict(true);
    f.server.topic(QStringLiteral("a"));
    QSignalSpy published(&f.server, &QSseServer::notified);

    const auto client = f.post(target, body);
    QTRY_COMPARE(client->body(), text);
    QCOMPARE(client->status(), status);

    // Nothing of it was published, and what comes next is.
    const auto fine = f.post("/topics/a", "fine");
    QTRY_COMPARE(fine->status(), 200);
    QTRY_COMPARE(published.size(), 1);
    QCOMPARE(published.at(0).at(0).value<QSseEvent>().data(), QStringLiteral("fine"));

    const auto method = f.get(target);
    QTRY_COMPARE(method->status(), 405);
    QVERIFY(hasLine(method->head(), "Allow: POST, OPTIONS"));
}

void TestQSseHttpServer::refusesForeignOrigins()
{
    Fixture f;
    const auto status = [&](const QByteArray &origin) {
        const auto client = f.post("/topics/a", "x", "Origin: " + origin + "\r\n");
        return QTest::qWaitFor([&] { return client->status() > 0; }) ? client->status() : 0;
    };
    QCOMPARE(status("http://evil.example"), 403);
    QCOMPARE(status("null"), 403);
    QCOMPARE(status("http://localhost"), 200);
    f.http.setAllowedOrigins({ QStringLiteral("https://good.example") });
    QCOMPARE(status("https://good.example"), 200);
    QCOMPARE(status("http://evil.example"), 403);
}

void TestQSseHttpServer::corsForStreams()
{
    Fixture f;
    const QByteArray origin = "Origin: https://good.example\r\n";
    const auto none = f.get("/events?topic=a", origin);
    QTRY_COMPARE(none->status(), 200);
    QVERIFY(!none->head().toLower().contains("access-control"));

    f.http.setAllowedOrigins({ QStringLiteral("https://good.example") });
    const auto good = f.get("/events?topic=a", origin);
    QTRY_COMPARE(good->status(), 200);
    QVERIFY(hasLine(good->head(), "Access-Control-Allow-Origin: https://good.example"));
    QVERIFY(hasLine(good->head(), "Access-Control-Allow-Credentials: true"));
    QVERIFY(hasLine(good->head(), "Vary: Origin"));
    const auto evil = f.get("/events?topic=a", "Origin: https://evil.example\r\n");
    QTRY_COMPARE(evil->status(), 200);
    QVERIFY(!evil->head().toLower().contains("access-control"));

    f.http.setAllowedOrigins({ QStringLiteral("*") });
    const auto any = f.get("/events?topic=", origin); // errors are readable for the page too
    QTRY_COMPARE(any->status(), 400);
    QVERIFY(hasLine(any->head(), "Access-Control-Allow-Origin: *"));
    QVERIFY(!any->head().toLower().contains("credentials"));
}

void TestQSseHttpServer::corsPreflight()
{
    Fixture f;
    f.http.setAllowedOrigins({ QStringLiteral("https://good.example") });
    const auto client = f.request("OPTIONS /events HTTP/1.1\r\nHost: localhost\r\n"
                                  "Origin: https://good.example\r\n"
                                  "Access-Control-Request-Method: GET\r\n"
                                  "Access-Control-Request-Headers: last-event-id\r\n\r\n");
    QTRY_COMPARE(client->status(), 204);
    QVERIFY(hasLine(client->head(), "Access-Control-Allow-Methods: GET, HEAD"));
    QVERIFY(client->head().toLower().contains("access-control-allow-headers: last-event-id"));
    QVERIFY(hasLine(client->head(), "Allow: GET, HEAD, OPTIONS"));
}

void TestQSseHttpServer::asksTheAuthorizer_data()
{
    QTest::addColumn<QByteArray>("request");
    QTest::addColumn<bool>("isPublish");
    QTest::addColumn<QStringList>("topics");
    const QByteArray end = " HTTP/1.1\r\nHost: localhost\r\n";
    const QStringList wanted { QStringLiteral("a"), QStringLiteral("b/**") };
    QTest::newRow("GET") << "GET /events?topic=a&topic=b/**" + end << false << wanted;
    QTest::newRow("HEAD") << "HEAD /events?topic=a&topic=b/**" + end << false << wanted;
    QTest::newRow("fixed topics") << "GET /fixed?topic=other" + end << false
                                  << QStringList { QStringLiteral("a"), QStringLiteral("b/*") };
    QTest::newRow("POST of text") << "POST /topics/a/b" + end + "Content-Length: 0\r\n"
                                  << true << QStringList { QStringLiteral("a/b") };
    QTest::newRow("POST of JSON") << "POST /topics" + end + "Content-Length: 70\r\n"
                                  << true
                                  << QStringList { QStringLiteral("a"), QStringLiteral("b") };
}

void TestQSseHttpServer::asksTheAuthorizer()
{
    QFETCH(QByteArray, request);
    QFETCH(bool, isPublish);
    QFETCH(QStringList, topics);
    Fixture f;
    int asked = 0;
    f.http.setAuthorizer([&](const QSseAccessRequest &access) {
        ++asked;
        QStringList patterns;
        for (const QSseTopicFilter &filter : access.topics)
            patterns.append(filter.pattern());
        const bool isExpected = patterns == topics && access.token == QLatin1String("secret")
            && access.request.value("X-Test") == "1"
            && (access.action == QSseAccessRequest::Action::Publish) == isPublish;
        return isExpected ? QSseAccess::allow({ { QStringLiteral("sub"), QStringLiteral("al") } })
                          : QSseAccess::forbidden(patterns.join(QLatin1Char(' ')));
    });
    QSignalSpy added(&f.server, &QSseServer::subscriberAdded);
    const auto client =
        f.request(request + "X-Test: 1\r\nAuthorization: Bearer secret\r\n\r\n"
                  + R"([{"topic":"a","data":1},{"topic":"b","data":2},{"topic":"a","data":3}])");
    QTRY_VERIFY(client->status() > 0);
    QVERIFY2(client->status() == 200, client->body());
    QCOMPARE(asked, 1);
    if (!added.isEmpty()) {
        const auto subscriber = added.at(0).at(0).value<QSseSubscriber>();
        QCOMPARE(subscriber.claims().value(QStringLiteral("sub")).toString(), QStringLiteral("al"));
    }
}

void TestQSseHttpServer::findsToken_data()
{
    QTest::addColumn<QByteArray>("query");
    QTest::addColumn<QByteArray>("headers");
    QTest::addColumn<QString>("token"); // null for an answer with 400
    const auto row = [](const char *name, const char *query, const QByteArray &headers,
                        const char *token) {
        QTest::newRow(name) << QByteArray(query) << headers
                            << (token ? QString::fromUtf8(token) : QString());
    };
    row("none", "", "", "");
    row("Bearer", "", "Authorization: Bearer a.b-c_d~e+f/g==\r\n", "a.b-c_d~e+f/g==");
    row("any case", "", "authorization: bEARER t\r\n", "t");
    row("other scheme", "", "Authorization: Basic dDp0\r\n", "");
    row("other scheme, similar", "", "Authorization: Bearers t\r\n", "");
    row("no token after Bearer", "", "Authorization: Bearer\r\n", "");
    row("two in one header", "", "Authorization: Bearer a b\r\n", nullptr);
    row("two in a list", "", "Authorization: Bearer a, Bearer a\r\n", nullptr);
    row("two headers", "", "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n", nullptr);
    row("cookie", "", "Cookie: x=1; qsse_token=t=u; y\r\n", "t=u");
    row("quoted cookie", "", "Cookie: qsse_token=\"t\"\r\n", "t");
    row("other cookies", "", "Cookie: xqsse_token=1; QSSE_TOKEN=2; =3\r\n", "");
    row("second Cookie header", "", "Cookie: x=1\r\nCookie: qsse_token=t\r\n", "t");
    row("two cookies", "", "Cookie: qsse_token=t; qsse_token=u\r\n", nullptr);
    row("empty cookie", "", "Cookie: qsse_token=\r\n", "");
    row("query", "&access_token=a%2Bb+c", "", "a+b+c");
    row("empty in query", "&access_token=", "", "");
    row("two in query", "&access_token=a&access_token=b", "", nullptr);
    row("the same three times", "&access_token=t",
        "Authorization: Bearer t\r\nCookie: qsse_token=t\r\n", "t");
    row("header and query", "&access_token=t", "Authorization: Bearer u\r\n", nullptr);
    row("header and cookie", "", "Authorization: Bearer t\r\nCookie: qsse_token=u\r\n", nullptr);
    row("cookie and query", "&access_token=t", "Cookie: qsse_token=u\r\n", nullptr);
}

void TestQSseHttpServer::findsToken()
{
    QFETCH(QByteArray, query);
    QFETCH(QByteArray, headers);
    QFETCH(QString, token);
    Fixture f;
    QStringList tokens;
    f.http.setAuthorizer([&](const QSseAccessRequest &access) {
        tokens.append(access.token);
        return QSseAccess::allow();
    });
    const auto client = f.get("/events?topic=a" + query, headers);
    QTRY_VERIFY(client->status() > 0);
    if (token.isNull()) {
        QCOMPARE(client->status(), 400);
        QVERIFY(hasLine(client->head(),
                        R"(WWW-Authenticate: Bearer realm="QSse", error="invalid_request")"));
        QVERIFY(tokens.isEmpty());
    } else {
        QCOMPARE(client->status(), 200);
        QCOMPARE(tokens, QStringList(token));
    }

    // The name of the cookie is for the application to choose.
    QSignalSpy changed(&f.http, &QSseHttpServer::tokenCookieChanged);
    f.http.setTokenCookie(QStringLiteral("mine"));
    QCOMPARE(changed.size(), 1);
    tokens.clear();
    const auto other = f.get("/events?topic=a", "Cookie: qsse_token=t; mine=u\r\n");
    QTRY_COMPARE(tokens, QStringList(QStringLiteral("u")));
    f.http.setTokenCookie(QString());
    const auto none = f.get("/events?topic=a", "Cookie: qsse_token=t; mine=u; =v\r\n");
    QTRY_COMPARE(tokens.value(1, QStringLiteral("?")), QString());
}

void TestQSseHttpServer::keepsTokensOutOfCaches()
{
    Fixture f;
    f.http.setAuthorizer([](const QSseAccessRequest &access) {
        return access.token == QLatin1String("t") ? QSseAccess::allow()
                                                  : QSseAccess::forbidden(QString());
    });
    for (const QByteArray token : { "t", "u" }) {
        const auto stream = f.get("/events?topic=a&access_token=" + token);
        QTRY_COMPARE(stream->status(), token == "t" ? 200 : 403);
        QVERIFY(hasLine(stream->head(), "Cache-Control: no-store, private"));
        const auto publisher = f.post("/topics/a?access_token=" + token, "x");
        QTRY_COMPARE(publisher->status(), token == "t" ? 200 : 403);
        QVERIFY(hasLine(publisher->head(), "Cache-Control: no-store, private"));
    }
    const auto other = f.get("/events?topic=a", "Authorization: Bearer t\r\n");
    QTRY_COMPARE(other->status(), 200);
    QVERIFY(!hasLine(other->head(), "Cache-Control: no-store, private"));
}

void TestQSseHttpServer::narrowsStreams()
{
    Fixture f;
    f.http.setAuthorizer([](const QSseAccessRequest &) {
        return QSseAccess::allowOnly({ "mine/*" }, { { QStringLiteral("n"), 1 } });
    });
    QSignalSpy added(&f.server, &QSseServer::subscriberAdded);
    const auto client = f.get("/events?topic=**");
    QTRY_COMPARE(added.size(), 1);
    const auto subscriber = added.at(0).at(0).value<QSseSubscriber>();
    QCOMPARE(subscriber.topics(), QList<QSseTopicFilter>({ "mine/*" }));
    QCOMPARE(subscriber.claims(), QVariantMap({ { QStringLiteral("n"), 1 } }));
    f.server.notify(QStringLiteral("yours/a"), QSseEvent("1"));
    f.server.notify(QStringLiteral("mine/a"), QSseEvent("2"));
    QTRY_COMPARE(client->data(), QStringList(QStringLiteral("2")));
}

void TestQSseHttpServer::sendsAway_data()
{
    QTest::addColumn<QByteArray>("token");
    QTest::addColumn<int>("status");
    QTest::addColumn<QByteArray>("text");
    QTest::addColumn<QByteArray>("challenge");
    const QByteArray challenge = R"(WWW-Authenticate: Bearer realm="QSse")";
    QTest::newRow("no token") << QByteArray() << 401 << QByteArray("Who is there?\n") << challenge;
    QTest::newRow("bad token") << QByteArray("bad") << 401 << QByteArray("Who is there?\n")
                               << challenge + R"(, error="invalid_token")";
    QTest::newRow("forbidden") << QByteArray("known") << 403 << QByteArray("Not you\n")
                               << challenge + R"(, error="insufficient_scope")";
    QTest::newRow("expired") << QByteArray("expired") << 401
                             << QByteArray("The access has expired\n")
                             << challenge + R"(, error="invalid_token")";
    QTest::newRow("nothing left") << QByteArray("nothing") << 403
                                  << QByteArray("None of the topics is allowed\n")
                                  << challenge + R"(, error="insufficient_scope")";
}

void TestQSseHttpServer::sendsAway()
{
    QFETCH(QByteArray, token);
    QFETCH(int, status);
    QFETCH(QByteArray, text);
    QFETCH(QByteArray, challenge);
    Fixture f;
    f.http.setAllowedOrigins({ QStringLiteral("https://good.example") });
    f.http.setAuthorizer([](const QSseAccessRequest &access) {
        QSseAccess allowed = QSseAccess::allow();
        if (access.token == QLatin1String("nothing"))
            return QSseAccess::allowOnly(QList<QSseTopicFilter>());
        if (access.token == QLatin1String("expired"))
            allowed.expiresAt = QDateTime::currentDateTimeUtc();
        else if (access.token == QLatin1String("known"))
            return QSseAccess::forbidden(QStringLiteral("Not you"));
        else
            return QSseAccess::unauthorized(QStringLiteral("Who is there?"));
        return allowed;
    });
    QSignalSpy published(&f.server, &QSseServer::notified);
    QByteArray headers = "Origin: https://good.example\r\n";
    if (!token.isEmpty())
        headers += "Authorization: Bearer " + token + "\r\n";

    const auto stream = f.get("/events?topic=a", headers);
    const auto publisher = f.post("/topics/a", "x", headers);
    for (const auto &client : { stream.get(), publisher.get() }) {
        QTRY_COMPARE(client->body(), text);
        QCOMPARE(client->status(), status);
        QVERIFY2(hasLine(client->head(), challenge), client->head());
        // A page may read why.
        QVERIFY(hasLine(client->head(), "Access-Control-Allow-Origin: https://good.example"));
    }
    const auto head =
        f.request("HEAD /events?topic=a HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n");
    QTRY_COMPARE(head->status(), status);
    QVERIFY(head->body().isEmpty());
    QVERIFY(published.isEmpty());
    QCOMPARE(f.server.subscriberCount(), 0);
}

// Who may not have a topic cannot find out whether there is one either.
void TestQSseHttpServer::tellsNothingOfTopics()
{
    Fixture f;
    f.server.setStrict(true);
    f.server.topic(QStringLiteral("known"));
    int asked = 0;
    f.http.setAuthorizer([&](const QSseAccessRequest &access) {
        ++asked;
        return access.token.isEmpty() ? QSseAccess::forbidden(QStringLiteral("no"))
                                      : QSseAccess::allow();
    });
    for (const QByteArray topic : { "known", "unknown" }) {
        const auto stream = f.get("/events?topic=" + topic);
        QTRY_COMPARE(stream->status(), 403);
        const auto publisher = f.post("/topics/" + topic, "x");
        QTRY_COMPARE(publisher->status(), 403);
    }
    const auto stream = f.get("/events?topic=unknown", "Authorization: Bearer t\r\n");
    QTRY_COMPARE(stream->status(), 404);
    const auto publisher = f.post("/topics/unknown", "x", "Authorization: Bearer t\r\n");
    QTRY_COMPARE(publisher->status(), 404);
    QCOMPARE(asked, 6);

    // What is no topic at all is no secret, and the authorizer is spared it.
    for (const QByteArray target :
         { "/events", "/events?topic=unknown&topic=a*", "/events?topic=a/**/b" }) {
        const auto client = f.get(target);
        QTRY_COMPARE(client->status(), 400);
    }
    const auto wildcard = f.post("/topics/a/*", "x");
    QTRY_COMPARE(wildcard->status(), 400);
    QCOMPARE(asked, 6);
}

void TestQSseHttpServer::answersPreflightsWithoutToken()
{
    Fixture f;
    f.http.setAllowedOrigins({ QStringLiteral("https://good.example") });
    int asked = 0;
    f.http.setAuthorizer([&](const QSseAccessRequest &) {
        ++asked;
        return QSseAccess::unauthorized(QString());
    });
    for (const QByteArray target : { "/events", "/topics/a" }) {
        const auto client =
            f.request("OPTIONS " + target
                      + " HTTP/1.1\r\nHost: localhost\r\nOrigin: https://good.example\r\n"
                        "Access-Control-Request-Method: POST\r\n"
                        "Access-Control-Request-Headers: authorization\r\n\r\n");
        QTRY_COMPARE(client->status(), 204);
        static const QRegularExpression allowsAuthorization(
            QStringLiteral("\r\naccess-control-allow-headers: [^\r]*\\bauthorization\\b"));
        QVERIFY(QString::fromLatin1(client->head().toLower()).contains(allowsAuthorization));
    }
    QCOMPARE(asked, 0);
}

void TestQSseHttpServer::refusesOnlyWhatTheAuthorizerFailsAt_data()
{
    QTest::addColumn<QByteArray>("token");
    for (const char *token :
         { "throws", "throws a number", "nothing decided", "bad filter", "bad grant" })
        QTest::newRow(token) << QByteArray(token).replace(' ', '-');
}

void TestQSseHttpServer::refusesOnlyWhatTheAuthorizerFailsAt()
{
    QFETCH(QByteArray, token);
    Fixture f;
    f.http.setAuthorizer([&](const QSseAccessRequest &access) {
        if (access.token == QLatin1String("throws"))
            throw std::runtime_error("what the token was: " + access.token.toStdString());
        if (access.token == QLatin1String("throws-a-number"))
            throw 1;
        if (access.token == QLatin1String("bad-filter"))
            return QSseAccess::allowOnly({ "a", "b*" });
        QSseAccess decided = QSseAccess::allow();
        if (access.token == QLatin1String("bad-grant"))
            decided.grants = { "a*" };
        return access.token == QLatin1String("nothing-decided") ? QSseAccess() : decided;
    });
    const auto undisturbed = f.get("/events?topic=a");
    QTRY_COMPARE(undisturbed->status(), 200);

    const QByteArray headers = "Authorization: Bearer " + token + "\r\n";
    const QString warning =
        QLatin1String(token.startsWith("throws") ? "authorizer threw" : "answer makes no sense");
    for (int i = 0; i < 2; ++i)
        QTest::ignoreMessage(QtWarningMsg, QRegularExpression(warning));
    const auto stream = f.get("/events?topic=a", headers);
    QTRY_COMPARE(stream->body(), QByteArray("Whether this is allowed could not be found out\n"));
    QCOMPARE(stream->status(), 500);
    const auto publisher = f.post("/topics/a", "x", headers);
    QTRY_COMPARE(publisher->status(), 500);

    const auto fine = f.post("/topics/a", "fine");
    QTRY_COMPARE(fine->status(), 200);
    QTRY_COMPARE(undisturbed->data(), QStringList(QStringLiteral("fine")));
}

// What the authorizer grants is what is seen, and for as long.
void TestQSseHttpServer::grantsPrivateTopicsForATime()
{
    Fixture f;
    f.server.setPrivateTopics({ "user/**" });
    f.http.setAuthorizer([](const QSseAccessRequest &request) {
        QSseAccess access = QSseAccess::allow();
        if (request.token != QLatin1String("ann"))
            return access;
        access.grants = { "user/ann" };
        access.expiresAt = QDateTime::currentDateTimeUtc().addMSecs(300);
        return access;
    });
    const QByteArray ann = "Authorization: Bearer ann\r\n";
    const auto anyone = f.get("/events?topic=**");
    QTRY_COMPARE(anyone->status(), 200);
    const auto her = f.get("/events?topic=**", ann);
    QTRY_COMPARE(her->status(), 200);
    const auto byName = f.get("/events?topic=user/ann", ann);
    QTRY_COMPARE(byName->status(), 200);
    f.server.notify(QStringLiteral("user/ann"), QSseEvent("for her"));
    f.server.notify(QStringLiteral("user/bob"), QSseEvent("for him"));
    f.server.notify(QStringLiteral("news"), QSseEvent("for all"));
    QTRY_COMPARE(her->data().join(QLatin1Char('|')), QStringLiteral("for her|for all"));
    QTRY_COMPARE(anyone->data(), QStringList(QStringLiteral("for all")));
    QTRY_VERIFY_WITH_TIMEOUT(her->isEnded(), 2000);
    QVERIFY(!anyone->isEnded());

    const auto curious = f.get("/events?topic=user/ann");
    QTRY_COMPARE(curious->status(), 403);
    QTRY_COMPARE(curious->body(), QByteArray("The topic 'user/ann' is private\n"));
}

namespace {
// A log that stores when it is told to.
class SlowLog : public QSseMemoryLog
{
public:
    bool isDurable() const override { return true; }
    void flush(std::function<void(const QString &)> done) override { waiting.push_back(done); }
    void store(const QString &error = QString())
    {
        std::thread([this, error] {
            for (const auto &done : waiting)
                done(error);
            waiting.clear();
        }).join();
    }

    std::vector<std::function<void(const QString &)>> waiting;
};
} // namespace

// Who publishes is answered when the events are stored; subscribers do not wait for that.
void TestQSseHttpServer::answersWhenStored()
{
    Fixture f;
    const auto log = std::make_shared<SlowLog>();
    f.server.setEventLog(log);
    const auto subscriber = f.get("/events?topic=a");
    QTRY_COMPARE(subscriber->status(), 200);
    const auto one = f.post("/topics/a", "1");
    const auto gone = f.post("/topics/a", "2");
    QTRY_COMPARE(log->waiting.size(), size_t(2));
    QTRY_COMPARE(subscriber->events().size(), 2);
    QCOMPARE(one->status(), 0);
    gone->socket().abort();
    log->store();
    QTRY_COMPARE(one->status(), 200);
    QTRY_COMPARE(one->body(), f.server.eventsSince({}, { "a" })->constFirst().idUtf8());

    const auto lost = f.post("/topics/a", "3");
    QTRY_COMPARE(log->waiting.size(), size_t(1));
    log->store(QStringLiteral("no space left in /somewhere"));
    QTRY_COMPARE(lost->status(), 507);
    QTRY_COMPARE(lost->body(), QByteArray("The events were sent, but are not stored\n"));
    QTRY_COMPARE(subscriber->events().size(), 3);

    // The server ends before the log has stored.
    auto ending = std::make_unique<Fixture>();
    ending->server.setEventLog(log);
    const auto never = ending->post("/topics/a", "4");
    QTRY_COMPARE(log->waiting.size(), size_t(1));
    ending.reset();
    log->store();
    QTRY_VERIFY(never->isEnded());
}

// All topics of a request must be allowed: nothing of it is published otherwise.
void TestQSseHttpServer::authorizesPublishing()
{
    Fixture f;
    f.http.setPublishKey("key"); // means nothing beside an authorizer
    f.http.setAuthorizer([](const QSseAccessRequest &access) {
        const auto isMine = [](const QSseTopicFilter &f) {
            return f.pattern().startsWith(QLatin1String("mine/"));
        };
        return std::all_of(access.topics.begin(), access.topics.end(), isMine)
            ? QSseAccess::allow()
            : QSseAccess::forbidden(QStringLiteral("not yours"));
    });
    QSignalSpy published(&f.server, &QSseServer::notified);
    const auto mixed =
        f.post("/topics", R"([{"topic":"mine/a","data":1},{"topic":"yours/a","data":2}])");
    QTRY_COMPARE(mixed->status(), 403);
    const auto yours = f.post("/topics/yours/a", "3", "Authorization: Bearer key\r\n");
    QTRY_COMPARE(yours->status(), 403);
    const auto mine =
        f.post("/topics", R"([{"topic":"mine/a","data":4},{"topic":"mine/b","data":5}])");
    QTRY_COMPARE(mine->status(), 200);
    QTRY_COMPARE(published.size(), 2);
    QCOMPARE(published.at(0).at(0).value<QSseEvent>().data(), QStringLiteral("4"));
}

void TestQSseHttpServer::narrowsPublishing()
{
    Fixture f;
    f.http.setAuthorizer(
        [](const QSseAccessRequest &) { return QSseAccess::allowOnly({ "mine/*" }); });
    QSignalSpy published(&f.server, &QSseServer::notified);
    const auto mixed =
        f.post("/topics", R"([{"topic":"mine/a","data":1},{"topic":"yours","data":2}])");
    QTRY_COMPARE(mixed->body(), QByteArray("Publishing under 'yours' is not allowed\n"));
    QCOMPARE(mixed->status(), 403);
    const auto mine = f.post("/topics/mine/a", "3");
    QTRY_COMPARE(mine->status(), 200);
    QTRY_COMPARE(published.size(), 1);
}

void TestQSseHttpServer::filtersByClaims()
{
    Fixture f;
    f.http.route(QStringLiteral("/mine"),
                 [&](const QHttpServerRequest &request, QSse::Responder responder) {
                     QSseSubscription subscription { { "orders" } };
                     subscription.claims.insert(QStringLiteral("sub"),
                                                QString::fromLatin1(request.value("X-User")));
                     subscription.filter = [](const QSseEvent &event, const QSseSubscriber &who) {
                         return event.event() == who.claims().value(QStringLiteral("sub"));
                     };
                     subscription.lastEventId = QStringLiteral("earliest");
                     QSse::stream(f.server, *f.http.httpServer(), request, std::move(responder),
                                  subscription);
                 });
    for (const char *user : { "alice", "bob" }) {
        QSseEvent event(QByteArray("for ") + user);
        event.setEvent(QString::fromLatin1(user));
        event.setId(QString::fromLatin1(user));
        f.server.notify(QStringLiteral("orders"), event);
    }
    const auto alice = f.get("/mine", "X-User: alice\r\n");
    QTRY_COMPARE(alice->data(), QStringList(QStringLiteral("for alice")));
    const auto bob = f.get("/mine", "X-User: bob\r\n");
    QTRY_COMPARE(bob->data(), QStringList(QStringLiteral("for bob")));

    // The client's own id counts for more than the one it begins with.
    const auto back = f.get("/mine", "X-User: alice\r\nLast-Event-ID: alice\r\n");
    QTRY_COMPARE(back->status(), 200);
    QSseEvent event("again for alice");
    event.setEvent(QStringLiteral("alice"));
    f.server.notify(QStringLiteral("orders"), event);
    QTRY_COMPARE(back->data(), QStringList(QStringLiteral("again for alice")));
}

void TestQSseHttpServer::publishesByKey_data()
{
    QTest::addColumn<QByteArray>("query");
    QTest::addColumn<QByteArray>("headers");
    QTest::addColumn<int>("status");
    QTest::addColumn<QByteArray>("challenge");
    const QByteArray missing = R"(WWW-Authenticate: Bearer realm="QSse")";
    const QByteArray wrong = missing + R"(, error="invalid_token")";
    const auto row = [](const char *name, const char *query, const QByteArray &headers, int status,
                        const QByteArray &challenge) {
        QTest::newRow(name) << QByteArray(query) << headers << status << challenge;
    };
    row("header", "", "Authorization: Bearer the-key\r\n", 200, "");
    row("query", "?access_token=the-key", "", 200, "");
    row("cookie", "", "Cookie: qsse_token=the-key\r\nOrigin: http://localhost\r\n", 200, "");
    row("missing", "", "", 401, missing);
    row("Basic", "", "Authorization: Basic the-key\r\n", 401, missing);
    row("wrong", "", "Authorization: Bearer the-keys\r\n", 401, wrong);
    row("a part", "", "Authorization: Bearer the-ke\r\n", 401, wrong);
    row("two", "?access_token=other", "Authorization: Bearer the-key\r\n", 400,
        missing + R"(, error="invalid_request")");
    row("foreign origin", "", "Authorization: Bearer the-key\r\nOrigin: https://evil.example\r\n",
        403, "");
}

void TestQSseHttpServer::publishesByKey()
{
    QFETCH(QByteArray, query);
    QFETCH(QByteArray, headers);
    QFETCH(int, status);
    QFETCH(QByteArray, challenge);
    Fixture f;
    f.http.setPublishKey("the-key");
    // The key is what counts, not where the server listens.
    QVERIFY(f.http.listen(QHostAddress::Any) != 0);
    QSignalSpy published(&f.server, &QSseServer::notified);
    const auto client = f.post("/topics/a" + query, "x", headers);
    QTRY_COMPARE(client->status(), status);
    if (!challenge.isEmpty())
        QVERIFY2(hasLine(client->head(), challenge), client->head());
    const auto stream = f.get("/events?topic=a");
    QTRY_COMPARE(stream->status(), 200); // the key is for publishing alone
    QTRY_COMPARE(published.size(), status == 200 ? 1 : 0);
}

void TestQSseHttpServer::needsOriginForCookies()
{
    Fixture f;
    const auto status = [&](const QByteArray &headers) {
        const auto client = f.post("/topics/a", "x", "Cookie: qsse_token=t\r\n" + headers);
        return QTest::qWaitFor([&] { return client->status() > 0; }) ? client->status() : 0;
    };
    const QByteArray own = "Origin: http://localhost\r\n";
    const QByteArray other = "Origin: https://other.example\r\n";
    f.http.setPublishKey("t");
    for (int i = 0; i < 2; ++i) {
        f.http.setAllowedOrigins({});
        QCOMPARE(status(""), 403);
        QCOMPARE(status(other), 403);
        QCOMPARE(status("Origin: null\r\n"), 403);
        QCOMPARE(status(own), 200);
        QCOMPARE(status("Authorization: Bearer t\r\n"), 200); // no page makes a browser send this
        f.http.setAllowedOrigins({ QStringLiteral("*") });    // anybody, but without credentials
        QCOMPARE(status(other), 403);
        QCOMPARE(status(other + "Authorization: Bearer t\r\n"), 200);
        f.http.setAllowedOrigins({ QStringLiteral("https://other.example") });
        QCOMPARE(status(other), 200);
        // The same with an authorizer.
        f.http.setAuthorizer([](const QSseAccessRequest &) { return QSseAccess::allow(); });
    }
    const auto stream = f.get("/events?topic=a", "Cookie: qsse_token=t\r\n");
    QTRY_COMPARE(stream->status(), 200);
}

void TestQSseHttpServer::publishesOnLoopbackOnly()
{
    Fixture f;
    const auto status = [&](quint16 port) {
        StreamClient client(
            port, "POST /topics/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx");
        return QTest::qWaitFor([&] { return client.status() > 0; }) ? client.status() : 0;
    };
    QCOMPARE(status(f.port), 200);
    const quint16 second = f.http.listen(QHostAddress(QStringLiteral("127.0.0.2")));
    QVERIFY(second != 0);
    QCOMPARE(status(f.port), 200);
    const quint16 open = f.http.listen(QHostAddress::AnyIPv4);
    QVERIFY(open != 0);
    QCOMPARE(status(open), 403);
    QCOMPARE(status(f.port), 403); // nobody can tell what stands before which port
    f.http.setPublishKey("key");
    QCOMPARE(status(f.port), 401);
    f.http.setPublishKey({});

    // A listener that the application made counts as well.
    f.http.close();
    QTRY_VERIFY(f.http.httpServer()->servers().isEmpty());
    const quint16 again = f.http.listen(QHostAddress::LocalHost);
    QCOMPARE(status(again), 200);
    auto own = std::make_unique<QTcpServer>();
    QVERIFY(own->listen(QHostAddress::AnyIPv4));
    f.http.httpServer()->bind(own.release());
    QCOMPARE(status(again), 403);
}

void TestQSseHttpServer::servesHosts_data()
{
    QTest::addColumn<bool>("onLoopback");
    QTest::addColumn<QStringList>("allowed");
    QTest::addColumn<QByteArray>("host");
    QTest::addColumn<bool>("isServed");
    const auto row = [](bool onLoopback, const char *allowed, const char *host, bool isServed) {
        const QStringList names =
            QString::fromLatin1(allowed).split(QLatin1Char(' '), Qt::SkipEmptyParts);
        QTest::addRow("%s, allowed %s, %s", onLoopback ? "loopback" : "all", allowed, host)
            << onLoopback << names << QByteArray(host) << isServed;
    };
    for (const char *host : { "localhost", "LocalHost:8080", "localhost.", "a.localhost:1",
                              "127.0.0.1", "127.1.2.3:8080", "[::1]", "[::1]:8080", "" })
        row(true, "", host, true);
    for (const char *host : { "evil.example", "evil.example:8080", "localhost.evil.example",
                              "evillocalhost", "192.0.2.1", "[2001:db8::1]:80", "::1", "[::1",
                              "localhost, evil.example", "localhost@evil.example", "*" })
        row(true, "", host, false);
    row(false, "", "anything.example:80", true);
    for (const bool onLoopback : { true, false }) {
        row(onLoopback, "good.example [2001:db8::1]", "Good.Example:8080", true);
        row(onLoopback, "good.example [2001:db8::1]", "[2001:DB8::1]:80", true);
        row(onLoopback, "good.example [2001:db8::1]", "", true);
        row(onLoopback, "good.example [2001:db8::1]", "www.good.example", false);
        row(onLoopback, "good.example [2001:db8::1]", "localhost", false);
        row(onLoopback, "*", "anything.example", true);
    }
}

void TestQSseHttpServer::servesHosts()
{
    QFETCH(bool, onLoopback);
    QFETCH(QStringList, allowed);
    QFETCH(QByteArray, host);
    QFETCH(bool, isServed);
    Fixture f;
    QSignalSpy changed(&f.http, &QSseHttpServer::allowedHostsChanged);
    f.http.setAllowedHosts(allowed);
    QCOMPARE(changed.size(), allowed.isEmpty() ? 0 : 1);
    QCOMPARE(f.http.allowedHosts(), allowed);
    if (!onLoopback)
        QVERIFY(f.http.listen(QHostAddress::AnyIPv4) != 0);
    f.http.setPublishKey("key");
    f.http.setAllowedOrigins({ QStringLiteral("*") });

    const QByteArray headers =
        " HTTP/1.1\r\nHost: " + host + "\r\nAuthorization: Bearer key\r\nContent-Length: 0\r\n\r\n";
    const auto stream = f.request("GET /events?topic=a" + headers);
    QTRY_COMPARE(stream->status(), isServed ? 200 : 421);
    const auto publisher = f.request("POST /topics/a" + headers);
    QTRY_COMPARE(publisher->status(), isServed ? 200 : 421);
    const auto preflight = f.request("OPTIONS /topics/a" + headers);
    QTRY_COMPARE(preflight->status(), isServed ? 204 : 421);
    QCOMPARE(f.server.subscriberCount(), isServed ? 1 : 0);
}

namespace {

QMutex logMutex;
QByteArray logged;

// Qt HttpServer itself writes down each request, as a whole; everything else has to keep silent.
void keepLog(QtMsgType, const QMessageLogContext &context, const QString &text)
{
    const QByteArray category(context.category);
    if (category.startsWith("qt.httpserver") && text.startsWith(QLatin1String("Request:")))
        return;
    const QMutexLocker locker(&logMutex);
    logged += category + ": " + text.toUtf8() + '\n';
}

} // namespace

void TestQSseHttpServer::logsNoToken()
{
    logged.clear();
    QLoggingCategory::setFilterRules(QStringLiteral("*=true"));
    const QtMessageHandler former = qInstallMessageHandler(keepLog);
    QByteArray answers;
    {
        Fixture f;
        const QByteArray token = "dont-tell";
        const QList<QByteArray> headers {
            "Authorization: Bearer " + token + "\r\n",
            "Cookie: qsse_token=" + token + "\r\nOrigin: http://localhost\r\n",
            "Authorization: Bearer " + token + "\r\nCookie: qsse_token=" + token + "2\r\n",
            "Authorization: Bearer " + token + " " + token + "\r\n",
            "Host: evil.example\r\nAuthorization: Bearer " + token + "\r\n",
            "",
        };
        const auto send = [&] {
            for (const QByteArray &lines : headers) {
                const QByteArray query = lines.isEmpty() ? "&access_token=" + token : "";
                const auto stream = f.get("/events?topic=a" + query, lines);
                const auto publisher = f.post("/topics/a?event=e" + query, "x", lines);
                QTRY_VERIFY(stream->status() > 0 && publisher->status() > 0);
                answers += stream->head() + stream->body() + publisher->head() + publisher->body();
            }
        };
        QStringList known;
        QObject::connect(&f.server, &QSseServer::subscriberAdded, &f.server,
                         [&](const QSseSubscriber &subscriber) {
                             known += subscriber.lastEventId();
                             for (const QSseTopicFilter &filter : subscriber.topics())
                                 known += filter.pattern();
                             known += subscriber.claims().keys();
                         });
        f.http.setPublishKey("other-key");
        send();
        for (const char *decision : { "allow", "forbidden", "unauthorized", "throw", "none" }) {
            f.http.setAuthorizer([decision](const QSseAccessRequest &access) {
                if (qstrcmp(decision, "throw") == 0)
                    throw std::runtime_error(access.token.toStdString());
                if (qstrcmp(decision, "allow") == 0)
                    return QSseAccess::allow();
                if (qstrcmp(decision, "forbidden") == 0)
                    return QSseAccess::forbidden(QStringLiteral("no"));
                return qstrcmp(decision, "none") == 0
                    ? QSseAccess()
                    : QSseAccess::unauthorized(QStringLiteral("no"));
            });
            send();
        }
        QVERIFY(known.contains(QStringLiteral("a")));
        QVERIFY(!known.join(QString()).contains(QLatin1String("dont-tell")));
        f.server.disconnectAll();
        QTRY_COMPARE(f.server.subscriberCount(), 0);
    }
    qInstallMessageHandler(former);
    QLoggingCategory::setFilterRules(QString());
    QVERIFY(logged.contains("qsse.server: subscriber"));
    QVERIFY(logged.contains("qsse.http: The authorizer"));
    QVERIFY2(!logged.contains("dont-tell"), logged);
    QVERIFY2(!answers.contains("dont-tell"), answers);
}

void TestQSseHttpServer::manyConnectionsAtOnce()
{
    Fixture f;
    std::vector<std::unique_ptr<StreamClient>> clients;
    for (int i = 0; i < 300; ++i)
        clients.push_back(f.get("/events?topic=a"));
    QTRY_COMPARE(f.server.subscriberCount(), 300);
    f.server.notify(QStringLiteral("a"), QSseEvent("1"));
    for (const auto &client : clients)
        QTRY_COMPARE(client->data(), QStringList(QStringLiteral("1")));
}

void TestQSseHttpServer::listenFails()
{
    Fixture f;
    QSseHttpServer second(&f.server);
    QTest::ignoreMessage(QtWarningMsg, QRegularExpression(QStringLiteral("cannot listen")));
    QCOMPARE(second.listen(QHostAddress::LocalHost, f.port), 0);
    QVERIFY(!second.errorString().isEmpty());
    QCOMPARE(f.http.serverPorts(), QList<quint16>({ f.port }));
}

void TestQSseHttpServer::stopsListening()
{
    Fixture f;
    const auto client = f.get("/events?topic=a");
    QTRY_COMPARE(f.server.subscriberCount(), 1);
    f.http.close();
    QTcpSocket late;
    late.connectToHost(QHostAddress::LocalHost, f.port);
    QTRY_COMPARE(late.error(), QAbstractSocket::ConnectionRefusedError);
    f.server.notify(QStringLiteral("a"), QSseEvent("1"));
    QTRY_COMPARE(client->data(), QStringList(QStringLiteral("1")));
}

void TestQSseHttpServer::stopsListeningInRoute()
{
    Fixture f;
    f.http.route(QStringLiteral("/stop"), [&] {
        f.http.close();
        return "stopped";
    });
    const auto client = f.get("/stop");
    QTRY_COMPARE(client->body(), QByteArray("stopped"));
    QVERIFY(f.http.serverPorts().isEmpty());
}

void TestQSseHttpServer::movesToThread()
{
    QThread thread;
    auto *parent = new QObject;
    auto *server = new QSseServer(parent);
    auto *http = new QSseHttpServer(server, parent);
    http->addEventStream(QStringLiteral("/events"));
    parent->moveToThread(&thread);
    connect(&thread, &QThread::finished, parent, &QObject::deleteLater);
    thread.start();
    quint16 port = 0;
    QMetaObject::invokeMethod(
        http, [&] { port = http->listen(QHostAddress::LocalHost); }, Qt::BlockingQueuedConnection);
    StreamClient client(port, StreamClient::get("/events?topic=a"));
    QTRY_VERIFY(!client.body().isEmpty());
    server->notify(QStringLiteral("a"), QSseEvent("1"));
    QTRY_COMPARE(client.data(), QStringList(QStringLiteral("1")));
    thread.quit();
    thread.wait();
}

void TestQSseHttpServer::destroyedWithStreams()
{
    auto f = std::make_unique<Fixture>();
    const auto streaming = f->get("/events?topic=a");
    const auto waiting = f->request("GET /events?top");
    QTRY_COMPARE(f->server.subscriberCount(), 1);
    f.reset();
    QTRY_VERIFY(streaming->isEnded());
    QTRY_VERIFY(waiting->isEnded());
}

QTEST_GUILESS_MAIN(TestQSseHttpServer)
#include "tst_qssehttpserver.moc"
