// SPDX-License-Identifier: MIT
#include "qsseplainreply_p.h"
#include "qssestreammanager_p.h"

#include <QtNetwork/QNetworkProxy>

QNetworkReply *QSseStreamManager::createRequest(Operation operation, const QNetworkRequest &request,
                                                QIODevice *body)
{
    const QByteArray verb = operation == GetOperation
        ? QByteArrayLiteral("GET")
        : request.attribute(QNetworkRequest::CustomVerbAttribute).toByteArray();
    const QUrl url = request.url();
    if (verb.isEmpty() || url.scheme() != QLatin1String("http") || !url.userInfo().isEmpty()
        || !isDirect(url))
        return QNetworkAccessManager::createRequest(operation, request, body);
    return new QSsePlainReply(request, verb, body ? body->readAll() : QByteArray(), cookieJar(),
                              this);
}

bool QSseStreamManager::isDirect(const QUrl &url) const
{
    const QNetworkProxyQuery query(url);
    QNetworkProxy first = proxy();
    if (proxyFactory())
        first = proxyFactory()->queryProxy(query).value(0);
    else if (first.type() == QNetworkProxy::DefaultProxy)
        first = QNetworkProxyFactory::proxyForQuery(query).value(0);
    return first.type() == QNetworkProxy::NoProxy;
}
