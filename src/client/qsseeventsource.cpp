// SPDX-License-Identifier: MIT
#include "qsseeventsource.h"
#include "qssebackoff_p.h"
#include "qssehttpfield_p.h"
#include "qsseparser.h"
#include "qssestreammanager_p.h"
#include "qssestreamrequest_p.h"
#include "qsseversion.h"

#include <QtCore/QPointer>
#include <QtCore/QTimer>
#include <QtNetwork/QNetworkAccessManager>

#include <limits>
#include <utility>

Q_LOGGING_CATEGORY(lcClient, "qsse.client", QtInfoMsg)

using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {
// QString::fromUtf8() would take a leading U+FEFF for a byte order mark.
QString text(const QByteArray &utf8)
{
    return QSseEvent(utf8).data();
}

void setDefault(QNetworkRequest *request, const QByteArray &name, const QByteArray &value)
{
    if (!request->hasRawHeader(name))
        request->setRawHeader(name, value);
}

// They would be sent as they are: a line end in one begins another.
void dropImpossibleFields(QNetworkRequest *request)
{
    const QList<QByteArray> names = request->rawHeaderList();
    for (const QByteArray &name : names) {
        if (QSsePrivate::isToken(name) && QSsePrivate::isOneLine(request->rawHeader(name)))
            continue;
        qCWarning(lcClient) << "not a possible header field:" << name;
        request->setRawHeader(name, QByteArray());
    }
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
    bool checkUrl(const QUrl &url);
    QNetworkRequest nextRequest();
    QNetworkAccessManager *networkAccessManager();
    void release();

    void setOpen();
    void advance();
    bool readNext();
    void deliver(QSseParser::Token token);
    void dispatch(const QSseEvent &event);
    void updateRetry();
    void setReconnectionTime(milliseconds time);
    void updateLastEventId();

    void setPaused(bool paused);
    void holdUp();
    void setReadyState(ReadyState state);
    void setError(Error newError, const QString &text);
    bool reconnectsAfter(Error error) const;
    void fail(Error error, const QString &text);

    template<typename T> void set(T *property, const T &value, void (QSseEventSource::*changed)())
    {
        if (std::exchange(*property, value) != value)
            Q_EMIT(q->*changed)();
    }

    QSseEventSource *const q;
    QNetworkRequest request;
    QUrl streamUrl; // request's as of open(): every reconnect begins here, also after redirects
    QByteArray method = QByteArrayLiteral("GET");
    QByteArray body;
    milliseconds connectTimeout = 60s;
    milliseconds readTimeout = 5min;
    std::function<void(QNetworkRequest &)> requestHandler;
    QSseStreamRequest::ResponseHandler responseHandler;
    std::function<bool(Error)> reconnectHandler;

    ReadyState readyState = ReadyState::Closed;
    bool paused = false;
    bool heldUp = false; // not connected because paused
    Error error = Error::NoError;
    QString errorString;
    int httpStatus = 0;

    QSseParser parser;
    QByteArray lastEventId;          // the one last notified
    milliseconds streamRetry { -1 }; // the retry last read
    QSseBackoff backoff;
    QTimer *reconnectTimer; // a child of the source: it follows it into another thread
    quint64 serial = 0;     // of the attempt; a new one makes everything of the old one stale

    QPointer<QNetworkAccessManager> manager;     // the one set
    QNetworkAccessManager *ownManager = nullptr; // a child of the source
    QPointer<QSseStreamRequest> stream;          // a child of the source
};

QSseEventSourcePrivate::QSseEventSourcePrivate(QSseEventSource *source)
    : q(source), reconnectTimer(new QTimer(source))
{
    reconnectTimer->setSingleShot(true);
    QObject::connect(reconnectTimer, &QTimer::timeout, q, [this] { connectToStream(); });
}

void QSseEventSourcePrivate::open()
{
    release();
    streamUrl = request.url();
    backoff.reset();
    if (!checkUrl(streamUrl))
        return;
    const Watch watch(this);
    setReadyState(ReadyState::Connecting);
    if (watch)
        connectToStream();
}

bool QSseEventSourcePrivate::checkUrl(const QUrl &url)
{
    if (QSseStreamRequest::isHttpUrl(url))
        return true;
    fail(Error::InvalidUrl,
         QSseEventSource::tr("\"%1\" is not a valid http or https URL")
             .arg(QSseStreamRequest::displayed(url)));
    return false;
}

void QSseEventSourcePrivate::connectToStream()
{
    release();
    parser.reset(); // what was not read of the stream before comes again
    httpStatus = 0;
    const Watch watch(this);
    const QNetworkRequest next = nextRequest();
    if (!watch || !checkUrl(next.url()))
        return;
    qCDebug(lcClient) << "connecting to" << QSseStreamRequest::displayed(next.url());
    stream = new QSseStreamRequest(networkAccessManager(), next, method, body, q);
    stream->setConnectTimeout(connectTimeout);
    stream->setReadTimeout(readTimeout);
    stream->setResponseHandler(responseHandler);
    stream->setPaused(paused);
    QObject::connect(stream, &QSseStreamRequest::opened, q, [this] { setOpen(); });
    QObject::connect(stream, &QSseStreamRequest::advanced, q, [this] { advance(); });
    stream->send();
}

QNetworkRequest QSseEventSourcePrivate::nextRequest()
{
    QNetworkRequest next = request;
    next.setUrl(streamUrl);
    setDefault(&next, "Accept", "text/event-stream");
    setDefault(&next, "Cache-Control", "no-cache");
    setDefault(&next, "User-Agent", "QSse/" QSSE_VERSION_STR);
    // Decoded by us: Qt holds decoded data back until it is sure of the ratio.
    setDefault(&next, "Accept-Encoding", "gzip");
    if (!parser.lastEventId().isEmpty())
        next.setRawHeader("Last-Event-ID", parser.lastEventId());

    next.setAttribute(QNetworkRequest::CacheLoadControlAttribute, QNetworkRequest::AlwaysNetwork);
    next.setAttribute(QNetworkRequest::CacheSaveControlAttribute, false);
    next.setAttribute(QNetworkRequest::RedirectPolicyAttribute,
                      QNetworkRequest::ManualRedirectPolicy);
    next.setAttribute(QNetworkRequest::HttpPipeliningAllowedAttribute, false);
    // Qt would try it when the environment says so; an upgrade is no part of asking for a stream.
    next.setAttribute(QNetworkRequest::Http2CleartextAllowedAttribute, false);
    // A manager's timeout would end every quiet stream, and none of our own counts as not set.
    next.setTransferTimeout(
        networkAccessManager()->transferTimeout() > 0 ? std::numeric_limits<int>::max() : 0);
    // A reconnect gets a connection of its own. On one left over, which the server may have closed,
    // Qt would send the request again by itself, and with the addresses and TLS settings of then.
    if (!manager)
        next.setAttribute(QNetworkRequest::ConnectionCacheExpiryTimeoutSecondsAttribute, 0);
    // A copy, because the handler may delete what it was called from.
    if (const auto handler = requestHandler)
        handler(next);
    dropImpossibleFields(&next);
    return next;
}

QNetworkAccessManager *QSseEventSourcePrivate::networkAccessManager()
{
    if (manager)
        return manager;
    if (!ownManager)
        ownManager = new QSseStreamManager(q);
    return ownManager;
}

// Lets go of the attempt, if any; nothing of it is heard any more.
void QSseEventSourcePrivate::release()
{
    ++serial;
    reconnectTimer->stop();
    heldUp = false;
    if (stream)
        std::exchange(stream, nullptr)->release();
}

void QSseEventSourcePrivate::setOpen()
{
    httpStatus = stream->httpStatus();
    const Watch watch(this);
    setError(Error::NoError, QString());
    if (watch)
        setReadyState(ReadyState::Open);
    if (watch)
        Q_EMIT q->opened();
    if (watch)
        holdUp();
}

// Reads on with what has come. Handlers with an event loop of their own get here again, and what
// called them finds nothing left to read.
void QSseEventSourcePrivate::advance()
{
    const Watch watch(this);
    while (watch && !(paused && stream->isOpen())) {
        if (readNext())
            continue;
        if (watch) {
            httpStatus = stream->httpStatus();
            if (const auto failure = stream->failure())
                fail(failure->error, failure->text);
        }
        return;
    }
}

// Answers whether there may be more.
bool QSseEventSourcePrivate::readNext()
{
    const QSseParser::Token token = parser.readNext();
    const Watch watch(this);
    deliver(token);
    if (!watch || token == QSseParser::Token::Error)
        return false;
    if (token != QSseParser::Token::NoToken)
        return true;
    const QByteArray bytes = stream->read();
    parser.addData(bytes);
    return !bytes.isEmpty();
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
        Q_EMIT q->commentReceived(text(comment));
        break;
    case QSseParser::Token::Error:
        fail(
            Error::EventTooLarge,
            QSseEventSource::tr("An event is larger than %1 bytes").arg(parser.maximumEventSize()));
        break;
    }
}

