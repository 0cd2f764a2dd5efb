// SPDX-License-Identifier: MIT
// QSseJwtVerifier finds a token good only if our key signed just that, and what it says is as its
// documentation has it.
#include "fuzzing.h"

#include <QSseJwtVerifier>

#include <QtCore/QJsonArray>
#include <QtCore/QJsonDocument>
#include <QtCore/QJsonObject>
#include <QtCore/QMessageAuthenticationCode>

#include <chrono>

using namespace Qt::StringLiterals;
using Algorithm = QSseJwtVerifier::Algorithm;
using Result = QSseJwtVerifier::Result;
using Status = Result::Status;

namespace {

constexpr size_t MaximumPartSize = 3000;

const QByteArray Secret("an example secret of 40 bytes, all of it");
const QByteArray OtherSecret("an example secret of 40 bytes, all of iT");
const QByteArray Header(R"({"alg":"HS256","typ":"JWT"})");
const QByteArray Claims(R"({"exp":4102444800,"subscribe":["a/**"]})"); // until 2100

// In an arbitrary text these stand for what it could not have by chance: the parts of a good token.
constexpr char HeaderMark = '\1';
constexpr char ClaimsMark = '\2';
constexpr char SignatureMark = '\3';

QByteArray base64(const QByteArray &bytes)
{
    return bytes.toBase64(QByteArray::Base64UrlEncoding | QByteArray::OmitTrailingEquals);
}

QByteArray signature(const QByteArray &text, const QByteArray &secret)
{
    return base64(QMessageAuthenticationCode::hash(text, secret, QCryptographicHash::Sha256));
}

const QByteArrayList &goodParts()
{
    static const QByteArray text = base64(Header) + '.' + base64(Claims);
    static const QByteArrayList parts { base64(Header), base64(Claims), signature(text, Secret) };
    return parts;
}

QSseJwtVerifier takeVerifier(FuzzedDataProvider *input)
{
    QSseJwtVerifier verifier(Algorithm::HS256, Secret);
    check(verifier.isValid(), "the secret is good");
    if (input->ConsumeBool())
        verifier.setAudience(u"hub"_s);
    verifier.setLeeway(std::chrono::seconds(input->ConsumeIntegral<qint16>()));
    return verifier;
}

Result verify(const QSseJwtVerifier &verifier, const QString &token)
{
    const Result result = verifier.verify(token);
    const bool isValid = result.status == Status::Valid;
    check(result.reason.isEmpty() == isValid, "there is a reason unless it is valid");
    check(result.claims.isEmpty() != isValid, "there are claims if it is valid");
    check(result.expiresAt.isValid() == isValid, "there is an end if it is valid");
    check(!result.reason.contains(u'\n'), "a reason is one line");
    for (const QString &part : token.split(u'.'))
        check(part.size() < 12 || !result.reason.contains(part), "a reason is without the token");
    check(!isValid || token.size() <= QSseJwtVerifier::MaximumTokenSize, "long tokens are refused");
    return result;
}

// Any text, also one that has much of a good token: only all of it is good.
void checkText(FuzzedDataProvider *input, const QSseJwtVerifier &verifier)
{
    QString token = takeText(input, 3 * MaximumPartSize);
    token.replace(QLatin1Char(HeaderMark), QString::fromLatin1(goodParts().at(0)));
    token.replace(QLatin1Char(ClaimsMark), QString::fromLatin1(goodParts().at(1)));
    token.replace(QLatin1Char(SignatureMark), QString::fromLatin1(goodParts().at(2)));
    const bool isGood = token == QString::fromLatin1(goodParts().join('.'));
    const bool isValid = verify(verifier, token).status == Status::Valid;
    check(isValid == (isGood && verifier.audience().isEmpty()), "only the very token is good");
}

// A good token with a few of its bytes changed, taken away or put in.
void checkChanged(FuzzedDataProvider *input, const QSseJwtVerifier &verifier)
{
    const QByteArray good = goodParts().join('.');
    QByteArray token = good;
    for (int changes = input->ConsumeIntegralInRange(1, 4); changes > 0; --changes) {
        const auto at = input->ConsumeIntegralInRange<qsizetype>(0, token.size());
        const auto count = input->ConsumeIntegralInRange<qsizetype>(0, 3);
        token.replace(at, count, takeBytes(input, 3));
    }
    const bool isValid = verify(verifier, QString::fromLatin1(token)).status == Status::Valid;
    check(isValid == (token == good && verifier.audience().isEmpty()), "no other token is good");
}

QJsonObject objectFrom(const QByteArray &json)
{
    return QJsonDocument::fromJson(json).object();
}

bool isTime(const QJsonValue &value)
{
    return value.isDouble() && value.toDouble() >= 0;
}

bool isForUs(const QJsonValue &claim, const QString &audience)
{
    if (claim.isUndefined() || audience.isEmpty())
        return claim.isUndefined() && audience.isEmpty();
    return claim.toString() == audience || claim.toArray().contains(audience);
}

// Whatever a token says, signed by our key, another or none: what is found good has to be.
void checkSigned(FuzzedDataProvider *input, const QSseJwtVerifier &verifier)
{
    enum { Ours, Others, None, Count };

    const int signer = input->ConsumeIntegralInRange(0, Count - 1);
    const QByteArray header = input->ConsumeBool() ? takeBytes(input, MaximumPartSize) : Header;
    const QByteArray claims = input->ConsumeBool() ? takeBytes(input, MaximumPartSize) : Claims;
    const QByteArray text = base64(header) + '.' + base64(claims);
    const QByteArray token = text + '.'
        + (signer == Ours         ? signature(text, Secret)
               : signer == Others ? signature(text, OtherSecret)
                                  : QByteArray());
    const auto now = double(QDateTime::currentSecsSinceEpoch());
    const Result result = verify(verifier, QString::fromLatin1(token));
    if (header == Header && claims == Claims && signer == Ours)
        check((result.status == Status::Valid) == verifier.audience().isEmpty(), "it is good");
    if (result.status != Status::Valid) {
        check(result.status != Status::Expired || signer == Ours, "only ours can expire");
        return;
    }

    const QJsonObject head = objectFrom(header);
    const QJsonObject said = objectFrom(claims);
    const double leeway = double(verifier.leeway().count()) + 1;
    check(signer == Ours, "our key signed it");
    check(head.value("alg"_L1) == "HS256"_L1, "it has the algorithm");
    check(!head.contains("crit"_L1), "it needs no extension");
    check(head.value("typ"_L1).toString(u"jwt"_s).toLower() == u"jwt", "its type is JWT");
    check(isTime(said.value("exp"_L1)) && said.value("exp"_L1).toDouble() + leeway > now,
          "it has not expired");
    const QJsonValue notBefore = said.value("nbf"_L1);
    const auto later = double(QDateTime::currentSecsSinceEpoch());
    check(notBefore.isUndefined() || (isTime(notBefore) && notBefore.toDouble() - leeway < later),
          "it is valid already");
    check(isForUs(said.value("aud"_L1), verifier.audience()), "it is for us");
    check(result.claims == said.toVariantMap(), "the claims are what it says");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzedDataProvider input(data, size);
    const QSseJwtVerifier verifier = takeVerifier(&input);
    switch (input.ConsumeIntegralInRange(0, 2)) {
    case 0:
        checkText(&input, verifier);
        break;
    case 1:
        checkChanged(&input, verifier);
        break;
    default:
        checkSigned(&input, verifier);
    }
    return 0;
}
