// SPDX-License-Identifier: MIT
#ifndef REFERENCE_H
#define REFERENCE_H

#include <QSseParser>

#include <QtCore/QByteArrayList>
#include <QtCore/QList>

/*! What a parser gives, and what it knows at that point of the stream. */
struct StreamToken
{
    QSseParser::Token kind;
    QByteArray text; // data or a comment
    QByteArray type;
    QByteArray lastEventId;
    qint64 retry;
};

bool operator==(const StreamToken &a, const StreamToken &b);

/*! What \a parser just answered with \a kind. */
StreamToken tokenOf(const QSseParser &parser, QSseParser::Token kind);

/*! The longest retry a parser gives, in milliseconds. */
inline constexpr qint64 LongestRetry = Q_INT64_C(999'999'999'999'999);

/*! \a bytes decoded as UTF-8 and encoded again, with one U+FFFD for each maximal subpart of what is
    not valid, as the WHATWG Encoding Standard has it. */
QByteArray decodedUtf8(const QByteArray &bytes);

/*! \a text at each CR, LF and CRLF; always one line at least, the last of them not ended. */
QByteArrayList linesOf(QByteArray text);

/*! A line's name and value, both empty in a blank one. A comment has an empty name. */
struct StreamField
{
    explicit StreamField(const QByteArray &line);

    QByteArray name;
    QByteArray value;
};

/*! Event streams as WHATWG HTML §9.2.6 says, in the plainest way: slow, and a whole stream at
    once. */
class ReferenceDecoder
{
public:
    explicit ReferenceDecoder(qsizetype maximumEventSize) : m_maximumEventSize(maximumEventSize) { }

    /*! All tokens of one connection, and last NoToken or Error for what it leaves behind. */
    QList<StreamToken> read(const QByteArray &stream);

private:
    void process(const QByteArray &line);
    void dispatch();
    StreamToken token(QSseParser::Token kind, const QByteArray &text = QByteArray(),
                      const QByteArray &type = QByteArray()) const;
    bool isTooLarge(const QByteArray &line) const;

    qsizetype m_maximumEventSize;
    QList<StreamToken> m_tokens;
    // The buffers of the specification.
    QByteArray m_data;
    QByteArray m_type;
    QByteArray m_id;
    QByteArray m_lastEventId;
    qint64 m_retry = -1;
};

#endif // REFERENCE_H
