// SPDX-License-Identifier: MIT
#include <QSseParser>

#include <QtCore/QRandomGenerator>
#include <QtTest/QtTest>

#include <algorithm>

using namespace Qt::StringLiterals;
using namespace std::chrono_literals;
using Token = QSseParser::Token;

namespace {

// What a parser gave, tokens as text so that a failure shows them.
struct Result
{
    QByteArrayList tokens;
    QByteArray lastEventId;
    qint64 retry = -1;
};

bool operator==(const Result &a, const Result &b)
{
    return a.tokens == b.tokens && a.lastEventId == b.lastEventId && a.retry == b.retry;
}

QByteArray message(const QByteArray &data, const QByteArray &type = "message",
                   const QByteArray &id = QByteArray())
{
    return "event " + type.toPercentEncoding() + ", id " + id.toPercentEncoding() + ", data "
        + data.toPercentEncoding();
}

QByteArray comment(const QByteArray &text)
{
    return "comment " + text.toPercentEncoding();
}

const QByteArray error = "error"_ba;

void readAll(QSseParser *parser, QByteArrayList *tokens)
{
    for (;;) {
        switch (parser->readNext()) {
        case Token::NoToken:
            return;
        case Token::Event: {
            const QSseEvent e = parser->event();
            tokens->append(message(e.dataUtf8(), e.type().toUtf8(), e.idUtf8()));
            break;
        }
        case Token::Comment:
            tokens->append(comment(parser->comment()));
            break;
        case Token::Error:
            tokens->append(error);
            return;
        }
    }
}

Result resultOf(const QSseParser &parser, const QByteArrayList &tokens)
{
    return { tokens, parser.lastEventId(), parser.retry().count() };
}

// Reads after each piece.
Result parse(const QByteArrayList &pieces)
{
    QSseParser parser;
    QByteArrayList tokens;
    for (const QByteArray &piece : pieces) {
        parser.addData(piece);
        readAll(&parser, &tokens);
    }
    return resultOf(parser, tokens);
}

QByteArrayList bytesOf(const QByteArray &stream)
{
    QByteArrayList bytes;
    for (const char c : stream)
        bytes.append(QByteArray(1, c));
    return bytes;
}

QByteArrayList randomPieces(const QByteArray &stream, QRandomGenerator *random, int maximumSize)
{
    QByteArrayList pieces;
    for (qsizetype at = 0; at < stream.size(); at += pieces.last().size())
        pieces.append(stream.mid(at, random->bounded(1, maximumSize + 1)));
    return pieces;
}

const QByteArray replacement = "\xef\xbf\xbd";

// What each sequence of more than one byte can begin with, all its bytes but the last one's rest.
struct Prefixes
{
    Prefixes()
    {
        // Of 64 code points only the last byte differs.
        for (char32_t code = 0x80; code <= QChar::LastValidCodePoint; code += 64) {
            if (QChar::isSurrogate(code))
                continue;
            const QByteArray utf8 = QString::fromUcs4(&code, 1).toUtf8();
            for (qsizetype size = 1; size < utf8.size(); ++size)
                any.insert(utf8.first(size));
            butLast.insert(utf8.chopped(1));
        }
    }

    QSet<QByteArray> any;
    QSet<QByteArray> butLast;
};

// With one U+FFFD for each maximal subpart of what is not valid.
QByteArray decoded(const QByteArray &bytes)
{
    static const Prefixes prefixes;
    QByteArray result;
    for (qsizetype at = 0; at < bytes.size();) {
        qsizetype size = 0;
        while (at + size < bytes.size() && prefixes.any.contains(bytes.mid(at, size + 1)))
            ++size;
        const bool isWhole = prefixes.butLast.contains(bytes.mid(at, size))
            && at + size < bytes.size() && (uchar(bytes.at(at + size)) & 0xc0) == 0x80;
        if (isWhole || uchar(bytes.at(at)) < 0x80) {
            result += bytes.mid(at, ++size);
        } else {
            result += replacement;
            size = qMax(size, qsizetype(1));
        }
        at += size;
    }
    return result;
}

// §9.2.6 as it is written, for a whole stream at once: slow and plain.
Result reference(QByteArray stream)
{
    Result result;
    stream = decoded(stream);
    if (stream.startsWith("\xef\xbb\xbf"))
        stream.remove(0, 3);
    stream.replace("\r\n", "\n").replace('\r', '\n');
    QByteArrayList lines = stream.split('\n');
    lines.removeLast(); // without a line end it is no line

    QByteArray data;
    QByteArray type;
    QByteArray id;
    for (const QByteArray &line : std::as_const(lines)) {
        if (line.isEmpty()) {
            result.lastEventId = id;
            if (!data.isEmpty())
                result.tokens.append(
                    message(data.chopped(1), type.isEmpty() ? "message" : type, id));
            data.clear();
            type.clear();
            continue;
        }
        const qsizetype colon = line.indexOf(':');
        const QByteArray name = colon < 0 ? line : line.first(colon);
        QByteArray value = colon < 0 ? QByteArray() : line.sliced(colon + 1);
        if (value.startsWith(' '))
            value.remove(0, 1);
        if (colon == 0)
            result.tokens.append(comment(value));
        else if (name == "data")
            data += value + '\n';
        else if (name == "event")
            type = value;
        else if (name == "id" && !value.contains('\0'))
            id = value;
        else if (name == "retry" && !value.isEmpty()
                 && std::all_of(value.begin(), value.end(),
                                [](char c) { return c >= '0' && c <= '9'; }))
            result.retry = value.toLongLong();
    }
    return result;
}

void verify(const Result &result)
{
    QTEST(result.tokens, "tokens");
    QTEST(result.lastEventId, "lastEventId");
    QTEST(result.retry, "retry");
}

} // namespace

class tst_QSseParser : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void defaults();
    void readsWhole_data() { streams(); }
    void readsWhole();
    void readsByteByByte_data() { streams(); }
    void readsByteByByte();
    void readsSplitAnywhere_data() { streams(); }
    void readsSplitAnywhere();
    void readsSplitTwice_data() { streams(); }
    void readsSplitTwice();
    void readsWhatWasAddedInPieces_data() { streams(); }
    void readsWhatWasAddedInPieces();
    void agreesWithReference_data() { streams(); }
    void agreesWithReference();
    void readsRandomStreamsAsReference();
    void readsRandomBytesAsReference();
    void readsWhatIsEncoded();
    void limitsRetry_data();
    void limitsRetry();
    void changesIdAndRetryInTime();
    void keepsTokensUntilTheNext();
    void leavesEventsTakenAlone();
    void readsEventsLikeNewOnes();
    void leavesAddedDataAlone();
    void setLastEventId();
    void tellsNoIdFromEmptyId();
    void resetDropsWhatIsUnfinished();
    void resetExpectsByteOrderMark();
    void resetKeepsIdAndRetry();
    void maximumEventSize_data();
    void maximumEventSize();
    void maximumEventSizeIsOfOneEvent();
    void errorStaysUntilReset();
    void readsLongLineInSmallPieces();
    void readsLargeEvents();
    void readsLongDataInSmallPieces();
    void readsManyShortLines_data();
    void readsManyShortLines();
    void readsManySmallEventsAtOnce();

