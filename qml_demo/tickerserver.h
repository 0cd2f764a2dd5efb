// SPDX-License-Identifier: MIT
#ifndef TICKERSERVER_H
#define TICKERSERVER_H

#include "qssehttpserver.h"
#include "qsseserver.h"

#include <QtCore/QObject>
#include <QtCore/QTimer>
#include <QtCore/QUrl>
#include <QtQml/qqmlregistration.h>

class RateReplay;

/*!
    Publishes what a RateReplay ticks, each currency under a topic such as "fx/eur/usd", and serves
    the events and the web page that shows them.
*/
class TickerServer : public QObject
{
    Q_OBJECT
    QML_ELEMENT
    QML_UNCREATABLE("Made by the program")
    Q_PROPERTY(QUrl url READ url CONSTANT FINAL)
    Q_PROPERTY(int subscriberCount READ subscriberCount NOTIFY subscriberCountChanged FINAL)
    Q_PROPERTY(int eventsPerSecond READ eventsPerSecond NOTIFY eventsPerSecondChanged FINAL)

public:
    /*! The path of the event stream below url(). */
    static constexpr char StreamPath[] = "/events";

    explicit TickerServer(RateReplay *replay, QObject *parent = nullptr);

    /*! Returns whether it listens now; why not is in errorString(). */
    bool listen(const QHostAddress &address, quint16 port);
    QString errorString() const { return m_http.errorString(); }

    /*! Where the web page is. */
    QUrl url() const { return m_url; }
    int subscriberCount() const { return m_sse.subscriberCount(); }
    /*! How many events were published in the last second. */
    int eventsPerSecond() const { return m_eventsPerSecond; }

    /*! Ends every stream, as a network failure would. */
    Q_INVOKABLE void dropConnections() { m_sse.disconnectAll(); }

Q_SIGNALS:
    void subscriberCountChanged();
    void eventsPerSecondChanged();

private:
    void addPage();
    void publish(RateReplay *replay);

    QSseServer m_sse;
    QSseHttpServer m_http { &m_sse };
    QUrl m_url;
    QTimer m_second;
    int m_published = 0; // in the current second
    int m_eventsPerSecond = 0;
};

#endif // TICKERSERVER_H
