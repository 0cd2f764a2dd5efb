// SPDX-License-Identifier: MIT
#ifndef STREAMS_H
#define STREAMS_H

#include <QtCore/QByteArray>
#include <QtCore/QByteArrayList>

/*! How much a reader found. */
struct Found
{
    qint64 events = 0;
    qint64 textBytes = 0; // of ids, types and data
};

inline bool operator==(const Found &a, const Found &b)
{
    return a.events == b.events && a.textBytes == b.textBytes;
}

/*! A stream in the pieces it comes in, and what is in it. */
struct Stream
{
    QByteArrayList pieces;
    Found content;
    qint64 bytes = 0;
};

/*! \a count events of 120 bytes on the wire, each with an id and data, every fourth with a type. */
Stream smallEvents(qint64 count);

/*! \a count events of \a size bytes on the wire, one line of data each. Pieces are alike, so they
    take next to no memory. */
Stream longLines(qint64 size, qint64 count);

/*! The same with lines of 1 KiB. */
Stream manyLines(qint64 size, qint64 count);

/*! \a stream byte by byte. */
Stream byteByByte(const Stream &stream);

#endif // STREAMS_H
