// SPDX-License-Identifier: MIT
#ifndef REPORTEDSTREAM_H
#define REPORTEDSTREAM_H

#include <QSseEventSource>

#include <QtCore/QJsonValue>
#include <QtCore/QQueue>

class QNetworkAccessManager;
class QNetworkReply;

/*!
    An event stream whose events, comments and errors are reported to the harness.

    The reports are POSTed as JSON to `<callback URL>/1`, `/2` and so on, each once the one before
    has been answered. While sixteen of them wait the stream is paused. When a report fails the
    stream is closed and the rest is discarded, since the harness would wait for the missing one for
    ever.
*/
class ReportedStream : public QObject
{
    Q_OBJECT

public:
    /*! Reports through \a callbacks, which must outlive it. */
    explicit ReportedStream(QNetworkAccessManager *callbacks);

    /*! Opens the stream that \a json describes. Returns what is wrong with that, or nothing. */
    QString open(const QByteArray &json);
    /*! Does what the command \a json says. Returns what is wrong with it, or nothing. */
    QString obey(const QByteArray &json);
    /*! Closes the stream, and deletes itself when all that it received until now is reported. */
    void finish();

private:
    bool take(const QString &name, const QJsonValue &value);
    bool takeHeaders(const QJsonValue &value);

    void report(const QString &kind, const QJsonValue &content);
    void reportEvent(const QSseEvent &event);
    void post();
    void posted();

    QSseEventSource m_source;
    QNetworkAccessManager *const m_callbacks;
    QUrl m_callbackUrl;
    QQueue<QByteArray> m_reports; // the first is being posted
    QNetworkReply *m_reply = nullptr;
    int m_posted = 0;
    bool m_isFinished = false;
};

#endif // REPORTEDSTREAM_H
