// SPDX-License-Identifier: MIT
#include "qssepublishbody_p.h"

#include <QtCore/QCoreApplication>
#include <QtCore/QJsonArray>
#include <QtCore/QJsonDocument>
#include <QtCore/QJsonObject>
#include <QtCore/QUrlQuery>

#include <functional>

namespace {

QString translate(const char *text)
{
    return QCoreApplication::translate("QSsePublishBody", text);
}

QSsePublishBody failed(const QString &text)
{
    return { {}, text };
}

// Sets a text field of event from json; answers whether json has text there, or nothing.
bool readText(const QJsonObject &json, QLatin1String name, const std::function<void(QString)> &set)
{
    const QJsonValue value = json.value(name);
    if (value.isString())
        set(value.toString());
    return value.isString() || value.isUndefined() || value.isNull();
}

QString readEvent(const QJsonValue &value, QSseEvent *event)
{
    if (!value.isObject())
        return translate("An event must be a JSON object");
    const QJsonObject json = value.toObject();
    const QJsonValue data = json.value(QLatin1String("data"));
    if (data.isString())
        event->setData(data.toString());
    else if (!data.isUndefined())
        *event = QSseEvent::fromJson(data);

    const std::pair<QLatin1String, std::function<void(QString)>> fields[] = {
        { QLatin1String("topic"), [&](const QString &text) { event->setTopic(text); } },
        { QLatin1String("event"), [&](const QString &text) { event->setEvent(text); } },
        { QLatin1String("id"), [&](const QString &text) { event->setId(text); } },
        { QLatin1String("comment"), [&](const QString &text) { event->setComment(text); } },
    };
    for (const auto &[name, set] : fields) {
        if (!readText(json, name, set))
            return translate("'%1' must be a string").arg(name);
    }
    if (event->topic().isEmpty())
        return translate("'topic' is missing");

    const QJsonValue retry = json.value(QLatin1String("retry"));
    if (!retry.isUndefined() && !retry.isNull()) {
        if (retry.toInt(-1) < 0)
            return translate("'retry' must be a number of milliseconds");
        event->setRetry(std::chrono::milliseconds(retry.toInt()));
    }
    return QString();
}

} // namespace

QSsePublishBody QSsePublishBody::fromText(const QString &topic, const QUrlQuery &query,
                                          const QByteArray &body)
{
    QSseEvent event(body.isNull() ? QByteArray("") : body);
    event.setTopic(topic);
    if (query.hasQueryItem(QStringLiteral("event")))
        event.setEvent(query.queryItemValue(QStringLiteral("event"), QUrl::FullyDecoded));
    if (query.hasQueryItem(QStringLiteral("id")))
        event.setId(query.queryItemValue(QStringLiteral("id"), QUrl::FullyDecoded));
    if (query.hasQueryItem(QStringLiteral("retry"))) {
        bool isNumber = false;
        const QString text = query.queryItemValue(QStringLiteral("retry"), QUrl::FullyDecoded);
        const uint retry = text.toUInt(&isNumber);
        if (!isNumber)
            return failed(translate("'retry' must be a number of milliseconds"));
        event.setRetry(std::chrono::milliseconds(retry));
    }
    return { { event }, {} };
}

QSsePublishBody QSsePublishBody::fromJson(const QByteArray &body)
{
    QJsonParseError error;
    const QJsonDocument document = QJsonDocument::fromJson(body, &error);
    if (error.error != QJsonParseError::NoError) {
        return failed(translate("The body is not JSON: %1 at byte %2")
                          .arg(error.errorString())
                          .arg(error.offset));
    }
    const QJsonArray items =
        document.isArray() ? document.array() : QJsonArray { document.object() };
    if (items.isEmpty())
        return failed(translate("There is no event in the array"));
    QSsePublishBody parsed;
    for (const QJsonValue item : items) {
        QSseEvent event;
        const QString wrong = readEvent(item, &event);
        if (!wrong.isEmpty())
            return failed(wrong);
        parsed.events.append(event);
    }
    return parsed;
}

QStringList QSsePublishBody::topics() const
{
    QStringList names;
    names.reserve(events.size());
    for (const QSseEvent &event : events)
        names.append(event.topic());
    names.removeDuplicates();
    return names;
}
