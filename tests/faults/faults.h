// SPDX-License-Identifier: MIT
#ifndef FAULTS_H
#define FAULTS_H

#include <QtCore/QCoreApplication>
#include <QtCore/QDeadlineTimer>
#include <QtCore/QDir>
#include <QtCore/QFile>
#include <QtTest/QtTest>

#include <sys/resource.h>
#include <unistd.h>

/*! What the tests of faults and abuse share. */
namespace Faults {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
// Sanitizers keep what was freed and slow everything down: figures of memory and time mean nothing.
constexpr bool IsMeasuring = false;
#else
constexpr bool IsMeasuring = true;
#endif

/*! Whether QSSE_SOAK=1 asks for the long form. */
inline bool isLong()
{
    static const bool isSet = qEnvironmentVariableIntValue("QSSE_SOAK") != 0;
    return isSet;
}

/*! \a shortForm, or \a longForm where the long form is run. */
template<typename T> T form(T shortForm, T longForm)
{
    return isLong() ? longForm : shortForm;
}

constexpr qint64 KiB = 1024;
constexpr qint64 MiB = 1024 * KiB;

/*! What a process has taken of the system. */
struct Usage
{
    qint64 resident = 0; //!< bytes of memory
    int descriptors = 0;
};

inline Usage usageOf(qint64 process)
{
    const QString folder = QStringLiteral("/proc/%1/").arg(process);
    QFile memory(folder + QStringLiteral("statm"));
    Usage usage;
    if (memory.open(QIODevice::ReadOnly))
        usage.resident =
            memory.readAll().split(' ').value(1).toLongLong() * ::sysconf(_SC_PAGESIZE);
    usage.descriptors =
        int(QDir(folder + QStringLiteral("fd")).entryList(QDir::AllEntries | QDir::System).size())
        - 2;
    return usage;
}

/*! What \a process has when its descriptors have stayed the same for half a second, or after ten
    seconds. */
inline Usage settledUsageOf(qint64 process)
{
    const QDeadlineTimer deadline(10'000);
    Usage usage = usageOf(process);
    for (int unchanged = 0; unchanged < 10 && !deadline.hasExpired(); ++unchanged) {
        QTest::qWait(50);
        const int before = usage.descriptors;
        usage = usageOf(process);
        if (usage.descriptors != before)
            unchanged = 0;
    }
    return usage;
}

inline QByteArray inMiB(qint64 bytes)
{
    return QByteArray::number(double(bytes) / double(MiB), 'f', 1) + " MiB";
}

/*! Prepares the process: must come before QtTest looks. */
inline void prepare()
{
    qputenv("QTEST_FUNCTION_TIMEOUT", "86400000"); // ms; CTest has limits of its own
    rlimit limit {};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit); // children inherit it
}

/*! Runs the test class \a Test; what a test program's main() does. */
template<typename Test> int run(int argc, char **argv)
{
    prepare();
    QCoreApplication app(argc, argv);
    Test test;
    return QTest::qExec(&test, argc, argv);
}

} // namespace Faults

#endif // FAULTS_H
