// SPDX-License-Identifier: MIT
#include "reference.h"
#include "fuzzing.h"

#include <utility>

using Token = QSseParser::Token;

namespace {

const QByteArray Replacement("\xef\xbf\xbd");

// The bytes of the valid sequence that text begins with, or 0.
qsizetype sequenceSize(const QByteArray &text)
{
    const auto byte = [&text](qsizetype i) { return i < text.size() ? uchar(text.at(i)) : 0u; };
    const auto continues = [&byte](qsizetype i) { return (byte(i) & 0xc0u) == 0x80u; };
    const uint first = byte(0);
    if (first < 0x80)
        return 1;
    if (first < 0xe0) {
        const uint code = (first & 0x1fu) << 6 | (byte(1) & 0x3fu);
        return first >= 0xc0 && continues(1) && code >= 0x80 ? 2 : 0;
    }
    if (first < 0xf0) {
        const uint code = (first & 0x0fu) << 12 | (byte(1) & 0x3fu) << 6 | (byte(2) & 0x3fu);
        const bool isSurrogate = code >= 0xd800 && code <= 0xdfff;
        return continues(1) && continues(2) && code >= 0x800 && !isSurrogate ? 3 : 0;
    }
    const uint code = (first & 0x07u) << 18 | (byte(1) & 0x3fu) << 12 | (byte(2) & 0x3fu) << 6
        | (byte(3) & 0x3fu);
    return first < 0xf8 && continues(1) && continues(2) && continues(3) && code >= 0x10000
            && code <= 0x10ffff
        ? 4
        : 0;
}

// The bytes at the beginning of text, which is not valid, that one U+FFFD stands for: as many as
// can begin a valid sequence, or one.
qsizetype subpartSize(const QByteArray &text)
{
    for (qsizetype size = qMin(text.size(), qsizetype(3)); size > 1; --size) {
        for (const char filling : { '\x80', '\xbf' }) {
            if (sequenceSize(text.left(size) + QByteArray(3, filling)) > size)
                return size;
        }
    }
    return 1;
}

qint64 numberOf(const QByteArray &digits)
{
    qint64 number = 0;
    for (const char digit : digits)
        number = qMin(number * 10 + (digit - '0'), LongestRetry);
    return number;
}

bool isNumber(const QByteArray &text)
{
    for (const char c : text) {
        if (c < '0' || c > '9')
            return false;
    }
    return !text.isEmpty();
}

} // namespace

bool operator==(const StreamToken &a, const StreamToken &b)
{
    return a.kind == b.kind && a.text == b.text && a.type == b.type
        && a.lastEventId == b.lastEventId && a.retry == b.retry;
}

StreamToken tokenOf(const QSseParser &parser, Token kind)
{
    StreamToken token { kind, {}, {}, parser.lastEventId(), parser.retry().count() };
    if (kind == Token::Comment)
        token.text = parser.comment();
    if (kind == Token::Event) {
        const QSseEvent event = parser.event();
        check(event.idUtf8() == parser.lastEventId(), "an event has the last event id");
        token.text = event.dataUtf8();
        token.type = event.type().toUtf8();
    }
    return token;
}

QByteArray decodedUtf8(const QByteArray &bytes)
{
    QByteArray decoded(""); // never null: an empty field is one that is set
    for (qsizetype i = 0; i < bytes.size();) {
        const QByteArray next = bytes.mid(i, 4);
        const qsizetype size = sequenceSize(next);
        decoded += size > 0 ? next.left(size) : Replacement;
        i += size > 0 ? size : subpartSize(next);
    }
    return decoded;
}

QByteArrayList linesOf(QByteArray text)
{
    return text.replace("\r\n", "\n").replace('\r', '\n').split('\n');
}

StreamField::StreamField(const QByteArray &line)
{
    const qsizetype colon = line.indexOf(':');
    name = colon < 0 ? line : line.left(colon);
    value = colon < 0 ? QByteArray() : line.mid(colon + 1);
    if (value.startsWith(' '))
        value.remove(0, 1);
}

QList<StreamToken> ReferenceDecoder::read(const QByteArray &stream)
{
    m_data.clear();
    m_type.clear();
    m_id = m_lastEventId;
    m_tokens.clear();

    QByteArrayList lines = linesOf(stream.startsWith("\xef\xbb\xbf") ? stream.mid(3) : stream);
    const QByteArray unfinished = lines.takeLast();
    for (const QByteArray &line : std::as_const(lines)) {
        if (isTooLarge(line)) {
            m_tokens.append(token(Token::Error));
            return m_tokens;
        }
        process(line);
    }
    m_tokens.append(token(isTooLarge(unfinished) ? Token::Error : Token::NoToken));
    return m_tokens;
}

void ReferenceDecoder::process(const QByteArray &line)
{
    if (line.isEmpty()) {
        dispatch();
        return;
    }
    const StreamField field(line);
    if (line.startsWith(':'))
        m_tokens.append(token(Token::Comment, field.value));
    else if (field.name == "event")
        m_type = field.value;
    else if (field.name == "data")
        m_data += field.value + '\n';
    else if (field.name == "id" && !field.value.contains('\0'))
        m_id = field.value;
    else if (field.name == "retry" && isNumber(field.value))
        m_retry = numberOf(field.value);
}

void ReferenceDecoder::dispatch()
{
    m_lastEventId = m_id;
    if (!m_data.isEmpty())
        m_tokens.append(
            token(Token::Event, m_data.chopped(1), m_type.isEmpty() ? "message" : m_type));
    m_data.clear();
    m_type.clear();
}

StreamToken ReferenceDecoder::token(Token kind, const QByteArray &text,
                                    const QByteArray &type) const
{
    return { kind, decodedUtf8(text), decodedUtf8(type), decodedUtf8(m_lastEventId), m_retry };
}

bool ReferenceDecoder::isTooLarge(const QByteArray &line) const
{
    const qsizetype dataSize = qMax(m_data.size() - 1, qsizetype(0)); // without its last LF
    return dataSize + line.size() > m_maximumEventSize;
}
