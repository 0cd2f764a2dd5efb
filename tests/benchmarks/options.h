// SPDX-License-Identifier: MIT
#ifndef OPTIONS_H
#define OPTIONS_H

#include "cells.h"

#include <chrono>

/*! What qsse-bench is asked to do. */
struct Options
{
    QList<Cell> cells;
    QStringList contenders;
    bool areContendersNamed = false; // and not just all there are
    int repetitions = 1;
    std::chrono::nanoseconds window {};
    QString json;  // file for all figures
    QString data;  // directory for what the plots are drawn from
    QString error; // why nothing can be done
};

/*! Reads \a arguments; shows the help or the list of cells itself, and ends the program then. */
Options parseOptions(const QStringList &arguments);

#endif // OPTIONS_H
