// SPDX-License-Identifier: MIT
#include "qsseqmleventsource.h"

#include "qssehttpfield_p.h"
#include "qsseqmleventlistener.h"
#include "qsseqmljson_p.h"

#include <QtNetwork/QNetworkRequest>
#include <QtQml/QJSEngine>
#include <QtQml/QQmlContext>
#include <QtQml/QQmlEngine>
#include <QtQml/QQmlInfo>

#include <limits>
#include <utility>

namespace {

// The stream's retry: may be longer than QML's int can say.
int toInt(qint64 value)
{
    return int(qMin<qint64>(value, std::numeric_limits<int>::max()));
}

// What a view lets go of loses its context before it is deleted: its code cannot run any more.
bool isAlive(const QObject *object)
{
    const QQmlContext *context = qmlContext(object);
    return context && context->isValid();
}

} // namespace

QSseQmlEventSource::QSseQmlEventSource(QObject *parent) : QObject(parent)
{
    m_openTimer.setSingleShot(true);
    m_openTimer.setInterval(0);
    m_openTimer.callOnTimeout(&m_source, &QSseEventSource::open);
    forwardSignals();
}

QSseQmlEventSource::~QSseQmlEventSource() = default;

void QSseQmlEventSource::forwardSignals()
{
    const auto forward = [this](auto from, auto to) { connect(&m_source, from, this, to); };
    forward(&QSseEventSource::urlChanged, &QSseQmlEventSource::urlChanged);
    forward(&QSseEventSource::methodChanged, &QSseQmlEventSource::methodChanged);
    forward(&QSseEventSource::pausedChanged, &QSseQmlEventSource::pausedChanged);
    forward(&QSseEventSource::readyStateChanged, &QSseQmlEventSource::updateState);
    forward(&QSseEventSource::lastEventIdChanged, &QSseQmlEventSource::lastEventIdChanged);
    forward(&QSseEventSource::reconnectionTimeChanged,
            &QSseQmlEventSource::reconnectionTimeChanged);
    forward(&QSseEventSource::maximumReconnectionTimeChanged,
            &QSseQmlEventSource::maximumReconnectionTimeChanged);
    forward(&QSseEventSource::connectTimeoutChanged, &QSseQmlEventSource::connectTimeoutChanged);
    forward(&QSseEventSource::readTimeoutChanged, &QSseQmlEventSource::readTimeoutChanged);
    forward(&QSseEventSource::errorChanged,
            &QSseQmlEventSource::updateState); // the status is there
    forward(&QSseEventSource::errorChanged, &QSseQmlEventSource::errorChanged);
    forward(&QSseEventSource::opened, &QSseQmlEventSource::opened);
    forward(&QSseEventSource::eventReceived, &QSseQmlEventSource::eventReceived);
    forward(&QSseEventSource::messageReceived, &QSseQmlEventSource::message);
    forward(&QSseEventSource::commentReceived, &QSseQmlEventSource::commentReceived);
    connect(&m_source, &QSseEventSource::errorOccurred, this,
            [this](QSseEventSource::Error error, const QString &text) {
                reportError(Error(error), text);
            });
}

// Handlers of every signal may destroy this object.
void QSseQmlEventSource::setUrl(const QUrl &url)
{
    if (url == m_source.url())
        return;
    const bool hadStream = m_complete && !this->url().isRelative();
    const QPointer<QSseQmlEventSource> guard(this);
    m_source.setUrl(url);
    if (guard && hadStream)
        m_source.setLastEventId(QString());
    if (guard)
        reconnectSoon();
}

void QSseQmlEventSource::setHeaders(const QVariantMap &headers)
{
    m_headers = headers;
    updateRequest();
    Q_EMIT headersChanged();
}

