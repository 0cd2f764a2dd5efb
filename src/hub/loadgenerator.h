// SPDX-License-Identifier: MIT
#ifndef LOADGENERATOR_H
#define LOADGENERATOR_H

#include <QtCore/QElapsedTimer>
#include <QtCore/QObject>
#include <QtCore/QTimer>

#include <optional>

class QSseServer;

/*!
    Publishes events of a fixed size at a fixed rate, to load a server with.

    Each event's data begins with `t=<CLOCK_MONOTONIC in ns> `, so that a client on the same machine
    can tell how long the event was under way.
*/
class LoadGenerator : public QObject
{
    Q_OBJECT

public:
    struct Options
    {
        QString topic;
        double rate = 0; // events a second
        int bytes = 0;   // of data
    };
    /*! The smallest size that holds any timestamp. */
    static constexpr int MinimumBytes = 24;

    /*! Reads `topic=T,rate=R,bytes=B`; nothing, with one line in \a error, when it is not that. */
    static std::optional<Options> parse(const QString &text, QString *error);

    LoadGenerator(QSseServer *server, Options options, QObject *parent = nullptr);

private:
    void publishDue();

    QSseServer *const m_server;
    const Options m_options;
    QTimer m_timer;
    QElapsedTimer m_clock;
    qint64 m_published = 0;
};

#endif // LOADGENERATOR_H
