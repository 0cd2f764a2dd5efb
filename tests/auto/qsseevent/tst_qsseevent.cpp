// SPDX-License-Identifier: MIT
#include <QSseEvent>

#include <QtCore/QDebug>
#include <QtCore/QJsonArray>
#include <QtCore/QJsonObject>
#include <QtCore/QMetaEnum>
#include <QtCore/QMetaProperty>
#include <QtTest/QtTest>

#include <limits>

using namespace Qt::StringLiterals;
using namespace std::chrono_literals;
using Error = QSseEvent::Error;

namespace {

using Change = void (*)(QSseEvent &);

QSseEvent made(Change change)
{
    QSseEvent event;
    change(event);
    return event;
}

const QString byteOrderMark(QChar::ByteOrderMark);

} // namespace

class tst_QSseEvent : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void isNullAtFirst();
    void constructors();
    void encode_data();
    void encode();
    void encodesDataLines_data();
    void encodesDataLines();
    void encodesCommentLines_data();
    void encodesCommentLines();
    void encodesManyLines_data();
    void encodesManyLines();
    void refuses_data();
    void refuses();
    void tellsWhichError();
    void takesFieldsOffAgain();
    void encodesWithAnotherId();
    void refusesAnotherIdThatIsInvalid_data();
    void refusesAnotherIdThatIsInvalid();
    void replacesInvalidUtf8_data();
    void replacesInvalidUtf8();
    void replacesLoneSurrogates();
    void keepsByteOrderMarks();
    void fromLines_data();
    void fromLines();
    void json_data();
    void json();
    void readsNoJson_data();
    void readsNoJson();
    void keepsBusFieldsOffTheWire();
    void type();
    void sharesValidData();
    void copiesDetach();
    void movesAndSwaps();
    void equality_data();
    void equality();
    void goesIntoVariants();
    void gadgetProperties();
    void errorIsAnEnum();
    void debug();
};

void tst_QSseEvent::isNullAtFirst()
{
    const QSseEvent event;
    QVERIFY(event.isNull());
    QVERIFY(!event.isValid());
    QCOMPARE(event.error(), Error::MissingData);
    QVERIFY(!event.errorString().isEmpty());
    QVERIFY(event.encode().isEmpty());
    QVERIFY(!event.hasData());
    QVERIFY(event.data().isNull());
    QVERIFY(event.dataUtf8().isNull());
    QVERIFY(event.event().isEmpty());
    QCOMPARE(event.type(), u"message"_s);
    QVERIFY(event.id().isNull());
    QVERIFY(event.idUtf8().isNull());
    QVERIFY(event.comment().isNull());
    QVERIFY(event.retry() < 0ms);
    QVERIFY(event.ttl() < 0ms);
    QVERIFY(event.topic().isEmpty());
    QVERIFY(event.source().isEmpty());
    QVERIFY(event.transactionId().isEmpty());
    QVERIFY(!event.occurredAt().isValid());
    QVERIFY(event.json().isUndefined());

    QVERIFY(!made([](QSseEvent &e) { e.setTopic(u"a"_s); }).isNull());
}

void tst_QSseEvent::constructors()
{
    const QSseEvent fromText(u"\u00e4\u20ac"_s);
    QCOMPARE(fromText.dataUtf8(), "\xc3\xa4\xe2\x82\xac"_ba);
    QCOMPARE(QSseEvent("\xc3\xa4\xe2\x82\xac"_ba), fromText);
    QCOMPARE(QSseEvent("\xc3\xa4\xe2\x82\xac"), fromText);
    QCOMPARE(fromText.data(), u"\u00e4\u20ac"_s);
    QVERIFY(fromText.isValid());

    // Empty data is data, no data is none.
    QVERIFY(QSseEvent("").hasData());
    QVERIFY(QSseEvent(""_ba).hasData());
    QVERIFY(QSseEvent(u""_s).hasData());
    QVERIFY(QSseEvent(QByteArray()).isNull());
    QVERIFY(QSseEvent(QString()).isNull());
    QVERIFY(QSseEvent(static_cast<const char *>(nullptr)).isNull());
}

