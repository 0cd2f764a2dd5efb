// SPDX-License-Identifier: MIT
#include "qsseparser.h"
#include "qsseevent_p.h"

#include <algorithm>
#include <cstring>
#include <utility>

#ifdef Q_OS_LINUX
#include <sys/mman.h>
#include <unistd.h>
#endif

using namespace std::chrono_literals;

namespace {

constexpr char Bom[] = "\xef\xbb\xbf";
constexpr qsizetype BomSize = 3;
// From so many bytes on it is certain what a data line's text is: "data:" and a space or none.
constexpr qsizetype DataNameSize = 6;
// Longer than any number of milliseconds worth waiting, and safely inside a qint64.
constexpr qsizetype MaximumRetryDigits = 15;
// The memory of a field is kept for the next event, but not more than this of it.
constexpr qsizetype MaximumSpare = 4096;
constexpr qsizetype HugePageSize = qsizetype(2) * 1024 * 1024;
constexpr qsizetype BlockOverhead = 64;

// Whether line is a field of this name; its value then, which is empty without a colon.
template<size_t Size>
bool isField(QByteArrayView line, const char (&name)[Size], QByteArrayView *value)
{
    constexpr qsizetype NameSize = qsizetype(Size) - 1;
    if (line.size() < NameSize || std::memcmp(line.data(), name, size_t(NameSize)) != 0)
        return false;
    *value = line.sliced(NameSize);
    if (value->isEmpty())
        return true;
    if (value->front() != ':')
        return false;
    *value = value->sliced(value->size() > 1 && value->at(1) == ' ' ? 2 : 1);
    return true;
}

// Copies text to where the field has its memory, if nobody else has that and not much is wasted.
void assign(QByteArray *field, QByteArrayView text)
{
    const qsizetype capacity = field->capacity();
    if (capacity >= text.size() && capacity <= 2 * text.size() + 64 && field->isDetached()) {
        // What resize() does, of which there are two for each event.
        QByteArray::DataPointer &memory = field->data_ptr();
        std::memcpy(memory.data(), text.data(), size_t(text.size()));
        memory.data()[text.size()] = '\0';
        memory.size = text.size();
    } else {
        *field = QByteArray(text.data(), text.size());
    }
}

void letGoIfLarge(QByteArray *spare)
{
    if (spare->capacity() > MaximumSpare)
        *spare = QByteArray("");
}

// Makes room for size bytes, and for about as many to come. A large event costs mostly what it
// takes the system to hand out its memory in small pages, so huge ones are asked for. A block that
// is a multiple of them, with what QByteArray and malloc() add to it, keeps them when it grows and
// moves.
void grow(QByteArray *block, qsizetype size)
{
    const qsizetype capacity = qMax(size, 2 * block->capacity());
    if (capacity < HugePageSize) {
        block->reserve(capacity);
        return;
    }
    const qsizetype hugePages = (capacity + BlockOverhead + HugePageSize - 1) / HugePageSize;
    block->reserve(hugePages * HugePageSize - BlockOverhead);
#ifdef Q_OS_LINUX
    // For all of its pages: a mapping can only grow while it is the same everywhere.
    static const auto pageSize = quintptr(::sysconf(_SC_PAGESIZE));
    const quintptr begin = quintptr(block->constData()) & ~(pageSize - 1);
    const quintptr end = quintptr(block->constData()) + quintptr(block->capacity());
    ::madvise(reinterpret_cast<void *>(begin), end - begin, MADV_HUGEPAGE);
#endif
}

} // namespace

class QSseParserPrivate
{
public:
    using Token = QSseParser::Token;

    void append(const QByteArray &chunk);
    bool skipBom();
    Token read();
    Q_ALWAYS_INLINE qsizetype find(char byte, qsizetype *next) const;
    void keep(QByteArrayView piece);
    Q_ALWAYS_INLINE Token finishLine(QByteArrayView piece);
    Q_ALWAYS_INLINE Token processLine(QByteArrayView line);
    Q_ALWAYS_INLINE void beginData(QByteArrayView value);
    void appendData(QByteArrayView text);
    void setEventType(QByteArrayView value);
    Q_ALWAYS_INLINE void setId(QByteArrayView value);
    void setRetry(QByteArrayView digits);
    Q_ALWAYS_INLINE Token dispatch();
    bool isTooLarge(qsizetype more) const;
    Token fail();
    void drop();

