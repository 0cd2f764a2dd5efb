// SPDX-License-Identifier: MIT
#include "qsseeventsource.h"
#include "qsseparser.h"

#include <QtCore/QLoggingCategory>
#include <QtCore/QPointer>
#include <QtCore/QRandomGenerator>
#include <QtCore/QTimer>
#include <QtNetwork/QNetworkAccessManager>
#include <QtNetwork/QNetworkReply>
#include <QtNetwork/QNetworkRequest>

#include <limits>
#include <utility>

Q_LOGGING_CATEGORY(lcClient, "qsse.client", QtInfoMsg)

using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {
constexpr int MaximumRedirects = 20;
// What a reply holds while we are busy; the rest waits in the kernel and slows the server down.
constexpr qint64 ReadBufferSize = Q_INT64_C(256) * 1024;
constexpr milliseconds MaximumBackoff = 30s;
// QTimer counts in an int, and its rounding runs over within a second of the highest.
constexpr milliseconds MaximumTimerInterval = 24h * 20;

bool isRedirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool isUsable(const QUrl &url)
{
    const QString scheme = url.scheme();
    return url.isValid() && !url.host().isEmpty()
        && (scheme == QLatin1String("http") || scheme == QLatin1String("https"));
}

// Neither passwords nor the tokens people put into queries belong in a log.
QString displayed(const QUrl &url)
{
    return url.toDisplayString(QUrl::RemoveUserInfo | QUrl::RemoveQuery | QUrl::RemoveFragment);
}

bool isEventStream(const QByteArray &contentType)
{
    const QByteArray essence = contentType.split(';').constFirst().trimmed();
    return essence.compare("text/event-stream", Qt::CaseInsensitive) == 0;
}

// We ask for the identity coding and then Qt decodes no other, so another could only be misread.
bool isEncoded(const QByteArray &contentEncoding)
{
    return !contentEncoding.isEmpty()
        && contentEncoding.compare("identity", Qt::CaseInsensitive) != 0;
}
} // namespace

class QSseEventSourcePrivate
{
public:
    using Error = QSseEventSource::Error;
    using ReadyState = QSseEventSource::ReadyState;

    // Asked after each signal: false when its handlers deleted, closed or reopened the source.
    class Watch
    {
    public:
        explicit Watch(const QSseEventSourcePrivate *d)
            : m_source(d->q), m_d(d), m_serial(d->serial)
        {
        }
        explicit operator bool() const { return m_source && m_d->serial == m_serial; }

    private:
        QPointer<QSseEventSource> m_source;
        const QSseEventSourcePrivate *m_d;
        quint64 m_serial;
    };

    explicit QSseEventSourcePrivate(QSseEventSource *source);

    void open();
    void connectToStream();
    void send(const QUrl &target);
    QNetworkRequest requestTo(const QUrl &target);
    QNetworkAccessManager *networkAccessManager();
    void release();

    void readHead();
    void readBody();
    void finish();
    void redirect();
    void setOpen();
    void deliver(QSseParser::Token token);
    void dispatch(const QSseEvent &event);
    void updateRetry();
    void setReconnectionTime(milliseconds time);
    void updateLastEventId();

    void setReadyState(ReadyState state);
    milliseconds nextWait() const;
    void reconnect(Error error, const QString &text);
    void fail(Error error, const QString &text);

    QSseEventSource *const q;
    QUrl url;
    QUrl streamUrl; // url as of open(): every reconnect begins here, also after redirects
    ReadyState readyState = ReadyState::Closed;
    QSseParser parser;
    QByteArray lastEventId;          // the one last notified
    milliseconds streamRetry { -1 }; // the retry last read
    milliseconds reconnectionTime = 3s;
    QTimer *reconnectTimer; // a child of the source: it follows it into another thread
    int failures = 0;       // reconnects since a stream was open
    int redirects = 0;
    quint64 serial = 0; // of the request; a new one makes everything of the old one stale

    QPointer<QNetworkAccessManager> manager;     // the one set
    QNetworkAccessManager *ownManager = nullptr; // a child of the source
    QPointer<QNetworkReply> reply;
};

QSseEventSourcePrivate::QSseEventSourcePrivate(QSseEventSource *source)
    : q(source), reconnectTimer(new QTimer(source))
{
    reconnectTimer->setSingleShot(true);
    QObject::connect(reconnectTimer, &QTimer::timeout, q, [this] { connectToStream(); });
}

