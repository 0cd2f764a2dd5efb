// SPDX-License-Identifier: MIT
#include "streamclient.h"

#include <QSseHttpServer>
#include <QSseJwtVerifier>
#include <QSseServer>

#include <QtCore/QJsonArray>
#include <QtCore/QJsonDocument>
#include <QtCore/QJsonObject>
#include <QtCore/QMessageAuthenticationCode>
#include <QtCore/QProcess>
#include <QtCore/QRegularExpression>
#include <QtCore/QTemporaryDir>
#include <QtTest/QSignalSpy>
#include <QtTest/QTest>

#include <memory>

using namespace std::chrono_literals;
using namespace Qt::StringLiterals;
using Algorithm = QSseJwtVerifier::Algorithm;
using Status = QSseJwtVerifier::Result::Status;

namespace {

const QByteArray Secret("an example secret of 40 bytes, all of it");

QByteArray base64(const QByteArray &bytes)
{
    return bytes.toBase64(QByteArray::Base64UrlEncoding | QByteArray::OmitTrailingEquals);
}

QByteArray hmac(const QByteArray &bytes, const QByteArray &secret)
{
    return QMessageAuthenticationCode::hash(bytes, secret, QCryptographicHash::Sha256);
}

// What a token's signature is made of.
QByteArray unsignedToken(const QJsonObject &header, const QJsonObject &claims)
{
    return base64(QJsonDocument(header).toJson(QJsonDocument::Compact)) + '.'
        + base64(QJsonDocument(claims).toJson(QJsonDocument::Compact));
}

QString signedToken(const QJsonObject &header, const QJsonObject &claims, const QByteArray &secret)
{
    const QByteArray token = unsignedToken(header, claims);
    return QString::fromLatin1(token + '.' + base64(hmac(token, secret)));
}

QString hs256(const QJsonObject &claims)
{
    return signedToken({ { u"alg"_s, u"HS256"_s }, { u"typ"_s, u"JWT"_s } }, claims, Secret);
}

qint64 inSeconds(qint64 seconds)
{
    return QDateTime::currentSecsSinceEpoch() + seconds;
}

QJsonObject with(QJsonObject claims, const QString &name, const QJsonValue &value)
{
    claims.insert(name, value);
    return claims;
}

QJsonObject fresh(const QJsonObject &claims = {})
{
    return with(claims, u"exp"_s, inSeconds(3600));
}

// r and s of an ECDSA signature, which openssl gives as DER, as 32 bytes each.
QByteArray plainSignature(const QByteArray &der)
{
    QByteArray plain;
    qsizetype at = 2;
    for (int i = 0; i < 2; ++i) {
        const int size = uchar(der.at(at + 1));
        plain += der.mid(at + 2, size).rightJustified(33, '\0').right(32);
        at += 2 + size;
    }
    return plain;
}

} // namespace

class TestQSseJwt : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void initTestCase();
    void refusesKeys_data();
    void refusesKeys();
    void acceptsTokens_data();
    void acceptsTokens();
    void refusesForgeries_data();
    void refusesForgeries();
    void checksForm_data();
    void checksForm();
    void checksTimes_data();
    void checksTimes();
    void checksAudience_data();
    void checksAudience();
    void limitsSize();
    void copies();
    void authorizes_data();
    void authorizes();
    void refusesClaims_data();
    void refusesClaims();
    void grantsAndExpires();
    void letsAnonymousSubscribe();
    void logsReasons();

private:
    QByteArray openssl(const QStringList &arguments, const QByteArray &input = {});
    void makeKey(const QString &name, const QStringList &arguments);
    QByteArray publicKey(const QString &name);
    QString signedWith(const QString &name, const QJsonObject &header, const QJsonObject &claims);

    QTemporaryDir m_directory;
};

QByteArray TestQSseJwt::openssl(const QStringList &arguments, const QByteArray &input)
{
    QProcess process;
    process.setWorkingDirectory(m_directory.path());
    process.start(u"openssl"_s, arguments);
    process.write(input);
    process.closeWriteChannel();
    const bool isDone = process.waitForFinished() && process.exitStatus() == QProcess::NormalExit
        && process.exitCode() == 0;
    if (!isDone)
        qWarning() << "openssl" << arguments << process.errorString()
                   << process.readAllStandardError();
    return process.readAllStandardOutput();
}

