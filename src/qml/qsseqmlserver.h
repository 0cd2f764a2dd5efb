// SPDX-License-Identifier: MIT
#ifndef QSSEQMLSERVER_H
#define QSSEQMLSERVER_H

#include "qsse_qml_export.h"
#include "qssehttpserver.h"
#include "qsseserver.h"

#include <QtCore/QObject>
#include <QtCore/QUrl>
#include <QtCore/QVariant>
#include <QtQml/QQmlParserStatus>
#include <QtQml/qqml.h>

/*!
    The QML type SseServer: a QSseServer behind a QSseHttpServer with one event stream.

    \qml
    SseServer { id: server; port: 8080 }
    Button { onClicked: server.notify("fx/eur/usd", { rate: 1.0934 }) }
    \endqml

    It starts to listen when the component is complete, unless active is false.
*/
class QSSE_QML_EXPORT QSseQmlServer : public QObject, public QQmlParserStatus
{
    Q_OBJECT
    Q_INTERFACES(QQmlParserStatus)
    QML_NAMED_ELEMENT(SseServer)

    Q_PROPERTY(QString address READ address WRITE setAddress NOTIFY addressChanged FINAL)
    Q_PROPERTY(int port READ port WRITE setPort NOTIFY portChanged FINAL)
    Q_PROPERTY(QString path READ path WRITE setPath NOTIFY pathChanged FINAL)
    Q_PROPERTY(bool active READ isActive WRITE setActive NOTIFY activeChanged FINAL)
    Q_PROPERTY(int keepAliveInterval READ keepAliveInterval WRITE setKeepAliveInterval NOTIFY
                   keepAliveIntervalChanged FINAL)
    Q_PROPERTY(int retryInterval READ retryInterval WRITE setRetryInterval NOTIFY
                   retryIntervalChanged FINAL)
    Q_PROPERTY(
        int historySize READ historySize WRITE setHistorySize NOTIFY historySizeChanged FINAL)
    Q_PROPERTY(bool listening READ isListening NOTIFY listeningChanged FINAL)
    Q_PROPERTY(int serverPort READ serverPort NOTIFY listeningChanged FINAL)
    Q_PROPERTY(QUrl url READ url NOTIFY listeningChanged FINAL)
    Q_PROPERTY(int subscriberCount READ subscriberCount NOTIFY subscriberCountChanged FINAL)
    Q_PROPERTY(QString errorString READ errorString NOTIFY errorStringChanged FINAL)

public:
    explicit QSseQmlServer(QObject *parent = nullptr);
    ~QSseQmlServer() override;

    /*! Where to listen: an IP address, "localhost", or "*" for all interfaces. "127.0.0.1", so
        that nothing is reachable from outside unless asked for. A new one moves the server. */
    QString address() const { return m_address; }
    void setAddress(const QString &address);
    /*! The port to listen on, 8080; 0 for any free one, see serverPort. A new one moves the
        server; open streams go on. */
    int port() const { return m_port; }
    void setPort(int port);
    /*! The path of the event stream, "/events". Fixed once the component is complete, because a
        route cannot be taken back. */
    QString path() const { return m_path; }
    void setPath(const QString &path);
    /*! Whether it is to listen; setting it to false also ends all streams. */
    bool isActive() const { return m_active; }
    void setActive(bool active);

    /*! As QSseServer::keepAliveInterval(), in milliseconds. */
    int keepAliveInterval() const { return int(m_server.keepAliveInterval().count()); }
    void setKeepAliveInterval(int milliseconds);
    /*! As QSseServer::retryInterval(), in milliseconds. */
    int retryInterval() const { return int(m_server.retryInterval().count()); }
    void setRetryInterval(int milliseconds);
    /*! As QSseServer::historySize(). */
    int historySize() const { return m_server.historySize(); }
    void setHistorySize(int events) { m_server.setHistorySize(events); }

    bool isListening() const { return m_serverPort != 0; }
    /*! The port listened on, 0 while it does not listen. */
    int serverPort() const { return m_serverPort; }
    /*! The URL of the event stream, empty while it does not listen. */
    QUrl url() const;
    int subscriberCount() const { return m_server.subscriberCount(); }
    /*! Why it does not listen, empty when it does or need not. */
    QString errorString() const { return m_errorString; }

    /*! The server that publishes; for C++. Lives as long as this. */
    QSseServer *sseServer() { return &m_server; }
    /*! The HTTP server, to add routes to from C++. Lives as long as this. */
    QSseHttpServer *httpServer() { return &m_http; }

    /*! Publishes \a data under \a topic, as an event named \a event unless that is empty, and
        returns its id. Objects and arrays are sent as JSON. */
    Q_INVOKABLE QString notify(const QString &topic, const QVariant &data,
                               const QString &event = QString());
    /*! Ends every stream; the clients may reconnect and resume. */
    Q_INVOKABLE void disconnectAll() { m_server.disconnectAll(); }

    void classBegin() override { }
    void componentComplete() override;

Q_SIGNALS:
    /*! \a event was published under any topic. */
    void notified(const QSseEvent &event);
    /*! It could not listen, or something was refused; \a text is one line. */
    void errorOccurred(const QString &text);

    void addressChanged();
    void portChanged();
    void pathChanged();
    void activeChanged();
    void keepAliveIntervalChanged();
    void retryIntervalChanged();
    void historySizeChanged();
    void listeningChanged();
    void subscriberCountChanged();
    void errorStringChanged();

private:
    void update();
    void setState(quint16 serverPort, const QString &errorString);

    QSseServer m_server;
    QSseHttpServer m_http { &m_server };
    QString m_address = QStringLiteral("127.0.0.1");
    QString m_path = QStringLiteral("/events");
    QString m_errorString;
    int m_port = 8080;
    quint16 m_serverPort = 0;
    bool m_active = true;
    bool m_complete = false;
};

#endif // QSSEQMLSERVER_H