void QSseQmlEventSource::setBody(const QVariant &body)
{
    // A binding to an object or array literal arrives as the JavaScript value itself.
    m_body = body.metaType() == QMetaType::fromType<QJSValue>() ? body.value<QJSValue>().toVariant()
                                                                : body;
    updateRequest();
    Q_EMIT bodyChanged();
}

void QSseQmlEventSource::updateRequest()
{
    QNetworkRequest request = m_source.request();
    for (const QByteArray &name : std::exchange(m_headerNames, {}))
        request.setRawHeader(name, QByteArray());
    for (auto it = m_headers.cbegin(); it != m_headers.cend(); ++it)
        setHeader(request, it.key(), it.value());

    QByteArray body;
    if (!m_body.isNull()) {
        body = QSse::eventFromVariant(m_body, QString()).dataUtf8();
        const bool isText = m_body.metaType() == QMetaType::fromType<QString>();
        if (!request.hasRawHeader("Content-Type")) {
            setHeader(request, QStringLiteral("Content-Type"),
                      isText ? QStringLiteral("text/plain;charset=UTF-8")
                             : QStringLiteral("application/json"));
        }
    }
    m_source.setRequest(request);
    m_source.setBody(body);
}

void QSseQmlEventSource::setHeader(QNetworkRequest &request, const QString &name,
                                   const QVariant &value)
{
    if (value.isNull())
        return;
    const QByteArray field = name.toUtf8();
    const QByteArray bytes = value.toString().toUtf8();
    // The value is not shown: it may be a password.
    if (!QSsePrivate::isToken(field) || !value.canConvert<QString>()
        || !QSsePrivate::isOneLine(bytes)) {
        qmlWarning(this) << tr("\"%1\" is no header field that can be sent.").arg(name);
        return;
    }
    request.setRawHeader(field, bytes.isNull() ? QByteArray("") : bytes);
    m_headerNames.append(field);
}

void QSseQmlEventSource::setActive(bool active)
{
    if (active == m_active)
        return;
    m_active = active;
    const QPointer<QSseQmlEventSource> guard(this);
    Q_EMIT activeChanged();
    if (!guard)
        return;
    if (m_active)
        openSoon();
    else
        reconnectSoon();
}

int QSseQmlEventSource::reconnectionTime() const
{
    return toInt(m_source.reconnectionTime().count());
}

void QSseQmlEventSource::setReconnectionTime(int milliseconds)
{
    m_source.setReconnectionTime(std::chrono::milliseconds(milliseconds));
}

int QSseQmlEventSource::maximumReconnectionTime() const
{
    return toInt(m_source.maximumReconnectionTime().count());
}

void QSseQmlEventSource::setMaximumReconnectionTime(int milliseconds)
{
    m_source.setMaximumReconnectionTime(std::chrono::milliseconds(milliseconds));
}

int QSseQmlEventSource::connectTimeout() const
{
    return toInt(m_source.connectTimeout().count());
}

void QSseQmlEventSource::setConnectTimeout(int milliseconds)
{
    m_source.setConnectTimeout(std::chrono::milliseconds(milliseconds));
}

int QSseQmlEventSource::readTimeout() const
{
    return toInt(m_source.readTimeout().count());
}

void QSseQmlEventSource::setReadTimeout(int milliseconds)
{
    m_source.setReadTimeout(std::chrono::milliseconds(milliseconds));
}

int QSseQmlEventSource::maximumEventSize() const
{
    return toInt(m_source.maximumEventSize());
}

void QSseQmlEventSource::setMaximumEventSize(int bytes)
{
    const int before = maximumEventSize();
    m_source.setMaximumEventSize(bytes);
    if (maximumEventSize() != before)
        Q_EMIT maximumEventSizeChanged();
}

