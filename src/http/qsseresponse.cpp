// SPDX-License-Identifier: MIT
#include "qsseresponse_p.h"

#include <QtCore/QMetaEnum>
#include <QtHttpServer/QHttpServerResponder>

namespace {

// "Method Not Allowed" for MethodNotAllowed; the phrase is for people alone.
QByteArray reasonPhrase(int status)
{
    QByteArray phrase;
    const char *key = QMetaEnum::fromType<QHttpServerResponder::StatusCode>().valueToKey(status);
    for (const char c : QByteArray(key)) {
        if (c >= 'A' && c <= 'Z' && !phrase.isEmpty())
            phrase += ' ';
        phrase += c;
    }
    return status == 200 ? QByteArrayLiteral("OK") : phrase;
}

} // namespace

QByteArray QSsePrivate::response(int status, const QSseHeaders &headers, const QByteArray &body,
                                 bool hasBody)
{
    QByteArray bytes = "HTTP/1.1 " + QByteArray::number(status) + ' ' + reasonPhrase(status);
    bytes += "\r\n";
    for (const auto &[name, value] : headers)
        bytes += name + ": " + value + "\r\n";
    if (!hasBody)
        return bytes + "\r\n";
    return bytes + "Content-Length: " + QByteArray::number(body.size()) + "\r\n\r\n" + body;
}

QByteArray QSsePrivate::textBody(const QString &text, QSseHeaders *headers)
{
    headers->emplaceBack("Content-Type", "text/plain; charset=utf-8");
    return text.toUtf8() + '\n';
}