private:
    void streams();
};

void tst_QSseParser::defaults()
{
    QSseParser parser;
    QCOMPARE(parser.maximumEventSize(), 64 * 1024 * 1024);
    QVERIFY(parser.lastEventId().isEmpty());
    QVERIFY(parser.retry() < 0ms);
    QVERIFY(parser.comment().isEmpty());
    QVERIFY(parser.event().isNull());
    QCOMPARE(parser.readNext(), Token::NoToken);
    parser.addData(QByteArray());
    QCOMPARE(parser.readNext(), Token::NoToken);
    parser.setMaximumEventSize(10);
    QCOMPARE(parser.maximumEventSize(), 10);
}

void tst_QSseParser::streams()
{
    QTest::addColumn<QByteArray>("stream");
    QTest::addColumn<QByteArrayList>("tokens");
    QTest::addColumn<QByteArray>("lastEventId");
    QTest::addColumn<qint64>("retry");

    const auto row = [](const char *name, const QByteArray &stream, const QByteArrayList &tokens,
                        const QByteArray &lastEventId = QByteArray(), qint64 retry = -1) {
        QTest::newRow(name) << stream << tokens << lastEventId << retry;
    };
    const QByteArray bom = "\xef\xbb\xbf";
    const QByteArray longText(2048, 'x');

    // The examples of §9.2.6.
    row("spec: stocks", "data: YHOO\ndata: +2\ndata: 10\n\n", { message("YHOO\n+2\n10") });
    row("spec: four blocks",
        ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third "
        "event\n",
        { comment("test stream"), message("first event", "message", "1"),
          message("second event") });
    row("spec: data, data data, data:", "data\n\ndata\ndata\n\ndata:",
        { message(""), message("\n") });
    row("spec: one space or none", "data:test\n\ndata: test\n\n",
        { message("test"), message("test") });

    row("empty", "", {});
    row("only line ends", "\n\r\r\n\n\n\r", {});

    // A byte order mark.
    row("BOM", bom + "data:1\n\n\ndata:2\n\n", { message("1"), message("2") });
    row("BOM before the second event", bom + "data:1\n\n" + bom + "data:2\n\ndata:3\n\n",
        { message("1"), message("3") });
    row("two BOMs", bom + bom + "data:1\n\ndata:2\n\ndata:3\n\n", { message("2"), message("3") });
    row("BOM before data", bom + "data: a\n\n", { message("a") });
    row("BOM in data", "data:" + bom + "a\ndata: " + bom + "\n\n", { message(bom + "a\n" + bom) });
    row("BOM in event and id", "event:" + bom + "e\nid:" + bom + "i\ndata:a\n\n",
        { message("a", bom + "e", bom + "i") }, bom + "i");
    row("BOM after a blank line", "\n" + bom + "data:1\n\n", {});
    row("BOM alone", bom, {});
    row("BOM and blank lines", bom + "\n\n", {});
    row("half a BOM", "\xef\xbb", {});
    row("half a BOM, then data", "\xef\xbb\ndata: a\n\n", { message("a") });
    row("BOM in UTF-16", "\xfe\xff\ndata: a\n\n", { message("a") });

    // Comments.
    row("comment fest",
        "data:1\r:\0\n:\r\ndata:2\n:"_ba + longText + "\rdata:3\n:data:fail\r:" + longText
            + "\ndata:4\n\n",
        { comment("\0"_ba), comment(""), comment(longText), comment("data:fail"), comment(longText),
          message("1\n2\n3\n4") });
    row("comment, space", ": a\n:  b\n:c \n:\td\n",
        { comment("a"), comment(" b"), comment("c "), comment("\td") });
    row("comment, colons", "::\n:: a\n: :\n", { comment(":"), comment(": a"), comment(":") });
    row("comment of a space", ": \n:  \n", { comment(""), comment(" ") });
    row("comment ends no event", "data: a\n: c\ndata: b\n\n", { comment("c"), message("a\nb") });
    row("comment without its line end", ": a\n: b", { comment("a") });
    row("comment after space is a field", " : a\ndata: x\n\n", { message("x") });

    // Blocks.
    row("data before the final blank line", "retry:1000\ndata:test1\n\nid:test\ndata:test2",
        { message("test1") }, "", 1000);
    row("final blank line is missing", "data: a\n\ndata: b\n", { message("a") });
    row("no block at all", "data: a", {});
    row("event without data", "event: a\n\ndata: b\n\n", { message("b") });
    row("blank lines between", "\n\n\ndata: a\n\n\n\ndata: b\n\n\n",
        { message("a"), message("b") });
    row("ended by the end of the stream, with CR", "data: a\n\ndata: b\r", { message("a") });

    // Data.
    row("data, empty", "data:\n\ndata\ndata\n\ndata:test\n\n",
        { message(""), message("\n"), message("test") });
    row("data alone", "data\n\n", { message("") });
    row("data and a space", "data: \n\n", { message("") });
    row("data and two spaces", "data:  \n\n", { message(" ") });
    row("data twice", "data:a\ndata:b\n\n", { message("a\nb") });
    row("data with empty lines", "data:a\ndata:\ndata:b\ndata\n\n", { message("a\n\nb\n") });
    row("empty data first", "data\ndata:a\n\n", { message("\na") });
    row("data, only one space stripped", "data:   a \n\n", { message("  a ") });
    row("data, tab not stripped", "data:\ta\t\n\n", { message("\ta\t") });
    row("data, space and tab", "data: \ta\n\n", { message("\ta") });
    row("data, no-break space",
        "data:\xc2\xa0"
        "a\n\n",
        { message("\xc2\xa0"
                  "a") });
    row("data with colons", "data::\ndata: a:b\n\n", { message(":\na:b") });
    row("data with a NUL", "data:\0\n\n"_ba, { message("\0"_ba) });
    row("data with NULs", "data:a\0\0b\ndata:\0\n\n"_ba, { message("a\0\0b\n\0"_ba) });
    row("data with VT, FF, NEL and U+2028",
        "data:a\x0b"
        "b\x0c"
        "c\xc2\x85"
        "d\xe2\x80\xa8"
        "e\n\n",
        { message("a\x0b"
                  "b\x0c"
                  "c\xc2\x85"
                  "d\xe2\x80\xa8"
                  "e") });
    row("data, long", "data: " + longText + "\ndata:" + longText + "\n\n",
        { message(longText + '\n' + longText) });

    // Names of fields.
    row("field parsing",
        "data:\0\ndata:  2\rData:1\ndata\0:2\ndata:1\r\0data:4\nda-ta:3\rdata_5\ndata:3\rdata:"
        "\r\n data:32\ndata:4\n\n"_ba,
        { message("\0\n 2\n1\n3\n\n4"_ba) });
    row("unknown field",
        "data:test\n data\ndata\nfoobar:xxx\njustsometext\n:thisisacomment\n"
        "data:test\n\n",
        { comment("thisisacomment"), message("test\n\ntest") });
    row("names in capitals", "DATA: a\nData: b\nEVENT: e\nID: 1\nRETRY: 1\n\ndata: x\n\n",
        { message("x") });
    row("names that begin alike", "dat: a\ndatax: b\neventx: c\nids: 1\nretryy: 1\n\n", {});
    row("space before the colon", "data : a\n\n", {});
    row("space before the name", " data: a\n\n", {});

    // The event's name.
    row("event", "event:test\ndata:x\n\ndata:x\n\n", { message("x", "test"), message("x") });
    row("event, after data", "data: x\nevent: test\n\n", { message("x", "test") });
    row("event, empty", "event: \ndata:data\n\n", { message("data") });
    row("event, no colon", "event\ndata:a\n\n", { message("a") });
    row("event, the last counts", "event: a\nevent: b\ndata: x\n\n", { message("x", "b") });
    row("event, empty one counts", "event: a\nevent\ndata: x\n\n", { message("x") });
    row("event, spaces", "event:  a b \ndata: x\n\n", { message("x", " a b ") });
    row("event, message", "event: message\ndata: x\n\n", { message("x", "message") });
    row("event, like those of the source", "event: error\ndata: x\n\nevent: open\ndata: y\n\n",
        { message("x", "error"), message("y", "open") });
    row("event, NUL", "event: a\0b\ndata: x\n\n"_ba, { message("x", "a\0b"_ba) });
    row("event, UTF-8", "event: \xe2\x98\x83\ndata: x\n\n", { message("x", "\xe2\x98\x83") });

    // The id.
    row("id persists", "id: 1\ndata: 1\n\ndata:2\n\n",
        { message("1", "message", "1"), message("2", "message", "1") }, "1");
    row("id changes and persists", "id: 1\ndata: 1\n\nid: 2\ndata:2\n\ndata:3\n\n",
        { message("1", "message", "1"), message("2", "message", "2"),
          message("3", "message", "2") },
        "2");
    row("id resets", "id: 1\ndata: 1\n\nid:\ndata:2\n\ndata:3\n\n",
        { message("1", "message", "1"), message("2"), message("3") });
    row("id resets, no colon", "id: 1\ndata: 1\n\nid\ndata:2\n\n",
        { message("1", "message", "1"), message("2") });
    row("id resets, a space", "id: 1\n\nid: \n\n", {});
    row("id with a NUL is ignored", "id: 1\n\nid: 2\0\x32\nid: \0\ndata: x\n\n"_ba,
        { message("x", "message", "1") }, "1");
    row("id of a NUL alone", "id: \0\ndata: x\n\n"_ba, { message("x") });
    row("id, the last counts", "id: 1\nid: 2\ndata: x\n\n", { message("x", "message", "2") }, "2");
    row("id after data", "data: x\nid: 1\n\n", { message("x", "message", "1") }, "1");
    row("id without data", "id: 7\n\n", {}, "7");
    row("id without data, then data", "id: 7\n\ndata: x\n\n", { message("x", "message", "7") },
        "7");
    row("id of an event without data", "event: e\nid: 7\n\n", {}, "7");
    row("id of an unfinished block", "id: 1\n\nid: 2\ndata: x\n", {}, "1");
    row("id in an unfinished line", "id: 1\n\nid: 2", {}, "1");
    row("id, spaces", "id:  1 \ndata: x\n\n", { message("x", "message", " 1 ") }, " 1 ");
    row("id, UTF-8", "id: \xe2\x80\xa6\ndata: x\n\n", { message("x", "message", "\xe2\x80\xa6") },
        "\xe2\x80\xa6");

    // The time to wait.
    row("retry", "retry:3000\ndata:x\n\n", { message("x") }, "", 3000);
    row("retry without a block", "retry: 12\n", {}, "", 12);
    row("retry in an unfinished line", "retry: 12", {}, "", -1);
    row("retry, leading zero", "retry:03000\n", {}, "", 3000);
    row("retry, many leading zeros", "retry:0000000000000000000001000\n", {}, "", 1000);
    row("retry 0", "retry:0\n", {}, "", 0);
    row("retry, only zeros", "retry:00000000000000000000\n", {}, "", 0);
    row("retry, bogus", "retry:2000\nretry:1000x\ndata:x\n\n", { message("x") }, "", 2000);
    row("retry, empty", "retry:5000\nretry\nretry:\nretry: \ndata:test\n\n", { message("test") },
        "", 5000);
    row("retry, negative", "retry:1\nretry:-2\n", {}, "", 1);
    row("retry, signed", "retry:1\nretry:+2\n", {}, "", 1);
    row("retry, fraction", "retry:1\nretry:2.5\nretry:2e3\n", {}, "", 1);
    row("retry, spaces", "retry:1\nretry:  2\nretry: 2 \nretry:\t2\n", {}, "", 1);
    row("retry, hexadecimal", "retry:1\nretry:0x10\nretry:A\n", {}, "", 1);
    row("retry, NUL", "retry:1\nretry:2\0\n"_ba, {}, "", 1);
    row("retry, digits that are not ASCII", "retry:1\nretry:\xd9\xa2\n", {}, "", 1);
    row("retry, the last counts", "retry:1\nretry:2\n", {}, "", 2);

    // Line ends.
    row("LF", "data: a\ndata: b\n\n", { message("a\nb") });
    row("CR", "data: a\rdata: b\r\r", { message("a\nb") });
    row("CRLF", "data: a\r\ndata: b\r\n\r\n", { message("a\nb") });
    row("mixed", "data:test\r\ndata\ndata:test\r\n\r\n", { message("test\n\ntest") });
    row("mixed, each pair", "data:a\n\rdata:b\r\ndata:c\rdata:d\n\r\n",
        { message("a"), message("b\nc\nd") });
    row("blank line of CR after LF", "data: a\n\rdata: b\n\n", { message("a"), message("b") });
    row("blank line of LF after CRLF", "data: a\r\n\ndata: b\r\n\n",
        { message("a"), message("b") });
    row("CR CRLF", "data: a\r\r\ndata: b\r\r\n", { message("a"), message("b") });
    row("CRLF is one line end", "data: a\r\ndata: b\r\n", {});
    row("dispatched by a CR", "data: a\r\r", { message("a") });
    row("CRLF after comments", ":a\r\n:b\r\n\r\n", { comment("a"), comment("b") });

    row("each line end after a CR", "data:a\r\ndata:b\r\rdata:c\r\n\ndata:d\r\n\r\n\r\r\n\n",
        { message("a\nb"), message("c"), message("d") });
    row("ids and comments, all line ends", "id:1\r:a\r\nid:2\n:b\n\r\ndata:x\r\n\r:c\r\r\n",
        { comment("a"), comment("b"), message("x", "message", "2"), comment("c") }, "2");
    row("dispatched by each kind of line end",
        "data:a\n\ndata:b\r\rdata:c\r\n\r\ndata:d\n\rdata:e\n",
        { message("a"), message("b"), message("c"), message("d") });
    row("retry, all line ends", "retry:1\rretry:2\r\nretry:3\n", {}, "", 3);

    // UTF-8.
    row("UTF-8", "data:ok\xe2\x80\xa6\n\n", { message("ok\xe2\x80\xa6") });
    row("UTF-8 of all lengths", "data:a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\n\n",
        { message("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80") });
    row("UTF-8 in a comment", ": \xf0\x9f\x98\x80\n", { comment("\xf0\x9f\x98\x80") });
    row("UTF-8 in a field's name", "d\xc3\xa4ta: a\n\n", {});
    row("UTF-8, the first and last of each length",
        "data:\x01\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\n\n",
        { message(
            "\x01\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf") });

    // One U+FFFD for each maximal subpart of a sequence.
    const auto replaced = [&row](const char *name, const QByteArray &invalid, int count) {
        const QByteArray text = 'a' + replacement.repeated(count) + 'z';
        const QByteArray bytes = 'a' + invalid + 'z';
        row(name, ':' + bytes + "\nid:" + bytes + "\nevent:" + bytes + "\ndata:" + bytes + "\n\n",
            { comment(text), message(text, text, text) }, text);
    };
    replaced("continuation", "\x80", 1);
    replaced("continuations", "\x80\xbf\x80", 3);
    replaced("FE and FF", "\xfe\xff", 2);
    replaced("C0 AF", "\xc0\xaf", 2);
    replaced("C1 BF", "\xc1\xbf", 2);
    replaced("E2 82", "\xe2\x82", 1);
    replaced("E2 E2", "\xe2\xe2", 2);
    replaced("E0 80 AF", "\xe0\x80\xaf", 3);
    replaced("E0 9F BF", "\xe0\x9f\xbf", 3);
    replaced("E0 A0", "\xe0\xa0", 1);
    replaced("ED A0 80", "\xed\xa0\x80", 3);
    replaced("ED 9F", "\xed\x9f", 1);
    replaced("surrogate pair", "\xed\xa0\xbd\xed\xb8\x80", 6);
    replaced("F0 9F 98", "\xf0\x9f\x98", 1);
    replaced("F0 9F", "\xf0\x9f", 1);
    replaced("F0", "\xf0", 1);
    replaced("F0 8F BF BF", "\xf0\x8f\xbf\xbf", 4);
    replaced("F4 90 80 80", "\xf4\x90\x80\x80", 4);
    replaced("F4 8F BF", "\xf4\x8f\xbf", 1);
    replaced("F5 80 80 80", "\xf5\x80\x80\x80", 4);
    replaced("F8 88 80 80 80", "\xf8\x88\x80\x80\x80", 5);
    replaced("E2 82, F0 9F 98, C3, E2", "\xe2\x82\xf0\x9f\x98\xc3\xe2", 4);
    row("E2 82 before a valid one", "data:\xe2\x82\xe2\x82\xac\n\n",
        { message(replacement + "\xe2\x82\xac") });
    row("cut off by the line's end", "data:\xe2\x82\ndata:\xac\r\n\r\n",
        { message(replacement + '\n' + replacement) });
    row("cut off by the colon", "data\xe2\x82:a\nid\xf0:1\ndata:b\n\n", { message("b") });
    row("begins the value", "data:\x80\ndata: \x80\n\n",
        { message(replacement + '\n' + replacement) });
    row("in a comment cut off by its end", ":\xf0\x9f\x98\r:\x80\n",
        { comment(replacement), comment(replacement) });
    row("in a field's name",
        "\xff"
        "data:a\nda\xc0ta:b\ndata\xff\n\xef\xbb:c\ndata:x\n\n",
        { message("x") });
    row("no digit", "retry:1\nretry:2\xff\n", {}, "", 1);
    row("with a NUL in an id", "id:1\nid:\xff\0\ndata:x\n\n"_ba, { message("x", "message", "1") },
        "1");
    row("the same type again",
        "event:\xff\ndata:a\n\nevent:\xff\ndata:b\n\nevent:\xef\xbf\xbd\ndata:c\n\n",
        { message("a", replacement), message("b", replacement), message("c", replacement) });

    // What the tests of the web platform check and nothing above does.
    row("web platform: event-data",
        "data:msg\ndata: "
        "msg\n\n:\nfalsefield:msg\n\nfalsefield:msg\nData:data\n\ndata\n\ndata:end\n\n",
        { message("msg\nmsg"), comment(""), message(""), message("end") });
    row("web platform: format-leading-space", "data:\ttest\rdata: \ndata:test\n\n",
        { message("\ttest\n\ntest") });
    row("web platform: format-newlines", "data:test\r\ndata\ndata:test\r\n\r",
        { message("test\n\ntest") });
    row("web platform: format-null-character", "data:\0\n\n\n\n"_ba, { message("\0"_ba) });
    row("web platform: format-field-id-null", "id:\0\0\ndata:hello\n\n"_ba, { message("hello") });
    row("web platform: format-field-id-2", "id\ndata:hello\n\nid: \xe2\x80\xa6\n\ndata:test\n\n",
        { message("hello"), message("test", "message", "\xe2\x80\xa6") }, "\xe2\x80\xa6");
    row("web platform: format-utf-8", "data:ok\xe2\x80\xa6\n\n", { message("ok\xe2\x80\xa6") });
}

