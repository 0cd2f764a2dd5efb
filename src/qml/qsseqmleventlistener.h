// SPDX-License-Identifier: MIT
#ifndef QSSEQMLEVENTLISTENER_H
#define QSSEQMLEVENTLISTENER_H

#include "qsse_qml_export.h"
#include "qsseqmleventsource.h"

#include <QtCore/QObject>
#include <QtCore/QPointer>
#include <QtCore/QString>
#include <QtQml/qqml.h>

/*!
    The QML type EventListener: hears the events of one type.

    \qml
    EventSource {
        id: stream
        url: "http://localhost:8080/events?topic=fx/eur/usd"
        EventListener { type: "rate"; onReceived: event => label.text = event.data }
    }
    \endqml

    Inside an EventSource it listens to that one; anywhere else, such as in a delegate, say which
    with target. It may be destroyed at any time, and stops listening then.
*/
class QSSE_QML_EXPORT QSseQmlEventListener : public QObject
{
    Q_OBJECT
    QML_NAMED_ELEMENT(EventListener)

    Q_PROPERTY(QSseQmlEventSource *target READ target WRITE setTarget NOTIFY targetChanged FINAL)
    Q_PROPERTY(QString type READ type WRITE setType NOTIFY typeChanged FINAL)
    Q_PROPERTY(bool enabled READ isEnabled WRITE setEnabled NOTIFY enabledChanged FINAL)

public:
    explicit QSseQmlEventListener(QObject *parent = nullptr);
    ~QSseQmlEventListener() override;

    /*! The EventSource to listen to; not owned. Null for none, and once it was destroyed. */
    QSseQmlEventSource *target() const { return m_target; }
    void setTarget(QSseQmlEventSource *target);
    /*! The type of the events to hear: "message" unless set, which is also that of events without
        a name. */
    QString type() const { return m_type; }
    void setType(const QString &type);
    /*! Whether to listen, true. */
    bool isEnabled() const { return m_enabled; }
    void setEnabled(bool enabled);

Q_SIGNALS:
    /*! An event of the type came. */
    void received(const QSseEvent &event);

    void targetChanged();
    void typeChanged();
    void enabledChanged();

private:
    void listen();

    QPointer<QSseQmlEventSource> m_target;
    QMetaObject::Connection m_connection;
    QMetaObject::Connection m_targetDestroyed;
    QString m_type = QStringLiteral("message");
    bool m_enabled = true;
};

#endif // QSSEQMLEVENTLISTENER_H