void tst_QSseEvent::encode_data()
{
    QTest::addColumn<QSseEvent>("event");
    QTest::addColumn<QByteArray>("expected");

    const auto row = [](const char *name, Change change, const QByteArray &expected) {
        QTest::newRow(name) << made(change) << expected;
    };
    row(
        "all fields, in order",
        [](QSseEvent &e) {
            e.setRetry(1500ms);
            e.setData(u"one\ntwo"_s);
            e.setEvent(u"rate"_s);
            e.setId(u"42"_s);
            e.setComment(u"hello"_s);
        },
        ": hello\nid: 42\nevent: rate\ndata: one\ndata: two\nretry: 1500\n\n");
    row(
        "data", [](QSseEvent &e) { e.setData(u"1.0934"_s); }, "data: 1.0934\n\n");
    row(
        "empty data", [](QSseEvent &e) { e.setData(u""_s); }, "data: \n\n");
    row(
        "empty data, UTF-8", [](QSseEvent &e) { e.setDataUtf8(""_ba); }, "data: \n\n");
    row(
        "data with leading and trailing space", [](QSseEvent &e) { e.setData(u"  a "_s); },
        "data:   a \n\n");
    row(
        "data like a field", [](QSseEvent &e) { e.setData(u"id: 7"_s); }, "data: id: 7\n\n");
    row(
        "data with a NUL", [](QSseEvent &e) { e.setDataUtf8("a\0b"_ba); }, "data: a\0b\n\n"_ba);
    row(
        "data with a NUL, from text", [](QSseEvent &e) { e.setData(u"a\0b"_s); },
        "data: a\0b\n\n"_ba);
    row(
        "data beyond the BMP", [](QSseEvent &e) { e.setData(u"\U0001f600"_s); },
        "data: \xf0\x9f\x98\x80\n\n");
    // These are line separators to QString::split() users, but not to an event stream.
    row(
        "data with U+0085, U+2028, VT and FF",
        [](QSseEvent &e) { e.setData(u"a\u0085b\u2028c\u000bd\u000ce"_s); },
        "data: a\xc2\x85"
        "b\xe2\x80\xa8"
        "c\x0b"
        "d\x0c"
        "e\n\n");
    row(
        "comment", [](QSseEvent &e) { e.setComment(u"keep-alive"_s); }, ": keep-alive\n\n");
    row(
        "empty comment", [](QSseEvent &e) { e.setComment(u""_s); }, ": \n\n");
    row(
        "id", [](QSseEvent &e) { e.setId(u"k-7"_s); }, "id: k-7\n\n");
    row(
        "empty id", [](QSseEvent &e) { e.setId(u""_s); }, "id: \n\n");
    row(
        "id with spaces and a colon", [](QSseEvent &e) { e.setId(u" a: b "_s); }, "id:  a: b \n\n");
    row(
        "id, UTF-8", [](QSseEvent &e) { e.setIdUtf8("\xe2\x82\xac"); }, "id: \xe2\x82\xac\n\n");
    row(
        "retry", [](QSseEvent &e) { e.setRetry(3s); }, "retry: 3000\n\n");
    row(
        "retry 0", [](QSseEvent &e) { e.setRetry(0ms); }, "retry: 0\n\n");
    row(
        "huge retry",
        [](QSseEvent &e) {
            e.setRetry(std::chrono::milliseconds(std::numeric_limits<qint64>::max()));
        },
        "retry: 9223372036854775807\n\n");
    row(
        "negative retry",
        [](QSseEvent &e) {
            e.setData(u"a"_s);
            e.setRetry(-5ms);
        },
        "data: a\n\n");
    row(
        "event and data",
        [](QSseEvent &e) {
            e.setEvent(u"\u00e4 b"_s);
            e.setData(u"a"_s);
        },
        "event: \xc3\xa4 b\ndata: a\n\n");
    row(
        "empty event name",
        [](QSseEvent &e) {
            e.setEvent(u""_s);
            e.setData(u"a"_s);
        },
        "data: a\n\n");
    row(
        "id and data",
        [](QSseEvent &e) {
            e.setId(u"1"_s);
            e.setData(u"a"_s);
        },
        "id: 1\ndata: a\n\n");
    row(
        "comment and retry",
        [](QSseEvent &e) {
            e.setComment(u"c"_s);
            e.setRetry(1ms);
        },
        ": c\nretry: 1\n\n");
}

void tst_QSseEvent::encode()
{
    QFETCH(QSseEvent, event);
    QFETCH(QByteArray, expected);

    QVERIFY(event.isValid());
    QCOMPARE(event.error(), Error::NoError);
    QVERIFY(event.errorString().isEmpty());
    QVERIFY(!event.isNull());
    QCOMPARE(event.encode(), expected);
    QVERIFY(event.encode().isValidUtf8());
    QCOMPARE(event.encode(), expected); // encoding changes nothing
}