void QSseEventSourcePrivate::dispatch(const QSseEvent &event)
{
    const Watch watch(this);
    backoff.reset();
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
    if (backoff.initial() == time)
        return;
    backoff.setInitial(time);
    Q_EMIT q->reconnectionTimeChanged();
}

void QSseEventSourcePrivate::updateLastEventId()
{
    const QByteArray id = parser.lastEventId();
    if (id == lastEventId)
        return;
    lastEventId = id;
    Q_EMIT q->lastEventIdChanged(text(id));
}

void QSseEventSourcePrivate::setPaused(bool newPaused)
{
    if (std::exchange(paused, newPaused) == newPaused)
        return;
    if (stream)
        stream->setPaused(paused);
    const Watch watch(this);
    holdUp();
    Q_EMIT q->pausedChanged();
    if (watch && !paused && heldUp)
        connectToStream();
}

// Qt acknowledges what comes over HTTP/2 whether it is read or not, so it would come without end.
void QSseEventSourcePrivate::holdUp()
{
    if (!paused || !stream || !stream->isOpen() || !stream->isHttp2())
        return;
    release();
    heldUp = true;
    setReadyState(ReadyState::Connecting);
}

void QSseEventSourcePrivate::setReadyState(ReadyState state)
{
    if (std::exchange(readyState, state) != state)
        Q_EMIT q->readyStateChanged(state);
}

