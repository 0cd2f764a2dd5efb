// SPDX-License-Identifier: MIT
#ifndef QSSEEVENTSOURCE_H
#define QSSEEVENTSOURCE_H

#include "qsse_client_export.h"
#include "qsseevent.h"

#include <QtCore/QObject>
#include <QtCore/QUrl>

#include <chrono>
#include <functional>
#include <memory>

class QNetworkAccessManager;
class QNetworkRequest;
class QSseEventSourcePrivate;

/*!
    Consumes an event stream: the EventSource of WHATWG HTML §9.2 for Qt programs.

    Connects to url() on open(), emits events as they come, and reconnects with Last-Event-ID when
    the connection is lost, until close() or until the server says that there is nothing to come
    back for (204, any other status than 200, or another content type). Lives in one thread with an
    event loop.

    Handlers of its signals may do anything with it: close() it, open() it again or delete it.
*/
class QSSE_CLIENT_EXPORT QSseEventSource : public QObject
{
    Q_OBJECT
    Q_PROPERTY(QUrl url READ url WRITE setUrl NOTIFY urlChanged)
    Q_PROPERTY(ReadyState readyState READ readyState NOTIFY readyStateChanged)
    Q_PROPERTY(QString lastEventId READ lastEventId WRITE setLastEventId NOTIFY lastEventIdChanged)
    Q_PROPERTY(std::chrono::milliseconds reconnectionTime READ reconnectionTime WRITE
                   setReconnectionTime NOTIFY reconnectionTimeChanged)

public:
    /*! The states of §9.2.2, with its numbers. */
    enum class ReadyState {
        Connecting = 0, //!< connecting for the first time, or waiting to reconnect
        Open = 1,       //!< the stream is being read
        Closed = 2,     //!< not connected and not trying to be
    };
    Q_ENUM(ReadyState)

    /*! What went wrong. After the first three the source goes on to reconnect, after the others it
        is closed. */
    enum class Error {
        NetworkError,     //!< the connection could not be made or broke
        StreamEnded,      //!< the server ended the stream
        EventTooLarge,    //!< an event exceeded maximumEventSize(); its connection is dropped
        HttpStatusError,  //!< the server answered with another status than 200
        ContentTypeError, //!< the answer is no text/event-stream
        TlsError,         //!< the server's certificate was not accepted
        RedirectError,    //!< too many redirects, or one to nowhere or from https to http
        InvalidUrl,       //!< the URL is not a valid http or https one
    };
    Q_ENUM(Error)

    explicit QSseEventSource(QObject *parent = nullptr);
    explicit QSseEventSource(const QUrl &url, QObject *parent = nullptr);
    /*! Closes without emitting anything. */
    ~QSseEventSource() override;

    /*! The http or https URL of the stream. A new one takes effect at the next open(). */
    QUrl url() const;
    void setUrl(const QUrl &url);

    ReadyState readyState() const;

    /*! The id sent as Last-Event-ID on the next connect, unless empty. Set by the stream; set it
        before open() to resume where an earlier run stopped. An id with a CR, LF or NUL cannot be
        sent and is not taken. */
    QString lastEventId() const;
    void setLastEventId(const QString &id);

    /*! How long to wait before a reconnect: 3 s until the stream's `retry:` sets another. While
        attempts fail the wait doubles, up to 30 s or this value if that is longer; it begins anew
        once a stream is open. Up to a fifth of every wait is taken off at random. */
    std::chrono::milliseconds reconnectionTime() const;
    void setReconnectionTime(std::chrono::milliseconds time);

    /*! The most bytes an event may have; 64 MiB unless set. */
    qsizetype maximumEventSize() const;
    void setMaximumEventSize(qsizetype bytes);

    /*! The manager requests go through; by default one of the source's own, because a manager
        opens no more than six connections to a host. One that is set takes effect at the next
        connect; it is not owned, lives in the source's thread and must outlive the source. Set
        nullptr to go back to the own one. */
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

Q_SIGNALS:
    void urlChanged();
    void readyStateChanged(QSseEventSource::ReadyState state);
    void lastEventIdChanged(const QString &id);
    void reconnectionTimeChanged();
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