void TestQSseJwt::makeKey(const QString &name, const QStringList &arguments)
{
    openssl(QStringList { u"genpkey"_s, u"-out"_s, name } + arguments);
    openssl({ u"pkey"_s, u"-in"_s, name, u"-pubout"_s, u"-out"_s, name + u".pub"_s });
}

QByteArray TestQSseJwt::publicKey(const QString &name)
{
    QFile file(m_directory.filePath(name + u".pub"_s));
    return file.open(QFile::ReadOnly) ? file.readAll() : QByteArray();
}

QString TestQSseJwt::signedWith(const QString &name, const QJsonObject &header,
                                const QJsonObject &claims)
{
    const QByteArray token = unsignedToken(header, claims);
    QByteArray signature = openssl({ u"dgst"_s, u"-sha256"_s, u"-sign"_s, name }, token);
    if (name.startsWith(u"ec"_s))
        signature = plainSignature(signature);
    return QString::fromLatin1(token + '.' + base64(signature));
}

void TestQSseJwt::initTestCase()
{
    QVERIFY(m_directory.isValid());
    const auto rsa = [](int bits) {
        return QStringList { u"-algorithm"_s, u"RSA"_s, u"-pkeyopt"_s,
                             u"rsa_keygen_bits:%1"_s.arg(bits) };
    };
    const auto ec = [](const QString &curve) {
        return QStringList { u"-algorithm"_s, u"EC"_s, u"-pkeyopt"_s,
                             u"ec_paramgen_curve:"_s + curve };
    };
    makeKey(u"rsa"_s, rsa(2048));
    makeKey(u"rsa-other"_s, rsa(2048));
    makeKey(u"rsa-short"_s, rsa(1024));
    makeKey(u"ec"_s, ec(u"P-256"_s));
    makeKey(u"ec-other"_s, ec(u"P-256"_s));
    makeKey(u"ec-large"_s, ec(u"P-384"_s));
    for (const QString &name :
         { u"rsa"_s, u"rsa-other"_s, u"rsa-short"_s, u"ec"_s, u"ec-other"_s, u"ec-large"_s })
        QVERIFY2(publicKey(name).startsWith("-----BEGIN PUBLIC KEY"), qPrintable(name));
}

void TestQSseJwt::refusesKeys_data()
{
    QTest::addColumn<Algorithm>("algorithm");
    QTest::addColumn<QByteArray>("key");
    QTest::addColumn<QString>("error"); // empty for a good one
    const QString notRsa = u"The key is not an RSA public key as PEM"_s;
    const QString notEc = u"The key is not an EC public key as PEM"_s;
    QTest::newRow("secret") << Algorithm::HS256 << QByteArray(32, '\0') << QString();
    QTest::newRow("short secret") << Algorithm::HS256 << QByteArray(31, 'x')
                                  << u"The secret has less than 32 bytes"_s;
    QTest::newRow("no secret") << Algorithm::HS256 << QByteArray()
                               << u"The secret has less than 32 bytes"_s;
    QTest::newRow("PEM as secret")
        << Algorithm::HS256 << publicKey(u"rsa"_s) << u"A key as PEM is no secret"_s;
    QTest::newRow("RSA") << Algorithm::RS256 << publicKey(u"rsa"_s) << QString();
    QTest::newRow("short RSA") << Algorithm::RS256 << publicKey(u"rsa-short"_s)
                               << u"The RSA key has less than 2048 bits"_s;
    QTest::newRow("EC as RSA") << Algorithm::RS256 << publicKey(u"ec"_s) << notRsa;
    QTest::newRow("nonsense as RSA") << Algorithm::RS256 << QByteArray(100, 'x') << notRsa;
    QTest::newRow("EC") << Algorithm::ES256 << publicKey(u"ec"_s) << QString();
    QTest::newRow("large EC") << Algorithm::ES256 << publicKey(u"ec-large"_s)
                              << u"The EC key is not one of P-256"_s;
    QTest::newRow("RSA as EC") << Algorithm::ES256 << publicKey(u"rsa"_s) << notEc;
    QTest::newRow("no EC") << Algorithm::ES256 << QByteArray() << notEc;
}

