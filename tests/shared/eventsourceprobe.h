// SPDX-License-Identifier: MIT
#ifndef EVENTSOURCEPROBE_H
#define EVENTSOURCEPROBE_H

#include <QSseEventSource>

#include <QtCore/QList>
#include <QtCore/QStringList>
#include <QtCore/QTimer>

/*! A source with everything it emits written down, and a short wait before it reconnects. */
class EventSourceProbe : public QSseEventSource
{
public:
    explicit EventSourceProbe(const QUrl &url) : EventSourceProbe(QNetworkRequest(url)) { }
    explicit EventSourceProbe(const QNetworkRequest &request) : QSseEventSource(request)
    {
        setReconnectionTime(std::chrono::milliseconds(1));
        connect(this, &QSseEventSource::readyStateChanged, this,
                [this](ReadyState state) { states << state; });
        connect(this, &QSseEventSource::opened, this, [this] { log << QStringLiteral("opened"); });
        connect(this, &QSseEventSource::eventReceived, this,
                [this](const QSseEvent &event) { events << event; });
        connect(this, &QSseEventSource::errorOccurred, this,
                [this](Error error, const QString &text) {
                    errors << error;
                    errorText = text;
                });
    }

    bool isWaiting() const { return timer()->isActive(); }
    int remainingWait() const { return timer()->remainingTime(); }

    QStringList data() const
    {
        QStringList all;
        for (const QSseEvent &event : events)
            all << event.data();
        return all;
    }

    QList<ReadyState> states;
    QList<QSseEvent> events;
    QList<Error> errors;
    QString errorText;
    QStringList log;

private:
    // Those of its requests are further down.
    const QTimer *timer() const
    {
        return findChild<QTimer *>(QString(), Qt::FindDirectChildrenOnly);
    }
};

#endif // EVENTSOURCEPROBE_H
