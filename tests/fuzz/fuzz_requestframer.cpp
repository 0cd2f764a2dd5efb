// SPDX-License-Identifier: MIT
// QSseRequestFramer finds the requests that RFC 9112 says are there, in whatever pieces they come,
// and hands them on so that nobody finds others in them.
#include "fuzzing.h"

#include "qsserequestframer_p.h"

#include <QtCore/QList>

#include <optional>
#include <vector>

using State = QSseRequestFramer::State;

namespace {

constexpr qsizetype Unlimited = 1024 * 1024;

struct Settings
{
    qsizetype maximumHead = Unlimited;
    qsizetype maximumBody = Unlimited;
    QByteArray scheme = "http";
    std::vector<qsizetype> lengths; // of pieces, in turn
};

// From the input's end, so that the rest of it is a stream.
Settings takeSettings(FuzzedDataProvider *input)
{
    Settings settings;
    const quint8 flags = input->ConsumeIntegral<quint8>();
    const quint8 limit = input->ConsumeIntegral<quint8>();
    if (flags & 1)
        settings.maximumHead = limit;
    if (flags & 2)
        settings.maximumBody = limit / 8;
    if (flags & 4)
        settings.scheme = "https";
    settings.lengths = takeLengths(input);
    return settings;
}

// Whatever is far too large is one and the same number.
qsizetype numberFrom(const QString &digits, int base)
{
    qsizetype number = 0;
    for (const QChar digit : digits)
        number = qMin(number * base + QString(digit).toInt(nullptr, base), 2 * Unlimited);
    return number;
}

struct Field
{
    QByteArray name;
    QByteArray value;

    friend bool operator==(const Field &a, const Field &b)
    {
        return a.name == b.name && a.value == b.value;
    }
};

// One request read from the beginning of a stream, in the plainest way (RFC 9112).
class ReferenceRequest
{
public:
    enum class Kind { Incomplete, Complete, Bad };

    // A plain one has nothing in it that one reader may take for something else than another.
    ReferenceRequest(const QByteArray &stream, const Settings &settings, bool isPlain = false)
        : m_stream(stream), m_settings(settings), m_isPlain(isPlain)
    {
        kind = read();
    }

    QByteArrayList values(const QByteArray &name) const
    {
        QByteArrayList values;
        for (const Field &field : fields) {
            if (field.name.toLower() == name)
                values.append(field.value);
        }
        return values;
    }

    bool has(const QByteArray &name, const QByteArray &option) const
    {
        for (const QByteArray &item : values(name).join(',').split(',')) {
            if (item.trimmed().toLower() == option)
                return true;
        }
        return false;
    }

    bool isHttp10() const { return version.endsWith('0'); }
    bool asksForUpgrade() const
    {
        return !values("upgrade").isEmpty() && has("connection", "upgrade");
    }
    bool isLast() const
    {
        return has("connection", "close") || (isHttp10() && !has("connection", "keep-alive"));
    }

    Kind kind;
    QByteArray method;
    QByteArray authority; // of a target in absolute form
    QByteArray target;
    QByteArray version;
    QList<Field> fields;
    QByteArray body;
    qsizetype size = 0; // of what is read so far

private:
    Kind read();
    Kind readChunks();
    Kind readTrailer();
    Kind readLines(QList<Field> *fields);
    std::optional<QByteArray> takeLine();
    bool hasCrlf() const { return m_stream.left(size).endsWith("\r\n"); }
    bool readRequestLine(const QByteArray &line);
    bool readField(const QByteArray &line, QList<Field> *fields);
    bool isConsistent() const;