QQmlListProperty<QSseQmlEventListener> QSseQmlEventSource::listeners()
{
    using List = QQmlListProperty<QSseQmlEventListener>;
    const List::AppendFunction append = [](List *list, QSseQmlEventListener *listener) {
        auto *source = static_cast<QSseQmlEventSource *>(list->object);
        source->m_listenerObjects.append(listener);
        if (listener && !listener->target())
            listener->setTarget(source);
    };
    const List::CountFunction count = [](List *list) {
        return static_cast<QSseQmlEventSource *>(list->object)->m_listenerObjects.size();
    };
    const List::AtFunction at = [](List *list, qsizetype index) {
        return static_cast<QSseQmlEventSource *>(list->object)->m_listenerObjects.at(index).data();
    };
    return List(this, nullptr, append, count, at, nullptr);
}

void QSseQmlEventSource::addEventListener(const QString &type, const QJSValue &listener,
                                          QObject *context)
{
    if (!listener.isCallable()) {
        qmlWarning(this) << tr("addEventListener() needs a function.");
        return;
    }
    forgetDisconnected(); // what went with its context
    const QObject *owner = context ? context : this;
    const auto handler = [this, listener, owner,
                          inQml = qmlContext(owner) != nullptr](const QSseEvent &event) {
        if (!inQml || isAlive(owner))
            call(listener, event);
    };
    m_listeners.append({ type, listener, m_source.addEventListener(type, owner, handler) });
}

void QSseQmlEventSource::removeEventListener(const QString &type, const QJSValue &listener)
{
    for (const Listener &candidate : std::as_const(m_listeners)) {
        if (candidate.type == type && candidate.function.strictlyEquals(listener))
            disconnect(candidate.connection);
    }
    forgetDisconnected();
}

void QSseQmlEventSource::forgetDisconnected()
{
    m_listeners.removeIf([](const Listener &listener) { return !listener.connection; });
}

void QSseQmlEventSource::call(const QJSValue &listener, const QSseEvent &event)
{
    QJSEngine *engine = qjsEngine(this);
    if (!engine)
        return;
    const QPointer<QSseQmlEventSource> guard(this);
    const QJSValue result = listener.call({ engine->toScriptValue(event) });
    if (guard && result.isError())
        qmlWarning(this) << result.toString();
}

void QSseQmlEventSource::open()
{
    if (m_active)
        openSoon();
    else
        setActive(true);
}

void QSseQmlEventSource::restart()
{
    if (m_active)
        reconnectSoon();
    else
        setActive(true);
}

void QSseQmlEventSource::componentComplete()
{
    m_complete = true;
    openSoon();
}

bool QSseQmlEventSource::isWanted() const
{
    // A relative URL, such as that of a server that does not listen yet with a query added, is
    // nothing wrong: the binding that gave it will give another.
    return m_complete && m_active && !url().isRelative();
}

// Not at once, because other properties may be bound to what made this one change.
void QSseQmlEventSource::openSoon()
{
    if (isWanted() && m_source.readyState() == QSseEventSource::ReadyState::Closed)
        m_openTimer.start();
    updateState();
}

// Ends the connection, after which another is made if one is wanted.
void QSseQmlEventSource::reconnectSoon()
{
    if (isWanted())
        m_openTimer.start();
    else
        m_openTimer.stop();
    const QPointer<QSseQmlEventSource> guard(this);
    m_source.close();
    if (guard)
        updateState();
}

void QSseQmlEventSource::updateState()
{
    const QPointer<QSseQmlEventSource> guard(this);
    const int status = m_source.httpStatus();
    if (std::exchange(m_httpStatus, status) != status)
        Q_EMIT httpStatusChanged();
    if (!guard)
        return;
    const ReadyState state =
        m_openTimer.isActive() ? Connecting : ReadyState(m_source.readyState());
    if (std::exchange(m_readyState, state) != state)
        Q_EMIT readyStateChanged();
}

void QSseQmlEventSource::reportError(Error error, const QString &text)
{
    const QPointer<QSseQmlEventSource> guard(this);
    updateState(); // a URL that cannot be opened leaves the source closed, as it was
    if (guard)
        Q_EMIT errorOccurred(error, text);
}
