// SPDX-License-Identifier: MIT
#include "qsseresponseframer_p.h"

#include <QtCore/QList>

#include <algorithm>
#include <utility>

namespace {

QByteArrayView takeFirst(QByteArrayView *bytes, qsizetype count)
{
    const QByteArrayView first = bytes->first(count);
    *bytes = bytes->sliced(count);
    return first;
}

} // namespace

void QSseResponseFramer::begin(const Request &request)
{
    *this = QSseResponseFramer();
    m_request = request;
    m_part = Part::Head;
}

QByteArrayView QSseResponseFramer::addData(QByteArrayView *bytes)
{
    switch (m_part) {
    case Part::Head:
        return addHead(bytes);
    case Part::Body: {
        const qsizetype count = qsizetype(std::min<qint64>(bytes->size(), m_rest));
        m_rest -= count;
        if (m_rest == 0)
            m_part = Part::End;
        return takeFirst(bytes, count);
    }
    case Part::UntilClose:
        return takeFirst(bytes, bytes->size());
    case Part::ChunkSize:
    case Part::Chunk:
    case Part::ChunkEnd:
    case Part::Trailer:
        return addChunked(bytes);
    case Part::End:
        break;
    }
    return {};
}

QByteArrayView QSseResponseFramer::addHead(QByteArrayView *bytes)
{
    if (m_head.endsWith("\r\n\r\n")) // of an interim response, which has been sent
        m_head.clear();
    // The end may be split between two pieces.
    const qsizetype known = m_head.size();
    m_head.append(*bytes);
    const qsizetype end = m_head.indexOf("\r\n\r\n", std::max<qsizetype>(known - 3, 0));
    if (end < 0 && m_head.size() <= MaximumHead) {
        *bytes = {};
        return {};
    }
    if (end < 0) {
        *bytes = {};
        m_request.isLast = true;
        m_part = Part::UntilClose;
        return m_head;
    }
    m_head.truncate(end + 4);
    *bytes = bytes->sliced(m_head.size() - known);
    endHead();
    return m_head;
}

void QSseResponseFramer::endHead()
{
    const int status = m_head.mid(9, 3).toInt();
    if (status >= 100 && status < 200 && status != 101)
        return; // an interim response; the one that counts follows
    readFields();
    m_isUpgraded = status == 101;
    const bool hasNoBody = m_request.isHead || status == 204 || status == 304 || m_isUpgraded;
    if (hasNoBody || (m_hasLength && m_rest == 0 && !m_isChunked))
        m_part = Part::End;
    else if (m_isChunked)
        m_part = Part::ChunkSize;
    else if (m_hasLength)
        m_part = Part::Body;
    else if (m_request.asksForUpgrade)
        m_part = Part::End; // QHttpServer denies upgrades so
    else
        m_part = Part::UntilClose;
    const bool isWithoutEnd = !hasNoBody && !m_isChunked && !m_hasLength;
    m_request.isLast = (m_request.isLast || isWithoutEnd) && !m_isUpgraded;

    const qsizetype firstField = m_head.indexOf("\r\n") + 2;
    if (m_hasConnection)
        return;
    if (m_request.isLast)
        m_head.insert(firstField, "Connection: close\r\n");
    else if (m_request.isHttp10)
        m_head.insert(firstField, "Connection: keep-alive\r\n");
}

void QSseResponseFramer::readFields()
{
    for (const QByteArray &line : m_head.split('\n')) {
        const qsizetype colon = line.indexOf(':');
        if (colon < 0)
            continue;
        const QByteArray name = line.first(colon).toLower();
        const QByteArray value = line.sliced(colon + 1).trimmed().toLower();
        if (name == "content-length") {
            m_rest = value.toLongLong(&m_hasLength);
            m_hasLength = m_hasLength && m_rest >= 0;
        } else if (name == "transfer-encoding") {
            m_isChunked = value.endsWith("chunked");
        } else if (name == "connection") {
            m_hasConnection = true;
            m_request.isLast = m_request.isLast || value.contains("close");
        }
    }
}

QByteArrayView QSseResponseFramer::addChunked(QByteArrayView *bytes)
{
    if (m_part == Part::Chunk) {
        const qsizetype count = qsizetype(std::min<qint64>(bytes->size(), m_rest));
        m_rest -= count;
        if (m_rest == 0)
            m_part = Part::ChunkEnd;
        return takeFirst(bytes, count);
    }
    const qsizetype end = bytes->indexOf('\n');
    const QByteArrayView piece = takeFirst(bytes, end < 0 ? bytes->size() : end + 1);
    m_line.append(piece);
    if (end >= 0)
        endChunkedLine(std::exchange(m_line, {}).trimmed());
    return piece;
}

void QSseResponseFramer::endChunkedLine(const QByteArray &line)
{
    if (m_part == Part::ChunkEnd) {
        m_part = Part::ChunkSize;
    } else if (m_part == Part::Trailer) {
        m_part = line.isEmpty() ? Part::End : Part::Trailer;
    } else {
        m_rest = line.toLongLong(nullptr, 16);
        m_part = m_rest > 0 ? Part::Chunk : Part::Trailer;
    }
}
