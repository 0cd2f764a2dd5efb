// SPDX-License-Identifier: MIT
#include "qssejwtverifier.h"

#include <QtCore/QCoreApplication>
#include <QtCore/QJsonArray>
#include <QtCore/QJsonDocument>
#include <QtCore/QJsonObject>
#include <QtCore/QLoggingCategory>
#include <QtCore/QSharedData>
#include <QtNetwork/QSslKey>

#include <algorithm>
#include <memory>
#include <optional>

#include <jwt.h>

Q_LOGGING_CATEGORY(lcAuth, "qsse.auth", QtInfoMsg)

using namespace std::chrono_literals;
using Algorithm = QSseJwtVerifier::Algorithm;
using Result = QSseJwtVerifier::Result;

class QSseJwtVerifierPrivate : public QSharedData
{
public:
    Algorithm algorithm = Algorithm::HS256;
    QByteArray key; // empty when there is no good one
    QString error;
    QString audience;
    std::chrono::seconds leeway { 0 };
    bool anonymousSubscribe = false;

    bool hasSignature(const QByteArray &token) const;
    QString audienceError(const QJsonValue &claim) const;
    Result checkClaims(const QJsonObject &claims) const;
};

namespace {

constexpr auto MaximumLeeway = 300s;
constexpr int MinimumRsaBits = 2048;
constexpr int EllipticCurveBits = 256;
// The end of the year 9999: what is meant as milliseconds lies far beyond.
constexpr double LatestSecond = 253402300799;

QString translate(const char *text)
{
    return QCoreApplication::translate("QSseJwtVerifier", text);
}

const char *nameOf(Algorithm algorithm)
{
    switch (algorithm) {
    case Algorithm::HS256:
        return "HS256";
    case Algorithm::RS256:
        return "RS256";
    case Algorithm::ES256:
        return "ES256";
    }
    return "";
}

QString keyError(Algorithm algorithm, const QByteArray &key)
{
    if (algorithm == Algorithm::HS256) {
        // One that everybody knows would let everybody sign.
        if (key.contains("-----BEGIN "))
            return translate("A key as PEM is no secret");
        return key.size() >= QSseJwtVerifier::MinimumSecretSize
            ? QString()
            : translate("The secret has less than %1 bytes")
                  .arg(QSseJwtVerifier::MinimumSecretSize);
    }
    const bool isRsa = algorithm == Algorithm::RS256;
    const QSslKey publicKey(key, isRsa ? QSsl::Rsa : QSsl::Ec, QSsl::Pem, QSsl::PublicKey);
    if (publicKey.isNull())
        return isRsa ? translate("The key is not an RSA public key as PEM")
                     : translate("The key is not an EC public key as PEM");
    if (isRsa && publicKey.length() < MinimumRsaBits)
        return translate("The RSA key has less than %1 bits").arg(MinimumRsaBits);
    if (!isRsa && publicKey.length() != EllipticCurveBits)
        return translate("The EC key is not one of P-256");
    return QString();
}

Result invalid(const char *reason)
{
    return { Result::Status::Invalid, QLatin1String(reason), {}, {} };
}

// A part of a token before its signature; nothing when that is not a JSON object.
std::optional<QJsonObject> readPart(const QByteArray &part)
{
    const auto json = QByteArray::fromBase64Encoding(
        part, QByteArray::Base64UrlEncoding | QByteArray::AbortOnBase64DecodingErrors);
    const QJsonDocument document = QJsonDocument::fromJson(json.decoded);
    if (json.decodingStatus != QByteArray::Base64DecodingStatus::Ok || !document.isObject())
        return std::nullopt;
    return document.object();
}

// A claim of a time, which is a number of seconds (RFC 7519 §2).
std::optional<QDateTime> readTime(const QJsonValue &claim)
{
    if (!claim.isDouble() || !(claim.toDouble() >= 0) || claim.toDouble() > LatestSecond)
        return std::nullopt;
    return QDateTime::fromMSecsSinceEpoch(qint64(claim.toDouble() * 1000)).toUTC();
}

// A claim of topic filters: an array of them, or one. Nothing when it is something else.
std::optional<QList<QSseTopicFilter>> readFilters(const QVariant &claim)
{
    QList<QSseTopicFilter> filters;
    const QVariantList items =
        claim.typeId() == QMetaType::QString ? QVariantList { claim } : claim.toList();
    if (claim.isValid() && claim.typeId() != QMetaType::QString
        && claim.typeId() != QMetaType::QVariantList)
        return std::nullopt;
    for (const QVariant &item : items) {
        const QSseTopicFilter filter(item.toString());
        if (item.typeId() != QMetaType::QString || !filter.isValid())
            return std::nullopt;
        filters.append(filter);
    }
    return filters;
}

QSseAccess refuseToken(const QString &reason, const QString &text)
{
    qCInfo(lcAuth, "refused a token: %ls", qUtf16Printable(reason));
    return QSseAccess::unauthorized(text);
}

// What a token that was found good allows.
QSseAccess authorize(const Result &token, const QSseAccessRequest &request, bool anyTopic)
{
    const bool isPublish = request.action == QSseAccessRequest::Action::Publish;
    const auto subscribe = readFilters(token.claims.value(QStringLiteral("subscribe")));
    const auto publish = readFilters(token.claims.value(QStringLiteral("publish")));
    if (!subscribe || !publish) {
        return refuseToken(QStringLiteral("'subscribe' or 'publish' is no list of topic filters"),
                           translate("The token is not valid"));
    }
    const QList<QSseTopicFilter> &allowed = isPublish ? *publish : *subscribe;
    for (const QSseTopicFilter &wanted : request.topics) {
        const auto covers = [&](const QSseTopicFilter &filter) { return filter.covers(wanted); };
        if ((isPublish || !anyTopic) && std::none_of(allowed.begin(), allowed.end(), covers)) {
            return QSseAccess::forbidden(
                (isPublish ? translate("The token does not allow to publish '%1'")
                           : translate("The token does not allow to subscribe "
                                       "to '%1'"))
                    .arg(wanted.pattern()));
        }
    }
    QSseAccess access = QSseAccess::allow(token.claims);
    access.grants = *subscribe;
    access.expiresAt = token.expiresAt;
    return access;
}

} // namespace

