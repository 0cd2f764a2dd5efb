// SPDX-License-Identifier: MIT
#ifndef QSSESTREAMMANAGER_P_H
#define QSSESTREAMMANAGER_P_H

#include <QtNetwork/QNetworkAccessManager>

/*!
    The manager that a source makes for itself. Requests over plain HTTP without a proxy go through
    a QSsePlainReply: Qt would answer for them from a thread of its own, and now and then repeat a
    request whose answer came at once and broke off. All others are Qt's.
*/
class QSseStreamManager : public QNetworkAccessManager
{
    Q_OBJECT

public:
    using QNetworkAccessManager::QNetworkAccessManager;

protected:
    QNetworkReply *createRequest(Operation operation, const QNetworkRequest &request,
                                 QIODevice *body) override;

private:
    bool isDirect(const QUrl &url) const;
};

#endif // QSSESTREAMMANAGER_P_H