void tst_QSseEvent::encodesDataLines_data()
{
    QTest::addColumn<QByteArray>("data");
    QTest::addColumn<QByteArrayList>("lines");

    QTest::newRow("one line") << "a"_ba << QByteArrayList { "a" };
    QTest::newRow("LF") << "a\nb"_ba << QByteArrayList { "a", "b" };
    QTest::newRow("CR") << "a\rb"_ba << QByteArrayList { "a", "b" };
    QTest::newRow("CRLF") << "a\r\nb"_ba << QByteArrayList { "a", "b" };
    QTest::newRow("LFCR") << "a\n\rb"_ba << QByteArrayList { "a", "", "b" };
    QTest::newRow("CRCR") << "a\r\rb"_ba << QByteArrayList { "a", "", "b" };
    QTest::newRow("LFLF") << "a\n\nb"_ba << QByteArrayList { "a", "", "b" };
    QTest::newRow("CRLFCRLF") << "a\r\n\r\nb"_ba << QByteArrayList { "a", "", "b" };
    QTest::newRow("CRCRLF") << "a\r\r\nb"_ba << QByteArrayList { "a", "", "b" };
    QTest::newRow("all kinds") << "a\nb\rc\r\nd"_ba << QByteArrayList { "a", "b", "c", "d" };
    QTest::newRow("all kinds, CR last")
        << "a\r\nb\nc\rd"_ba << QByteArrayList { "a", "b", "c", "d" };
    QTest::newRow("trailing LF") << "a\n"_ba << QByteArrayList { "a", "" };
    QTest::newRow("trailing CR") << "a\r"_ba << QByteArrayList { "a", "" };
    QTest::newRow("trailing CRLF") << "a\r\n"_ba << QByteArrayList { "a", "" };
    QTest::newRow("leading LF") << "\na"_ba << QByteArrayList { "", "a" };
    QTest::newRow("leading CRLF") << "\r\na"_ba << QByteArrayList { "", "a" };
    QTest::newRow("only LF") << "\n"_ba << QByteArrayList { "", "" };
    QTest::newRow("only CR") << "\r"_ba << QByteArrayList { "", "" };
    QTest::newRow("only CRLF") << "\r\n"_ba << QByteArrayList { "", "" };
    QTest::newRow("an event's end inside")
        << "a\n\nid: 1\ndata: evil"_ba << QByteArrayList { "a", "", "id: 1", "data: evil" };
}

void tst_QSseEvent::encodesDataLines()
{
    QFETCH(QByteArray, data);
    QFETCH(QByteArrayList, lines);

    const QByteArray expected = "data: " + lines.join("\ndata: ") + "\n\n";
    QCOMPARE(QSseEvent(data).encode(), expected);
    QCOMPARE(QSseEvent(QString::fromUtf8(data)).encode(), expected);
    QCOMPARE(QSseEvent(data).dataUtf8(), data); // kept as it was
}

void tst_QSseEvent::encodesCommentLines_data()
{
    QTest::addColumn<QString>("comment");
    QTest::addColumn<QByteArray>("expected");

    QTest::newRow("LF") << u"a\nb"_s << ": a\n: b\n\n"_ba;
    QTest::newRow("CR") << u"a\rb"_s << ": a\n: b\n\n"_ba;
    QTest::newRow("CRLF") << u"a\r\nb"_s << ": a\n: b\n\n"_ba;
    QTest::newRow("empty lines") << u"\na\n\nb\n"_s << ": \n: a\n: \n: b\n: \n\n"_ba;
    QTest::newRow("a field inside") << u"a\n\ndata: evil"_s << ": a\n: \n: data: evil\n\n"_ba;
    QTest::newRow("a colon first") << u":a"_s << ": :a\n\n"_ba;
    QTest::newRow("NUL") << u"a\0b"_s << ": a\0b\n\n"_ba;
}

void tst_QSseEvent::encodesCommentLines()
{
    QFETCH(QString, comment);
    QSseEvent event;
    event.setComment(comment);
    QCOMPARE(event.comment(), comment);
    QTEST(event.encode(), "expected");
}

void tst_QSseEvent::encodesManyLines_data()
{
    QTest::addColumn<QByteArray>("lineEnd");

    QTest::newRow("LF") << "\n"_ba;
    QTest::newRow("CR") << "\r"_ba;
    QTest::newRow("CRLF") << "\r\n"_ba;
}

// Would take minutes if the work were not linear.
void tst_QSseEvent::encodesManyLines()
{
    QFETCH(QByteArray, lineEnd);
    constexpr int Count = 500000;
    const QByteArray last(16 * 1024 * 1024, 'x');
    const QByteArray encoded = QSseEvent(lineEnd.repeated(Count) + last).encode();
    QVERIFY(encoded == "data: \n"_ba.repeated(Count) + "data: " + last + "\n\n");
}

