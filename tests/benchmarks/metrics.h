// SPDX-License-Identifier: MIT
#ifndef METRICS_H
#define METRICS_H

#include "loadclient.h"

#include <QtCore/QList>
#include <QtCore/QMap>
#include <QtCore/QString>

/*! How one figure is shown. */
struct Metric
{
    QString key;
    QString label;
    int decimals = 0;
};
const QList<Metric> &metrics();

/*! What one run of a cell found, or why it found nothing. */
struct Run
{
    QMap<QString, double> values; // by the keys of metrics()
    Faults faults;
    QString failure;
};

struct Spread
{
    double median = 0;
    double minimum = 0;
    double maximum = 0;
};

/*! The runs of one contender in one cell together. */
struct Summary
{
    explicit Summary(const QList<Run> &runs);

    int runs = 0;
    QMap<QString, Spread> values;
    Faults faults;   // of all runs
    QString failure; // of the first run that failed
};

#endif // METRICS_H
