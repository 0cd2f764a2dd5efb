// SPDX-License-Identifier: MIT
#include "fakesseserver.h"
#include "qsseqmleventlistener.h"
#include "qsseqmleventsource.h"
#include "qsseqmlserver.h"
#include "qsseqmltopic.h"

#include <QtCore/QJsonDocument>
#include <QtCore/QJsonObject>
#include <QtQml/QQmlComponent>
#include <QtQml/QQmlEngine>
#include <QtTest/QSignalSpy>
#include <QtTest/QTest>

#include <memory>
#include <utility>

// Everything goes over HTTP, between the module's types or to a server of the test's, in one QML
// file each.
class tst_QSseQml : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void initTestCase();
    void cleanup();

    void serverProperties();
    void serverErrors();
    void serverMoves();
    void bindingPublishes();
    void lateSubscriberGetsSnapshot();
    void values_data();
    void values();
    void eventNames();
    void listenerContext();
    void resumesAfterDisconnect();
    void activeAndUrl();
    void destroyedInItsHandler();
    void destroyedServer();

    void requestProperties();
    void bodies_data();
    void bodies();
    void badHeaders();
    void changedTogether();
    void restart();
    void lastEventIdWaitsForUrl();
    void errors_data();
    void errors();
    void errorIsOver();
    void paused();
    void comments();
    void eventListeners();
    void eventListenerInDelegate();
    void listenerContextLost_data();
    void listenerContextLost();
    void destroyedByQml_data();
    void destroyedByQml();
    void destroyedAtOnce_data();
    void destroyedAtOnce();
    void manyDelegates();

protected Q_SLOTS:
    void destroyVictim();

private:
    QObject *create(const QByteArray &qml);
    QVariant property(const char *name) const { return m_root->property(name); }
    QVariant call(const char *function, const QVariant &argument = {});

    QQmlEngine m_engine;
    std::unique_ptr<QObject> m_root;
    QStringList m_warnings;
    QPointer<QObject> m_victim;
};

void tst_QSseQml::initTestCase()
{
    // The types come with the library; their qmldir is embedded in it.
    m_engine.addImportPath(QStringLiteral(":/qt/qml"));
    connect(&m_engine, &QQmlEngine::warnings, this, [this](const QList<QQmlError> &warnings) {
        for (const QQmlError &warning : warnings)
            m_warnings.append(warning.toString());
    });
}

void tst_QSseQml::cleanup()
{
    m_root.reset();
    QCOMPARE(std::exchange(m_warnings, {}), QStringList());
}

QObject *tst_QSseQml::create(const QByteArray &qml)
{
    QQmlComponent component(&m_engine);
    component.setData("import QtQuick\nimport QSse\n" + qml, QUrl(QStringLiteral("test.qml")));
    m_root.reset(component.create());
    if (!m_root)
        qWarning() << component.errorString();
    return m_root.get();
}

QVariant tst_QSseQml::call(const char *function, const QVariant &argument)
{
    QVariant result;
    const bool called = argument.isValid()
        ? QMetaObject::invokeMethod(m_root.get(), function, Q_RETURN_ARG(QVariant, result),
                                    Q_ARG(QVariant, argument))
        : QMetaObject::invokeMethod(m_root.get(), function, Q_RETURN_ARG(QVariant, result));
    return called ? result : QVariant();
}

void tst_QSseQml::serverProperties()
{
    auto *server = qobject_cast<QSseQmlServer *>(create(R"(SseServer {
        port: 0; path: "/stream"; keepAliveInterval: 5000; historySize: 7; retryInterval: 40
    })"));
    QVERIFY(server);
    QVERIFY(server->isListening());
    QVERIFY(server->serverPort() > 0);
    QCOMPARE(server->address(), QStringLiteral("127.0.0.1"));
    QCOMPARE(server->url(),
             QUrl(QStringLiteral("http://127.0.0.1:%1/stream").arg(server->serverPort())));
    QCOMPARE(server->sseServer()->keepAliveInterval(), std::chrono::seconds(5));
    QCOMPARE(server->sseServer()->historySize(), 7);
    QCOMPARE(server->sseServer()->retryInterval(), std::chrono::milliseconds(40));
    QCOMPARE(server->subscriberCount(), 0);
    QCOMPARE(server->errorString(), QString());
    QCOMPARE(server->httpServer()->sseServer(), server->sseServer());

    server->setActive(false);
    QVERIFY(!server->isListening());
    QCOMPARE(server->url(), QUrl());
    server->setActive(true);
    QVERIFY(server->isListening());
}

void tst_QSseQml::serverErrors()
{
    auto *server = qobject_cast<QSseQmlServer *>(create(R"(SseServer { address: "nowhere" })"));
    QVERIFY(server);
    QVERIFY(!server->isListening());
    QVERIFY(!server->errorString().isEmpty());
    QSignalSpy errors(server, &QSseQmlServer::errorOccurred);
    server->setPort(70000);
    QCOMPARE(errors.size(), 1);

    server->setPort(0);
    server->setAddress(QStringLiteral("localhost"));
    QVERIFY2(server->isListening(), qPrintable(server->errorString()));
    QCOMPARE(server->errorString(), QString());
    server->notify(QStringLiteral("no/**/topic"), QStringLiteral("text"));
    QTRY_COMPARE(errors.size(), 3); // the address was no better for the other port
}

void tst_QSseQml::serverMoves()
{
    create(R"(QtObject {
        id: root
        property list<QtObject> parts: [
            SseServer { id: server; port: 0; retryInterval: 20 },
            EventSource { id: source; url: server.url + "?topic=a"; onMessage: e => root.last = e.data }
        ]
        property string last
        property alias readyState: source.readyState
        function publish(text) { return server.notify("a", text) }
        function setActive(on) { server.active = on }
    })");
    QVERIFY(m_root);
    QTRY_COMPARE(m_root->property("readyState").toInt(), int(QSseQmlEventSource::Open));
    call("setActive", false);
    QTRY_COMPARE_NE(m_root->property("readyState").toInt(), int(QSseQmlEventSource::Open));
    // Port 0 gives another port now; the binding follows it.
    call("setActive", true);
    QTRY_COMPARE(m_root->property("readyState").toInt(), int(QSseQmlEventSource::Open));
    QVERIFY(!call("publish", QStringLiteral("hello")).toString().isEmpty());
    QTRY_COMPARE(m_root->property("last").toString(), QStringLiteral("hello"));
}

