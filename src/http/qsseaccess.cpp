// SPDX-License-Identifier: MIT
#include "qsseaccess.h"

QSseAccess QSseAccess::allow(const QVariantMap &claims)
{
    QSseAccess access;
    access.decision = Decision::Allowed;
    access.claims = claims;
    return access;
}

QSseAccess QSseAccess::allowOnly(const QList<QSseTopicFilter> &topics, const QVariantMap &claims)
{
    QSseAccess access = allow(claims);
    access.topics = topics;
    return access;
}

QSseAccess QSseAccess::unauthorized(const QString &text)
{
    return { Decision::Unauthorized, text };
}

QSseAccess QSseAccess::forbidden(const QString &text)
{
    return { Decision::Forbidden, text };
}
