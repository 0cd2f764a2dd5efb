// SPDX-License-Identifier: MIT
#include "qssehttpfield_p.h"
#include "qsserequestframer_p.h"

#include <QtCore/QList>

#include <algorithm>
#include <limits>
#include <utility>

namespace {

bool isControl(char c)
{
    return uchar(c) < 0x20 || c == 0x7f;
}

bool isSame(QByteArrayView a, QByteArrayView b)
{
    return a.size() == b.size() && a.compare(b, Qt::CaseInsensitive) == 0;
}

bool isVersion(QByteArrayView bytes)
{
    const auto isDigit = [](char c) { return c >= '0' && c <= '9'; };
    return bytes.size() == 8 && bytes.startsWith("HTTP/") && isDigit(bytes.at(5))
        && bytes.at(6) == '.' && isDigit(bytes.at(7));
}

// What is cheap to say of a piece of a line: whether it has a byte that no head may have.
bool hasBadByte(QByteArrayView bytes)
{
    return std::any_of(bytes.begin(), bytes.end(),
                       [](char c) { return isControl(c) && c != '\t' && c != '\r' && c != '\n'; });
}

// A number made of digits alone, -1 when it is none; what would not fit becomes a number that is
// above every limit.
qsizetype toNumber(QByteArrayView digits, int base)
{
    constexpr qsizetype most = std::numeric_limits<int>::max();
    qsizetype number = digits.isEmpty() ? -1 : 0;
    for (const char c : digits) {
        const int digit = c >= '0' && c <= '9' ? c - '0'
            : c >= 'a' && c <= 'f'             ? c - 'a' + 10
            : c >= 'A' && c <= 'F'             ? c - 'A' + 10
                                               : base;
        if (digit >= base)
            return -1;
        number = std::min(number * base + digit, most);
    }
    return number;
}

} // namespace

QSseRequestFramer::QSseRequestFramer(qsizetype maximumHead, qsizetype maximumBody,
                                     const QByteArray &scheme)
    : m_maximumHead(maximumHead), m_maximumBody(maximumBody), m_scheme(scheme)
{
}

qsizetype QSseRequestFramer::addData(QByteArrayView bytes)
{
    qsizetype used = 0;
    while (used < bytes.size() && m_state == State::Incomplete) {
        const bool isBody = m_part == Part::Body || m_part == Part::Chunk;
        used += isBody ? addBody(bytes.sliced(used)) : addLine(bytes.sliced(used));
    }
    return used;
}

qsizetype QSseRequestFramer::addLine(QByteArrayView bytes)
{
    const qsizetype end = bytes.indexOf('\n');
    const QByteArrayView piece = end < 0 ? bytes : bytes.first(end + 1);
    // What is wrong first is told, however the line is cut.
    if (hasBadByte(piece.first(std::min(piece.size(), room() + 1))))
        refuse(400, tr("A request must not have control characters in its head"));
    else if (hasRoomFor(piece.size()))
        addPiece(piece, end >= 0);
    return piece.size();
}

void QSseRequestFramer::addPiece(QByteArrayView piece, bool isEnd)
{
    if (!isEnd || !m_line.isEmpty())
        m_line.append(piece);
    if (!isEnd)
        return;
    const QByteArray line = std::exchange(m_line, {});
    endLine(line.isEmpty() ? piece : QByteArrayView(line));
}

qsizetype QSseRequestFramer::addBody(QByteArrayView bytes)
{
    const qsizetype taken = std::min(bytes.size(), m_bodyRest);
    m_body.append(bytes.first(taken));
    m_bodyRest -= taken;
    if (m_bodyRest == 0 && m_part == Part::Chunk)
        m_part = Part::ChunkEnd;
    else if (m_bodyRest == 0)
        m_state = State::Complete;
    return taken;
}

bool QSseRequestFramer::isInChunkLine() const
{
    return m_part == Part::ChunkSize || m_part == Part::ChunkEnd;
}

// How many bytes more a line may have.
qsizetype QSseRequestFramer::room() const
{
    return isInChunkLine() ? MaximumChunkLine - m_line.size() : m_maximumHead - m_headSize;
}

bool QSseRequestFramer::hasRoomFor(qsizetype bytes)
{
    const bool hasRoom = bytes <= room();
    if (!isInChunkLine())
        m_headSize += bytes;
    if (!hasRoom && isInChunkLine())
        refuse(400, tr("The size of a chunk has too long a line"));
    else if (!hasRoom && m_part == Part::RequestLine)
        refuse(414, tr("The request line has more than %1 bytes").arg(m_maximumHead));
    else if (!hasRoom)
        refuse(431, tr("The head has more than %1 bytes").arg(m_maximumHead));
    return hasRoom;
}

