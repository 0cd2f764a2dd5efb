// SPDX-License-Identifier: MIT
#ifndef QSSEACCESSTOKEN_P_H
#define QSSEACCESSTOKEN_P_H

#include <QtCore/QByteArrayList>
#include <QtCore/QString>

class QUrlQuery;

/*!
    The bearer token (RFC 6750) a request brings: in its Authorization header, a cookie or the query
    parameter access_token. An empty one is none.
*/
struct QSseAccessToken
{
    QString value;
    bool isCookieOnly = false; //!< a browser may have added it by itself
    bool isInQuery = false;
    QString error; //!< one translated line when there is no telling which token counts

    /*! Reads it from the values of the fields Authorization and Cookie, where \a cookieName is the
        name of ours, and from \a query. */
    static QSseAccessToken read(const QByteArrayList &authorizations, const QByteArrayList &cookies,
                                const QByteArray &cookieName, const QUrlQuery &query);
};

#endif // QSSEACCESSTOKEN_P_H
