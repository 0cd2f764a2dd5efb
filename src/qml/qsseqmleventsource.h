// SPDX-License-Identifier: MIT
#ifndef QSSEQMLEVENTSOURCE_H
#define QSSEQMLEVENTSOURCE_H

#include "qsse_qml_export.h"
#include "qsseeventsource.h"

#include <QtCore/QList>
#include <QtCore/QObject>
#include <QtCore/QPointer>
#include <QtCore/QUrl>
#include <QtQml/QJSValue>
#include <QtQml/QQmlParserStatus>
#include <QtQml/qqml.h>

/*!
    The QML type EventSource: consumes an event stream, as the browser's EventSource does.

    \qml
    EventSource {
        url: "http://localhost:8080/events?topic=fx/eur/usd"
        onMessage: event => label.text = event.data
    }
    \endqml

    An event has the properties data, id and type, as in a browser.
*/
class QSSE_QML_EXPORT QSseQmlEventSource : public QObject, public QQmlParserStatus
{
    Q_OBJECT
    Q_INTERFACES(QQmlParserStatus)
    QML_NAMED_ELEMENT(EventSource)

    Q_PROPERTY(QUrl url READ url WRITE setUrl NOTIFY urlChanged FINAL)
    Q_PROPERTY(bool active READ isActive WRITE setActive NOTIFY activeChanged FINAL)
    Q_PROPERTY(ReadyState readyState READ readyState NOTIFY readyStateChanged FINAL)
    Q_PROPERTY(
        QString lastEventId READ lastEventId WRITE setLastEventId NOTIFY lastEventIdChanged FINAL)
    Q_PROPERTY(int reconnectionTime READ reconnectionTime WRITE setReconnectionTime NOTIFY
                   reconnectionTimeChanged FINAL)

public:
    /*! QSseEventSource::ReadyState, for QML. */
    enum ReadyState {
        Connecting = int(QSseEventSource::ReadyState::Connecting),
        Open = int(QSseEventSource::ReadyState::Open),
        Closed = int(QSseEventSource::ReadyState::Closed),
    };
    Q_ENUM(ReadyState)

    explicit QSseQmlEventSource(QObject *parent = nullptr);
    ~QSseQmlEventSource() override;

    /*! The stream's URL. A new one reconnects, and starts without a last event id: that belongs
        to the stream before. It waits while the URL is empty or relative. */
    QUrl url() const { return m_source.url(); }
    void setUrl(const QUrl &url);
    /*! Whether to be connected, true. Stays true when the server ended it for good; readyState
        tells. */
    bool isActive() const { return m_active; }
    void setActive(bool active);
    ReadyState readyState() const { return ReadyState(m_source.readyState()); }
    /*! As QSseEventSource::lastEventId(). */
    QString lastEventId() const { return m_source.lastEventId(); }
    void setLastEventId(const QString &id) { m_source.setLastEventId(id); }
    /*! As QSseEventSource::reconnectionTime(), in milliseconds. */
    int reconnectionTime() const { return int(m_source.reconnectionTime().count()); }
    void setReconnectionTime(int milliseconds);

    /*! Calls \a listener for each event of \a type, until this or \a context is destroyed. Give
        the delegate as \a context when the function uses it and this object outlives it. */
    Q_INVOKABLE void addEventListener(const QString &type, const QJSValue &listener,
                                      QObject *context = nullptr);
    /*! Takes back an addEventListener() with the same arguments. */
    Q_INVOKABLE void removeEventListener(const QString &type, const QJSValue &listener);

    /*! Connects, also when the server had ended it; sets active. */
    Q_INVOKABLE void open();
    /*! Ends the connection; clears active. */
    Q_INVOKABLE void close() { setActive(false); }

    void classBegin() override { }
    void componentComplete() override;

Q_SIGNALS:
    /*! The stream is open; after a reconnect too. */
    void opened();
    /*! An event without a name came. */
    void message(const QSseEvent &event);
    /*! An event came, with or without a name; before message() and the listeners. */
    void eventReceived(const QSseEvent &event);
    /*! Something went wrong; \a text is one line. readyState tells whether it goes on. */
    void errorOccurred(const QString &text);

    void urlChanged();
    void activeChanged();
    void readyStateChanged();
    void lastEventIdChanged();
    void reconnectionTimeChanged();

private:
    struct Listener
    {
        QString type;
        QJSValue function;
        QPointer<QObject> context;
        bool hasContext;
    };

    void openIfWanted();
    void dispatch(const QSseEvent &event);
    void callListeners(const QSseEvent &event);

    QSseEventSource m_source;
    QList<Listener> m_listeners;

    bool m_active = true;
    bool m_complete = false;
};

#endif // QSSEQMLEVENTSOURCE_H