void tst_QSseQml::bindingPublishes()
{
    create(R"(QtObject {
        id: root
        property var rate
        property var received: []
        property int published: 0
        property alias readyState: source.readyState
        property alias reconnectionTime: source.reconnectionTime
        property string lastEventId: source.lastEventId
        property list<QtObject> parts: [
            SseServer { id: server; port: 0; retryInterval: 123; onNotified: event => ++root.published },
            SseTopic { server: server; name: "fx/eur/usd"; value: root.rate },
            EventSource {
                id: source
                url: server.url + "?topic=fx/**"
                onMessage: event => root.received = root.received.concat([event.data + " " + event.type])
            }
        ]
    })");
    QVERIFY(m_root);
    QTRY_COMPARE(m_root->property("readyState").toInt(), int(QSseQmlEventSource::Open));
    QCOMPARE(m_root->property("published").toInt(), 0); // undefined is nothing to publish
    m_root->setProperty("rate", 1.0934);
    m_root->setProperty("rate", 1.0935);
    m_root->setProperty("rate", 1.0935); // no change
    QTRY_COMPARE(
        m_root->property("received").toStringList(),
        QStringList({ QStringLiteral("1.0934 message"), QStringLiteral("1.0935 message") }));
    QTRY_COMPARE(m_root->property("published").toInt(), 2);
    QVERIFY(!m_root->property("lastEventId").toString().isEmpty());
    QCOMPARE(m_root->property("reconnectionTime").toInt(), 123);
}

void tst_QSseQml::lateSubscriberGetsSnapshot()
{
    create(R"(QtObject {
        id: root
        property string received
        property list<QtObject> parts: [
            SseServer { id: server; port: 0 },
            SseTopic { id: topic; server: server; name: "state"; value: "first" },
            EventSource {
                id: source
                active: false
                url: server.url + "?topic=state"
                onEventReceived: event => root.received += event.data + ";"
            }
        ]
        function open() { topic.value = "second"; source.open() }
        function isActive() { return source.active }
    })");
    QVERIFY(m_root);
    call("open");
    QTRY_COMPARE(m_root->property("received").toString(), QStringLiteral("second;"));
    QCOMPARE(call("isActive").toBool(), true);
}

void tst_QSseQml::values_data()
{
    QTest::addColumn<QByteArray>("value");
    QTest::addColumn<QString>("data");

    QTest::newRow("string") << QByteArray("\"a b\"") << QStringLiteral("a b");
    QTest::newRow("empty string") << QByteArray("\"\"") << QString();
    QTest::newRow("int") << QByteArray("-42") << QStringLiteral("-42");
    QTest::newRow("real") << QByteArray("1.0934") << QStringLiteral("1.0934");
    QTest::newRow("bool") << QByteArray("true") << QStringLiteral("true");
    QTest::newRow("null") << QByteArray("null") << QStringLiteral("null");
    QTest::newRow("array") << QByteArray("[1, \"b\", null]") << QStringLiteral("[1,\"b\",null]");
    QTest::newRow("object") << QByteArray("({ rate: 1.5, tags: { x: [true] } })")
                            << QStringLiteral("{\"rate\":1.5,\"tags\":{\"x\":[true]}}");
    QTest::newRow("url") << QByteArray("Qt.url(\"http://localhost/\")")
                         << QStringLiteral("http://localhost/");
}

void tst_QSseQml::values()
{
    QFETCH(QByteArray, value);
    QFETCH(QString, data);

    create("QtObject {\n"
           "    property list<QtObject> parts: [\n"
           "        SseServer { id: server; port: 0 },\n"
           "        SseTopic { id: topic; server: server; name: \"t\" }\n"
           "    ]\n"
           "    property string bound\n"
           "    property string called\n"
           "    function publish() {\n"
           "        topic.notified.connect(event => bound = event.data)\n"
           "        topic.value = "
           + value
           + "\n        server.notified.connect(event => called = event.data + event.topic)\n"
             "        return server.notify(\"u\", "
           + value + ")\n    }\n}");
    QVERIFY(m_root);
    QVERIFY(!call("publish").toString().isEmpty());
    QTRY_COMPARE(m_root->property("called").toString(), data + QLatin1Char('u'));
    QCOMPARE(m_root->property("bound").toString(), data);
}

void tst_QSseQml::eventNames()
{
    create(R"(QtObject {
        id: root
        property string log
        property alias readyState: source.readyState
        property list<QtObject> parts: [
            SseServer { id: server; port: 0 },
            SseTopic { id: topic; server: server; name: "t"; event: "rate" },
            EventSource {
                id: source
                url: server.url + "?topic=t"
                onMessage: event => root.log += "message " + event.data + ";"
                onEventReceived: event => root.log += "any " + event.type + ";"
                Component.onCompleted: {
                    addEventListener("rate", root.listener)
                    addEventListener("other", () => root.log += "never")
                }
            }
        ]
        readonly property var listener: event => root.log += "rate " + event.data + ";"
        function publish() { topic.notify(1); return server.notify("t", 2) }
        function remove() { source.removeEventListener("rate", listener); log = ""; topic.notify(3) }
    })");
    QVERIFY(m_root);
    QTRY_COMPARE(m_root->property("readyState").toInt(), int(QSseQmlEventSource::Open));
    call("publish");
    QTRY_COMPARE(m_root->property("log").toString(),
                 QStringLiteral("any rate;rate 1;any message;message 2;"));
    call("remove");
    QTRY_COMPARE(m_root->property("log").toString(), QStringLiteral("any rate;"));
}

