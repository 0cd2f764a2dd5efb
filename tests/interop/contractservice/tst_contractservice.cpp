// SPDX-License-Identifier: MIT
// qsse-contract-service as the harness of the contract tests sees it.

#include "childprocess.h"
#include "fakeharness.h"

#include <QtCore/QJsonArray>
#include <QtCore/QRegularExpression>
#include <QtNetwork/QNetworkAccessManager>
#include <QtNetwork/QNetworkReply>
#include <QtTest/QtTest>

#include <memory>
#include <optional>

namespace {

constexpr int Patience = 20'000;

/*! A qsse-contract-service on a free port. */
class ServiceProcess : public ChildProcess
{
public:
    explicit ServiceProcess(const QByteArrayList &arguments = {})
        : ChildProcess(QStringLiteral(QSSE_CONTRACT_SERVICE), arguments)
    {
    }

    /*! Starts the service and waits until it listens. */
    bool listen()
    {
        start();
        const bool hasLine =
            QTest::qWaitFor([this] { return output().contains('\n') || isFinished(); }, Patience);
        static const QRegularExpression line(
            QStringLiteral("^listening on http://localhost:(\\d+)\n$"));
        m_port = line.match(QString::fromUtf8(output())).captured(1).toUShort();
        return hasLine && m_port != 0;
    }
    quint16 port() const { return m_port; }

private:
    quint16 m_port = 0;
};

struct Answer
{
    int status = 0; // 0 when there was none
    QByteArray body;
    QByteArray location;
};

QByteArray block(const QByteArray &data)
{
    return "data: " + data + "\n\n";
}

QByteArray toBytes(const QJsonObject &object)
{
    return QJsonDocument(object).toJson(QJsonDocument::Compact);
}

QJsonObject restartCommand()
{
    return { { QStringLiteral("command"), QStringLiteral("restart") } };
}

} // namespace

class tst_ContractService : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void init();
    void cleanup();
    void cleanupTestCase();

    void capabilities();
    void reports();
    void unharmedData_data();
    void unharmedData();
    void ids();
    void largeEvent();
    void oneReportAtATime();
    void failedReport();

    void request();
    void requestByDefault();
    void restart();
    void reconnect();
    void readTimeout();
    void noContent();

    void listen();
    void badCommand_data();
    void badCommand();
    void badParameters_data();
    void badParameters();
    void unknownStream_data();
    void unknownStream();

    void removeWhilePosting();
    void quit();
    void badPort();
    void takenPort();

private:
    Answer ask(const QByteArray &method, const QByteArray &path, const QByteArray &body = {});
    bool openStream(QJsonObject parameters = {});
    QJsonObject onlyEvent() const;

    std::unique_ptr<FakeHarness> m_harness;
    std::unique_ptr<ServiceProcess> m_service;
    QNetworkAccessManager m_manager;
    QByteArray m_location; // of the stream opened last
};

void tst_ContractService::init()
{
    m_harness = std::make_unique<FakeHarness>();
    if (m_service)
        return;
    m_service = std::make_unique<ServiceProcess>();
    QVERIFY2(m_service->listen(), m_service->errors());
}

void tst_ContractService::cleanup()
{
    if (QTest::currentTestFailed())
        qInfo("%s", m_service->errors().constData());
    if (QTest::currentTestFailed() || m_service->isFinished())
        m_service.reset();
    else if (!m_location.isEmpty())
        ask("DELETE", m_location);
    m_location.clear();
    m_harness.reset();
}

void tst_ContractService::cleanupTestCase()
{
    m_service.reset(); // it is watched by the event loop, which ends first
}

Answer tst_ContractService::ask(const QByteArray &method, const QByteArray &path,
                                const QByteArray &body)
{
    QUrl url(QStringLiteral("http://localhost"));
    url.setPort(m_service->port());
    url.setPath(QString::fromUtf8(path));
    QNetworkRequest request(url);
    request.setHeader(QNetworkRequest::ContentTypeHeader, QByteArray("application/json"));
    const std::unique_ptr<QNetworkReply> reply(m_manager.sendCustomRequest(request, method, body));
    if (!QTest::qWaitFor([&] { return reply->isFinished(); }, Patience))
        return {};
    return { reply->attribute(QNetworkRequest::HttpStatusCodeAttribute).toInt(), reply->readAll(),
             reply->rawHeader("Location") };
}