void TestQSseJwt::refusesKeys()
{
    QFETCH(Algorithm, algorithm);
    QFETCH(QByteArray, key);
    QFETCH(QString, error);
    if (!error.isEmpty())
        QTest::ignoreMessage(QtWarningMsg, qPrintable(error));
    const QSseJwtVerifier verifier(algorithm, key);
    QCOMPARE(verifier.errorString(), error);
    QCOMPARE(verifier.isValid(), error.isEmpty());
    QCOMPARE(verifier.algorithm(), algorithm);
    if (!error.isEmpty()) { // then nothing is good, what is signed with nothing neither
        const QString token = signedToken({ { u"alg"_s, u"HS256"_s } }, fresh(), key);
        QCOMPARE(verifier.verify(token).status, Status::Invalid);
        const QString empty = signedToken({ { u"alg"_s, u"HS256"_s } }, fresh(), QByteArray());
        QCOMPARE(verifier.verify(empty).status, Status::Invalid);
    }
    QVERIFY(!QSseJwtVerifier().isValid());
    QVERIFY(!QSseJwtVerifier().errorString().isEmpty());
    QCOMPARE(QSseJwtVerifier().verify(hs256(fresh())).status, Status::Invalid);
}

void TestQSseJwt::acceptsTokens_data()
{
    QTest::addColumn<Algorithm>("algorithm");
    QTest::addColumn<QByteArray>("key");
    QTest::addColumn<QString>("token");
    const QJsonObject claims = fresh({ { u"sub"_s, u"alice"_s }, { u"n"_s, 7 } });
    QTest::newRow("HS256") << Algorithm::HS256 << Secret << hs256(claims);
    QTest::newRow("without type") << Algorithm::HS256 << Secret
                                  << signedToken({ { u"alg"_s, u"HS256"_s } }, claims, Secret);
    QTest::newRow("RS256") << Algorithm::RS256 << publicKey(u"rsa"_s)
                           << signedWith(u"rsa"_s, { { u"alg"_s, u"RS256"_s } }, claims);
    QTest::newRow("ES256") << Algorithm::ES256 << publicKey(u"ec"_s)
                           << signedWith(u"ec"_s, { { u"alg"_s, u"ES256"_s } }, claims);
}

void TestQSseJwt::acceptsTokens()
{
    QFETCH(Algorithm, algorithm);
    QFETCH(QByteArray, key);
    QFETCH(QString, token);
    const QSseJwtVerifier verifier(algorithm, key);
    const QSseJwtVerifier::Result result = verifier.verify(token);
    QVERIFY2(result.status == Status::Valid, qPrintable(result.reason));
    QVERIFY(result.reason.isEmpty());
    QCOMPARE(result.claims.value(u"sub"_s).toString(), u"alice"_s);
    QCOMPARE(result.claims.value(u"n"_s).toInt(), 7);
    QCOMPARE(result.expiresAt.toSecsSinceEpoch(), result.claims.value(u"exp"_s).toLongLong());

    // Each character counts, but for those whose last bits say nothing.
    for (qsizetype i = 0; i < token.size(); i += 7) {
        QString changed = token;
        const bool isLast = i + 1 == token.size() || token.at(i + 1) == u'.';
        if (isLast || changed.at(i) == u'.')
            continue;
        changed[i] = changed.at(i) == u'A' ? u'B' : u'A';
        QVERIFY2(verifier.verify(changed).status == Status::Invalid, qPrintable(changed));
    }
}

