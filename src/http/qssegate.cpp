// SPDX-License-Identifier: MIT
#include "qssegate_p.h"

#include "qssestream_p.h"
#include "qssetopicfilter_p.h"

#include <QtCore/QCoreApplication>
#include <QtCore/QCryptographicHash>
#include <QtCore/QLoggingCategory>
#include <QtCore/QUrlQuery>
#include <QtNetwork/QHostAddress>

#include <algorithm>

Q_DECLARE_LOGGING_CATEGORY(lcHttp)

using Decision = QSseAccess::Decision;
using Status = QSseHttpExchange::Status;

namespace {

QString translate(const char *text)
{
    return QCoreApplication::translate("QSseGate", text);
}

// Every line of a header field: lists of cookies and credentials cannot be joined by commas.
QByteArrayList fieldLines(const QHttpServerRequest &request, const QByteArray &name)
{
#if QT_VERSION < QT_VERSION_CHECK(6, 8, 0)
    QByteArrayList lines;
    const auto fields = request.headers();
    for (const auto &field : fields) {
        if (field.first.compare(name, Qt::CaseInsensitive) == 0)
            lines.append(field.second);
    }
    return lines;
#else
    return request.headers().values(name);
#endif
}

// The name in a Host header, or in a list of them: without port, brackets and a final dot.
QString hostName(const QString &host)
{
    QString name = host.trimmed().toLower();
    const qsizetype port = name.lastIndexOf(QLatin1Char(':'));
    const qsizetype bracket = name.lastIndexOf(QLatin1Char(']'));
    if (port > bracket)
        name.truncate(port);
    if (name.startsWith(QLatin1Char('[')) && name.endsWith(QLatin1Char(']')))
        return name.mid(1, name.size() - 2);
    if (name.endsWith(QLatin1Char('.')))
        name.chop(1);
    return name;
}

bool isLoopbackName(const QString &name)
{
    return name == QLatin1String("localhost") || name.endsWith(QLatin1String(".localhost"))
        || QHostAddress(name).isLoopback();
}

// Takes the same time wherever a and b begin to differ: their digests say nothing about them.
bool isSame(const QByteArray &a, const QByteArray &b)
{
    const QByteArray digestA = QCryptographicHash::hash(a, QCryptographicHash::Sha256);
    const QByteArray digestB = QCryptographicHash::hash(b, QCryptographicHash::Sha256);
    uint difference = 0;
    for (qsizetype i = 0; i < digestA.size(); ++i)
        difference |= uchar(digestA.at(i)) ^ uchar(digestB.at(i));
    return difference == 0;
}

// RFC 6750 §3: nothing but the scheme for who did not show anything.
QSseHeaders challenge(const QSseAccessToken &token, const char *error)
{
    QByteArray value("Bearer realm=\"QSse\"");
    if (!token.value.isEmpty() || !token.error.isEmpty())
        value.append(", error=\"").append(error).append('"');
    return { { "WWW-Authenticate", value } };
}

// Whether all that was decided can be done.
bool isConsistent(const QSseAccess &access)
{
    const auto areValid = [](const QList<QSseTopicFilter> &filters) {
        return std::all_of(filters.begin(), filters.end(),
                           [](const QSseTopicFilter &filter) { return filter.isValid(); });
    };
    const QList<QSseTopicFilter> topics = access.topics.value_or(QList<QSseTopicFilter>());
    return access.decision != Decision::None && areValid(topics) && areValid(access.grants);
}

// What the authorizer decides; nothing when it fails at that.
std::optional<QSseAccess> ask(const QSseAuthorizer &authorizer, const QSseAccessRequest &request)
{
    try {
        QSseAccess access = authorizer(request);
        if (isConsistent(access))
            return access;
        qCWarning(lcHttp, "The authorizer's answer makes no sense; the request is refused");
    } catch (...) {
        // What it says is not logged: it may have the token.
        qCWarning(lcHttp, "The authorizer threw an exception; the request is refused");
    }
    return std::nullopt;
}

// What a decision means in the end.
QSseAccess settled(QSseAccess access)
{
    if (access.decision != Decision::Allowed)
        return access;
    if (access.expiresAt.isValid() && access.expiresAt <= QDateTime::currentDateTimeUtc())
        return QSseAccess::unauthorized(translate("The access has expired"));
    if (access.topics && access.topics->isEmpty())
        return QSseAccess::forbidden(translate("None of the topics is allowed"));
    return access;
}

} // namespace