/*! Has the service open a stream with \a parameters beside the usual ones. */
bool tst_ContractService::openStream(QJsonObject parameters)
{
    const QJsonObject usual = m_harness->parameters();
    for (auto it = usual.begin(); it != usual.end(); ++it) {
        if (!parameters.contains(it.key()))
            parameters.insert(it.key(), *it);
    }
    const Answer answer = ask("POST", "/", toBytes(parameters));
    m_location = answer.location;
    return answer.status == 201 && !m_location.isEmpty()
        && QTest::qWaitFor([this] { return m_harness->hasStream(); }, Patience);
}

/*! The event of the only report. */
QJsonObject tst_ContractService::onlyEvent() const
{
    return m_harness->reports.value(0).json().value(QStringLiteral("event")).toObject();
}

void tst_ContractService::capabilities()
{
    const Answer answer = ask("GET", "/");
    QCOMPARE(answer.status, 200);
    const QJsonArray expected { QStringLiteral("bom"),
                                QStringLiteral("comments"),
                                QStringLiteral("headers"),
                                QStringLiteral("last-event-id"),
                                QStringLiteral("post"),
                                QStringLiteral("read-timeout"),
                                QStringLiteral("report"),
                                QStringLiteral("restart"),
                                QStringLiteral("server-directed-shutdown-request") };
    const QJsonObject status = QJsonDocument::fromJson(answer.body).object();
    QCOMPARE(status.value(QStringLiteral("capabilities")).toArray(), expected);
}

void tst_ContractService::reports()
{
    QVERIFY(openStream());
    m_harness->send(":a comment\nevent: greeting\nid: 7\ndata: Hello\n\ndata: World\n\n");
    QTRY_COMPARE(m_harness->reports.size(), 3);
    m_harness->endStream();
    QTRY_COMPARE(m_harness->reports.size(), 4);

    const QByteArrayList expected {
        R"({"comment":"a comment","kind":"comment"})",
        R"({"event":{"data":"Hello","id":"7","type":"greeting"},"kind":"event"})",
        R"({"event":{"data":"World","id":"7","type":"message"},"kind":"event"})",
    };
    for (qsizetype i = 0; i < m_harness->reports.size(); ++i) {
        const FakeHarness::Request &report = m_harness->reports.at(i);
        QCOMPARE(report.line, "POST /reports/" + QByteArray::number(i + 1) + " HTTP/1.1");
        QCOMPARE(report.header("Content-Type"), "application/json");
        if (i < expected.size())
            QCOMPARE(report.body, expected.at(i));
    }
    const QJsonObject error = m_harness->reports.last().json();
    QCOMPARE(error.keys(), QStringList({ QStringLiteral("error"), QStringLiteral("kind") }));
    QCOMPARE(error.value(QStringLiteral("kind")).toString(), QStringLiteral("error"));
    QVERIFY(!error.value(QStringLiteral("error")).toString().isEmpty());
}

void tst_ContractService::unharmedData_data()
{
    QTest::addColumn<QByteArray>("data");
    QTest::addColumn<QByteArray>("json");

    const auto same = [](const char *name, const QByteArray &data) {
        QTest::newRow(name) << data << data;
    };
    same("empty", "");
    same("BOM first", "\xEF\xBB\xBFHi");
    same("BOM alone", "\xEF\xBB\xBF");
    same("two bytes", "\xC2\x80\xDF\xBF");
    same("line separators", "\xE2\x80\xA8\xE2\x80\xA9");
    same("non-BMP", "\xF0\x9F\x92\xA9\xF4\x8F\xBF\xBF");
    same("noncharacters", "\xEF\xBF\xBE\xEF\xBF\xBF");
    QTest::newRow("NUL") << QByteArray("a\0b", 3) << QByteArray(R"(a\u0000b)");
    QTest::newRow("control") << QByteArray("\t\b\x1F") << QByteArray(R"(\t\b\u001f)");
    QTest::newRow("JSON") << QByteArray(R"({"a\\b":"\u0041"})")
                          << QByteArray(R"({\"a\\\\b\":\"\\u0041\"})");
    QTest::newRow("lines") << QByteArray("a\ndata: b") << QByteArray(R"(a\nb)");
    QTest::newRow("not UTF-8") << QByteArray("a\xFFz") << QByteArray("a\xEF\xBF\xBDz");
}

// To the byte: what reads JSON here might swallow a byte order mark itself.
void tst_ContractService::unharmedData()
{
    QFETCH(QByteArray, data);
    QFETCH(QByteArray, json);
    QVERIFY(openStream());
    m_harness->send(block(data));
    QTRY_COMPARE(m_harness->reports.size(), 1);
    QCOMPARE(m_harness->reports.first().body,
             R"({"event":{"data":")" + json + R"(","type":"message"},"kind":"event"})");
}

