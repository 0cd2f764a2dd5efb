// SPDX-License-Identifier: MIT
// QSseResponseReader reads the same of a response in whatever pieces it comes, and of one that is
// well-formed its body.
#include "fuzzing.h"

#include "qsseresponsereader_p.h"

namespace {

struct Result
{
    int status = 0;
    QList<QPair<QByteArray, QByteArray>> fields;
    QByteArray body;
    bool isComplete = false;
    QSseResponseReader::Error error = QSseResponseReader::Error::NoError;

    friend bool operator==(const Result &a, const Result &b)
    {
        return a.status == b.status && a.fields == b.fields && a.body == b.body
            && a.isComplete == b.isComplete && a.error == b.error;
    }
};

Result read(const QByteArrayList &pieces)
{
    QSseResponseReader reader;
    Result result;
    for (const QByteArray &piece : pieces)
        reader.addData(piece, &result.body);
    reader.end();
    result.isComplete = reader.isComplete();
    result.error = reader.error();
    if (reader.hasHead()) {
        result.status = reader.status();
        result.fields = reader.fields();
    }
    return result;
}

void checkAnything(const QByteArray &stream, const std::vector<qsizetype> &lengths)
{
    const Result whole = read({ stream });
    check(read(cut(stream, lengths)) == whole, "it does not matter where pieces end");
    check(whole.body.size() <= stream.size(), "nothing is made up");
    check(whole.isComplete || whole.error != QSseResponseReader::Error::NoError,
          "a response whose connection ended is complete or an error");
    for (const auto &[name, value] : whole.fields) {
        check(!name.isEmpty() && !name.contains('\n') && !name.contains(':'), "a name is one");
        check(!value.contains('\n'), "a value is of one line");
    }
}

void checkWellFormed(const QByteArray &body, const std::vector<qsizetype> &lengths)
{
    const QByteArray head = "HTTP/1.1 200 OK\r\n";
    QByteArray chunks;
    for (const QByteArray &chunk : cut(body, lengths))
        chunks += QByteArray::number(chunk.size(), 16) + "\r\n" + chunk + "\r\n";
    const QByteArrayList responses {
        head + "\r\n" + body,
        head + "Content-Length: " + QByteArray::number(body.size()) + "\r\n\r\n" + body,
        head + "Transfer-Encoding: chunked\r\n\r\n" + chunks + "0\r\n\r\n",
    };
    for (const QByteArray &response : responses) {
        const Result result = read(cut(response, { lengths.rbegin(), lengths.rend() }));
        check(result.isComplete && result.status == 200, "a response is read");
        check(result.body == body, "with its body");
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzedDataProvider input(data, size);
    const std::vector<qsizetype> lengths = takeLengths(&input);
    const QByteArray stream = takeRest(&input);
    checkAnything(stream, lengths);
    checkWellFormed(stream, lengths);
    return 0;
}
