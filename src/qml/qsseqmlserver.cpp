// SPDX-License-Identifier: MIT
#include "qsseqmlserver.h"

#include "qsseqmljson_p.h"

#include <QtQml/QQmlInfo>

#include <limits>
#include <optional>

namespace {

std::optional<QHostAddress> hostAddress(const QString &text)
{
    if (text == QLatin1String("*"))
        return QHostAddress(QHostAddress::Any);
    if (text == QLatin1String("localhost"))
        return QHostAddress(QHostAddress::LocalHost);
    const QHostAddress address(text);
    return address.isNull() ? std::nullopt : std::make_optional(address);
}

bool isWildcard(const QHostAddress &address)
{
    return address == QHostAddress::Any || address == QHostAddress::AnyIPv4
        || address == QHostAddress::AnyIPv6;
}

} // namespace

QSseQmlServer::QSseQmlServer(QObject *parent) : QObject(parent)
{
    connect(&m_server, &QSseServer::notified, this, &QSseQmlServer::notified);
    connect(&m_server, &QSseServer::subscriberCountChanged, this,
            &QSseQmlServer::subscriberCountChanged);
    connect(&m_server, &QSseServer::keepAliveIntervalChanged, this,
            &QSseQmlServer::keepAliveIntervalChanged);
    connect(&m_server, &QSseServer::retryIntervalChanged, this,
            &QSseQmlServer::retryIntervalChanged);
    connect(&m_server, &QSseServer::historySizeChanged, this, &QSseQmlServer::historySizeChanged);
    connect(&m_server, &QSseServer::errorOccurred, this,
            [this](QSseServer::Error, const QString &text) { Q_EMIT errorOccurred(text); });
}

QSseQmlServer::~QSseQmlServer()
{
    // The servers may still have something to say while they go; nobody is left to hear it.
    m_server.disconnect(this);
}

void QSseQmlServer::setAddress(const QString &address)
{
    if (address == m_address)
        return;
    m_address = address;
    Q_EMIT addressChanged();
    update();
}

void QSseQmlServer::setPort(int port)
{
    if (port == m_port)
        return;
    m_port = port;
    Q_EMIT portChanged();
    update();
}

void QSseQmlServer::setPath(const QString &path)
{
    if (path == m_path)
        return;
    if (m_complete) {
        qmlWarning(this) << tr("The path cannot be changed any more.");
        return;
    }
    m_path = path;
    Q_EMIT pathChanged();
}

void QSseQmlServer::setActive(bool active)
{
    if (active == m_active)
        return;
    m_active = active;
    Q_EMIT activeChanged();
    update();
    if (m_complete && !m_active)
        m_server.disconnectAll();
}

void QSseQmlServer::setKeepAliveInterval(int milliseconds)
{
    m_server.setKeepAliveInterval(std::chrono::milliseconds(milliseconds));
}

void QSseQmlServer::setRetryInterval(int milliseconds)
{
    m_server.setRetryInterval(std::chrono::milliseconds(milliseconds));
}

QUrl QSseQmlServer::url() const
{
    if (!isListening())
        return QUrl();
    const std::optional<QHostAddress> address = hostAddress(m_address);
    QUrl url;
    url.setScheme(QStringLiteral("http"));
    // A wildcard is nothing to connect to; this machine is where it can be reached for sure.
    url.setHost(!address || isWildcard(*address) ? QStringLiteral("127.0.0.1")
                                                 : address->toString());
    url.setPort(m_serverPort);
    url.setPath(m_path);
    return url;
}

QString QSseQmlServer::notify(const QString &topic, const QVariant &data, const QString &event)
{
    return m_server.notify(topic, QSse::eventFromVariant(data, event));
}

void QSseQmlServer::componentComplete()
{
    m_complete = true;
    m_http.addEventStream(m_path);
    update();
}

// Makes what is listened on what the properties say.
void QSseQmlServer::update()
{
    if (!m_complete)
        return;
    m_http.close();
    if (!m_active) {
        setState(0, QString());
        return;
    }

    const std::optional<QHostAddress> address = hostAddress(m_address);
    if (!address) {
        setState(0, tr("\"%1\" is no IP address.").arg(m_address));
    } else if (m_port < 0 || m_port > std::numeric_limits<quint16>::max()) {
        setState(0, tr("%1 is no port number.").arg(m_port));
    } else {
        const quint16 port = m_http.listen(*address, quint16(m_port));
        setState(port, port ? QString() : m_http.errorString());
    }
}

void QSseQmlServer::setState(quint16 serverPort, const QString &errorString)
{
    const bool errorChanged = errorString != m_errorString;
    m_serverPort = serverPort;
    m_errorString = errorString;
    // Also when the port stays: the URL has the address in it.
    Q_EMIT listeningChanged();
    if (errorChanged)
        Q_EMIT errorStringChanged();
    if (!errorString.isEmpty())
        Q_EMIT errorOccurred(errorString);
}