void tst_QSseEvent::refuses_data()
{
    QTest::addColumn<QSseEvent>("event");
    QTest::addColumn<QSseEvent::Error>("error");

    const auto row = [](const char *name, Change change, Error error) {
        QSseEvent event("data");
        change(event);
        QTest::newRow(name) << event << error;
    };
    row(
        "LF in event", [](QSseEvent &e) { e.setEvent(u"a\nb"_s); }, Error::InvalidEvent);
    row(
        "CR in event", [](QSseEvent &e) { e.setEvent(u"a\rb"_s); }, Error::InvalidEvent);
    row(
        "CRLF in event", [](QSseEvent &e) { e.setEvent(u"a\r\n"_s); }, Error::InvalidEvent);
    row(
        "only LF as event", [](QSseEvent &e) { e.setEvent(u"\n"_s); }, Error::InvalidEvent);
    row(
        "LF in id", [](QSseEvent &e) { e.setId(u"a\nb"_s); }, Error::InvalidId);
    row(
        "CR in id", [](QSseEvent &e) { e.setId(u"a\rb"_s); }, Error::InvalidId);
    row(
        "trailing LF in id", [](QSseEvent &e) { e.setId(u"a\n"_s); }, Error::InvalidId);
    row(
        "NUL in id", [](QSseEvent &e) { e.setId(u"a\0b"_s); }, Error::InvalidId);
    row(
        "only NUL as id", [](QSseEvent &e) { e.setIdUtf8("\0"_ba); }, Error::InvalidId);
    row(
        "LF in id, UTF-8", [](QSseEvent &e) { e.setIdUtf8("a\nb"); }, Error::InvalidId);

    const auto missing = [](const char *name, Change change) {
        QTest::newRow(name) << made(change) << Error::MissingData;
    };
    missing("event alone", [](QSseEvent &e) { e.setEvent(u"a"_s); });
    missing("topic alone", [](QSseEvent &e) { e.setTopic(u"a"_s); });
    missing("negative retry alone", [](QSseEvent &e) { e.setRetry(-7ms); });
    missing("bus fields alone", [](QSseEvent &e) {
        e.setTtl(1s);
        e.setSource(u"s"_s);
        e.setTransactionId(u"t"_s);
        e.setOccurredAt(QDateTime::fromMSecsSinceEpoch(1));
    });
}

void tst_QSseEvent::refuses()
{
    QFETCH(QSseEvent, event);
    QFETCH(QSseEvent::Error, error);

    QCOMPARE(event.error(), error);
    QVERIFY(!event.isValid());
    QVERIFY(!event.errorString().isEmpty());
    QVERIFY(!event.errorString().contains(u'\n'));
    QVERIFY(event.encode().isEmpty());
}

void tst_QSseEvent::tellsWhichError()
{
    QSet<QString> texts;
    QSseEvent event;
    texts << event.errorString();
    event.setData(u"a"_s);
    event.setId(u"\n"_s);
    texts << event.errorString();
    event.setEvent(u"\n"_s);
    texts << event.errorString();
    QCOMPARE(texts.size(), 3);

    event.setEvent(u"a"_s);
    event.setId(u"b"_s);
    QVERIFY(event.isValid());
    QVERIFY(event.errorString().isEmpty());
}

void tst_QSseEvent::takesFieldsOffAgain()
{
    QSseEvent event("a");
    event.setId(u"1"_s);
    event.setEvent(u"e"_s);
    event.setComment(u"c"_s);
    event.setRetry(1ms);
    event.setTopic(u"t"_s);

    event.setId(QString());
    QCOMPARE(event.encode(), ": c\nevent: e\ndata: a\nretry: 1\n\n"_ba);
    event.setComment(QString());
    event.setEvent(QString());
    event.setRetry(-1ms);
    QCOMPARE(event.encode(), "data: a\n\n"_ba);
    event.setData(QString());
    QVERIFY(!event.hasData());
    QCOMPARE(event.error(), Error::MissingData);
    event.setTopic(QString());
    QVERIFY(event.isNull());

    event.setDataUtf8("a");
    event.setIdUtf8("b");
    event.setDataUtf8(QByteArray());
    event.setIdUtf8(QByteArray());
    QVERIFY(event.isNull());
}

void tst_QSseEvent::encodesWithAnotherId()
{
    QSseEvent event("a");
    QCOMPARE(event.encode("9"), "id: 9\ndata: a\n\n"_ba);
    event.setId(u"1"_s);
    QCOMPARE(event.encode("9"), "id: 9\ndata: a\n\n"_ba);
    QCOMPARE(event.encode(""_ba), "id: \ndata: a\n\n"_ba);
    QCOMPARE(event.encode(QByteArray()), "data: a\n\n"_ba);
    QCOMPARE(event.encode(), "id: 1\ndata: a\n\n"_ba);
    QCOMPARE(event.id(), u"1"_s);

    const QByteArray replaced = event.encode("x\xff");
    QVERIFY(replaced.isValidUtf8());
    QCOMPARE(replaced, "id: x\xef\xbf\xbd\ndata: a\n\n"_ba);
}

void tst_QSseEvent::refusesAnotherIdThatIsInvalid_data()
{
    QTest::addColumn<QByteArray>("id");

    QTest::newRow("LF") << "1\ndata: evil"_ba;
    QTest::newRow("CR") << "1\rdata: evil"_ba;
    QTest::newRow("NUL") << "1\0"_ba;
}

void tst_QSseEvent::refusesAnotherIdThatIsInvalid()
{
    QFETCH(QByteArray, id);
    QVERIFY(QSseEvent("a").encode(id).isEmpty());
}

