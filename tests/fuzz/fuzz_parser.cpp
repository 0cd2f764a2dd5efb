// SPDX-License-Identifier: MIT
// QSseParser reads what the specification says, in whatever pieces a stream comes, and keeps no
// more of it than its limit allows.
#include "fuzzing.h"
#include "reference.h"

#include <vector>

using Token = QSseParser::Token;
using Pieces = QByteArrayList;

namespace {

constexpr qsizetype LongestPiece = 64;

struct Settings
{
    qsizetype limit = 64 * 1024 * 1024;
    bool checksMemory = false;      // takes as long as many streams
    std::vector<qsizetype> lengths; // of pieces, in turn
};

// From the input's end, so that the rest of it is a stream. A text's last byte sets no small limit.
Settings takeSettings(FuzzedDataProvider *input)
{
    Settings settings;
    const quint8 limit = input->ConsumeIntegral<quint8>();
    if (limit >= 128) {
        settings.limit = 3 + limit % 64;
        settings.checksMemory = limit >= 248;
    }
    for (int i = 0; i < 3; ++i)
        settings.lengths.push_back(input->ConsumeIntegralInRange<qsizetype>(1, LongestPiece));
    return settings;
}

// Reads all there is; answers NoToken or Error.
Token readAll(QSseParser *parser, QList<StreamToken> *tokens)
{
    for (;;) {
        const Token token = parser->readNext();
        if (token == Token::NoToken || token == Token::Error)
            return token;
        tokens->append(tokenOf(*parser, token));
    }
}

QList<StreamToken> readEachPiece(QSseParser *parser, const Pieces &pieces)
{
    QList<StreamToken> tokens;
    Token end = readAll(parser, &tokens);
    for (const QByteArray &piece : pieces) {
        parser->addData(piece);
        end = readAll(parser, &tokens);
    }
    tokens.append(tokenOf(*parser, end));
    return tokens;
}

QList<StreamToken> readAtTheEnd(QSseParser *parser, const Pieces &pieces)
{
    for (const QByteArray &piece : pieces)
        parser->addData(piece);
    return readEachPiece(parser, {});
}

void checkAgainstReference(const Pieces &connections, const Settings &settings)
{
    ReferenceDecoder reference(settings.limit);
    QSseParser whole;
    QSseParser bytes;
    QSseParser pieces;
    QSseParser late;
    for (QSseParser *parser : { &whole, &bytes, &pieces, &late })
        parser->setMaximumEventSize(settings.limit);

    for (const QByteArray &stream : connections) {
        const QList<StreamToken> expected = reference.read(stream);
        check(expected.size() <= stream.size() + 1, "no more tokens than bytes");
        const Pieces cutAsGiven = cut(stream, settings.lengths);
        check(readEachPiece(&whole, { stream }) == expected, "the whole is read as specified");
        check(readEachPiece(&bytes, cut(stream, { 1 })) == expected,
              "byte by byte is read as specified");
        check(readEachPiece(&pieces, cutAsGiven) == expected, "pieces are read as specified");
        check(readAtTheEnd(&late, cutAsGiven) == expected,
              "pieces read at the end are read as specified");
        for (QSseParser *parser : { &whole, &bytes, &pieces, &late })
            parser->reset();
    }
}

// The same stream again and again, until it is far more than may be kept.
void checkMemory(const QByteArray &stream, const Settings &settings)
{
    constexpr qsizetype Total = 4 * 1024;
    // Each field holds no more than the limit, up to three times that with U+FFFD for each byte,
    // and a buffer that grew has room to spare.
    const qsizetype bound = 32 * settings.limit + 4 * LongestPiece + 512;

    const Pieces pieces = cut(stream.repeated(Total / stream.size() + 1), settings.lengths);
    QSseParser parser;
    parser.setMaximumEventSize(settings.limit);
    checkBounded(bound, [&] {
        Token token = Token::NoToken;
        for (const QByteArray &piece : pieces) {
            parser.addData(piece);
            do {
                token = parser.readNext();
            } while (token == Token::Event || token == Token::Comment);
            if (token == Token::Error)
                break;
        }
    });
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzedDataProvider input(data, size);
    const Settings settings = takeSettings(&input);
    const qsizetype end = input.ConsumeIntegral<quint16>();
    const QByteArray stream = takeRest(&input);

    // Two connections, since what one ends with is what the next begins with.
    checkAgainstReference({ stream.left(end), stream.mid(end) }, settings);
    if (settings.checksMemory && !stream.isEmpty())
        checkMemory(stream, settings);
    return 0;
}