    // What was added and is not read yet: input from position on.
    QByteArray input;
    qsizetype position = 0;
    qsizetype lineFeed = 0;       // there is none between position and this
    qsizetype carriageReturn = 0; // the same
    bool atStart = true;          // a byte order mark may come
    bool skipLineFeed = false;    // the line before ended with a CR

    // The line whose end has not come: either in lineStart, or its text is in data already, which
    // leaves out inData bytes of it.
    QByteArray lineStart;
    qsizetype inData = 0;

    // The buffers of §9.2.6, each of the block being read only if its flag says so: otherwise it is
    // memory that the next block can use.
    QByteArray data;
    QByteArray eventType { "" };
    QByteArray idBuffer;
    bool hasData = false;
    bool isDataPlain = true; // isPlainAscii() of all of it
    bool hasEventType = false;
    bool hasId = false;

    QByteArray lastEventId;
    std::chrono::milliseconds retry { -1 };
    qsizetype maximumEventSize = qsizetype(64) * 1024 * 1024;
    bool failed = false;

    QSseEvent event;
    QByteArray comment;
};

void QSseParserPrivate::append(const QByteArray &chunk)
{
    if (position == input.size()) {
        input = chunk;
        position = lineFeed = carriageReturn = 0;
        return;
    }
    // Moving the rest forward costs no more than the bytes read since the last time.
    input.remove(0, position);
    lineFeed = qMax(qsizetype(0), lineFeed - position);
    carriageReturn = qMax(qsizetype(0), carriageReturn - position);
    position = 0;
    input.append(chunk);
}

// Answers whether reading can begin: false while what has come may still be a byte order mark.
bool QSseParserPrivate::skipBom()
{
    const qsizetype available = qMin(input.size(), BomSize);
    if (std::memcmp(input.constData(), Bom, size_t(available)) == 0) {
        if (available < BomSize)
            return false;
        position = BomSize;
    }
    atStart = false;
    return true;
}

QSseParser::Token QSseParserPrivate::read()
{
    while (position < input.size()) {
        if (std::exchange(skipLineFeed, false) && input.at(position) == '\n') {
            ++position;
            continue;
        }
        const qsizetype end = qMin(find('\n', &lineFeed), find('\r', &carriageReturn));
        const QByteArrayView piece(input.constData() + position, end - position);
        if (isTooLarge(piece.size()))
            return fail();
        position = end;
        if (end == input.size()) {
            keep(piece);
            break;
        }
        ++position;
        skipLineFeed = end == carriageReturn;
        const Token token = finishLine(piece);
        if (token != Token::NoToken)
            return token;
    }
    input = QByteArray();
    position = lineFeed = carriageReturn = 0;
    return Token::NoToken;
}

// Where byte is in the input, or its end. Nothing before *next is searched, which is where it was
// found, or not, the last time.
qsizetype QSseParserPrivate::find(char byte, qsizetype *next) const
{
    *next = qMax(*next, position);
    if (*next < input.size() && input.at(*next) != byte) {
        const char *const begin = input.constData();
        const void *found = std::memchr(begin + *next, byte, size_t(input.size() - *next));
        *next = found ? static_cast<const char *>(found) - begin : input.size();
    }
    return *next;
}

// Keeps what there is of a line that is not at its end.
void QSseParserPrivate::keep(QByteArrayView piece)
{
    if (inData > 0) {
        appendData(piece);
        return;
    }
    if (!lineStart.isEmpty()) {
        lineStart.append(piece);
        piece = lineStart;
    }
    QByteArrayView value;
    if (piece.size() >= DataNameSize && isField(piece, "data", &value)) {
        const qsizetype before = hasData ? data.size() : 0;
        beginData(value);
        inData = before + piece.size() - data.size();
        lineStart = QByteArray();
    } else if (lineStart.isEmpty()) {
        lineStart = piece.toByteArray();
    }
}

