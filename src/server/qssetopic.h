// SPDX-License-Identifier: MIT
#ifndef QSSETOPIC_H
#define QSSETOPIC_H

#include "qsse_server_export.h"
#include "qsseevent.h"
#include "qsseeventlog.h"

#include <QtCore/QJsonArray>
#include <QtCore/QJsonObject>
#include <QtCore/QObject>

#include <functional>
#include <memory>

class QSseServer;
class QSseTopicPrivate;

/*!
    One topic of a server, made to be connected to: its notify() slots publish, its notified()
    signal tells what was published. Made and owned by QSseServer::topic(); lives in the server's
    thread. The notify() slots may be called from any thread.
*/
class QSSE_SERVER_EXPORT QSseTopic : public QObject
{
    Q_OBJECT
    Q_PROPERTY(QString name READ name CONSTANT)

public:
    ~QSseTopic() override;

    QString name() const;
    QSseServer *server() const;

    /*! How much of this topic the server's log keeps: what it keeps of every topic, unless the
       topic is given a retention of its own. Thread-safe. */
    QSseRetention retention() const;
    void setRetention(const QSseRetention &retention);

    /*! Gives every new subscriber of this topic the current state before any live event.
        \a snapshot is called in the server's thread for each of them; it must return the state
        after the last event published, or a null event for none, and may be called again when
        the topic was published to meanwhile. A publisher in another thread changes the state and
        calls notify() under a lock that \a snapshot takes too; then no event is lost and none
        comes twice. A snapshot carries no id: one set by it is taken off. */
    void setSnapshot(std::function<QSseEvent()> snapshot);
    /*! The current snapshot, a null event when none is set. Call in the server's thread. */
    QSseEvent snapshot() const;

public Q_SLOTS:
    /*! Publishes \a event under this topic; as QSseServer::notify(). Returns its id. */
    QString notify(const QSseEvent &event);
    /*! Publishes \a text. */
    QString notify(const QString &text);
    /*! Publishes \a number in the shortest form that reads back as the same. */
    QString notify(double number);
    QString notify(int number);
    QString notify(qint64 number);
    /*! Publishes \a json in its compact form. */
    QString notify(const QJsonObject &json);
    QString notify(const QJsonArray &json);

Q_SIGNALS:
    /*! \a event was published under this topic; emitted in the server's thread, in order. */
    void notified(const QSseEvent &event);

protected:
    void connectNotify(const QMetaMethod &signal) override;

private:
    friend class QSseServer;
    QSseTopic(const QString &name, QSseServer *server);
    std::unique_ptr<QSseTopicPrivate> d;
};

#endif // QSSETOPIC_H