void TestQSseJwt::refusesForgeries_data()
{
    QTest::addColumn<Algorithm>("algorithm");
    QTest::addColumn<QByteArray>("key");
    QTest::addColumn<QString>("token");
    QTest::addColumn<QString>("reason");
    const QString algorithm = u"its algorithm is not the one expected"_s;
    const QString signature = u"its signature is wrong"_s;
    const QByteArray rsa = publicKey(u"rsa"_s);
    const QByteArray ec = publicKey(u"ec"_s);
    const auto header = [](const QString &alg) { return QJsonObject { { u"alg"_s, alg } }; };
    const auto token = [&](const QJsonObject &header, const QByteArray &signature) {
        return QString::fromLatin1(unsignedToken(header, fresh()) + '.' + signature);
    };

    const std::tuple<const char *, Algorithm, QByteArray> verifiers[] = {
        { "HS256", Algorithm::HS256, Secret },
        { "RS256", Algorithm::RS256, rsa },
        { "ES256", Algorithm::ES256, ec },
    };
    for (const auto &[name, expected, key] : verifiers) {
        const auto row = [&, name = name, expected = expected, key = key](
                             const char *what, const QString &token, const QString &reason) {
            QTest::addRow("%s: %s", name, what) << expected << key << token << reason;
        };
        for (const QString &none : { u"none"_s, u"None"_s, u"NONE"_s, u""_s }) {
            row(qPrintable(u"algorithm '%1'"_s.arg(none)), token(header(none), ""), algorithm);
            row(qPrintable(u"algorithm '%1' with a signature"_s.arg(none)),
                token(header(none), base64(QByteArray(32, 'x'))), algorithm);
        }
        const QString own = QString::fromLatin1(name);
        row("no algorithm", token({}, ""), algorithm);
        row("a list of algorithms", token({ { u"alg"_s, QJsonArray { own } } }, ""), algorithm);
        row("lower case", token(header(own.toLower()), ""), algorithm);
        row("no signature", token(header(own), ""), signature);
        row("short signature", token(header(own), "AAAA"), signature);
        row("long signature", token(header(own), base64(QByteArray(1000, 'x'))), signature);
        row("nulls as signature", token(header(own), base64(QByteArray(64, '\0'))), signature);
        // Who has the public key, as everybody may, must not be able to sign with it.
        row("HS256 with the key", signedToken(header(u"HS256"_s), fresh(), key),
            expected == Algorithm::HS256 ? QString() : algorithm);
        row("own name, HMAC with the key", signedToken(header(own), fresh(), key),
            expected == Algorithm::HS256 ? QString() : signature);
        row("another key",
            expected == Algorithm::HS256       ? signedToken(header(own), fresh(), Secret + 'x')
                : expected == Algorithm::RS256 ? signedWith(u"rsa-other"_s, header(own), fresh())
                                               : signedWith(u"ec-other"_s, header(own), fresh()),
            signature);
    }
    QTest::newRow("RS256 for ES256")
        << Algorithm::ES256 << ec << signedWith(u"rsa"_s, header(u"RS256"_s), fresh()) << algorithm;
    QTest::newRow("HS512") << Algorithm::HS256 << Secret << token(header(u"HS512"_s), "AAAA")
                           << algorithm;
    // Readers of JSON differ in which of two they take.
    for (const char *algorithms :
         { R"("alg":"HS256","alg":"RS256")", R"("alg":"RS256","alg":"HS256")",
           R"("alg":"none","alg":"RS256")" }) {
        const QByteArray bytes = base64(QByteArray("{") + algorithms + '}') + '.'
            + base64(QJsonDocument(fresh()).toJson(QJsonDocument::Compact));
        QTest::newRow(algorithms) << Algorithm::RS256 << rsa
                                  << QString::fromLatin1(bytes + '.' + base64(hmac(bytes, rsa)))
                                  << (QByteArray(algorithms).endsWith(R"("RS256")") ? signature
                                                                                    : algorithm);
    }
}

void TestQSseJwt::refusesForgeries()
{
    QFETCH(Algorithm, algorithm);
    QFETCH(QByteArray, key);
    QFETCH(QString, token);
    QFETCH(QString, reason);
    const QSseJwtVerifier::Result result = QSseJwtVerifier(algorithm, key).verify(token);
    QCOMPARE(result.reason, reason);
    QCOMPARE(result.status, reason.isEmpty() ? Status::Valid : Status::Invalid);
    QCOMPARE(result.claims.isEmpty(), !reason.isEmpty());
}

void TestQSseJwt::checksForm_data()
{
    QTest::addColumn<QString>("token");
    QTest::addColumn<QString>("reason");
    const QString form = u"it is not a JSON Web Token"_s;
    const QString good = hs256(fresh());
    const auto raw = [](const QByteArray &header, const QByteArray &claims) {
        const QByteArray token = base64(header) + '.' + base64(claims);
        return QString::fromLatin1(token + '.' + base64(hmac(token, Secret)));
    };
    const QByteArray header = R"({"alg":"HS256"})";
    QTest::newRow("empty") << QString() << form;
    QTest::newRow("text") << u"secret"_s << form;
    QTest::newRow("two parts") << good.left(good.lastIndexOf(u'.')) << form;
    QTest::newRow("four parts") << good + u".e30"_s << form;
    QTest::newRow("dots") << u".."_s << form;
    QTest::newRow("space") << good + u' ' << form;
    QTest::newRow("line break") << good + u'\n' << form;
    QTest::newRow("padding") << good + u'=' << form;
    QTest::newRow("beyond ASCII") << good + QChar(0x10000 % 0xffff + 0x3b1) << form;
    QTest::newRow("NUL") << good + QChar(0) << form;
    QTest::newRow("header no JSON") << raw("{", "{}") << form;
    QTest::newRow("header an array") << raw("[]", "{}") << form;
    QTest::newRow("claims no JSON") << raw(header, "{\"exp\":") << form;
    QTest::newRow("claims an array") << raw(header, "[1]") << form;
    QTest::newRow("no claims") << raw(header, "") << form;
    QTest::newRow("claims no UTF-8") << raw(header, "{\"a\":\"\xff\"}") << form;
    QTest::newRow("deep") << raw(header, QByteArray(5000, '[')) << form;
    QTest::newRow("type") << raw(R"({"alg":"HS256","typ":"at+jwt"})", "{}")
                          << u"its type is not JWT"_s;
    QTest::newRow("extension") << raw(R"({"alg":"HS256","crit":["b64"],"b64":false})", "{}")
                               << u"it needs an extension"_s;
    QTest::newRow("number beyond all limits") << raw(header, R"({"exp":1e999})") << form;
}