void tst_QSseEvent::replacesInvalidUtf8_data()
{
    QTest::addColumn<QByteArray>("before");
    QTest::addColumn<QByteArray>("invalid");
    QTest::addColumn<QByteArray>("after");
    QTest::addColumn<int>("count"); // of U+FFFD: one for each maximal subpart

    const QByteArray bom = "\xef\xbb\xbf";
    QTest::newRow("lone continuation") << "a"_ba
                                       << "\x80"_ba
                                       << "z"_ba << 1;
    QTest::newRow("two continuations") << "a"_ba
                                       << "\x80\xbf"_ba
                                       << "z"_ba << 2;
    QTest::newRow("impossible byte FF") << "a"_ba
                                        << "\xff"_ba
                                        << "z"_ba << 1;
    QTest::newRow("impossible byte FE") << ""_ba
                                        << "\xfe"_ba
                                        << ""_ba << 1;
    QTest::newRow("2 bytes, truncated") << "a"_ba
                                        << "\xc3"_ba
                                        << "z"_ba << 1;
    QTest::newRow("3 bytes, truncated") << "a"_ba
                                        << "\xe2\x82"_ba
                                        << "z"_ba << 1;
    QTest::newRow("4 bytes, truncated") << "a"_ba
                                        << "\xf0\x9f\x98"_ba
                                        << "z"_ba << 1;
    QTest::newRow("2 bytes, cut off") << "a"_ba
                                      << "\xc3"_ba
                                      << ""_ba << 1;
    QTest::newRow("3 bytes, cut off") << "a"_ba
                                      << "\xe2\x82"_ba
                                      << ""_ba << 1;
    QTest::newRow("4 bytes, cut off") << "a"_ba
                                      << "\xf0\x9f\x98"_ba
                                      << ""_ba << 1;
    QTest::newRow("truncated before a valid one") << ""_ba
                                                  << "\xe2\x82"_ba
                                                  << "\xe2\x82\xac"_ba << 1;
    QTest::newRow("overlong /") << "a"_ba
                                << "\xc0\xaf"_ba
                                << "z"_ba << 2;
    QTest::newRow("overlong NUL") << "a"_ba
                                  << "\xc0\x80"_ba
                                  << "z"_ba << 2;
    QTest::newRow("overlong LF") << "a"_ba
                                 << "\xc0\x8a"_ba
                                 << "z"_ba << 2;
    QTest::newRow("overlong, 3 bytes") << "a"_ba
                                       << "\xe0\x80\xaf"_ba
                                       << "z"_ba << 3;
    QTest::newRow("overlong, 4 bytes") << "a"_ba
                                       << "\xf0\x80\x80\xaf"_ba
                                       << "z"_ba << 4;
    QTest::newRow("high surrogate") << "a"_ba
                                    << "\xed\xa0\x80"_ba
                                    << "z"_ba << 3;
    QTest::newRow("low surrogate") << "a"_ba
                                   << "\xed\xbf\xbf"_ba
                                   << "z"_ba << 3;
    QTest::newRow("surrogate pair") << "a"_ba
                                    << "\xed\xa0\xbd\xed\xb8\x80"_ba
                                    << "z"_ba << 6;
    QTest::newRow("beyond U+10FFFF") << "a"_ba
                                     << "\xf4\x90\x80\x80"_ba
                                     << "z"_ba << 4;
    QTest::newRow("5 bytes") << "a"_ba
                             << "\xf8\x88\x80\x80\x80"_ba
                             << "z"_ba << 5;
    QTest::newRow("after a BOM") << bom + "a"
                                 << "\xff"_ba
                                 << "z"_ba << 1;
    QTest::newRow("cut off after a BOM") << bom + "a"
                                         << "\xe2\x82"_ba
                                         << ""_ba << 1;
    QTest::newRow("cut off right after a BOM") << bom << "\xc3"_ba
                                               << ""_ba << 1;
    QTest::newRow("half a BOM") << ""_ba
                                << "\xef\xbb"_ba
                                << ""_ba << 1;
}

void tst_QSseEvent::replacesInvalidUtf8()
{
    QFETCH(QByteArray, before);
    QFETCH(QByteArray, invalid);
    QFETCH(QByteArray, after);
    QFETCH(int, count);

    const QByteArray expected = before + QByteArray("\xef\xbf\xbd").repeated(count) + after;
    const QByteArray input = before + invalid + after;
    QVERIFY(!input.isValidUtf8());

    QSseEvent event(input);
    event.setIdUtf8(input);
    QCOMPARE(event.dataUtf8(), expected);
    QCOMPARE(event.idUtf8(), expected);
    QCOMPARE(event.data().toUtf8(), event.dataUtf8());
    QCOMPARE(event.id().toUtf8(), event.idUtf8());
    QVERIFY(event.isValid());
    QCOMPARE(event.encode(), "id: " + event.idUtf8() + "\ndata: " + event.dataUtf8() + "\n\n");
    QVERIFY(event.encode().isValidUtf8());
}

