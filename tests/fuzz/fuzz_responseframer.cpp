// SPDX-License-Identifier: MIT
// QSseResponseFramer passes each response on, in whatever pieces it comes, up to the end that
// RFC 9112 says it has, with no more than a field put into its head.
#include "fuzzing.h"

#include "qsseresponseframer_p.h"

#include <QtCore/QList>

#include <optional>
#include <vector>

namespace {

struct Settings
{
    std::vector<QSseResponseFramer::Request> requests; // in turn
    std::vector<qsizetype> lengths;                    // of pieces, in turn
};

// From the input's end, so that the rest of it is a stream.
Settings takeSettings(FuzzedDataProvider *input)
{
    Settings settings;
    const quint16 flags = input->ConsumeIntegral<quint16>();
    for (uint shift = 0; shift < 12; shift += 4) {
        const uint bits = uint(flags) >> shift;
        settings.requests.push_back(
            { (bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0 });
    }
    settings.lengths = takeLengths(input);
    return settings;
}

// What is sent of one response.
struct Response
{
    QByteArray sent;
    qsizetype size = 0; // of what there was of it
    bool isComplete = false;
    bool isLast = false;
    bool isUpgraded = false;

    friend bool operator==(const Response &a, const Response &b)
    {
        return a.sent == b.sent && a.size == b.size && a.isComplete == b.isComplete
            && (!a.isComplete || (a.isLast == b.isLast && a.isUpgraded == b.isUpgraded));
    }
};

// The responses found, and last what there is of one that has not ended.
QList<Response> frame(const QByteArrayList &pieces, const Settings &settings)
{
    QSseResponseFramer framer;
    check(framer.isComplete(), "there is no response before one begins");
    framer.begin(settings.requests[0]);
    QList<Response> responses { Response() };
    for (const QByteArray &piece : pieces) {
        QByteArrayView bytes(piece);
        while (!bytes.isEmpty()) {
            const qsizetype before = bytes.size();
            const QByteArrayView sent = framer.addData(&bytes);
            check(bytes.size() < before || framer.isComplete(), "it goes on");
            responses.last().sent += sent;
            responses.last().size += before - bytes.size();
            if (!framer.isComplete())
                continue;
            QByteArrayView beyond("HTTP/1.1 200 OK\r\n\r\n");
            check(framer.addData(&beyond).isEmpty(), "nothing beyond the end is sent");
            responses.last().isComplete = true;
            responses.last().isLast = framer.isLast();
            responses.last().isUpgraded = framer.isUpgraded();
            framer.begin(settings.requests[size_t(responses.size()) % settings.requests.size()]);
            responses.append(Response());
        }
    }
    return responses;
}

// The values of a head's fields called name.
QByteArrayList values(const QByteArray &head, const QByteArray &name)
{
    QByteArrayList values;
    for (const QByteArray &line : head.split('\n').mid(1)) {
        if (line.left(line.indexOf(':')).toLower() == name)
            values.append(line.mid(line.indexOf(':') + 1).trimmed().toLower());
    }
    return values;
}

// How many bytes a body in chunks has, or nothing when it has not ended, or not well.
std::optional<qsizetype> chunkedSize(const QByteArray &bytes)
{
    qsizetype size = 0;
    for (;;) {
        const QByteArray line = bytes.mid(size, bytes.indexOf("\r\n", size) - size);
        const QStringList digits = captured("[0-9A-Fa-f]{1,4}", line);
        if (bytes.indexOf("\r\n", size) < 0 || digits.isEmpty())
            return std::nullopt;
        const qsizetype chunk = digits.first().toLongLong(nullptr, 16);
        size += line.size() + 2;
        if (chunk == 0)
            break;
        if (bytes.mid(size + chunk, 2) != "\r\n")
            return std::nullopt;
        size += chunk + 2;
    }
    if (bytes.mid(size, 2) != "\r\n") // trailing fields, of which QHttpServer has none
        return std::nullopt;
    return size + 2;
}

// The end of a response (RFC 9112 §6.3), or nothing when it has not come, or where others may say
// otherwise.
std::optional<Response> read(const QByteArray &stream, const QSseResponseFramer::Request &request)
{
    const char *form = "(?i)HTTP/1\\.[01] ([1-5][0-9][0-9]) [^\r\n]*\r\n"
                       "([a-z-]+:[\t -~]*\r\n)*\r\n";
    const qsizetype headSize = stream.indexOf("\r\n\r\n") + 4;
    const QByteArray head = stream.left(headSize);
    const QStringList parts = captured(form, head);
    const QByteArrayList lengths = values(head, "content-length");
    const QByteArrayList encodings = values(head, "transfer-encoding");
    const QByteArrayList connections = values(head, "connection");
    if (headSize < 4 || parts.isEmpty() || lengths.size() + encodings.size() > 1
        || (!lengths.isEmpty() && captured("[0-9]{1,9}", lengths.first()).isEmpty())
        || (!encodings.isEmpty() && encodings.first() != "chunked"))
        return std::nullopt;
    const int status = parts.at(1).toInt();
    if (status < 200 && status != 101) {
        std::optional<Response> next = read(stream.mid(headSize), request);
        if (next) {
            next->sent.prepend(head);
            next->size += headSize;
        }
        return next;
    }

    qsizetype bodySize = 0;
    const bool hasBody = !request.isHead && status != 204 && status != 304 && status != 101;
    if (hasBody && !encodings.isEmpty()) {
        const std::optional<qsizetype> size = chunkedSize(stream.mid(headSize));
        if (!size)
            return std::nullopt;
        bodySize = *size;
    } else if (hasBody && !lengths.isEmpty()) {
        bodySize = lengths.first().toLongLong();
    } else if (hasBody && !request.asksForUpgrade) {
        return std::nullopt; // it ends with the connection
    }
    if (stream.size() < headSize + bodySize)
        return std::nullopt;

    Response response;
    response.isComplete = true;
    response.isUpgraded = status == 101;
    const bool isDenied = hasBody && encodings.isEmpty() && lengths.isEmpty();
    response.isLast = !response.isUpgraded
        && (request.isLast || isDenied || connections.join(',').contains("close"));
    response.size = headSize + bodySize;
    response.sent = stream.left(response.size);
    if (connections.isEmpty() && (response.isLast || request.isHttp10))
        response.sent.insert(stream.indexOf("\r\n") + 2,
                             response.isLast ? "Connection: close\r\n"
                                             : "Connection: keep-alive\r\n");
    return response;
}

// Whether bytes begin with what was sent, or would without a field in it.
bool isAsItWas(const QByteArray &sent, const QByteArray &bytes)
{
    if (bytes.startsWith(sent))
        return true;
    for (const QByteArray &field : { "Connection: close\r\n", "Connection: keep-alive\r\n" }) {
        for (qsizetype at = sent.indexOf(field); at >= 0; at = sent.indexOf(field, at + 1)) {
            if (bytes.startsWith(sent.left(at) + sent.mid(at + field.size())))
                return true;
        }
    }
    return false;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzedDataProvider input(data, size);
    const Settings settings = takeSettings(&input);
    const QByteArray stream = takeRest(&input);

    const QList<Response> responses = frame({ stream }, settings);
    check(frame(cut(stream, { 1 }), settings) == responses, "byte by byte is sent the same");
    check(frame(cut(stream, settings.lengths), settings) == responses, "pieces are sent the same");
    qsizetype at = 0;
    for (qsizetype i = 0; i < responses.size(); ++i) {
        const Response &response = responses.at(i);
        check(isAsItWas(response.sent, stream.mid(at)), "no more than a field is put in");
        const std::optional<Response> expected =
            read(stream.mid(at), settings.requests[size_t(i) % settings.requests.size()]);
        check(!expected || response == *expected, "a response ends where it should");
        at += response.size;
    }
    return 0;
}