    const QByteArray m_stream;
    const Settings m_settings;
    const bool m_isPlain;
    qsizetype m_headSize = 0;
    int m_fieldCount = 0;
};

// Without its end; a bare LF is one too.
std::optional<QByteArray> ReferenceRequest::takeLine()
{
    const qsizetype end = m_stream.indexOf('\n', size);
    if (end < 0)
        return std::nullopt;
    const QByteArray line = m_stream.mid(size, end - size);
    size = end + 1;
    return line.endsWith('\r') ? line.chopped(1) : line;
}

ReferenceRequest::Kind ReferenceRequest::read()
{
    std::optional<QByteArray> line;
    do {
        line = takeLine();
        if (!line)
            return Kind::Incomplete;
        if (size > m_settings.maximumHead || (m_isPlain && line->isEmpty()))
            return Kind::Bad;
    } while (line->isEmpty());
    if (!readRequestLine(*line) || (m_isPlain && !hasCrlf()))
        return Kind::Bad;
    m_headSize = size;
    const Kind head = readLines(&fields);
    if (head != Kind::Complete)
        return head;
    if (!isConsistent())
        return Kind::Bad;
    if (has("transfer-encoding", "chunked"))
        return readChunks();

    const QString length = QString::fromLatin1(values("content-length").value(0, "0"));
    const qsizetype bodySize = numberFrom(length, 10);
    if (bodySize > m_settings.maximumBody)
        return Kind::Bad;
    body = m_stream.mid(size, bodySize);
    size += body.size();
    return body.size() == bodySize ? Kind::Complete : Kind::Incomplete;
}

// Lines up to an empty one.
ReferenceRequest::Kind ReferenceRequest::readLines(QList<Field> *fields)
{
    for (;;) {
        const qsizetype begin = size;
        const std::optional<QByteArray> line = takeLine();
        if (!line)
            return Kind::Incomplete;
        m_headSize += size - begin;
        if (m_headSize > m_settings.maximumHead || (m_isPlain && !hasCrlf()))
            return Kind::Bad;
        if (line->isEmpty())
            return Kind::Complete;
        if (!readField(*line, fields))
            return Kind::Bad;
    }
}

ReferenceRequest::Kind ReferenceRequest::readChunks()
{
    for (;;) {
        const qsizetype begin = size;
        const std::optional<QByteArray> line = takeLine();
        if (!line)
            return Kind::Incomplete;
        const QStringList parts =
            captured("([0-9A-Fa-f]+|[ \t]*([0-9A-Fa-f]+)[ \t]*;[\t -~\x80-\xff]*)", *line);
        if (parts.isEmpty() || !hasCrlf() || size - begin > QSseRequestFramer::MaximumChunkLine)
            return Kind::Bad;
        const QString digits = parts.value(2).isEmpty() ? parts.value(1) : parts.value(2);
        const qsizetype chunkSize = numberFrom(digits, 16);
        if (chunkSize > m_settings.maximumBody - body.size())
            return Kind::Bad;
        if (chunkSize == 0) {
            QList<Field> trailer;
            return readLines(&trailer);
        }
        const QByteArray chunk = m_stream.mid(size, chunkSize);
        body += chunk;
        size += chunk.size();
        if (chunk.size() < chunkSize)
            return Kind::Incomplete;
        const QByteArray end = m_stream.mid(size, 2);
        if (end != "\r\n")
            return end == "\r" || end.isEmpty() || !m_stream.mid(size).contains('\n')
                ? Kind::Incomplete
                : Kind::Bad;
        size += 2;
    }
}

bool ReferenceRequest::readRequestLine(const QByteArray &line)
{
    const QStringList parts =
        captured("([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!\"$-~\x80-\xff]+) (HTTP/1\\.[0-9])", line);
    method = parts.value(1).toLatin1();
    target = parts.value(2).toLatin1();
    version = parts.value(3).toLatin1();
    const QStringList absolute = captured("(?i)https?://([^/?@]+)([/?].*)?", target);
    if (!absolute.isEmpty()) {
        authority = absolute.at(1).toLatin1();
        target = absolute.value(2).toLatin1();
        if (!target.startsWith('/'))
            target.prepend('/');
    }
    return target.startsWith('/') || (target == "*" && method == "OPTIONS");
}

bool ReferenceRequest::readField(const QByteArray &line, QList<Field> *fields)
{
    const QStringList parts = captured("([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t -~\x80-\xff]*)", line);
    if (parts.isEmpty() || ++m_fieldCount > QSseRequestFramer::MaximumFields)
        return false;
    fields->append({ parts.at(1).toLatin1(), parts.at(2).toLatin1().trimmed() });
    return true;
}

// Whether there is one way alone to read it.
bool ReferenceRequest::isConsistent() const
{
    const QByteArrayList lengths = values("content-length");
    const QByteArrayList encodings = values("transfer-encoding");
    for (const QByteArray &expected : values("expect")) {
        if (expected.toLower() != "100-continue")
            return false;
    }
    if (values("host").size() > 1 || (values("host").isEmpty() && !isHttp10()))
        return false;
    if (lengths.size() + encodings.size() > 1)
        return false;
    if (!encodings.isEmpty())
        return encodings.first().toLower() == "chunked" && !isHttp10();
    return lengths.isEmpty() || !captured("[0-9]+", lengths.first()).isEmpty();
}

// What a framer makes of a stream.
struct Outcome
{
    struct Request
    {
        QByteArray bytes;
        bool isHead;
        bool isHttp10;
        bool isLast;
        bool asksForUpgrade;

