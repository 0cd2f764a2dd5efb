// SPDX-License-Identifier: MIT
#include "qsseparser.h"
#include "qsseevent_p.h"

#include <algorithm>
#include <cstring>

using namespace std::chrono_literals;

namespace {
constexpr char Bom[] = "\xef\xbb\xbf";
constexpr qsizetype BomSize = 3;
// Longer than any number of milliseconds worth waiting, and safely inside a qint64.
constexpr qsizetype MaximumRetryDigits = 15;
} // namespace

class QSseParserPrivate
{
public:
    using Token = QSseParser::Token;

    void append(const QByteArray &chunk);
    bool skipBom();
    qsizetype find(char byte, qsizetype from, qsizetype end) const;
    bool readLine(QByteArrayView *line);
    Token processLine(QByteArrayView line);
    void processField(QByteArrayView name, QByteArrayView value);
    void setRetry(QByteArrayView digits);
    Token dispatch();
    bool isTooLarge(qsizetype lineSize) const;
    Token fail();

    QByteArray buffer;
    qsizetype position = 0;    // start of the line being read
    qsizetype scanned = 0;     // no line end before this: an unfinished line is not searched twice
    qsizetype lineFeed = -1;   // the next LF or the buffer's end; out of date when before scanned
    bool atStart = true;       // a byte order mark may come
    bool skipLineFeed = false; // the line before ended with a CR

    QByteArray data; // the data lines so far; null when there was none
    QByteArray eventType;
    QByteArray idBuffer;
    QByteArray lastEventId;
    std::chrono::milliseconds retry { -1 };
    qsizetype maximumEventSize = qsizetype(64) * 1024 * 1024;
    bool failed = false;

    QSseEvent event;
    QByteArray comment;
};

void QSseParserPrivate::append(const QByteArray &chunk)
{
    lineFeed = -1;
    if (position == buffer.size()) {
        buffer = chunk;
        position = scanned = 0;
        return;
    }
    // Moving the rest forward costs no more than the bytes read since the last time.
    if (position > 0) {
        buffer.remove(0, position);
        scanned -= position;
        position = 0;
    }
    buffer.append(chunk);
}

// Answers whether reading can begin: false while what has come may still be a byte order mark.
bool QSseParserPrivate::skipBom()
{
    const qsizetype available = qMin(buffer.size() - position, BomSize);
    if (std::memcmp(buffer.constData() + position, Bom, size_t(available)) == 0) {
        if (available < BomSize)
            return false;
        position += BomSize;
        scanned = position;
    }
    atStart = false;
    return true;
}

// Where byte is in [from, end) of the buffer, or end.
qsizetype QSseParserPrivate::find(char byte, qsizetype from, qsizetype end) const
{
    const char *const begin = buffer.constData();
    const void *found = std::memchr(begin + from, byte, size_t(end - from));
    return found ? static_cast<const char *>(found) - begin : end;
}

bool QSseParserPrivate::readLine(QByteArrayView *line)
{
    const char *const begin = buffer.constData();
    if (skipLineFeed && position < buffer.size()) {
        skipLineFeed = false;
        if (begin[position] == '\n')
            scanned = ++position;
    }

    if (lineFeed < scanned)
        lineFeed = find('\n', scanned, buffer.size());
    // A CR counts only before the LF, so this search never reads past the line.
    const qsizetype lineEnd = find('\r', scanned, lineFeed);
    scanned = lineEnd;
    if (lineEnd == buffer.size())
        return false;
    *line = QByteArrayView(begin + position, lineEnd - position);
    skipLineFeed = begin[lineEnd] == '\r';
    scanned = position = lineEnd + 1;
    return true;
}

QSseParser::Token QSseParserPrivate::processLine(QByteArrayView line)
{
    if (line.isEmpty())
        return dispatch();

    const qsizetype colon = line.indexOf(':');
    if (colon < 0) {
        processField(line, QByteArrayView(""));
        return Token::NoToken;
    }
    QByteArrayView value = line.sliced(colon + 1);
    if (value.startsWith(' '))
        value = value.sliced(1);
    if (colon == 0) {
        comment = QSsePrivate::validUtf8(value.toByteArray());
        return Token::Comment;
    }
    processField(line.first(colon), value);
    return Token::NoToken;
}