void QSseEventSourcePrivate::open()
{
    if (!isUsable(url)) {
        fail(Error::InvalidUrl,
             QSseEventSource::tr("\"%1\" is not a valid http or https URL").arg(displayed(url)));
        return;
    }
    release();
    streamUrl = url;
    failures = 0;
    const Watch watch(this);
    setReadyState(ReadyState::Connecting);
    if (watch)
        connectToStream();
}

void QSseEventSourcePrivate::connectToStream()
{
    redirects = 0;
    send(streamUrl);
}

/*
    The reply's signals are queued to us. Our handlers, which may delete the source and with it the
    manager and the reply, so never run while the reply is in the middle of emitting.
*/
void QSseEventSourcePrivate::send(const QUrl &target)
{
    release();
    qCDebug(lcClient) << "connecting to" << displayed(target);
    reply = networkAccessManager()->get(requestTo(target));
    reply->setReadBufferSize(ReadBufferSize);

    const auto on = [this](auto signal, void (QSseEventSourcePrivate::*step)()) {
        const auto call = [this, step, current = serial] {
            if (serial == current && reply)
                (this->*step)();
        };
        QObject::connect(reply.data(), signal, q, call, Qt::QueuedConnection);
    };
    on(&QNetworkReply::metaDataChanged, &QSseEventSourcePrivate::readHead);
    on(&QNetworkReply::readyRead, &QSseEventSourcePrivate::readBody);
    on(&QNetworkReply::finished, &QSseEventSourcePrivate::finish);
}

QNetworkRequest QSseEventSourcePrivate::requestTo(const QUrl &target)
{
    QNetworkRequest request(target);
    request.setRawHeader("Accept", "text/event-stream");
    request.setRawHeader("Cache-Control", "no-cache");
    // Qt holds decompressed data back until it is sure of the ratio: events would come late.
    request.setRawHeader("Accept-Encoding", "identity");
    if (!parser.lastEventId().isEmpty())
        request.setRawHeader("Last-Event-ID", parser.lastEventId());

    request.setAttribute(QNetworkRequest::CacheLoadControlAttribute,
                         QNetworkRequest::AlwaysNetwork);
    request.setAttribute(QNetworkRequest::CacheSaveControlAttribute, false);
    request.setAttribute(QNetworkRequest::RedirectPolicyAttribute,
                         QNetworkRequest::ManualRedirectPolicy);
    request.setAttribute(QNetworkRequest::HttpPipeliningAllowedAttribute, false);
    // Qt would try it when the environment says so; an upgrade is no part of asking for a stream.
    request.setAttribute(QNetworkRequest::Http2CleartextAllowedAttribute, false);
    // A manager's timeout would end every quiet stream, and none of our own counts as not set.
    if (networkAccessManager()->transferTimeout() > 0)
        request.setTransferTimeout(std::numeric_limits<int>::max());
    // A reconnect gets a connection of its own. On one left over, which the server may have closed,
    // Qt would send the request again by itself, and with the addresses and TLS settings of then.
    if (!manager)
        request.setAttribute(QNetworkRequest::ConnectionCacheExpiryTimeoutSecondsAttribute, 0);
    return request;
}

QNetworkAccessManager *QSseEventSourcePrivate::networkAccessManager()
{
    if (manager)
        return manager;
    if (!ownManager)
        ownManager = new QNetworkAccessManager(q);
    return ownManager;
}

// Lets go of the request, if any; nothing of it is heard any more.
void QSseEventSourcePrivate::release()
{
    ++serial;
    reconnectTimer->stop();
    if (!reply)
        return;
    QNetworkReply *const old = reply;
    reply.clear();
    QObject::disconnect(old, nullptr, q, nullptr);
    old->abort();
    old->deleteLater();
}

// Decides on the status and headers alone: a stream may stay without a body for hours.
void QSseEventSourcePrivate::readHead()
{
    const int status = reply->attribute(QNetworkRequest::HttpStatusCodeAttribute).toInt();
    if (isRedirect(status)) {
        redirect();
        return;
    }
    if (status != 200) {
        const QString reason =
            reply->attribute(QNetworkRequest::HttpReasonPhraseAttribute).toString();
        fail(Error::HttpStatusError,
             QSseEventSource::tr("The server answered %1 %2").arg(QString::number(status), reason));
        return;
    }
    const QByteArray contentType = reply->rawHeader("Content-Type");
    if (!isEventStream(contentType)) {
        fail(Error::ContentTypeError,
             QSseEventSource::tr("The answer is no event stream but \"%1\"")
                 .arg(QString::fromUtf8(contentType)));
        return;
    }
    const QByteArray contentEncoding = reply->rawHeader("Content-Encoding");
    if (isEncoded(contentEncoding)) {
        fail(Error::ContentTypeError,
             QSseEventSource::tr("The event stream is encoded as \"%1\", which was not asked for")
                 .arg(QString::fromUtf8(contentEncoding)));
        return;
    }
    setOpen();
}

