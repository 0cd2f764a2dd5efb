// SPDX-License-Identifier: MIT
#ifndef QSSEQMLEVENTSOURCE_H
#define QSSEQMLEVENTSOURCE_H

#include "qsse_qml_export.h"
#include "qsseeventsource.h"

#include <QtCore/QList>
#include <QtCore/QObject>
#include <QtCore/QPointer>
#include <QtCore/QTimer>
#include <QtCore/QUrl>
#include <QtCore/QVariant>
#include <QtQml/QJSValue>
#include <QtQml/QQmlListProperty>
#include <QtQml/QQmlParserStatus>
#include <QtQml/qqml.h>

class QSseQmlEventListener;
Q_MOC_INCLUDE("qsseqmleventlistener.h")

/*!
    The QML type EventSource: consumes an event stream, as the browser's EventSource does.

    \qml
    EventSource {
        url: "http://localhost:8080/events?topic=fx/eur/usd"
        headers: ({ Authorization: "Bearer " + session.token })
        onMessage: event => label.text = event.data

        EventListener { type: "rate"; onReceived: event => model.update(JSON.parse(event.data)) }
    }
    \endqml

    An event has the properties data, id and type, as in a browser. It connects once the event loop
    runs again, when all bindings to a value that changed have been evaluated. It may be destroyed
    at any time, and its connection ends with it.
*/
class QSSE_QML_EXPORT QSseQmlEventSource : public QObject, public QQmlParserStatus
{
    Q_OBJECT
    Q_INTERFACES(QQmlParserStatus)
    Q_CLASSINFO("DefaultProperty", "listeners")
    QML_NAMED_ELEMENT(EventSource)

    Q_PROPERTY(QUrl url READ url WRITE setUrl NOTIFY urlChanged FINAL)
    Q_PROPERTY(QVariantMap headers READ headers WRITE setHeaders NOTIFY headersChanged FINAL)
    Q_PROPERTY(QString method READ method WRITE setMethod NOTIFY methodChanged FINAL)
    Q_PROPERTY(QVariant body READ body WRITE setBody NOTIFY bodyChanged FINAL)
    Q_PROPERTY(bool active READ isActive WRITE setActive NOTIFY activeChanged FINAL)
    Q_PROPERTY(bool paused READ isPaused WRITE setPaused NOTIFY pausedChanged FINAL)
    Q_PROPERTY(ReadyState readyState READ readyState NOTIFY readyStateChanged FINAL)
    Q_PROPERTY(
        QString lastEventId READ lastEventId WRITE setLastEventId NOTIFY lastEventIdChanged FINAL)
    Q_PROPERTY(int reconnectionTime READ reconnectionTime WRITE setReconnectionTime NOTIFY
                   reconnectionTimeChanged FINAL)
    Q_PROPERTY(int maximumReconnectionTime READ maximumReconnectionTime WRITE
                   setMaximumReconnectionTime NOTIFY maximumReconnectionTimeChanged FINAL)
    Q_PROPERTY(int connectTimeout READ connectTimeout WRITE setConnectTimeout NOTIFY
                   connectTimeoutChanged FINAL)
    Q_PROPERTY(
        int readTimeout READ readTimeout WRITE setReadTimeout NOTIFY readTimeoutChanged FINAL)
    Q_PROPERTY(int maximumEventSize READ maximumEventSize WRITE setMaximumEventSize NOTIFY
                   maximumEventSizeChanged FINAL)
    Q_PROPERTY(Error error READ error NOTIFY errorChanged FINAL)
    Q_PROPERTY(QString errorString READ errorString NOTIFY errorChanged FINAL)
    Q_PROPERTY(int httpStatus READ httpStatus NOTIFY httpStatusChanged FINAL)
    Q_PROPERTY(QQmlListProperty<QSseQmlEventListener> listeners READ listeners FINAL)

public:
    /*! QSseEventSource::ReadyState, for QML. */
    enum ReadyState {
        Connecting = int(QSseEventSource::ReadyState::Connecting),
        Open = int(QSseEventSource::ReadyState::Open),
        Closed = int(QSseEventSource::ReadyState::Closed),
    };
    Q_ENUM(ReadyState)

    /*! QSseEventSource::Error, for QML: EventSource.NetworkError and so on. */
    enum Error {
        NoError = int(QSseEventSource::Error::NoError),
        NetworkError = int(QSseEventSource::Error::NetworkError),
        StreamEnded = int(QSseEventSource::Error::StreamEnded),
        ConnectTimeout = int(QSseEventSource::Error::ConnectTimeout),
        ReadTimeout = int(QSseEventSource::Error::ReadTimeout),
        EventTooLarge = int(QSseEventSource::Error::EventTooLarge),
        ContentEncodingError = int(QSseEventSource::Error::ContentEncodingError),
        NoContent = int(QSseEventSource::Error::NoContent),
        HttpStatusError = int(QSseEventSource::Error::HttpStatusError),
        ContentTypeError = int(QSseEventSource::Error::ContentTypeError),
        TlsError = int(QSseEventSource::Error::TlsError),
        RedirectError = int(QSseEventSource::Error::RedirectError),
        InvalidUrl = int(QSseEventSource::Error::InvalidUrl),
        ResponseRefused = int(QSseEventSource::Error::ResponseRefused),
    };
    Q_ENUM(Error)

    explicit QSseQmlEventSource(QObject *parent = nullptr);
    ~QSseQmlEventSource() override;

    /*! The stream's URL. A new one reconnects, and starts without a last event id: that belongs
        to the stream before. It waits while the URL is empty or relative. */
    QUrl url() const { return m_source.url(); }
    void setUrl(const QUrl &url);