        friend bool operator==(const Request &a, const Request &b)
        {
            return a.bytes == b.bytes && a.isHead == b.isHead && a.isHttp10 == b.isHttp10
                && a.isLast == b.isLast && a.asksForUpgrade == b.asksForUpgrade;
        }
    };

    QList<Request> requests;
    bool isRefused = false;
    int status = 0;

    friend bool operator==(const Outcome &a, const Outcome &b)
    {
        return a.requests == b.requests && a.isRefused == b.isRefused && a.status == b.status;
    }
};

void checkKept(const QSseRequestFramer &framer, const Settings &settings)
{
    check(framer.keptBytes()
              <= settings.maximumHead + settings.maximumBody + QSseRequestFramer::MaximumChunkLine,
          "no more is kept than the limits allow");
}

void checkRefused(QSseRequestFramer *framer)
{
    const int status = framer->status();
    check(status >= 400 && status < 600, "a refusal has a status");
    check(!framer->reason().isEmpty() && !framer->reason().contains(u'\n'), "it is said why");
    check(framer->addData("\r\n\r\nGET / HTTP/1.0\r\n\r\n") == 0, "nothing after it is read");
    check(framer->state() == State::Refused && framer->status() == status,
          "there is one answer alone");
}

Outcome frame(const QByteArrayList &pieces, const Settings &settings)
{
    QSseRequestFramer framer(settings.maximumHead, settings.maximumBody, settings.scheme);
    Outcome outcome;
    int expectations = 0;
    for (const QByteArray &piece : pieces) {
        QByteArrayView bytes(piece);
        while (!bytes.isEmpty()) {
            const qsizetype used = framer.addData(bytes);
            check(used > 0 && used <= bytes.size(), "it goes on");
            bytes = bytes.sliced(used);
            checkKept(framer, settings);
            expectations += framer.takeExpectation() ? 1 : 0;
            check(expectations <= 1, "a client is told once to go on");
            if (framer.state() == State::Refused) {
                checkRefused(&framer);
                outcome.isRefused = true;
                outcome.status = framer.status();
                return outcome;
            }
            if (framer.state() == State::Incomplete) {
                check(bytes.isEmpty(), "all is read until there is a request");
                continue;
            }
            check(framer.addData("GET / HTTP/1.0\r\n\r\n") == 0, "the next one waits");
            const bool isHead = framer.isHead();
            const bool isHttp10 = framer.isHttp10();
            const bool isLast = framer.isLast();
            const bool asksForUpgrade = framer.asksForUpgrade();
            outcome.requests.append(
                { framer.takeRequest(), isHead, isHttp10, isLast, asksForUpgrade });
            check(framer.state() == State::Incomplete && !framer.hasBegun()
                      && framer.keptBytes() == 0,
                  "nothing of it is left for the next");
            expectations = 0;
        }
    }
    return outcome;
}

// What of the fields is handed on as it is.
QList<Field> others(const QList<Field> &fields)
{
    static const QByteArrayList written { "host", "content-length", "transfer-encoding", "expect",
                                          "trailer" };
    QList<Field> others;
    for (const Field &field : fields) {
        if (!written.contains(field.name.toLower()))
            others.append(field);
    }
    return others;
}

// Whoever reads what is handed on finds that request, all of it and nothing else.
void checkHandedOn(const Outcome::Request &request, const ReferenceRequest &expected,
                   const Settings &settings)
{
    const ReferenceRequest read(request.bytes, Settings(), true);
    check(read.kind == ReferenceRequest::Kind::Complete, "a request is handed on");
    check(read.size == request.bytes.size(), "nothing else is handed on");
    check(read.method == expected.method && read.body == expected.body, "it is the same request");
    check(read.isHttp10() == expected.isHttp10(), "its version is the same");
    check(others(read.fields) == others(expected.fields), "its other fields are the same");
    const bool hasLength = !expected.values("content-length").isEmpty()
        || !expected.values("transfer-encoding").isEmpty();
    check(read.values("content-length").size() == (hasLength ? 1 : 0), "its length is there once");
    for (const char *name : { "transfer-encoding", "expect", "trailer" })
        check(read.values(name).isEmpty(), "what was for us is not handed on");

    QByteArrayList hosts = expected.values("host");
    if (!expected.authority.isEmpty())
        hosts = { expected.authority };
    check(read.values("host") == hosts, "its host is the one it is for");
    check(read.target == expected.target, "its target is the same");
    const QByteArray scheme = request.bytes.mid(read.method.size() + 1, 8).toLower();
    const bool isAbsolute = !read.authority.isEmpty();
    check(!isAbsolute || scheme.startsWith(settings.scheme + ':'), "its scheme is ours");
    check(isAbsolute || expected.asksForUpgrade() || !expected.target.startsWith("//"),
          "nobody takes its path for a host");

    check(request.isHead == (expected.method == "HEAD"), "HEAD is known as such");
    check(request.isHttp10 == expected.isHttp10(), "the version is known");
    check(request.isLast == expected.isLast(), "the last is known as such");
    check(request.asksForUpgrade == expected.asksForUpgrade(), "an upgrade is known as such");
}

void checkAgainstReference(const Outcome &outcome, const QByteArray &stream,
                           const Settings &settings)
{
    qsizetype at = 0;
    for (const Outcome::Request &request : outcome.requests) {
        const ReferenceRequest expected(stream.mid(at), settings);
        check(expected.kind == ReferenceRequest::Kind::Complete, "there is a request");
        checkHandedOn(request, expected, settings);
        at += expected.size;
    }
    const ReferenceRequest rest(stream.mid(at), settings);
    check(rest.kind != ReferenceRequest::Kind::Complete, "there is no other request");
    check(outcome.isRefused || rest.kind != ReferenceRequest::Kind::Bad, "what is bad is refused");
}

// The stream's beginning again and again, as if it never ended.
void checkMemory(const QByteArray &stream, const Settings &settings)
{
    constexpr qsizetype Total = 8 * 1024;
    // Buffers have room to spare.
    const qsizetype bound = 8 * (settings.maximumHead + settings.maximumBody)
        + 4 * QSseRequestFramer::MaximumChunkLine + 1024;
    const QByteArray endless = stream.repeated(Total / stream.size() + 1);
    const QByteArrayList pieces = cut(endless, settings.lengths);
    QSseRequestFramer framer(settings.maximumHead, settings.maximumBody, settings.scheme);
    checkBounded(bound, [&] {
        for (const QByteArray &piece : pieces) {
            if (framer.addData(piece) < piece.size())
                break;
        }
    });
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzedDataProvider input(data, size);
    const Settings settings = takeSettings(&input);
    const QByteArray stream = takeRest(&input);

    const Outcome outcome = frame({ stream }, settings);
    check(frame(cut(stream, { 1 }), settings) == outcome, "byte by byte is read the same");
    check(frame(cut(stream, settings.lengths), settings) == outcome, "pieces are read the same");
    checkAgainstReference(outcome, stream, settings);
    if (!stream.isEmpty() && settings.maximumHead < Unlimited && settings.maximumBody < Unlimited)
        checkMemory(stream, settings);
    return 0;
}
