// SPDX-License-Identifier: MIT
#include "qsseevent.h"
#include "qsseevent_p.h"

#include <QtCore/QCoreApplication>
#include <QtCore/QDebug>
#include <QtCore/QJsonArray>
#include <QtCore/QJsonDocument>
#include <QtCore/QJsonObject>
#include <QtCore/QStringConverter>

#include <cstring>
#include <utility>

using namespace std::chrono_literals;

namespace {

const char *findByte(const char *from, const char *end, char byte)
{
    const void *found = std::memchr(from, byte, size_t(end - from));
    return found ? static_cast<const char *>(found) : end;
}

// One "name: line" for each line of text; CR, LF and CRLF all end a line.
void appendLines(QByteArray &out, QByteArrayView name, const QByteArray &text)
{
    const char *at = text.constData();
    const char *const end = at + text.size();
    const char *cr = findByte(at, end, '\r');
    const char *lf = findByte(at, end, '\n');
    for (;;) {
        const char *const lineEnd = qMin(cr, lf);
        out.append(name).append(at, lineEnd - at).append('\n');
        if (lineEnd == end)
            return;
        at = lineEnd + 1;
        if (*lineEnd == '\r' && at != end && *at == '\n')
            ++at;
        if (cr < at)
            cr = findByte(at, end, '\r');
        if (lf < at)
            lf = findByte(at, end, '\n');
    }
}

bool hasLineBreak(const QByteArray &text)
{
    return text.contains('\n') || text.contains('\r');
}

bool isValidId(const QByteArray &id)
{
    return !hasLineBreak(id) && !id.contains('\0');
}

// Qt would make a '?' of each surrogate that has no other half.
QString withoutLoneSurrogates(QString text)
{
    for (qsizetype i = 0; i < text.size(); ++i) {
        if (text.at(i).isHighSurrogate() && i + 1 < text.size() && text.at(i + 1).isLowSurrogate())
            ++i;
        else if (text.at(i).isSurrogate())
            text[i] = QChar::ReplacementCharacter;
    }
    return text;
}

// Setting a null string takes the field off the wire again.
QByteArray toField(const QString &text)
{
    if (text.isNull())
        return QByteArray();
    return text.isValidUtf16() ? text.toUtf8() : withoutLoneSurrogates(text).toUtf8();
}

/*! How a sequence of UTF-8 goes on: what may follow its first byte. */
struct Continuation
{
    qsizetype count; // negative when no sequence begins like this
    uchar lowest;    // of the first of them; all others are 80 to BF
    uchar highest;
};

Continuation continuationOf(uchar first)
{
    if (first < 0x80)
        return { 0, 0x80, 0xbf };
    if (first < 0xc2 || first > 0xf4)
        return { -1, 0x80, 0xbf };
    if (first < 0xe0)
        return { 1, 0x80, 0xbf };
    if (first < 0xf0)
        return { 2, uchar(first == 0xe0 ? 0xa0 : 0x80), uchar(first == 0xed ? 0x9f : 0xbf) };
    return { 3, uchar(first == 0xf0 ? 0x90 : 0x80), uchar(first == 0xf4 ? 0x8f : 0xbf) };
}

// As far as what text begins with can be part of a sequence, and whether that is all of it. Neither
// overlong forms nor surrogates nor what is beyond U+10FFFF gets past the first byte.
std::pair<qsizetype, bool> sequenceAt(QByteArrayView text)
{
    auto [count, lowest, highest] = continuationOf(uchar(text.front()));
    qsizetype size = 1;
    while (size <= count && size < text.size() && uchar(text[size]) >= lowest
           && uchar(text[size]) <= highest) {
        ++size;
        lowest = 0x80;
        highest = 0xbf;
    }
    return { size, size == count + 1 };
}

QByteArray withReplacements(QByteArrayView text)
{
    QByteArray result;
    result.reserve(3 * text.size()); // if each byte is replaced
    while (!text.isEmpty()) {
        const auto [size, isWhole] = sequenceAt(text);
        result.append(isWhole ? text.first(size) : QByteArrayView("\xef\xbf\xbd"));
        text = text.sliced(size);
    }
    result.squeeze();
    return result;
}

} // namespace