void TestQSseJwt::checksForm()
{
    QFETCH(QString, token);
    QFETCH(QString, reason);
    const QSseJwtVerifier verifier(Algorithm::HS256, Secret);
    const QSseJwtVerifier::Result result = verifier.verify(token);
    QCOMPARE(result.reason, reason);
    QCOMPARE(result.status, Status::Invalid);
}

void TestQSseJwt::checksTimes_data()
{
    QTest::addColumn<QJsonObject>("claims");
    QTest::addColumn<int>("leeway");
    QTest::addColumn<Status>("status");
    QTest::addColumn<QString>("reason");
    const auto row = [](const char *name, const QJsonObject &claims, int leeway, Status status,
                        const QString &reason = QString()) {
        QTest::newRow(name) << claims << leeway << status << reason;
    };
    const QString noExpiry = u"'exp' is missing or not a time"_s;
    const QString expired = u"it has expired"_s;
    const QString early = u"it is not valid yet"_s;
    const auto exp = [](const QJsonValue &time) { return QJsonObject { { u"exp"_s, time } }; };
    row("none", {}, 0, Status::Invalid, noExpiry);
    row("string", exp(QString::number(inSeconds(60))), 0, Status::Invalid, noExpiry);
    row("null", exp(QJsonValue::Null), 0, Status::Invalid, noExpiry);
    row("true", exp(true), 0, Status::Invalid, noExpiry);
    row("negative", exp(-1), 0, Status::Invalid, noExpiry);
    row("milliseconds", exp(inSeconds(60) * 1000), 0, Status::Invalid, noExpiry);
    row("far beyond", exp(1e300), 0, Status::Invalid, noExpiry);
    row("zero", exp(0), 0, Status::Expired, expired);
    row("past", exp(inSeconds(-60)), 0, Status::Expired, expired);
    row("now", exp(inSeconds(0)), 0, Status::Expired, expired);
    row("near future", exp(inSeconds(60)), 0, Status::Valid);
    row("fraction", exp(double(inSeconds(60)) + 0.5), 0, Status::Valid);
    row("past, in the leeway", exp(inSeconds(-60)), 120, Status::Valid);
    row("past the leeway", exp(inSeconds(-180)), 120, Status::Expired, expired);
    row("past the largest leeway", exp(inSeconds(-400)), 1000, Status::Expired, expired);
    row("no negative leeway", exp(inSeconds(60)), -1000, Status::Valid);
    row("begun", with(fresh(), u"nbf"_s, inSeconds(0)), 0, Status::Valid);
    row("not begun", with(fresh(), u"nbf"_s, inSeconds(60)), 0, Status::Invalid, early);
    row("not begun, in the leeway", with(fresh(), u"nbf"_s, inSeconds(60)), 120, Status::Valid);
    row("begins some day", with(fresh(), u"nbf"_s, u"soon"_s), 0, Status::Invalid,
        u"'nbf' is not a time"_s);
    row("iat says nothing", with(fresh(), u"iat"_s, inSeconds(60)), 0, Status::Valid);
}