// None until there was one, and empty once that is taken back.
void tst_ContractService::ids()
{
    QVERIFY(openStream());
    m_harness->send(block("1") + "id: \xEF\xBB\xBF\n" + block("2") + "id:\n" + block("3"));
    QTRY_COMPARE(m_harness->reports.size(), 3);
    QVERIFY(!m_harness->reports.at(0).body.contains(R"("id")"));
    QVERIFY(m_harness->reports.at(1).body.contains("\"id\":\"\xEF\xBB\xBF\""));
    QVERIFY(m_harness->reports.at(2).body.contains(R"("id":"")"));
}

void tst_ContractService::largeEvent()
{
    QByteArray data;
    while (data.size() < 14'000'000)
        data += QByteArray::number(data.size()) + "\xE2\x82\xAC,";
    QVERIFY(openStream());
    m_harness->send(block(data));
    QTRY_COMPARE_WITH_TIMEOUT(m_harness->reports.size(), 1, Patience);
    const QString reported = onlyEvent().value(QStringLiteral("data")).toString();
    QVERIFY(reported.toUtf8() == data); // no megabytes of text when it fails
}

// A report is not posted before the one before it is answered, and none gets lost.
void tst_ContractService::oneReportAtATime()
{
    constexpr int Count = 100;
    QByteArray events;
    for (int i = 1; i <= Count; ++i)
        events += block(QByteArray::number(i));
    m_harness->answersReports = false;
    QVERIFY(openStream());
    m_harness->send(events);
    QTRY_COMPARE(m_harness->reports.size(), 1);
    QCOMPARE(ask("POST", m_location, R"({"command":"listen","listen":{"type":"x"}})").status, 204);
    QCOMPARE(m_harness->reports.size(), 1);

    m_harness->answerReports();
    QTRY_COMPARE_WITH_TIMEOUT(m_harness->reports.size(), Count, Patience);
    for (int i = 1; i <= Count; ++i) {
        const FakeHarness::Request &report = m_harness->reports.at(i - 1);
        QCOMPARE(report.path(), "/reports/" + QByteArray::number(i));
        const QJsonObject event = report.json().value(QStringLiteral("event")).toObject();
        QCOMPARE(event.value(QStringLiteral("data")).toString(), QString::number(i));
    }
}

// The stream is given up, the service is not.
void tst_ContractService::failedReport()
{
    m_harness->reportStatus = "404 Not Found";
    QVERIFY(openStream());
    m_harness->send(block("1") + block("2"));
    QTRY_COMPARE(m_harness->reports.size(), 1);
    QTRY_VERIFY(!m_harness->hasStream());
    QCOMPARE(ask("DELETE", m_location).status, 204);
    QCOMPARE(m_harness->reports.size(), 1);

    m_harness->reportStatus = "200 OK";
    QVERIFY(openStream());
    m_harness->send(block("3"));
    QTRY_COMPARE(m_harness->reports.size(), 2);
    QCOMPARE(m_harness->reports.at(1).path(), "/reports/1");
}

void tst_ContractService::request()
{
    const QString body = QStringLiteral(u"{\"\u20AC\": \"\u0000\"}");
    QVERIFY(openStream({
        { QStringLiteral("tag"), QStringLiteral("request") },
        { QStringLiteral("method"), QStringLiteral("REPORT") },
        { QStringLiteral("body"), body },
        { QStringLiteral("lastEventId"), QStringLiteral(u"\u20AC7") },
        { QStringLiteral("headers"),
          QJsonObject { { QStringLiteral("content-type"), QStringLiteral("application/json") },
                        { QStringLiteral("x-one"), QStringLiteral("1") } } },
    }));
    const FakeHarness::Request &request = m_harness->streams.first();
    QCOMPARE(request.line, "REPORT /stream HTTP/1.1");
    QCOMPARE(request.body, body.toUtf8());
    QCOMPARE(request.header("Last-Event-ID"),
             "\xE2\x82\xAC"
             "7");
    QCOMPARE(request.header("Content-Type"), "application/json");
    QCOMPARE(request.header("X-One"), "1");
}

// The harness sends null for what it does not set, and members of its next version.
void tst_ContractService::requestByDefault()
{
    QVERIFY(openStream({ { QStringLiteral("initialDelayMs"), QJsonValue() },
                         { QStringLiteral("readTimeoutMs"), QJsonValue() },
                         { QStringLiteral("lastEventId"), QStringLiteral("") },
                         { QStringLiteral("colour"), QStringLiteral("blue") } }));
    const FakeHarness::Request &request = m_harness->streams.first();
    QCOMPARE(request.line, "GET /stream HTTP/1.1");
    QCOMPARE(request.body, "");
    QCOMPARE(request.header("Accept"), "text/event-stream");
    QCOMPARE(request.header("Cache-Control"), "no-cache");
    QVERIFY(request.header("Last-Event-ID").isNull());
}

