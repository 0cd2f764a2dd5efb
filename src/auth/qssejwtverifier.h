// SPDX-License-Identifier: MIT
#ifndef QSSEJWTVERIFIER_H
#define QSSEJWTVERIFIER_H

#include "qsse_jwt_export.h"
#include "qsseaccess.h"

#include <QtCore/QByteArray>
#include <QtCore/QDateTime>
#include <QtCore/QSharedDataPointer>
#include <QtCore/QString>
#include <QtCore/QVariantMap>

#include <chrono>

class QSseJwtVerifierPrivate;

/*!
    Checks JSON Web Tokens (RFC 7519) of one signature algorithm and one key, and lets who has a
    good one subscribe and publish as it says: a value type, implicitly shared, reentrant.

    A token is good when its signature is, its algorithm is this very one, `exp` is there and lies
    ahead, and `nbf` and `aud`, if there, agree with now and with audience(). One with a `typ` other
    than JWT, or with `crit`, is refused, and so is one longer than MaximumTokenSize.

    Why a token is refused goes to the logging category qsse.auth; the token does not.
*/
class QSSE_JWT_EXPORT QSseJwtVerifier
{
public:
    /*! How a token is signed (RFC 7518 §3.1). */
    enum class Algorithm {
        HS256, //!< HMAC with SHA-256 and a secret
        RS256, //!< RSASSA-PKCS1-v1_5 with SHA-256
        ES256, //!< ECDSA with P-256 and SHA-256
    };

    /*! What verify() found out. */
    struct Result
    {
        enum class Status { Valid, Expired, Invalid };
        Status status = Status::Invalid;
        QString reason;      //!< one line in English on why it is not valid, without the token
        QVariantMap claims;  //!< what the token says; empty unless it is valid
        QDateTime expiresAt; //!< exp and the leeway, UTC; set when the token is valid
    };

    /*! The most bytes a token may have: 8 KiB. */
    static constexpr qsizetype MaximumTokenSize = 8192;
    /*! The fewest bytes a secret may have (RFC 7518 §3.2). */
    static constexpr qsizetype MinimumSecretSize = 32;

    /*! Has no key, and finds no token good. */
    QSseJwtVerifier();
    /*! Checks for \a algorithm with \a key: the secret as it is, of at least MinimumSecretSize
       bytes and not a key as PEM, or a public key as PEM, RSA with at least 2048 bits or EC with
       256. One that is no such key is not valid, says why in errorString() and a warning, and finds
       no token good. */
    QSseJwtVerifier(Algorithm algorithm, const QByteArray &key);
    QSseJwtVerifier(const QSseJwtVerifier &other);
    QSseJwtVerifier(QSseJwtVerifier &&other) noexcept;
    QSseJwtVerifier &operator=(const QSseJwtVerifier &other);
    QSseJwtVerifier &operator=(QSseJwtVerifier &&other) noexcept;
    ~QSseJwtVerifier();

    void swap(QSseJwtVerifier &other) noexcept { d.swap(other.d); }

    /*! Whether it has a key to check with. */
    bool isValid() const;
    /*! One translated line on what is wrong with the key, empty when nothing is. */
    QString errorString() const;
    Algorithm algorithm() const;

    /*! Who we are: tokens must have this as `aud`, or in it. Empty, the default, for nobody in
        particular: then a token must not have `aud` at all (RFC 7519 §4.1.3). */
    QString audience() const;
    void setAudience(const QString &audience);
    /*! How far our clock may be ahead or behind the issuer's; 0, at most 5 min. Tokens are good,
        and streams last, so much longer. */
    std::chrono::seconds leeway() const;
    void setLeeway(std::chrono::seconds leeway);
    /*! Whether authorizer() lets clients without a token subscribe, to whatever is public; false.
        Clients with one may then ask for any topics too: the claim grants them private ones. */
    bool anonymousSubscribe() const;
    void setAnonymousSubscribe(bool allowed);

    /*! Checks \a token. Nothing is logged. */
    Result verify(const QString &token) const;

    /*! Lets a client do what its token says, with a copy of this verifier as it is now: it may
        subscribe to filters that those in the claim `subscribe` cover, and publish under topics
        that those in `publish` do. Both are arrays of topic filters, or a string with one; without
        the claim nothing is allowed. All claims are handed on as QSseAccess::claims, the filters of
        `subscribe` as grants, and the stream ends when the token does.

        No token or a bad one is 401; a topic that is not covered is 403. */
    QSseAuthorizer authorizer() const;

private:
    QSharedDataPointer<QSseJwtVerifierPrivate> d;
};

Q_DECLARE_SHARED(QSseJwtVerifier)

#endif // QSSEJWTVERIFIER_H
