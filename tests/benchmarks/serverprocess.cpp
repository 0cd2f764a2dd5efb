// SPDX-License-Identifier: MIT
#include "serverprocess.h"

#include <QtCore/QCoreApplication>
#include <QtCore/QDeadlineTimer>
#include <QtCore/QFile>

#include <csignal>
#include <sys/prctl.h>

std::chrono::nanoseconds readClock(clockid_t clock)
{
    timespec time {};
    ::clock_gettime(clock, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

ServerProcess::ServerProcess(const QString &contender, const Load &load)
{
    m_process.setProcessChannelMode(QProcess::ForwardedErrorChannel);
    m_process.setChildProcessModifier([] { ::prctl(PR_SET_PDEATHSIG, SIGTERM); });
    m_process.start(QCoreApplication::applicationFilePath(), serveArguments(contender, load));
}

ServerProcess::~ServerProcess()
{
    m_process.closeWriteChannel();
    if (!m_process.waitForFinished(5000))
        m_process.kill();
    m_process.waitForFinished();
}

bool ServerProcess::waitForListening()
{
    const QDeadlineTimer deadline(20'000);
    while (!m_process.canReadLine()) {
        if (!m_process.waitForReadyRead(int(deadline.remainingTime())))
            return false;
    }
    const QList<QByteArray> words = m_process.readLine().trimmed().split(' ');
    m_port = words.value(1).toUShort();
    m_pid = words.value(2).toLongLong();
    return words.value(0) == "listening" && m_port != 0
        && ::clock_getcpuclockid(pid_t(m_pid), &m_cpuClock) == 0;
}

void ServerProcess::go()
{
    m_process.write("go\n");
    m_process.waitForBytesWritten();
}

void ServerProcess::stop()
{
    m_process.write("stop\n");
    m_process.waitForBytesWritten();
}

std::optional<qint64> ServerProcess::published()
{
    m_process.waitForReadyRead(0);
    if (!m_process.canReadLine())
        return std::nullopt;
    return m_process.readLine().trimmed().split(' ').value(1).toLongLong();
}

std::chrono::nanoseconds ServerProcess::cpuTime() const
{
    return readClock(m_cpuClock);
}

qint64 ServerProcess::statusBytes(const QByteArray &field) const
{
    QFile file(QStringLiteral("/proc/%1/status").arg(m_pid));
    if (!file.open(QIODevice::ReadOnly))
        return 0;
    for (const QByteArray &line : file.readAll().split('\n')) {
        if (line.startsWith(field))
            return line.mid(field.size()).simplified().split(' ').value(0).toLongLong() * 1024;
    }
    return 0;
}
