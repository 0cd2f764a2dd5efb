// SPDX-License-Identifier: MIT
#ifndef QSSEPLAINREPLY_P_H
#define QSSEPLAINREPLY_P_H

#include "qsseresponsereader_p.h"

#include <QtNetwork/QNetworkReply>

class QNetworkCookieJar;
class QTcpSocket;

/*!
    The answer to one request over plain HTTP/1.1, on a connection of its own in the thread it
    lives in. Asks once: a server that does not answer is an error.

    Not for proxies and not for URLs with a user.
*/
class QSsePlainReply : public QNetworkReply
{
    Q_OBJECT

public:
    /*! \a jar, which may be null, gives and gets cookies unless \a request has it otherwise. */
    QSsePlainReply(const QNetworkRequest &request, const QByteArray &method, const QByteArray &body,
                   QNetworkCookieJar *jar, QObject *parent);

    void abort() override;
    void close() override { abort(); }
    bool isSequential() const override { return true; }
    qint64 bytesAvailable() const override;
    void setReadBufferSize(qint64 size) override;

protected:
    qint64 readData(char *data, qint64 maximum) override;

private:
    QByteArray head(const QByteArray &method, qsizetype bodySize) const;
    bool uses(QNetworkRequest::Attribute cookieControl) const;
    void advance();
    void endHead();
    void checkEnd();
    void finish(NetworkError error, const QString &text);

    QTcpSocket *m_socket;
    QNetworkCookieJar *m_jar;
    QSseResponseReader m_reader;
    QByteArray m_body;      // not read yet
    qsizetype m_offset = 0; // of what was read of it
};

#endif // QSSEPLAINREPLY_P_H