void tst_QSseQml::listenerContext()
{
    create(R"(QtObject {
        id: root
        property string log
        property int events: 0
        property QtObject delegate
        property alias readyState: source.readyState
        property list<QtObject> parts: [
            SseServer { id: server; port: 0 },
            EventSource { id: source; url: server.url + "?topic=t"; onMessage: ++root.events }
        ]
        property Component component: QtObject {
            id: item
            property string text
            Component.onCompleted: source.addEventListener(
                "message", event => { item.text = event.data; root.log += item.text }, item)
        }
        function make() { delegate = component.createObject(root) }
        function publish(text) { return server.notify("t", text) }
        function destroyDelegate() { delegate.destroy() }
    })");
    QVERIFY(m_root);
    call("make");
    QTRY_COMPARE(m_root->property("readyState").toInt(), int(QSseQmlEventSource::Open));
    call("publish", QStringLiteral("a"));
    QTRY_COMPARE(m_root->property("log").toString(), QStringLiteral("a"));
    call("destroyDelegate");
    QTRY_COMPARE(m_root->property("delegate").value<QObject *>(), nullptr);
    call("publish", QStringLiteral("b"));
    QTRY_COMPARE(m_root->property("events").toInt(), 2);
    QCOMPARE(m_root->property("log").toString(), QStringLiteral("a"));
}

void tst_QSseQml::resumesAfterDisconnect()
{
    create(R"(QtObject {
        id: root
        property string log
        property int opened: 0
        property list<QtObject> parts: [
            SseServer { id: server; port: 0; retryInterval: 50 },
            EventSource {
                url: server.url + "?topic=t"
                onMessage: event => root.log += event.data
                onOpened: ++root.opened
            }
        ]
        function publish(text) { return server.notify("t", text) }
        function drop() { server.disconnectAll(); server.notify("t", "b"); server.notify("t", "c") }
    })");
    QVERIFY(m_root);
    QTRY_COMPARE(m_root->property("opened").toInt(), 1);
    call("publish", QStringLiteral("a"));
    QTRY_COMPARE(m_root->property("log").toString(), QStringLiteral("a"));
    call("drop");
    QTRY_COMPARE(m_root->property("opened").toInt(), 2);
    QTRY_COMPARE(m_root->property("log").toString(), QStringLiteral("abc"));
}

void tst_QSseQml::activeAndUrl()
{
    create(R"(QtObject {
        id: root
        property string log
        property string topic: "a"
        property alias active: source.active
        property alias readyState: source.readyState
        property alias lastEventId: source.lastEventId
        property list<QtObject> parts: [
            SseServer { id: server; port: 0 },
            EventSource {
                id: source
                url: server.url + "?topic=" + root.topic
                onMessage: event => root.log += event.data
            }
        ]
        function publish(text) { server.notify("a", "a" + text); server.notify("b", "b" + text) }
        function subscribers() { return server.subscriberCount }
        function close() { source.close() }
    })");
    QVERIFY(m_root);
    const auto readyState = [this] { return m_root->property("readyState").toInt(); };
    QTRY_COMPARE(readyState(), int(QSseQmlEventSource::Open));
    call("publish", QStringLiteral("1"));
    QTRY_COMPARE(m_root->property("log").toString(), QStringLiteral("a1"));

    m_root->setProperty("topic", QStringLiteral("b"));
    QCOMPARE(readyState(), int(QSseQmlEventSource::Connecting));
    QCOMPARE(m_root->property("lastEventId").toString(), QString());
    QTRY_COMPARE(readyState(), int(QSseQmlEventSource::Open));
    call("publish", QStringLiteral("2"));
    QTRY_COMPARE(m_root->property("log").toString(), QStringLiteral("a1b2"));

    call("close");
    QCOMPARE(readyState(), int(QSseQmlEventSource::Closed));
    QCOMPARE(m_root->property("active").toBool(), false);
    QTRY_COMPARE(call("subscribers").toInt(), 0);
    // Active again, it goes on after the last event it had.
    call("publish", QStringLiteral("3"));
    m_root->setProperty("active", true);
    QTRY_COMPARE(m_root->property("log").toString(), QStringLiteral("a1b2b3"));
}

void tst_QSseQml::destroyedInItsHandler()
{
    create(R"(QtObject {
        id: root
        property int received: 0
        property QtObject source
        property Component component: EventSource {
            id: item
            url: server.url + "?topic=t"
            onEventReceived: { ++root.received; item.destroy() }
            onMessage: ++root.received
            Component.onCompleted: addEventListener("message", () => ++root.received)
        }
        property SseServer server: SseServer { id: server; port: 0 }
        function make() { source = component.createObject(root) }
        function readyState() { return source.readyState }
        function subscribers() { return server.subscriberCount }
        function publish() { for (let i = 0; i < 100; ++i) server.notify("t", i) }
    })");
    QVERIFY(m_root);
    call("make");
    QTRY_COMPARE(call("readyState").toInt(), int(QSseQmlEventSource::Open));
    call("publish");
    QTRY_COMPARE(m_root->property("source").value<QObject *>(), nullptr);
    QTRY_COMPARE(call("subscribers").toInt(), 0);
    QVERIFY(m_root->property("received").toInt() >= 3);

    // And from C++, at once, in the middle of a batch.
    call("make");
    QTRY_COMPARE(call("readyState").toInt(), int(QSseQmlEventSource::Open));
    const int before = m_root->property("received").toInt();
    auto *source =
        qobject_cast<QSseQmlEventSource *>(m_root->property("source").value<QObject *>());
    QVERIFY(source);
    QPointer<QObject> guard(source);
    m_root->disconnect(source);
    connect(source, &QSseQmlEventSource::lastEventIdChanged, this, [guard] { delete guard; });
    call("publish");
    QTRY_VERIFY(!guard);
    QVERIFY(m_root->property("received").toInt() <= before + 3);
    QTRY_COMPARE(call("subscribers").toInt(), 0);
}