void tst_QSseParser::readsWhole()
{
    QFETCH(QByteArray, stream);
    verify(parse({ stream }));
}

void tst_QSseParser::readsByteByByte()
{
    QFETCH(QByteArray, stream);
    verify(parse(bytesOf(stream)));
}

void tst_QSseParser::readsSplitAnywhere()
{
    QFETCH(QByteArray, stream);
    for (qsizetype at = 0; at <= stream.size(); ++at) {
        verify(parse({ stream.first(at), stream.sliced(at) }));
        if (QTest::currentTestFailed())
            QFAIL(qPrintable(u"split at %1"_s.arg(at)));
    }
}

void tst_QSseParser::readsSplitTwice()
{
    QFETCH(QByteArray, stream);
    if (stream.size() > 100)
        return; // too many ways
    const Result whole = parse({ stream });
    for (qsizetype first = 0; first <= stream.size(); ++first) {
        for (qsizetype second = first; second <= stream.size(); ++second) {
            const Result result = parse({ stream.first(first), stream.sliced(first, second - first),
                                          stream.sliced(second) });
            if (!(result == whole))
                QFAIL(qPrintable(u"split at %1 and %2"_s.arg(first).arg(second)));
        }
    }
}

void tst_QSseParser::readsWhatWasAddedInPieces()
{
    QFETCH(QByteArray, stream);
    QSseParser parser;
    QByteArrayList tokens;
    for (const QByteArray &byte : bytesOf(stream)) {
        parser.addData(byte);
        parser.addData(QByteArray()); // nothing is no end
    }
    readAll(&parser, &tokens);
    verify(resultOf(parser, tokens));
}

