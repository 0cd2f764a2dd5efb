// SPDX-License-Identifier: MIT
#ifndef CONTROL_H
#define CONTROL_H

#include "publisher.h"

#include <QtCore/QObject>
#include <QtCore/QSocketNotifier>
#include <QtCore/QTimer>

#include <functional>

/*! The lines between the driver and a contender, see Contender. */
namespace Control {

void sayListening(quint16 port, qint64 process);
void sayPublished(qint64 count);

/*! Reads what the driver has said since. Calls \a go and \a stop, returns false at the end. */
bool obey(const std::function<void()> &go, const std::function<void()> &stop);

} // namespace Control

/*! Publishes in Qt's event loop when the driver says so; ends the loop when the driver is gone. */
class ControlledPublisher : public QObject
{
    Q_OBJECT

public:
    using Publish = std::function<void(int topic, qint64 number, const QByteArray &data)>;

    ControlledPublisher(const Load &load, Publish publish);

private:
    void obey();

    const Publish m_publish;
    Publisher m_publisher;
    QTimer m_timer;
    QSocketNotifier m_input;
};

#endif // CONTROL_H
