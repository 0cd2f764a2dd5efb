// SPDX-License-Identifier: MIT
#include "qsseresponsereader_p.h"

#include <algorithm>
#include <utility>

namespace {
// More would not fit into a qint64.
constexpr qsizetype MaximumDigits = 15;

bool isDigit(char c)
{
    return c >= '0' && c <= '9';
}

QByteArrayView takeFirst(QByteArrayView *bytes, qsizetype count)
{
    const QByteArrayView first = bytes->first(count);
    *bytes = bytes->sliced(count);
    return first;
}
} // namespace

void QSseResponseReader::addData(QByteArrayView bytes, QByteArray *body)
{
    while (!bytes.isEmpty() && !isComplete() && m_error == Error::NoError) {
        if (m_part == Part::Body || m_part == Part::UntilClose || m_part == Part::Chunk)
            addBody(&bytes, body);
        else
            addLine(&bytes);
    }
}

void QSseResponseReader::end()
{
    if (m_part == Part::UntilClose)
        m_part = Part::End;
    else if (!isComplete())
        fail(Error::Truncated);
}

void QSseResponseReader::addBody(QByteArrayView *bytes, QByteArray *body)
{
    if (m_part == Part::UntilClose) {
        body->append(takeFirst(bytes, bytes->size()));
        return;
    }
    const qsizetype count = qsizetype(std::min<qint64>(bytes->size(), m_rest));
    body->append(takeFirst(bytes, count));
    m_rest -= count;
    if (m_rest == 0)
        m_part = m_part == Part::Chunk ? Part::ChunkEnd : Part::End;
}

void QSseResponseReader::addLine(QByteArrayView *bytes)
{
    const qsizetype end = bytes->indexOf('\n');
    const QByteArrayView piece = takeFirst(bytes, end < 0 ? bytes->size() : end + 1);
    m_headSize += piece.size();
    if (m_headSize > MaximumHead) {
        fail(Error::HeadTooLarge);
        return;
    }
    m_line.append(piece);
    if (end < 0)
        return;
    // A line that ends with LF alone is a line too: RFC 9112 §2.2.
    QByteArray line = std::exchange(m_line, QByteArray());
    line.chop(line.endsWith("\r\n") ? 2 : 1);
    readLine(line);
}

void QSseResponseReader::readLine(QByteArrayView line)
{
    switch (m_part) {
    case Part::StatusLine:
        readStatusLine(line);
        break;
    case Part::Fields:
        if (line.isEmpty())
            endHead();
        else
            readField(line);
        break;
    case Part::ChunkSize:
        readChunkSize(line);
        break;
    case Part::ChunkEnd:
        m_headSize = 0;
        m_part = Part::ChunkSize;
        if (!line.isEmpty())
            fail(Error::Malformed);
        break;
    default: // the trailer, which says nothing to us
        if (line.isEmpty())
            m_part = Part::End;
    }
}

// "HTTP/1.1 200 OK", with or without the reason.
void QSseResponseReader::readStatusLine(QByteArrayView line)
{
    const bool isWellFormed = line.size() >= 12 && line.startsWith("HTTP/1.") && isDigit(line[7])
        && line[8] == ' ' && std::all_of(line.begin() + 9, line.begin() + 12, isDigit)
        && line[9] != '0' && (line.size() == 12 || line[12] == ' ');
    if (!isWellFormed) {
        fail(Error::Malformed);
        return;
    }
    m_status = line.sliced(9, 3).toByteArray().toInt();
    m_reason = line.sliced(12).trimmed().toByteArray();
    m_part = Part::Fields;
}

void QSseResponseReader::readField(QByteArrayView line)
{
    const bool goesOn = line.startsWith(' ') || line.startsWith('\t'); // obsolete: RFC 9112 §5.2
    const qsizetype colon = line.indexOf(':');
    const QByteArray name = line.first(qMax<qsizetype>(0, colon)).trimmed().toByteArray();
    if (goesOn && !m_fields.isEmpty())
        m_fields.last().second.append(' ').append(line.trimmed());
    else if (!goesOn && !name.isEmpty())
        m_fields.emplaceBack(name, line.sliced(colon + 1).trimmed().toByteArray());
    else
        fail(Error::Malformed);
}

void QSseResponseReader::endHead()
{
    m_headSize = 0;
    if (m_status >= 200) {
        beginBody();
        return;
    }
    m_fields.clear();
    m_part = Part::StatusLine; // of the response that counts
    if (m_status == 101)       // which nobody asked for
        fail(Error::Malformed);
}

// RFC 9112 §6.3
void QSseResponseReader::beginBody()
{
    const QList<QByteArray> codings = values("transfer-encoding");
    const QList<QByteArray> lengths = values("content-length");
    if (m_status == 204 || m_status == 304) {
        m_part = Part::End;
    } else if (!codings.isEmpty()) {
        m_part = codings.last().toLower().endsWith("chunked") ? Part::ChunkSize : Part::UntilClose;
    } else if (lengths.isEmpty()) {
        m_part = Part::UntilClose;
    } else {
        const QByteArray &length = lengths.first();
        const bool isNumber = !length.isEmpty() && length.size() <= MaximumDigits
            && std::all_of(length.begin(), length.end(), isDigit);
        m_rest = length.toLongLong();
        m_part = m_rest > 0 ? Part::Body : Part::End;
        if (!isNumber || lengths.count(length) != lengths.size())
            fail(Error::Malformed);
    }
}

void QSseResponseReader::readChunkSize(QByteArrayView line)
{
    const qsizetype semicolon = line.indexOf(';'); // of extensions
    const QByteArray digits =
        (semicolon < 0 ? line : line.first(semicolon)).trimmed().toByteArray();
    const auto isHexDigit = [](char c) {
        return isDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    };
    m_headSize = 0;
    m_rest = digits.toLongLong(nullptr, 16);
    m_part = m_rest > 0 ? Part::Chunk : Part::Trailer;
    if (digits.isEmpty() || digits.size() > MaximumDigits
        || !std::all_of(digits.begin(), digits.end(), isHexDigit))
        fail(Error::Malformed);
}

void QSseResponseReader::fail(Error error)
{
    if (m_error == Error::NoError)
        m_error = error;
}

QList<QByteArray> QSseResponseReader::values(const char *name) const
{
    QList<QByteArray> found;
    for (const auto &[field, value] : m_fields) {
        if (field.compare(name, Qt::CaseInsensitive) == 0)
            found << value;
    }
    return found;
}
