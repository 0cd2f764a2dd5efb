// SPDX-License-Identifier: MIT
#include "eventsourceprobe.h"
#include "fakesseserver.h"

#include <QtCore/QRandomGenerator>
#include <QtNetwork/QNetworkAccessManager>
#include <QtNetwork/QNetworkCookieJar>
#include <QtNetwork/QNetworkProxy>
#include <QtNetwork/QNetworkReply>
#include <QtTest/QtTest>

#include <zlib.h>

using namespace std::chrono_literals;
using Error = QSseEventSource::Error;
using ReadyState = QSseEventSource::ReadyState;
using Probe = EventSourceProbe;
using Then = FakeSseServer::Then;

namespace {
// gzip as a server makes it of a stream: each piece flushed, so that it can be read by itself.
class Gzip
{
public:
    Gzip() { deflateInit2(&m_stream, 9, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY); }
    ~Gzip() { deflateEnd(&m_stream); }
    Q_DISABLE_COPY_MOVE(Gzip)

    QByteArray piece(const QByteArray &data) { return deflated(data, Z_SYNC_FLUSH); }
    QByteArray last(const QByteArray &data)
    {
        const QByteArray out = deflated(data, Z_FINISH);
        deflateReset(&m_stream);
        return out;
    }

private:
    QByteArray deflated(QByteArray data, int flush)
    {
        QByteArray out(qsizetype(deflateBound(&m_stream, uLong(data.size()))) + 64, '\0');
        m_stream.next_in = reinterpret_cast<Bytef *>(data.data());
        m_stream.avail_in = uInt(data.size());
        m_stream.next_out = reinterpret_cast<Bytef *>(out.data());
        m_stream.avail_out = uInt(out.size());
        deflate(&m_stream, flush);
        out.truncate(out.size() - m_stream.avail_out);
        return out;
    }

    z_stream m_stream = {};
};

const QByteArray GzipHead =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\n"
    "Connection: close\r\n\r\n";

QNetworkRequest requestTo(const QUrl &url,
                          std::initializer_list<std::pair<const char *, const char *>> headers)
{
    QNetworkRequest request(url);
    for (const auto &[name, value] : headers)
        request.setRawHeader(name, value);
    return request;
}

void expectWarning(const char *text)
{
    QTest::ignoreMessage(QtWarningMsg, QRegularExpression(QString::fromLatin1(text)));
}

QList<QByteArray> lines(const FakeSseServer &server)
{
    QList<QByteArray> all;
    for (const auto &request : server.requests)
        all << request.line;
    return all;
}
} // namespace

// What a source asks for and how it takes the answer, beyond what a browser's EventSource does.
class tst_QSseStreamRequest : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void initTestCase();

    void methodAndBody_data();
    void methodAndBody();
    void methodsRefused_data();
    void methodsRefused();
    void headers();
    void newHeadersCountFromTheNextAttempt();
    void lastEventIdIsOurs();
    void cookies();
    void proxy();

    void redirectedMethod_data();
    void redirectedMethod();
    void redirectedToAnotherOrigin();

    void requestHandler();
    void requestHandlerGivesBadUrl();
    void responseHandler();
    void responseRefused();
    void reconnectHandler();
    void reconnectHandlerStops();
    void handlersMayDelete_data();
    void handlersMayDelete();
    void handlersMayClose_data();
    void handlersMayClose();

    void retryAfter_data();
    void retryAfter();
    void waitHasALimit();
    void unhealthyStreams();
    void healthyStreams();

    void connectTimeout_data();
    void connectTimeout();
    void readTimeout();
    void readTimeoutIsReset();
    void noReadTimeoutWhilePaused();

    void paused();
    void pausedInMidBatch();
    void pausedHoldsTheServerUp();
    void pausedAtTheEnd();
    void pausedBeforeOpen();

    void restartWhileOpen();
    void restartWhileWaiting();
    void restartWhileClosed();
    void restartDropsWhatIsUnread();

    void gzip();
    void gzipComesAtOnce();
    void gzipByteByByte();
    void gzipMembers();
    void gzipIsBroken_data();
    void gzipIsBroken();
    void gzipBomb();

    void badAnswers_data();
    void badAnswers();
    void endless_data();
    void endless();

    void noContent();
    void errorProperty();
    void closedAtAnyMoment();
};

void tst_QSseStreamRequest::initTestCase()
{
    // The machine's proxy settings have nothing to do with this.
    QNetworkProxy::setApplicationProxy(QNetworkProxy::NoProxy);
}

void tst_QSseStreamRequest::methodAndBody_data()
{
    QTest::addColumn<QByteArray>("method");
    QTest::addColumn<QByteArray>("body");
    for (const char *method : { "POST", "REPORT", "PUT", "GET" })
        QTest::newRow(method) << QByteArray(method) << QByteArray("{\"a\":\"\xc3\xa4\"}");
    QTest::newRow("long") << QByteArray("POST") << QByteArray(2'000'000, 'x');
    QTest::newRow("empty") << QByteArray("POST") << QByteArray("");
    QTest::newRow("none") << QByteArray("REPORT") << QByteArray();
}

