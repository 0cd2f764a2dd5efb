// SPDX-License-Identifier: MIT
#ifndef CHILDPROCESS_H
#define CHILDPROCESS_H

#include <QtCore/QProcess>
#include <QtTest/QTest>

#include <csignal>
#include <sys/resource.h>
#include <unistd.h>
#ifdef Q_OS_LINUX
#include <sys/prctl.h>
#endif

/*!
    A program a test runs: keeps what it prints and leads a process group of its own, which ends
    with this object or with the test, whatever the program started itself.
*/
class ChildProcess
{
public:
    ChildProcess(const QString &program, const QByteArrayList &arguments)
    {
        m_process.setProgram(program);
        QStringList list;
        for (const QByteArray &argument : arguments)
            list.append(QString::fromUtf8(argument));
        m_process.setArguments(list);
        m_process.setChildProcessModifier([this] {
            ::setpgid(0, 0);
            if (m_openFiles > 0) {
                const rlimit limit { m_openFiles, m_openFiles };
                ::setrlimit(RLIMIT_NOFILE, &limit);
            }
#ifdef Q_OS_LINUX
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
        });
        QObject::connect(&m_process, &QProcess::readyReadStandardOutput, &m_process,
                         [this] { m_output += m_process.readAllStandardOutput(); });
        QObject::connect(&m_process, &QProcess::readyReadStandardError, &m_process,
                         [this] { m_errors += m_process.readAllStandardError(); });
    }
    ~ChildProcess()
    {
        sendSignal(SIGKILL);
        m_process.waitForFinished();
    }
    Q_DISABLE_COPY_MOVE(ChildProcess)

    /*! Adds \a variables, each NAME=VALUE, to the program's environment; before it starts. */
    void setEnvironment(const QByteArrayList &variables)
    {
        QProcessEnvironment environment = QProcessEnvironment::systemEnvironment();
        for (const QByteArray &variable : variables) {
            const qsizetype equals = variable.indexOf('=');
            environment.insert(QString::fromUtf8(variable.left(equals)),
                               QString::fromUtf8(variable.mid(equals + 1)));
        }
        m_process.setProcessEnvironment(environment);
    }
    /*! Lets the program have \a count open files and no more; before it starts. */
    void setOpenFileLimit(rlim_t count)
    {
        m_openFiles = count;
    }
    /*! Starts the program with \a input to read. */
    void start(const QByteArray &input = {})
    {
        m_process.start();
        m_process.write(input);
        m_process.closeWriteChannel();
        m_process.waitForStarted();
        m_group = m_process.processId();
    }
    bool waitForFinished()
    {
        return QTest::qWaitFor([this] { return isFinished(); }, 20'000);
    }
    /*! Sends \a signal to the program and all it started. */
    void sendSignal(int signal)
    {
        if (m_group > 0)
            ::kill(pid_t(-m_group), signal);
    }

    QProcess &process()
    {
        return m_process;
    }
    bool isFinished() const
    {
        return m_process.state() == QProcess::NotRunning;
    }
    /*! The exit code, or -1 while the program runs, when it crashed or never started. */
    int exitCode() const
    {
        return m_group > 0 && isFinished() && m_process.exitStatus() == QProcess::NormalExit
            ? m_process.exitCode()
            : -1;
    }
    QByteArray output() const
    {
        return m_output;
    }
    QByteArray errors() const
    {
        return m_errors;
    }

private:
    QProcess m_process;
    QByteArray m_output;
    QByteArray m_errors;
    qint64 m_group = 0;
    rlim_t m_openFiles = 0; // 0 for as many as the test
};

#endif // CHILDPROCESS_H