// Keeps the reference honest.
void tst_QSseParser::agreesWithReference()
{
    QFETCH(QByteArray, stream);
    verify(reference(stream));
}

void tst_QSseParser::readsRandomStreamsAsReference()
{
    const QByteArrayList parts { "data",
                                 "data:",
                                 "data: ",
                                 "event:",
                                 "event: ",
                                 "id:",
                                 "id: ",
                                 "id",
                                 "retry:",
                                 "1",
                                 "23",
                                 ":",
                                 ": ",
                                 " ",
                                 "\t",
                                 "x",
                                 "\0"_ba,
                                 "\n",
                                 "\n\n",
                                 "\xef\xbb\xbf",
                                 "\r",
                                 "\r\r",
                                 "\r\n",
                                 "\r\n\r\n",
                                 "a:b",
                                 "\n",
                                 "\r",
                                 "\xe2\x82\xac",
                                 "\xf0\x9f\x98\x80" };
    QRandomGenerator random(2024);
    for (int i = 0; i < 3000; ++i) {
        QByteArray stream;
        for (int count = random.bounded(60); count > 0; --count)
            stream += parts.at(random.bounded(parts.size()));
        const Result expected = reference(stream);
        const Result result = parse(randomPieces(stream, &random, 7));
        QVERIFY2(result == expected, stream.toPercentEncoding().constData());
    }
}