void TestQSseJwt::checksTimes()
{
    QFETCH(QJsonObject, claims);
    QFETCH(int, leeway);
    QFETCH(Status, status);
    QFETCH(QString, reason);
    QSseJwtVerifier verifier(Algorithm::HS256, Secret);
    QCOMPARE(verifier.leeway(), 0s);
    verifier.setLeeway(std::chrono::seconds(leeway));
    QCOMPARE(verifier.leeway(), std::chrono::seconds(qBound(0, leeway, 300)));
    const QSseJwtVerifier::Result result = verifier.verify(hs256(claims));
    QCOMPARE(result.reason, reason);
    QCOMPARE(result.status, status);
    if (status == Status::Valid) {
        const double end = claims.value(u"exp"_s).toDouble() + double(verifier.leeway().count());
        QCOMPARE(double(result.expiresAt.toMSecsSinceEpoch()) / 1000, end);
    } else {
        QVERIFY(!result.expiresAt.isValid());
    }
    // Nobody is told about the times of a token that is not genuine.
    const QString forged = signedToken({ { u"alg"_s, u"HS256"_s } }, claims, Secret + 'x');
    QCOMPARE(verifier.verify(forged).reason, u"its signature is wrong"_s);
}

void TestQSseJwt::checksAudience_data()
{
    QTest::addColumn<QString>("audience");
    QTest::addColumn<QJsonValue>("claim");
    QTest::addColumn<QString>("reason");
    const QString other = u"it is for another audience"_s;
    const auto row = [](const char *name, const QString &audience, const QJsonValue &claim,
                        const QString &reason = QString()) {
        QTest::newRow(name) << audience << claim << reason;
    };
    row("nobody, none", QString(), QJsonValue::Undefined);
    row("nobody, some", QString(), u"hub"_s, u"it is for an audience, and we are none"_s);
    row("nobody, empty", QString(), u""_s, u"it is for an audience, and we are none"_s);
    row("somebody, none", u"hub"_s, QJsonValue::Undefined, u"'aud' is missing"_s);
    row("same", u"hub"_s, u"hub"_s);
    row("another", u"hub"_s, u"hubs"_s, other);
    row("other case", u"hub"_s, u"Hub"_s, other);
    row("listed", u"hub"_s, QJsonArray { u"a"_s, u"hub"_s });
    row("not listed", u"hub"_s, QJsonArray { u"a"_s, 1, QJsonArray { u"hub"_s } }, other);
    row("empty list", u"hub"_s, QJsonArray(), other);
    row("number", u"1"_s, 1, other);
    row("null", u"hub"_s, QJsonValue::Null, other);
}

void TestQSseJwt::checksAudience()
{
    QFETCH(QString, audience);
    QFETCH(QJsonValue, claim);
    QFETCH(QString, reason);
    QSseJwtVerifier verifier(Algorithm::HS256, Secret);
    QVERIFY(verifier.audience().isEmpty());
    verifier.setAudience(audience);
    QCOMPARE(verifier.audience(), audience);
    const QSseJwtVerifier::Result result = verifier.verify(hs256(with(fresh(), u"aud"_s, claim)));
    QCOMPARE(result.reason, reason);
    QCOMPARE(result.status, reason.isEmpty() ? Status::Valid : Status::Invalid);
}

void TestQSseJwt::limitsSize()
{
    const QSseJwtVerifier verifier(Algorithm::HS256, Secret);
    QCOMPARE(QSseJwtVerifier::MaximumTokenSize, 8192);
    const auto token = [](int padding) {
        return hs256(fresh({ { u"padding"_s, QString(padding, u'x') } }));
    };
    int padding = 0;
    while (token(padding + 1).size() <= QSseJwtVerifier::MaximumTokenSize)
        padding += qMax(1, (8180 - int(token(padding).size())) * 3 / 4);
    QVERIFY(token(padding).size() > 8188);
    QCOMPARE(verifier.verify(token(padding)).status, Status::Valid);
    QCOMPARE(verifier.verify(token(padding + 3)).reason, u"it is too long"_s);
}

void TestQSseJwt::copies()
{
    QSseJwtVerifier verifier(Algorithm::HS256, Secret);
    QSseJwtVerifier copy = verifier;
    copy.setAudience(u"hub"_s);
    QCOMPARE(verifier.verify(hs256(fresh())).status, Status::Valid);
    QCOMPARE(copy.verify(hs256(fresh())).status, Status::Invalid);
    copy.swap(verifier);
    QCOMPARE(verifier.audience(), u"hub"_s);
    const QSseJwtVerifier moved = std::move(copy);
    QCOMPARE(moved.verify(hs256(fresh())).status, Status::Valid);
}

namespace {

class Fixture
{
public:
    Fixture()
    {
        http.addEventStream(u"/events"_s);
        http.addPublishEndpoint(u"/topics"_s);
        // What the verifier's authorizer decides, kept.
        http.setAuthorizer([this](const QSseAccessRequest &request) {
            access = verifier.authorizer()(request);
            return access;
        });
        port = http.listen(QHostAddress::LocalHost);
    }

