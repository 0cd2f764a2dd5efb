// SPDX-License-Identifier: MIT
#include "qsseresponsereader_p.h"

#include <QtTest/QtTest>

using Error = QSseResponseReader::Error;
using Fields = QList<QPair<QByteArray, QByteArray>>;

namespace {
// What is read of a response whose connection ends behind it.
struct Result
{
    int status = 0;
    QByteArray reason;
    Fields fields;
    QByteArray body;
    bool isCompleteBeforeTheEnd = false;
    bool isComplete = false;
    Error error = Error::NoError;

    friend bool operator==(const Result &a, const Result &b)
    {
        return a.status == b.status && a.reason == b.reason && a.fields == b.fields
            && a.body == b.body && a.isCompleteBeforeTheEnd == b.isCompleteBeforeTheEnd
            && a.isComplete == b.isComplete && a.error == b.error;
    }
};

Result read(const QByteArrayList &pieces)
{
    QSseResponseReader reader;
    Result result;
    for (const QByteArray &piece : pieces)
        reader.addData(piece, &result.body);
    result.isCompleteBeforeTheEnd = reader.isComplete();
    reader.end();
    result.isComplete = reader.isComplete();
    result.error = reader.error();
    if (reader.hasHead()) {
        result.status = reader.status();
        result.reason = reader.reason();
        result.fields = reader.fields();
    }
    return result;
}

QByteArrayList bytesOf(const QByteArray &text)
{
    QByteArrayList bytes;
    for (const char byte : text)
        bytes << QByteArray(1, byte);
    return bytes;
}

enum class End {
    Known,  // without that of the connection
    Closed, // with that of the connection
};
} // namespace

Q_DECLARE_METATYPE(End)

class tst_QSseResponseReader : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void bodies_data();
    void bodies();
    void heads();
    void errors_data();
    void errors();
    void headsHaveALimit();
    void nothingAfterTheEnd();
};

void tst_QSseResponseReader::bodies_data()
{
    QTest::addColumn<QByteArray>("response");
    QTest::addColumn<QByteArray>("body");
    QTest::addColumn<End>("end");
    const QByteArray ok = "HTTP/1.1 200 OK\r\n";
    const QByteArray chunked = ok + "Transfer-Encoding: chunked\r\n\r\n";
    const auto row = [](const char *name, const QByteArray &response, const QByteArray &body,
                        End end) { QTest::newRow(name) << response << body << end; };
    row("until the end", ok + "\r\ndata: a\n\n", "data: a\n\n", End::Closed);
    row("until the end, empty", ok + "\r\n", "", End::Closed);
    row("length", ok + "Content-Length: 3\r\n\r\nabc", "abc", End::Known);
    row("length, more", ok + "content-length:3\r\n\r\nabcHTTP/1.1 200 OK", "abc", End::Known);
    row("length 0", ok + "Content-Length: 0\r\n\r\nabc", "", End::Known);
    row("the same length twice", ok + "Content-Length: 1\r\nContent-Length: 1\r\n\r\nabc", "a",
        End::Known);
    row("no content", "HTTP/1.1 204 No Content\r\n\r\nabc", "", End::Known);
    row("not modified", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nabc", "",
        End::Known);
    row("chunks", chunked + "3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n", "abc0123456789",
        End::Known);
    row("no chunks", chunked + "0\r\n\r\n", "", End::Known);
    row("extensions", chunked + "3;a=b;c=\"d\"\r\nabc\r\n0 ; x\r\n\r\n", "abc", End::Known);
    row("trailer", chunked + "1\r\na\r\n0\r\nX: y\r\nZ: \r\n\r\n", "a", End::Known);
    row("leading zeros", chunked + "0000003\r\nabc\r\n000\r\n\r\n", "abc", End::Known);
    row("line ends in chunks", chunked + "4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n", End::Known);
    row("LF alone", "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n1\na\n0\n\n", "a", End::Known);
    row("chunks before a length",
        ok + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", "ab",
        End::Known);
    row("another coding", ok + "Transfer-Encoding: gzip\r\n\r\nabc", "abc", End::Closed);
    row("two codings", ok + "Transfer-Encoding: gzip, Chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", "a",
        End::Known);
    row("interim", "HTTP/1.1 100 Continue\r\nX: y\r\n\r\nHTTP/1.1 103\r\n\r\n" + ok + "\r\nabc",
        "abc", End::Closed);
    row("HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nabc", "abc", End::Closed);
    row("NULs", ok + QByteArray("\r\na\0b", 5), QByteArray("a\0b", 3), End::Closed);
}

