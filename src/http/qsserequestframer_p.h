// SPDX-License-Identifier: MIT
#ifndef QSSEREQUESTFRAMER_P_H
#define QSSEREQUESTFRAMER_P_H

#include <QtCore/QByteArray>
#include <QtCore/QByteArrayView>
#include <QtCore/QCoreApplication>
#include <QtCore/QString>

/*!
    Finds the end of each HTTP/1.x request (RFC 9112) in bytes that come in any pieces, and refuses
    what is too large, ambiguous or no request.

    What it hands on is written anew in a plain form that leaves a reader nothing to interpret:
    CRLF line ends, one Host, the body whole with one Content-Length and never in chunks, no Expect.
    A target's own authority takes the place of Host (RFC 9112 §3.2.2); the target is in absolute
    form where a reader would not understand it otherwise, and in origin form elsewhere.

    It does no more work than is linear in the bytes, and keeps no more than its limits allow. Used
    in one thread; knows no sockets.
*/
class QSseRequestFramer
{
    Q_DECLARE_TR_FUNCTIONS(QSse)

public:
    enum class State {
        Incomplete, //!< more bytes are needed
        Complete,   //!< takeRequest() has a request
        Refused,    //!< status() and reason() say why; nothing after it can be understood
    };

    /*! The most header fields of a request. Qt HttpServer would drop all of them when there are
        more than 100, the body's length among them. */
    static constexpr int MaximumFields = 96;
    /*! The most bytes of the line that has the size of a chunk. */
    static constexpr int MaximumChunkLine = 256;

    /*! For requests whose head has at most \a maximumHead bytes and whose body has at most
        \a maximumBody; \a scheme is "http" or "https". */
    QSseRequestFramer(qsizetype maximumHead, qsizetype maximumBody, const QByteArray &scheme);

    /*! Reads \a bytes and returns how many belong to the request: fewer than all when it ended, or
        was refused, before. */
    qsizetype addData(QByteArrayView bytes);

    State state() const { return m_state; }
    /*! The HTTP status to refuse with, and one line of text for it. */
    int status() const { return m_status; }
    QString reason() const { return m_reason; }

    /*! Whether any byte of the request has come; empty lines before it do not count. */
    bool hasBegun() const { return m_part != Part::RequestLine || !m_line.isEmpty(); }
    /*! Whether the client waits for "100 Continue" before it sends the body; true once. */
    bool takeExpectation();
    /*! How many bytes of the request are kept. */
    qsizetype keptBytes() const { return m_line.size() + m_fields.size() + m_body.size(); }

    // Of the request that is complete, or of the one refused as far as it was read.
    bool isHead() const { return m_method == "HEAD"; }
    bool isHttp10() const { return m_isHttp10; }
    bool asksForUpgrade() const { return m_hasUpgrade && m_connectionUpgrade; }
    /*! Whether the connection ends with the answer. */
    bool isLast() const { return m_connectionClose || (m_isHttp10 && !m_connectionKeepAlive); }

    /*! The complete request; the next begins then. */
    QByteArray takeRequest();
    /*! Forgets what has come. */
    void clear();

private:
    enum class Part { RequestLine, Field, Body, ChunkSize, Chunk, ChunkEnd, Trailer };

    qsizetype addLine(QByteArrayView bytes);
    qsizetype addBody(QByteArrayView bytes);
    bool isInChunkLine() const;
    qsizetype room() const;
    bool hasRoomFor(qsizetype bytes);
    void addPiece(QByteArrayView piece, bool isEnd);
    void endLine(QByteArrayView line);
    void readRequestLine(QByteArrayView line);
    bool readTarget(const QByteArray &target);
    bool readField(QByteArrayView line, QByteArrayView *name, QByteArrayView *value);
    void addField(QByteArrayView line);
    void readContentLength(QByteArrayView value);
    void readTransferEncoding(QByteArrayView value);
    void readConnection(QByteArrayView value);
    void endHead();
    void readChunkSize(QByteArrayView line);
    void refuse(int status, const QString &reason);
    void refuseBody();
    bool needsAbsoluteForm() const;

    qsizetype m_maximumHead;
    qsizetype m_maximumBody;
    QByteArray m_scheme;

    State m_state = State::Incomplete;
    Part m_part = Part::RequestLine;
    int m_status = 0;
    QString m_reason;

    QByteArray m_line; // as far as it has come
    qsizetype m_headSize = 0;
    QByteArray m_method;
    QByteArray m_target; // in origin form
    QByteArray m_authority;
    QByteArray m_host;
    QByteArray m_fields; // those that are handed on as they are
    QByteArray m_body;
    qsizetype m_bodyRest = 0; // of the body, or of this chunk
    qsizetype m_contentLength = -1;
    int m_fieldCount = 0;
    bool m_hasHost = false;
    bool m_isHttp10 = false;
    bool m_isChunked = false;
    bool m_expectsContinue = false;
    bool m_hasUpgrade = false;
    bool m_connectionClose = false;
    bool m_connectionKeepAlive = false;
    bool m_connectionUpgrade = false;
};

#endif // QSSEREQUESTFRAMER_P_H
