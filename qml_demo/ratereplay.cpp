// SPDX-License-Identifier: MIT
#include "ratereplay.h"

#include <QtCore/QFile>
#include <QtCore/QJsonArray>
#include <QtCore/QRandomGenerator>

#include <algorithm>

namespace {

constexpr double TicksPerSecond = 24;
constexpr double MaximumDue = 240;
constexpr int MinimumInterval = 5; // ms
constexpr int HistoryLength = 60;

} // namespace

RateReplay::RateReplay(QObject *parent) : QObject(parent)
{
    load();
    // Starts with as many days behind it as a history has, so that nothing begins empty.
    m_day = HistoryLength - 1;
    m_positions.assign(size_t(m_currencies.size()), { m_day, 0 });

    m_timer.setTimerType(Qt::PreciseTimer);
    connect(&m_timer, &QTimer::timeout, this, &RateReplay::catchUp);
    setSpeed(m_speed);
}

void RateReplay::load()
{
    QFile file(QStringLiteral(":/ticker/ecb-euro-reference-rates.csv"));
    if (!file.open(QIODevice::ReadOnly | QIODevice::Text))
        qFatal("The rates are missing from the program");

    m_currencies = QString::fromLatin1(file.readLine()).trimmed().split(QLatin1Char(',')).mid(1);
    while (!file.atEnd()) {
        const QList<QByteArray> fields = file.readLine().trimmed().split(',');
        if (fields.size() != m_currencies.size() + 1)
            continue;
        Day day { QDate::fromString(QString::fromLatin1(fields.first()), Qt::ISODate), {} };
        std::transform(fields.begin() + 1, fields.end(), std::back_inserter(day.rates),
                       [](const QByteArray &field) { return field.toDouble(); });
        m_days.push_back(std::move(day));
    }
}

void RateReplay::setRunning(bool running)
{
    if (running == isRunning())
        return;
    if (running) {
        m_elapsed.start();
        m_timer.start();
    } else {
        m_timer.stop();
    }
    Q_EMIT runningChanged();
}

void RateReplay::setSpeed(double speed)
{
    m_speed = std::clamp(speed, MinimumSpeed, MaximumSpeed);
    m_timer.setInterval(std::max(MinimumInterval, qRound(1000 / (TicksPerSecond * m_speed))));
    Q_EMIT speedChanged();
}

QJsonObject RateReplay::latest(int currency) const
{
    const Position &position = m_positions[size_t(currency)];
    const Day &day = m_days[size_t(position.day)];
    // The first day follows the last one when it starts over, which is no change of the rate.
    const Day &dayBefore = m_days[size_t(std::max(0, position.day - 1))];
    return {
        { QStringLiteral("pair"), QLatin1String("EUR/") + m_currencies.at(currency) },
        { QStringLiteral("rate"), day.rates[size_t(currency)] },
        { QStringLiteral("previous"), dayBefore.rates[size_t(currency)] },
        { QStringLiteral("date"), day.date.toString(Qt::ISODate) },
        { QStringLiteral("seq"), position.seq },
    };
}

QJsonObject RateReplay::snapshot(int currency) const
{
    const int last = m_positions[size_t(currency)].day;
    QJsonArray history;
    for (int day = std::max(0, last - HistoryLength + 1); day <= last; ++day)
        history.append(m_days[size_t(day)].rates[size_t(currency)]);
    QJsonObject result = latest(currency);
    result.insert(QLatin1String("history"), history);
    return result;
}

// By the clock, because a timer may be late when there is much to draw.
void RateReplay::catchUp()
{
    m_due += double(m_elapsed.restart()) / 1000 * TicksPerSecond * m_speed;
    // After a long sleep of the machine it goes on where it stopped.
    m_due = std::min(m_due, MaximumDue);
    for (; m_due >= 1; --m_due)
        advance();
}

void RateReplay::advance()
{
    if (m_pending.isEmpty())
        beginDay();
    const int currency = m_pending.takeLast();
    Position &position = m_positions[size_t(currency)];
    position.day = m_day;
    ++position.seq;
    Q_EMIT ticked(currency);
}

void RateReplay::beginDay()
{
    m_day = (m_day + 1) % int(m_days.size());
    for (int currency = 0; currency < m_currencies.size(); ++currency)
        m_pending.append(currency);
    // In no fixed order: markets do not move from the top of a table to its bottom.
    std::shuffle(m_pending.begin(), m_pending.end(), *QRandomGenerator::global());
}
