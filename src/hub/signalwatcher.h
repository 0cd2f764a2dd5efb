// SPDX-License-Identifier: MIT
#ifndef SIGNALWATCHER_H
#define SIGNALWATCHER_H

#include <QtCore/QObject>
#include <QtCore/QSocketNotifier>

#include <memory>

/*! Turns SIGINT and SIGTERM into a Qt signal. One per process. */
class SignalWatcher : public QObject
{
    Q_OBJECT

public:
    explicit SignalWatcher(QObject *parent = nullptr);
    ~SignalWatcher() override;

Q_SIGNALS:
    void terminationRequested();

private:
    void handleActivated();

    std::unique_ptr<QSocketNotifier> m_notifier;
};

#endif // SIGNALWATCHER_H
