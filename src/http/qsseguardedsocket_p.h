// SPDX-License-Identifier: MIT
#ifndef QSSEGUARDEDSOCKET_P_H
#define QSSEGUARDEDSOCKET_P_H

#include "qsseconnectionguard_p.h"
#include "qsserequestframer_p.h"
#include "qsseresponse_p.h"
#include "qsseresponseframer_p.h"

#include <QtCore/QPointer>
#include <QtNetwork/QTcpSocket>

#include <memory>

/*!
    Stands in front of a network socket, as QSslSocket does in front of its plain one, and lets an
    HTTP server see complete requests alone, one at a time.

    The next request is read when the one before is answered and its answer is not still waiting
    for a client that does not read. It ends the connection when HTTP asks for it, so that the
    client gets all of the answer, and when the limits of its QSseConnectionGuard do. After an
    answer of 101 it is nothing but a pipe.

    Lives in the thread of its server, which it need not outlive nor be outlived by.
*/
class QSseGuardedSocket : public QTcpSocket
{
    Q_OBJECT

public:
    /*! Takes over \a network, which is connected and has no parent. */
    QSseGuardedSocket(std::unique_ptr<QTcpSocket> network, QSseConnectionGuard *guard,
                      QObject *parent);
    ~QSseGuardedSocket() override;

    /*! The one in this thread that was last read from; a server calls its handlers while it is the
        one with the request. */
    static QSseGuardedSocket *lastRead();

    /*! Gives the network socket away, with nothing connected to it and what the client has sent
        after the request dropped, and ends without a sound. Null when it is no longer connected. */
    QTcpSocket *takeNetworkSocket();
    /*! Whether a request was handed over and its answer is not complete. */
    bool isAnswering() const
    {
        return m_phase == Phase::Answering && !m_responseFramer.isComplete();
    }

    // For its guard.
    QSseConnectionGuard::Place &place() { return m_place; }
    /*! Answers what the client sent with \a status and the line \a text, and ends. */
    void refuse(int status, const QString &text, const QSseHeaders &headers = {});
    /*! The time for what the guard watches is over. */
    void timeOut();
    /*! Ends at once. */
    void cut();

    qint64 bytesAvailable() const override;
    qint64 bytesToWrite() const override;
    void disconnectFromHost() override;
    void close() override;
    qintptr socketDescriptor() const override;
    void setReadBufferSize(qint64 size) override;
    void setSocketOption(SocketOption option, const QVariant &value) override;
    QVariant socketOption(SocketOption option) override;
    bool waitForReadyRead(int msecs) override;
    bool waitForBytesWritten(int msecs) override;
    bool waitForDisconnected(int msecs) override;

protected:
    qint64 readData(char *data, qint64 maximum) override;
    qint64 skipData(qint64 maximum) override;
    qint64 writeData(const char *data, qint64 size) override;

private:
    enum class Phase {
        Waiting,   // for a request
        Answering, // a request is handed over
        Piping,    // HTTP is over
        Finishing, // what was answered is still to be sent
        Lingering, // until the client has ended its side
        Ended,
    };

    qint64 requestRest() const
    {
        return m_request.isEmpty() ? 0 : m_request.size() - m_requestRead;
    }
    void becomePipe();
    void onReadyRead();
    void onBytesWritten(qint64 bytes);
    void onDisconnected();
    void onError(SocketError error);
    void pump();
    void pumpLater();
    bool isReady();
    bool readRequest();
    bool countIncoming();
    void finish();
    void linger();
    void discardInput();
    void leave();
    void end();
    void finishWithoutMe();
    void updateWait(bool restart = false);
    void pauseReading(bool paused);

    std::unique_ptr<QTcpSocket> m_network;
    const bool m_isTls;
    QPointer<QSseConnectionGuard> m_guard;
    QSseConnectionGuard::Place m_place;
    QSseRequestFramer m_requestFramer;
    QSseResponseFramer m_responseFramer;
    Phase m_phase = Phase::Waiting;
    QByteArray m_request; // the one handed over, until it is read
    qint64 m_requestRead = 0;
    qint64 m_incoming = 0; // as the guard has counted it
    qint64 m_discarded = 0;
    bool m_isFirst = true;
    bool m_isRefused = false;
    bool m_isPumping = false;
    bool m_isPumpQueued = false;
    bool m_isPaused = false;
};

#endif // QSSEGUARDEDSOCKET_P_H
