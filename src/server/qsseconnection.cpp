// SPDX-License-Identifier: MIT
#include "qsseconnection_p.h"

#include <QtCore/QtGlobal>

#if QT_CONFIG(ssl)
#include <QtNetwork/QSslSocket>
#endif

#include <cerrno>
#include <limits>
#include <utility>
#ifdef Q_OS_UNIX
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>
#endif

namespace {
// Clients have nothing to say after the request; a small buffer keeps one that does harmless.
constexpr qint64 ReadBufferSize = 4096;

#if defined(Q_OS_UNIX) && !defined(MSG_NOSIGNAL)
constexpr int MSG_NOSIGNAL = 0; // QTcpSocket has set SO_NOSIGPIPE there
#endif
} // namespace

QSseJoin::~QSseJoin()
{
#ifdef Q_OS_UNIX
    if (descriptor >= 0)
        ::close(int(descriptor));
#endif
}

QSseConnection::QSseConnection(std::shared_ptr<QSseJoin> join)
    : m_join(std::move(join)), m_socket(m_join->socket.release()), m_hasFilter(m_join->filter)
{
    if (!m_socket) {
        m_socket = new QTcpSocket;
        if (m_socket->setSocketDescriptor(m_join->descriptor))
            m_descriptor = int(std::exchange(m_join->descriptor, -1));
    }
    m_socket->setReadBufferSize(ReadBufferSize);
    // An event must not wait until the one before it is acknowledged.
    m_socket->setSocketOption(QAbstractSocket::LowDelayOption, 1);
}

QSseConnection::~QSseConnection() = default;

qint64 QSseConnection::countQueuedBytes() const
{
    qint64 queued = m_socket->bytesToWrite();
#if QT_CONFIG(ssl)
    if (const auto *ssl = m_descriptor >= 0 ? nullptr : qobject_cast<const QSslSocket *>(m_socket))
        queued += ssl->encryptedBytesToWrite();
#endif
    m_hasQueue = queued > 0;
    return queued;
}

void QSseConnection::setAcknowledgeTimeout(std::chrono::milliseconds timeout)
{
#if defined(Q_OS_LINUX)
    const auto ms = uint(qBound(std::chrono::milliseconds::rep(0), timeout.count(),
                                std::chrono::milliseconds::rep(std::numeric_limits<int>::max())));
    ::setsockopt(int(m_socket->socketDescriptor()), IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
#else
    Q_UNUSED(timeout)
#endif
}

bool QSseConnection::wants(const QSseLoggedEvent &event) const
{
    return !m_hasFilter || m_join->filter(event.event, m_join->subscriber);
}

bool QSseConnection::canSendDirectly() const
{
    return m_descriptor >= 0 && !m_hasFilter && queuedBytes() == 0;
}

qint64 QSseConnection::sendDirectly(const QByteArray &bytes)
{
#ifdef Q_OS_UNIX
    ssize_t sent = 0;
    do {
        sent = ::send(m_descriptor, bytes.constData(), size_t(bytes.size()),
                      MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? 0 : sent;
#else
    Q_UNUSED(bytes)
    return 0;
#endif
}

bool QSseConnection::send(const QByteArray &bytes)
{
    // QTcpSocket::write() copies, and switches the write notifier on and off for each event.
    const bool isFree = m_descriptor >= 0 && queuedBytes() == 0;
    const qint64 sent = isFree ? sendDirectly(bytes) : 0;
    if (sent == bytes.size())
        return true;
    const qint64 rest = bytes.size() - sent;
    m_hasQueue = true;
    m_everQueued += rest;
    return sent >= 0 && m_socket->write(bytes.constData() + sent, rest) == rest;
}
