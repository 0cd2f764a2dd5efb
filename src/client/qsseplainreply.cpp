// SPDX-License-Identifier: MIT
#include "qsseeventsource.h"
#include "qsseplainreply_p.h"

#include <QtNetwork/QNetworkCookie>
#include <QtNetwork/QNetworkCookieJar>
#include <QtNetwork/QNetworkProxy>
#include <QtNetwork/QTcpSocket>

#include <cstring>
#include <limits>
#include <utility>

namespace {
constexpr qint64 PieceSize = Q_INT64_C(64) * 1024;

QByteArray hostField(const QUrl &url)
{
    QByteArray host = url.host(QUrl::FullyEncoded).toLatin1();
    if (host.contains(':'))
        host = '[' + host + ']';
    return url.port(80) == 80 ? host : host + ':' + QByteArray::number(url.port());
}

QByteArray requestTarget(const QUrl &url)
{
    const QByteArray path = url.path(QUrl::FullyEncoded).toLatin1();
    const QByteArray query = url.query(QUrl::FullyEncoded).toLatin1();
    return (path.isEmpty() ? "/" : path) + (url.hasQuery() ? "?" + query : QByteArray());
}

QNetworkReply::NetworkError networkError(QAbstractSocket::SocketError error)
{
    switch (error) {
    case QAbstractSocket::ConnectionRefusedError:
        return QNetworkReply::ConnectionRefusedError;
    case QAbstractSocket::RemoteHostClosedError:
        return QNetworkReply::RemoteHostClosedError;
    case QAbstractSocket::HostNotFoundError:
        return QNetworkReply::HostNotFoundError;
    case QAbstractSocket::SocketTimeoutError:
        return QNetworkReply::TimeoutError;
    default:
        return QNetworkReply::UnknownNetworkError;
    }
}
} // namespace

QSsePlainReply::QSsePlainReply(const QNetworkRequest &request, const QByteArray &method,
                               const QByteArray &body, QNetworkCookieJar *jar, QObject *parent)
    : QNetworkReply(parent), m_socket(new QTcpSocket(this)), m_jar(jar)
{
    setRequest(request);
    setUrl(request.url());
    open(QIODevice::ReadOnly | QIODevice::Unbuffered);

    m_socket->setProxy(QNetworkProxy::NoProxy);
    m_socket->connectToHost(url().host(QUrl::FullyEncoded), quint16(url().port(80)));
    const QByteArray bytes = head(method, body.isNull() ? -1 : body.size()) + body;
    connect(m_socket, &QTcpSocket::connected, this, [this, bytes] {
        m_socket->setSocketOption(QAbstractSocket::LowDelayOption, 1);
        m_socket->setSocketOption(QAbstractSocket::KeepAliveOption, 1);
        m_socket->write(bytes);
    });
    connect(m_socket, &QTcpSocket::readyRead, this, &QSsePlainReply::advance);
    connect(m_socket, &QTcpSocket::disconnected, this, &QSsePlainReply::advance);
    connect(m_socket, &QTcpSocket::errorOccurred, this, &QSsePlainReply::advance);
}

QByteArray QSsePlainReply::head(const QByteArray &method, qsizetype bodySize) const
{
    QByteArray head = method + ' ' + requestTarget(url()) + " HTTP/1.1\r\n";
    const auto add = [&](const QByteArray &name, const QByteArray &value) {
        head += name + ": " + value + "\r\n";
    };
    if (!request().hasRawHeader("Host"))
        add("Host", hostField(url()));
    for (const QByteArray &name : request().rawHeaderList()) {
        if (name.compare("Content-Length", Qt::CaseInsensitive) != 0)
            add(name, request().rawHeader(name));
    }
    if (bodySize >= 0)
        add("Content-Length", QByteArray::number(bodySize));
    if (uses(QNetworkRequest::CookieLoadControlAttribute) && !request().hasRawHeader("Cookie")) {
        QByteArrayList cookies;
        for (const QNetworkCookie &cookie : m_jar->cookiesForUrl(url()))
            cookies << cookie.toRawForm(QNetworkCookie::NameAndValueOnly);
        if (!cookies.isEmpty())
            add("Cookie", cookies.join("; "));
    }
    return head + "\r\n";
}

bool QSsePlainReply::uses(QNetworkRequest::Attribute cookieControl) const
{
    return m_jar
        && request().attribute(cookieControl, QNetworkRequest::Automatic).toInt()
        == QNetworkRequest::Automatic;
}