QByteArray QSsePrivate::validUtf8(const QByteArray &utf8)
{
    return isPlainAscii(utf8) || utf8.isValidUtf8() ? utf8 : withReplacements(utf8);
}

QString QSsePrivate::textFromUtf8(const QByteArray &utf8)
{
    if (!utf8.startsWith("\xef\xbb\xbf"))
        return QString::fromUtf8(utf8);
    // Stateless: a sequence cut off at the end is invalid too, and not kept for more to come.
    QStringDecoder decoder(QStringConverter::Utf8,
                           QStringConverter::Flag::Stateless
                               | QStringConverter::Flag::ConvertInitialBom);
    return decoder(utf8);
}

using QSsePrivate::textFromUtf8;
using QSsePrivate::validUtf8;

QSseEvent::QSseEvent() : d(new QSseEventPrivate) { }

QSseEvent::QSseEvent(const QByteArray &data) : QSseEvent()
{
    setDataUtf8(data);
}

QSseEvent::QSseEvent(const QString &data) : QSseEvent()
{
    setData(data);
}

QSseEvent::QSseEvent(const char *data) : QSseEvent(QByteArray(data)) { }

QSseEvent::QSseEvent(const QSseEvent &other) = default;
QSseEvent::QSseEvent(QSseEvent &&other) noexcept = default;
QSseEvent &QSseEvent::operator=(const QSseEvent &other) = default;
QSseEvent &QSseEvent::operator=(QSseEvent &&other) noexcept = default;
QSseEvent::~QSseEvent() = default;

QSseEvent QSseEvent::fromLines(const QStringList &lines)
{
    const QString data = lines.join(QLatin1Char('\n'));
    // One empty line joins to a null string, which would be no data.
    return QSseEvent(data.isNull() && !lines.isEmpty() ? QStringLiteral("") : data);
}

QSseEvent QSseEvent::fromJson(const QJsonValue &json)
{
    // QJsonDocument holds objects and arrays alone, so any other value is written as the one item
    // of an array whose brackets are taken off again.
    switch (json.type()) {
    case QJsonValue::Object:
        return QSseEvent(QJsonDocument(json.toObject()).toJson(QJsonDocument::Compact));
    case QJsonValue::Array:
        return QSseEvent(QJsonDocument(json.toArray()).toJson(QJsonDocument::Compact));
    default: {
        const QByteArray item = QJsonDocument(QJsonArray { json }).toJson(QJsonDocument::Compact);
        return QSseEvent(item.mid(1, item.size() - 2));
    }
    }
}

bool QSseEvent::isNull() const
{
    return *this == QSseEvent();
}

QSseEvent::Error QSseEvent::error() const
{
    if (hasLineBreak(d->event))
        return Error::InvalidEvent;
    if (!isValidId(d->id))
        return Error::InvalidId;
    if (d->data.isNull() && d->comment.isNull() && d->id.isNull() && d->retry < 0ms)
        return Error::MissingData;
    return Error::NoError;
}

qsizetype QSseEvent::size() const
{
    return d->comment.size() + d->data.size() + d->event.size() + d->id.size();
}

QString QSseEvent::errorString() const
{
    switch (error()) {
    case Error::NoError:
        break;
    case Error::MissingData:
        return QCoreApplication::translate("QSseEvent",
                                           "An event needs data, a comment, an id or a retry");
    case Error::InvalidEvent:
        return QCoreApplication::translate("QSseEvent", "An event name must not have a line break");
    case Error::InvalidId:
        return QCoreApplication::translate("QSseEvent",
                                           "An id must not have a line break or a NUL");
    }
    return QString();
}

bool QSseEvent::hasData() const
{
    return !d->data.isNull();
}

QString QSseEvent::data() const
{
    return textFromUtf8(d->data);
}

void QSseEvent::setData(const QString &data)
{
    d->data = toField(data);
}

QByteArray QSseEvent::dataUtf8() const
{
    return d->data;
}

void QSseEvent::setDataUtf8(const QByteArray &utf8)
{
    d->data = validUtf8(utf8);
}

QJsonValue QSseEvent::json() const
{
    const QByteArray wrapped = '[' + d->data + ']';
    const QJsonArray items = QJsonDocument::fromJson(wrapped).array();
    return items.size() == 1 ? items.first() : QJsonValue(QJsonValue::Undefined);
}

