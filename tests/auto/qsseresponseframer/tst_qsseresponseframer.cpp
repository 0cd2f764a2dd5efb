// SPDX-License-Identifier: MIT
#include "qsseresponseframer_p.h"

#include <QtTest/QTest>

class TestQSseResponseFramer : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void responses_data();
    void responses();
    void headTooLong();
};

namespace {

using Request = QSseResponseFramer::Request;

struct Outcome
{
    QByteArray sent;
    bool isComplete = false;
    bool isLast = false;
    bool isUpgraded = false;
};

Outcome frame(const Request &request, const QByteArray &bytes, qsizetype pieceSize)
{
    QSseResponseFramer framer;
    framer.begin(request);
    Outcome outcome;
    for (qsizetype at = 0; at < bytes.size(); at += pieceSize) {
        const QByteArray piece = bytes.mid(at, pieceSize);
        QByteArrayView rest = piece;
        while (!rest.isEmpty() && !framer.isComplete())
            outcome.sent += framer.addData(&rest);
    }
    outcome.isComplete = framer.isComplete();
    outcome.isLast = framer.isLast();
    outcome.isUpgraded = framer.isUpgraded();
    return outcome;
}

constexpr Request plainGet {};
constexpr Request head { true };
constexpr Request keptGet { false, true };
constexpr Request last { false, false, true };
constexpr Request upgrade { false, false, false, true };

} // namespace

Q_DECLARE_METATYPE(Request)

void TestQSseResponseFramer::responses_data()
{
    QTest::addColumn<Request>("request");
    QTest::addColumn<QByteArray>("bytes");
    QTest::addColumn<QByteArray>("sent"); // and nothing behind it
    QTest::addColumn<bool>("isComplete");
    QTest::addColumn<bool>("isLast");
    const auto row = [](const char *name, const Request &request, const QByteArray &bytes,
                        const QByteArray &sent, bool isComplete, bool isLast) {
        QTest::newRow(name) << request << bytes << sent << isComplete << isLast;
    };
    const QByteArray ok = "HTTP/1.1 200 OK\r\n";
    const QByteArray length = "content-length: 2\r\n\r\n";
    const QByteArray chunked = "Transfer-Encoding: chunked\r\n\r\n";
    const QByteArray chunks = "2\r\nab\r\n1;x\r\n0\r\n0\r\nX: y\r\n\r\n";
    const QByteArray close = "Connection: close\r\n";

    row("length", plainGet, ok + length + "ab" + "more", ok + length + "ab", true, false);
    row("incomplete", plainGet, ok + length + "a", ok + length + "a", false, false);
    row("no body", plainGet, ok + "Content-Length: 0\r\n\r\nmore", ok + "Content-Length: 0\r\n\r\n",
        true, false);
    row("chunks", plainGet, ok + chunked + chunks + "more", ok + chunked + chunks, true, false);
    row("until the end", plainGet, ok + "\r\nabc", ok + close + "\r\nabc", false, true);
    row("length negative", plainGet, ok + "Content-Length: -1\r\n\r\nabc",
        ok + close + "Content-Length: -1\r\n\r\nabc", false, true);
    row("HEAD", head, ok + length + "ab", ok + length, true, false);
    row("HEAD without length", head, ok + "\r\n", ok + "\r\n", true, false);
    row("204", plainGet, "HTTP/1.1 204 No Content\r\n\r\nx", "HTTP/1.1 204 No Content\r\n\r\n",
        true, false);
    row("304", plainGet, "HTTP/1.1 304 \r\nContent-Length: 9\r\n\r\n",
        "HTTP/1.1 304 \r\nContent-Length: 9\r\n\r\n", true, false);
    row("interim", plainGet, "HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n" + ok + length + "ab",
        "HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n" + ok + length + "ab", true, false);
    row("last", last, ok + length + "ab", ok + close + length + "ab", true, true);
    row("server closes", plainGet, ok + close + length + "ab", ok + close + length + "ab", true,
        true);
    row("HTTP/1.0 kept", keptGet, ok + length + "ab",
        ok + "Connection: keep-alive\r\n" + length + "ab", true, false);
    row("upgrade denied", upgrade, "HTTP/1.1 403 No\r\n\r\n",
        "HTTP/1.1 403 No\r\n" + close + "\r\n", true, true);
    row("upgraded", upgrade, "HTTP/1.1 101 Go\r\nConnection: Upgrade\r\n\r\n",
        "HTTP/1.1 101 Go\r\nConnection: Upgrade\r\n\r\n", true, false);
}

void TestQSseResponseFramer::responses()
{
    QFETCH(Request, request);
    QFETCH(QByteArray, bytes);
    QFETCH(QByteArray, sent);
    for (qsizetype size = 1; size <= bytes.size(); ++size) {
        const Outcome outcome = frame(request, bytes, size);
        QCOMPARE(outcome.sent, sent);
        QTEST(outcome.isComplete, "isComplete");
        QTEST(outcome.isLast, "isLast");
        QCOMPARE(outcome.isUpgraded, bytes.startsWith("HTTP/1.1 101"));
    }
}

void TestQSseResponseFramer::headTooLong()
{
    const QByteArray bytes(QSseResponseFramer::MaximumHead + 10, 'x');
    for (const qsizetype size : { bytes.size(), qsizetype(1000) }) {
        const Outcome outcome = frame(plainGet, bytes, size);
        QCOMPARE(outcome.sent, bytes);
        QVERIFY(!outcome.isComplete);
        QVERIFY(outcome.isLast);
    }
}

QTEST_APPLESS_MAIN(TestQSseResponseFramer)
#include "tst_qsseresponseframer.moc"
