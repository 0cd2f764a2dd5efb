// SPDX-License-Identifier: MIT
// qsse-hub as curl sees it: every byte of it.

#include "hubprocess.h"

#include <QSseTopicFilter>

#include <QtCore/QElapsedTimer>
#include <QtCore/QJsonArray>
#include <QtCore/QJsonDocument>
#include <QtCore/QJsonObject>
#include <QtCore/QStandardPaths>
#include <QtNetwork/QTcpServer>
#include <QtNetwork/QTcpSocket>
#include <QtTest/QtTest>

#include <memory>

namespace {

constexpr int Patience = 20'000;

QByteArray frame(const QByteArray &id, const QByteArray &data)
{
    return "id: " + id + "\ndata: " + data;
}

QByteArrayList idsIn(const QByteArray &json)
{
    QByteArrayList ids;
    const QJsonArray items = QJsonDocument::fromJson(json).array();
    for (const QJsonValue &item : items)
        ids.append(item.toString().toUtf8());
    return ids;
}

} // namespace

class tst_Curl : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void initTestCase();
    void cleanup();
    void cleanupTestCase();

    void firstBytes();
    void http10();
    void head();
    void options_data();
    void options();
    void healthz();

    void publishText_data();
    void publishText();
    void publishWithFields();
    void publishJson();
    void publishJsonAllOrNone();
    void publishOnceForManyFilters();
    void publishInManyWays_data();
    void publishInManyWays();
    void reusesTheConnection();
    void waitsForLeave();
    void wildcards_data();
    void wildcards();

    void resume_data();
    void resume();
    void resumeFromOwnId();
    void resumeFromUnknownId();
    void headerWinsOverParameter();

    void accepted_data();
    void accepted();
    void refused_data();
    void refused();

    void keepAlive_data();
    void keepAlive();
    void keepAliveNotWhileEventsCome();
    void history();
    void generate();
    void terminated_data();
    void terminated();
    void portTaken();
    void commandLine_data();
    void commandLine();

private:
    QByteArray publish(const QByteArray &target, const QByteArray &body);

    std::unique_ptr<HubProcess> m_hub;
    std::unique_ptr<Curl> m_witness; // a stream that is open all along
    QByteArrayList m_witnessed;
};

void tst_Curl::initTestCase()
{
    if (QStandardPaths::findExecutable(QStringLiteral("curl")).isEmpty())
        QSKIP("curl is not installed");
    m_hub = std::make_unique<HubProcess>(QByteArrayList { "--keep-alive", "0" });
    QVERIFY2(m_hub->listen(), m_hub->errors().constData());
    m_witness = std::make_unique<Curl>(m_hub->url("/events?topic=witness"));
    QTRY_VERIFY_WITH_TIMEOUT(m_witness->isOpen(), Patience);
}

// Whatever a test did, the stream that was open before gets its next event, and nothing else.
void tst_Curl::cleanup()
{
    if (!m_witness)
        return;
    const QByteArray data = QTest::currentTestFunction();
    m_witnessed.append(frame(publish("/topics/witness", data), data));
    QTRY_COMPARE_WITH_TIMEOUT(m_witness->events(), m_witnessed, Patience);
    QCOMPARE(m_witness->blocks().size(), m_witnessed.size() + 1);
}

void tst_Curl::cleanupTestCase()
{
    if (!m_witness)
        return;
    QVERIFY(!m_witness->isFinished());
    m_hub->sendSignal(SIGTERM);
    QVERIFY(m_witness->waitForFinished());
    QCOMPARE(m_witness->exitCode(), 0);
    QCOMPARE(m_witness->events(), m_witnessed);
    QVERIFY(m_hub->waitForFinished());
    QCOMPARE(m_hub->exitCode(), 0);
    QCOMPARE(m_hub->output().count('\n'), 1);
}

// Publishes and returns what the hub answers: an id for /topics/TOPIC, a list of ids for /publish.
QByteArray tst_Curl::publish(const QByteArray &target, const QByteArray &body)
{
    Curl curl(m_hub->url(target), Curl::post(), body);
    if (!curl.waitForFinished() || curl.status() != 200)
        qWarning("%s: %s%s", target.constData(), curl.output().constData(),
                 curl.errors().constData());
    return curl.body();
}