void QSseEventSourcePrivate::redirect()
{
    const QByteArray location = reply->rawHeader("Location");
    const QUrl from = reply->url();
    const QUrl target = from.resolved(QUrl::fromEncoded(location));
    if (location.isEmpty() || !isUsable(target)) {
        fail(Error::RedirectError,
             QSseEventSource::tr("Redirected to no valid http or https URL: \"%1\"")
                 .arg(displayed(QUrl::fromEncoded(location))));
        return;
    }
    if (from.scheme() == QLatin1String("https") && target.scheme() != from.scheme()) {
        fail(Error::RedirectError,
             QSseEventSource::tr("Redirected from https to http: %1").arg(displayed(target)));
        return;
    }
    if (++redirects > MaximumRedirects) {
        fail(Error::RedirectError,
             QSseEventSource::tr("Redirected more than %1 times").arg(MaximumRedirects));
        return;
    }
    qCDebug(lcClient) << "redirected to" << displayed(target);
    send(target);
}

void QSseEventSourcePrivate::setOpen()
{
    if (readyState == ReadyState::Open)
        return;
    failures = 0;
    parser.reset();
    const Watch watch(this);
    setReadyState(ReadyState::Open);
    if (watch)
        Q_EMIT q->opened();
}

void QSseEventSourcePrivate::readBody()
{
    if (readyState != ReadyState::Open)
        return;
    parser.addData(reply->readAll());
    const Watch watch(this);
    while (watch) {
        const QSseParser::Token token = parser.readNext();
        deliver(token);
        if (token == QSseParser::Token::NoToken || token == QSseParser::Token::Error)
            return;
    }
}

void QSseEventSourcePrivate::deliver(QSseParser::Token token)
{
    // Taken first: a handler with an event loop of its own makes the parser read on.
    const QSseEvent event = parser.event();
    const QByteArray comment = parser.comment();

    const Watch watch(this);
    updateRetry();
    if (watch)
        updateLastEventId();
    if (!watch)
        return;
    switch (token) {
    case QSseParser::Token::NoToken:
        break;
    case QSseParser::Token::Event:
        dispatch(event);
        break;
    case QSseParser::Token::Comment:
        Q_EMIT q->commentReceived(QString::fromUtf8(comment));
        break;
    case QSseParser::Token::Error:
        reconnect(
            Error::EventTooLarge,
            QSseEventSource::tr("An event is larger than %1 bytes").arg(parser.maximumEventSize()));
        break;
    }
}

void QSseEventSourcePrivate::dispatch(const QSseEvent &event)
{
    const Watch watch(this);
    Q_EMIT q->eventReceived(event);
    if (watch && event.type() == QLatin1String("message"))
        Q_EMIT q->messageReceived(event);
    if (watch)
        Q_EMIT q->eventDispatched(event, QSseEventSource::QPrivateSignal());
}

void QSseEventSourcePrivate::updateRetry()
{
    if (parser.retry() == streamRetry)
        return;
    streamRetry = parser.retry();
    setReconnectionTime(streamRetry);
}

void QSseEventSourcePrivate::setReconnectionTime(milliseconds time)
{
    if (reconnectionTime == time)
        return;
    reconnectionTime = time;
    Q_EMIT q->reconnectionTimeChanged();
}

void QSseEventSourcePrivate::updateLastEventId()
{
    const QByteArray id = parser.lastEventId();
    if (id == lastEventId)
        return;
    lastEventId = id;
    Q_EMIT q->lastEventIdChanged(QString::fromUtf8(id));
}

void QSseEventSourcePrivate::finish()
{
    // The last bytes may not have been announced.
    const Watch watch(this);
    readBody();
    if (!watch)
        return;

    const QNetworkReply::NetworkError error = reply->error();
    if (error == QNetworkReply::SslHandshakeFailedError)
        fail(Error::TlsError, reply->errorString());
    else if (error != QNetworkReply::NoError)
        reconnect(Error::NetworkError, reply->errorString());
    else if (readyState == ReadyState::Open)
        reconnect(Error::StreamEnded, QSseEventSource::tr("The server ended the stream"));
    else
        reconnect(Error::NetworkError, QSseEventSource::tr("The server did not answer"));
}

