// SPDX-License-Identifier: MIT
#ifndef QSSEEVENTSOURCE_H
#define QSSEEVENTSOURCE_H

#include "qsse_client_export.h"
#include "qsseevent.h"

#include <QtCore/QObject>
#include <QtCore/QUrl>
#include <QtNetwork/QNetworkRequest>

#include <chrono>
#include <functional>
#include <memory>

class QNetworkAccessManager;
class QNetworkReply;
class QSseEventSourcePrivate;

/*!
    Consumes an event stream: the EventSource of WHATWG HTML §9.2 for Qt programs.

    Connects to url() on open(), emits events as they come, and reconnects with Last-Event-ID when
    the connection is lost, until close() or until the server says that there is nothing to come
    back for (204, any other status than 200, or another content type). Lives in one thread with an
    event loop.

    Every attempt makes the same request anew: request(), method() and body(), with the fields
    `Accept: text/event-stream`, `Cache-Control: no-cache`, `Accept-Encoding: gzip` and `User-Agent:
    QSse/<version>` unless request() has others, and Last-Event-ID. At most 20 redirects are
    followed, as fetch does it: 303, and 301 or 302 after POST, go on with GET and without the body;
    Authorization and Cookie fields of request() do not go to another origin, and nothing goes from
    https to http. Errors of TLS are never ignored.

    Over plain HTTP each attempt is one request on a connection of its own, and the head of an
   answer may have 256 KiB. TLS, proxies and a manager that was set are Qt's business, which reads a
   head of up to 100 fields and 256 KiB, and sends a request again by itself, up to three times,
   when the connection is closed without an answer.

    Handlers of its signals may do anything with it: close() it, open() it again or delete it.
*/
class QSSE_CLIENT_EXPORT QSseEventSource : public QObject
{
    Q_OBJECT
    Q_PROPERTY(QUrl url READ url WRITE setUrl NOTIFY urlChanged)
    Q_PROPERTY(QByteArray method READ method WRITE setMethod NOTIFY methodChanged)
    Q_PROPERTY(QByteArray body READ body WRITE setBody NOTIFY bodyChanged)
    Q_PROPERTY(ReadyState readyState READ readyState NOTIFY readyStateChanged)
    Q_PROPERTY(bool paused READ isPaused WRITE setPaused NOTIFY pausedChanged)
    Q_PROPERTY(QString lastEventId READ lastEventId WRITE setLastEventId NOTIFY lastEventIdChanged)
    Q_PROPERTY(std::chrono::milliseconds reconnectionTime READ reconnectionTime WRITE
                   setReconnectionTime NOTIFY reconnectionTimeChanged)
    Q_PROPERTY(std::chrono::milliseconds maximumReconnectionTime READ maximumReconnectionTime WRITE
                   setMaximumReconnectionTime NOTIFY maximumReconnectionTimeChanged)
    Q_PROPERTY(std::chrono::milliseconds connectTimeout READ connectTimeout WRITE setConnectTimeout
                   NOTIFY connectTimeoutChanged)
    Q_PROPERTY(std::chrono::milliseconds readTimeout READ readTimeout WRITE setReadTimeout NOTIFY
                   readTimeoutChanged)
    Q_PROPERTY(Error error READ error NOTIFY errorChanged)
    Q_PROPERTY(QString errorString READ errorString NOTIFY errorChanged)

public:
    /*! The states of §9.2.2, with its numbers. */
    enum class ReadyState {
        Connecting = 0, //!< connecting for the first time, or waiting to reconnect
        Open = 1,       //!< the stream is being read
        Closed = 2,     //!< not connected and not trying to be
    };
    Q_ENUM(ReadyState)

    /*! What went wrong. After those up to ContentEncodingError the source goes on to reconnect,
        after the others it is closed, unless setReconnectHandler() decides otherwise. */
    enum class Error {
        NoError,
        NetworkError,         //!< the connection could not be made or broke
        StreamEnded,          //!< the server ended the stream
        ConnectTimeout,       //!< no answer within connectTimeout()
        ReadTimeout,          //!< not a byte within readTimeout()
        EventTooLarge,        //!< an event exceeded maximumEventSize(); its connection is dropped
        ContentEncodingError, //!< what came is not encoded as the server said

        NoContent,        //!< the server answered 204: there is nothing to come back for
        HttpStatusError,  //!< the server answered with another status than 200; see httpStatus()
        ContentTypeError, //!< the answer is no text/event-stream, or in a coding we do not know
        TlsError,         //!< the server's certificate was not accepted
        RedirectError,    //!< too many redirects, or one to nowhere or from https to http
        InvalidUrl,       //!< the URL is not a valid http or https one
        ResponseRefused,  //!< the response handler answered false
    };
    Q_ENUM(Error)

    explicit QSseEventSource(QObject *parent = nullptr);
    explicit QSseEventSource(const QUrl &url, QObject *parent = nullptr);
    explicit QSseEventSource(const QNetworkRequest &request, QObject *parent = nullptr);
    /*! Closes without emitting anything. */
    ~QSseEventSource() override;

    /*! The http or https URL of the stream, which is that of request(). A new one takes effect at
        the next open(). */
    QUrl url() const;
    void setUrl(const QUrl &url);

    /*! What every attempt is made from: the URL, header fields, TLS configuration and attributes,
        among them Http2AllowedAttribute. A new one takes effect at the next attempt, but for its
        URL. Its transfer time-out does not apply, see readTimeout(), nor does its redirect policy.
    */
    QNetworkRequest request() const;
    void setRequest(const QNetworkRequest &request);