// Whether the signature is by our key, made with our algorithm.
bool QSseJwtVerifierPrivate::hasSignature(const QByteArray &token) const
{
    jwt_t *decoded = nullptr;
    const auto *bytes = reinterpret_cast<const unsigned char *>(key.constData());
    const int error = jwt_decode(&decoded, token.constData(), bytes, int(key.size()));
    const std::unique_ptr<jwt_t, decltype(&jwt_free)> owner(decoded, jwt_free);
    // The library takes the algorithm from the token.
    return error == 0 && decoded && jwt_get_alg(decoded) == jwt_str_alg(nameOf(algorithm));
}

QString QSseJwtVerifierPrivate::audienceError(const QJsonValue &claim) const
{
    if (claim.isUndefined())
        return audience.isEmpty() ? QString() : QStringLiteral("'aud' is missing");
    if (audience.isEmpty())
        return QStringLiteral("it is for an audience, and we are none");
    const bool isForUs =
        claim.isArray() ? claim.toArray().contains(audience) : claim.toString() == audience;
    return isForUs ? QString() : QStringLiteral("it is for another audience");
}

Result QSseJwtVerifierPrivate::checkClaims(const QJsonObject &claims) const
{
    const QDateTime now = QDateTime::currentDateTimeUtc();
    const std::optional<QDateTime> expires = readTime(claims.value(QLatin1String("exp")));
    if (!expires)
        return invalid("'exp' is missing or not a time");
    const QDateTime expiresAt = expires->addSecs(leeway.count());
    if (expiresAt <= now)
        return { Result::Status::Expired, QStringLiteral("it has expired"), {}, {} };

    const QJsonValue notBefore = claims.value(QLatin1String("nbf"));
    if (!notBefore.isUndefined()) {
        const std::optional<QDateTime> begins = readTime(notBefore);
        if (!begins)
            return invalid("'nbf' is not a time");
        if (begins->addSecs(-leeway.count()) > now)
            return invalid("it is not valid yet");
    }
    const QString wrong = audienceError(claims.value(QLatin1String("aud")));
    if (!wrong.isEmpty())
        return { Result::Status::Invalid, wrong, {}, {} };
    return { Result::Status::Valid, {}, claims.toVariantMap(), expiresAt };
}

QSseJwtVerifier::QSseJwtVerifier() : d(new QSseJwtVerifierPrivate)
{
    d->error = translate("There is no key");
}