void QSseEventSourcePrivate::setError(Error newError, const QString &text)
{
    if (error == newError && errorString == text)
        return;
    error = newError;
    errorString = text;
    Q_EMIT q->errorChanged();
}

bool QSseEventSourcePrivate::reconnectsAfter(Error error) const
{
    if (error == Error::InvalidUrl)
        return false;
    // A copy, because the handler may delete what it was called from.
    if (const auto handler = reconnectHandler)
        return handler(error);
    return error <= Error::ContentEncodingError;
}

void QSseEventSourcePrivate::fail(Error newError, const QString &text)
{
    const QString line = text.simplified();
    const milliseconds retryAfter = stream ? stream->retryAfter() : 0ms;
    if (stream && stream->isOpen() && stream->openFor() >= backoff.current())
        backoff.reset();
    release();

    const Watch watch(this);
    const bool reconnects = reconnectsAfter(newError);
    if (!watch)
        return;
    if (reconnects) {
        reconnectTimer->start(backoff.next(retryAfter));
        qCDebug(lcClient) << newError << line << "- reconnecting in" << backoff.current().count()
                          << "ms";
    } else {
        qCWarning(lcClient) << newError << line;
    }
    setError(newError, line);
    if (watch)
        setReadyState(reconnects ? ReadyState::Connecting : ReadyState::Closed);
    if (watch)
        Q_EMIT q->errorOccurred(newError, line);
}

QSseEventSource::QSseEventSource(QObject *parent) : QSseEventSource(QNetworkRequest(), parent) { }

QSseEventSource::QSseEventSource(const QUrl &url, QObject *parent)
    : QSseEventSource(QNetworkRequest(url), parent)
{
}

QSseEventSource::QSseEventSource(const QNetworkRequest &request, QObject *parent)
    : QObject(parent), d(new QSseEventSourcePrivate(this))
{
    d->request = request;
}

QSseEventSource::~QSseEventSource()
{
    d->release();
}

