// SPDX-License-Identifier: MIT
#include "qsseqmleventsource.h"

#include <QtQml/QJSEngine>
#include <QtQml/QQmlInfo>

QSseQmlEventSource::QSseQmlEventSource(QObject *parent) : QObject(parent)
{
    connect(&m_source, &QSseEventSource::urlChanged, this, &QSseQmlEventSource::urlChanged);
    connect(&m_source, &QSseEventSource::readyStateChanged, this,
            &QSseQmlEventSource::readyStateChanged);
    connect(&m_source, &QSseEventSource::lastEventIdChanged, this,
            &QSseQmlEventSource::lastEventIdChanged);
    connect(&m_source, &QSseEventSource::reconnectionTimeChanged, this,
            &QSseQmlEventSource::reconnectionTimeChanged);
    connect(&m_source, &QSseEventSource::opened, this, &QSseQmlEventSource::opened);
    connect(&m_source, &QSseEventSource::eventReceived, this, &QSseQmlEventSource::dispatch);
    connect(&m_source, &QSseEventSource::errorOccurred, this,
            [this](QSseEventSource::Error, const QString &text) { Q_EMIT errorOccurred(text); });
}

QSseQmlEventSource::~QSseQmlEventSource() = default;

void QSseQmlEventSource::setUrl(const QUrl &url)
{
    if (url == m_source.url())
        return;
    if (m_complete) {
        m_source.close();
        m_source.setLastEventId(QString());
    }
    m_source.setUrl(url);
    openIfWanted();
}

void QSseQmlEventSource::setActive(bool active)
{
    if (active == m_active)
        return;
    m_active = active;
    if (m_active)
        openIfWanted();
    else
        m_source.close();
    Q_EMIT activeChanged();
}

void QSseQmlEventSource::setReconnectionTime(int milliseconds)
{
    m_source.setReconnectionTime(std::chrono::milliseconds(milliseconds));
}

void QSseQmlEventSource::addEventListener(const QString &type, const QJSValue &listener,
                                          QObject *context)
{
    if (!listener.isCallable()) {
        qmlWarning(this) << tr("addEventListener() needs a function.");
        return;
    }
    m_listeners.append({ type, listener, context, context != nullptr });
}

void QSseQmlEventSource::removeEventListener(const QString &type, const QJSValue &listener)
{
    m_listeners.removeIf([&](const Listener &candidate) {
        return candidate.type == type && candidate.function.strictlyEquals(listener);
    });
}

void QSseQmlEventSource::open()
{
    if (m_active)
        openIfWanted();
    else
        setActive(true);
}

void QSseQmlEventSource::componentComplete()
{
    m_complete = true;
    openIfWanted();
}

void QSseQmlEventSource::openIfWanted()
{
    // A relative URL, such as that of a server that does not listen yet with a query added, is
    // nothing wrong: the binding that gave it will give another.
    if (m_complete && m_active && !url().isRelative())
        m_source.open();
}

// Whatever is called here may destroy this object.
void QSseQmlEventSource::dispatch(const QSseEvent &event)
{
    const QPointer<QSseQmlEventSource> guard(this);
    Q_EMIT eventReceived(event);
    if (guard && event.type() == QLatin1String("message"))
        Q_EMIT message(event);
    if (guard)
        callListeners(event);
}

void QSseQmlEventSource::callListeners(const QSseEvent &event)
{
    const QPointer<QSseQmlEventSource> guard(this);
    m_listeners.removeIf([](const Listener &l) { return l.hasContext && !l.context; });
    // A copy, because a listener may add and remove others.
    const QList<Listener> listeners = m_listeners;
    for (const Listener &listener : listeners) {
        QJSEngine *engine = guard ? qjsEngine(this) : nullptr;
        if (!engine)
            return;
        if (listener.type != event.type() || (listener.hasContext && !listener.context))
            continue;
        const QJSValue result = listener.function.call({ engine->toScriptValue(event) });
        if (guard && result.isError())
            qmlWarning(this) << result.toString();
    }
}