void tst_QSseEvent::replacesLoneSurrogates()
{
    const QString high(QChar(0xd83d));
    const QString low(QChar(0xde00));
    const QString replaced(QChar::ReplacementCharacter);
    const QList<std::pair<QString, QString>> texts {
        { high, replaced },
        { low, replaced },
        { low + u'a', replaced + u'a' },
        { u'a' + high + u'b', u'a' + replaced + u'b' },
        { high + high, replaced + replaced },
        { low + high, replaced + replaced },
        { high + high + low + low, replaced + high + low + replaced },
        { high + low + high, high + low + replaced },
        { u"\ufeff?"_s + low, u"\ufeff?"_s + replaced },
    };
    for (const auto &[text, expected] : texts) {
        QSseEvent event(text);
        event.setEvent(text);
        event.setId(text);
        event.setComment(text);
        QCOMPARE(event.data(), expected);
        QCOMPARE(event.event(), expected);
        QCOMPARE(event.id(), expected);
        QCOMPARE(event.comment(), expected);
        const QByteArray utf8 = expected.toUtf8();
        QCOMPARE(event.encode(),
                 ": " + utf8 + "\nid: " + utf8 + "\nevent: " + utf8 + "\ndata: " + utf8 + "\n\n");
        event.setData(u"x"_s);
        event.setData(text);
        QCOMPARE(event.dataUtf8(), utf8);
    }
}

void tst_QSseEvent::keepsByteOrderMarks()
{
    const QByteArray bom = "\xef\xbb\xbf";
    for (const QString &text :
         { byteOrderMark, byteOrderMark + u"a"_s, byteOrderMark + byteOrderMark + u"a"_s,
           u"a"_s + byteOrderMark, u"a\n"_s + byteOrderMark + u"b"_s }) {
        QCOMPARE(QSseEvent(text).data(), text);
        QCOMPARE(QSseEvent(text.toUtf8()).data(), text);
    }
    QSseEvent event(bom + "d\n" + bom);
    event.setEvent(byteOrderMark + u'e');
    event.setIdUtf8(bom + 'i');
    event.setComment(byteOrderMark + u'c');
    QCOMPARE(event.event(), byteOrderMark + u'e');
    QCOMPARE(event.type(), byteOrderMark + u'e');
    QCOMPARE(event.id(), byteOrderMark + u'i');
    QCOMPARE(event.comment(), byteOrderMark + u'c');
    QCOMPARE(event.encode(),
             ": " + bom + "c\nid: " + bom + "i\nevent: " + bom + "e\ndata: " + bom
                 + "d\ndata: " + bom + "\n\n");
}

void tst_QSseEvent::fromLines_data()
{
    QTest::addColumn<QStringList>("lines");
    QTest::addColumn<QByteArray>("expected");

    QTest::newRow("one") << QStringList { u"a"_s } << "data: a\n\n"_ba;
    QTest::newRow("two") << QStringList { u"a"_s, u"b"_s } << "data: a\ndata: b\n\n"_ba;
    QTest::newRow("one empty") << QStringList { u""_s } << "data: \n\n"_ba;
    QTest::newRow("one null") << QStringList { QString() } << "data: \n\n"_ba;
    QTest::newRow("two empty") << QStringList { u""_s, u""_s } << "data: \ndata: \n\n"_ba;
    QTest::newRow("with line ends")
        << QStringList { u"a\r\nb"_s, u"c\n"_s } << "data: a\ndata: b\ndata: c\ndata: \n\n"_ba;
    QTest::newRow("none") << QStringList {} << QByteArray();
}

void tst_QSseEvent::fromLines()
{
    QFETCH(QStringList, lines);
    QFETCH(QByteArray, expected);
    const QSseEvent event = QSseEvent::fromLines(lines);
    QCOMPARE(event.hasData(), !lines.isEmpty());
    QCOMPARE(event.encode(), expected);
}

void tst_QSseEvent::json_data()
{
    QTest::addColumn<QJsonValue>("json");
    QTest::addColumn<QByteArray>("expected");

    const auto row = [](const char *name, const QJsonValue &json, const QByteArray &expected) {
        QTest::newRow(name) << json << expected;
    };
    row("object", QJsonObject { { u"b"_s, 1 }, { u"a"_s, u"x"_s } }, R"({"a":"x","b":1})");
    row("empty object", QJsonObject(), "{}");
    row("nested", QJsonObject { { u"a"_s, QJsonArray { QJsonObject(), QJsonArray() } } },
        R"({"a":[{},[]]})");
    row("array", QJsonArray { 1, u"two"_s, true, QJsonValue::Null }, R"([1,"two",true,null])");
    row("empty array", QJsonArray(), "[]");
    row("array of an array", QJsonArray { QJsonValue(QJsonArray { 1 }) }, "[[1]]");
    row("string", u"1.0934"_s, R"("1.0934")");
    row("empty string", u""_s, R"("")");
    row("string with line ends, quotes and brackets", u"a\r\n\"]["_s, R"("a\r\n\"][")");
    row("string beyond ASCII", u"\u20ac\U0001f600"_s, "\"\xe2\x82\xac\xf0\x9f\x98\x80\"");
    row("number", 1.5, "1.5");
    row("integer", -7, "-7");
    row("large integer", Q_INT64_C(9007199254740993), "9007199254740993");
    row("true", true, "true");
    row("false", false, "false");
    row("null", QJsonValue::Null, "null");
}

