// SPDX-License-Identifier: MIT
#include "qsseqmleventsource.h"
#include "qsseqmlserver.h"
#include "qsseqmltopic.h"

#include <QtCore/QJsonDocument>
#include <QtCore/QJsonObject>
#include <QtQml/QQmlComponent>
#include <QtQml/QQmlEngine>
#include <QtTest/QSignalSpy>
#include <QtTest/QTest>

// Everything goes over HTTP between the module's types, in one QML file each.
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

private:
    QObject *create(const QByteArray &qml);
    QVariant call(const char *function, const QVariant &argument = {});

    QQmlEngine m_engine;
    std::unique_ptr<QObject> m_root;
    QStringList m_warnings;
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
    QCOMPARE(m_warnings, QStringList());
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

QTEST_GUILESS_MAIN(tst_QSseQml)
#include "tst_qsseqml.moc"