bool QSseGate::isAllowed(const QByteArray &origin) const
{
    return allowedOrigins.contains(QLatin1String("*"))
        || allowedOrigins.contains(QString::fromUtf8(origin));
}

// Whether a page of this origin may use what the browser keeps for us. That '*' is allowed does not
// make it so, as with credentials in CORS.
bool QSseGate::isOwnOrigin(const QSseHttpExchange &exchange, const QByteArray &origin) const
{
    const QByteArray host = exchange.header("Host");
    return origin == "http://" + host || origin == "https://" + host
        || allowedOrigins.contains(QString::fromUtf8(origin));
}

// A name of somebody else's may be made to lead here (DNS rebinding), and a browser then takes us
// for a part of their site. No browser leaves the name out.
bool QSseGate::admitHost(QSseHttpExchange &exchange, bool onLoopback) const
{
    const QString name = hostName(QString::fromUtf8(exchange.header("Host")));
    const auto isName = [&](const QString &host) {
        return host == QLatin1String("*") || hostName(host) == name;
    };
    const bool isOurs = allowedHosts.isEmpty()
        ? !onLoopback || isLoopbackName(name)
        : std::any_of(allowedHosts.begin(), allowedHosts.end(), isName);
    if (name.isEmpty() || isOurs)
        return true;
    exchange.refuse(Status::MisdirectedRequest,
                    translate("The host that the request names is not served here"));
    return false;
}

bool QSseGate::admitSubscriber(QSseHttpExchange &exchange, const QSseServer &server,
                               QSseSubscription *subscription, QSseHeaders *headers) const
{
    if (!authorizer)
        return true;
    // All but whether a topic exists or is private, which is not for everybody to know, and for the
    // authorizer to change.
    const auto refusal = server.refusal(*subscription);
    if (refusal && refusal->error != QSseServer::Error::UnknownTopic
        && refusal->error != QSseServer::Error::PrivateTopic) {
        QSsePrivate::refuse(exchange, server, *refusal, *headers);
        return false;
    }
    for (const QSseTopicFilter &filter : std::as_const(subscription->topics)) {
        if (!filter.isValid()) {
            exchange.refuse(Status::BadRequest, filter.errorString(), *headers);
            return false;
        }
    }
    const std::optional<QSseAccessToken> token = readToken(exchange, headers);
    if (!token)
        return false;
    const std::optional<QSseAccess> access =
        authorize(exchange, *token,
                  { QSseAccessRequest::Action::Subscribe, exchange.request(), subscription->topics,
                    token->value },
                  *headers);
    if (!access)
        return false;
    if (access->topics)
        subscription->topics = *access->topics;
    subscription->claims = access->claims;
    subscription->grants = access->grants;
    subscription->expiresAt = access->expiresAt;
    return true;
}

// A page anywhere can make a browser send us a simple POST, so the origin it names must be allowed.
bool QSseGate::admitPublisher(QSseHttpExchange &exchange, bool onLoopback,
                              QSseHeaders *headers) const
{
    const QByteArray origin = exchange.header("Origin");
    if (!origin.isEmpty() && !isOwnOrigin(exchange, origin) && !isAllowed(origin)) {
        exchange.refuse(Status::Forbidden, translate("This origin may not publish"), *headers);
        return false;
    }
    if (authorizer)
        return true;
    if (!publishKey.isEmpty())
        return admitKey(exchange, headers);
    if (onLoopback)
        return true;
    exchange.refuse(Status::Forbidden,
                    translate("Publishing is off: there is neither a key nor an authorizer, and "
                              "others than this machine reach the server"),
                    *headers);
    return false;
}