void tst_QSseQml::destroyedServer()
{
    create(R"(QtObject {
        id: root
        property SseServer server
        property Component component: SseServer { port: 0 }
        property string url
        property list<QtObject> parts: [
            SseTopic { id: topic; server: root.server; name: "t"; value: "x" },
            EventSource { id: source; url: root.url }
        ]
        function make() { server = component.createObject(root); url = server.url + "?topic=t" }
        function readyState() { return source.readyState }
        function destroyServer() { server.destroy() }
        function publish() { return topic.notify("nobody") }
    })");
    QVERIFY(m_root);
    call("make");
    QTRY_COMPARE(call("readyState").toInt(), int(QSseQmlEventSource::Open));
    call("destroyServer");
    QTRY_COMPARE(call("readyState").toInt(), int(QSseQmlEventSource::Connecting));
    QCOMPARE(call("publish").toString(), QString());
}

void tst_QSseQml::requestProperties()
{
    FakeSseServer server;
    server.answers = { server.stream("id: 1\ndata\n\n") };
    create(R"(EventSource {
        property string token: "one"
        property string contentType
        headers: ({
            Authorization: "Bearer " + token, "X-Number": 5, "X-Empty": "", "X-Text": "é",
            "X-Undefined": undefined, "X-Null": null,
            "content-type": contentType ? contentType : undefined
        })
        method: "POST"
        body: ({ model: "m", stream: true })
    })");
    auto *source = qobject_cast<QSseQmlEventSource *>(m_root.get());
    QVERIFY(source);
    const QSignalSpy headersChanged(source, &QSseQmlEventSource::headersChanged);
    const QSignalSpy bodyChanged(source, &QSseQmlEventSource::bodyChanged);
    const QSignalSpy methodChanged(source, &QSseQmlEventSource::methodChanged);
    source->setUrl(server.url());
    QTRY_COMPARE(source->lastEventId(), QStringLiteral("1"));
    FakeSseServer::Request request = server.requests.takeFirst();
    QCOMPARE(request.line, QByteArray("POST /events HTTP/1.1"));
    QCOMPARE(request.header("Authorization"), QByteArray("Bearer one"));
    QCOMPARE(request.header("X-Number"), QByteArray("5"));
    QVERIFY(request.has("X-Empty"));
    QCOMPARE(request.header("X-Empty"), QByteArray());
    QCOMPARE(request.header("X-Text"), QByteArray("é"));
    QVERIFY(!request.has("X-Undefined"));
    QVERIFY(!request.has("X-Null"));
    QCOMPARE(request.values("Content-Type"), { "application/json" });
    QCOMPARE(request.body, QByteArray(R"({"model":"m","stream":true})"));
    QCOMPARE(source->body().toMap().value(QStringLiteral("model")).toString(), QStringLiteral("m"));

    // A new value waits for the next attempt.
    m_root->setProperty("token", QStringLiteral("two"));
    m_root->setProperty("contentType", QStringLiteral("application/vnd.x+json"));
    source->setBody(QStringLiteral("text"));
    QCOMPARE(headersChanged.size(), 2);
    QCOMPARE(bodyChanged.size(), 1);
    QCOMPARE(source->headers().value(QStringLiteral("Authorization")).toString(),
             QStringLiteral("Bearer two"));
    QCOMPARE(source->readyState(), QSseQmlEventSource::Open);
    server.end();
    source->setReconnectionTime(1);
    QTRY_COMPARE(server.requests.size(), 1);
    request = server.requests.takeFirst();
    QCOMPARE(request.header("Authorization"), QByteArray("Bearer two"));
    QCOMPARE(request.values("Content-Type"), { "application/vnd.x+json" });
    QCOMPARE(request.body, QByteArray("text"));
    QCOMPARE(request.header("Last-Event-ID"), QByteArray("1"));

    // What is no longer there is not sent any more.
    source->setHeaders({});
    source->setBody({});
    source->setMethod(QStringLiteral("GET"));
    QCOMPARE(methodChanged.size(), 1);
    source->restart();
    QTRY_COMPARE(server.requests.size(), 1);
    request = server.requests.takeFirst();
    QCOMPARE(request.line, QByteArray("GET /events HTTP/1.1"));
    QVERIFY(!request.has("Authorization"));
    QVERIFY(!request.has("Content-Type"));
    QVERIFY(!request.has("Content-Length"));
}

void tst_QSseQml::bodies_data()
{
    QTest::addColumn<QByteArray>("value");
    QTest::addColumn<QString>("sent");
    QTest::addColumn<QByteArray>("contentType");
    const QByteArray json = "application/json";

    QTest::newRow("string") << QByteArray("\"a \\u00e9\"") << QStringLiteral("a é")
                            << QByteArray("text/plain;charset=UTF-8");
    QTest::newRow("object") << QByteArray("({ a: [1, { b: null }], c: true })")
                            << QStringLiteral("{\"a\":[1,{\"b\":null}],\"c\":true}") << json;
    QTest::newRow("array") << QByteArray("[1.5, \"x\"]") << QStringLiteral("[1.5,\"x\"]") << json;
    QTest::newRow("number") << QByteArray("7") << QStringLiteral("7") << json;
    QTest::newRow("bool") << QByteArray("false") << QStringLiteral("false") << json;
}

void tst_QSseQml::bodies()
{
    QFETCH(QByteArray, value);
    QFETCH(QString, sent);
    QFETCH(QByteArray, contentType);

    FakeSseServer server;
    create("EventSource { method: \"POST\"; body: " + value + " }");
    QVERIFY(m_root);
    m_root->setProperty("url", server.url());
    QTRY_COMPARE(server.requests.size(), 1);
    QCOMPARE(QString::fromUtf8(server.requests.constFirst().body), sent);
    QCOMPARE(server.requests.constFirst().header("Content-Type"), contentType);
}

