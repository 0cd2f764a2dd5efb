// SPDX-License-Identifier: MIT
#include "qsseevent.h"
#include "qsseframes_p.h"

#include <QtCore/QJsonObject>

QList<QPair<QByteArray, QByteArray>> QSseFrames::streamHeaders()
{
    return {
        { "Content-Type", "text/event-stream" },
        { "Cache-Control", "no-store, no-transform" },
        { "X-Accel-Buffering", "no" }, // keeps nginx from holding events back
    };
}

QByteArray QSseFrames::responseHead(const QList<QPair<QByteArray, QByteArray>> &extraHeaders)
{
    // Without a length the body ends with the connection (RFC 9112 §6.3), which HTTP/1.0 clients
    // understand too.
    QByteArray head = "HTTP/1.1 200 OK\r\nConnection: close\r\n";
    for (const auto &[name, value] : streamHeaders() + extraHeaders)
        head.append(name).append(": ").append(value).append("\r\n");
    return head.append("\r\n");
}

QByteArray QSseFrames::id(const QByteArray &id)
{
    QSseEvent event;
    event.setIdUtf8(id.isNull() ? QByteArray("") : id);
    return event.encode();
}

QByteArray QSseFrames::retry(std::chrono::milliseconds retry, const QByteArray &id)
{
    QSseEvent event;
    event.setRetry(retry);
    return event.encode(id);
}

QByteArray QSseFrames::gap(const QByteArray &requested, const QByteArray &oldest)
{
    QSseEvent event = QSseEvent::fromJson(QJsonObject {
        { QStringLiteral("requested"), QString::fromUtf8(requested) },
        { QStringLiteral("oldest"),
          oldest.isNull() ? QJsonValue() : QJsonValue(QString::fromUtf8(oldest)) },
    });
    event.setEvent(QStringLiteral("gap"));
    return event.encode();
}

QByteArray QSseFrames::keepAlive()
{
    return QByteArrayLiteral(": keep-alive\n\n");
}