void tst_QSseResponseReader::bodies()
{
    QFETCH(QByteArray, response);
    QFETCH(QByteArray, body);
    QFETCH(End, end);
    const Result whole = read({ response });
    QCOMPARE(whole.error, Error::NoError);
    QCOMPARE(whole.body, body);
    QVERIFY(whole.isComplete);
    QCOMPARE(whole.isCompleteBeforeTheEnd, end == End::Known);
    QVERIFY(read(bytesOf(response)) == whole);
    for (qsizetype at = 1; at < response.size(); ++at)
        QVERIFY2(read({ response.left(at), response.mid(at) }) == whole,
                 qPrintable(QString::number(at)));
}

void tst_QSseResponseReader::heads()
{
    const QByteArray response = "HTTP/1.1 503 Out of  order \r\nA:b\r\nC :\t d e \r\nFolded: x\r\n"
                                "  y\r\n\tz\r\nEmpty:\r\nA: again\r\n\r\n";
    for (const QByteArrayList &pieces : { QByteArrayList { response }, bytesOf(response) }) {
        const Result result = read(pieces);
        QCOMPARE(result.status, 503);
        QCOMPARE(result.reason, QByteArray("Out of  order"));
        QCOMPARE(result.fields,
                 (Fields { { "A", "b" },
                           { "C", "d e" },
                           { "Folded", "x y z" },
                           { "Empty", "" },
                           { "A", "again" } }));
    }
    QCOMPARE(read({ "HTTP/1.1 200\r\n\r\n" }).status, 200);
    QCOMPARE(read({ "HTTP/1.1 200 \r\n\r\n" }).reason, QByteArray());
}