void tst_QSseQml::badHeaders()
{
    FakeSseServer server;
    create(R"(EventSource {
        headers: ({
            "X-Good": "good", "X Space": "x", "": "x", "X-Lines": "secret\r\nX-Injected: x",
            "X-Object": ({ a: 1 }), "X-Array": ["a"], "X-Function": () => "x"
        })
    })");
    QVERIFY(m_root);
    const QStringList names { QStringLiteral("\"X Space\""), QStringLiteral("\"\""),
                              QStringLiteral("X-Lines"),     QStringLiteral("X-Object"),
                              QStringLiteral("X-Array"),     QStringLiteral("X-Function") };
    for (const QString &name : names)
        QCOMPARE(m_warnings.filter(name).size(), 1);
    QCOMPARE(m_warnings.size(), names.size());
    QVERIFY(m_warnings.filter(QStringLiteral("secret")).isEmpty());
    m_warnings.clear();

    m_root->setProperty("url", server.url());
    QTRY_COMPARE(server.requests.size(), 1);
    QCOMPARE(server.requests.constFirst().header("X-Good"), QByteArray("good"));
    for (const auto &header : std::as_const(server.requests.constFirst().headers))
        QVERIFY2(!header.first.startsWith("X-") || header.first == "X-Good", header.first);
}

// Bindings follow one after the other; the request is made of what they all come to.
void tst_QSseQml::changedTogether()
{
    FakeSseServer server;
    create(R"(EventSource {
        id: source
        property url server
        property string user
        readonly property bool open: readyState === EventSource.Open
        property string states
        active: user !== ""
        url: server + "?user=" + user
        headers: ({ "X-User": user })
        method: user === "b" ? "PUT" : "GET"
        onReadyStateChanged: states += readyState
    })");
    QVERIFY(m_root);
    m_root->setProperty("server", server.url());
    m_root->setProperty("user", QStringLiteral("a"));
    QCOMPARE(property("readyState").toInt(), int(QSseQmlEventSource::Connecting));
    QTRY_VERIFY(property("open").toBool());
    m_root->setProperty("user", QStringLiteral("b"));
    QVERIFY(!property("open").toBool());
    QTRY_VERIFY(property("open").toBool());
    QCOMPARE(property("states").toString(), QStringLiteral("0101"));

    QCOMPARE(server.requests.size(), 2);
    QCOMPARE(server.requests.at(0).line, QByteArray("GET /events?user=a HTTP/1.1"));
    QCOMPARE(server.requests.at(0).header("X-User"), QByteArray("a"));
    QCOMPARE(server.requests.at(1).line, QByteArray("PUT /events?user=b HTTP/1.1"));
    QCOMPARE(server.requests.at(1).header("X-User"), QByteArray("b"));
    m_root->setProperty("user", QString());
    QCOMPARE(property("readyState").toInt(), int(QSseQmlEventSource::Closed));
}

void tst_QSseQml::restart()
{
    FakeSseServer server;
    server.answers = { server.stream("id: 1\ndata\n\n"), server.status("401 Unauthorized"),
                       server.stream() };
    auto *source = qobject_cast<QSseQmlEventSource *>(create("EventSource { }"));
    QVERIFY(source);
    source->restart(); // there is nothing to connect to
    QCOMPARE(source->readyState(), QSseQmlEventSource::Closed);
    source->setUrl(server.url());
    QTRY_COMPARE(source->lastEventId(), QStringLiteral("1"));
    source->restart();
    QCOMPARE(source->readyState(), QSseQmlEventSource::Connecting);
    QTRY_COMPARE(source->readyState(), QSseQmlEventSource::Closed);
    QCOMPARE(source->httpStatus(), 401);
    QVERIFY(source->isActive());
    source->restart();
    QTRY_COMPARE(source->readyState(), QSseQmlEventSource::Open);
    source->close();
    QVERIFY(!source->isActive());
    source->restart();
    QVERIFY(source->isActive());
    QTRY_COMPARE(source->readyState(), QSseQmlEventSource::Open);
    QCOMPARE(server.requests.size(), 4);
    for (const auto &request : std::as_const(server.requests).mid(1))
        QCOMPARE(request.header("Last-Event-ID"), QByteArray("1"));

    // Opened and closed again before it could connect.
    source->restart();
    source->close();
    QCOMPARE(source->readyState(), QSseQmlEventSource::Closed);
    QTRY_COMPARE(server.connections(), 0);
    QCOMPARE(server.requests.size(), 4);
}

void tst_QSseQml::lastEventIdWaitsForUrl()
{
    FakeSseServer server;
    create(R"(EventSource { property string server; url: server + "?x"; lastEventId: "7" })");
    QVERIFY(m_root);
    m_root->setProperty("server", server.url().toString());
    QTRY_COMPARE(server.requests.size(), 1);
    QCOMPARE(server.requests.constFirst().header("Last-Event-ID"), QByteArray("7"));
    m_root->setProperty("server", server.url(QStringLiteral("/other")).toString());
    QTRY_COMPARE(server.requests.size(), 2);
    QVERIFY(!server.requests.constLast().has("Last-Event-ID"));
}