// Processes the line that piece is the rest of, or all of it.
QSseParser::Token QSseParserPrivate::finishLine(QByteArrayView piece)
{
    if (inData > 0) {
        inData = 0;
        appendData(piece);
        return Token::NoToken;
    }
    if (lineStart.isEmpty())
        return processLine(piece);
    const QByteArray line = std::exchange(lineStart, QByteArray()).append(piece);
    return processLine(line);
}

QSseParser::Token QSseParserPrivate::processLine(QByteArrayView line)
{
    QByteArrayView value;
    if (line.isEmpty())
        return dispatch();
    if (isField(line, "data", &value)) {
        beginData(value);
    } else if (isField(line, "event", &value)) {
        setEventType(value);
    } else if (isField(line, "id", &value)) {
        setId(value);
    } else if (isField(line, "retry", &value)) {
        setRetry(value);
    } else if (isField(line, "", &value)) {
        comment = QSsePrivate::validUtf8(value.toByteArray());
        return Token::Comment;
    }
    return Token::NoToken;
}

// The text of a data line, or the beginning of it.
void QSseParserPrivate::beginData(QByteArrayView value)
{
    if (hasData) {
        appendData("\n");
        appendData(value);
        return;
    }
    assign(&data, value);
    hasData = true;
    isDataPlain = QSsePrivate::isPlainAscii(value);
}

void QSseParserPrivate::appendData(QByteArrayView text)
{
    if (data.size() + text.size() > data.capacity())
        grow(&data, data.size() + text.size());
    data.append(text);
    isDataPlain = isDataPlain && QSsePrivate::isPlainAscii(text);
}

// Types come again and again, so the one before is shared if it is the same.
void QSseParserPrivate::setEventType(QByteArrayView value)
{
    if (value != eventType)
        eventType = QSsePrivate::validUtf8(value.toByteArray());
    hasEventType = true;
}

void QSseParserPrivate::setId(QByteArrayView value)
{
    if (QSsePrivate::isPlainAscii(value))
        assign(&idBuffer, value);
    else if (!value.contains('\0'))
        idBuffer = QSsePrivate::validUtf8(value.toByteArray());
    else
        return;
    hasId = true;
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
    const bool isNewId = std::exchange(hasId, false);
    if (isNewId) {
        lastEventId.swap(idBuffer);
        letGoIfLarge(&idBuffer);
    }
    const bool isTyped = std::exchange(hasEventType, false);
    if (!isTyped)
        letGoIfLarge(&eventType);
    if (!std::exchange(hasData, false))
        return Token::NoToken;

    // Who wants to keep the event before has taken it by now.
    if (event.d->ref.loadAcquire() != 1)
        event = QSseEvent();
    QSseEventPrivate *const fields = event.d.data();
    fields->data.swap(data);
    letGoIfLarge(&data);
    if (!isDataPlain)
        fields->data = QSsePrivate::validUtf8(fields->data);
    if (isTyped || !fields->event.isNull())
        fields->event = isTyped ? eventType : QByteArray();
    // Copied, so that the memory of both stays where the next event can use it.
    if (isNewId && !lastEventId.isEmpty())
        assign(&fields->id, lastEventId);
    else if (fields->id.constData() != lastEventId.constData()
             || fields->id.isNull() != lastEventId.isNull())
        fields->id = lastEventId;
    return Token::Event;
}

// Judges an event by what it has, the line being read with its name, and not by where pieces end.
bool QSseParserPrivate::isTooLarge(qsizetype more) const
{
    return (hasData ? data.size() : 0) + lineStart.size() + inData + more > maximumEventSize;
}

QSseParser::Token QSseParserPrivate::fail()
{
    drop();
    failed = true;
    return Token::Error;
}

// Drops what is unfinished.
void QSseParserPrivate::drop()
{
    input = lineStart = data = QByteArray();
    position = lineFeed = carriageReturn = inData = 0;
    skipLineFeed = hasData = hasEventType = hasId = false;
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
    return d->read();
}

const QSseEvent &QSseParser::event() const
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
    d->lastEventId = utf8;
    d->hasId = false;
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
    d->drop();
    d->atStart = true;
    d->failed = false;
}
