// SPDX-License-Identifier: MIT
#include "qsselistener_p.h"

#include <QtCore/QLoggingCategory>
#include <QtCore/QTimer>
#include <QtNetwork/QTcpSocket>

using namespace std::chrono_literals;

Q_DECLARE_LOGGING_CATEGORY(lcHttp)

namespace {
constexpr int TakenPerTurn = 32;
// After accept() failed, mostly for want of descriptors.
constexpr auto AcceptPause = 100ms;
} // namespace

QSseListener::QSseListener(QObject *parent) : QTcpServer(parent)
{
    // QTcpServer stops for good when accept() fails.
    connect(this, &QTcpServer::acceptError, this, [this] {
        qCWarning(lcHttp, "cannot accept a connection: %ls", qUtf16Printable(errorString()));
        QTimer::singleShot(AcceptPause, this, &QTcpServer::resumeAccepting);
    });
}

QSseListener::~QSseListener()
{
    for (const qintptr descriptor : m_waiting) {
        QTcpSocket socket; // the way to close a descriptor on every system
        socket.setSocketDescriptor(descriptor);
        socket.abort();
    }
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
        QTcpServer::incomingConnection(descriptor);
    }
    if (!m_waiting.empty())
        QMetaObject::invokeMethod(this, &QSseListener::takeSome, Qt::QueuedConnection);
}