void tst_QSseStreamRequest::methodAndBody()
{
    QFETCH(QByteArray, method);
    QFETCH(QByteArray, body);
    FakeSseServer server;
    server.answers = { FakeSseServer::stream("id: 1\ndata: a\n\n", Then::End),
                       FakeSseServer::stream("data: b\n\n") };
    Probe source(requestTo(server.url(), { { "Content-Type", "application/json" } }));
    source.setMethod(method);
    source.setBody(body);
    QCOMPARE(source.method(), method);
    QCOMPARE(source.body(), body);
    source.open();
    QTRY_COMPARE(source.events.size(), 2);
    QCOMPARE(server.requests.size(), 2);
    for (const auto &request : std::as_const(server.requests)) {
        QCOMPARE(request.line, method + " /events HTTP/1.1");
        QVERIFY(request.body == body);
        QCOMPARE(request.values("Content-Type"), QList<QByteArray> { "application/json" });
        QCOMPARE(request.values("Accept"), QList<QByteArray> { "text/event-stream" });
    }
    QCOMPARE(server.requests.at(1).header("Last-Event-ID"), QByteArray("1"));
}

void tst_QSseStreamRequest::methodsRefused_data()
{
    QTest::addColumn<QByteArray>("method");
    QTest::newRow("empty") << QByteArray();
    QTest::newRow("two words") << QByteArray("GET /x");
    QTest::newRow("line break") << QByteArray("GET\r\nX: y");
    QTest::newRow("not ASCII") << QByteArray("G\xc3\xa4T");
    QTest::newRow("NUL") << QByteArray("GE\0T", 4);
}

void tst_QSseStreamRequest::methodsRefused()
{
    QFETCH(QByteArray, method);
    QSseEventSource source;
    QSignalSpy changed(&source, &QSseEventSource::methodChanged);
    source.setMethod("POST");
    expectWarning("not a possible method");
    source.setMethod(method);
    QCOMPARE(source.method(), QByteArray("POST"));
    QCOMPARE(changed.size(), 1);
}

void tst_QSseStreamRequest::headers()
{
    FakeSseServer server;
    Probe source(requestTo(server.url(),
                           { { "Authorization", "Bearer abc" },
                             { "Accept", "application/json, text/event-stream" },
                             { "Accept-Encoding", "identity" } }));
    source.setRawHeader("X-Own", "1");
    QCOMPARE(source.rawHeader("x-own"), QByteArray("1"));
    source.setRawHeader("X-Gone", "1");
    source.setRawHeader("X-Gone", QByteArray());
    source.setRawHeader("X-Two", "1\r\nX-Injected: 2");
    source.setRawHeader("X-Bad\r\nX-Injected", "3");
    source.open();
    QTRY_COMPARE(source.readyState(), ReadyState::Open);
    const FakeSseServer::Request request = server.requests.at(0);
    QCOMPARE(request.values("Authorization"), QList<QByteArray> { "Bearer abc" });
    QCOMPARE(request.values("Accept"), QList<QByteArray> { "application/json, text/event-stream" });
    QCOMPARE(request.values("Accept-Encoding"), QList<QByteArray> { "identity" });
    QCOMPARE(request.values("Cache-Control"), QList<QByteArray> { "no-cache" });
    QCOMPARE(request.values("X-Own"), QList<QByteArray> { "1" });
    QVERIFY(!request.has("X-Gone"));
    QVERIFY(!request.has("X-Two"));
    QVERIFY(!request.has("X-Injected"));
}

void tst_QSseStreamRequest::newHeadersCountFromTheNextAttempt()
{
    FakeSseServer server;
    Probe source(server.url());
    source.setRawHeader("X-Own", "1");
    source.open();
    QTRY_COMPARE(source.readyState(), ReadyState::Open);
    source.setRawHeader("X-Own", "2");
    source.setUrl(server.url(QStringLiteral("/other")));
    server.end();
    QTRY_COMPARE(server.requests.size(), 2);
    QCOMPARE(server.requests.at(1).header("X-Own"), QByteArray("2"));
    // The URL is that of the stream until the next open().
    QCOMPARE(server.requests.at(1).line, QByteArray("GET /events HTTP/1.1"));
}

void tst_QSseStreamRequest::lastEventIdIsOurs()
{
    FakeSseServer server;
    Probe source(requestTo(server.url(), { { "Last-Event-ID", "theirs" } }));
    source.setLastEventId(QStringLiteral("ours"));
    source.open();
    QTRY_COMPARE(server.requests.size(), 1);
    QCOMPARE(server.requests.at(0).values("Last-Event-ID"), QList<QByteArray> { "ours" });
}