void tst_ContractService::restart()
{
    QVERIFY(openStream());
    m_harness->send("id: 1\ndata: before\n\n");
    QTRY_COMPARE(m_harness->reports.size(), 1);
    QCOMPARE(ask("POST", m_location, toBytes(restartCommand())).status, 204);
    QTRY_COMPARE(m_harness->streams.size(), 2);
    QCOMPARE(m_harness->streams.last().header("Last-Event-ID"), "1");
    m_harness->send(block("after"));
    QTRY_VERIFY(m_harness->reports.last().body.contains("after"));
}

// The body too is sent again.
void tst_ContractService::reconnect()
{
    QVERIFY(openStream({ { QStringLiteral("method"), QStringLiteral("POST") },
                         { QStringLiteral("body"), QStringLiteral("ask") } }));
    m_harness->send("id: 1\ndata: x\n\n");
    QTRY_COMPARE(m_harness->reports.size(), 1);
    m_harness->endStream();
    QTRY_COMPARE(m_harness->streams.size(), 2);
    const FakeHarness::Request &again = m_harness->streams.last();
    QCOMPARE(again.line, "POST /stream HTTP/1.1");
    QCOMPARE(again.body, "ask");
    QCOMPARE(again.header("Last-Event-ID"), "1");
}

void tst_ContractService::readTimeout()
{
    QVERIFY(openStream({ { QStringLiteral("readTimeoutMs"), 50 } }));
    QTRY_VERIFY(m_harness->streams.size() > 1);
    QTRY_VERIFY(!m_harness->reports.isEmpty());
    QVERIFY(m_harness->reports.first().body.contains(R"("kind":"error")"));
}

void tst_ContractService::noContent()
{
    QTcpServer server;
    QVERIFY(server.listen(QHostAddress::LocalHost));
    QObject::connect(&server, &QTcpServer::newConnection, &server, [&] {
        server.nextPendingConnection()->write("HTTP/1.1 204 No Content\r\n\r\n");
    });
    QJsonObject parameters = m_harness->parameters();
    parameters.insert(QStringLiteral("streamUrl"),
                      QStringLiteral("http://localhost:%1/").arg(server.serverPort()));
    QCOMPARE(ask("POST", "/", toBytes(parameters)).status, 201);
    QTRY_COMPARE(m_harness->reports.size(), 1);
    QVERIFY(m_harness->reports.first().body.contains(R"("kind":"error")"));
}

void tst_ContractService::listen()
{
    QVERIFY(openStream());
    const QByteArray command = R"({"command":"listen","listen":{"type":"greeting"}})";
    QCOMPARE(ask("POST", m_location, command).status, 204);
    m_harness->send("event: greeting\ndata: Hello\n\ndata: once each\n\n");
    QTRY_COMPARE(m_harness->reports.size(), 2);
    QVERIFY(m_harness->reports.first().body.contains("greeting"));
    QVERIFY(m_harness->reports.last().body.contains("once each"));
}

void tst_ContractService::badCommand_data()
{
    QTest::addColumn<QByteArray>("body");

    QTest::newRow("empty") << QByteArray();
    QTest::newRow("no JSON") << QByteArray("restart");
    QTest::newRow("no object") << QByteArray(R"(["restart"])");
    QTest::newRow("none") << QByteArray("{}");
    QTest::newRow("unknown") << QByteArray(R"({"command":"dance"})");
    QTest::newRow("no type") << QByteArray(R"({"command":"listen"})");
    QTest::newRow("type is no text") << QByteArray(R"({"command":"listen","listen":{"type":1}})");
}

void tst_ContractService::badCommand()
{
    QFETCH(QByteArray, body);
    QVERIFY(openStream());
    const Answer answer = ask("POST", m_location, body);
    QCOMPARE(answer.status, 400);
    QVERIFY(answer.body.size() > 1 && answer.body.endsWith('\n'));
    m_harness->send(block("as before"));
    QTRY_COMPARE(m_harness->reports.size(), 1);
    QCOMPARE(m_harness->streams.size(), 1);
}

