// SPDX-License-Identifier: MIT
#include "qsserequestframer_p.h"

#include <QtTest/QTest>

using State = QSseRequestFramer::State;

namespace {

constexpr qsizetype MaximumHead = 400;
constexpr qsizetype MaximumBody = 20;

/*! What a framer makes of bytes that come in pieces of one size. */
struct Outcome
{
    QByteArrayList requests;
    int status = 0;
    bool hasRest = false; // an incomplete request

    bool operator==(const Outcome &other) const
    {
        return requests == other.requests && status == other.status && hasRest == other.hasRest;
    }
};

Outcome frame(const QByteArray &bytes, qsizetype pieceSize)
{
    Outcome outcome;
    QSseRequestFramer framer(MaximumHead, MaximumBody, "http");
    for (qsizetype at = 0; at < bytes.size() && framer.state() != State::Refused;) {
        const QByteArray piece = bytes.mid(at, pieceSize);
        const qsizetype used = framer.addData(piece);
        at += used;
        if (framer.state() == State::Complete)
            outcome.requests.append(framer.takeRequest());
        else if (framer.state() == State::Incomplete && used != piece.size())
            return {}; // it must not leave anything then
    }
    outcome.status = framer.status();
    outcome.hasRest = framer.state() == State::Incomplete && framer.hasBegun();
    return outcome;
}

const QByteArray host = "Host: h\r\n";

} // namespace

class TestQSseRequestFramer : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void accepts_data();
    void accepts();
    void refuses_data();
    void refuses();
    void pipelines();
    void refusesBodyAtOnce();
    void expectsContinue();
    void isLast_data();
    void isLast();
    void upgrade();
    void headSizes_data();
    void headSizes();
    void keepsLittle();
};

