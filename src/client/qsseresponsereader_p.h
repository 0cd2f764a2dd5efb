// SPDX-License-Identifier: MIT
#ifndef QSSERESPONSEREADER_P_H
#define QSSERESPONSEREADER_P_H

#include <QtCore/QByteArray>
#include <QtCore/QByteArrayView>
#include <QtCore/QList>
#include <QtCore/QPair>

/*!
    Reads an HTTP/1.1 response (RFC 9112) as it comes, in pieces that may end anywhere: its status
    and fields, and the body out of its framing. Interim responses (1xx) are skipped.
*/
class QSseResponseReader
{
public:
    /*! The most bytes of a head, and of a trailer. */
    static constexpr qsizetype MaximumHead = qsizetype(256) * 1024;

    enum class Error {
        NoError,
        HeadTooLarge,
        Malformed,
        Truncated, //!< it ended too early, see end()
    };

    /*! Takes \a bytes and appends what they have of the body to \a body. Does nothing once
        isComplete() or error(). */
    void addData(QByteArrayView bytes, QByteArray *body);
    /*! Tells that the connection ended. */
    void end();

    bool hasHead() const { return m_part > Part::Fields; }
    bool isComplete() const { return m_part == Part::End; }
    Error error() const { return m_error; }

    int status() const { return m_status; }
    const QByteArray &reason() const { return m_reason; }
    const QList<QPair<QByteArray, QByteArray>> &fields() const { return m_fields; }

private:
    enum class Part {
        StatusLine,
        Fields,
        Body,
        UntilClose,
        ChunkSize,
        Chunk,
        ChunkEnd,
        Trailer,
        End,
    };

    void addBody(QByteArrayView *bytes, QByteArray *body);
    void addLine(QByteArrayView *bytes);
    void readLine(QByteArrayView line);
    void readStatusLine(QByteArrayView line);
    void readField(QByteArrayView line);
    void endHead();
    void beginBody();
    void readChunkSize(QByteArrayView line);
    void fail(Error error);
    QList<QByteArray> values(const char *name) const;

    Part m_part = Part::StatusLine;
    Error m_error = Error::NoError;
    QByteArray m_line;        // as far as it has come
    qsizetype m_headSize = 0; // and that of the trailer
    qint64 m_rest = 0;        // of the body, or of this chunk
    int m_status = 0;
    QByteArray m_reason;
    QList<QPair<QByteArray, QByteArray>> m_fields;
};

#endif // QSSERESPONSEREADER_P_H