void tst_QSseParser::readsRandomBytesAsReference()
{
    const QByteArrayList parts { "data:", "event:",       "id:",      ":",    "\n",       "\r",
                                 "\n\n",  "\xef\xbb\xbf", "\xe2",     "\xe0", "\xed\xa0", "\xf0",
                                 "\xf4",  "\x8f",         "\x90\x80", "\xbf" };
    QRandomGenerator random(7);
    for (int i = 0; i < 2000; ++i) {
        QByteArray stream;
        for (int count = random.bounded(40); count > 0; --count)
            stream += random.bounded(2) ? parts.at(random.bounded(parts.size()))
                                        : QByteArray(1, char(random.bounded(256)));
        const Result expected = reference(stream);
        for (const QByteArrayList &pieces :
             { QByteArrayList { stream }, bytesOf(stream), randomPieces(stream, &random, 5) }) {
            const Result result = parse(pieces);
            QVERIFY2(result == expected, stream.toPercentEncoding().constData());
        }
        for (const QByteArray &token : expected.tokens)
            QVERIFY2(QByteArray::fromPercentEncoding(token).isValidUtf8(),
                     stream.toPercentEncoding().constData());
    }
}

void tst_QSseParser::readsWhatIsEncoded()
{
    QRandomGenerator random(42);
    const QStringList lineParts { u"a"_s,      u" "_s,      u":"_s,          u"data: "_s,
                                  u"\u00e4"_s, u"\u20ac"_s, u"\U0001f600"_s, u"\ufeff"_s,
                                  u"\t"_s,     u"\u2028"_s, u"\u0085"_s };
    const QStringList idParts = lineParts + QStringList { u"7"_s, u"-"_s };
    const QStringList textParts =
        lineParts + QStringList { u"\n"_s, u"\r"_s, u"\r\n"_s, u"\0"_s, u"\n\n"_s };
    const auto text = [&random](const QStringList &parts) {
        QString result = u""_s;
        for (int count = random.bounded(12); count > 0; --count)
            result += parts.at(random.bounded(parts.size()));
        return result;
    };
    const auto lineFeeds = [](QByteArray text) {
        return text.replace("\r\n", "\n").replace('\r', '\n');
    };

    QByteArray stream;
    Result expected;
    for (int i = 0; i < 3000; ++i) {
        QSseEvent sent;
        if (random.bounded(4) == 0)
            sent.setComment(text(textParts));
        if (random.bounded(2))
            sent.setId(text(idParts));
        if (random.bounded(2))
            sent.setEvent(text(lineParts));
        if (random.bounded(5) == 0)
            sent.setRetry(std::chrono::milliseconds(random.bounded(100000)));
        if (random.bounded(5))
            sent.setData(text(textParts));
        if (!sent.isValid())
            continue;
        stream += sent.encode();

        if (!sent.comment().isNull()) {
            for (const QByteArray &line : lineFeeds(sent.comment().toUtf8()).split('\n'))
                expected.tokens.append(comment(line));
        }
        if (!sent.idUtf8().isNull())
            expected.lastEventId = sent.idUtf8();
        if (sent.retry() >= 0ms)
            expected.retry = sent.retry().count();
        if (sent.hasData())
            expected.tokens.append(
                message(lineFeeds(sent.dataUtf8()), sent.type().toUtf8(), expected.lastEventId));
    }
    QVERIFY(expected.tokens.size() > 2000);

    for (const QByteArrayList &pieces :
         { QByteArrayList { stream }, bytesOf(stream), randomPieces(stream, &random, 100) }) {
        const Result result = parse(pieces);
        QCOMPARE(result.tokens, expected.tokens);
        QCOMPARE(result.lastEventId, expected.lastEventId);
        QCOMPARE(result.retry, expected.retry);
    }
}

