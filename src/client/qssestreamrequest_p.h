// SPDX-License-Identifier: MIT
#ifndef QSSESTREAMREQUEST_P_H
#define QSSESTREAMREQUEST_P_H

#include "qsseeventsource.h"
#include "qsseinflater_p.h"

#include <QtCore/QElapsedTimer>
#include <QtCore/QLoggingCategory>
#include <QtCore/QPointer>
#include <QtCore/QTimer>
#include <QtNetwork/QNetworkReply>

#include <optional>

class QNetworkAccessManager;

Q_DECLARE_LOGGING_CATEGORY(lcClient)

/*!
    One attempt to open a stream and, once it is open, its bytes: sends the request, follows
    redirects, judges the answer and decodes what comes.

    Delete it with release() only, also in the handlers of its signals.
*/
class QSseStreamRequest : public QObject
{
    Q_OBJECT

public:
    using Error = QSseEventSource::Error;
    using ResponseHandler = std::function<bool(const QNetworkReply &)>;

    struct Failure
    {
        Error error;
        QString text;
    };

    static bool isHttpUrl(const QUrl &url);
    /*! \a url as it may be shown and logged. */
    static QString displayed(const QUrl &url);

    QSseStreamRequest(QNetworkAccessManager *manager, const QNetworkRequest &request,
                      const QByteArray &method, const QByteArray &body, QObject *parent);

    /*! 0 for ever, as everywhere here. */
    void setConnectTimeout(std::chrono::milliseconds time) { m_connectTimeout = time; }
    void setReadTimeout(std::chrono::milliseconds time);
    void setResponseHandler(const ResponseHandler &handler) { m_responseHandler = handler; }

    void send();
    /*! Ends it; nothing is emitted any more, and it is gone when control is back in the event loop.
     */
    void release();

    bool isOpen() const { return m_openFor.isValid(); }
    std::chrono::milliseconds openFor() const;
    bool isHttp2() const;
    /*! The status of the answer, 0 before it came. */
    int httpStatus() const { return m_status; }
    /*! How long the server asked to be left alone. */
    std::chrono::milliseconds retryAfter() const { return m_retryAfter; }

    /*! The next bytes of the open stream, not more than 256 KiB; empty when there are none now. */
    QByteArray read();
    /*! Why there is nothing more to come; set once all bytes have been read. */
    std::optional<Failure> failure();
    /*! Tells that no more is read until it is called with false; stops the read time-out. */
    void setPaused(bool paused);

Q_SIGNALS:
    void opened();
    /*! There may be something to read, or failure() to see. */
    void advanced();

private:
    void sendTo(const QNetworkRequest &request);
    QNetworkReply *start(const QNetworkRequest &request);
    void dropReply();

    void readHead();
    bool isRefused();
    std::optional<Failure> judge() const;
    void redirect();
    QNetworkRequest redirected(const QUrl &target);
    void open();
    void noteArrival();
    void checkSilence();
    void fail(Error error, const QString &text);
    Failure endOfReply() const;

    QPointer<QNetworkAccessManager> m_manager;
    QNetworkRequest m_request;
    QByteArray m_method;
    QByteArray m_body;
    ResponseHandler m_responseHandler;
    std::chrono::milliseconds m_connectTimeout { 0 };
    std::chrono::milliseconds m_readTimeout { 0 };

    QPointer<QNetworkReply> m_reply;
    QTimer m_timer; // of the head until the stream is open, of its silence afterwards
    QElapsedTimer m_openFor;
    QElapsedTimer m_lastArrival;
    std::optional<QSseInflater> m_inflater;
    std::optional<Failure> m_failure;
    std::chrono::milliseconds m_retryAfter { 0 };
    int m_status = 0;
    int m_redirects = 0;
    bool m_paused = false;
};

#endif // QSSESTREAMREQUEST_P_H