void QSseRequestFramer::endLine(QByteArrayView line)
{
    line.chop(1);
    const bool hasCr = line.endsWith('\r');
    if (hasCr)
        line.chop(1);
    if (line.contains('\r')) {
        refuse(400, tr("A line of the head has a carriage return in it"));
        return;
    }
    switch (m_part) {
    case Part::RequestLine:
        if (!line.isEmpty()) // RFC 9112 §2.2: empty lines before a request mean nothing
            readRequestLine(line);
        break;
    case Part::Field:
        if (line.isEmpty())
            endHead();
        else
            addField(line);
        break;
    case Part::ChunkSize:
    case Part::ChunkEnd:
        // Not every proxy in front of us takes a bare LF for the end here.
        if (!hasCr || (m_part == Part::ChunkEnd && !line.isEmpty()))
            refuse(400, tr("A chunk does not end where it says"));
        else if (m_part == Part::ChunkEnd)
            m_part = Part::ChunkSize;
        else
            readChunkSize(line);
        break;
    case Part::Trailer: {
        QByteArrayView name, value;
        if (line.isEmpty())
            m_state = State::Complete;
        else
            readField(line, &name, &value); // checked, and of no use to anybody
        break;
    }
    case Part::Body:
    case Part::Chunk:
        Q_UNREACHABLE();
    }
}

void QSseRequestFramer::readRequestLine(QByteArrayView line)
{
    const qsizetype first = line.indexOf(' ');
    const qsizetype last = line.lastIndexOf(' ');
    const QByteArrayView method = line.first(std::max<qsizetype>(first, 0));
    const QByteArrayView target =
        last > first ? line.sliced(first + 1, last - first - 1) : QByteArrayView();
    const QByteArrayView version = line.sliced(last + 1);
    if (!QSsePrivate::isToken(method) || target.contains(' ') || target.contains('\t')
        || !isVersion(version)) {
        refuse(400, tr("This is no HTTP request"));
        return;
    }
    m_method = method.toByteArray();
    if (version.at(5) != '1') {
        refuse(505, tr("Only HTTP/1.1 and HTTP/1.0 are understood here"));
        return;
    }
    m_isHttp10 = version.at(7) == '0';
    m_part = Part::Field;
    if (!readTarget(target.toByteArray()))
        refuse(400, tr("The target of the request is not valid"));
}

bool QSseRequestFramer::readTarget(const QByteArray &target)
{
    m_target = target;
    if (target.contains('#'))
        return false;
    if (target.startsWith('/') || (target == "*" && m_method == "OPTIONS"))
        return true;
    const QByteArray lower = target.first(std::min<qsizetype>(target.size(), 8)).toLower();
    const qsizetype begin = lower.startsWith("http://") ? 7 : lower == "https://" ? 8 : -1;
    if (begin < 0)
        return false;
    const auto *end = std::find_if(target.begin() + begin, target.end(),
                                   [](char c) { return c == '/' || c == '?'; });
    m_authority = target.sliced(begin, end - target.begin() - begin);
    m_target = target.sliced(end - target.begin());
    if (!m_target.startsWith('/'))
        m_target.prepend('/');
    return !m_authority.isEmpty() && !m_authority.contains('@');
}

bool QSseRequestFramer::readField(QByteArrayView line, QByteArrayView *name, QByteArrayView *value)
{
    const qsizetype colon = line.indexOf(':');
    *name = line.first(std::max<qsizetype>(colon, 0));
    *value = line.sliced(colon + 1).trimmed();
    // A line that begins with a space once continued the one before it (RFC 9112 §5.2).
    if (!QSsePrivate::isToken(*name)) {
        refuse(400, tr("A header field is not valid"));
        return false;
    }
    if (++m_fieldCount > MaximumFields) {
        refuse(431, tr("There are more than %1 header fields").arg(MaximumFields));
        return false;
    }
    return true;
}

void QSseRequestFramer::addField(QByteArrayView line)
{
    QByteArrayView name, value;
    if (!readField(line, &name, &value))
        return;
    if (isSame(name, "Content-Length")) {
        readContentLength(value);
    } else if (isSame(name, "Transfer-Encoding")) {
        readTransferEncoding(value);
    } else if (isSame(name, "Host")) {
        if (std::exchange(m_hasHost, true))
            refuse(400, tr("There is more than one Host"));
        m_host = value.toByteArray();
    } else if (isSame(name, "Expect")) {
        if (!isSame(value, "100-continue"))
            refuse(417, tr("Only 100-continue may be expected"));
        m_expectsContinue = true;
    } else if (!isSame(name, "Trailer")) {
        if (isSame(name, "Connection"))
            readConnection(value);
        m_hasUpgrade = m_hasUpgrade || isSame(name, "Upgrade");
        m_fields.append(name).append(": ").append(value).append("\r\n");
    }
}

