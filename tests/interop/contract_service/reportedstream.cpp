// SPDX-License-Identifier: MIT
#include "reportedstream.h"

#include <QtCore/QJsonDocument>
#include <QtCore/QJsonObject>
#include <QtCore/QStringDecoder>
#include <QtNetwork/QNetworkAccessManager>
#include <QtNetwork/QNetworkReply>

#include <limits>
#include <optional>

using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {

constexpr qsizetype MaximumWaiting = 16;
constexpr milliseconds CallbackTimeout = 30s;

// QString::fromUtf8() would swallow a U+FEFF at the beginning.
QString textOf(const QByteArray &utf8)
{
    return QStringDecoder(QStringDecoder::Utf8, QStringDecoder::Flag::ConvertInitialBom)(utf8);
}

QUrl httpUrl(const QJsonValue &value)
{
    const QUrl url(value.toString(), QUrl::StrictMode);
    return url.scheme() == QLatin1String("http") && !url.host().isEmpty() ? url : QUrl();
}

std::optional<milliseconds> duration(const QJsonValue &value)
{
    const qint64 count = value.toInteger(-1);
    if (count < 0 || count > std::numeric_limits<int>::max())
        return std::nullopt;
    return milliseconds(count);
}

} // namespace

ReportedStream::ReportedStream(QNetworkAccessManager *callbacks) : m_callbacks(callbacks)
{
    connect(&m_source, &QSseEventSource::eventReceived, this, &ReportedStream::reportEvent);
    connect(&m_source, &QSseEventSource::commentReceived, this,
            [this](const QString &comment) { report(QStringLiteral("comment"), comment); });
    connect(&m_source, &QSseEventSource::errorOccurred, this,
            [this](QSseEventSource::Error, const QString &text) {
                report(QStringLiteral("error"), text);
            });
}

QString ReportedStream::open(const QByteArray &json)
{
    const QJsonDocument document = QJsonDocument::fromJson(json);
    if (!document.isObject())
        return QStringLiteral("A JSON object is needed");
    const QJsonObject members = document.object();
    for (auto it = members.begin(); it != members.end(); ++it) {
        if (!it->isNull() && !take(it.key(), *it)) // the harness sends null for none
            return QStringLiteral("\"%1\" is not valid").arg(it.key());
    }
    if (m_source.url().isEmpty() || m_callbackUrl.isEmpty())
        return QStringLiteral("\"streamUrl\" and \"callbackUrl\" are needed");
    m_source.open();
    return QString();
}

// Returns whether the value is valid; members that are not known are.
bool ReportedStream::take(const QString &name, const QJsonValue &value)
{
    if (name == QLatin1String("streamUrl")) {
        m_source.setUrl(httpUrl(value));
        return !m_source.url().isEmpty();
    }
    if (name == QLatin1String("callbackUrl")) {
        m_callbackUrl = httpUrl(value);
        return !m_callbackUrl.isEmpty();
    }
    if (name == QLatin1String("initialDelayMs")) {
        m_source.setReconnectionTime(duration(value).value_or(0ms));
        return duration(value).has_value();
    }
    if (name == QLatin1String("readTimeoutMs")) {
        m_source.setReadTimeout(duration(value).value_or(0ms));
        return duration(value).has_value();
    }
    if (name == QLatin1String("lastEventId")) {
        m_source.setLastEventId(value.toString());
        return value.isString() && m_source.lastEventId() == value.toString();
    }
    if (name == QLatin1String("method")) {
        m_source.setMethod(value.toString().toUtf8());
        return value.isString() && m_source.method() == value.toString().toUtf8();
    }
    if (name == QLatin1String("body")) {
        m_source.setBody(value.toString().toUtf8());
        return value.isString();
    }
    if (name == QLatin1String("headers"))
        return takeHeaders(value);
    return true;
}

bool ReportedStream::takeHeaders(const QJsonValue &value)
{
    const QJsonObject headers = value.toObject();
    for (auto it = headers.begin(); it != headers.end(); ++it) {
        m_source.setRawHeader(it.key().toUtf8(), it->toString().toUtf8());
        if (!it->isString())
            return false;
    }
    return value.isObject();
}

QString ReportedStream::obey(const QByteArray &json)
{
    const QJsonObject members = QJsonDocument::fromJson(json).object();
    const QString command = members.value(QLatin1String("command")).toString();
    if (command == QLatin1String("restart")) {
        m_source.restart();
        return QString();
    }
    // Events of all types are reported anyway.
    if (command == QLatin1String("listen")
        && members.value(QLatin1String("listen"))
               .toObject()
               .value(QLatin1String("type"))
               .isString())
        return QString();
    return QStringLiteral("\"restart\", or \"listen\" with a type, is needed as \"command\"");
}

void ReportedStream::finish()
{
    m_source.close();
    m_isFinished = true;
    if (!m_reply)
        deleteLater();
}

void ReportedStream::reportEvent(const QSseEvent &event)
{
    QJsonObject content { { QStringLiteral("type"), event.type() },
                          { QStringLiteral("data"), textOf(event.dataUtf8()) } };
    if (!event.idUtf8().isNull())
        content.insert(QStringLiteral("id"), textOf(event.idUtf8()));
    report(QStringLiteral("event"), content);
}

void ReportedStream::report(const QString &kind, const QJsonValue &content)
{
    const QJsonObject report { { QStringLiteral("kind"), kind }, { kind, content } };
    m_reports.enqueue(QJsonDocument(report).toJson(QJsonDocument::Compact));
    m_source.setPaused(m_reports.size() > MaximumWaiting);
    if (!m_reply)
        post();
}

void ReportedStream::post()
{
    QUrl url = m_callbackUrl;
    url.setPath(url.path() + QLatin1Char('/') + QString::number(m_posted + 1));
    QNetworkRequest request(url);
    request.setHeader(QNetworkRequest::ContentTypeHeader, QByteArray("application/json"));
    request.setTransferTimeout(int(CallbackTimeout.count()));
    m_reply = m_callbacks->post(request, m_reports.head());
    connect(m_reply, &QNetworkReply::finished, this, &ReportedStream::posted);
}

void ReportedStream::posted()
{
    ++m_posted;
    m_reports.dequeue();
    if (m_reply->error() != QNetworkReply::NoError) {
        qWarning() << "report" << m_posted << "to" << m_callbackUrl
                   << "failed:" << m_reply->errorString();
        m_source.close();
        m_reports.clear();
    }
    m_reply->deleteLater();
    m_reply = nullptr;
    if (!m_reports.isEmpty())
        post();
    else if (m_isFinished)
        deleteLater();
    m_source.setPaused(m_reports.size() > MaximumWaiting);
}
