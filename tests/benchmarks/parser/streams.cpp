// SPDX-License-Identifier: MIT
#include "streams.h"

#include <array>

namespace {

constexpr qsizetype PieceSize = 64 * 1024;
constexpr qsizetype EventSize = 120;
constexpr qsizetype LineSize = 1024;
constexpr char Data[] = "data: ";
constexpr qsizetype NameSize = 6;

QByteArrayList cut(const QByteArray &bytes)
{
    QByteArrayList pieces;
    for (qsizetype at = 0; at < bytes.size(); at += PieceSize)
        pieces.append(bytes.mid(at, PieceSize));
    return pieces;
}

// The pieces of one event, count times.
Stream repeated(const QByteArrayList &pieces, qint64 textBytes, qint64 count)
{
    Stream stream;
    for (qint64 i = 0; i < count; ++i)
        stream.pieces += pieces;
    stream.content = { count, count * textBytes };
    for (const QByteArray &piece : pieces)
        stream.bytes += count * piece.size();
    return stream;
}

} // namespace

Stream smallEvents(qint64 count)
{
    Stream stream;
    QByteArray bytes;
    bytes.reserve(count * EventSize);
    for (qint64 i = 0; i < count; ++i) {
        const QByteArray id = "18f2c4e01b7-" + QByteArray::number(1'000'000 + i);
        const QByteArray type = i % 4 == 0 ? "rate" : "";
        QByteArray event = "id: " + id + '\n';
        if (!type.isEmpty())
            event += "event: " + type + '\n';
        const QByteArray data = R"({"pair":"EUR/USD","bid":1.0934,"time":)"
            + QByteArray::number(1'700'000'000'000 + i) + R"(,"note":")";
        const qsizetype filling = EventSize - event.size() - NameSize - data.size() - 4;
        event += Data + data + QByteArray(filling, 'x') + "\"}\n\n";
        stream.content.textBytes += id.size() + type.size() + data.size() + filling + 2;
        bytes += event;
    }
    stream.content.events = count;
    stream.bytes = bytes.size();
    stream.pieces = cut(bytes);
    return stream;
}

Stream longLines(qint64 size, qint64 count)
{
    QByteArrayList pieces { QByteArray(PieceSize, 'x').replace(0, NameSize, Data) };
    pieces += QByteArrayList(size / PieceSize - 2, QByteArray(PieceSize, 'x'));
    pieces += QByteArray(PieceSize - 2, 'x') + "\n\n";
    return repeated(pieces, size - NameSize - 2, count);
}

Stream manyLines(qint64 size, qint64 count)
{
    const QByteArray line = Data + QByteArray(LineSize - NameSize - 1, 'x') + '\n';
    QByteArrayList pieces(size / PieceSize, line.repeated(PieceSize / LineSize));
    pieces.last().chop(2);
    pieces.last() += "\n\n";
    const qint64 lines = size / LineSize;
    return repeated(pieces, lines * (LineSize - NameSize) - 2, count);
}

Stream byteByByte(const Stream &stream)
{
    std::array<QByteArray, 256> bytes;
    for (size_t i = 0; i < bytes.size(); ++i)
        bytes[i] = QByteArray(1, char(i));
    Stream result { {}, stream.content, stream.bytes };
    result.pieces.reserve(stream.bytes);
    for (const QByteArray &piece : stream.pieces) {
        for (const char c : piece)
            result.pieces.append(bytes[uchar(c)]);
    }
    return result;
}
