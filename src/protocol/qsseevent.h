// SPDX-License-Identifier: MIT
#ifndef QSSEEVENT_H
#define QSSEEVENT_H

#include "qsse_core_export.h"

#include <QtCore/QByteArray>
#include <QtCore/QDateTime>
#include <QtCore/QJsonValue>
#include <QtCore/QMetaType>
#include <QtCore/QSharedDataPointer>
#include <QtCore/QString>
#include <QtCore/QStringList>

#include <chrono>

class QDebug;
class QSseEventPrivate;

/*!
    One Server-Sent Event: a value type, implicitly shared, reentrant.

    The fields comment, data, event, id and retry go on the wire as WHATWG HTML §9.2 has it; topic,
    occurredAt, ttl, source and transactionId belong to the event bus and stay in the process.

    Text is kept as UTF-8. What is not valid becomes U+FFFD as it is set, one for each maximal
    subpart of a sequence, as the WHATWG Encoding Standard decodes, and one for each lone surrogate;
    so what encode() gives is always valid.
*/
class QSSE_CORE_EXPORT QSseEvent
{
    Q_GADGET
    Q_PROPERTY(QString data READ data WRITE setData)
    Q_PROPERTY(QString event READ event WRITE setEvent)
    Q_PROPERTY(QString type READ type)
    Q_PROPERTY(QString id READ id WRITE setId)
    Q_PROPERTY(QString comment READ comment WRITE setComment)
    Q_PROPERTY(QString topic READ topic WRITE setTopic)

public:
    /*! Why an event cannot go on the wire. */
    enum class Error {
        NoError,
        MissingData,  //!< neither data nor a comment, an id or a retry is set
        InvalidEvent, //!< the event name has a CR or LF
        InvalidId,    //!< the id has a CR, LF or NUL
    };
    Q_ENUM(Error)

    /*! An event with nothing set: isNull(), and not valid until something is. */
    QSseEvent();
    /*! An event with \a data, which is UTF-8; valid data is shared, not copied. */
    explicit QSseEvent(const QByteArray &data);
    /*! \overload */
    explicit QSseEvent(const QString &data);
    /*! \overload \a data is NUL-terminated UTF-8. */
    explicit QSseEvent(const char *data);
    QSseEvent(const QSseEvent &other);
    QSseEvent(QSseEvent &&other) noexcept;
    QSseEvent &operator=(const QSseEvent &other);
    QSseEvent &operator=(QSseEvent &&other) noexcept;
    ~QSseEvent();

    void swap(QSseEvent &other) noexcept { d.swap(other.d); }

    /*! An event whose data is \a lines, one `data:` line each. */
    static QSseEvent fromLines(const QStringList &lines);
    /*! An event whose data is \a json in its compact form. */
    static QSseEvent fromJson(const QJsonValue &json);

    /*! Whether no field at all is set. */
    bool isNull() const;
    /*! What keeps this event off the wire, or NoError. */
    Error error() const;
    /*! One translated line for error(), empty when there is none. */
    QString errorString() const;
    /*! The bytes its comment, data, event and id take as UTF-8. */
    qsizetype size() const;
    /*! Whether encode() gives anything. */
    bool isValid() const { return error() == Error::NoError; }

    /*! Whether data is set; empty data is data too and is dispatched by clients. */
    bool hasData() const;
    QString data() const;
    void setData(const QString &data);
    /*! The data as it is kept: UTF-8, no conversion, no copy. */
    QByteArray dataUtf8() const;
    /*! Sets the data to \a utf8. A CR, LF or CRLF in it begins a new `data:` line; clients read
        each of them as one LF. */
    void setDataUtf8(const QByteArray &utf8);
    /*! The data read as JSON; undefined when it is none. */
    QJsonValue json() const;

    /*! The event name, empty for a plain message. */
    QString event() const;
    void setEvent(const QString &event);
    /*! event(), or "message" when that is empty: the type a client dispatches. */
    QString type() const;

    /*! The id a client sends back as Last-Event-ID; a null string for none. Ids of your own must
        be unique over all topics: a client resumes after the newest event that has its id. */
    QString id() const;
    void setId(const QString &id);
    /*! The id as it is kept: UTF-8, no conversion. Null when none is set. */
    QByteArray idUtf8() const;
    void setIdUtf8(const QByteArray &utf8);

    /*! A comment, which clients ignore; each of its lines goes on a line of its own. */
    QString comment() const;
    void setComment(const QString &comment);

    /*! How long a client waits before it reconnects, or a negative value for none. */
    std::chrono::milliseconds retry() const;
    void setRetry(std::chrono::milliseconds retry);

    /*! The topic the event was, or is to be, published under. */
    QString topic() const;
    void setTopic(const QString &topic);
    /*! When it happened, UTC; the server sets the time of publishing when it is not valid. */
    QDateTime occurredAt() const;
    void setOccurredAt(const QDateTime &occurredAt);
    /*! How long the event is worth keeping after occurredAt(), or a negative value for always. */
    std::chrono::milliseconds ttl() const;
    void setTtl(std::chrono::milliseconds ttl);
    /*! Who published it: any text of the application's. */
    QString source() const;
    void setSource(const QString &source);
    /*! What the event belongs to: any text of the application's. */
    QString transactionId() const;
    void setTransactionId(const QString &transactionId);

    /*! The event as it goes on the wire, with the blank line that ends it; empty when error().
        Fields come in the order comment, id, event, data, retry. */
    QByteArray encode() const { return encode(idUtf8()); }
    /*! The same with \a id in place of the event's own; a null \a id for none. Empty too when
        \a id has a CR, LF or NUL. */
    QByteArray encode(const QByteArray &id) const;

    friend QSSE_CORE_EXPORT bool operator==(const QSseEvent &a, const QSseEvent &b);
    friend bool operator!=(const QSseEvent &a, const QSseEvent &b) { return !(a == b); }

private:
    friend class QSseParserPrivate;
    QSharedDataPointer<QSseEventPrivate> d;
};

Q_DECLARE_SHARED(QSseEvent)

QSSE_CORE_EXPORT QDebug operator<<(QDebug debug, const QSseEvent &event);

#endif // QSSEEVENT_H