void QSseEventSourcePrivate::setReadyState(ReadyState state)
{
    if (std::exchange(readyState, state) != state)
        Q_EMIT q->readyStateChanged(state);
}

milliseconds QSseEventSourcePrivate::nextWait() const
{
    const milliseconds limit = qMax(MaximumBackoff, reconnectionTime);
    milliseconds wait = reconnectionTime;
    for (int i = 0; i < failures && wait < limit; ++i)
        wait = qMax(2 * wait, 1ms); // a stream may ask for no wait at all
    wait = qMin(wait, limit);
    // Clients that lost their connection together do not come back together.
    wait -= milliseconds(qint64(QRandomGenerator::global()->bounded(0.2) * double(wait.count())));
    return qMin(wait, MaximumTimerInterval);
}

void QSseEventSourcePrivate::reconnect(Error error, const QString &text)
{
    const QString line = text.simplified();
    release();
    const milliseconds wait = nextWait();
    ++failures;
    reconnectTimer->start(wait);
    qCDebug(lcClient) << error << line << "- reconnecting in" << wait.count() << "ms";

    const Watch watch(this);
    setReadyState(ReadyState::Connecting);
    if (watch)
        Q_EMIT q->errorOccurred(error, line);
}

void QSseEventSourcePrivate::fail(Error error, const QString &text)
{
    const QString line = text.simplified();
    release();
    qCWarning(lcClient) << error << line;

    const Watch watch(this);
    setReadyState(ReadyState::Closed);
    if (watch)
        Q_EMIT q->errorOccurred(error, line);
}

QSseEventSource::QSseEventSource(QObject *parent) : QSseEventSource(QUrl(), parent) { }

QSseEventSource::QSseEventSource(const QUrl &url, QObject *parent)
    : QObject(parent), d(new QSseEventSourcePrivate(this))
{
    d->url = url;
}

QSseEventSource::~QSseEventSource()
{
    d->release();
}

QUrl QSseEventSource::url() const
{
    return d->url;
}

void QSseEventSource::setUrl(const QUrl &url)
{
    if (d->url == url)
        return;
    d->url = url;
    Q_EMIT urlChanged();
}

QSseEventSource::ReadyState QSseEventSource::readyState() const
{
    return d->readyState;
}

QString QSseEventSource::lastEventId() const
{
    return QString::fromUtf8(d->parser.lastEventId());
}

void QSseEventSource::setLastEventId(const QString &id)
{
    const QByteArray utf8 = id.toUtf8();
    // In a header these would end it and begin another.
    if (utf8.contains('\r') || utf8.contains('\n') || utf8.contains('\0')) {
        qCWarning(lcClient) << "not a possible event id:" << id;
        return;
    }
    d->parser.setLastEventId(utf8);
    d->updateLastEventId();
}

milliseconds QSseEventSource::reconnectionTime() const
{
    return d->reconnectionTime;
}

void QSseEventSource::setReconnectionTime(milliseconds time)
{
    d->setReconnectionTime(qMax(time, 0ms));
}

qsizetype QSseEventSource::maximumEventSize() const
{
    return d->parser.maximumEventSize();
}

void QSseEventSource::setMaximumEventSize(qsizetype bytes)
{
    d->parser.setMaximumEventSize(bytes);
}

QNetworkAccessManager *QSseEventSource::networkAccessManager() const
{
    return d->networkAccessManager();
}

void QSseEventSource::setNetworkAccessManager(QNetworkAccessManager *manager)
{
    d->manager = manager;
}

QMetaObject::Connection
QSseEventSource::addEventListener(const QString &type, const QObject *context,
                                  std::function<void(const QSseEvent &)> handler)
{
    if (!context || !handler)
        return {};
    const auto call = [type, handler = std::move(handler)](const QSseEvent &event) {
        if (event.type() == type)
            handler(event);
    };
    return connect(this, &QSseEventSource::eventDispatched, context, call);
}

void QSseEventSource::open()
{
    if (d->readyState == ReadyState::Closed)
        d->open();
}

void QSseEventSource::close()
{
    d->release();
    d->setReadyState(ReadyState::Closed);
}