    std::unique_ptr<StreamClient> request(const QByteArray &method, const QByteArray &target,
                                          const QString &token) const
    {
        const QByteArray authorization =
            token.isEmpty() ? "" : "Authorization: Bearer " + token.toLatin1() + "\r\n";
        return std::make_unique<StreamClient>(port,
                                              method + ' ' + target
                                                  + " HTTP/1.1\r\nHost: localhost\r\n"
                                                  + authorization + "Content-Length: 0\r\n\r\n");
    }

    QSseServer server;
    QSseHttpServer http { &server };
    QSseJwtVerifier verifier { Algorithm::HS256, Secret };
    QSseAccess access;
    quint16 port = 0;
};

} // namespace

void TestQSseJwt::authorizes_data()
{
    QTest::addColumn<QByteArray>("method");
    QTest::addColumn<QByteArray>("target");
    QTest::addColumn<QString>("token");
    QTest::addColumn<int>("status");
    QTest::addColumn<QByteArray>("text");
    const QString token = hs256(fresh({ { u"subscribe"_s, QJsonArray { u"fx/**"_s, u"news"_s } },
                                        { u"publish"_s, u"news/*"_s } }));
    const auto row = [](const char *method, const char *target, const QString &token, int status,
                        const QByteArray &text = QByteArray()) {
        QTest::addRow("%s %s, %d", method, target, status)
            << QByteArray(method) << QByteArray(target) << token << status << text;
    };
    row("GET", "/events?topic=fx/eur", token, 200);
    row("GET", "/events?topic=fx/**&topic=news", token, 200);
    row("HEAD", "/events?topic=fx/*/usd", token, 200);
    row("HEAD", "/events?topic=**", token, 403);
    row("GET", "/events?topic=fx/eur&topic=news/*", token, 403,
        "The token does not allow to subscribe to 'news/*'\n");
    row("GET", "/events?topic=**", token, 403, "The token does not allow to subscribe to '**'\n");
    row("POST", "/topics/news/today", token, 200);
    row("POST", "/topics/fx/eur", token, 403, "The token does not allow to publish 'fx/eur'\n");
    row("POST", "/topics/news", token, 403, "The token does not allow to publish 'news'\n");
    for (const char *request : { "GET /events?topic=fx/eur", "POST /topics/news/today" }) {
        const QByteArray line(request);
        const QByteArray method = line.left(line.indexOf(' '));
        const QByteArray target = line.mid(line.indexOf(' ') + 1);
        row(method, target, QString(), 401, "A token is needed\n");
        row(method, target, token + u'A', 401, "The token is not valid\n");
        row(method, target, hs256({ { u"exp"_s, inSeconds(-1) } }), 401, "The token has expired\n");
        row(method, target, hs256(fresh()), 403);
    }
}

void TestQSseJwt::authorizes()
{
    QFETCH(QByteArray, method);
    QFETCH(QByteArray, target);
    QFETCH(QString, token);
    QFETCH(int, status);
    QFETCH(QByteArray, text);
    Fixture f;
    const auto client = f.request(method, target, token);
    QTRY_COMPARE(client->status(), status);
    if (!text.isEmpty())
        QTRY_COMPARE(client->body(), text);
    const QByteArray head = client->head().toLower();
    QCOMPARE(head.contains("www-authenticate: bearer realm=\"qsse\""), status != 200);
    QCOMPARE(head.contains("error=\"invalid_token\""), status == 401 && !token.isEmpty());
}

void TestQSseJwt::refusesClaims_data()
{
    QTest::addColumn<QJsonValue>("claim");
    QTest::newRow("number") << QJsonValue(1);
    QTest::newRow("object") << QJsonValue(QJsonObject { { u"a"_s, u"b"_s } });
    QTest::newRow("no filter") << QJsonValue(u"a*"_s);
    QTest::newRow("empty text") << QJsonValue(u""_s);
    QTest::newRow("one no filter") << QJsonValue(QJsonArray { u"a"_s, u"a//b"_s });
    QTest::newRow("one no text") << QJsonValue(QJsonArray { u"a"_s, 1 });
}

