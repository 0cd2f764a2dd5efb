// SPDX-License-Identifier: MIT
#ifndef QSSEPARSER_H
#define QSSEPARSER_H

#include "qsseevent.h"

#include <memory>

class QSseParserPrivate;

/*!
    Reads an event stream piece by piece, as WHATWG HTML §9.2.6 interprets it.

    Used like QXmlStreamReader: give it bytes as they come with addData(), then call readNext()
    until it answers NoToken. Pieces may end anywhere, inside a CRLF, a UTF-8 sequence or the byte
    order mark too; the work is linear in the bytes added. Reentrant, not thread-safe.

    Memory is bounded: an event (its data so far and the line being read) larger than
    maximumEventSize() is an error.
*/
class QSSE_CORE_EXPORT QSseParser
{
public:
    /*! What readNext() found. */
    enum class Token {
        NoToken, //!< more data is needed
        Event,   //!< an event to dispatch: event()
        Comment, //!< a comment line: comment()
        Error,   //!< an event was too large; nothing more is read until reset()
    };

    QSseParser();
    ~QSseParser();
    Q_DISABLE_COPY_MOVE(QSseParser)

    /*! Appends \a data, which is shared rather than copied while nothing else is waiting. */
    void addData(const QByteArray &data);
    /*! Reads on to the next token. */
    Token readNext();

    /*! The event just read: type, data, and as id the last event id at this point of the stream,
        as in a browser's MessageEvent. A copy of it costs little and can be kept; what is not
        copied is overwritten by the next readNext(). */
    const QSseEvent &event() const;
    /*! The comment just read, UTF-8, without the colon and one space after it. */
    QByteArray comment() const;

    /*! The last event id: what a client sends when it reconnects. Set by each block that ends with
        a blank line, with or without data. UTF-8. */
    QByteArray lastEventId() const;
    /*! Sets the id a stream begins with, such as the one sent with the request. */
    void setLastEventId(const QByteArray &utf8);

    /*! The last `retry:` read, or a negative value when there was none. */
    std::chrono::milliseconds retry() const;

    /*! The most bytes that an event's data so far and the line being read, with the field's name,
        may have together; 64 MiB unless set. */
    qsizetype maximumEventSize() const;
    void setMaximumEventSize(qsizetype bytes);

    /*! Begins a new stream: drops what is unfinished, as at the end of a connection, and expects a
        byte order mark again. The last event id and the retry stay. */
    void reset();

private:
    std::unique_ptr<QSseParserPrivate> d;
};

#endif // QSSEPARSER_H
