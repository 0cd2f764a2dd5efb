// SPDX-License-Identifier: MIT
#include "qsseguardedsocket_p.h"
#include "qsselistener_p.h"

#include <QtCore/QLoggingCategory>
#include <QtCore/QSocketNotifier>
#include <QtCore/QTimer>
#include <QtNetwork/QTcpSocket>

#if QT_CONFIG(ssl)
#include <QtNetwork/QSslSocket>
#endif

#ifdef Q_OS_UNIX
#include <cerrno>
#include <fcntl.h>
#include <sys/socket.h>
#endif

using namespace std::chrono_literals;

Q_DECLARE_LOGGING_CATEGORY(lcHttp)

namespace {
constexpr int TakenPerTurn = 32;
// After accept() failed, mostly for want of descriptors.
constexpr auto AcceptPause = 100ms;
// It goes on failing while others hold on to their descriptors; that need not fill the log.
constexpr auto WarningPause = 10s;
#ifdef Q_OS_UNIX
// The system keeps more than these waiting, up to the backlog.
constexpr size_t MaximumWaiting = 4096;

int acceptOne(int listening)
{
#ifdef Q_OS_LINUX
    return ::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC);
#else
    const int descriptor = ::accept(listening, nullptr, nullptr);
    if (descriptor >= 0)
        ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
    return descriptor;
#endif
}
#endif
} // namespace

QSseListener::QSseListener(QSseConnectionGuard *guard, QObject *parent)
    : QTcpServer(parent), m_guard(guard)
{
    connect(this, &QTcpServer::acceptError, this, &QSseListener::pause);
}

QSseListener::~QSseListener()
{
    for (const qintptr descriptor : m_waiting) {
        QTcpSocket socket; // the way to close a descriptor on every system
        socket.setSocketDescriptor(descriptor);
        socket.abort();
    }
}

// QTcpServer does not learn that accept() failed once it has found nothing to accept: its socket
// keeps the first error it ever had.
bool QSseListener::listen(const QHostAddress &address, quint16 port)
{
    if (!QTcpServer::listen(address, port))
        return false;
#ifdef Q_OS_UNIX
    pauseAccepting();
    m_notifier = std::make_unique<QSocketNotifier>(socketDescriptor(), QSocketNotifier::Read);
    m_notifier->setParent(this); // follows it into another thread
    connect(m_notifier.get(), &QSocketNotifier::activated, this, &QSseListener::acceptAll);
#endif
    return true;
}

void QSseListener::close()
{
    m_notifier.reset();
    QTcpServer::close();
}

void QSseListener::acceptAll()
{
#ifdef Q_OS_UNIX
    while (m_waiting.size() < MaximumWaiting) {
        const int descriptor = acceptOne(int(socketDescriptor()));
        if (descriptor >= 0) {
            incomingConnection(descriptor);
        } else if (errno != EINTR && errno != ECONNABORTED) {
            if (errno != EAGAIN && errno != EWOULDBLOCK)
                pause();
            return;
        }
    }
#endif
}

void QSseListener::pause()
{
    if (m_nextWarning.hasExpired()) {
        qCWarning(lcHttp, "cannot accept a connection: %ls", qUtf16Printable(qt_error_string()));
        m_nextWarning.setRemainingTime(WarningPause);
    }
    if (m_notifier)
        m_notifier->setEnabled(false);
    QTimer::singleShot(AcceptPause, this, [this] {
        if (m_notifier)
            m_notifier->setEnabled(true);
        else
            resumeAccepting();
    });
}

void QSseListener::incomingConnection(qintptr descriptor)
{
    m_waiting.push_back(descriptor);
    if (m_waiting.size() == 1)
        QMetaObject::invokeMethod(this, &QSseListener::takeSome, Qt::QueuedConnection);
}

void QSseListener::takeSome()
{
    for (int taken = 0; taken < TakenPerTurn && !m_waiting.empty(); ++taken) {
        const qintptr descriptor = m_waiting.front();
        m_waiting.pop_front();
        take(descriptor);
    }
    if (!m_waiting.empty())
        QMetaObject::invokeMethod(this, &QSseListener::takeSome, Qt::QueuedConnection);
}

void QSseListener::take(qintptr descriptor)
{
    std::unique_ptr<QTcpSocket> network = makeSocket();
    if (!network->setSocketDescriptor(descriptor))
        return;
    QTcpSocket *socket = network.get();
    auto *guarded = new QSseGuardedSocket(std::move(network), m_guard, this);
    if (!m_guard->admit(guarded))
        return;
#if QT_CONFIG(ssl)
    if (m_tls)
        static_cast<QSslSocket *>(socket)->startServerEncryption();
#else
    Q_UNUSED(socket)
#endif
    addPendingConnection(guarded);
}

std::unique_ptr<QTcpSocket> QSseListener::makeSocket() const
{
#if QT_CONFIG(ssl)
    if (m_tls) {
        auto socket = std::make_unique<QSslSocket>();
        socket->setSslConfiguration(*m_tls);
        return socket;
    }
#endif
    return std::make_unique<QTcpSocket>();
}

#if QT_CONFIG(ssl)
void QSseListener::setTls(const QSslConfiguration &configuration)
{
    m_tls = configuration;
    m_tls->setAllowedNextProtocols({ QByteArray(QSslConfiguration::NextProtocolHttp1_1) });
}
#endif
