// SPDX-License-Identifier: MIT
#ifndef SERVERPROCESS_H
#define SERVERPROCESS_H

#include "serve.h"

#include <QtCore/QProcess>

#include <chrono>
#include <ctime>
#include <optional>

/*! A contender in a process of its own, and what that uses up. */
class ServerProcess
{
public:
    ServerProcess(const QString &contender, const Load &load);
    ~ServerProcess();
    Q_DISABLE_COPY_MOVE(ServerProcess)

    /*! Waits until the contender listens. */
    bool waitForListening();
    quint16 port() const { return m_port; }

    void go();
    void stop();
    /*! The answer to stop(), once it is there. */
    std::optional<qint64> published();

    std::chrono::nanoseconds cpuTime() const;
    qint64 residentBytes() const { return statusBytes("VmRSS:"); }
    qint64 peakBytes() const { return statusBytes("VmHWM:"); }

private:
    qint64 statusBytes(const QByteArray &field) const;

    QProcess m_process;
    quint16 m_port = 0;
    qint64 m_pid = 0; // of the process to be measured
    clockid_t m_cpuClock = CLOCK_PROCESS_CPUTIME_ID;
};

/*! The CPU time that \a clock has counted. */
std::chrono::nanoseconds readClock(clockid_t clock);

#endif // SERVERPROCESS_H
