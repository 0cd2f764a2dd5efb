// SPDX-License-Identifier: MIT
#include "qssestreamrequest_p.h"

#include <QtCore/QDateTime>
#include <QtCore/QLocale>
#include <QtCore/QTimeZone>
#include <QtNetwork/QNetworkAccessManager>

#include <algorithm>

using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {
constexpr int MaximumRedirects = 20;
// What a reply holds while nobody reads; the rest waits in the kernel and slows the server down.
constexpr qint64 ReadBufferSize = Q_INT64_C(256) * 1024;
// Of no use beyond, and safely within what a timer counts.
constexpr qint64 MaximumRetryAfter = Q_INT64_C(24) * 60 * 60;

bool isRedirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool isSameOrigin(const QUrl &a, const QUrl &b)
{
    const auto port = [](const QUrl &url) {
        return url.port(url.scheme() == QLatin1String("https") ? 443 : 80);
    };
    return a.scheme() == b.scheme() && a.host() == b.host() && port(a) == port(b);
}

bool isEventStream(const QByteArray &contentType)
{
    const QByteArray essence = contentType.split(';').constFirst().trimmed();
    return essence.compare("text/event-stream", Qt::CaseInsensitive) == 0;
}

bool isOneOf(const QByteArray &coding, std::initializer_list<const char *> names)
{
    return std::any_of(names.begin(), names.end(), [&](const char *name) {
        return coding.compare(name, Qt::CaseInsensitive) == 0;
    });
}

bool isGzip(const QByteArray &contentEncoding)
{
    return isOneOf(contentEncoding, { "gzip", "x-gzip" });
}

// Seconds, or a date: RFC 9110 §10.2.3.
milliseconds parsedRetryAfter(const QByteArray &value)
{
    bool isNumber = false;
    qint64 seconds = value.trimmed().toLongLong(&isNumber);
    if (!isNumber) {
        const QDateTime local =
            QLocale::c().toDateTime(QString::fromLatin1(value.trimmed()),
                                    QStringLiteral("ddd, dd MMM yyyy hh:mm:ss 'GMT'"));
        const QDateTime date(local.date(), local.time(), QTimeZone::utc());
        seconds = date.isValid() ? QDateTime::currentDateTimeUtc().secsTo(date) : 0;
    }
    return std::chrono::seconds(qBound(Q_INT64_C(0), seconds, MaximumRetryAfter));
}
} // namespace

bool QSseStreamRequest::isHttpUrl(const QUrl &url)
{
    const QString scheme = url.scheme();
    return url.isValid() && !url.host().isEmpty()
        && (scheme == QLatin1String("http") || scheme == QLatin1String("https"));
}

// Neither passwords nor the tokens people put into queries belong in a log.
QString QSseStreamRequest::displayed(const QUrl &url)
{
    return url.toDisplayString(QUrl::RemoveUserInfo | QUrl::RemoveQuery | QUrl::RemoveFragment);
}

QSseStreamRequest::QSseStreamRequest(QNetworkAccessManager *manager, const QNetworkRequest &request,
                                     const QByteArray &method, const QByteArray &body,
                                     QObject *parent)
    : QObject(parent), m_manager(manager), m_request(request), m_method(method), m_body(body),
      m_timer(this)
{
    m_timer.setSingleShot(true);
    connect(&m_timer, &QTimer::timeout, this, &QSseStreamRequest::checkSilence);
}

void QSseStreamRequest::send()
{
    if (m_connectTimeout > 0ms)
        m_timer.start(m_connectTimeout);
    sendTo(m_request);
}

/*
    The reply's signals are queued to us. Our owner's handlers, which may delete the manager and
   with it the reply, so never run while the reply is in the middle of emitting.
*/
void QSseStreamRequest::sendTo(const QNetworkRequest &request)
{
    dropReply();
    m_request = request;
    m_reply = start(request);
    m_reply->setReadBufferSize(ReadBufferSize);

    const auto on = [this](auto signal, void (QSseStreamRequest::*step)()) {
        const auto call = [this, step, reply = m_reply.data()] {
            if (reply == m_reply)
                (this->*step)();
        };
        connect(m_reply.data(), signal, this, call, Qt::QueuedConnection);
    };
    on(&QNetworkReply::metaDataChanged, &QSseStreamRequest::readHead);
    on(&QNetworkReply::readyRead, &QSseStreamRequest::noteArrival);
    on(&QNetworkReply::finished, &QSseStreamRequest::noteArrival);
}

