// SPDX-License-Identifier: MIT
#ifndef CONTRACTSERVICE_H
#define CONTRACTSERVICE_H

#include <QtCore/QHash>
#include <QtHttpServer/QHttpServer>
#include <QtNetwork/QNetworkAccessManager>
#include <QtNetwork/QTcpServer>

class ReportedStream;

/*!
    What the harness talks to: it creates and deletes streams and gives them commands.

    `GET /` lists what is supported, `POST /` creates a stream and answers with its Location,
    `POST` and `DELETE` there command and delete it, `DELETE /` ends the service. Requests that are
    not valid get 400 with a line of text, streams that do not exist 404.
*/
class ContractService : public QObject
{
    Q_OBJECT

public:
    ContractService();

    /*! Listens on \a port of localhost, or one of the system's choice if that is 0. Returns the
        port, or 0 and has an errorString(). Once only. */
    quint16 listen(quint16 port);
    QString errorString() const { return m_tcp->errorString(); }

Q_SIGNALS:
    /*! The harness wants the service to end, and has its answer. */
    void finished();

private:
    QHttpServerResponse create(const QByteArray &body);
    QHttpServerResponse command(qint64 id, const QByteArray &body);
    QHttpServerResponse remove(qint64 id);
    void finish();

    QHttpServer m_http;
    QTcpServer *const m_tcp; // a child of m_http
    QNetworkAccessManager m_callbacks;
    QHash<qint64, ReportedStream *> m_streams;
    qint64 m_lastId = 0;
};

#endif // CONTRACTSERVICE_H