void QSseRequestFramer::readContentLength(QByteArrayView value)
{
    const qsizetype length = toNumber(value, 10);
    if (length < 0 || m_contentLength >= 0)
        refuse(400, tr("Content-Length must be one number"));
    m_contentLength = length;
}

void QSseRequestFramer::readTransferEncoding(QByteArrayView value)
{
    const bool isSecond = std::exchange(m_isChunked, true);
    const qsizetype comma = value.lastIndexOf(',');
    if (isSecond || !isSame(value.sliced(comma + 1).trimmed(), "chunked"))
        refuse(400, tr("Transfer-Encoding must be chunked"));
    else if (comma >= 0)
        refuse(501, tr("No Transfer-Encoding but chunked is understood here"));
}

void QSseRequestFramer::readConnection(QByteArrayView value)
{
    for (const QByteArray &option : value.toByteArray().split(',')) {
        const QByteArray name = option.trimmed();
        m_connectionClose = m_connectionClose || isSame(name, "close");
        m_connectionKeepAlive = m_connectionKeepAlive || isSame(name, "keep-alive");
        m_connectionUpgrade = m_connectionUpgrade || isSame(name, "upgrade");
    }
}

void QSseRequestFramer::endHead()
{
    if (!m_isHttp10 && !m_hasHost) {
        refuse(400, tr("There is no Host"));
    } else if (m_isChunked && (m_isHttp10 || m_contentLength >= 0)) {
        // One of two readers may believe the one and the other the other (RFC 9112 §6.1).
        refuse(400, tr("Transfer-Encoding goes with HTTP/1.1 and without Content-Length"));
    } else if (m_isChunked) {
        m_part = Part::ChunkSize;
    } else if (m_contentLength > m_maximumBody) {
        refuseBody();
    } else if (m_contentLength > 0) {
        m_part = Part::Body;
        m_bodyRest = m_contentLength;
    } else {
        m_state = State::Complete;
    }
}

void QSseRequestFramer::readChunkSize(QByteArrayView line)
{
    const qsizetype semicolon = line.indexOf(';'); // extensions follow, which are to be ignored
    const QByteArrayView digits = semicolon < 0 ? line : line.first(semicolon).trimmed();
    const qsizetype size = toNumber(digits, 16);
    if (size < 0) {
        refuse(400, tr("The size of a chunk is no number"));
    } else if (size > m_maximumBody - m_body.size()) {
        refuseBody();
    } else {
        m_bodyRest = size;
        m_part = size > 0 ? Part::Chunk : Part::Trailer;
    }
}

void QSseRequestFramer::refuse(int status, const QString &reason)
{
    if (m_state == State::Refused)
        return;
    m_state = State::Refused;
    m_status = status;
    m_reason = reason;
}

void QSseRequestFramer::refuseBody()
{
    refuse(413, tr("The body has more than %1 bytes").arg(m_maximumBody));
}

bool QSseRequestFramer::takeExpectation()
{
    const bool isInBody = m_part != Part::RequestLine && m_part != Part::Field;
    if (!isInBody || m_state != State::Incomplete || m_isHttp10)
        return false;
    return std::exchange(m_expectsContinue, false);
}

QByteArray QSseRequestFramer::takeRequest()
{
    constexpr qsizetype roomForTheRest = 100;
    const QByteArrayView host = m_authority.isEmpty() ? m_host : m_authority;
    QByteArray request;
    request.reserve(m_method.size() + m_target.size() + host.size() + m_fields.size()
                    + m_body.size() + roomForTheRest);
    request.append(m_method).append(' ');
    if (needsAbsoluteForm())
        request.append(m_scheme).append("://127.0.0.1"); // in whose place comes Host
    request.append(m_target).append(m_isHttp10 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
    if (m_hasHost || !m_authority.isEmpty())
        request.append("Host: ").append(host).append("\r\n");
    request.append(m_fields);
    if (m_isChunked || m_contentLength >= 0)
        request.append("Content-Length: " + QByteArray::number(m_body.size()) + "\r\n");
    request.append("\r\n").append(m_body);

    clear();
    return request;
}

// A reader takes what follows two slashes for an authority, and does not know of our TLS. But
// QWebSocketServer takes the target as it came.
bool QSseRequestFramer::needsAbsoluteForm() const
{
    const bool isPlain = m_scheme == "http" && !m_target.startsWith("//");
    return m_target.startsWith('/') && !isPlain && !asksForUpgrade();
}

void QSseRequestFramer::clear()
{
    *this = QSseRequestFramer(m_maximumHead, m_maximumBody, m_scheme);
}