bool QSseGate::admitKey(QSseHttpExchange &exchange, QSseHeaders *headers) const
{
    const std::optional<QSseAccessToken> token = readToken(exchange, headers);
    if (!token || !admitCookie(exchange, *token, *headers))
        return false;
    if (isSame(token->value.toUtf8(), publishKey))
        return true;
    exchange.refuse(Status::Unauthorized,
                    token->value.isEmpty() ? translate("Publishing needs a key")
                                           : translate("The key is wrong"),
                    *headers + challenge(*token, "invalid_token"));
    return false;
}

bool QSseGate::admitTopics(QSseHttpExchange &exchange, const QStringList &topics,
                           QSseHeaders *headers) const
{
    if (!authorizer)
        return true;
    for (const QString &topic : topics) {
        const QString error = QSseTopicFilter::topicError(topic);
        if (!error.isEmpty()) {
            exchange.refuse(Status::BadRequest, error, *headers);
            return false;
        }
    }
    const std::optional<QSseAccessToken> token = readToken(exchange, headers);
    if (!token || !admitCookie(exchange, *token, *headers))
        return false;
    const QList<QSseTopicFilter> filters(topics.begin(), topics.end());
    const std::optional<QSseAccess> access =
        authorize(exchange, *token,
                  { QSseAccessRequest::Action::Publish, exchange.request(), filters, token->value },
                  *headers);
    if (!access)
        return false;
    const auto isCovered = [&](const QString &topic) {
        return !access->topics || QSsePrivate::matchesAny(*access->topics, topic);
    };
    const auto refused = std::find_if_not(topics.begin(), topics.end(), isCovered);
    if (refused == topics.end())
        return true;
    exchange.refuse(Status::Forbidden,
                    translate("Publishing under '%1' is not allowed").arg(*refused),
                    *headers + challenge(*token, "insufficient_scope"));
    return false;
}

std::optional<QSseAccessToken> QSseGate::readToken(QSseHttpExchange &exchange,
                                                   QSseHeaders *headers) const
{
    const QHttpServerRequest &request = exchange.request();
    QSseAccessToken token =
        QSseAccessToken::read(fieldLines(request, "Authorization"), fieldLines(request, "Cookie"),
                              tokenCookie.toUtf8(), request.query());
    if (token.isInQuery)
        headers->emplaceBack("Cache-Control", "no-store, private");
    if (token.error.isEmpty())
        return token;
    exchange.refuse(Status::BadRequest, token.error,
                    *headers + challenge(token, "invalid_request"));
    return std::nullopt;
}

// A browser sends cookies along with what any page makes it send.
bool QSseGate::admitCookie(QSseHttpExchange &exchange, const QSseAccessToken &token,
                           const QSseHeaders &headers) const
{
    if (!token.isCookieOnly || isOwnOrigin(exchange, exchange.header("Origin")))
        return true;
    exchange.refuse(Status::Forbidden,
                    translate("A token in a cookie needs an Origin that may publish"), headers);
    return false;
}

// The access that is allowed, or nothing once the exchange is answered.
std::optional<QSseAccess> QSseGate::authorize(QSseHttpExchange &exchange,
                                              const QSseAccessToken &token,
                                              const QSseAccessRequest &request,
                                              const QSseHeaders &headers) const
{
    const QSseAuthorizer authorizer = this->authorizer; // it may set another
    const std::optional<QSseAccess> decided = ask(authorizer, request);
    if (!decided) {
        exchange.refuse(Status::InternalServerError,
                        translate("Whether this is allowed could not be found out"), headers);
        return std::nullopt;
    }
    QSseAccess access = settled(*decided);
    if (access.decision == Decision::Allowed)
        return access;
    if (access.decision == Decision::Unauthorized)
        exchange.refuse(Status::Unauthorized, access.text,
                        headers + challenge(token, "invalid_token"));
    else
        exchange.refuse(Status::Forbidden, access.text,
                        headers + challenge(token, "insufficient_scope"));
    return std::nullopt;
}