QString QSseEvent::event() const
{
    return textFromUtf8(d->event);
}

void QSseEvent::setEvent(const QString &event)
{
    d->event = toField(event);
}

QString QSseEvent::type() const
{
    return d->event.isEmpty() ? QStringLiteral("message") : event();
}

QString QSseEvent::id() const
{
    return textFromUtf8(d->id);
}

void QSseEvent::setId(const QString &id)
{
    d->id = toField(id);
}

QByteArray QSseEvent::idUtf8() const
{
    return d->id;
}

void QSseEvent::setIdUtf8(const QByteArray &utf8)
{
    d->id = validUtf8(utf8);
}

QString QSseEvent::comment() const
{
    return textFromUtf8(d->comment);
}

void QSseEvent::setComment(const QString &comment)
{
    d->comment = toField(comment);
}

std::chrono::milliseconds QSseEvent::retry() const
{
    return d->retry;
}

void QSseEvent::setRetry(std::chrono::milliseconds retry)
{
    d->retry = retry;
}

QString QSseEvent::topic() const
{
    return d->topic;
}

void QSseEvent::setTopic(const QString &topic)
{
    d->topic = topic;
}

QDateTime QSseEvent::occurredAt() const
{
    return d->occurredAt;
}

void QSseEvent::setOccurredAt(const QDateTime &occurredAt)
{
    d->occurredAt = occurredAt;
}

std::chrono::milliseconds QSseEvent::ttl() const
{
    return d->ttl;
}

void QSseEvent::setTtl(std::chrono::milliseconds ttl)
{
    d->ttl = ttl;
}

QString QSseEvent::source() const
{
    return d->source;
}

void QSseEvent::setSource(const QString &source)
{
    d->source = source;
}

QString QSseEvent::transactionId() const
{
    return d->transactionId;
}

void QSseEvent::setTransactionId(const QString &transactionId)
{
    d->transactionId = transactionId;
}

QByteArray QSseEvent::encode(const QByteArray &id) const
{
    if (!isValid() || !isValidId(id))
        return QByteArray();

    QByteArray out;
    // Room for the names of an id, a type and a line of data. More grows the buffer, and what is
    // too much would be kept as long as the event is.
    out.reserve(d->comment.size() + id.size() + d->event.size() + d->data.size() + 24);
    if (!d->comment.isNull())
        appendLines(out, ": ", d->comment);
    if (!id.isNull())
        out.append("id: ").append(validUtf8(id)).append('\n');
    if (!d->event.isEmpty())
        out.append("event: ").append(d->event).append('\n');
    if (!d->data.isNull())
        appendLines(out, "data: ", d->data);
    if (d->retry >= 0ms)
        out.append("retry: ").append(QByteArray::number(qint64(d->retry.count()))).append('\n');
    out.append('\n');
    return out;
}

bool operator==(const QSseEvent &a, const QSseEvent &b)
{
    if (a.d == b.d)
        return true;
    const auto same = [](const QByteArray &x, const QByteArray &y) {
        return x == y && x.isNull() == y.isNull();
    };
    return same(a.d->comment, b.d->comment) && same(a.d->data, b.d->data)
        && same(a.d->event, b.d->event) && same(a.d->id, b.d->id) && a.d->retry == b.d->retry
        && a.d->topic == b.d->topic && a.d->occurredAt == b.d->occurredAt && a.d->ttl == b.d->ttl
        && a.d->source == b.d->source && a.d->transactionId == b.d->transactionId;
}

QDebug operator<<(QDebug debug, const QSseEvent &event)
{
    QDebugStateSaver saver(debug);
    debug.nospace() << "QSseEvent(" << event.type();
    if (!event.topic().isEmpty())
        debug << ", topic " << event.topic();
    if (!event.idUtf8().isNull())
        debug << ", id " << event.id();
    if (event.hasData())
        debug << ", data " << event.data();
    if (!event.comment().isNull())
        debug << ", comment " << event.comment();
    if (event.retry() >= 0ms)
        debug << ", retry " << event.retry().count() << "ms";
    return debug << ')';
}