QUrl QSseEventSource::url() const
{
    return d->request.url();
}

void QSseEventSource::setUrl(const QUrl &url)
{
    QNetworkRequest request = d->request;
    request.setUrl(url);
    setRequest(request);
}

QNetworkRequest QSseEventSource::request() const
{
    return d->request;
}

void QSseEventSource::setRequest(const QNetworkRequest &request)
{
    if (std::exchange(d->request, request).url() != request.url())
        Q_EMIT urlChanged();
}

QByteArray QSseEventSource::rawHeader(const QByteArray &name) const
{
    return d->request.rawHeader(name);
}

void QSseEventSource::setRawHeader(const QByteArray &name, const QByteArray &value)
{
    d->request.setRawHeader(name, value);
}

QByteArray QSseEventSource::method() const
{
    return d->method;
}

void QSseEventSource::setMethod(const QByteArray &method)
{
    if (!QSsePrivate::isToken(method)) {
        qCWarning(lcClient) << "not a possible method:" << method;
        return;
    }
    d->set(&d->method, method, &QSseEventSource::methodChanged);
}

QByteArray QSseEventSource::body() const
{
    return d->body;
}

void QSseEventSource::setBody(const QByteArray &body)
{
    d->set(&d->body, body, &QSseEventSource::bodyChanged);
}

QSseEventSource::ReadyState QSseEventSource::readyState() const
{
    return d->readyState;
}

bool QSseEventSource::isPaused() const
{
    return d->paused;
}

void QSseEventSource::setPaused(bool paused)
{
    d->setPaused(paused);
}

QString QSseEventSource::lastEventId() const
{
    return text(d->parser.lastEventId());
}

void QSseEventSource::setLastEventId(const QString &id)
{
    const QByteArray utf8 = id.toUtf8();
    if (!QSsePrivate::isOneLine(utf8)) {
        qCWarning(lcClient) << "not a possible event id:" << id;
        return;
    }
    d->parser.setLastEventId(utf8);
    d->updateLastEventId();
}

milliseconds QSseEventSource::reconnectionTime() const
{
    return d->backoff.initial();
}

void QSseEventSource::setReconnectionTime(milliseconds time)
{
    d->setReconnectionTime(qMax(time, 0ms));
}

milliseconds QSseEventSource::maximumReconnectionTime() const
{
    return d->backoff.maximum();
}

void QSseEventSource::setMaximumReconnectionTime(milliseconds time)
{
    if (d->backoff.maximum() == time)
        return;
    d->backoff.setMaximum(time);
    Q_EMIT maximumReconnectionTimeChanged();
}

milliseconds QSseEventSource::connectTimeout() const
{
    return d->connectTimeout;
}

void QSseEventSource::setConnectTimeout(milliseconds time)
{
    d->set(&d->connectTimeout, time, &QSseEventSource::connectTimeoutChanged);
}

milliseconds QSseEventSource::readTimeout() const
{
    return d->readTimeout;
}

void QSseEventSource::setReadTimeout(milliseconds time)
{
    if (d->stream)
        d->stream->setReadTimeout(time);
    d->set(&d->readTimeout, time, &QSseEventSource::readTimeoutChanged);
}

qsizetype QSseEventSource::maximumEventSize() const
{
    return d->parser.maximumEventSize();
}

void QSseEventSource::setMaximumEventSize(qsizetype bytes)
{
    d->parser.setMaximumEventSize(bytes);
}

QSseEventSource::Error QSseEventSource::error() const
{
    return d->error;
}

QString QSseEventSource::errorString() const
{
    return d->errorString;
}

int QSseEventSource::httpStatus() const
{
    return d->httpStatus;
}

void QSseEventSource::setRequestHandler(std::function<void(QNetworkRequest &)> handler)
{
    d->requestHandler = std::move(handler);
}

void QSseEventSource::setResponseHandler(std::function<bool(const QNetworkReply &)> handler)
{
    d->responseHandler = std::move(handler);
}

void QSseEventSource::setReconnectHandler(std::function<bool(Error)> handler)
{
    d->reconnectHandler = std::move(handler);
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

void QSseEventSource::restart()
{
    d->open();
}