void QSseParserPrivate::processField(QByteArrayView name, QByteArrayView value)
{
    if (name == "data") {
        if (data.isNull())
            data = QByteArray(value.data(), value.size());
        else
            data.append('\n').append(value);
    } else if (name == "event") {
        eventType = value.toByteArray();
    } else if (name == "id") {
        if (!value.contains('\0'))
            idBuffer = QSsePrivate::validUtf8(value.toByteArray());
    } else if (name == "retry") {
        setRetry(value);
    }
}

void QSseParserPrivate::setRetry(QByteArrayView digits)
{
    const auto isDigit = [](char c) { return c >= '0' && c <= '9'; };
    if (digits.isEmpty() || !std::all_of(digits.begin(), digits.end(), isDigit))
        return;
    while (digits.size() > 1 && digits.startsWith('0'))
        digits = digits.sliced(1);
    retry = std::chrono::milliseconds(digits.size() > MaximumRetryDigits
                                          ? Q_INT64_C(999'999'999'999'999)
                                          : digits.toByteArray().toLongLong());
}

QSseParser::Token QSseParserPrivate::dispatch()
{
    lastEventId = idBuffer;
    if (data.isNull()) {
        eventType.clear();
        return Token::NoToken;
    }
    event = QSseEvent();
    event.d->data = QSsePrivate::validUtf8(std::exchange(data, QByteArray()));
    event.d->event = QSsePrivate::validUtf8(std::exchange(eventType, QByteArray()));
    event.d->id = lastEventId;
    return Token::Event;
}

// The same of a finished line as of one that is not, so that it does not matter where pieces end.
bool QSseParserPrivate::isTooLarge(qsizetype lineSize) const
{
    return data.size() + lineSize > maximumEventSize;
}

QSseParser::Token QSseParserPrivate::fail()
{
    failed = true;
    buffer.clear();
    data.clear();
    return Token::Error;
}

QSseParser::QSseParser() : d(new QSseParserPrivate) { }

QSseParser::~QSseParser() = default;

void QSseParser::addData(const QByteArray &data)
{
    if (!d->failed)
        d->append(data);
}

QSseParser::Token QSseParser::readNext()
{
    if (d->failed)
        return Token::Error;
    if (d->atStart && !d->skipBom())
        return Token::NoToken;

    QByteArrayView line;
    while (d->readLine(&line)) {
        if (d->isTooLarge(line.size()))
            return d->fail();
        const Token token = d->processLine(line);
        if (token != Token::NoToken)
            return token;
    }
    return d->isTooLarge(d->buffer.size() - d->position) ? d->fail() : Token::NoToken;
}

QSseEvent QSseParser::event() const
{
    return d->event;
}

QByteArray QSseParser::comment() const
{
    return d->comment;
}

QByteArray QSseParser::lastEventId() const
{
    return d->lastEventId;
}

void QSseParser::setLastEventId(const QByteArray &utf8)
{
    d->lastEventId = d->idBuffer = utf8;
}

std::chrono::milliseconds QSseParser::retry() const
{
    return d->retry;
}

qsizetype QSseParser::maximumEventSize() const
{
    return d->maximumEventSize;
}

void QSseParser::setMaximumEventSize(qsizetype bytes)
{
    d->maximumEventSize = bytes;
}

void QSseParser::reset()
{
    d->buffer.clear();
    d->position = d->scanned = 0;
    d->lineFeed = -1;
    d->atStart = true;
    d->skipLineFeed = false;
    d->data.clear();
    d->eventType.clear();
    // An id in a block that never ended does not count: §9.2.6, "discarded".
    d->idBuffer = d->lastEventId;
    d->failed = false;
}
