// SPDX-License-Identifier: MIT
#include "loadgenerator.h"

#include <QSseServer>

#include <chrono>
#include <cmath>

namespace {

constexpr double MaximumRate = 1'000'000;
constexpr double NanosecondsPerSecond = 1e9;

qint64 monotonicNanoseconds()
{
    // libstdc++ and libc++ read CLOCK_MONOTONIC for it.
    return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

} // namespace

std::optional<LoadGenerator::Options> LoadGenerator::parse(const QString &text, QString *error)
{
    Options options;
    const QStringList items = text.split(QLatin1Char(','));
    for (const QString &item : items) {
        const QString key = item.section(QLatin1Char('='), 0, 0);
        const QString value = item.section(QLatin1Char('='), 1);
        bool isValid = true;
        if (key == QLatin1String("topic"))
            options.topic = value;
        else if (key == QLatin1String("rate"))
            options.rate = value.toDouble(&isValid);
        else if (key == QLatin1String("bytes"))
            options.bytes = value.toInt(&isValid);
        else
            isValid = false;
        if (!isValid) {
            *error = tr("'%1' is not understood; use topic=T,rate=R,bytes=B").arg(item);
            return std::nullopt;
        }
    }
    *error = QSseTopicFilter::topicError(options.topic);
    if (error->isEmpty() && !(options.rate > 0 && options.rate <= MaximumRate))
        *error = tr("The rate must be more than 0 and at most %1 events a second").arg(MaximumRate);
    if (error->isEmpty() && options.bytes < MinimumBytes)
        *error = tr("The events must have at least %1 bytes").arg(MinimumBytes);
    return error->isEmpty() ? std::make_optional(options) : std::nullopt;
}

LoadGenerator::LoadGenerator(QSseServer *server, Options options, QObject *parent)
    : QObject(parent), m_server(server), m_options(std::move(options))
{
    m_timer.setTimerType(Qt::PreciseTimer);
    connect(&m_timer, &QTimer::timeout, this, &LoadGenerator::publishDue);
    m_timer.start(int(qBound(1.0, std::floor(1000 / m_options.rate), 1000.0)));
    m_clock.start();
}

void LoadGenerator::publishDue()
{
    // By the clock and not by the ticks: a late tick makes up for what it missed.
    const auto due = qint64(double(m_clock.nsecsElapsed()) * m_options.rate / NanosecondsPerSecond);
    for (; m_published < due; ++m_published) {
        QByteArray data = "t=" + QByteArray::number(monotonicNanoseconds()) + ' ';
        data.resize(m_options.bytes, 'x');
        m_server->notify(m_options.topic, QSseEvent(data));
    }
}
