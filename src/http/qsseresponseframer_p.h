// SPDX-License-Identifier: MIT
#ifndef QSSERESPONSEFRAMER_P_H
#define QSSERESPONSEFRAMER_P_H

#include <QtCore/QByteArray>
#include <QtCore/QByteArrayView>

/*!
    Finds the end of each response in what an HTTP server writes in any pieces, and tells the
    client how the connection goes on.

    Heads are kept until they are complete, so that they are sent in one piece; bodies are passed
    through. What a server writes beyond the end, such as the body of an answer to HEAD, is
    dropped.
*/
class QSseResponseFramer
{
public:
    /*! What is asked of the response to come. */
    struct Request
    {
        bool isHead = false;
        bool isHttp10 = false;
        bool isLast = false; //!< the connection is to end with the response
        bool asksForUpgrade = false;
    };

    /*! The most bytes of a head that are understood; a longer one is passed through, and its
        response ends with the connection. */
    static constexpr int MaximumHead = 64 * 1024;

    /*! Begins the response to \a request. */
    void begin(const Request &request);
    /*! Takes some of \a bytes off its front and returns what is to be sent, which is valid until
        the next call and as long as \a bytes. Call it until nothing is left or isComplete(). */
    QByteArrayView addData(QByteArrayView *bytes);

    bool isComplete() const { return m_part == Part::End; }
    /*! Whether the connection ends with the response; known once it is complete. */
    bool isLast() const { return m_request.isLast; }
    /*! Whether the response ended HTTP on this connection (101). */
    bool isUpgraded() const { return m_isUpgraded; }

private:
    enum class Part { Head, Body, UntilClose, ChunkSize, Chunk, ChunkEnd, Trailer, End };

    QByteArrayView addHead(QByteArrayView *bytes);
    QByteArrayView addChunked(QByteArrayView *bytes);
    void endHead();
    void readFields();
    void endChunkedLine(const QByteArray &line);

    Request m_request;
    Part m_part = Part::End;
    QByteArray m_head;
    QByteArray m_line; // of a chunked body
    qint64 m_rest = 0; // of the body, or of this chunk
    bool m_isChunked = false;
    bool m_hasLength = false;
    bool m_hasConnection = false;
    bool m_isUpgraded = false;
};

#endif // QSSERESPONSEFRAMER_P_H