QSseJwtVerifier::QSseJwtVerifier(Algorithm algorithm, const QByteArray &key)
    : d(new QSseJwtVerifierPrivate)
{
    d->algorithm = algorithm;
    d->error = keyError(algorithm, key);
    if (d->error.isEmpty())
        d->key = key;
    else
        qCWarning(lcAuth, "%ls", qUtf16Printable(d->error));
}

QSseJwtVerifier::QSseJwtVerifier(const QSseJwtVerifier &other) = default;
QSseJwtVerifier::QSseJwtVerifier(QSseJwtVerifier &&other) noexcept = default;
QSseJwtVerifier &QSseJwtVerifier::operator=(const QSseJwtVerifier &other) = default;
QSseJwtVerifier &QSseJwtVerifier::operator=(QSseJwtVerifier &&other) noexcept = default;
QSseJwtVerifier::~QSseJwtVerifier() = default;

bool QSseJwtVerifier::isValid() const
{
    return d->error.isEmpty();
}

QString QSseJwtVerifier::errorString() const
{
    return d->error;
}

Algorithm QSseJwtVerifier::algorithm() const
{
    return d->algorithm;
}

QString QSseJwtVerifier::audience() const
{
    return d->audience;
}

void QSseJwtVerifier::setAudience(const QString &audience)
{
    d->audience = audience;
}

std::chrono::seconds QSseJwtVerifier::leeway() const
{
    return d->leeway;
}

void QSseJwtVerifier::setLeeway(std::chrono::seconds leeway)
{
    d->leeway = std::clamp<std::chrono::seconds>(leeway, 0s, MaximumLeeway);
}

bool QSseJwtVerifier::anonymousSubscribe() const
{
    return d->anonymousSubscribe;
}

void QSseJwtVerifier::setAnonymousSubscribe(bool allowed)
{
    d->anonymousSubscribe = allowed;
}

Result QSseJwtVerifier::verify(const QString &token) const
{
    if (!isValid())
        return invalid("there is no good key to check it with");
    if (token.size() > MaximumTokenSize)
        return invalid("it is too long");
    // Only what is in the alphabet of base64url, and dots, goes any further.
    const auto isExpected = [](QChar c) {
        return (c >= QLatin1Char('a') && c <= QLatin1Char('z'))
            || (c >= QLatin1Char('A') && c <= QLatin1Char('Z'))
            || (c >= QLatin1Char('0') && c <= QLatin1Char('9')) || c == QLatin1Char('-')
            || c == QLatin1Char('_') || c == QLatin1Char('.');
    };
    const QByteArray bytes = token.toLatin1();
    const QByteArrayList parts = bytes.split('.');
    if (parts.size() != 3 || !std::all_of(token.begin(), token.end(), isExpected))
        return invalid("it is not a JSON Web Token");
    const std::optional<QJsonObject> header = readPart(parts.at(0));
    const std::optional<QJsonObject> claims = readPart(parts.at(1));
    if (!header || !claims)
        return invalid("it is not a JSON Web Token");
    if (header->value(QLatin1String("alg")) != QLatin1String(nameOf(d->algorithm)))
        return invalid("its algorithm is not the one expected");
    const QString type = header->value(QLatin1String("typ")).toString(QStringLiteral("JWT"));
    if (type.compare(QLatin1String("JWT"), Qt::CaseInsensitive) != 0)
        return invalid("its type is not JWT");
    if (header->contains(QLatin1String("crit")))
        return invalid("it needs an extension");
    if (!d->hasSignature(bytes))
        return invalid("its signature is wrong");
    return d->checkClaims(*claims);
}

QSseAuthorizer QSseJwtVerifier::authorizer() const
{
    return [verifier = *this](const QSseAccessRequest &request) {
        const bool isSubscribe = request.action == QSseAccessRequest::Action::Subscribe;
        if (request.token.isEmpty()) {
            return isSubscribe && verifier.anonymousSubscribe()
                ? QSseAccess::allow()
                : QSseAccess::unauthorized(translate("A token is needed"));
        }
        const Result token = verifier.verify(request.token);
        switch (token.status) {
        case Result::Status::Valid:
            return authorize(token, request, verifier.anonymousSubscribe());
        case Result::Status::Expired:
            return refuseToken(token.reason, translate("The token has expired"));
        case Result::Status::Invalid:
            break;
        }
        return refuseToken(token.reason, translate("The token is not valid"));
    };
}