void tst_QSseParser::limitsRetry_data()
{
    QTest::addColumn<QByteArray>("digits");

    QTest::newRow("16 digits") << QByteArray(16, '9');
    QTest::newRow("2^63") << "9223372036854775808"_ba;
    QTest::newRow("2^64") << "18446744073709551616"_ba;
    QTest::newRow("2^64 + 1") << "18446744073709551617"_ba;
    QTest::newRow("10000 digits") << QByteArray(10000, '9');
}

// No number of digits overflows or is taken for a short time.
void tst_QSseParser::limitsRetry()
{
    QFETCH(QByteArray, digits);
    QSseParser parser;
    parser.addData("retry: 1\nretry: " + digits + '\n');
    QCOMPARE(parser.readNext(), Token::NoToken);
    QVERIFY(parser.retry() > 24h * 365 * 1000);
    QVERIFY(parser.retry() < std::chrono::milliseconds::max() / 2);
}

void tst_QSseParser::changesIdAndRetryInTime()
{
    QSseParser parser;
    parser.addData(
        "retry: 1\nid: 1\ndata: a\n\nretry: 2\nid: 2\n: c\n\nretry: 3\ndata: b\n\nid: 3\n");
    QCOMPARE(parser.readNext(), Token::Event);
    QCOMPARE(parser.retry(), 1ms);
    QCOMPARE(parser.lastEventId(), "1"_ba);
    QCOMPARE(parser.readNext(), Token::Comment);
    QCOMPARE(parser.retry(), 2ms);
    QCOMPARE(parser.lastEventId(), "1"_ba); // the block is not at its end
    QCOMPARE(parser.readNext(), Token::Event);
    QCOMPARE(parser.retry(), 3ms);
    QCOMPARE(parser.lastEventId(), "2"_ba);
    QCOMPARE(parser.event().id(), u"2"_s);
    QCOMPARE(parser.readNext(), Token::NoToken);
    QCOMPARE(parser.lastEventId(), "2"_ba);
    parser.addData("\n");
    QCOMPARE(parser.readNext(), Token::NoToken);
    QCOMPARE(parser.lastEventId(), "3"_ba);
}

void tst_QSseParser::keepsTokensUntilTheNext()
{
    QSseParser parser;
    parser.addData("event: e\nid: 1\ndata: a\n\n: c\n");
    QCOMPARE(parser.readNext(), Token::Event);
    const QSseEvent first = parser.event();
    QCOMPARE(parser.event(), first);
    QCOMPARE(first.event(), u"e"_s);
    QCOMPARE(first.data(), u"a"_s);
    QCOMPARE(first.id(), u"1"_s);
    QVERIFY(first.comment().isNull());
    QVERIFY(first.retry() < 0ms);
    QVERIFY(first.topic().isEmpty());
    QCOMPARE(parser.readNext(), Token::Comment);
    QCOMPARE(parser.readNext(), Token::NoToken);
    QCOMPARE(parser.readNext(), Token::NoToken);
    parser.addData("data: b\n\n");
    QCOMPARE(parser.readNext(), Token::Event);
    QVERIFY(parser.event().event().isEmpty());
    QCOMPARE(first.data(), u"a"_s); // what was taken stays
}

// The memory of an event that was let go serves again; that of one taken, or of its text, does not.
void tst_QSseParser::leavesEventsTakenAlone()
{
    QSseParser parser;
    QList<QSseEvent> taken;
    QByteArrayList texts;
    for (int i = 0; i < 60; ++i) {
        const QByteArray number = QByteArray::number(i).rightJustified(i % 7 + 2, '0');
        parser.addData("id: i" + number + "\nevent: e" + QByteArray::number(i / 4) + "\ndata: d"
                       + number + "\n\n");
        QCOMPARE(parser.readNext(), Token::Event);
        if (i % 3 == 0)
            taken.append(parser.event());
        if (i % 3 == 1)
            texts << parser.event().dataUtf8() << parser.event().idUtf8() << parser.lastEventId();
        QCOMPARE(parser.event().dataUtf8(), 'd' + number);
        QCOMPARE(parser.readNext(), Token::NoToken);
    }
    for (int i = 0; i < 60; ++i) {
        const QByteArray number = QByteArray::number(i).rightJustified(i % 7 + 2, '0');
        if (i % 3 == 0) {
            const QSseEvent event = taken.takeFirst();
            QCOMPARE(event.dataUtf8(), 'd' + number);
            QCOMPARE(event.idUtf8(), 'i' + number);
            QCOMPARE(event.event().toUtf8(), 'e' + QByteArray::number(i / 4));
        }
        if (i % 3 == 1) {
            QCOMPARE(texts.takeFirst(), 'd' + number);
            QCOMPARE(texts.takeFirst(), 'i' + number);
            QCOMPARE(texts.takeFirst(), 'i' + number);
        }
    }
}