void tst_QSseQml::errors_data()
{
    using Fake = FakeSseServer;
    QTest::addColumn<QByteArray>("properties");
    QTest::addColumn<QList<QByteArray>>("pieces");
    QTest::addColumn<bool>("end");
    QTest::addColumn<QByteArray>("error");
    QTest::addColumn<int>("status");
    QTest::addColumn<bool>("closed");

    const auto row = [](const char *name, const QByteArray &properties, const Fake::Answer &answer,
                        int status, bool closed) {
        QTest::newRow(name) << properties << answer.pieces << (answer.then == Fake::Then::End)
                            << QByteArray(name) << status << closed;
    };
    row("StreamEnded", "", Fake::stream("data\n\n", Fake::Then::End), 200, false);
    row("ConnectTimeout", "connectTimeout: 50", { {}, Fake::Then::Keep }, 0, false);
    row("ReadTimeout", "readTimeout: 50", Fake::stream(), 200, false);
    row("EventTooLarge", "maximumEventSize: 100", Fake::stream("data:" + QByteArray(200, 'x')), 200,
        false);
    row("NoContent", "", Fake::status("204 No Content"), 204, true);
    row("HttpStatusError", "", Fake::status("403 Forbidden"), 403, true);
    row("ContentTypeError", "", Fake::stream("", Fake::Then::Keep, "text/html"), 200, true);
    row("RedirectError", "", Fake::redirect("302", "ftp://elsewhere/"), 302, true);
    row("InvalidUrl", "url: \"ftp://elsewhere/\"", {}, 0, true);
}

void tst_QSseQml::errors()
{
    QFETCH(QByteArray, properties);
    QFETCH(QList<QByteArray>, pieces);
    QFETCH(bool, end);
    QFETCH(QByteArray, error);
    QFETCH(int, status);
    QFETCH(bool, closed);

    FakeSseServer server;
    server.answers = { { pieces, end ? FakeSseServer::Then::End : FakeSseServer::Then::Keep } };
    create(R"(EventSource {
        active: false
        readonly property bool isIt: error === EventSource.)"
           + error + R"(
        readonly property string bound: errorString + httpStatus
        readonly property bool isClosed: readyState === EventSource.Closed
        property string got
        property int statusThen: -1
        onErrorChanged: if (statusThen < 0) statusThen = httpStatus
        onErrorOccurred: (error, text) => {
            if (!got)
                got = [error === EventSource.)"
           + error + R"(, isIt, isClosed, bound === text + httpStatus, httpStatus].join(" ")
        }
        )" + properties
           + "}");
    QVERIFY(m_root);
    QVERIFY(!property("isIt").toBool());
    if (property("url").toUrl().isEmpty())
        m_root->setProperty("url", server.url());
    m_root->setProperty("active", true);
    QVERIFY(!property("isClosed").toBool());
    QTRY_COMPARE(
        property("got").toString(),
        QStringLiteral("true true %1 true %2").arg(QVariant(closed).toString()).arg(status));
    QCOMPARE(property("statusThen").toInt(), status);
}

void tst_QSseQml::errorIsOver()
{
    FakeSseServer server;
    server.answers = { server.status("500 Out of Order"), server.stream() };
    auto *source = qobject_cast<QSseQmlEventSource *>(create("EventSource { }"));
    QVERIFY(source);
    source->setUrl(server.url());
    QTRY_COMPARE(source->error(), QSseQmlEventSource::HttpStatusError);
    QCOMPARE(source->httpStatus(), 500);
    QVERIFY(source->errorString().contains(QLatin1String("500 Out of Order")));
    source->open();
    QTRY_COMPARE(source->readyState(), QSseQmlEventSource::Open);
    QCOMPARE(source->error(), QSseQmlEventSource::NoError);
    QCOMPARE(source->errorString(), QString());
    QCOMPARE(source->httpStatus(), 200);

    server.stopListening();
    server.end();
    source->setReconnectionTime(1);
    QTRY_COMPARE(source->error(), QSseQmlEventSource::NetworkError);
    QCOMPARE(source->httpStatus(), 0);
    QCOMPARE(source->readyState(), QSseQmlEventSource::Connecting);
}

void tst_QSseQml::paused()
{
    FakeSseServer server;
    server.answers = { server.stream("data: 1\n\n") };
    create(R"(EventSource {
        property bool hidden: false
        paused: hidden
        property string log
        onMessage: event => log += event.data
        onPausedChanged: log += paused ? "[" : "]"
})");
    QVERIFY(m_root);
    m_root->setProperty("url", server.url());
    QTRY_COMPARE(property("log").toString(), QStringLiteral("1"));
    m_root->setProperty("hidden", true);
    server.send("data: 2\n\n");
    // Another stream shows that there was time enough.
    FakeSseServer other;
    QSseEventSource witness(other.url());
    witness.open();
    QTRY_COMPARE(witness.readyState(), QSseEventSource::ReadyState::Open);
    QCOMPARE(property("log").toString(), QStringLiteral("1["));
    m_root->setProperty("hidden", false);
    QTRY_COMPARE(property("log").toString(), QStringLiteral("1[]2"));
}

void tst_QSseQml::comments()
{
    FakeSseServer server;
    server.answers = { server.stream(": first\n\ndata\n\n") };
    create(R"(EventSource {
        property string log
        onCommentReceived: comment => log += comment + ";"
        onMessage: event => log += "event;"
    })");
    QVERIFY(m_root);
    m_root->setProperty("url", server.url());
    QTRY_VERIFY(property("log").toString().endsWith(QLatin1String("event;")));
    QVERIFY(property("log").toString().contains(QLatin1String("first;")));
}

void tst_QSseQml::eventListeners()
{
    FakeSseServer server;
    create(R"(EventSource {
        id: source
        property bool on: true
        property string kind: "rate"
        property EventSource other
        property string log
        property int events: 0
        onEventReceived: ++events
        onMessage: event => log += "onMessage;"

        EventListener { onReceived: event => source.log += "message " + event.data + ";" }
        EventListener {
            type: source.kind
            enabled: source.on
            onReceived: event => source.log += event.type + " " + event.id + ";"
        }
        EventListener { type: ""; onReceived: source.log += "never;" }
        EventListener { target: source.other; type: "rate"; onReceived: source.log += "other;" }
        function count() { return listeners.length }
    })");
    QVERIFY(m_root);
    QCOMPARE(call("count").toInt(), 4);
    m_root->setProperty("url", server.url());
    QTRY_COMPARE(server.requests.size(), 1);
    const auto logAfter = [&](const QByteArray &bytes) {
        const int events = property("events").toInt() + int(bytes.count("\n\n"));
        m_root->setProperty("log", QString());
        server.send(bytes);
        return QTest::qWaitFor([&] { return property("events").toInt() == events; })
            ? property("log").toString()
            : QStringLiteral("nothing came");
    };
    QCOMPARE(logAfter("data: a\n\nevent: rate\nid: 1\ndata: b\n\nevent: other\ndata: c\n\n"),
             QStringLiteral("onMessage;message a;rate 1;"));
    m_root->setProperty("kind", QStringLiteral("other"));
    QCOMPARE(logAfter("event: rate\ndata: b\n\nevent: other\ndata: c\n\n"),
             QStringLiteral("other 1;"));
    m_root->setProperty("on", false);
    QCOMPARE(logAfter("event: other\ndata: c\n\n"), QString());
    m_root->setProperty("on", true);
    QCOMPARE(logAfter("event: other\ndata: c\n\n"), QStringLiteral("other 1;"));
}