// Takes what has come, up to as much as may wait for being read.
void QSsePlainReply::advance()
{
    m_body.remove(0, std::exchange(m_offset, 0));
    const qsizetype before = m_body.size();
    const bool hadHead = m_reader.hasHead();
    const qint64 limit =
        readBufferSize() > 0 ? readBufferSize() : std::numeric_limits<qint64>::max();
    while (m_body.size() < limit && m_socket->bytesAvailable() > 0 && !m_reader.isComplete()
           && m_reader.error() == QSseResponseReader::Error::NoError)
        m_reader.addData(m_socket->read(PieceSize), &m_body);

    if (!hadHead && m_reader.hasHead())
        endHead();
    if (m_body.size() > before)
        Q_EMIT readyRead();
    checkEnd();
}

void QSsePlainReply::endHead()
{
    setAttribute(QNetworkRequest::HttpStatusCodeAttribute, m_reader.status());
    setAttribute(QNetworkRequest::HttpReasonPhraseAttribute, m_reader.reason());
    QList<QNetworkCookie> cookies;
    for (const auto &[name, value] : m_reader.fields()) {
        if (name.compare("Set-Cookie", Qt::CaseInsensitive) == 0)
            cookies << QNetworkCookie::parseCookies(value);
        // Fields of one name are one list: RFC 9110 §5.3.
        setRawHeader(name, hasRawHeader(name) ? rawHeader(name) + ", " + value : value);
    }
    if (uses(QNetworkRequest::CookieSaveControlAttribute))
        m_jar->setCookiesFromUrl(cookies, url());
    Q_EMIT metaDataChanged();
}

void QSsePlainReply::checkEnd()
{
    const bool isOver =
        m_socket->state() == QAbstractSocket::UnconnectedState && m_socket->bytesAvailable() == 0;
    const bool isUnanswered = isOver && m_reader.status() == 0;
    if (isUnanswered && m_socket->error() != QAbstractSocket::RemoteHostClosedError) {
        finish(networkError(m_socket->error()), m_socket->errorString());
        return;
    }
    if (isOver)
        m_reader.end();
    switch (m_reader.error()) {
    case QSseResponseReader::Error::NoError:
        if (m_reader.isComplete())
            finish(NoError, QString());
        break;
    case QSseResponseReader::Error::Truncated:
        finish(RemoteHostClosedError,
               isUnanswered ? QSseEventSource::tr("The server closed the connection unanswered")
                            : QSseEventSource::tr("The connection broke"));
        break;
    case QSseResponseReader::Error::HeadTooLarge:
        finish(ProtocolFailure,
               QSseEventSource::tr("The head of the answer is larger than %1 bytes")
                   .arg(QSseResponseReader::MaximumHead));
        break;
    case QSseResponseReader::Error::Malformed:
        finish(ProtocolFailure, QSseEventSource::tr("The answer is no valid HTTP"));
        break;
    }
}

void QSsePlainReply::finish(NetworkError error, const QString &text)
{
    if (isFinished())
        return;
    m_socket->disconnect(this);
    m_socket->abort();
    if (error != NoError) {
        setError(error, text);
        Q_EMIT errorOccurred(error);
    }
    setFinished(true);
    Q_EMIT finished();
}

void QSsePlainReply::abort()
{
    finish(OperationCanceledError, QSseEventSource::tr("Cancelled"));
}

qint64 QSsePlainReply::bytesAvailable() const
{
    return QNetworkReply::bytesAvailable() + m_body.size() - m_offset;
}

void QSsePlainReply::setReadBufferSize(qint64 size)
{
    QNetworkReply::setReadBufferSize(size);
    m_socket->setReadBufferSize(size);
}

qint64 QSsePlainReply::readData(char *data, qint64 maximum)
{
    const qsizetype count = qsizetype(qMin<qint64>(maximum, m_body.size() - m_offset));
    std::memcpy(data, m_body.constData() + m_offset, size_t(count));
    m_offset += count;
    if (m_offset == m_body.size()) {
        m_body.resize(0);
        m_offset = 0;
        if (m_socket->bytesAvailable() > 0)
            QMetaObject::invokeMethod(this, &QSsePlainReply::advance, Qt::QueuedConnection);
    }
    return count == 0 && isFinished() ? -1 : count;
}
