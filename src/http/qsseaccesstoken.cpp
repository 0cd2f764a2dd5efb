// SPDX-License-Identifier: MIT
#include "qsseaccesstoken_p.h"

#include <QtCore/QCoreApplication>
#include <QtCore/QStringList>
#include <QtCore/QUrlQuery>

#include <algorithm>

namespace {

QString translate(const char *text)
{
    return QCoreApplication::translate("QSseAccessToken", text);
}

bool isTokenCharacter(char c)
{
    return c > ' ' && c < '\x7f' && c != ',';
}

// The tokens of "Bearer TOKEN" fields; those of other schemes are not for us.
bool readAuthorizations(const QByteArrayList &fields, QStringList *tokens)
{
    static const QByteArray scheme("bearer");
    for (const QByteArray &field : fields) {
        const QByteArray text = field.trimmed();
        const QByteArray token = text.mid(scheme.size()).trimmed();
        const bool isBearer = text.left(scheme.size()).toLower() == scheme
            && (token.isEmpty() || text.at(scheme.size()) == ' ');
        if (!isBearer)
            continue;
        if (!std::all_of(token.begin(), token.end(), isTokenCharacter))
            return false;
        tokens->append(QString::fromLatin1(token));
    }
    return true;
}

// The values of the cookies called name in Cookie fields (RFC 6265 §4.2.1).
QStringList readCookies(const QByteArrayList &fields, const QByteArray &name)
{
    QStringList values;
    if (name.isEmpty())
        return values;
    for (const QByteArray &field : fields) {
        for (const QByteArray &pair : field.split(';')) {
            const qsizetype equals = pair.indexOf('=');
            if (equals < 0 || pair.left(equals).trimmed() != name)
                continue;
            QByteArray value = pair.mid(equals + 1).trimmed();
            if (value.size() > 1 && value.startsWith('"') && value.endsWith('"'))
                value = value.mid(1, value.size() - 2);
            values.append(QString::fromUtf8(value));
        }
    }
    return values;
}

} // namespace

QSseAccessToken QSseAccessToken::read(const QByteArrayList &authorizations,
                                      const QByteArrayList &cookies, const QByteArray &cookieName,
                                      const QUrlQuery &query)
{
    QSseAccessToken token;
    QStringList found;
    if (!readAuthorizations(authorizations, &found)) {
        token.error = translate("The Authorization header is not 'Bearer TOKEN'");
        return token;
    }
    QStringList inQuery =
        query.allQueryItemValues(QStringLiteral("access_token"), QUrl::FullyDecoded);
    inQuery.removeAll(QString());
    token.isInQuery = !inQuery.isEmpty();
    found += inQuery;
    found.removeAll(QString());
    token.isCookieOnly = found.isEmpty();
    found += readCookies(cookies, cookieName);
    found.removeAll(QString());
    found.removeDuplicates();
    if (found.size() > 1)
        token.error = translate("The request has more than one token");
    else if (!found.isEmpty())
        token.value = found.constFirst();
    token.isCookieOnly = token.isCookieOnly && !token.value.isEmpty();
    return token;
}