void tst_QSseEvent::json()
{
    QFETCH(QJsonValue, json);
    QFETCH(QByteArray, expected);

    const QSseEvent event = QSseEvent::fromJson(json);
    QCOMPARE(event.dataUtf8(), expected);
    QCOMPARE(event.encode(), "data: " + expected + "\n\n"); // compact: one line
    QCOMPARE(event.json(), json);
    QCOMPARE(QSseEvent(" " + expected + "\n").json(), json);
}

void tst_QSseEvent::readsNoJson_data()
{
    QTest::addColumn<QByteArray>("data");

    QTest::newRow("none") << QByteArray();
    QTest::newRow("empty") << ""_ba;
    QTest::newRow("space") << " "_ba;
    QTest::newRow("text") << "hello"_ba;
    QTest::newRow("two values") << "1,2"_ba;
    QTest::newRow("brackets turned") << "1],[2"_ba;
    QTest::newRow("unfinished") << R"({"a":)"_ba;
    QTest::newRow("more after it") << "{} x"_ba;
}

void tst_QSseEvent::readsNoJson()
{
    QFETCH(QByteArray, data);
    QVERIFY(QSseEvent(data).json().isUndefined());
}

void tst_QSseEvent::keepsBusFieldsOffTheWire()
{
    const QDateTime when = QDateTime::fromMSecsSinceEpoch(1'700'000'000'123).toUTC();
    QSseEvent event("a");
    event.setTopic(u"fx/eur/usd"_s);
    event.setOccurredAt(when);
    event.setTtl(5s);
    event.setSource(u"source"_s);
    event.setTransactionId(u"transaction"_s);

    QCOMPARE(event.topic(), u"fx/eur/usd"_s);
    QCOMPARE(event.occurredAt(), when);
    QCOMPARE(event.ttl(), 5s);
    QCOMPARE(event.source(), u"source"_s);
    QCOMPARE(event.transactionId(), u"transaction"_s);
    QCOMPARE(event.encode(), "data: a\n\n"_ba);
}

void tst_QSseEvent::type()
{
    QSseEvent event("a");
    QCOMPARE(event.type(), u"message"_s);
    event.setEvent(u"rate"_s);
    QCOMPARE(event.event(), u"rate"_s);
    QCOMPARE(event.type(), u"rate"_s);
    event.setEvent(u""_s);
    QCOMPARE(event.type(), u"message"_s);
    QVERIFY(event.event().isEmpty());
}

void tst_QSseEvent::sharesValidData()
{
    const QByteArray data(1000, 'x');
    const QSseEvent event(data);
    QVERIFY(event.dataUtf8().constData() == data.constData());

    const QSseEvent copy = event; // NOLINT: the copy is what is tested
    QVERIFY(copy.dataUtf8().constData() == data.constData());

    QSseEvent another;
    another.setDataUtf8(data);
    QVERIFY(another.dataUtf8().constData() == data.constData());
}

void tst_QSseEvent::copiesDetach()
{
    QSseEvent original("a");
    original.setId(u"1"_s);
    QSseEvent copy(original);
    QCOMPARE(copy, original);
    copy.setData(u"b"_s);
    copy.setId(u"2"_s);
    copy.setTopic(u"t"_s);
    QCOMPARE(original.encode(), "id: 1\ndata: a\n\n"_ba);
    QVERIFY(original.topic().isEmpty());
    QCOMPARE(copy.encode(), "id: 2\ndata: b\n\n"_ba);

    copy = original;
    QCOMPARE(copy, original);
    original.setRetry(1ms);
    QVERIFY(copy.retry() < 0ms);
    const QSseEvent &self = copy;
    copy = self;
    QCOMPARE(copy.encode(), "id: 1\ndata: a\n\n"_ba);
}

void tst_QSseEvent::movesAndSwaps()
{
    QSseEvent a("a");
    QSseEvent b(std::move(a));
    QCOMPARE(b.data(), u"a"_s);
    QSseEvent c;
    c = std::move(b);
    QCOMPARE(c.data(), u"a"_s);
    a = QSseEvent("new"); // what was moved from takes a new value
    QCOMPARE(a.data(), u"new"_s);

    a.swap(c);
    QCOMPARE(a.data(), u"a"_s);
    QCOMPARE(c.data(), u"new"_s);
    swap(a, c);
    QCOMPARE(a.data(), u"new"_s);
    QCOMPARE(c.data(), u"a"_s);
    QVERIFY(std::is_nothrow_move_constructible_v<QSseEvent>);
    QVERIFY(std::is_nothrow_move_assignable_v<QSseEvent>);
}