void tst_QSseQml::eventListenerInDelegate()
{
    FakeSseServer server;
    create(R"(Item {
        id: root
        property alias url: source.url
        property alias model: repeater.model
        property int events: 0
        property string log
        property QtObject extra
        property int targetChanges: 0
        EventSource { id: source; onEventReceived: ++root.events }
        Repeater {
            id: repeater
            delegate: Item {
                id: item
                required property int index
                EventListener {
                    target: source
                    type: "t" + item.index
                    onReceived: event => {
                        root.log += item.index + event.data
                        if (event.data === "last")
                            repeater.model = 0
                    }
                }
            }
        }
        property Component component: EventSource { }
        EventListener { id: orphan; target: root.extra; onTargetChanged: ++root.targetChanges }
        function make() { extra = component.createObject(root); return orphan.target !== null }
        function destroyExtra() { extra.destroy() }
    })");
    QVERIFY(m_root);
    m_root->setProperty("model", 3);
    m_root->setProperty("url", server.url());
    QTRY_COMPARE(server.requests.size(), 1);
    server.send("event: t2\ndata: a\n\nevent: t0\ndata: b\n\nevent: t7\ndata: c\n\n");
    QTRY_COMPARE(property("events").toInt(), 3);
    QCOMPARE(property("log").toString(), QStringLiteral("2a0b"));
    server.send("event: t1\ndata: last\n\nevent: t0\ndata: d\n\nevent: t1\ndata: e\n\n");
    QTRY_COMPARE(property("events").toInt(), 6);
    QCOMPARE(property("log").toString(), QStringLiteral("2a0b1last"));

    QVERIFY(call("make").toBool());
    const int changes = property("targetChanges").toInt();
    call("destroyExtra");
    QTRY_VERIFY(property("targetChanges").toInt() > changes);
}

// What a Loader lets go of lives on for a moment, without its context.
// What a view lets go of lives on for a moment, but its code cannot run any more.
void tst_QSseQml::listenerContextLost_data()
{
    QTest::addColumn<QByteArray>("view");
    QTest::addColumn<QString>("drop");

    QTest::newRow("Loader") << QByteArray("Loader { id: view; sourceComponent: part }")
                            << QStringLiteral("active");
    QTest::newRow("Repeater") << QByteArray("Repeater { id: view; model: 1; delegate: part }")
                              << QStringLiteral("model");
    QTest::newRow("ListView") << QByteArray(
        "ListView { id: view; width: 9; height: 9; model: 1; delegate: part }")
                              << QStringLiteral("model");
    QTest::newRow("Instantiator") << QByteArray(
        "Instantiator { id: view; model: 1; delegate: part }")
                                  << QStringLiteral("active");
}

void tst_QSseQml::listenerContextLost()
{
    QFETCH(QByteArray, view);
    QFETCH(QString, drop);

    FakeSseServer server;
    server.answers = { server.stream("data: a\n\ndata: b\n\ndata: c\n\n") };
    create(R"(Item {
        id: root
        property alias url: stream.url
        property string drop
        property int heard: 0
        property int events: 0
        EventSource { id: stream; onMessage: ++root.events }
        Component {
            id: part
            Item {
                id: item
                property int heard: 0
                Component.onCompleted: stream.addEventListener("message", event => {
                    root.heard = ++item.heard
                    if (root.drop === "model")
                        view.model = 0
                    else
                        view.active = false
                }, item)
            }
        }
        )" + view
           + "}");
    QVERIFY(m_root);
    m_root->setProperty("drop", drop);
    m_root->setProperty("url", server.url());
    QTRY_COMPARE(property("events").toInt(), 3);
    const int heard = property("heard").toInt();
    if (drop == QLatin1String("model"))
        QCOMPARE(heard, 1);
    server.send("data: d\n\n");
    QTRY_COMPARE(property("events").toInt(), 4);
    QCOMPARE(property("heard").toInt(), heard);
}

static const QByteArray EventfulStream =
    "retry: 10\n: comment\n\nid: 1\ndata: a\n\nid: 2\ndata: b\n\nevent: named\ndata: c\n\n";

void tst_QSseQml::destroyedByQml_data()
{
    QTest::addColumn<QByteArray>("handler");
    QTest::addColumn<QString>("way");

    const QByteArrayList handlers {
        "onOpened",
        "onMessage",
        "onEventReceived",
        "onCommentReceived",
        "onErrorOccurred",
        "onReadyStateChanged",
        "onLastEventIdChanged",
        "onHttpStatusChanged",
        "onErrorChanged",
        "onReconnectionTimeChanged",
        "listener",
        "EventListener",
    };
    for (const QByteArray &handler : handlers) {
        for (const char *way : { "destroy", "Loader", "Repeater", "ListView", "Instantiator" })
            QTest::addRow("%s, %s", handler.constData(), way) << handler << QString::fromUtf8(way);
    }
}