void TestQSseRequestFramer::accepts_data()
{
    QTest::addColumn<QByteArray>("bytes");
    QTest::addColumn<QByteArray>("request");
    const auto row = [](const char *name, const QByteArray &bytes, const QByteArray &request) {
        QTest::newRow(name) << bytes << request;
    };
    const QByteArray line = "GET /a HTTP/1.1\r\n";
    const QByteArray post = "POST /a HTTP/1.1\r\n";
    row("GET", "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", line + host + "\r\n");
    row("LF alone", "GET /a HTTP/1.1\nHost: h\n\n", line + host + "\r\n");
    row("empty lines before", "\r\n\n\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n", line + host + "\r\n");
    row("spaces around a value", "GET /a HTTP/1.1\r\nHost:h\r\nX: \t a b\t \r\n\r\n",
        line + host + "X: a b\r\n\r\n");
    row("empty value", "GET /a HTTP/1.1\r\nHost: h\r\nX:\r\n\r\n", line + host + "X: \r\n\r\n");
    row("HTTP/1.0 without Host", "GET /a HTTP/1.0\r\n\r\n", "GET /a HTTP/1.0\r\n\r\n");
    row("later version", "GET /a HTTP/1.7\r\nHost: h\r\n\r\n", line + host + "\r\n");
    row("two slashes", "GET //a/b HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET http://127.0.0.1//a/b HTTP/1.1\r\nHost: h\r\n\r\n");
    row("absolute form", "GET http://other:80/a?b HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /a?b HTTP/1.1\r\nHost: other:80\r\n\r\n");
    row("absolute form without path", "GET HTTPS://other?b HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /?b HTTP/1.1\r\nHost: other\r\n\r\n");
    row("absolute form in HTTP/1.0", "GET http://other/a HTTP/1.0\r\n\r\n",
        "GET /a HTTP/1.0\r\nHost: other\r\n\r\n");
    row("asterisk", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n");
    row("unknown method", "BREW /a HTTP/1.1\r\nHost: h\r\n\r\n",
        "BREW /a HTTP/1.1\r\nHost: h\r\n\r\n");
    row("body", "POST /a HTTP/1.1\r\nContent-Length: 3\r\nHost: h\r\n\r\na\r\n",
        post + host + "Content-Length: 3\r\n\r\na\r\n");
    row("empty body", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 000\r\n\r\n",
        post + host + "Content-Length: 0\r\n\r\n");
    row("largest body",
        "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 20\r\n\r\n" + QByteArray(20, '\0'),
        post + host + "Content-Length: 20\r\n\r\n" + QByteArray(20, '\0'));
    row("chunks",
        "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\nTrailer: X\r\n\r\n"
        "3\r\nabc\r\n0000A;name=\"value\"\r\n0123456789\r\n0\r\nX: y\r\n\r\n",
        post + host + "Content-Length: 13\r\n\r\nabc0123456789");
    row("no chunk", "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        post + host + "Content-Length: 0\r\n\r\n");
    row("body of what has none elsewhere",
        "GET /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx",
        line + host + "Content-Length: 1\r\n\r\nx");
    row("Expect is dropped",
        "POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\nx",
        post + host + "Content-Length: 1\r\n\r\nx");
    row("bytes beyond ASCII", "GET /\xc3\xa4 HTTP/1.1\r\nHost: h\r\nX: \xff\r\n\r\n",
        "GET /\xc3\xa4 HTTP/1.1\r\nHost: h\r\nX: \xff\r\n\r\n");
}

void TestQSseRequestFramer::accepts()
{
    QFETCH(QByteArray, bytes);
    QFETCH(QByteArray, request);
    for (qsizetype size = 1; size <= bytes.size(); ++size) {
        const Outcome outcome = frame(bytes, size);
        QCOMPARE(outcome.requests, QByteArrayList { request });
        QCOMPARE(outcome.hasRest, false);
    }
}

void TestQSseRequestFramer::refuses_data()
{
    QTest::addColumn<QByteArray>("bytes");
    QTest::addColumn<int>("status");
    const auto row = [](const char *name, const QByteArray &bytes, int status = 400) {
        QTest::newRow(name) << bytes << status;
    };
    const auto head = [&](const char *name, const QByteArray &fields, int status = 400) {
        row(name, "POST / HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n", status);
    };
    const auto chunked = [&](const char *name, const QByteArray &body, int status = 400) {
        row(name, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + body,
            status);
    };
    row("TLS", "\x16\x03\x01");
    row("NUL", QByteArray("GET /\0", 6));
    row("no version", "GET /\r\n");
    row("no words", "hello\r\n");
    row("two spaces", "GET  / HTTP/1.1\r\n");
    row("space at the end", "GET / HTTP/1.1 \r\n");
    row("tab in the target", "GET /\ta HTTP/1.1\r\n");
    row("method no token", "G(T / HTTP/1.1\r\n");
    row("other protocol", "GET / ICY/1.1\r\n");
    row("version without number", "GET / HTTP/1.x\r\n");
    row("version too long", "GET / HTTP/1.10\r\n");
    row("HTTP/2", "PRI * HTTP/2.0\r\n", 505);
    row("target without slash", "GET a HTTP/1.1\r\n");
    row("authority form", "CONNECT h:1 HTTP/1.1\r\n");
    row("asterisk for GET", "GET * HTTP/1.1\r\n");
    row("fragment", "GET /#a HTTP/1.1\r\n");
    row("other scheme", "GET ftp://h/ HTTP/1.1\r\n");
    row("no authority", "GET http:/// HTTP/1.1\r\n");
    row("user in the authority", "GET http://u@h/ HTTP/1.1\r\n");
    row("no Host", "GET / HTTP/1.1\r\n\r\n");
    row("NUL beyond the limit", "GET /" + QByteArray(MaximumHead, 'x') + QByteArray(1, '\0'), 414);
    head("two Hosts", "Host: h\r\n");
    head("no colon", "X\r\n");
    head("no name", ": x\r\n");
    head("space before the colon", "X : x\r\n");
    head("continued line", "X: x\r\n y\r\n");
    head("space first", " X: x\r\n");
    head("bare CR", "X: a\rb\r\n");
    head("CR before CRLF", "X: a\r\r\n");
    head("control character", "X: a\x01\r\n");
    head("NUL in a field", QByteArray("X: a\0b\r\n", 8));
    head("DEL", "X: a\x7f\r\n");
    head("length is no number", "Content-Length: x\r\n");
    head("length is empty", "Content-Length:\r\n");
    head("length is negative", "Content-Length: -1\r\n");
    head("length with a sign", "Content-Length: +1\r\n");
    head("length in hexadecimal", "Content-Length: 0x1\r\n");
    head("length is a list", "Content-Length: 1, 1\r\n");
    head("length twice", "Content-Length: 1\r\nContent-Length: 1\r\n");
    head("lengths differ", "Content-Length: 1\r\ncontent-length: 2\r\n");
    head("body too large", "Content-Length: 21\r\n", 413);
    head("length beyond every type", "Content-Length: " + QByteArray(40, '9') + "\r\n", 413);
    head("length and chunks", "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n");
    head("chunks and length", "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n");
    head("not chunked at last", "Transfer-Encoding: chunked, gzip\r\n");
    head("identity", "Transfer-Encoding: identity\r\n");
    head("almost chunked", "Transfer-Encoding: xchunked\r\n");
    head("chunked twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n");
    head("compressed chunks", "Transfer-Encoding: gzip, chunked\r\n", 501);
    head("other expectation", "Expect: wonders\r\n", 417);
    head("too many fields", QByteArray("X:\n").repeated(96), 431);
    row("chunks in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n");
    chunked("size is no number", "x\r\n");
    chunked("size is empty", "\r\n");
    chunked("size with a prefix", "0x1\r\n");
    chunked("size negative", "-1\r\n");
    chunked("size with a space first", " 1\r\n");
    chunked("size ends with LF", "1\n");
    chunked("chunk longer than said", "1\r\nab\r\n");
    chunked("chunk ends with LF", "1\r\na\n");
    chunked("chunk too large", "15\r\n", 413);
    chunked("size beyond every type", QByteArray(40, 'f') + "\r\n", 413);
    chunked("sum too large", "14\r\n" + QByteArray(20, 'x') + "\r\n1\r\n", 413);
    chunked("size line too long", "1;" + QByteArray(QSseRequestFramer::MaximumChunkLine, 'x'));
    chunked("trailer not valid", "0\r\nX\r\n");
    chunked("trailer too long", "0\r\nX: " + QByteArray(MaximumHead, 'x'), 431);
}

void TestQSseRequestFramer::refuses()
{
    QFETCH(QByteArray, bytes);
    QFETCH(int, status);
    for (qsizetype size = 1; size <= bytes.size(); ++size) {
        const Outcome outcome = frame(bytes, size);
        QCOMPARE(outcome.status, status);
        QCOMPARE(outcome.requests, QByteArrayList());
    }
    QSseRequestFramer framer(MaximumHead, MaximumBody, "http");
    framer.addData(bytes);
    QVERIFY(!framer.reason().isEmpty());
    QCOMPARE(framer.addData("GET / HTTP/1.1\r\n"), 0); // nothing is understood any more
}

// The end of each is found, whatever the pieces, and what follows is left alone.
void TestQSseRequestFramer::pipelines()
{
    const QByteArray bytes = "POST /1 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                             "2\r\nab\r\n0\r\n\r\n"
                             "GET /2 HTTP/1.1\r\nHost: h\r\n\r\n\r\n"
                             "POST /3 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\ncd"
                             "GET /4";
    const Outcome whole = frame(bytes, bytes.size());
    QCOMPARE(whole.requests.size(), 3);
    QVERIFY(whole.requests.at(0).endsWith("\r\n\r\nab"));
    QVERIFY(whole.requests.at(1).startsWith("GET /2 "));
    QVERIFY(whole.requests.at(2).endsWith("\r\n\r\ncd"));
    QVERIFY(whole.hasRest);
    for (qsizetype size = 1; size < bytes.size(); ++size)
        QVERIFY(frame(bytes, size) == whole);
}

void TestQSseRequestFramer::refusesBodyAtOnce()
{
    QSseRequestFramer framer(MaximumHead, MaximumBody, "http");
    framer.addData("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 21\r\n\r\n");
    QCOMPARE(framer.status(), 413);
    QCOMPARE(framer.reason(), QStringLiteral("The body has more than 20 bytes"));
    QVERIFY(!framer.takeExpectation());
}

void TestQSseRequestFramer::expectsContinue()
{
    const QByteArray expect = "Host: h\r\nExpect: 100-continue\r\n";
    QSseRequestFramer framer(MaximumHead, MaximumBody, "http");
    framer.addData("POST / HTTP/1.1\r\n" + expect + "Content-Length: 1\r\n");
    QVERIFY(!framer.takeExpectation()); // the head may still be refused
    framer.addData("\r\n");
    QVERIFY(framer.takeExpectation());
    QVERIFY(!framer.takeExpectation());
    framer.addData("x");
    QCOMPARE(framer.state(), State::Complete);
    framer.takeRequest();

    framer.addData("POST / HTTP/1.1\r\n" + expect + "\r\n"); // there is nothing to wait for
    QVERIFY(!framer.takeExpectation());
    framer.takeRequest();
    framer.addData("POST / HTTP/1.0\r\n" + expect + "Content-Length: 1\r\n\r\n");
    QVERIFY(!framer.takeExpectation()); // no HTTP/1.0 client knows it
    framer.addData("x");
    framer.takeRequest();
    framer.addData("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n");
    QVERIFY(!framer.takeExpectation());
}

void TestQSseRequestFramer::isLast_data()
{
    QTest::addColumn<QByteArray>("head");
    QTest::addColumn<bool>("isLast");
    QTest::newRow("1.1") << QByteArray("1.1\r\n") << false;
    QTest::newRow("1.1 close") << QByteArray("1.1\r\nConnection: x, Close\r\n") << true;
    QTest::newRow("1.1 keep-alive") << QByteArray("1.1\r\nConnection: keep-alive\r\n") << false;
    QTest::newRow("1.0") << QByteArray("1.0\r\n") << true;
    QTest::newRow("1.0 keep-alive") << QByteArray("1.0\r\nConnection: Keep-Alive\r\n") << false;
    QTest::newRow("1.0 both") << QByteArray("1.0\r\nConnection: keep-alive, close\r\n") << true;
}

void TestQSseRequestFramer::isLast()
{
    QFETCH(QByteArray, head);
    QSseRequestFramer framer(MaximumHead, MaximumBody, "http");
    framer.addData("HEAD / HTTP/" + head + host + "\r\n");
    QCOMPARE(framer.state(), State::Complete);
    QTEST(framer.isLast(), "isLast");
    QCOMPARE(framer.isHttp10(), head.startsWith("1.0"));
    QVERIFY(framer.isHead());
    framer.takeRequest();
    QVERIFY(!framer.isHead());
}

void TestQSseRequestFramer::upgrade()
{
    const QByteArray head = "GET /a HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n";
    QSseRequestFramer framer(MaximumHead, MaximumBody, "https");
    framer.addData(head + "\r\n");
    QVERIFY(!framer.asksForUpgrade());
    QVERIFY(framer.takeRequest().startsWith("GET https://127.0.0.1/a "));
    framer.addData(head + "Connection: keep-alive, Upgrade\r\n\r\n");
    QVERIFY(framer.asksForUpgrade());
    QVERIFY(framer.takeRequest().startsWith("GET /a "));
}

void TestQSseRequestFramer::headSizes_data()
{
    QTest::addColumn<QByteArray>("before");
    QTest::addColumn<int>("status");
    QTest::newRow("request line") << QByteArray("GET /") << 414;
    QTest::newRow("field") << QByteArray("GET / HTTP/1.1\r\nHost: h\r\nX: ") << 431;
    QTest::newRow("field's name") << QByteArray("GET / HTTP/1.1\r\nHost: h\r\n") << 431;
}

// The largest head is accepted, one byte more is not, before the line has ended.
void TestQSseRequestFramer::headSizes()
{
    QFETCH(QByteArray, before);
    QFETCH(int, status);
    const QByteArray filler(MaximumHead - before.size(), 'x');
    QSseRequestFramer framer(MaximumHead, MaximumBody, "http");
    framer.addData(before + filler);
    QCOMPARE(framer.state(), State::Incomplete);
    framer.addData("x");
    QCOMPARE(framer.status(), status);

    QSseRequestFramer largest(MaximumHead, MaximumBody, "http");
    const QByteArray fields = "GET / HTTP/1.1\r\nHost: h\r\nX: \r\n\r\n";
    largest.addData("GET / HTTP/1.1\r\nHost: h\r\nX: "
                    + QByteArray(MaximumHead - fields.size(), 'x') + "\r\n\r\n");
    QCOMPARE(largest.state(), State::Complete);
}

void TestQSseRequestFramer::keepsLittle()
{
    QSseRequestFramer framer(MaximumHead, 1000, "http");
    framer.addData("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n");
    QVERIFY(framer.keptBytes() < 100); // not what is announced
    framer.addData(QByteArray(500, 'x'));
    QVERIFY(framer.keptBytes() >= 500 && framer.keptBytes() < 600);
    framer.addData(QByteArray(500, 'x'));
    framer.takeRequest();
    QCOMPARE(framer.keptBytes(), 0);
}

QTEST_APPLESS_MAIN(TestQSseRequestFramer)
#include "tst_qsserequestframer.moc"
