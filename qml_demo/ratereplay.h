// SPDX-License-Identifier: MIT
#ifndef RATEREPLAY_H
#define RATEREPLAY_H

#include <QtCore/QDate>
#include <QtCore/QElapsedTimer>
#include <QtCore/QJsonObject>
#include <QtCore/QList>
#include <QtCore/QObject>
#include <QtCore/QStringList>
#include <QtCore/QTimer>
#include <QtQml/qqmlregistration.h>

#include <vector>

/*!
    Replays the daily euro reference rates as ticks, one currency at a time, for ever.

    Every tick of a currency has a number one higher than the one before it, so that whoever gets
    them can tell whether one is missing.
*/
class RateReplay : public QObject
{
    Q_OBJECT
    QML_ELEMENT
    QML_UNCREATABLE("Made by the program")
    Q_PROPERTY(bool running READ isRunning WRITE setRunning NOTIFY runningChanged FINAL)
    Q_PROPERTY(double speed READ speed WRITE setSpeed NOTIFY speedChanged FINAL)

public:
    static constexpr double MinimumSpeed = 0.25;
    static constexpr double MaximumSpeed = 20;

    explicit RateReplay(QObject *parent = nullptr);

    /*! Currency codes as in "USD"; an index in this list stands for the currency elsewhere. */
    const QStringList &currencies() const { return m_currencies; }

    bool isRunning() const { return m_timer.isActive(); }
    void setRunning(bool running);
    /*! How many times faster than about 24 ticks a second. */
    double speed() const { return m_speed; }
    void setSpeed(double speed);

    /*! The latest tick of \a currency: pair, rate, previous, date, seq. */
    QJsonObject latest(int currency) const;
    /*! latest() with "history", the rates of the days that led to it, oldest first. */
    QJsonObject snapshot(int currency) const;

Q_SIGNALS:
    /*! latest(\a currency) is new. */
    void ticked(int currency);
    void runningChanged();
    void speedChanged();

private:
    struct Day
    {
        QDate date;
        std::vector<double> rates; // by currency
    };
    struct Position
    {
        int day; // index of the latest tick's day
        qint64 seq;
    };

    void load();
    void catchUp();
    void advance();
    void beginDay();

    QStringList m_currencies;
    std::vector<Day> m_days;
    std::vector<Position> m_positions; // by currency
    QList<int> m_pending;              // currencies still to tick on the current day
    int m_day;
    double m_speed = 1;
    QTimer m_timer;
    QElapsedTimer m_elapsed; // since the last catchUp()
    double m_due = 0;        // ticks, of which the whole ones are sent at once
};

#endif // RATEREPLAY_H