void TestQSseJwt::refusesClaims()
{
    QFETCH(QJsonValue, claim);
    for (const QString &name : { u"subscribe"_s, u"publish"_s }) {
        Fixture f;
        QJsonObject claims = fresh({ { u"subscribe"_s, u"a"_s }, { u"publish"_s, u"a"_s } });
        const auto good = f.request("GET", "/events?topic=a", hs256(claims));
        QTRY_COMPARE(good->status(), 200);
        claims.insert(name, claim);
        const auto stream = f.request("GET", "/events?topic=a", hs256(claims));
        QTRY_COMPARE(stream->body(), QByteArray("The token is not valid\n"));
        const auto publisher = f.request("POST", "/topics/a", hs256(claims));
        QTRY_COMPARE(publisher->status(), 401);
    }
}

void TestQSseJwt::grantsAndExpires()
{
    Fixture f;
    f.verifier.setLeeway(10s);
    QSignalSpy added(&f.server, &QSseServer::subscriberAdded);
    const qint64 end = inSeconds(3600);
    const QString token = hs256({ { u"sub"_s, u"alice"_s },
                                  { u"exp"_s, end },
                                  { u"subscribe"_s, QJsonArray { u"fx/**"_s, u"news"_s } } });
    const auto client = f.request("GET", "/events?topic=fx/eur", token);
    QTRY_COMPARE(added.size(), 1);
    QCOMPARE(f.access.grants, QList<QSseTopicFilter>({ "fx/**", "news" }));
    QCOMPARE(f.access.expiresAt.toSecsSinceEpoch(), end + 10);
    QVERIFY(!f.access.topics);
    const auto subscriber = added.at(0).at(0).value<QSseSubscriber>();
    QCOMPARE(subscriber.topics(), QList<QSseTopicFilter>({ "fx/eur" }));
    QCOMPARE(subscriber.claims().value(u"sub"_s).toString(), u"alice"_s);
    QVERIFY(!QJsonDocument::fromVariant(subscriber.claims()).toJson().contains(token.toLatin1()));
}

void TestQSseJwt::letsAnonymousSubscribe()
{
    Fixture f;
    QVERIFY(!f.verifier.anonymousSubscribe());
    f.verifier.setAnonymousSubscribe(true);
    QVERIFY(f.verifier.anonymousSubscribe());
    const auto anonymous = f.request("GET", "/events?topic=public", QString());
    QTRY_COMPARE(anonymous->status(), 200);
    QVERIFY(f.access.grants.isEmpty());
    QVERIFY(f.access.claims.isEmpty());
    QVERIFY(!f.access.expiresAt.isValid());
    const auto publisher = f.request("POST", "/topics/public", QString());
    QTRY_COMPARE(publisher->status(), 401);
    const auto forged = f.request("GET", "/events?topic=public", u"a.b.c"_s);
    QTRY_COMPARE(forged->status(), 401);

    // A token is never worth less than none.
    const QString token = hs256(fresh({ { u"subscribe"_s, u"fx/**"_s } }));
    const auto known = f.request("GET", "/events?topic=public", token);
    QTRY_COMPARE(known->status(), 200);
    QCOMPARE(f.access.grants, QList<QSseTopicFilter>({ "fx/**" }));
    const auto notItsTopic = f.request("POST", "/topics/fx/eur", token);
    QTRY_COMPARE(notItsTopic->status(), 403);
}

void TestQSseJwt::logsReasons()
{
    static QStringList lines;
    lines.clear();
    const QtMessageHandler former = qInstallMessageHandler(
        [](QtMsgType, const QMessageLogContext &context, const QString &text) {
            lines.append(QLatin1String(context.category) + u": "_s + text);
        });
    const QString expired = hs256({ { u"exp"_s, inSeconds(-60) } });
    const QString forged = signedToken({ { u"alg"_s, u"none"_s } }, fresh(), Secret);
    const QString noTopics = hs256(fresh({ { u"publish"_s, 1 } }));
    {
        Fixture f;
        for (const QString &token : { expired, forged, noTopics }) {
            const auto client = f.request("GET", "/events?topic=a", token);
            QTRY_COMPARE(client->status(), 401);
        }
    }
    qInstallMessageHandler(former);
    QCOMPARE(
        lines,
        QStringList({
            u"qsse.auth: refused a token: it has expired"_s,
            u"qsse.auth: refused a token: its algorithm is not the one expected"_s,
            u"qsse.auth: refused a token: 'subscribe' or 'publish' is no list of topic filters"_s,
        }));
}

QTEST_GUILESS_MAIN(TestQSseJwt)
#include "tst_qssejwt.moc"
