// SPDX-License-Identifier: MIT
#include "control.h"

#include <QtCore/QCoreApplication>

#include <cstdio>
#include <unistd.h>
#include <utility>

void Control::sayListening(quint16 port, qint64 process)
{
    std::printf("listening %u %lld\n", unsigned(port), static_cast<long long>(process));
    std::fflush(stdout);
}

void Control::sayPublished(qint64 count)
{
    std::printf("published %lld\n", static_cast<long long>(count));
    std::fflush(stdout);
}

bool Control::obey(const std::function<void()> &go, const std::function<void()> &stop)
{
    char bytes[64];
    const ssize_t size = ::read(STDIN_FILENO, bytes, sizeof(bytes));
    if (size <= 0)
        return false;
    // The driver says one thing at a time and waits for what comes of it.
    const QByteArray line = QByteArray(bytes, size).trimmed();
    if (line == "go")
        go();
    else if (line == "stop")
        stop();
    return true;
}

ControlledPublisher::ControlledPublisher(const Load &load, Publish publish)
    : m_publish(std::move(publish)), m_publisher(load), m_input(STDIN_FILENO, QSocketNotifier::Read)
{
    connect(&m_input, &QSocketNotifier::activated, this, &ControlledPublisher::obey);
    m_timer.setTimerType(Qt::PreciseTimer);
    connect(&m_timer, &QTimer::timeout, this, [this] { m_publisher.publishDue(m_publish); });
}

void ControlledPublisher::obey()
{
    const auto go = [this] {
        m_publisher.start();
        m_timer.start(m_publisher.interval());
    };
    const auto stop = [this] {
        m_timer.stop();
        Control::sayPublished(m_publisher.published());
    };
    if (!Control::obey(go, stop))
        QCoreApplication::quit();
}
