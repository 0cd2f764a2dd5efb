// SPDX-License-Identifier: MIT
#ifndef QSSEQMLTOPIC_H
#define QSSEQMLTOPIC_H

#include "qsse_qml_export.h"
#include "qsseevent.h"
#include "qsseqmlserver.h"
#include "qssetopic.h"

#include <QtCore/QObject>
#include <QtCore/QPointer>
#include <QtCore/QVariant>
#include <QtQml/QQmlParserStatus>
#include <QtQml/qqml.h>

/*!
    The QML type SseTopic: a binding that publishes.

    \qml
    SseTopic { server: server; name: "fx/eur/usd"; value: ticker.usd }
    \endqml

    Every change of value is published, and the last one is the topic's snapshot: what a client
    that subscribes later gets first. Use one SseTopic for a name.
*/
class QSSE_QML_EXPORT QSseQmlTopic : public QObject, public QQmlParserStatus
{
    Q_OBJECT
    Q_INTERFACES(QQmlParserStatus)
    QML_NAMED_ELEMENT(SseTopic)

    Q_PROPERTY(QSseQmlServer *server READ server WRITE setServer NOTIFY serverChanged FINAL)
    Q_PROPERTY(QString name READ name WRITE setName NOTIFY nameChanged FINAL)
    Q_PROPERTY(QString event READ event WRITE setEvent NOTIFY eventChanged FINAL)
    Q_PROPERTY(QVariant value READ value WRITE setValue NOTIFY valueChanged FINAL)

public:
    explicit QSseQmlTopic(QObject *parent = nullptr);
    /*! Takes the snapshot away with it; the topic and its history stay. */
    ~QSseQmlTopic() override;

    QSseQmlServer *server() const { return m_server; }
    void setServer(QSseQmlServer *server);
    /*! The topic's name, levels separated by '/'. */
    QString name() const { return m_name; }
    void setName(const QString &name);
    /*! The name of the events, empty for plain messages. */
    QString event() const { return m_event; }
    void setEvent(const QString &event);
    /*! What to publish: text, a number, a boolean, null, or an object or array, which are sent as
        JSON. Nothing is published while it is undefined. */
    QVariant value() const { return m_value; }
    void setValue(const QVariant &value);

    /*! Publishes \a value without a change of the property and returns the event's id. */
    Q_INVOKABLE QString notify(const QVariant &value);

    void classBegin() override { }
    void componentComplete() override;

Q_SIGNALS:
    /*! \a event was published under this topic, by this object or any other. */
    void notified(const QSseEvent &event);

    void serverChanged();
    void nameChanged();
    void eventChanged();
    void valueChanged();

private:
    void attach();
    void detach();

    QPointer<QSseQmlServer> m_server;
    QPointer<QSseTopic> m_topic;
    QString m_name;
    QString m_event;
    QVariant m_value;
    QSseEvent m_last;
    bool m_complete = false;
};

#endif // QSSEQMLTOPIC_H