    /*! The header field \a name of request(). Setting a null \a value takes it away. A field that
        cannot be sent, such as one with a line end in it, is left out of the request. */
    QByteArray rawHeader(const QByteArray &name) const;
    void setRawHeader(const QByteArray &name, const QByteArray &value);

    /*! The HTTP method, "GET" unless set. One that is no token of RFC 9110 is not taken. */
    QByteArray method() const;
    void setMethod(const QByteArray &method);
    /*! What is sent with each request, as the Content-Type that request() has says. Null, the
        default, for none. */
    QByteArray body() const;
    void setBody(const QByteArray &body);

    ReadyState readyState() const;

    /*! Whether the source is at rest: false. A paused source emits no events and stops reading, so
        that after 256 KiB and what the kernel holds the server has to wait. It goes on with what
        has come when it is no longer paused. HTTP/2 cannot be held up with Qt: there pausing ends
        the connection and going on makes a new one, with Last-Event-ID. */
    bool isPaused() const;
    void setPaused(bool paused);

    /*! The id sent as Last-Event-ID on the next connect, unless empty. Set by the stream; set it
        before open() to resume where an earlier run stopped. An id with a CR, LF or NUL cannot be
        sent and is not taken. */
    QString lastEventId() const;
    void setLastEventId(const QString &id);

    /*! How long to wait before a reconnect: 3 s until the stream's `retry:` sets another. While
        attempts fail the wait doubles, up to maximumReconnectionTime() or this value if that is
        longer. It begins anew after a stream that brought an event or was open for as long as the
        wait before it. Up to a fifth of every wait is taken off at random. After a Retry-After
        field the wait is at least what that says. */
    std::chrono::milliseconds reconnectionTime() const;
    void setReconnectionTime(std::chrono::milliseconds time);
    /*! How long the wait can become while attempts fail; 30 s unless set. */
    std::chrono::milliseconds maximumReconnectionTime() const;
    void setMaximumReconnectionTime(std::chrono::milliseconds time);

    /*! How long an attempt may take until the head of the answer is there, redirects included; 60 s
        unless set, 0 for ever. */
    std::chrono::milliseconds connectTimeout() const;
    void setConnectTimeout(std::chrono::milliseconds time);
    /*! How long an open stream may be silent, without even a comment, before it counts as lost; 5
        min unless set, 0 for ever. Does not run while paused. */
    std::chrono::milliseconds readTimeout() const;
    void setReadTimeout(std::chrono::milliseconds time);

    /*! The most bytes an event may have; 64 MiB unless set. */
    qsizetype maximumEventSize() const;
    void setMaximumEventSize(qsizetype bytes);

    /*! What went wrong last, NoError once a stream is open again. */
    Error error() const;
    /*! The same as one line of text. */
    QString errorString() const;
    /*! The status of the latest answer, or 0 while there is none. */
    int httpStatus() const;

    /*! Calls \a handler with the request before each attempt, not with those of redirects: to put a
        fresh token into it, for instance. It may change anything, the URL too, close() the source
        and delete it. */
    void setRequestHandler(std::function<void(QNetworkRequest &request)> handler);
    /*! Calls \a handler with each answer that is no redirect as soon as its head is there. When it
        returns false the answer is refused. It may close() the source and delete it. */
    void setResponseHandler(std::function<bool(const QNetworkReply &reply)> handler);
    /*! Lets \a handler decide whether to reconnect after an error, in place of the standard: true
        to do so. */
    void setReconnectHandler(std::function<bool(QSseEventSource::Error error)> handler);

    /*! The manager requests go through, with its proxy and cookies; by default one of the source's
        own, because a manager opens no more than six connections to a host. One that is set takes
        effect at the next connect; it is not owned, lives in the source's thread and must outlive
        the source. Set nullptr to go back to the own one. */
    QNetworkAccessManager *networkAccessManager() const;
    void setNetworkAccessManager(QNetworkAccessManager *manager);

    /*! Calls \a handler in the thread of \a context for each event of \a type, until \a context is
        destroyed or the connection is disconnected. The type of an event without a name is
        "message". */
    QMetaObject::Connection addEventListener(const QString &type, const QObject *context,
                                             std::function<void(const QSseEvent &)> handler);

public Q_SLOTS:
    /*! Starts connecting to url(); does nothing unless the state is Closed, in which it stays when
        the URL is not valid. */
    void open();
    /*! Ends the connection or the attempts to make one. Nothing is emitted after it but the change
        of state. */
    void close();
    /*! Drops the connection, or the wait for one, and connects to url() at once, with the last
        event id. */
    void restart();

Q_SIGNALS:
    void urlChanged();
    void methodChanged();
    void bodyChanged();
    void readyStateChanged(QSseEventSource::ReadyState state);
    void pausedChanged();
    void lastEventIdChanged(const QString &id);
    void reconnectionTimeChanged();
    void maximumReconnectionTimeChanged();
    void connectTimeoutChanged();
    void readTimeoutChanged();
    void errorChanged();
    /*! The stream is open; after a reconnect too. */
    void opened();
    /*! An event without a name came, or one named "message". */
    void messageReceived(const QSseEvent &event);
    /*! An event of any type came, before messageReceived() and the listeners of its type. */
    void eventReceived(const QSseEvent &event);
    /*! A comment came: servers send them to keep the connection alive. */
    void commentReceived(const QString &comment);
    /*! Something went wrong; \a text is one line. readyState() tells whether the source goes on. */
    void errorOccurred(QSseEventSource::Error error, const QString &text);
    /*! \internal What addEventListener() connects to: comes last of all for an event. */
    void eventDispatched(const QSseEvent &event, QPrivateSignal);

private:
    friend class QSseEventSourcePrivate;
    std::unique_ptr<QSseEventSourcePrivate> d;
};

#endif // QSSEEVENTSOURCE_H
