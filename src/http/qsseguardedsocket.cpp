// SPDX-License-Identifier: MIT
#include "qsseguardedsocket_p.h"

#include <QtCore/QTimer>

#include <algorithm>
#include <utility>
#ifdef Q_OS_UNIX
#include <sys/socket.h>
#endif

#if QT_CONFIG(ssl)
#include <QtNetwork/QSslSocket>
#endif

using namespace std::chrono_literals;
using Wait = QSseConnectionGuard::Wait;

namespace {
// What the network socket may read ahead of us.
constexpr qint64 ReadSize = qint64(16) * 1024;
// With this there is never room for more.
constexpr qint64 ReadNothing = -1;
// No further request is read while more than this waits to be sent.
constexpr qint64 MaximumUnsent = qint64(64) * 1024;
// What is read and dropped so that an answer is not destroyed by a reset.
constexpr qint64 MaximumDiscarded = qint64(4) * 1024 * 1024;
constexpr auto UnwatchedTime = 30s;

thread_local QPointer<QSseGuardedSocket> lastReadSocket;

bool isTlsSocket(const QTcpSocket *socket)
{
#if QT_CONFIG(ssl)
    return qobject_cast<const QSslSocket *>(socket);
#else
    Q_UNUSED(socket)
    return false;
#endif
}

} // namespace

QSseGuardedSocket::QSseGuardedSocket(std::unique_ptr<QTcpSocket> network,
                                     QSseConnectionGuard *guard, QObject *parent)
    : QTcpSocket(parent), m_network(std::move(network)), m_isTls(isTlsSocket(m_network.get())),
      m_guard(guard), m_requestFramer(guard->limits().headSize, guard->limits().bodySize,
                                      m_isTls ? "https" : "http")
{
    setLocalAddress(m_network->localAddress());
    setLocalPort(m_network->localPort());
    setPeerAddress(m_network->peerAddress());
    setPeerPort(m_network->peerPort());
    setSocketState(ConnectedState);
    QIODevice::open(ReadWrite);

    QTcpSocket *socket = m_network.get();
    socket->setReadBufferSize(ReadSize);
    connect(socket, &QIODevice::readyRead, this, &QSseGuardedSocket::onReadyRead);
    connect(socket, &QIODevice::bytesWritten, this, &QSseGuardedSocket::onBytesWritten);
    connect(socket, &QAbstractSocket::disconnected, this, &QSseGuardedSocket::onDisconnected);
#if QT_CONFIG(ssl)
    if (auto *tls = qobject_cast<QSslSocket *>(socket)) {
        connect(tls, &QSslSocket::encryptedBytesWritten, this, [this] { onBytesWritten(0); });
    }
#endif
}

QSseGuardedSocket::~QSseGuardedSocket()
{
    setSocketState(UnconnectedState); // or QAbstractSocket would end a connection of its own
    leave();
    if (!m_network)
        return;
    m_network->disconnect(this);
    if (m_guard && QSseGuardedSocket::bytesToWrite() > 0 && m_network->state() == ConnectedState)
        finishWithoutMe();
    else if (m_isPumping)
        m_network.release()->deleteLater(); // it is the one that called us
}

QSseGuardedSocket *QSseGuardedSocket::lastRead()
{
    return lastReadSocket;
}

QTcpSocket *QSseGuardedSocket::takeNetworkSocket()
{
    if (!m_network || m_network->state() != ConnectedState || m_phase == Phase::Ended)
        return nullptr;
    m_network->disconnect(this);
    pauseReading(false);
    m_network->skip(m_network->bytesAvailable());
    QTcpSocket *socket = m_network.release();
    end();
    return socket;
}

void QSseGuardedSocket::refuse(int status, const QString &text, const QSseHeaders &headers)
{
#if QT_CONFIG(ssl)
    const auto *tls = qobject_cast<const QSslSocket *>(m_network.get());
    if (tls && !tls->isEncrypted()) {
        cut();
        return;
    }
#endif
    m_isRefused = true;
    QSseHeaders all = headers;
    all.emplaceBack("Connection", "close");
    const QByteArray body = QSsePrivate::textBody(text, &all);
    m_network->write(QSsePrivate::response(status, all, body, !m_requestFramer.isHead()));
    finish();
}