void tst_ContractService::badParameters_data()
{
    QTest::addColumn<QByteArray>("body"); // with %1 for the members that are needed

    QTest::newRow("empty") << QByteArray();
    QTest::newRow("no JSON") << QByteArray("{%1");
    QTest::newRow("no object") << QByteArray("[{%1}]");
    QTest::newRow("no URLs") << QByteArray("{}");
    QTest::newRow("no callback URL") << QByteArray(R"({"streamUrl":"http://localhost:1/"})");
    QTest::newRow("no stream URL") << QByteArray(R"({"callbackUrl":"http://localhost:1/"})");
    QTest::newRow("null URL") << QByteArray(R"({%1,"streamUrl":null})");
    const QByteArrayList members {
        R"("streamUrl":7)",
        R"("streamUrl":"/stream")",
        R"("streamUrl":"file:///etc")",
        R"("callbackUrl":"")",
        R"("callbackUrl":"ftp://a/")",
        R"("initialDelayMs":"1")",
        R"("initialDelayMs":-1)",
        R"("readTimeoutMs":0.5)",
        R"("readTimeoutMs":1e12)",
        R"("lastEventId":7)",
        R"("lastEventId":"a\u0000b")",
        R"("lastEventId":"a\nb")",
        R"("headers":"a: b")",
        R"("headers":{"a":1})",
        R"("method":1)",
        R"("method":"NOT ONE")",
        R"("method":"")",
        R"("body":{})",
    };
    for (const QByteArray &member : members)
        QTest::newRow(member) << "{%1," + member + '}';
}

void tst_ContractService::badParameters()
{
    QFETCH(QByteArray, body);
    const QByteArray needed = toBytes(m_harness->parameters());
    body.replace("%1", needed.mid(1, needed.size() - 2));
    const Answer answer = ask("POST", "/", body);
    QCOMPARE(answer.status, 400);
    QVERIFY(answer.body.size() > 1 && answer.body.endsWith('\n'));
    QVERIFY(answer.location.isNull());

    QVERIFY(openStream());
    QCOMPARE(m_harness->streams.size(), 1);
}

void tst_ContractService::unknownStream_data()
{
    QTest::addColumn<QByteArray>("path");

    QTest::newRow("none") << QByteArray("/streams/0");
    QTest::newRow("no number") << QByteArray("/streams/x");
    QTest::newRow("too large") << QByteArray("/streams/99999999999999999999");
    QTest::newRow("elsewhere") << QByteArray("/other");
}

void tst_ContractService::unknownStream()
{
    QFETCH(QByteArray, path);
    QCOMPARE(ask("POST", path, toBytes(restartCommand())).status, 404);
    QCOMPARE(ask("DELETE", path).status, 404);
}

// What came before is reported to the end, what comes after it is not.
void tst_ContractService::removeWhilePosting()
{
    m_harness->answersReports = false;
    QVERIFY(openStream());
    m_harness->send(block("1") + block("2") + block("3"));
    QTRY_COMPARE(m_harness->reports.size(), 1);
    QCOMPARE(ask("DELETE", m_location).status, 204);
    QTRY_VERIFY(!m_harness->hasStream());
    QCOMPARE(ask("DELETE", m_location).status, 404);

    m_harness->answerReports();
    QTRY_COMPARE(m_harness->reports.size(), 3);
    QVERIFY(m_harness->reports.last().body.contains(R"("data":"3")"));
    QVERIFY(openStream());
    m_harness->send(block("4"));
    QTRY_COMPARE(m_harness->reports.size(), 4);
    QCOMPARE(m_harness->reports.last().path(), "/reports/1");
    QCOMPARE(m_harness->streams.size(), 2);
}

void tst_ContractService::quit()
{
    QVERIFY(openStream());
    QCOMPARE(ask("DELETE", "/").status, 204);
    QVERIFY(m_service->waitForFinished());
    QCOMPARE(m_service->exitCode(), 0);
    QTRY_VERIFY(!m_harness->hasStream());
}

void tst_ContractService::badPort()
{
    ServiceProcess service({ "--port", "65536" });
    QVERIFY(!service.listen());
    QVERIFY(service.waitForFinished());
    QCOMPARE(service.exitCode(), 2);
    QVERIFY(service.errors().contains("--port"));
}

void tst_ContractService::takenPort()
{
    ServiceProcess service({ "--port", QByteArray::number(m_service->port()) });
    QVERIFY(!service.listen());
    QVERIFY(service.waitForFinished());
    QCOMPARE(service.exitCode(), 1);
    QVERIFY(!service.errors().isEmpty());
}

QTEST_GUILESS_MAIN(tst_ContractService)
#include "tst_contractservice.moc"