void tst_QSseQml::destroyedByQml()
{
    QFETCH(QByteArray, handler);
    QFETCH(QString, way);

    FakeSseServer server;
    server.answers = { server.stream(EventfulStream, FakeSseServer::Then::End) };
    QByteArray handling = handler + ": root.drop(item)";
    if (handler == "EventListener")
        handling = "EventListener { type: \"named\"; onReceived: root.drop(item) }";
    else if (handler == "listener")
        handling = "Component.onCompleted: addEventListener(\"named\", () => root.drop(item))";
    create(R"(Item {
        id: root
        width: 100; height: 100
        property url url
        property string way
        property int alive: 0
        property int created: 0
        property bool made: false
        property Component component: Item {
            id: item
            width: 10; height: 10
            EventSource {
                url: root.url
                )"
           + handling + R"(
            }
            Component.onCompleted: { ++root.alive; ++root.created }
            Component.onDestruction: --root.alive
        }
        Loader { id: loader; active: false; sourceComponent: root.component }
        Repeater { id: repeater; model: 0; delegate: root.component }
        ListView { id: listView; anchors.fill: parent; model: 0; delegate: root.component }
        Instantiator { id: instantiator; active: false; model: 2; delegate: root.component }
        function make() {
            switch (way) {
            case "destroy": component.createObject(root); break
            case "Loader": loader.active = true; break
            case "Repeater": repeater.model = 2; break
            case "ListView": listView.model = 2; break
            case "Instantiator": instantiator.active = true; break
            }
            made = true
        }
        function drop(item) {
            if (!made) // nothing can be destroyed while it is created
                return
            switch (way) {
            case "destroy": item.destroy(); break
            case "Loader": loader.active = false; break
            case "Repeater": repeater.model = 0; break
            case "ListView": listView.model = 0; break
            case "Instantiator": instantiator.active = false; break
            }
        }
    })");
    QVERIFY(m_root);
    m_root->setProperty("url", server.url());
    m_root->setProperty("way", way);
    call("make");
    QVERIFY(property("created").toInt() > 0);
    QTRY_COMPARE(property("alive").toInt(), 0);
    QTRY_COMPARE(server.connections(), 0);
}

void tst_QSseQml::destroyedAtOnce_data()
{
    QTest::addColumn<QByteArray>("signal");
    QTest::addColumn<QByteArray>("action");

    for (const char *signal :
         { "opened()", "message(QSseEvent)", "eventReceived(QSseEvent)", "commentReceived(QString)",
           "errorOccurred(QSseQmlEventSource::Error,QString)", "readyStateChanged()",
           "lastEventIdChanged()", "reconnectionTimeChanged()", "errorChanged()",
           "httpStatusChanged()" })
        QTest::newRow(signal) << QByteArray(signal) << QByteArray();
    // While it is open:
    const auto row = [](const char *signal, const char *action) {
        QTest::addRow("%s, %s", signal, action) << QByteArray(signal) << QByteArray(action);
    };
    row("urlChanged()", "source.url += \"?x\"");
    row("lastEventIdChanged()", "source.url += \"?x\"");
    row("readyStateChanged()", "source.url += \"?x\"");
    row("readyStateChanged()", "source.restart()");
    row("readyStateChanged()", "source.close()");
    row("activeChanged()", "source.active = false");
    row("pausedChanged()", "source.paused = true");
    row("headersChanged()", "source.headers = { a: \"b\" }");
    row("bodyChanged()", "source.body = 1");
    row("methodChanged()", "source.method = \"PUT\"");
    row("readTimeoutChanged()", "source.readTimeout = 1");
    row("maximumEventSizeChanged()", "source.maximumEventSize = 1");
}

void tst_QSseQml::destroyedAtOnce()
{
    QFETCH(QByteArray, signal);
    QFETCH(QByteArray, action);

    FakeSseServer server;
    server.answers = { action.isEmpty() ? server.stream(EventfulStream, FakeSseServer::Then::End)
                                        : server.stream("id: 1\ndata\n\n") };
    create(R"(QtObject {
        id: root
        property EventSource source
        property Component component: EventSource { EventListener { } }
        function make() { source = component.createObject(null) }
        function act() { )"
           + action + " } }");
    QVERIFY(m_root);
    call("make");
    auto *source = property("source").value<QSseQmlEventSource *>();
    QVERIFY(source);
    m_victim = source;
    source->setUrl(server.url());
    if (!action.isEmpty())
        QTRY_COMPARE(source->lastEventId(), QStringLiteral("1"));
    QVERIFY(connect(source, '2' + signal, this, SLOT(destroyVictim())));
    if (!action.isEmpty())
        call("act");
    QTRY_VERIFY(!m_victim);
    QTRY_COMPARE(server.connections(), 0);
}

void tst_QSseQml::destroyVictim()
{
    delete m_victim;
}

void tst_QSseQml::manyDelegates()
{
    FakeSseServer server;
    create(R"(Instantiator {
        id: root
        property url url
        property int opened: 0
        property int events: 0
        active: false
        model: 100
        delegate: EventSource {
            url: root.url
            onOpened: ++root.opened
            EventListener { onReceived: ++root.events }
        }
    })");
    QVERIFY(m_root);
    m_root->setProperty("url", server.url());
    server.answers = { server.stream("data\n\n") };
    m_root->setProperty("active", true);
    m_root->setProperty("active", false);
    m_root->setProperty("active", true);
    QTRY_COMPARE(property("events").toInt(), 100);
    QCOMPARE(property("opened").toInt(), 100);
    QTRY_COMPARE(server.connections(), 100);
    // And in the middle of connecting, with some further than others.
    for (int i = 1; i <= 5; ++i) {
        const int before = property("opened").toInt();
        m_root->setProperty("active", false);
        m_root->setProperty("active", true);
        QTRY_VERIFY(property("opened").toInt() >= before + i * 10);
    }
    m_root->setProperty("active", false);
    QTRY_COMPARE(server.connections(), 0);
}

QTEST_MAIN(tst_QSseQml)
#include "tst_qsseqml.moc"