void QSseGuardedSocket::timeOut()
{
    if (m_place.wait == Wait::Request && m_requestFramer.hasBegun())
        refuse(408, tr("The request took too long"));
    else
        cut();
}

void QSseGuardedSocket::cut()
{
    if (m_network)
        m_network->abort();
    end();
}

qint64 QSseGuardedSocket::bytesAvailable() const
{
    const qint64 behind = m_phase == Phase::Piping ? m_network->bytesAvailable() : 0;
    return QTcpSocket::bytesAvailable() + requestRest() + behind;
}

qint64 QSseGuardedSocket::bytesToWrite() const
{
    if (!m_network)
        return 0;
    qint64 bytes = m_network->bytesToWrite();
#if QT_CONFIG(ssl)
    if (const auto *tls = qobject_cast<const QSslSocket *>(m_network.get()))
        bytes += tls->encryptedBytesToWrite();
#endif
    return bytes;
}

void QSseGuardedSocket::disconnectFromHost()
{
    if (m_phase == Phase::Piping) {
        setSocketState(ClosingState);
        m_network->disconnectFromHost();
    } else {
        finish();
    }
}

void QSseGuardedSocket::close()
{
    const bool isAborting = writeChannelCount() == 0; // as QAbstractSocket::abort() leaves it
    QIODevice::close(); // NOLINT(bugprone-parent-virtual-call): its own are not for us
    if (isAborting)
        cut();
    else
        disconnectFromHost();
}

qintptr QSseGuardedSocket::socketDescriptor() const
{
    return m_network ? m_network->socketDescriptor() : -1;
}

void QSseGuardedSocket::setReadBufferSize(qint64 size)
{
    if (m_phase == Phase::Piping)
        m_network->setReadBufferSize(size);
}

void QSseGuardedSocket::setSocketOption(SocketOption option, const QVariant &value)
{
    if (m_network)
        m_network->setSocketOption(option, value);
}

QVariant QSseGuardedSocket::socketOption(SocketOption option)
{
    return m_network ? m_network->socketOption(option) : QVariant();
}

bool QSseGuardedSocket::waitForReadyRead(int msecs)
{
    return m_phase == Phase::Piping && m_network->waitForReadyRead(msecs);
}

bool QSseGuardedSocket::waitForBytesWritten(int msecs)
{
    return m_network && m_network->waitForBytesWritten(msecs);
}

bool QSseGuardedSocket::waitForDisconnected(int msecs)
{
    return m_network && m_network->waitForDisconnected(msecs);
}

qint64 QSseGuardedSocket::readData(char *data, qint64 maximum)
{
    const qint64 count = std::min(maximum, requestRest());
    if (count > 0) {
        std::copy_n(m_request.constData() + m_requestRead, count, data);
        m_requestRead += count;
        if (requestRest() == 0)
            m_request.clear();
        lastReadSocket = this;
        return count;
    }
    if (m_phase == Phase::Piping)
        return m_network->read(data, maximum);
    return m_phase == Phase::Ended ? -1 : 0;
}

qint64 QSseGuardedSocket::skipData(qint64 maximum)
{
    return QIODevice::skipData(maximum); // NOLINT(bugprone-parent-virtual-call)
}

// What nobody asked for is dropped: the body of an answer to HEAD, or an answer to a client that
// has been refused or is gone.
qint64 QSseGuardedSocket::writeData(const char *data, qint64 size)
{
    if (m_phase == Phase::Ended)
        return -1;
    QByteArrayView rest(data, qsizetype(size));
    while (m_phase == Phase::Answering && !rest.isEmpty() && !m_responseFramer.isComplete()) {
        const QByteArrayView bytes = m_responseFramer.addData(&rest);
        if (!bytes.isEmpty())
            m_network->write(bytes.data(), bytes.size());
        if (m_responseFramer.isUpgraded())
            becomePipe();
    }
    if (m_phase == Phase::Piping && !rest.isEmpty())
        m_network->write(rest.data(), rest.size());
    // Not at once: whoever writes is not finished with us.
    if (m_responseFramer.isComplete() && !m_isPumping)
        pumpLater();
    return size;
}

