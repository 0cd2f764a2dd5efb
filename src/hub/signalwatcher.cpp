// SPDX-License-Identifier: MIT
#include "signalwatcher.h"

#include <csignal>

#ifdef Q_OS_UNIX
#include <sys/socket.h>
#include <unistd.h>
#endif

namespace {
#ifdef Q_OS_UNIX
// A signal handler may do next to nothing; writing a byte is allowed.
int pair[2] = { -1, -1 };

void handleSignal(int)
{
    const char byte = 1;
    [[maybe_unused]] const ssize_t written = ::write(pair[0], &byte, 1);
}
#endif
} // namespace

SignalWatcher::SignalWatcher(QObject *parent) : QObject(parent)
{
#ifdef Q_OS_UNIX
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        return;
    m_notifier = std::make_unique<QSocketNotifier>(pair[1], QSocketNotifier::Read);
    connect(m_notifier.get(), &QSocketNotifier::activated, this, &SignalWatcher::handleActivated);
    std::signal(SIGINT, handleSignal);
    std::signal(SIGTERM, handleSignal);
#endif
}

SignalWatcher::~SignalWatcher()
{
#ifdef Q_OS_UNIX
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
    m_notifier.reset();
    ::close(pair[0]);
    ::close(pair[1]);
#endif
}

void SignalWatcher::handleActivated()
{
#ifdef Q_OS_UNIX
    char byte;
    [[maybe_unused]] const ssize_t got = ::read(pair[1], &byte, 1);
#endif
    Q_EMIT terminationRequested();
}
