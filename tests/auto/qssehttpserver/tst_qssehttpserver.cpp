// SPDX-License-Identifier: MIT
#include "streamclient.h"

#include <QSseHttpServer>
#include <QSseServer>
#include <QSseStream>
#include <QSseTopic>

#include <QtCore/QJsonArray>
#include <QtCore/QJsonDocument>
#include <QtCore/QRegularExpression>
#include <QtCore/QThread>
#include <QtNetwork/QTcpServer>
#include <QtTest/QSignalSpy>
#include <QtTest/QTest>

#include <memory>

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
        QTest::newRow(method) << method
                + QByteArray(" /events?topic=known HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
                              << 405
                              << QByteArray("The method is not allowed here; use GET, HEAD\n");
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