void QSseGuardedSocket::becomePipe()
{
    m_phase = Phase::Piping;
    m_isPaused = false;
    m_network->setReadBufferSize(0); // as any QTcpSocket; whoever has it from now on may set it
    connect(m_network.get(), &QAbstractSocket::errorOccurred, this, &QSseGuardedSocket::onError);
}

void QSseGuardedSocket::onReadyRead()
{
    if (m_phase == Phase::Waiting && !m_isTls && bytesToWrite() == 0)
        pump();
    else if (m_phase == Phase::Waiting || m_phase == Phase::Answering)
        pumpLater();
    else if (m_phase == Phase::Piping)
        Q_EMIT readyRead();
    else
        discardInput();
}

void QSseGuardedSocket::onBytesWritten(qint64 bytes)
{
    if (bytes > 0)
        Q_EMIT bytesWritten(bytes);
    if (m_phase == Phase::Finishing && bytesToWrite() == 0)
        linger();
    else
        updateWait(true);
    if (m_phase == Phase::Waiting && m_network->bytesAvailable() > 0)
        pumpLater();
}

void QSseGuardedSocket::onDisconnected()
{
    end();
}

void QSseGuardedSocket::onError(SocketError error)
{
    setSocketError(error);
    setErrorString(m_network->errorString());
    Q_EMIT errorOccurred(error);
}

// Hands over one request after the other, as long as they are answered at once and their answers
// sent. One may take the network socket and move it to another thread as it is, when it does TLS or
// still has something to send; it must not be one of our callers then.
void QSseGuardedSocket::pump()
{
    if (m_isPumping)
        return;
    m_isPumping = true;
    const QPointer<QSseGuardedSocket> alive(this);
    while (isReady() && readRequest()) {
        Q_EMIT readyRead();
        if (!alive)
            return;
        if (m_network)
            m_network->flush();
        if (bytesToWrite() > 0) {
            pumpLater();
            break;
        }
    }
    m_isPumping = false;
    updateWait();
}

void QSseGuardedSocket::pumpLater()
{
    if (std::exchange(m_isPumpQueued, true))
        return;
    const auto pumpNow = [this] {
        m_isPumpQueued = false;
        pump();
    };
    QMetaObject::invokeMethod(this, pumpNow, Qt::QueuedConnection);
}

bool QSseGuardedSocket::isReady()
{
    if (m_phase == Phase::Answering && m_responseFramer.isComplete()) {
        m_phase = Phase::Waiting;
        if (m_responseFramer.isLast())
            finish();
    }
    return m_phase == Phase::Waiting && bytesToWrite() <= MaximumUnsent;
}

bool QSseGuardedSocket::readRequest()
{
    using State = QSseRequestFramer::State;
    while (m_requestFramer.state() == State::Incomplete && m_network->bytesAvailable() > 0) {
        // More than there is, or QSslSocket would not go on decrypting.
        char bytes[ReadSize];
        const qint64 count = m_network->peek(bytes, ReadSize);
        if (count <= 0)
            break;
        m_network->skip(m_requestFramer.addData(QByteArrayView(bytes, qsizetype(count))));
        if (!countIncoming()) {
            refuse(503, tr("Too much is being read at the moment"));
            return false;
        }
    }
    if (m_requestFramer.state() == State::Refused) {
        refuse(m_requestFramer.status(), m_requestFramer.reason());
        return false;
    }
    if (m_requestFramer.takeExpectation())
        m_network->write("HTTP/1.1 100 Continue\r\n\r\n");
    if (m_requestFramer.state() == State::Incomplete)
        return false;

    m_responseFramer.begin({ m_requestFramer.isHead(), m_requestFramer.isHttp10(),
                             m_requestFramer.isLast(), m_requestFramer.asksForUpgrade() });
    m_request = m_requestFramer.takeRequest();
    m_requestRead = 0;
    countIncoming();
    m_isFirst = false;
    m_phase = Phase::Answering;
    if (m_guard)
        m_guard->watch(this, Wait::Nothing);
    return true;
}