void tst_QSseResponseReader::errors_data()
{
    QTest::addColumn<QByteArray>("response");
    QTest::addColumn<Error>("error");
    const QByteArray ok = "HTTP/1.1 200 OK\r\n";
    const QByteArray chunked = ok + "Transfer-Encoding: chunked\r\n\r\n";
    const auto malformed = [](const char *name, const QByteArray &response) {
        QTest::newRow(name) << response << Error::Malformed;
    };
    const auto truncated = [](const char *name, const QByteArray &response) {
        QTest::newRow(name) << response << Error::Truncated;
    };
    malformed("no HTTP", "220 ready\r\n");
    malformed("HTTP/2", "HTTP/2 200 OK\r\n\r\n");
    malformed("no version", "HTTP/1.x 200 OK\r\n\r\n");
    malformed("two digits", "HTTP/1.1 20 OK\r\n\r\n");
    malformed("four digits", "HTTP/1.1 2000 OK\r\n\r\n");
    malformed("status 0", "HTTP/1.1 000 OK\r\n\r\n");
    malformed("no digits", "HTTP/1.1 abc OK\r\n\r\n");
    malformed("empty line", "\r\nHTTP/1.1 200 OK\r\n\r\n");
    malformed("no colon", ok + "abc\r\n\r\n");
    malformed("no name", ok + ": abc\r\n\r\n");
    malformed("no name but a CR", ok + "\r: abc\r\n\r\n");
    malformed("folded from nothing", ok + " abc\r\n\r\n");
    malformed("length not a number", ok + "Content-Length: three\r\n\r\nabc");
    malformed("length negative", ok + "Content-Length: -3\r\n\r\nabc");
    malformed("length signed", ok + "Content-Length: +3\r\n\r\nabc");
    malformed("length empty", ok + "Content-Length:\r\n\r\nabc");
    malformed("length too long", ok + "Content-Length: 99999999999999999999\r\n\r\nabc");
    malformed("two lengths", ok + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nabc");
    malformed("chunk size missing", chunked + "\r\nabc");
    malformed("chunk size no number", chunked + "xyz\r\nabc");
    malformed("chunk size negative", chunked + "-1\r\nabc");
    malformed("chunk size hexadecimal twice", chunked + "0x3\r\nabc\r\n");
    malformed("chunk size too long", chunked + "ffffffffffffffffffff\r\nabc");
    malformed("no line end after a chunk", chunked + "3\r\nabcd\r\n0\r\n\r\n");
    malformed("upgraded", "HTTP/1.1 101 Switching Protocols\r\n\r\n");
    truncated("nothing", "");
    truncated("in the status line", "HTTP/1.1 20");
    truncated("in the fields", ok + "A: b\r\n");
    truncated("after an interim response", "HTTP/1.1 100 Continue\r\n\r\n");
    truncated("in the body", ok + "Content-Length: 3\r\n\r\nab");
    truncated("before a chunk", chunked);
    truncated("in a chunk", chunked + "3\r\nab");
    truncated("after a chunk", chunked + "3\r\nabc");
    truncated("before the last chunk", chunked + "3\r\nabc\r\n");
    truncated("in the trailer", chunked + "0\r\nA: b\r\n");
}

void tst_QSseResponseReader::errors()
{
    QFETCH(QByteArray, response);
    QFETCH(Error, error);
    const Result whole = read({ response });
    QCOMPARE(whole.error, error);
    QVERIFY(!whole.isComplete || error == Error::Malformed);
    QVERIFY(read(bytesOf(response)) == whole);
    for (qsizetype at = 1; at < response.size(); ++at)
        QVERIFY(read({ response.left(at), response.mid(at) }) == whole);
}

void tst_QSseResponseReader::headsHaveALimit()
{
    const QByteArray ok = "HTTP/1.1 200 OK\r\n";
    const QByteArray chunked = ok + "Transfer-Encoding: chunked\r\n\r\n";
    const QByteArray tooMuch(QSseResponseReader::MaximumHead, 'x');
    QCOMPARE(read({ tooMuch + "x" }).error, Error::HeadTooLarge);
    QCOMPARE(read({ ok + "A: " + tooMuch }).error, Error::HeadTooLarge);
    QCOMPARE(read({ ok + QByteArray("A: b\r\n").repeated(50'000) }).error, Error::HeadTooLarge);
    QCOMPARE(read({ QByteArray("HTTP/1.1 100\r\nA: b\r\n").append(tooMuch) }).error,
             Error::HeadTooLarge);
    QCOMPARE(read({ chunked + "1;" + tooMuch }).error, Error::HeadTooLarge);
    QCOMPARE(read({ chunked + "0\r\n" + QByteArray("A: b\r\n").repeated(50'000) }).error,
             Error::HeadTooLarge);

    const QByteArray almost = ok + "A: " + tooMuch.left(tooMuch.size() - 100) + "\r\n\r\n";
    QCOMPARE(read({ almost + "abc" }).body, QByteArray("abc"));
    // Many chunks are no head.
    const Result chunks =
        read({ chunked + QByteArray("1\r\na\r\n").repeated(100'000) + "0\r\n\r\n" });
    QCOMPARE(chunks.error, Error::NoError);
    QCOMPARE(chunks.body.size(), 100'000);
}

void tst_QSseResponseReader::nothingAfterTheEnd()
{
    QSseResponseReader reader;
    QByteArray body;
    reader.addData("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", &body);
    QVERIFY(reader.isComplete());
    reader.addData("HTTP/1.1 404 Not Found\r\n\r\n", &body);
    reader.end();
    QVERIFY(reader.isComplete());
    QCOMPARE(reader.status(), 200);
    QCOMPARE(body, QByteArray("a"));
}

QTEST_GUILESS_MAIN(tst_QSseResponseReader)
#include "tst_qsseresponsereader.moc"