void tst_QSseEvent::equality_data()
{
    QTest::addColumn<QSseEvent>("a");
    QTest::addColumn<QSseEvent>("b");

    const auto row = [](const char *name, Change change) {
        // Made twice: equal without sharing.
        QTest::newRow(name) << made(change) << made(change);
    };
    row("null", [](QSseEvent &) {});
    row("data", [](QSseEvent &e) { e.setData(u"a"_s); });
    row("other data", [](QSseEvent &e) { e.setData(u"b"_s); });
    row("empty data", [](QSseEvent &e) { e.setData(u""_s); });
    row("event", [](QSseEvent &e) { e.setEvent(u"a"_s); });
    row("id", [](QSseEvent &e) { e.setId(u"a"_s); });
    row("empty id", [](QSseEvent &e) { e.setId(u""_s); });
    row("comment", [](QSseEvent &e) { e.setComment(u"a"_s); });
    row("empty comment", [](QSseEvent &e) { e.setComment(u""_s); });
    row("retry", [](QSseEvent &e) { e.setRetry(0ms); });
    row("topic", [](QSseEvent &e) { e.setTopic(u"a"_s); });
    row("occurredAt",
        [](QSseEvent &e) { e.setOccurredAt(QDateTime::fromMSecsSinceEpoch(1).toUTC()); });
    row("ttl", [](QSseEvent &e) { e.setTtl(0ms); });
    row("source", [](QSseEvent &e) { e.setSource(u"a"_s); });
    row("transactionId", [](QSseEvent &e) { e.setTransactionId(u"a"_s); });
}

void tst_QSseEvent::equality()
{
    QFETCH(QSseEvent, a);
    QFETCH(QSseEvent, b);

    QVERIFY(a == a);
    QVERIFY(a == b);
    QVERIFY(b == a);
    QVERIFY(!(a != b));

    b.setTopic(u"another"_s);
    QVERIFY(a != b);
    QVERIFY(b != a);
    b.setTopic(a.topic());
    b.setData(u"another"_s);
    QVERIFY(a != b);
    QCOMPARE(a == QSseEvent(), QByteArray(QTest::currentDataTag()) == "null");
}

void tst_QSseEvent::goesIntoVariants()
{
    QSseEvent event("a");
    event.setId(u"1"_s);
    const QVariant variant = QVariant::fromValue(event);
    QVERIFY(variant.isValid());
    QCOMPARE(variant.value<QSseEvent>(), event);
    QCOMPARE(variant, QVariant::fromValue(event));
    QCOMPARE(variant.metaType(), QMetaType::fromType<QSseEvent>());
    QCOMPARE(QMetaType::fromType<QSseEvent>().name(), "QSseEvent");
    QVERIFY(QMetaType::fromType<QSseEvent>().isEqualityComparable());
    QVERIFY(QMetaType::fromType<QSseEvent>().flags() & QMetaType::IsGadget);
    QCOMPARE(QVariant(QMetaType::fromType<QSseEvent>()).value<QSseEvent>(), QSseEvent());
}

void tst_QSseEvent::gadgetProperties()
{
    const auto property = [](const char *name) {
        const QMetaObject &meta = QSseEvent::staticMetaObject;
        return meta.property(meta.indexOfProperty(name));
    };
    QSseEvent event;
    for (const char *name : { "data", "event", "id", "comment", "topic" }) {
        QVERIFY2(property(name).isValid(), name);
        QVERIFY2(property(name).writeOnGadget(&event, QString::fromLatin1(name)), name);
        QCOMPARE(property(name).readOnGadget(&event).toString(), QString::fromLatin1(name));
    }
    QVERIFY(!property("type").isWritable());
    QCOMPARE(property("type").readOnGadget(&event).toString(), u"event"_s);
    QCOMPARE(event.encode(), ": comment\nid: id\nevent: event\ndata: data\n\n"_ba);
    QCOMPARE(event.topic(), u"topic"_s);
}

void tst_QSseEvent::errorIsAnEnum()
{
    const auto meta = QMetaEnum::fromType<QSseEvent::Error>();
    QCOMPARE(meta.valueToKey(int(Error::NoError)), "NoError");
    QCOMPARE(meta.valueToKey(int(Error::MissingData)), "MissingData");
    QCOMPARE(meta.valueToKey(int(Error::InvalidEvent)), "InvalidEvent");
    QCOMPARE(meta.valueToKey(int(Error::InvalidId)), "InvalidId");
}

void tst_QSseEvent::debug()
{
    QString text;
    QDebug(&text) << QSseEvent();
    QVERIFY(text.contains(u"QSseEvent"_s));

    QSseEvent event("the data");
    event.setEvent(u"the event"_s);
    event.setId(u"the id"_s);
    event.setTopic(u"the/topic"_s);
    event.setComment(u"the comment"_s);
    event.setRetry(1234ms);
    text.clear();
    QDebug(&text) << event << 1 << 2;
    for (const QString &part : { u"the data"_s, u"the event"_s, u"the id"_s, u"the/topic"_s,
                                 u"the comment"_s, u"1234"_s })
        QVERIFY2(text.contains(part), qPrintable(text));
    QVERIFY2(text.trimmed().endsWith(u" 1 2"_s), qPrintable(text)); // the stream's state is back
}

QTEST_APPLESS_MAIN(tst_QSseEvent)
#include "tst_qsseevent.moc"