// Answers whether the sum over all connections is within its limit.
bool QSseGuardedSocket::countIncoming()
{
    const qint64 before = std::exchange(m_incoming, m_requestFramer.keptBytes());
    return !m_guard || m_guard->countIncoming(m_incoming - before);
}

void QSseGuardedSocket::finish()
{
    if (m_phase >= Phase::Finishing)
        return;
    m_phase = Phase::Finishing;
    setSocketState(ClosingState);
    m_requestFramer.clear();
    countIncoming();
    m_network->flush();
    if (m_phase == Phase::Finishing && bytesToWrite() == 0)
        linger();
    updateWait();
}

// RFC 9112 §9.6: closing while the client still sends would make its system drop our answer.
void QSseGuardedSocket::linger()
{
    m_phase = Phase::Lingering;
    bool hasEnded = false;
#ifdef Q_OS_UNIX
    if (!m_isTls)
        hasEnded = ::shutdown(int(m_network->socketDescriptor()), SHUT_WR) == 0;
#endif
    if (!hasEnded && !m_isRefused)
        m_network->disconnectFromHost();
    discardInput();
    updateWait();
}

void QSseGuardedSocket::discardInput()
{
    m_discarded += m_network->skip(m_network->bytesAvailable());
    if (m_discarded > MaximumDiscarded)
        cut();
}

void QSseGuardedSocket::leave()
{
    if (m_phase == Phase::Ended)
        return;
    m_phase = Phase::Ended;
    if (m_guard) {
        m_guard->countIncoming(-m_incoming);
        m_guard->leave(this);
    }
}

void QSseGuardedSocket::end()
{
    if (m_phase == Phase::Ended)
        return;
    leave();
    setSocketState(UnconnectedState);
    Q_EMIT stateChanged(UnconnectedState);
    Q_EMIT disconnected();
}

// A server may delete us when it has written all, before all is sent.
void QSseGuardedSocket::finishWithoutMe()
{
    QTcpSocket *socket = m_network.release();
    socket->setParent(m_guard);
    connect(socket, &QAbstractSocket::disconnected, socket, &QObject::deleteLater);
    QTimer::singleShot(UnwatchedTime, socket, [socket] { socket->abort(); });
    socket->disconnectFromHost();
}

void QSseGuardedSocket::updateWait(bool restart)
{
    if (!m_guard || m_phase == Phase::Ended)
        return;
    Wait wait = Wait::Nothing;
    if (m_phase == Phase::Lingering)
        wait = Wait::Linger;
    else if (m_phase != Phase::Piping && bytesToWrite() > 0)
        wait = Wait::Writing;
    else if (m_phase == Phase::Waiting)
        wait = m_isFirst || m_requestFramer.hasBegun() ? Wait::Request : Wait::Idle;
    m_guard->watch(this, wait, restart && wait == Wait::Writing);
    // A refused client's rest is drained even while the answer waits.
    const bool mustAnswer = m_phase == Phase::Answering || wait == Wait::Writing;
    if (m_phase != Phase::Piping)
        pauseReading(mustAnswer && !m_isRefused);
}

// QTcpSocket takes the end of the client's side, which it may announce right after its request,
// for the end of the connection, and drops what waits to be written.
void QSseGuardedSocket::pauseReading(bool paused)
{
    if (m_isPaused == paused)
        return;
    m_isPaused = paused;
    m_network->setReadBufferSize(paused ? ReadNothing : ReadSize);
    char byte = 0;
    if (!paused)
        m_network->peek(&byte, 1); // or QSslSocket would not go on decrypting
}