void tst_Curl::firstBytes()
{
    Curl stream(m_hub->url("/events?topic=first"));
    QTRY_VERIFY_WITH_TIMEOUT(stream.isOpen(), Patience);

    QVERIFY(stream.head().startsWith("HTTP/1.1 200 OK\r\n"));
    QCOMPARE(stream.header("Content-Type"), "text/event-stream");
    QCOMPARE(stream.header("Cache-Control"), "no-store, no-transform");
    QCOMPARE(stream.header("X-Accel-Buffering"), "no");
    QVERIFY(stream.header("Content-Length").isNull());
    QVERIFY(stream.header("Content-Encoding").isNull());
    static const QRegularExpression opening(QStringLiteral("^id: [^\n]+\nretry: 2000\n\n$"));
    QVERIFY2(opening.match(QString::fromUtf8(stream.body())).hasMatch(), stream.body().constData());
    QVERIFY(!stream.isFinished());
}

void tst_Curl::http10()
{
    Curl stream(m_hub->url("/events?topic=http10"), { "--http1.0" });
    QTRY_VERIFY_WITH_TIMEOUT(stream.isOpen(), Patience);
    QCOMPARE(stream.status(), 200);
    QVERIFY(stream.header("Transfer-Encoding").isNull());
    QCOMPARE(stream.header("Connection"), "close");

    Curl post(m_hub->url("/topics/http10"), Curl::post() + QByteArrayList { "--http1.0" }, "old");
    QVERIFY(post.waitForFinished());
    QCOMPARE(post.exitCode(), 0);
    QCOMPARE(post.status(), 200);
    QTRY_COMPARE_WITH_TIMEOUT(stream.events(), QByteArrayList { frame(post.body(), "old") },
                              Patience);
}

// The headers of GET, no body, and the end at once.
void tst_Curl::head()
{
    Curl curl(m_hub->url("/events?topic=head"), { "-I" });
    QVERIFY(curl.waitForFinished());
    QCOMPARE(curl.exitCode(), 0);
    QCOMPARE(curl.status(), 200);
    QCOMPARE(curl.header("Content-Type"), "text/event-stream");
    QCOMPARE(curl.header("Cache-Control"), "no-store, no-transform");
    QCOMPARE(curl.body(), QByteArray());

    Curl refused(m_hub->url("/events"), { "-I" });
    QVERIFY(refused.waitForFinished());
    QCOMPARE(refused.exitCode(), 0);
    QCOMPARE(refused.status(), 400);
    QCOMPARE(refused.body(), QByteArray());
}

void tst_Curl::options_data()
{
    QTest::addColumn<QByteArray>("target");
    QTest::addColumn<QByteArray>("allow");
    QTest::newRow("stream") << QByteArray("/events?topic=a") << QByteArray("GET, HEAD, OPTIONS");
    QTest::newRow("topic") << QByteArray("/topics/a") << QByteArray("POST, OPTIONS");
    QTest::newRow("publish") << QByteArray("/publish") << QByteArray("POST, OPTIONS");
}

void tst_Curl::options()
{
    QFETCH(QByteArray, target);
    Curl curl(m_hub->url(target), { "-X", "OPTIONS" });
    QVERIFY(curl.waitForFinished());
    QCOMPARE(curl.exitCode(), 0);
    QCOMPARE(curl.status(), 204);
    QTEST(curl.header("Allow"), "allow");
    QVERIFY(curl.header("Access-Control-Allow-Origin").isNull());
    QCOMPARE(curl.body(), QByteArray());
}

void tst_Curl::healthz()
{
    Curl curl(m_hub->url("/healthz"));
    QVERIFY(curl.waitForFinished());
    QCOMPARE(curl.exitCode(), 0);
    QCOMPARE(curl.status(), 200);
    QCOMPARE(curl.body(), "ok\n");
}