QNetworkReply *QSseStreamRequest::start(const QNetworkRequest &request)
{
    if (m_method == "GET" && m_body.isNull())
        return m_manager->get(request);
    return m_manager->sendCustomRequest(request, m_method, m_body);
}

void QSseStreamRequest::dropReply()
{
    if (!m_reply)
        return;
    QNetworkReply *const old = m_reply;
    m_reply.clear();
    disconnect(old, nullptr, this, nullptr);
    old->abort();
    old->deleteLater();
}

void QSseStreamRequest::release()
{
    disconnect(this, nullptr, nullptr, nullptr);
    m_timer.stop();
    dropReply();
    deleteLater();
}

milliseconds QSseStreamRequest::openFor() const
{
    return milliseconds(isOpen() ? m_openFor.elapsed() : 0);
}

bool QSseStreamRequest::isHttp2() const
{
    return m_reply && m_reply->attribute(QNetworkRequest::Http2WasUsedAttribute).toBool();
}

// Decides on the status and headers alone: a stream may stay without a body for hours.
void QSseStreamRequest::readHead()
{
    m_status = m_reply->attribute(QNetworkRequest::HttpStatusCodeAttribute).toInt();
    m_retryAfter = parsedRetryAfter(m_reply->rawHeader("Retry-After"));
    if (isRedirect(m_status)) {
        redirect();
        return;
    }
    const QPointer<QSseStreamRequest> self(this);
    const bool refused = isRefused();
    if (!self || !m_reply) // the handler ended us
        return;
    if (refused)
        fail(Error::ResponseRefused, QSseEventSource::tr("The answer was refused"));
    else if (const std::optional<Failure> failure = judge())
        fail(failure->error, failure->text);
    else
        open();
}

bool QSseStreamRequest::isRefused()
{
    // A copy, because the handler may delete what it was called from.
    const ResponseHandler handler = m_responseHandler;
    return handler && !handler(*m_reply);
}

std::optional<QSseStreamRequest::Failure> QSseStreamRequest::judge() const
{
    if (m_status == 204) {
        return Failure { Error::NoContent,
                         QSseEventSource::tr("The server has nothing more to send (204)") };
    }
    if (m_status != 200) {
        const QString reason =
            m_reply->attribute(QNetworkRequest::HttpReasonPhraseAttribute).toString();
        return Failure {
            Error::HttpStatusError,
            QSseEventSource::tr("The server answered %1 %2").arg(QString::number(m_status), reason)
        };
    }
    // What Qt does with a head beyond its limits.
    if (m_reply->rawHeaderList().isEmpty()) {
        return Failure { Error::ContentTypeError,
                         QSseEventSource::tr(
                             "The answer has no header fields, or more than can be read") };
    }
    const QByteArray contentType = m_reply->rawHeader("Content-Type");
    if (!isEventStream(contentType)) {
        return Failure { Error::ContentTypeError,
                         QSseEventSource::tr("The answer is no event stream but \"%1\"")
                             .arg(QString::fromUtf8(contentType)) };
    }
    const QByteArray coding = m_reply->rawHeader("Content-Encoding").trimmed();
    if (!isGzip(coding) && !isOneOf(coding, { "", "identity" })) {
        return Failure { Error::ContentTypeError,
                         QSseEventSource::tr(
                             "The event stream is encoded as \"%1\", which was not asked for")
                             .arg(QString::fromUtf8(coding)) };
    }
    return std::nullopt;
}

void QSseStreamRequest::redirect()
{
    const QByteArray location = m_reply->rawHeader("Location");
    const QUrl from = m_reply->url();
    const QUrl target = from.resolved(QUrl::fromEncoded(location));
    if (location.isEmpty() || !isHttpUrl(target)) {
        fail(Error::RedirectError,
             QSseEventSource::tr("Redirected to no valid http or https URL: \"%1\"")
                 .arg(displayed(QUrl::fromEncoded(location))));
    } else if (from.scheme() == QLatin1String("https") && target.scheme() != from.scheme()) {
        fail(Error::RedirectError,
             QSseEventSource::tr("Redirected from https to http: %1").arg(displayed(target)));
    } else if (++m_redirects > MaximumRedirects) {
        fail(Error::RedirectError,
             QSseEventSource::tr("Redirected more than %1 times").arg(MaximumRedirects));
    } else {
        qCDebug(lcClient) << "redirected to" << displayed(target);
        sendTo(redirected(target));
    }
}

