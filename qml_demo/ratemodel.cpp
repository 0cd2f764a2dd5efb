// SPDX-License-Identifier: MIT
#include "ratemodel.h"

#include <QtCore/QCoreApplication>
#include <QtCore/QJsonArray>
#include <QtCore/QLocale>

#include <algorithm>
#include <chrono>
#include <iterator>

using namespace std::chrono_literals;

namespace {

constexpr int HistoryLength = 60;

struct Currency
{
    const char *code;
    const char *name;
};

// In the order of the table: what is traded most comes first.
constexpr Currency Currencies[] = {
    { "USD", QT_TRANSLATE_NOOP("RateModel", "US dollar") },
    { "JPY", QT_TRANSLATE_NOOP("RateModel", "Japanese yen") },
    { "GBP", QT_TRANSLATE_NOOP("RateModel", "Pound sterling") },
    { "CHF", QT_TRANSLATE_NOOP("RateModel", "Swiss franc") },
    { "AUD", QT_TRANSLATE_NOOP("RateModel", "Australian dollar") },
    { "CAD", QT_TRANSLATE_NOOP("RateModel", "Canadian dollar") },
    { "CNY", QT_TRANSLATE_NOOP("RateModel", "Chinese yuan") },
    { "SEK", QT_TRANSLATE_NOOP("RateModel", "Swedish krona") },
    { "NOK", QT_TRANSLATE_NOOP("RateModel", "Norwegian krone") },
    { "PLN", QT_TRANSLATE_NOOP("RateModel", "Polish złoty") },
    { "TRY", QT_TRANSLATE_NOOP("RateModel", "Turkish lira") },
    { "INR", QT_TRANSLATE_NOOP("RateModel", "Indian rupee") },
};

const Currency *find(const QString &code)
{
    return std::find_if(std::begin(Currencies), std::end(Currencies),
                        [&](const Currency &c) { return code == QLatin1String(c.code); });
}

QString nameOf(const QString &code)
{
    const Currency *currency = find(code);
    return currency == std::end(Currencies)
        ? QString()
        : QCoreApplication::translate("RateModel", currency->name);
}

// As many as the market quotes: about five significant figures.
int decimals(double rate)
{
    return rate < 10 ? 4 : rate < 100 ? 3 : 2;
}

QString number(double value, int decimals)
{
    return QLocale().toString(value, 'f', decimals);
}

// With a sign of the same width either way, and none for what rounds to nothing.
QString change(double value, int decimals)
{
    const QString text = number(std::abs(value), decimals);
    if (text == number(0, decimals))
        return text;
    return (value < 0 ? QChar(0x2212) : QLatin1Char('+')) + text;
}

} // namespace

RateModel::RateModel(QObject *parent) : QAbstractListModel(parent)
{
    // Nobody sees more changes a second, however many events there are.
    m_changesTimer.setSingleShot(true);
    m_changesTimer.setInterval(40ms);
    connect(&m_changesTimer, &QTimer::timeout, this, &RateModel::showChanges);
}

int RateModel::rowCount(const QModelIndex &parent) const
{
    return parent.isValid() ? 0 : int(m_rows.size());
}

QVariant RateModel::data(const QModelIndex &index, int role) const
{
    if (!checkIndex(index, CheckIndexOption::IndexIsValid | CheckIndexOption::ParentIsInvalid))
        return QVariant();
    const Row &row = m_rows[size_t(index.row())];
    const double difference = row.rate - row.previous;
    switch (role) {
    case CodeRole:
        return row.code;
    case NameRole:
        return nameOf(row.code);
    case RateRole:
        return number(row.rate, decimals(row.rate));
    case ChangeRole:
        return change(difference, decimals(row.rate));
    case PercentRole:
        return row.previous == 0 ? QString()
                                 : change(difference / row.previous * 100, 2) + QLatin1String("%");
    case DirectionRole:
        return difference > 0 ? 1 : difference < 0 ? -1 : 0;
    case HistoryRole:
        return QVariant::fromValue(row.history);
    case SeqRole:
        return row.seq;
    }
    return QVariant();
}

QHash<int, QByteArray> RateModel::roleNames() const
{
    return {
        { CodeRole, "code" },       { NameRole, "name" },       { RateRole, "rate" },
        { ChangeRole, "change" },   { PercentRole, "percent" }, { DirectionRole, "direction" },
        { HistoryRole, "history" }, { SeqRole, "seq" },
    };
}

void RateModel::apply(const QSseEvent &event)
{
    const QJsonObject tick = event.json().toObject();
    const QString code =
        tick.value(QLatin1String("pair")).toString().section(QLatin1Char('/'), 1, 1);
    if (code.isEmpty())
        return;

    Row &row = m_rows[size_t(rowOf(code))];
    const qint64 seq = tick.value(QLatin1String("seq")).toInteger();
    count(row, seq);
    row.seq = seq;
    row.rate = tick.value(QLatin1String("rate")).toDouble();
    row.previous = tick.value(QLatin1String("previous")).toDouble();
    m_date = QDate::fromString(tick.value(QLatin1String("date")).toString(), Qt::ISODate);

    // A snapshot tells what came before, a tick does not.
    const QJsonArray history = tick.value(QLatin1String("history")).toArray();
    if (!history.isEmpty()) {
        row.history.clear();
        for (const QJsonValue &rate : history)
            row.history.append(rate.toDouble());
    } else {
        row.history.append(row.rate);
    }
    if (row.history.size() > HistoryLength)
        row.history.remove(0, row.history.size() - HistoryLength);

    row.changed = true;
    if (!m_changesTimer.isActive())
        m_changesTimer.start();
}

void RateModel::showChanges()
{
    for (int i = 0; i < int(m_rows.size()); ++i) {
        if (std::exchange(m_rows[size_t(i)].changed, false))
            Q_EMIT dataChanged(index(i), index(i));
    }
    Q_EMIT statisticsChanged();
}

int RateModel::rowOf(const QString &code)
{
    const auto known = std::find_if(m_rows.begin(), m_rows.end(),
                                    [&](const Row &row) { return row.code == code; });
    if (known != m_rows.end())
        return int(known - m_rows.begin());

    const auto place =
        std::upper_bound(m_rows.begin(), m_rows.end(), find(code),
                         [](const Currency *c, const Row &row) { return c < find(row.code); });
    const int index = int(place - m_rows.begin());
    beginInsertRows({}, index, index);
    m_rows.insert(place, { code });
    endInsertRows();
    return index;
}

void RateModel::count(const Row &row, qint64 seq)
{
    ++m_received;
    // Lower numbers are those of a server that was started anew.
    if (!row.history.isEmpty() && seq > row.seq + 1)
        m_lost += seq - row.seq - 1;
}
