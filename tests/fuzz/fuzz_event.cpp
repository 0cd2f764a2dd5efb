// SPDX-License-Identifier: MIT
// What QSseEvent encodes is what was set, all of it and nothing else, and QSseParser reads it back.
#include "fuzzing.h"
#include "reference.h"

#include <QSseEvent>

using Token = QSseParser::Token;

namespace {

constexpr size_t MaximumFieldSize = 200;

bool hasAny(const QByteArray &text, const char *bytes, qsizetype count)
{
    for (qsizetype i = 0; i < count; ++i) {
        if (text.contains(bytes[i]))
            return true;
    }
    return false;
}

bool isValidId(const QByteArray &id)
{
    return !hasAny(id, "\r\n\0", 3);
}

// With U+FFFD for each surrogate that has no other half.
QString decodedUtf16(const QString &text)
{
    QString decoded = QStringLiteral("");
    for (const uint code : text.toUcs4())
        decoded += QChar::fromUcs4(code);
    return decoded;
}

// Sets one field to text or to UTF-8, and checks what is kept of it.
template<typename Set, typename Get>
void setText(FuzzedDataProvider *input, QSseEvent *event, Set set, Get get)
{
    const QString text = takeText(input, MaximumFieldSize);
    (event->*set)(text);
    const QString kept = (event->*get)();
    check(!kept.isNull(), "what is set is there");
    check(kept == decodedUtf16(text), "text is kept as it is");
}

template<typename Set, typename Get>
void setUtf8(FuzzedDataProvider *input, QSseEvent *event, Set set, Get get)
{
    const QByteArray bytes = takeBytes(input, MaximumFieldSize);
    (event->*set)(bytes);
    const QByteArray kept = (event->*get)();
    check(!kept.isNull(), "what is set is there");
    check(kept == decodedUtf8(bytes), "bytes are kept as valid UTF-8");
}

QSseEvent takeEvent(FuzzedDataProvider *input)
{
    QSseEvent event;
    const quint8 fields = input->ConsumeIntegral<quint8>();
    if (fields & 1)
        setText(input, &event, &QSseEvent::setComment, &QSseEvent::comment);
    if (fields & 2)
        setText(input, &event, &QSseEvent::setEvent, &QSseEvent::event);
    if (fields & 4)
        setText(input, &event, &QSseEvent::setData, &QSseEvent::data);
    else if (fields & 8)
        setUtf8(input, &event, &QSseEvent::setDataUtf8, &QSseEvent::dataUtf8);
    if (fields & 16)
        setText(input, &event, &QSseEvent::setId, &QSseEvent::id);
    else if (fields & 32)
        setUtf8(input, &event, &QSseEvent::setIdUtf8, &QSseEvent::idUtf8);
    if (fields & 64)
        event.setRetry(std::chrono::milliseconds(input->ConsumeIntegral<qint64>()));
    return event;
}

// Null stays null: a field that is not set.
QByteArray utf8Of(const QString &text)
{
    return text.isNull() ? QByteArray() : text.toUtf8();
}

QByteArrayList linesOfField(const QByteArray &name, const QByteArray &text)
{
    QByteArrayList lines;
    if (!text.isNull()) {
        for (const QByteArray &line : linesOf(text))
            lines.append(name + ": " + line);
    }
    return lines;
}

QByteArrayList expectedLines(const QSseEvent &event, const QByteArray &id)
{
    QByteArrayList lines = linesOfField("", utf8Of(event.comment()));
    lines += linesOfField("id", id);
    if (!event.event().isEmpty())
        lines.append("event: " + event.event().toUtf8());
    lines += linesOfField("data", event.dataUtf8());
    if (event.retry().count() >= 0)
        lines.append("retry: " + QByteArray::number(qint64(event.retry().count())));
    return lines;
}

bool isExpectedValid(const QSseEvent &event)
{
    const bool hasField = event.hasData() || !event.comment().isNull() || !event.idUtf8().isNull()
        || event.retry().count() >= 0;
    return hasField && !hasAny(event.event().toUtf8(), "\r\n", 2) && isValidId(event.idUtf8());
}

void checkEncoded(const QSseEvent &event, const QByteArray &encoded, const QByteArray &id)
{
    if (!isExpectedValid(event) || !isValidId(id)) {
        check(encoded.isEmpty(), "what is not valid is not encoded");
        return;
    }
    check(encoded == decodedUtf8(encoded), "what is encoded is valid UTF-8");
    QByteArrayList lines = linesOf(encoded);
    check(lines.takeLast().isEmpty() && lines.takeLast().isEmpty(), "a blank line ends an event");
    const QByteArrayList expected = expectedLines(event, id);
    check(lines == expected, "what is set is encoded, and nothing else");
}

// Appends what a client reads of the event.
void appendTokens(const QSseEvent &event, QList<StreamToken> *tokens, StreamToken *state)
{
    if (!event.comment().isNull()) {
        for (const QByteArray &line : linesOf(event.comment().toUtf8())) {
            StreamToken token = *state;
            token.kind = Token::Comment;
            token.text = line;
            tokens->append(token);
        }
    }
    if (!event.idUtf8().isNull())
        state->lastEventId = event.idUtf8();
    if (event.retry().count() >= 0)
        state->retry = qMin(qint64(event.retry().count()), LongestRetry);
    if (event.hasData()) {
        StreamToken token = *state;
        token.kind = Token::Event;
        token.text = linesOf(event.dataUtf8()).join('\n');
        token.type = event.type().toUtf8();
        tokens->append(token);
    }
}

QList<StreamToken> read(const QByteArray &stream)
{
    QSseParser parser;
    parser.addData(stream);
    QList<StreamToken> tokens;
    Token kind;
    do {
        kind = parser.readNext();
        tokens.append(tokenOf(parser, kind));
    } while (kind == Token::Event || kind == Token::Comment);
    return tokens;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzedDataProvider input(data, size);
    QByteArray stream;
    QList<StreamToken> expected;
    StreamToken state { Token::NoToken, {}, {}, {}, -1 };
    while (input.remaining_bytes() > 0) {
        const QSseEvent event = takeEvent(&input);
        check(event.isValid() == isExpectedValid(event), "what can be encoded is valid");
        check(event.isValid() == event.errorString().isEmpty(), "an error has a text");
        const QByteArray encoded = event.encode();
        checkEncoded(event, encoded, event.idUtf8());
        const QByteArray id = input.ConsumeBool() ? takeBytes(&input, 20) : QByteArray();
        checkEncoded(event, event.encode(id), id.isNull() ? id : decodedUtf8(id));

        if (event.isValid()) {
            stream += encoded;
            appendTokens(event, &expected, &state);
        }
    }
    expected.append(state);
    check(read(stream) == expected, "what is encoded is read back");
    check(ReferenceDecoder(64 * 1024 * 1024).read(stream) == expected,
          "what is encoded is read back as specified");
    return 0;
}