void tst_QSseStreamRequest::cookies()
{
    FakeSseServer server;
    server.answers = { { { "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                           "Set-Cookie: session=7; Path=/\r\nConnection: close\r\n\r\n" },
                         Then::End },
                       FakeSseServer::stream() };
    Probe source(server.url());
    source.open();
    QTRY_COMPARE(server.requests.size(), 2);
    QVERIFY(!server.requests.at(0).has("Cookie"));
    QCOMPARE(server.requests.at(1).header("Cookie"), QByteArray("session=7"));
}

void tst_QSseStreamRequest::proxy()
{
    FakeSseServer server;
    server.answers = { FakeSseServer::stream("data: a\n\n") };
    QNetworkAccessManager manager;
    manager.setProxy(QNetworkProxy(QNetworkProxy::HttpProxy, QStringLiteral("127.0.0.1"),
                                   quint16(server.url().port())));
    Probe source(QUrl(QStringLiteral("http://stream.invalid/events?a=b")));
    source.setNetworkAccessManager(&manager);
    source.open();
    QTRY_COMPARE(source.events.size(), 1);
    QCOMPARE(server.requests.at(0).line,
             QByteArray("GET http://stream.invalid/events?a=b HTTP/1.1"));
}

void tst_QSseStreamRequest::redirectedMethod_data()
{
    QTest::addColumn<QByteArray>("code");
    QTest::addColumn<QByteArray>("method");
    QTest::addColumn<QByteArray>("goesOnWith");
    const auto row = [](const char *code, const char *method, const char *goesOnWith) {
        QTest::addRow("%s %s", code, method)
            << QByteArray(code) << QByteArray(method) << QByteArray(goesOnWith);
    };
    row("301", "POST", "GET");
    row("302", "POST", "GET");
    row("303", "POST", "GET");
    row("307", "POST", "POST");
    row("308", "POST", "POST");
    row("301", "REPORT", "REPORT");
    row("302", "REPORT", "REPORT");
    row("303", "REPORT", "GET");
    row("307", "REPORT", "REPORT");
}

void tst_QSseStreamRequest::redirectedMethod()
{
    QFETCH(QByteArray, code);
    QFETCH(QByteArray, method);
    QFETCH(QByteArray, goesOnWith);
    FakeSseServer server;
    server.answers = { FakeSseServer::redirect(code, "/new"),
                       FakeSseServer::stream("data: a\n\n", Then::End), FakeSseServer::stream() };
    Probe source(requestTo(server.url(), { { "Content-Type", "text/plain" } }));
    source.setMethod(method);
    source.setBody("body");
    source.open();
    QTRY_COMPARE(server.requests.size(), 3);
    const FakeSseServer::Request redirected = server.requests.at(1);
    const bool isKept = goesOnWith == method;
    QCOMPARE(redirected.line, goesOnWith + " /new HTTP/1.1");
    QCOMPARE(redirected.body, isKept ? QByteArray("body") : QByteArray());
    QCOMPARE(redirected.has("Content-Type"), isKept);
    // The next attempt is the whole request again.
    QCOMPARE(server.requests.at(2).line, method + " /events HTTP/1.1");
    QCOMPARE(server.requests.at(2).body, QByteArray("body"));
}

void tst_QSseStreamRequest::redirectedToAnotherOrigin()
{
    FakeSseServer other;
    FakeSseServer server;
    server.answers = { FakeSseServer::redirect("307", "/same"),
                       FakeSseServer::redirect("307", other.url().toEncoded()) };
    Probe source(requestTo(
        server.url(),
        { { "Authorization", "Bearer abc" }, { "Cookie", "session=7" }, { "X-Own", "1" } }));
    source.open();
    QTRY_COMPARE(source.readyState(), ReadyState::Open);
    QCOMPARE(server.requests.size(), 2);
    QCOMPARE(server.requests.at(1).header("Authorization"), QByteArray("Bearer abc"));
    QCOMPARE(server.requests.at(1).header("Cookie"), QByteArray("session=7"));
    QCOMPARE(other.requests.size(), 1);
    QVERIFY(!other.requests.at(0).has("Authorization"));
    QVERIFY(!other.requests.at(0).has("Cookie"));
    QCOMPARE(other.requests.at(0).header("X-Own"), QByteArray("1"));
    QCOMPARE(other.requests.at(0).header("Host"),
             "127.0.0.1:" + QByteArray::number(other.url().port()));
}

void tst_QSseStreamRequest::requestHandler()
{
    FakeSseServer server;
    server.answers = { FakeSseServer::redirect("302", "/new"),
                       FakeSseServer::stream(QByteArray(), Then::End), FakeSseServer::stream() };
    Probe source(server.url());
    int calls = 0;
    source.setRequestHandler([&](QNetworkRequest &request) {
        request.setRawHeader("Authorization", "Bearer " + QByteArray::number(++calls));
        QUrl url = request.url();
        url.setQuery(QStringLiteral("n=%1").arg(calls));
        request.setUrl(url);
    });
    source.open();
    QTRY_COMPARE(server.requests.size(), 3);
    QCOMPARE(lines(server),
             (QList<QByteArray> { "GET /events?n=1 HTTP/1.1", "GET /new HTTP/1.1",
                                  "GET /events?n=2 HTTP/1.1" }));
    QCOMPARE(server.requests.at(2).header("Authorization"), QByteArray("Bearer 2"));
    QVERIFY(!source.request().hasRawHeader("Authorization"));
}

void tst_QSseStreamRequest::requestHandlerGivesBadUrl()
{
    FakeSseServer server;
    Probe source(server.url());
    source.setReconnectHandler([](Error) { return true; });
    source.setRequestHandler([](QNetworkRequest &request) { request.setUrl(QUrl()); });
    expectWarning("InvalidUrl");
    source.open();
    QCOMPARE(source.readyState(), ReadyState::Closed);
    QCOMPARE(source.errors, QList<Error> { Error::InvalidUrl });
}

void tst_QSseStreamRequest::responseHandler()
{
    FakeSseServer server;
    server.answers = { FakeSseServer::redirect("302", "/new"),
                       { { "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                           "X-Limit: 7\r\nConnection: close\r\n\r\ndata: a\n\n" },
                         Then::Keep } };
    Probe source(server.url());
    QList<QByteArray> limits;
    source.setResponseHandler([&](const QNetworkReply &reply) {
        limits << reply.rawHeader("X-Limit");
        return true;
    });
    source.open();
    QTRY_COMPARE(source.events.size(), 1);
    QCOMPARE(limits, QList<QByteArray> { "7" });
    QCOMPARE(source.httpStatus(), 200);
}

void tst_QSseStreamRequest::responseRefused()
{
    FakeSseServer server;
    server.answers = { FakeSseServer::stream("data: a\n\n") };
    Probe source(server.url());
    source.setResponseHandler([](const QNetworkReply &) { return false; });
    expectWarning("ResponseRefused");
    source.open();
    QTRY_COMPARE(source.readyState(), ReadyState::Closed);
    QCOMPARE(source.errors, QList<Error> { Error::ResponseRefused });
    QVERIFY(source.events.isEmpty());
    QVERIFY(source.log.isEmpty());
    QTRY_COMPARE(server.connections(), 0);
}

void tst_QSseStreamRequest::reconnectHandler()
{
    FakeSseServer server;
    server.answers = { FakeSseServer::status("503 Service Unavailable"),
                       FakeSseServer::status("204 No Content"),
                       FakeSseServer::stream("data: a\n\n", Then::End) };
    Probe source(server.url());
    QList<Error> asked;
    QList<int> statuses;
    source.setReconnectHandler([&](Error error) {
        asked << error;
        statuses << source.httpStatus();
        return error != Error::StreamEnded;
    });
    expectWarning("StreamEnded");
    source.open();
    QTRY_COMPARE(source.readyState(), ReadyState::Closed);
    QCOMPARE(asked,
             (QList<Error> { Error::HttpStatusError, Error::NoContent, Error::StreamEnded }));
    QCOMPARE(statuses, (QList<int> { 503, 204, 200 }));
    QCOMPARE(source.errors, asked);
    QCOMPARE(source.events.size(), 1);
    QVERIFY(!source.isWaiting());
}

void tst_QSseStreamRequest::reconnectHandlerStops()
{
    FakeSseServer server;
    server.stopListening();
    Probe source(server.url());
    source.setReconnectHandler([&](Error) {
        source.close();
        return true;
    });
    source.open();
    QTRY_COMPARE(source.readyState(), ReadyState::Closed);
    QVERIFY(!source.isWaiting());
    QVERIFY(source.errors.isEmpty());
}

namespace {
const char *const Handlers[] = { "request", "response", "reconnect" };

void addHandlerRows()
{
    QTest::addColumn<QString>("handler");
    for (const char *handler : Handlers)
        QTest::newRow(handler) << QString::fromLatin1(handler);
}

void setHandler(QSseEventSource *source, const QString &name, const std::function<void()> &what)
{
    if (name == QLatin1String("request"))
        source->setRequestHandler([=](QNetworkRequest &) { what(); });
    else if (name == QLatin1String("response"))
        source->setResponseHandler([=](const QNetworkReply &) { return what(), true; });
    else
        source->setReconnectHandler([=](Error) { return what(), true; });
}
} // namespace

void tst_QSseStreamRequest::handlersMayDelete_data()
{
    addHandlerRows();
}

void tst_QSseStreamRequest::handlersMayDelete()
{
    QFETCH(QString, handler);
    FakeSseServer server;
    server.answers = { FakeSseServer::stream("data: a\n\n", Then::End) };
    QPointer<Probe> source(new Probe(server.url()));
    setHandler(source, handler, [&] { delete source; });
    source->open();
    QTRY_VERIFY(!source);
    QTRY_COMPARE(server.connections(), 0);
}

void tst_QSseStreamRequest::handlersMayClose_data()
{
    addHandlerRows();
}

void tst_QSseStreamRequest::handlersMayClose()
{
    QFETCH(QString, handler);
    FakeSseServer server;
    server.answers = { FakeSseServer::stream("data: a\n\n", Then::End) };
    Probe source(server.url());
    bool isClosed = false;
    setHandler(&source, handler, [&] {
        source.close();
        isClosed = true;
    });
    source.open();
    QTRY_VERIFY(isClosed);
    QCOMPARE(source.readyState(), ReadyState::Closed);
    QTRY_COMPARE(server.connections(), 0);
    QCOMPARE(source.readyState(), ReadyState::Closed);
    QVERIFY(source.errors.isEmpty());
    QVERIFY(!source.isWaiting());
}

void tst_QSseStreamRequest::retryAfter_data()
{
    QTest::addColumn<QByteArray>("value");
    QTest::addColumn<qint64>("least");
    QTest::addColumn<qint64>("most");
    const auto date = [](int seconds) {
        return QLocale::c()
            .toString(QDateTime::currentDateTimeUtc().addSecs(seconds),
                      QStringLiteral("ddd, dd MMM yyyy hh:mm:ss 'GMT'"))
            .toLatin1();
    };
    QTest::newRow("seconds") << QByteArray("100") << Q_INT64_C(90'000) << Q_INT64_C(100'000);
    QTest::newRow("date") << date(100) << Q_INT64_C(80'000) << Q_INT64_C(100'000);
    QTest::newRow("past") << date(-100) << Q_INT64_C(0) << Q_INT64_C(1);
    QTest::newRow("negative") << QByteArray("-5") << Q_INT64_C(0) << Q_INT64_C(1);
    QTest::newRow("garbage") << QByteArray("soon") << Q_INT64_C(0) << Q_INT64_C(1);
    QTest::newRow("eternity") << QByteArray("99999999999") << Q_INT64_C(86'000'000)
                              << Q_INT64_C(86'400'000);
}

void tst_QSseStreamRequest::retryAfter()
{
    QFETCH(QByteArray, value);
    QFETCH(qint64, least);
    QFETCH(qint64, most);
    FakeSseServer server;
    server.answers = { FakeSseServer::status("503 Service Unavailable",
                                             "Retry-After: " + value + "\r\n") };
    Probe source(server.url());
    source.setReconnectHandler([](Error) { return true; });
    qint64 wait = -1;
    connect(&source, &QSseEventSource::errorOccurred, this, [&] {
        wait = source.remainingWait();
        source.close();
    });
    source.open();
    QTRY_VERIFY(wait >= 0);
    // A coarse timer may be a twentieth late.
    QVERIFY2(wait >= least && wait <= most + most / 20, qPrintable(QString::number(wait)));
}

void tst_QSseStreamRequest::waitHasALimit()
{
    FakeSseServer server;
    server.stopListening();
    Probe source(server.url());
    QSignalSpy changed(&source, &QSseEventSource::maximumReconnectionTimeChanged);
    source.setMaximumReconnectionTime(8ms);
    QCOMPARE(source.maximumReconnectionTime(), 8ms);
    QCOMPARE(changed.size(), 1);
    QList<int> waits;
    connect(&source, &QSseEventSource::errorOccurred, this,
            [&] { waits << source.remainingWait(); });
    source.open();
    QTRY_VERIFY(waits.size() >= 12);
    for (const int wait : std::as_const(waits))
        QVERIFY2(wait <= 8, qPrintable(QString::number(wait)));
}

// A stream that opens only to end at once is no success.
void tst_QSseStreamRequest::unhealthyStreams()
{
    FakeSseServer server;
    server.answers = { FakeSseServer::stream(": hello\n\n", Then::End) };
    Probe source(server.url());
    source.setReconnectionTime(60ms);
    source.setMaximumReconnectionTime(100s);
    int longest = 0;
    connect(&source, &QSseEventSource::errorOccurred, this,
            [&] { longest = qMax(longest, source.remainingWait()); });
    source.open();
    QTRY_VERIFY2(longest > 400, qPrintable(QString::number(longest)));
}

void tst_QSseStreamRequest::healthyStreams()
{
    FakeSseServer server;
    // One event, or nothing for longer than the wait was.
    server.answers = { FakeSseServer::stream("data: a\n\n", Then::End) };
    Probe source(server.url());
    source.setReconnectionTime(10ms);
    int longest = 0;
    connect(&source, &QSseEventSource::errorOccurred, this,
            [&] { longest = qMax(longest, source.remainingWait()); });
    source.open();
    QTRY_VERIFY(source.errors.size() >= 6);
    QVERIFY2(longest <= 10, qPrintable(QString::number(longest)));
    source.close();

    server.answers = { FakeSseServer::stream() };
    connect(&source, &QSseEventSource::opened, this,
            [&] { QTimer::singleShot(30, this, [&] { server.end(); }); });
    source.errors.clear();
    source.open();
    QTRY_VERIFY(source.errors.size() >= 6);
    QVERIFY2(longest <= 10, qPrintable(QString::number(longest)));
}

void tst_QSseStreamRequest::connectTimeout_data()
{
    QTest::addColumn<QByteArray>("head");
    QTest::newRow("no answer") << QByteArray();
    QTest::newRow("half a head") << QByteArray("HTTP/1.1 200 OK\r\nContent-Type: text/");
}

void tst_QSseStreamRequest::connectTimeout()
{
    QFETCH(QByteArray, head);
    FakeSseServer server;
    server.answers = { { { head }, Then::Keep }, FakeSseServer::stream("data: a\n\n") };
    Probe source(server.url());
    QSignalSpy changed(&source, &QSseEventSource::connectTimeoutChanged);
    source.setConnectTimeout(150ms);
    QCOMPARE(changed.size(), 1);
    source.open();
    QTRY_COMPARE(source.events.size(), 1);
    QCOMPARE(source.errors, QList<Error> { Error::ConnectTimeout });
    QVERIFY(source.errorText.contains(QStringLiteral("150 ms")));
    QTRY_COMPARE(server.connections(), 1);
    // An open stream is none of its business.
    QTest::qWait(200);
    QCOMPARE(source.readyState(), ReadyState::Open);
}

void tst_QSseStreamRequest::readTimeout()
{
    FakeSseServer server;
    server.answers = { FakeSseServer::stream("id: 5\ndata: a\n\n"),
                       FakeSseServer::stream("data: b\n\n") };
    Probe source(server.url());
    QSignalSpy changed(&source, &QSseEventSource::readTimeoutChanged);
    source.setReadTimeout(150ms);
    QCOMPARE(changed.size(), 1);
    source.open();
    QTRY_COMPARE(source.errors, QList<Error> { Error::ReadTimeout });
    source.setReadTimeout(0ms);
    QTRY_COMPARE(source.events.size(), 2);
    QCOMPARE(server.requests.at(1).header("Last-Event-ID"), QByteArray("5"));
    QTRY_COMPARE(server.connections(), 1);
    QTest::qWait(200);
    QCOMPARE(source.errors.size(), 1);
}

void tst_QSseStreamRequest::readTimeoutIsReset()
{
    FakeSseServer server;
    Probe source(server.url());
    source.open();
    QTRY_COMPARE(source.readyState(), ReadyState::Open);
    source.setReadTimeout(500ms);
    for (int i = 0; i < 8; ++i) {
        QTest::qWait(100);
        server.send(":\n");
    }
    QVERIFY(source.errors.isEmpty());
    QTRY_COMPARE(source.errors, QList<Error> { Error::ReadTimeout });
}

void tst_QSseStreamRequest::noReadTimeoutWhilePaused()
{
    FakeSseServer server;
    Probe source(server.url());
    source.setReadTimeout(100ms);
    source.setPaused(true);
    source.open();
    QTRY_COMPARE(source.readyState(), ReadyState::Open);
    QTest::qWait(250);
    QVERIFY(source.errors.isEmpty());
    source.setPaused(false);
    QTRY_COMPARE(source.errors, QList<Error> { Error::ReadTimeout });
}

void tst_QSseStreamRequest::paused()
{
    FakeSseServer server;
    Probe source(server.url());
    QSignalSpy changed(&source, &QSseEventSource::pausedChanged);
    source.open();
    QTRY_COMPARE(source.readyState(), ReadyState::Open);
    source.setPaused(true);
    QVERIFY(source.isPaused());
    server.send("data: a\n\n: b\n\ndata: c\n\n");
    QTest::qWait(50);
    QVERIFY(source.events.isEmpty());
    source.setPaused(false);
    QVERIFY(source.events.isEmpty()); // not from within the call
    QTRY_COMPARE(source.events.size(), 2);
    QCOMPARE(changed.size(), 2);
}

void tst_QSseStreamRequest::pausedInMidBatch()
{
    FakeSseServer server;
    server.answers = { FakeSseServer::stream("id: 1\ndata: a\n\nid: 2\ndata: b\n\n") };
    Probe source(server.url());
    connect(&source, &QSseEventSource::messageReceived, &source, [&] { source.setPaused(true); });
    source.open();
    QTRY_COMPARE(source.events.size(), 1);
    QTest::qWait(50);
    QCOMPARE(source.events.size(), 1);
    QCOMPARE(source.lastEventId(), QStringLiteral("1"));
    source.setPaused(false);
    QTRY_COMPARE(source.events.size(), 2);
    QCOMPARE(source.lastEventId(), QStringLiteral("2"));
}

void tst_QSseStreamRequest::pausedHoldsTheServerUp()
{
    constexpr qsizetype Much = 40'000'000;
    FakeSseServer server;
    Probe source(server.url());
    source.setPaused(true);
    source.open();
    QTRY_COMPARE(source.readyState(), ReadyState::Open);
    server.send("data: " + QByteArray(Much, 'x') + "\n\n");
    qint64 waiting = -1;
    QTRY_VERIFY(std::exchange(waiting, server.bytesWaiting()) == server.bytesWaiting()
                && waiting < Much);
    QTest::qWait(200);
    QVERIFY2(server.bytesWaiting() > Much / 2, qPrintable(QString::number(server.bytesWaiting())));
    source.setPaused(false);
    QTRY_COMPARE(source.events.size(), 1);
    QCOMPARE(source.events.at(0).dataUtf8().size(), Much);
}

// What came before the end is not lost, and neither is the end.
void tst_QSseStreamRequest::pausedAtTheEnd()
{
    FakeSseServer server;
    Probe source(server.url());
    source.open();
    QTRY_COMPARE(source.readyState(), ReadyState::Open);
    source.setPaused(true);
    server.send("id: 1\ndata: a\n\n");
    server.end();
    QTRY_COMPARE(server.connections(), 0);
    QTest::qWait(50);
    QCOMPARE(source.readyState(), ReadyState::Open);
    QVERIFY(source.errors.isEmpty());
    source.setPaused(false);
    QTRY_COMPARE(source.errors, QList<Error> { Error::StreamEnded });
    QCOMPARE(source.events.size(), 1);
    QTRY_COMPARE(server.requests.size(), 2);
    QCOMPARE(server.requests.at(1).header("Last-Event-ID"), QByteArray("1"));
}

void tst_QSseStreamRequest::pausedBeforeOpen()
{
    FakeSseServer server;
    server.answers = { FakeSseServer::status("404 Not Found"),
                       FakeSseServer::stream("data: a\n\n") };
    Probe source(server.url());
    source.setPaused(true);
    source.setReconnectHandler([](Error) { return true; });
    source.open();
    QTRY_COMPARE(source.readyState(), ReadyState::Open);
    QCOMPARE(source.errors, QList<Error> { Error::HttpStatusError });
    QTest::qWait(50);
    QVERIFY(source.events.isEmpty());
    source.setPaused(false);
    QTRY_COMPARE(source.events.size(), 1);
}

void tst_QSseStreamRequest::restartWhileOpen()
{
    FakeSseServer server;
    server.answers = { FakeSseServer::stream("id: 1\ndata: a\n\n") };
    Probe source(server.url());
    source.setReconnectionTime(1h);
    source.open();
    QTRY_COMPARE(source.events.size(), 1);
    source.setUrl(server.url(QStringLiteral("/other")));
    source.restart();
    QTRY_COMPARE(source.events.size(), 2);
    QCOMPARE(server.requests.at(1).line, QByteArray("GET /other HTTP/1.1"));
    QCOMPARE(server.requests.at(1).header("Last-Event-ID"), QByteArray("1"));
    QCOMPARE(source.states,
             (QList<ReadyState> { ReadyState::Connecting, ReadyState::Open, ReadyState::Connecting,
                                  ReadyState::Open }));
    QVERIFY(source.errors.isEmpty());
    QTRY_COMPARE(server.connections(), 1);
}

void tst_QSseStreamRequest::restartWhileWaiting()
{
    FakeSseServer server;
    server.stopListening();
    Probe source(server.url());
    source.setReconnectionTime(1h);
    source.open();
    QTRY_VERIFY(source.isWaiting());
    QVERIFY(server.listen());
    source.restart();
    QTRY_COMPARE(source.readyState(), ReadyState::Open);
    QVERIFY(!source.isWaiting());
}

void tst_QSseStreamRequest::restartWhileClosed()
{
    FakeSseServer server;
    Probe source(server.url());
    source.restart();
    QTRY_COMPARE(source.readyState(), ReadyState::Open);
}

void tst_QSseStreamRequest::restartDropsWhatIsUnread()
{
    FakeSseServer server;
    server.answers = { FakeSseServer::stream("id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\ndata: c"),
                       FakeSseServer::stream("\n\nid: 2\ndata: B\n\n") };
    Probe source(server.url());
    connect(&source, &QSseEventSource::messageReceived, &source, [&](const QSseEvent &event) {
        if (event.id() == QLatin1String("1"))
            source.restart();
    });
    source.open();
    QTRY_COMPARE(source.events.size(), 2);
    QCOMPARE(source.data(), (QStringList { QStringLiteral("a"), QStringLiteral("B") }));
    QCOMPARE(server.requests.at(1).header("Last-Event-ID"), QByteArray("1"));
}

void tst_QSseStreamRequest::gzip()
{
    QByteArray body;
    for (int i = 0; i < 50'000; ++i)
        body += "id: " + QByteArray::number(i) + "\ndata: {\"price\":1.0934}\n\n";
    FakeSseServer server;
    server.answers = { { { GzipHead, Gzip().last(body) }, Then::End }, FakeSseServer::stream() };
    Probe source(server.url());
    source.open();
    QTRY_COMPARE(source.errors, QList<Error> { Error::StreamEnded });
    QCOMPARE(source.events.size(), 50'000);
    QCOMPARE(source.events.last().data(), QStringLiteral("{\"price\":1.0934}"));
    QCOMPARE(source.lastEventId(), QStringLiteral("49999"));
}

void tst_QSseStreamRequest::gzipComesAtOnce()
{
    Gzip gzip;
    FakeSseServer server;
    server.answers = { { { GzipHead }, Then::Keep } };
    Probe source(server.url());
    source.open();
    for (int i = 1; i <= 20; ++i) {
        QTRY_COMPARE(source.readyState(), ReadyState::Open);
        server.send(gzip.piece("data: " + QByteArray::number(i) + "\n\n"));
        QTRY_COMPARE(source.events.size(), i);
    }
    QCOMPARE(source.events.last().data(), QStringLiteral("20"));
}

void tst_QSseStreamRequest::gzipByteByByte()
{
    QList<QByteArray> pieces { GzipHead };
    for (const char byte : Gzip().last("data: a\n\ndata: b\n\n"))
        pieces << QByteArray(1, byte);
    FakeSseServer server;
    server.answers = { { pieces, Then::Keep } };
    Probe source(server.url());
    source.open();
    QTRY_COMPARE(source.events.size(), 2);
}

void tst_QSseStreamRequest::gzipMembers()
{
    Gzip gzip;
    FakeSseServer server;
    server.answers = { { { GzipHead, gzip.last("data: a\n\nda") + gzip.last("ta: b\n\n") },
                         Then::Keep } };
    Probe source(server.url());
    source.open();
    QTRY_COMPARE(source.events.size(), 2);
    QCOMPARE(source.events.last().data(), QStringLiteral("b"));
}

void tst_QSseStreamRequest::gzipIsBroken_data()
{
    QTest::addColumn<QByteArray>("body");
    Gzip gzip;
    QTest::newRow("no gzip") << QByteArray("data: plain\n\n");
    QTest::newRow("then garbage") << gzip.last("data: a\n\n") + "garbage, not gzip";
    QByteArray wrong = Gzip().last("data: a\n\ndata: b\n\n");
    wrong[wrong.size() - 6] = char(wrong.at(wrong.size() - 6) ^ 1);
    QTest::newRow("wrong checksum") << wrong;
}

void tst_QSseStreamRequest::gzipIsBroken()
{
    QFETCH(QByteArray, body);
    FakeSseServer server;
    server.answers = { { { GzipHead + body }, Then::Keep }, FakeSseServer::stream("data: z\n\n") };
    Probe source(server.url());
    source.open();
    QTRY_COMPARE(source.errors, QList<Error> { Error::ContentEncodingError });
    QTRY_COMPARE(source.data().value(source.events.size() - 1), QStringLiteral("z"));
    QVERIFY(!source.data().contains(QStringLiteral("plain")));
}

// 128 MiB in 128 KiB: unpacked no further than the largest event.
void tst_QSseStreamRequest::gzipBomb()
{
    Gzip gzip;
    const QByteArray zeros(16 * 1024 * 1024, 'x');
    QByteArray bomb = gzip.piece("data: ");
    for (int i = 0; i < 8; ++i)
        bomb += gzip.piece(zeros);
    FakeSseServer server;
    server.answers = { { { GzipHead, bomb }, Then::Keep }, FakeSseServer::stream("data: a\n\n") };
    Probe source(server.url());
    source.setMaximumEventSize(1024 * 1024);
    source.open();
    QTRY_COMPARE(source.events.size(), 1);
    QCOMPARE(source.errors, QList<Error> { Error::EventTooLarge });
}

void tst_QSseStreamRequest::badAnswers_data()
{
    QTest::addColumn<QByteArray>("answer");
    QTest::addColumn<Error>("error");
    QByteArray garbage(100'000, '\0');
    QRandomGenerator random(7);
    random.fillRange(reinterpret_cast<quint32 *>(garbage.data()), garbage.size() / 4);
    QTest::newRow("garbage") << garbage << Error::NetworkError;
    QTest::newRow("another protocol")
        << QByteArray("220 ftp.example ready\r\n") << Error::NetworkError;
    QTest::newRow("a field of 10 MB")
        << "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Long: "
            + QByteArray(10'000'000, 'x') + "\r\n\r\ndata: a\n\n"
        << Error::NetworkError;
    QTest::newRow("a million fields") << "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            + QByteArray("X: y\r\n").repeated(1'000'000)
            + "\r\ndata: a\n\n" << Error::NetworkError;
    QTest::newRow("no fields") << QByteArray("HTTP/1.1 200 OK\r\n\r\ndata: a\n\n")
                               << Error::ContentTypeError;
    QTest::newRow("a page") << QByteArray(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<h1>Hello</h1>")
                            << Error::ContentTypeError;
}

void tst_QSseStreamRequest::badAnswers()
{
    QFETCH(QByteArray, answer);
    QFETCH(Error, error);
    FakeSseServer server;
    server.answers = { { { answer }, Then::End } };
    Probe source(server.url());
    source.setReconnectionTime(1h);
    source.setReconnectHandler([](Error) { return false; });
    expectWarning(QMetaEnum::fromType<Error>().valueToKey(int(error)));
    source.open();
    QTRY_COMPARE_WITH_TIMEOUT(source.errors, QList<Error> { error }, 20'000);
    QVERIFY(!source.errorText.isEmpty());
    QVERIFY(!source.errorText.contains(QLatin1Char('\n')));
    QVERIFY(source.events.isEmpty());
    QCOMPARE(source.readyState(), ReadyState::Closed);
}

void tst_QSseStreamRequest::endless_data()
{
    QTest::addColumn<QByteArray>("piece");
    QTest::newRow("line") << QByteArray(100'000, 'x');
    QTest::newRow("comment") << ":" + QByteArray(100'000, 'x');
    QTest::newRow("event") << QByteArray("data: x\n").repeated(10'000);
    QTest::newRow("garbage") << QByteArray("\xff\xfe\x80\0\x01\xc3", 6).repeated(20'000);
}

// Without an end: read on as long as the client listens.
void tst_QSseStreamRequest::endless()
{
    QFETCH(QByteArray, piece);
    FakeSseServer server;
    server.answers = { FakeSseServer::stream(), FakeSseServer::stream("data: a\n\n") };
    Probe source(server.url());
    source.setMaximumEventSize(1024 * 1024);
    source.open();
    QTRY_COMPARE(source.readyState(), ReadyState::Open);
    QTimer pump;
    connect(&pump, &QTimer::timeout, this, [&] {
        if (source.errors.isEmpty() && server.bytesWaiting() < 1'000'000)
            server.send(piece);
    });
    pump.start(0);
    QTRY_COMPARE(source.errors, QList<Error> { Error::EventTooLarge });
    QTRY_COMPARE(source.events.size(), 1);
}

void tst_QSseStreamRequest::noContent()
{
    FakeSseServer server;
    server.answers = { FakeSseServer::status("204 No Content",
                                             "Content-Type: text/event-stream\r\n") };
    Probe source(server.url());
    expectWarning("NoContent");
    source.open();
    QTRY_COMPARE(source.errors, QList<Error> { Error::NoContent });
    QCOMPARE(source.readyState(), ReadyState::Closed);
    QCOMPARE(source.httpStatus(), 204);
    QVERIFY(!source.isWaiting());
}

void tst_QSseStreamRequest::errorProperty()
{
    FakeSseServer server;
    server.stopListening();
    Probe source(server.url());
    QSignalSpy changed(&source, &QSseEventSource::errorChanged);
    QCOMPARE(source.error(), Error::NoError);
    source.open();
    QTRY_COMPARE(source.error(), Error::NetworkError);
    QCOMPARE(source.errorString(), source.errorText);
    QCOMPARE(source.httpStatus(), 0);
    QVERIFY(server.listen());
    QTRY_COMPARE(source.readyState(), ReadyState::Open);
    QCOMPARE(source.error(), Error::NoError);
    QCOMPARE(source.errorString(), QString());
    QCOMPARE(changed.size(), 2);
    QCOMPARE(source.httpStatus(), 200);
}

// 64 sources with events coming, of which one after the other is closed, deleted, paused or
// restarted, at whatever it is just doing.
void tst_QSseStreamRequest::closedAtAnyMoment()
{
    QRandomGenerator random(3);
    FakeSseServer server;
    const QList<FakeSseServer::Answer> answers {
        FakeSseServer::stream("retry: 1\n\ndata: 1\n\ndata: 2\n\n"),
        FakeSseServer::stream("data: 1\n\n", Then::End), FakeSseServer::redirect("302", "/x"),
        FakeSseServer::hangUp(), FakeSseServer::stream("data: 1\n\n")
    };
    server.answers = { answers.last() };
    std::vector<std::unique_ptr<Probe>> sources(64);
    qsizetype received = 0;
    const auto renew = [&](std::unique_ptr<Probe> &source) {
        source = std::make_unique<Probe>(server.url());
        connect(source.get(), &QSseEventSource::eventReceived, this, [&] { ++received; });
        source->open();
    };
    std::for_each(sources.begin(), sources.end(), renew);
    for (int i = 0; i < 600; ++i) {
        server.answers.prepend(answers.at(random.bounded(int(answers.size()))));
        std::unique_ptr<Probe> &source = sources[random.bounded(quint32(sources.size()))];
        switch (random.bounded(5)) {
        case 0:
            source->close();
            break;
        case 1:
            source->restart();
            break;
        case 2:
            source->setPaused(!source->isPaused());
            break;
        default:
            renew(source);
        }
        QTest::qWait(random.bounded(3));
    }
    QVERIFY(received > 0);
    server.answers = { FakeSseServer::stream("data: last\n\n") };
    for (const auto &source : sources) {
        source->setPaused(false);
        source->restart();
    }
    for (const auto &source : sources)
        QTRY_VERIFY(source->data().contains(QStringLiteral("last")));
}

QTEST_GUILESS_MAIN(tst_QSseStreamRequest)
#include "tst_qssestreamrequest.moc"