    /*! The header fields to send: an object with a string for each name. One that is undefined or
        null is left out, and so is, with a warning, one that cannot be sent. Here and with method
        and body a new value takes effect at the next attempt to connect and does not end a stream
        that is open; restart() does. */
    QVariantMap headers() const { return m_headers; }
    void setHeaders(const QVariantMap &headers);
    /*! As QSseEventSource::method(): "GET" unless set. */
    QString method() const { return QString::fromLatin1(m_source.method()); }
    void setMethod(const QString &method) { m_source.setMethod(method.toUtf8()); }
    /*! What to send with each request: a string as it is, and anything else, such as an object or
        an array, as JSON. Undefined, the default, or null for nothing. The Content-Type is
        text/plain or application/json unless headers() has one. */
    QVariant body() const { return m_body; }
    void setBody(const QVariant &body);

    /*! Whether to be connected, true. Stays true when the server ended it for good; readyState
        tells. */
    bool isActive() const { return m_active; }
    void setActive(bool active);
    /*! As QSseEventSource::isPaused(). */
    bool isPaused() const { return m_source.isPaused(); }
    void setPaused(bool paused) { m_source.setPaused(paused); }
    ReadyState readyState() const { return m_readyState; }
    /*! As QSseEventSource::lastEventId(). */
    QString lastEventId() const { return m_source.lastEventId(); }
    void setLastEventId(const QString &id) { m_source.setLastEventId(id); }

    /*! As QSseEventSource::reconnectionTime(), in milliseconds. */
    int reconnectionTime() const;
    void setReconnectionTime(int milliseconds);
    /*! As QSseEventSource::maximumReconnectionTime(), in milliseconds. */
    int maximumReconnectionTime() const;
    void setMaximumReconnectionTime(int milliseconds);
    /*! As QSseEventSource::connectTimeout(), in milliseconds. */
    int connectTimeout() const;
    void setConnectTimeout(int milliseconds);
    /*! As QSseEventSource::readTimeout(), in milliseconds. */
    int readTimeout() const;
    void setReadTimeout(int milliseconds);
    /*! As QSseEventSource::maximumEventSize(), in bytes. */
    int maximumEventSize() const;
    void setMaximumEventSize(int bytes);

    /*! What went wrong last, NoError once a stream is open again. */
    Error error() const { return Error(m_source.error()); }
    /*! The same as one line of text. */
    QString errorString() const { return m_source.errorString(); }
    /*! The status of the latest answer, or 0 while there is none. */
    int httpStatus() const { return m_httpStatus; }

    /*! The EventListener objects inside this one. */
    QQmlListProperty<QSseQmlEventListener> listeners();

    /*! The source behind this, for what QML has no property for: TLS, proxy, cookies and handlers
        from C++. Its URL, and whether it is open, are for this object to say. */
    QSseEventSource *eventSource() { return &m_source; }

    /*! Calls \a listener for each event of \a type, until this or \a context is destroyed. Give
        the delegate as \a context when the function uses it and this object outlives it. An
        EventListener does the same in a declarative way. */
    Q_INVOKABLE void addEventListener(const QString &type, const QJSValue &listener,
                                      QObject *context = nullptr);
    /*! Takes back every addEventListener() of \a listener for \a type. */
    Q_INVOKABLE void removeEventListener(const QString &type, const QJSValue &listener);

    /*! Connects, also when the server had ended it; sets active. */
    Q_INVOKABLE void open();
    /*! Ends the connection; clears active. */
    Q_INVOKABLE void close() { setActive(false); }
    /*! Drops the connection, or the wait for one, and connects again with the last event id and
        what headers, method and body are now; sets active. */
    Q_INVOKABLE void restart();

    void classBegin() override { }
    void componentComplete() override;

Q_SIGNALS:
    /*! The stream is open; after a reconnect too. */
    void opened();
    /*! An event without a name came, or one named "message". */
    void message(const QSseEvent &event);
    /*! An event came, with or without a name; before message() and the listeners. */
    void eventReceived(const QSseEvent &event);
    /*! A comment came: servers send them to keep the connection alive. */
    void commentReceived(const QString &comment);
    /*! Something went wrong; \a text is one line. readyState tells whether it goes on. */
    void errorOccurred(QSseQmlEventSource::Error error, const QString &text);

    void urlChanged();
    void headersChanged();
    void methodChanged();
    void bodyChanged();
    void activeChanged();
    void pausedChanged();
    void readyStateChanged();
    void lastEventIdChanged();
    void reconnectionTimeChanged();
    void maximumReconnectionTimeChanged();
    void connectTimeoutChanged();
    void readTimeoutChanged();
    void maximumEventSizeChanged();
    void errorChanged();
    void httpStatusChanged();

private:
    struct Listener
    {
        QString type;
        QJSValue function;
        QMetaObject::Connection connection;
    };

    void forwardSignals();
    void updateRequest();
    void setHeader(QNetworkRequest &request, const QString &name, const QVariant &value);
    bool isWanted() const;
    void openSoon();
    void reconnectSoon();
    void updateState();
    void reportError(Error error, const QString &text);
    void forgetDisconnected();
    void call(const QJSValue &listener, const QSseEvent &event);

    QSseEventSource m_source;
    QTimer m_openTimer; // runs while an open() is due
    ReadyState m_readyState = Closed;
    int m_httpStatus = 0;

    QVariantMap m_headers;
    QVariant m_body;
    QList<QByteArray> m_headerNames; // those of the request that are ours

    QList<Listener> m_listeners;
    QList<QPointer<QSseQmlEventListener>> m_listenerObjects;

    bool m_active = true;
    bool m_complete = false;
};

#endif // QSSEQMLEVENTSOURCE_H