void tst_Curl::publishText_data()
{
    QTest::addColumn<QByteArray>("body");
    QTest::addColumn<QByteArray>("lines");
    QTest::newRow("plain") << QByteArray("1.0934") << QByteArray("data: 1.0934");
    QTest::newRow("empty") << QByteArray("") << QByteArray("data: ");
    QTest::newRow("spaces") << QByteArray("  a ") << QByteArray("data:   a ");
    QTest::newRow("line breaks") << QByteArray(
        "a\nb\r\nc\rd\n\re") << QByteArray("data: a\ndata: b\ndata: c\ndata: d\ndata: \ndata: e");
    QTest::newRow("ends with LF") << QByteArray("a\n") << QByteArray("data: a\ndata: ");
    QTest::newRow("looks like fields")
        << QByteArray("x\n\nid: evil\nevent: evil")
        << QByteArray("data: x\ndata: \ndata: id: evil\ndata: event: evil");
    QTest::newRow("NUL") << QByteArray("a\0b", 3) << QByteArray("data: a\0b", 9);
    QTest::newRow("UTF-8") << QByteArray("grüß 日本 🎉") << QByteArray("data: grüß 日本 🎉");
    QTest::newRow("no UTF-8") << QByteArray("a\xff"
                                            "b")
                              << QByteArray("data: a\xef\xbf\xbd"
                                            "b");
    QTest::newRow("overlong") << QByteArray("a\xc0\xaf"
                                            "b")
                              << QByteArray("data: a\xef\xbf\xbd\xef\xbf\xbd"
                                            "b");
    QTest::newRow("100 kB") << QByteArray(100'000, 'x')
                            << QByteArray("data: " + QByteArray(100'000, 'x'));
}

void tst_Curl::publishText()
{
    QFETCH(QByteArray, body);
    QFETCH(QByteArray, lines);
    Curl stream(m_hub->url("/events?topic=text"));
    QTRY_VERIFY_WITH_TIMEOUT(stream.isOpen(), Patience);
    const QByteArray id = publish("/topics/text", body);
    QVERIFY(!id.isEmpty());
    QTRY_COMPARE_WITH_TIMEOUT(stream.events(), QByteArrayList { "id: " + id + '\n' + lines },
                              Patience);
}

void tst_Curl::publishWithFields()
{
    Curl stream(m_hub->url("/events?topic=fields/a"));
    QTRY_VERIFY_WITH_TIMEOUT(stream.isOpen(), Patience);
    QCOMPARE(publish("/topics/fields/a?event=r%C3%A4te&id=my%201&retry=1500", "x"), "my 1");
    QTRY_COMPARE_WITH_TIMEOUT(stream.events(),
                              QByteArrayList { "id: my 1\nevent: räte\ndata: x\nretry: 1500" },
                              Patience);
}

void tst_Curl::publishJson()
{
    Curl stream(m_hub->url("/events?topic=json/**"));
    QTRY_VERIFY_WITH_TIMEOUT(stream.isOpen(), Patience);
    QCOMPARE(idsIn(publish("/publish", R"({"topic":"json/a","data":"x","event":"e","id":"one"})")),
             QByteArrayList { "one" });
    const QByteArrayList ids = idsIn(publish("/publish", R"([
        {"topic":"json/b","data":{"price":1.5,"name":"ü"}},
        {"topic":"json/c","data":[1,null]},
        {"topic":"json/d","data":42,"retry":700},
        {"topic":"json/e","data":"two\nlines"}
    ])"));
    QCOMPARE(ids.size(), 4);
    const QByteArrayList expected {
        "id: one\nevent: e\ndata: x",         frame(ids.at(0), R"({"name":"ü","price":1.5})"),
        frame(ids.at(1), "[1,null]"),         frame(ids.at(2), "42\nretry: 700"),
        frame(ids.at(3), "two\ndata: lines"),
    };
    QTRY_COMPARE_WITH_TIMEOUT(stream.events(), expected, Patience);
}

void tst_Curl::publishJsonAllOrNone()
{
    Curl stream(m_hub->url("/events?topic=all/**"));
    QTRY_VERIFY_WITH_TIMEOUT(stream.isOpen(), Patience);
    Curl curl(m_hub->url("/publish"), Curl::post(), R"([
        {"topic":"all/a","data":"good"},
        {"topic":"all/b","data":"bad","id":"line\nbreak"},
        {"topic":"all/c","data":"good"}
    ])");
    QVERIFY(curl.waitForFinished());
    QCOMPARE(curl.status(), 400);
    // The next event would come after those that must not come.
    const QByteArray id = publish("/topics/all/d", "after");
    QTRY_COMPARE_WITH_TIMEOUT(stream.events(), QByteArrayList { frame(id, "after") }, Patience);
}

void tst_Curl::publishOnceForManyFilters()
{
    Curl stream(m_hub->url("/events?topic=many/a&topic=many/*&topic=many/**&topic=many/b"));
    QTRY_VERIFY_WITH_TIMEOUT(stream.isOpen(), Patience);
    const QByteArray a = publish("/topics/many/a", "A");
    const QByteArray b = publish("/topics/many/b", "B");
    QTRY_COMPARE_WITH_TIMEOUT(stream.events(), (QByteArrayList { frame(a, "A"), frame(b, "B") }),
                              Patience);
}

void tst_Curl::publishInManyWays_data()
{
    QTest::addColumn<QByteArrayList>("arguments");
    QTest::newRow("chunked") << QByteArrayList { "-H", "Transfer-Encoding: chunked" };
    QTest::newRow("HTTP/1.0") << QByteArrayList { "--http1.0" };
    QTest::newRow("asking for HTTP/2") << QByteArrayList { "--http2" };
    QTest::newRow("closing") << QByteArrayList { "-H", "Connection: close" };
}

// Nothing of it makes a difference to what is published.
void tst_Curl::publishInManyWays()
{
    QFETCH(QByteArrayList, arguments);
    Curl stream(m_hub->url("/events?topic=ways"));
    QTRY_VERIFY_WITH_TIMEOUT(stream.isOpen(), Patience);
    const QByteArray body(200'000, 'x');
    Curl post(m_hub->url("/topics/ways"), Curl::post() + arguments, body);
    QVERIFY(post.waitForFinished());
    QVERIFY2(post.exitCode() == 0, post.errors().constData());
    QVERIFY2(post.output().contains("HTTP/1.1 200 OK\r\n"), post.output().constData());
    const QByteArray id = post.output().mid(post.output().lastIndexOf("\r\n\r\n") + 4);
    QTRY_COMPARE_WITH_TIMEOUT(stream.events(), QByteArrayList { frame(id, body) }, Patience);
}

void tst_Curl::reusesTheConnection()
{
    const QByteArray url = m_hub->url("/healthz");
    Curl curl(url, { "-w", "%{num_connects}\n", url, url });
    QVERIFY(curl.waitForFinished());
    QCOMPARE(curl.exitCode(), 0);
    QCOMPARE(curl.output().count("HTTP/1.1 200 OK"), 3);
    QCOMPARE(curl.output().count("1\n"), 1);
    QVERIFY2(curl.output().endsWith("0\n"), curl.output().constData());
}

// curl sends a body only when it is told to go on, and not when it is refused before.
void tst_Curl::waitsForLeave()
{
    const auto post = [this](const QByteArray &body) {
        auto curl = std::make_unique<ChildProcess>(
            QStringLiteral("curl"),
            QByteArrayList { "-sSi", "--noproxy", "*", "-H", "Expect: 100-continue",
                             "--expect100-timeout", "60", "-w", "%{size_upload}", "--data-binary",
                             "@-", m_hub->url("/topics/a") });
        curl->start(body);
        curl->waitForFinished();
        return curl->output();
    };
    const QByteArray fine = post("x");
    QVERIFY2(fine.startsWith("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"), fine.constData());
    QVERIFY2(fine.endsWith('1'), fine.constData());
    const QByteArray large = post(QByteArray(2'000'000, 'x'));
    QVERIFY2(large.startsWith("HTTP/1.1 413 "), large.constData());
    QVERIFY2(large.endsWith("bytes\n0"), large.constData());
}

void tst_Curl::wildcards_data()
{
    QTest::addColumn<QByteArray>("filter");
    QTest::addColumn<QByteArrayList>("expected");
    QTest::newRow("exact") << QByteArray("w/a") << QByteArrayList { "w/a" };
    QTest::newRow("one level") << QByteArray("w/*") << QByteArrayList { "w/a", "w/b", "w/ü x" };
    QTest::newRow("in the middle") << QByteArray("w/*/c") << QByteArrayList { "w/a/c", "w/b/c" };
    QTest::newRow("the rest") << QByteArray("w/a/**") << QByteArrayList { "w/a", "w/a/c" };
    QTest::newRow("percent-encoded") << QByteArray("w%2F%C3%BC%20x") << QByteArrayList { "w/ü x" };
}

void tst_Curl::wildcards()
{
    QFETCH(QByteArray, filter);
    QFETCH(QByteArrayList, expected);
    Curl stream(m_hub->url("/events?topic=end&topic=" + filter));
    QTRY_VERIFY_WITH_TIMEOUT(stream.isOpen(), Patience);
    QByteArrayList frames;
    const QByteArrayList topics { "w", "w/a", "w/b", "w/a/c", "w/b/c", "w/ü x", "x/a" };
    for (const QByteArray &topic : topics) {
        const QByteArray id = publish("/topics/" + topic.toPercentEncoding("/"), topic);
        if (expected.contains(topic))
            frames.append(frame(id, topic));
    }
    frames.append(frame(publish("/topics/end", "end"), "end"));
    QTRY_COMPARE_WITH_TIMEOUT(stream.events(), frames, Patience);
}

void tst_Curl::resume_data()
{
    QTest::addColumn<QByteArray>("topic");
    QTest::addColumn<QByteArrayList>("arguments");
    QTest::addColumn<QByteArray>("query");
    QTest::addColumn<bool>("fromEarliest");
    QTest::newRow("header") << QByteArray("resume/header")
                            << QByteArrayList { "-H", "Last-Event-ID: %1" } << QByteArray()
                            << false;
    QTest::newRow("lastEventId") << QByteArray("resume/camel") << QByteArrayList()
                                 << QByteArray("&lastEventId=%1") << false;
    QTest::newRow("last_event_id") << QByteArray("resume/snake") << QByteArrayList()
                                   << QByteArray("&last_event_id=%1") << false;
    QTest::newRow("header, earliest")
        << QByteArray("resume/header-earliest")
        << QByteArrayList { "-H", "Last-Event-ID: earliest" } << QByteArray() << true;
    QTest::newRow("earliest") << QByteArray("resume/earliest") << QByteArrayList()
                              << QByteArray("&lastEventId=earliest") << true;
}

void tst_Curl::resume()
{
    QFETCH(QByteArray, topic);
    QFETCH(QByteArrayList, arguments);
    QFETCH(QByteArray, query);
    QFETCH(bool, fromEarliest);
    QByteArrayList ids;
    QByteArrayList expected;
    for (const char *data : { "a", "b", "c" }) {
        ids.append(publish("/topics/" + topic, data));
        expected.append(frame(ids.last(), data));
    }
    publish("/topics/other", "not to be seen");
    if (!fromEarliest)
        expected.removeFirst();
    for (QByteArray &argument : arguments)
        argument.replace("%1", ids.first());
    query.replace("%1", ids.first());

    Curl stream(m_hub->url("/events?topic=" + topic + query), arguments);
    QTRY_COMPARE_WITH_TIMEOUT(stream.events(), expected, Patience);
    expected.append(frame(publish("/topics/" + topic, "live"), "live"));
    QTRY_COMPARE_WITH_TIMEOUT(stream.events(), expected, Patience);
}

void tst_Curl::resumeFromOwnId()
{
    publish("/topics/own?id=first%20%C3%BC", "a");
    publish("/topics/own?id=second", "b");
    const QByteArray third = publish("/topics/own", "c");
    const QByteArrayList expected { frame("second", "b"), frame(third, "c") };
    Curl header(m_hub->url("/events?topic=own"), { "-H", "Last-Event-ID: first ü" });
    Curl parameter(m_hub->url("/events?topic=own&lastEventId=first%20%C3%BC"));
    QTRY_COMPARE_WITH_TIMEOUT(header.events(), expected, Patience);
    QTRY_COMPARE_WITH_TIMEOUT(parameter.events(), expected, Patience);
}

void tst_Curl::resumeFromUnknownId()
{
    const QByteArray a = publish("/topics/unknown", "a");
    const QByteArray b = publish("/topics/unknown", "b");
    Curl stream(m_hub->url("/events?topic=unknown"), { "-H", "Last-Event-ID: never heard of" });
    QTRY_COMPARE_WITH_TIMEOUT(stream.events().size(), 3, Patience);
    const QByteArrayList events = stream.events();
    QVERIFY2(events.at(0).startsWith("event: gap\ndata: "), events.at(0).constData());
    const QJsonObject gap =
        QJsonDocument::fromJson(events.at(0).mid(qstrlen("event: gap\ndata: "))).object();
    QCOMPARE(gap.value(QLatin1String("requested")).toString(), QLatin1String("never heard of"));
    QCOMPARE(gap.value(QLatin1String("oldest")).toString().toUtf8(), a);
    QCOMPARE(events.mid(1), (QByteArrayList { frame(a, "a"), frame(b, "b") }));
}

void tst_Curl::headerWinsOverParameter()
{
    const QByteArray a = publish("/topics/wins", "a");
    const QByteArray b = publish("/topics/wins", "b");
    const QByteArray c = publish("/topics/wins", "c");
    Curl stream(m_hub->url("/events?topic=wins&lastEventId=" + a), { "-H", "Last-Event-ID: " + b });
    QTRY_COMPARE_WITH_TIMEOUT(stream.events(), QByteArrayList { frame(c, "c") }, Patience);
}

void tst_Curl::accepted_data()
{
    QTest::addColumn<QByteArray>("accept");
    QTest::newRow("none") << QByteArray("Accept:");
    QTest::newRow("exact") << QByteArray("Accept: text/event-stream");
    QTest::newRow("any text") << QByteArray("Accept: application/json, TEXT/*;q=0.5");
    QTest::newRow("anything") << QByteArray("Accept: text/html, */*;q=0.1");
    QTest::newRow("not everything") << QByteArray("Accept: */*;q=0, text/event-stream");
}

void tst_Curl::accepted()
{
    QFETCH(QByteArray, accept);
    Curl stream(m_hub->url("/events?topic=accepted"), { "-H", accept });
    QTRY_VERIFY_WITH_TIMEOUT(stream.isOpen(), Patience);
    QCOMPARE(stream.status(), 200);
}

void tst_Curl::refused_data()
{
    QTest::addColumn<QByteArrayList>("arguments");
    QTest::addColumn<QByteArray>("target");
    QTest::addColumn<QByteArray>("body");
    QTest::addColumn<int>("status");
    QTest::addColumn<QByteArray>("allow");

    const auto get = [](const char *name, const QByteArray &query, int status = 400,
                        const QByteArrayList &arguments = {}) {
        QTest::newRow(name) << arguments << "/events" + query << QByteArray() << status
                            << QByteArray();
    };
    get("no topic", "");
    get("empty topic", "?topic=");
    get("one of two topics empty", "?topic=a&topic=");
    get("wildcard in a level", "?topic=a*");
    get("** before the end", "?topic=a/**/b");
    get("empty level", "?topic=a//b");
    get("ends with a slash", "?topic=a/");
    get("control character in a filter", "?topic=a%0Ab");
    get("filter is no UTF-8", "?topic=a%FFb");
    get("filter too long", "?topic=" + QByteArray(QSseTopicFilter::MaximumSize + 1, 'a'));
    get("too many filters", '?' + QByteArray("&topic=a").repeated(101).mid(1));
    get("Accept without ours", "?topic=a", 406, { "-H", "Accept: application/json" });
    get("Accept with q=0", "?topic=a", 406, { "-H", "Accept: text/event-stream;q=0" });
    get("Accept with q=0 wins over */*", "?topic=a", 406,
        { "-H", "Accept: */*, text/event-stream;q=0" });

    const auto method = [](const char *method, const QByteArray &target, const QByteArray &allow) {
        QTest::newRow(method + target)
            << QByteArrayList { "-X", method } << target << QByteArray() << 405 << allow;
    };
    for (const char *name : { "POST", "PUT", "DELETE", "PATCH" })
        method(name, "/events?topic=a", "GET, HEAD, OPTIONS");
    for (const char *name : { "GET", "PUT", "DELETE", "PATCH" }) {
        method(name, "/topics/a", "POST, OPTIONS");
        method(name, "/publish", "POST, OPTIONS");
    }

    const auto post = [](const char *name, const QByteArray &target, const QByteArray &body = "x",
                         int status = 400) {
        QTest::newRow(name) << Curl::post() << target << body << status << QByteArray();
    };
    post("publish without a topic", "/topics/");
    post("publish under a wildcard", "/topics/a/*");
    post("publish under an empty level", "/topics/a//b");
    post("control character in a topic", "/topics/a%01b");
    post("topic is no UTF-8", "/topics/a%FFb");
    post("topic too long", "/topics/" + QByteArray(QSseTopicFilter::MaximumSize + 1, 'a'));
    post("NUL in an id", "/topics/a?id=a%00b");
    post("CR in an id", "/topics/a?id=a%0Db");
    post("LF in an id", "/topics/a?id=a%0Ab");
    post("CR in an event", "/topics/a?event=a%0Db");
    post("LF in an event", "/topics/a?event=a%0Ab");
    post("retry is no number", "/topics/a?retry=soon");
    post("retry is negative", "/topics/a?retry=-1");
    post("too large", "/topics/a", QByteArray(1024 * 1024 + 1, 'x'), 413);

    post("no JSON", "/publish", "{");
    post("empty JSON body", "/publish", "");
    post("JSON of no event", "/publish", "42");
    post("JSON array of nothing", "/publish", "[]");
    post("JSON array of no event", "/publish", "[42]");
    post("JSON without a topic", "/publish", R"({"data":"x"})");
    post("JSON with an empty topic", "/publish", R"({"topic":"","data":"x"})");
    post("JSON with a bad topic", "/publish", R"({"topic":"a*","data":"x"})");
    post("JSON without data", "/publish", R"({"topic":"a"})");
    post("JSON with NUL in the id", "/publish", R"({"topic":"a","data":"x","id":"a\u0000b"})");
    post("JSON with CR in the id", "/publish", R"({"topic":"a","data":"x","id":"a\rb"})");
    post("JSON with LF in the event", "/publish", R"({"topic":"a","data":"x","event":"a\nb"})");
    post("JSON with a number as id", "/publish", R"({"topic":"a","data":"x","id":1})");
    post("JSON with a negative retry", "/publish", R"({"topic":"a","data":"x","retry":-1})");
    post("JSON too large", "/publish", QByteArray(1024 * 1024 + 1, ' '), 413);
}

// Each with its status and one line of text that says why; and nothing is published.
void tst_Curl::refused()
{
    QFETCH(QByteArrayList, arguments);
    QFETCH(QByteArray, target);
    QFETCH(QByteArray, body);
    Curl all(m_hub->url("/events?topic=**"));
    QTRY_VERIFY_WITH_TIMEOUT(all.isOpen(), Patience);

    Curl curl(m_hub->url(target), arguments, body);
    QVERIFY(curl.waitForFinished());
    QCOMPARE(curl.exitCode(), 0);
    QTEST(curl.status(), "status");
    QTEST(curl.header("Allow"), "allow");
    QCOMPARE(curl.header("Content-Type"), "text/plain; charset=utf-8");
    static const QRegularExpression oneLine(QStringLiteral("^[^\\s\\x00-\\x1f][^\\x00-\\x1f]+\n$"));
    QVERIFY2(oneLine.match(QString::fromUtf8(curl.body())).hasMatch(), curl.body().constData());

    const QByteArray id = publish("/topics/after", "after");
    QTRY_COMPARE_WITH_TIMEOUT(all.events(), QByteArrayList { frame(id, "after") }, Patience);
}

void tst_Curl::keepAlive_data()
{
    QTest::addColumn<QByteArrayList>("arguments");
    QTest::addColumn<QString>("environment");
    QTest::newRow("flag") << QByteArrayList { "--keep-alive", "300" } << QString();
    QTest::newRow("environment") << QByteArrayList() << QStringLiteral("300");
}

void tst_Curl::keepAlive()
{
    QFETCH(QByteArrayList, arguments);
    QFETCH(QString, environment);
    HubProcess hub(arguments);
    QProcessEnvironment variables = QProcessEnvironment::systemEnvironment();
    if (!environment.isNull())
        variables.insert(QStringLiteral("SSE_KEEP_ALIVE_IN_MS"), environment);
    hub.process().setProcessEnvironment(variables);
    QVERIFY2(hub.listen(), hub.errors().constData());

    QElapsedTimer clock;
    clock.start();
    Curl stream(hub.url("/events?topic=a"));
    const auto comments = [&] {
        QByteArrayList comments = stream.blocks();
        comments.removeIf([](const QByteArray &block) { return !block.startsWith(':'); });
        return comments;
    };
    QTRY_VERIFY_WITH_TIMEOUT(comments().size() >= 3, Patience);
    // Each comes up to an eighth of the interval early, and no more.
    QVERIFY2(clock.elapsed() >= 3 * 260, QByteArray::number(clock.elapsed()).constData());
    QCOMPARE(comments().first(), ": keep-alive");
}

void tst_Curl::keepAliveNotWhileEventsCome()
{
    HubProcess hub({ "--keep-alive", "2000", "--generate", "topic=a,rate=20,bytes=24" });
    QVERIFY2(hub.listen(), hub.errors().constData());
    Curl stream(hub.url("/events?topic=a"));
    QTRY_VERIFY_WITH_TIMEOUT(stream.events().size() >= 60, Patience); // for 3 s
    QVERIFY2(!stream.body().contains("\n:"), stream.body().constData());
}

void tst_Curl::history()
{
    HubProcess hub({ "--history", "2" });
    QVERIFY2(hub.listen(), hub.errors().constData());
    QByteArrayList expected;
    for (const char *data : { "a", "b", "c" }) {
        Curl post(hub.url("/topics/a"), Curl::post(), data);
        QVERIFY(post.waitForFinished());
        expected.append(frame(post.body(), data));
    }
    Curl stream(hub.url("/events?topic=a&lastEventId=earliest"));
    QTRY_COMPARE_WITH_TIMEOUT(stream.events(), expected.mid(1), Patience);
}

void tst_Curl::generate()
{
    HubProcess hub({ "--generate", "topic=load/a,rate=200,bytes=64" });
    QVERIFY2(hub.listen(), hub.errors().constData());
    Curl stream(hub.url("/events?topic=load/*"));
    QTRY_VERIFY_WITH_TIMEOUT(stream.events().size() >= 20, Patience);
    static const QRegularExpression pattern(QStringLiteral("\ndata: (t=(\\d+) x+)$"));
    qint64 last = 0;
    for (const QByteArray &event : stream.events()) {
        const QRegularExpressionMatch match = pattern.match(QString::fromUtf8(event));
        QVERIFY2(match.hasMatch(), event.constData());
        QCOMPARE(match.captured(1).size(), 64);
        QVERIFY(match.captured(2).toLongLong() > last);
        last = match.captured(2).toLongLong();
    }
}

void tst_Curl::terminated_data()
{
    QTest::addColumn<int>("signal");
    QTest::newRow("SIGTERM") << SIGTERM;
    QTest::newRow("SIGINT") << SIGINT;
}

void tst_Curl::terminated()
{
    QFETCH(int, signal);
    HubProcess hub;
    QVERIFY2(hub.listen(), hub.errors().constData());
    Curl one(hub.url("/events?topic=a"));
    Curl two(hub.url("/events?topic=**"));
    QTcpSocket idle; // a connection that never asks for anything must not hold the hub up
    idle.connectToHost(QHostAddress::LocalHost, hub.port());
    QTRY_COMPARE_WITH_TIMEOUT(idle.state(), QAbstractSocket::ConnectedState, Patience);
    QTRY_VERIFY_WITH_TIMEOUT(one.isOpen() && two.isOpen(), Patience);
    Curl post(hub.url("/topics/a"), Curl::post(), "x");
    QVERIFY(post.waitForFinished());

    hub.sendSignal(signal);
    for (Curl *stream : { &one, &two }) {
        QVERIFY(stream->waitForFinished());
        QVERIFY2(stream->exitCode() == 0, stream->errors().constData());
        QCOMPARE(stream->events(), QByteArrayList { frame(post.body(), "x") });
        // When to come back: not all at once.
        const QByteArray goodbye = stream->blocks().last();
        QVERIFY2(goodbye.startsWith("retry: "), goodbye.constData());
        const int retry = goodbye.mid(qstrlen("retry: ")).toInt();
        QVERIFY2(retry >= 2000 && retry <= 4000, goodbye.constData());
    }
    QVERIFY(hub.waitForFinished());
    QCOMPARE(hub.exitCode(), 0);
    QCOMPARE(hub.output().count('\n'), 1);
}

void tst_Curl::portTaken()
{
    QTcpServer other;
    QVERIFY(other.listen(QHostAddress::LocalHost));
    HubProcess hub({ "--listen", "127.0.0.1:" + QByteArray::number(other.serverPort()) });
    QVERIFY(!hub.listen());
    QCOMPARE(hub.exitCode(), 1);
    QCOMPARE(hub.output(), QByteArray());
    QVERIFY2(hub.errors().contains("qsse-hub: "), hub.errors().constData());
}

void tst_Curl::commandLine_data()
{
    QTest::addColumn<QByteArrayList>("arguments");
    QTest::addColumn<int>("exitCode");
    QTest::addColumn<QString>("output");
    QTest::addColumn<QString>("errors");

    const QString nothing = QStringLiteral("^$");
    QTest::newRow("help")
        << QByteArrayList { "--help" } << 0
        << QStringLiteral(
               "^Usage: .*GET .*POST .*--listen.*--keep-alive.*--history.*--threads.*--generate")
        << nothing;
    QTest::newRow("version") << QByteArrayList { "--version" } << 0
                             << QStringLiteral("^qsse-hub \\d+\\.\\d+\\.\\d+\n$") << nothing;

    const auto bad = [&](const QByteArrayList &arguments) {
        QTest::newRow(arguments.join(' '))
            << arguments << 2 << nothing << QStringLiteral("^qsse-hub: [^\n]+\n$");
    };
    bad({ "--no-such-flag" });
    bad({ "argument" });
    bad({ "--listen" });
    bad({ "--listen", "" });
    bad({ "--listen", "127.0.0.1" });
    bad({ "--listen", "127.0.0.1:http" });
    bad({ "--listen", "127.0.0.1:65536" });
    bad({ "--listen", "not an address:80" });
    bad({ "--keep-alive", "soon" });
    bad({ "--keep-alive", "-1" });
    bad({ "--history", "many" });
    bad({ "--history", "-1" });
    bad({ "--threads", "many" });
    bad({ "--threads", "-1" });
    bad({ "--generate", "topic" });
    bad({ "--generate", "topic=a" });
    bad({ "--generate", "topic=a,rate=0,bytes=100" });
    bad({ "--generate", "topic=a,rate=1,bytes=2" });
    bad({ "--generate", "topic=a*,rate=1,bytes=100" });
    bad({ "--generate", "topic=a,rate=x,bytes=100" });
    bad({ "--generate", "topic=a,rate=1,bytes=100,more=1" });
}

void tst_Curl::commandLine()
{
    QFETCH(QByteArrayList, arguments);
    ChildProcess hub(QStringLiteral(QSSE_HUB), arguments);
    hub.start();
    QVERIFY(hub.waitForFinished());
    const auto matches = [](const QString &pattern, const QByteArray &text) {
        return QRegularExpression(pattern, QRegularExpression::DotMatchesEverythingOption)
            .match(QString::fromUtf8(text))
            .hasMatch();
    };
    QFETCH(QString, output);
    QFETCH(QString, errors);
    QVERIFY2(matches(output, hub.output()), hub.output().constData());
    QVERIFY2(matches(errors, hub.errors()), hub.errors().constData());
    QTEST(hub.exitCode(), "exitCode");
}

QTEST_GUILESS_MAIN(tst_Curl)
#include "tst_curl.moc"