// Fetch Standard, "HTTP-redirect fetch".
QNetworkRequest QSseStreamRequest::redirected(const QUrl &target)
{
    QNetworkRequest request = m_request;
    const auto remove = [&](std::initializer_list<const char *> names) {
        for (const char *name : names)
            request.setRawHeader(name, QByteArray());
    };
    request.setUrl(target);
    if ((m_status <= 302 && m_method == "POST") || (m_status == 303 && m_method != "GET")) {
        m_method = "GET";
        m_body = QByteArray();
        remove({ "Content-Encoding", "Content-Language", "Content-Location", "Content-Type",
                 "Content-Length" });
    }
    if (!isSameOrigin(m_request.url(), target)) {
        remove({ "Authorization", "Cookie", "Proxy-Authorization", "Host" });
        request.setPeerVerifyName(QString());
    }
    return request;
}

void QSseStreamRequest::open()
{
    if (isGzip(m_reply->rawHeader("Content-Encoding").trimmed()))
        m_inflater.emplace();
    m_openFor.start();
    setReadTimeout(m_readTimeout);
    Q_EMIT opened();
}

// Starting a timer with every piece that comes would cost more than reading most of them.
void QSseStreamRequest::noteArrival()
{
    m_lastArrival.start();
    Q_EMIT advanced();
}

void QSseStreamRequest::setReadTimeout(milliseconds time)
{
    m_readTimeout = time;
    if (!isOpen())
        return;
    m_timer.stop();
    m_lastArrival.start();
    if (m_readTimeout > 0ms && !m_paused)
        m_timer.start(m_readTimeout);
}

void QSseStreamRequest::setPaused(bool paused)
{
    m_paused = paused;
    setReadTimeout(m_readTimeout);
    if (isOpen() && !m_paused)
        QMetaObject::invokeMethod(this, &QSseStreamRequest::advanced, Qt::QueuedConnection);
}

void QSseStreamRequest::checkSilence()
{
    if (!isOpen()) {
        fail(Error::ConnectTimeout,
             QSseEventSource::tr("No answer within %1 ms").arg(m_connectTimeout.count()));
        return;
    }
    const milliseconds left = m_readTimeout - milliseconds(m_lastArrival.elapsed());
    if (left > 0ms)
        m_timer.start(left);
    else
        fail(Error::ReadTimeout,
             QSseEventSource::tr("Not a byte within %1 ms").arg(m_readTimeout.count()));
}

QByteArray QSseStreamRequest::read()
{
    if (!m_reply || !isOpen())
        return {};
    if (!m_inflater)
        return m_reply->read(ReadBufferSize);
    QByteArray decoded = m_inflater->read(ReadBufferSize);
    while (decoded.isEmpty() && !m_inflater->hasError() && m_reply->bytesAvailable() > 0) {
        m_inflater->addData(m_reply->read(ReadBufferSize));
        decoded = m_inflater->read(ReadBufferSize);
    }
    return decoded;
}

std::optional<QSseStreamRequest::Failure> QSseStreamRequest::failure()
{
    if (m_failure)
        return m_failure;
    if (m_inflater && m_inflater->hasError()) {
        return Failure { Error::ContentEncodingError,
                         QSseEventSource::tr("What the server sent is no valid gzip") };
    }
    if (m_reply && m_reply->isFinished())
        return endOfReply();
    return std::nullopt;
}

QSseStreamRequest::Failure QSseStreamRequest::endOfReply() const
{
    const QNetworkReply::NetworkError error = m_reply->error();
    if (error == QNetworkReply::SslHandshakeFailedError)
        return { Error::TlsError, m_reply->errorString() };
    if (error != QNetworkReply::NoError)
        return { Error::NetworkError, m_reply->errorString() };
    if (isOpen())
        return { Error::StreamEnded, QSseEventSource::tr("The server ended the stream") };
    return { Error::NetworkError, QSseEventSource::tr("The server did not answer") };
}

void QSseStreamRequest::fail(Error error, const QString &text)
{
    m_failure = Failure { error, text };
    m_timer.stop();
    Q_EMIT advanced();
}