// A type or an id of one event is not one of the next, also where its memory serves again.
void tst_QSseParser::readsEventsLikeNewOnes()
{
    const QByteArray long1(10'000, 'x');
    const QByteArrayList streams {
        "data:a\n\n",      "event:e\ndata:b\n\n",
        "event\ndata\n\n", "event:" + long1 + "\nid:" + long1 + "\ndata:" + long1 + "\n\n",
        "id\ndata:c\n\n",  "id:\xc3\xa4\ndata:\xc3\xa4\ndata:x\n\n"
    };
    QSseParser parser;
    for (const QByteArray &first : streams) {
        for (const QByteArray &second : streams) {
            QSseParser fresh;
            parser.addData("id\n" + first + second);
            fresh.addData("id\n" + first + second);
            for (int i = 0; i < 2; ++i) {
                QCOMPARE(parser.readNext(), Token::Event);
                QCOMPARE(fresh.readNext(), Token::Event);
                const QSseEvent expected = fresh.event(); // so that the next one is a new one
                QCOMPARE(parser.event(), expected);
            }
        }
    }
}

void tst_QSseParser::leavesAddedDataAlone()
{
    QByteArray first = "data: a\nda";
    const QByteArray second = "ta: b\n\n: c";
    QSseParser parser;
    parser.addData(first);
    QCOMPARE(parser.readNext(), Token::NoToken);
    first.fill('x'); // a reader may use its buffer again
    parser.addData(second);
    QCOMPARE(parser.readNext(), Token::Event);
    QCOMPARE(parser.event().dataUtf8(), "a\nb"_ba);
    QCOMPARE(second, "ta: b\n\n: c"_ba);
}

void tst_QSseParser::setLastEventId()
{
    QSseParser parser;
    parser.setLastEventId("before");
    QCOMPARE(parser.lastEventId(), "before"_ba);
    parser.addData("data: a\n\nid: 1\ndata: b\n\nid\ndata: c\n\n");
    QCOMPARE(parser.readNext(), Token::Event);
    QCOMPARE(parser.event().id(), u"before"_s);
    QCOMPARE(parser.lastEventId(), "before"_ba);
    QCOMPARE(parser.readNext(), Token::Event);
    QCOMPARE(parser.event().id(), u"1"_s);
    QCOMPARE(parser.readNext(), Token::Event);
    QVERIFY(parser.event().id().isEmpty());
    QVERIFY(parser.lastEventId().isEmpty());

    parser.setLastEventId("after");
    parser.reset();
    parser.addData("\n\ndata: d\n\n");
    QCOMPARE(parser.readNext(), Token::Event);
    QCOMPARE(parser.event().id(), u"after"_s);
    parser.setLastEventId(QByteArray());
    parser.addData("data: e\n\n");
    QCOMPARE(parser.readNext(), Token::Event);
    QVERIFY(parser.event().id().isEmpty());
}

void tst_QSseParser::tellsNoIdFromEmptyId()
{
    QSseParser parser;
    parser.addData("data: a\n\nid:\ndata: b\n\n");
    QCOMPARE(parser.readNext(), Token::Event);
    QVERIFY(parser.event().idUtf8().isNull());
    QCOMPARE(parser.event().encode(), "data: a\n\n"_ba);
    QCOMPARE(parser.readNext(), Token::Event);
    QVERIFY(!parser.event().idUtf8().isNull());
    QCOMPARE(parser.event().encode(), "id: \ndata: b\n\n"_ba);
}

void tst_QSseParser::resetDropsWhatIsUnfinished()
{
    // Each is dropped alone, whatever of a block it is.
    for (const QByteArray &unfinished :
         { "data: a\n"_ba, "data: a"_ba, "event: e\n"_ba, "id: 2\n"_ba, "id: 2"_ba, ": c"_ba,
           "data: a\r"_ba, "event: e\r\n"_ba, "da"_ba }) {
        for (const bool isRead : { true, false }) {
            QSseParser parser;
            parser.addData("id: 1\n\n");
            QCOMPARE(parser.readNext(), Token::NoToken);
            parser.addData(unfinished);
            if (isRead)
                QCOMPARE(parser.readNext(), Token::NoToken);
            parser.reset();
            QCOMPARE(parser.readNext(), Token::NoToken);
            QCOMPARE(parser.lastEventId(), "1"_ba);
            parser.addData("\n\ndata: x\n\n");
            QCOMPARE(parser.readNext(), Token::Event);
            QCOMPARE(parser.event().dataUtf8(), "x"_ba);
            QCOMPARE(parser.event().type(), u"message"_s);
            QCOMPARE(parser.event().id(), u"1"_s);
            QCOMPARE(parser.readNext(), Token::NoToken);
        }
    }

    // Nor is a whole event read that came before.
    QSseParser parser;
    parser.addData("data: a\n\ndata: b\n\n");
    QCOMPARE(parser.readNext(), Token::Event);
    parser.reset();
    QCOMPARE(parser.readNext(), Token::NoToken);
}

void tst_QSseParser::resetExpectsByteOrderMark()
{
    QSseParser parser;
    for (const QByteArray &before :
         { "data: a\n\n"_ba, "\xef\xbb\xbf"_ba, "\xef\xbb"_ba, "x"_ba }) {
        parser.addData(before);
        while (parser.readNext() != Token::NoToken) { }
        parser.reset();
        for (const QByteArray &byte : bytesOf("\xef\xbb\xbf"
                                              "data: b\n\n"))
            parser.addData(byte);
        QCOMPARE(parser.readNext(), Token::Event);
        QCOMPARE(parser.event().dataUtf8(), "b"_ba);
    }
}

void tst_QSseParser::resetKeepsIdAndRetry()
{
    QSseParser parser;
    parser.setMaximumEventSize(1000);
    parser.addData("retry: 5\nid: 1\n\n");
    QCOMPARE(parser.readNext(), Token::NoToken);
    parser.reset();
    parser.reset();
    QCOMPARE(parser.retry(), 5ms);
    QCOMPARE(parser.lastEventId(), "1"_ba);
    QCOMPARE(parser.maximumEventSize(), 1000);
}

void tst_QSseParser::maximumEventSize_data()
{
    QTest::addColumn<QByteArray>("stream"); // with a limit of 32 bytes
    QTest::addColumn<QByteArrayList>("tokens");

    const auto row = [](const char *name, const QByteArray &stream, const QByteArrayList &tokens) {
        QTest::newRow(name) << stream << tokens;
    };
    const auto x = [](int count) { return QByteArray(count, 'x'); };
    row("data of a line, fits", "data:" + x(27) + "\n\n", { message(x(27)) });
    row("data of a line, too long", "data:" + x(33) + "\n\n", { error });
    row("unfinished line, fits", "data:" + x(27), {});
    row("unfinished line, too long", "data:" + x(28), { error });
    row("unfinished line, way too long", x(1000), { error });
    row("unfinished comment, too long", ":" + x(32), { error });
    row("finished line, fits", ":" + x(31) + "\n\n", { comment(x(31)) });
    row("finished line, too long", "data:" + x(28) + "\n\n", { error });
    row("finished comment, too long", ":" + x(32) + "\n\n", { error });
    row("finished line that keeps nothing, too long", x(33) + "\n\n", { error });
    row("finished line after data, too long", "data:" + x(20) + "\n:" + x(12) + "\n\n", { error });
    row("data of lines, fits", "data:1234567\ndata:12345678\ndata:1234\n\n",
        { message("1234567\n12345678\n1234") });
    row("data of lines, too long", "data:123456789\n"_ba.repeated(4), { error });
    row("data of lines and an unfinished one", "data:" + x(20) + "\ndata:" + x(8), { error });
    row("data of empty lines, fits", "data\n"_ba.repeated(28) + '\n',
        { message("\n"_ba.repeated(27)) });
    row("data of empty lines, too long", "data\n"_ba.repeated(34) + '\n', { error });
    row("many lines that keep nothing", "event: a\nid: 1\nretry: 1\nxyz\n"_ba.repeated(20), {});
    row("after a good event", "data: a\n\n: c\ndata:" + x(33) + "\n\ndata: b\n\n",
        { message("a"), comment("c"), error });
}

void tst_QSseParser::maximumEventSize()
{
    QFETCH(QByteArray, stream);
    QFETCH(QByteArrayList, tokens);

    QList<QByteArrayList> ways { { stream }, bytesOf(stream) };
    for (qsizetype at = 1; at < stream.size(); ++at)
        ways.append({ stream.first(at), stream.sliced(at) });
    for (const QByteArrayList &pieces : std::as_const(ways)) {
        QSseParser parser;
        parser.setMaximumEventSize(32);
        QByteArrayList read;
        for (const QByteArray &piece : pieces) {
            parser.addData(piece);
            readAll(&parser, &read);
            if (read.endsWith(error))
                break;
        }
        QCOMPARE(read, tokens);
    }
}

void tst_QSseParser::maximumEventSizeIsOfOneEvent()
{
    // More than the limit at once, but never in one event.
    QSseParser parser;
    parser.setMaximumEventSize(32);
    parser.addData("data: 1234567\nevent: e\n\n: comment\n"_ba.repeated(1000));
    QByteArrayList tokens;
    readAll(&parser, &tokens);
    QByteArrayList expected;
    for (int i = 0; i < 1000; ++i)
        expected << message("1234567", "e") << comment("comment");
    QCOMPARE(tokens, expected);
}

void tst_QSseParser::errorStaysUntilReset()
{
    QSseParser parser;
    parser.setMaximumEventSize(32);
    parser.addData("retry: 9\nid: 1\ndata: a\n\n");
    QCOMPARE(parser.readNext(), Token::Event);
    parser.addData("id: 2\nevent: e\ndata: " + QByteArray(100, 'x'));
    QCOMPARE(parser.readNext(), Token::Error);
    QCOMPARE(parser.readNext(), Token::Error);
    parser.addData("\n\ndata: b\n\n");
    QCOMPARE(parser.readNext(), Token::Error);
    parser.setMaximumEventSize(1000);
    QCOMPARE(parser.readNext(), Token::Error);
    QCOMPARE(parser.lastEventId(), "1"_ba);
    QCOMPARE(parser.retry(), 9ms);

    parser.reset();
    QCOMPARE(parser.readNext(), Token::NoToken);
    parser.addData("\xef\xbb\xbf"
                   "data: c\n\n");
    QCOMPARE(parser.readNext(), Token::Event);
    QCOMPARE(parser.event().dataUtf8(), "c"_ba);
    QCOMPARE(parser.event().type(), u"message"_s);
    QCOMPARE(parser.event().id(), u"1"_s);
    QCOMPARE(parser.readNext(), Token::NoToken);
}

// The following would take minutes if the work were not linear in the bytes added.

void tst_QSseParser::readsLongLineInSmallPieces()
{
    const QByteArray text(4 * 1024 * 1024, 'x');
    const QByteArray stream = "data: " + text + "\n\n";
    QSseParser parser;
    int events = 0;
    qsizetype size = 0;
    for (qsizetype at = 0; at < stream.size(); at += size) {
        size = qMin(size % 8 + 1, stream.size() - at);
        parser.addData(stream.sliced(at, size));
        events += parser.readNext() == Token::Event;
    }
    QCOMPARE(events, 1);
    QVERIFY(parser.event().dataUtf8() == text);
}

// Larger than a huge page and than what malloc() keeps; one line, and many.
void tst_QSseParser::readsLargeEvents()
{
    for (const qsizetype lineSize : { 1'000, 300'000, 9'000'000 }) {
        QByteArray text;
        QByteArray stream;
        while (text.size() < 20'000'000) {
            const QByteArray line = QByteArray::number(text.size()).leftJustified(lineSize, 'x');
            text += line + '\n';
            stream += "data:" + line + "\r\n";
        }
        text.chop(1);
        stream += "\r\n";
        QSseParser parser;
        int events = 0;
        for (qsizetype at = 0; at < stream.size(); at += 65'536) {
            parser.addData(stream.mid(at, 65'536));
            events += parser.readNext() == Token::Event;
        }
        QCOMPARE(events, 1);
        QVERIFY(parser.event().dataUtf8() == text);
    }
}

void tst_QSseParser::readsLongDataInSmallPieces()
{
    const QByteArray piece = "data:x\ndata:y\ndata:z\n";
    constexpr int Count = 50000;
    QSseParser parser;
    for (int i = 0; i < Count; ++i) {
        parser.addData(piece);
        QCOMPARE(parser.readNext(), Token::NoToken);
    }
    parser.addData("\n");
    QCOMPARE(parser.readNext(), Token::Event);
    QVERIFY(parser.event().dataUtf8() == "x\ny\nz\n"_ba.repeated(Count).chopped(1));
}

void tst_QSseParser::readsManyShortLines_data()
{
    QTest::addColumn<QByteArray>("unit");
    QTest::addColumn<int>("count");
    QTest::addColumn<int>("tokensOfUnit");

    QTest::newRow("CR") << "\r"_ba << 2 * 1024 * 1024 << 0;
    QTest::newRow("LF") << "\n"_ba << 500000 << 0;
    QTest::newRow("CRLF") << "\r\n"_ba << 250000 << 0;
    QTest::newRow("data CR CR") << "data\r\r"_ba << 100000 << 1;
    QTest::newRow("data LF CR") << "data\n\r"_ba << 100000 << 1;
    QTest::newRow("comment CR") << ":\r"_ba << 250000 << 1;
}

void tst_QSseParser::readsManyShortLines()
{
    QFETCH(QByteArray, unit);
    QFETCH(int, count);
    QFETCH(int, tokensOfUnit);

    QSseParser parser;
    parser.addData(unit.repeated(count) + QByteArray(16 * 1024 * 1024, 'x'));
    int tokens = 0;
    while (parser.readNext() != Token::NoToken)
        ++tokens;
    QCOMPARE(tokens, tokensOfUnit * count);
}

void tst_QSseParser::readsManySmallEventsAtOnce()
{
    // The rest of a big piece waits while small ones come.
    constexpr int Count = 100000;
    QSseParser parser;
    parser.addData("data\n\n"_ba.repeated(Count));
    for (int i = 0; i < Count; ++i) {
        QCOMPARE(parser.readNext(), Token::Event);
        parser.addData(":");
    }
    parser.addData("\n");
    QCOMPARE(parser.readNext(), Token::Comment);
    QCOMPARE(parser.comment().size(), Count - 1);
}

QTEST_APPLESS_MAIN(tst_QSseParser)
#include "tst_qsseparser.moc"
