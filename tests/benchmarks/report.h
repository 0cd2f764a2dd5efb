// SPDX-License-Identifier: MIT
#ifndef REPORT_H
#define REPORT_H

#include "cells.h"
#include "metrics.h"

#include <QtCore/QJsonObject>

/*! What all contenders did in one cell. */
struct CellResult
{
    Cell cell;
    QList<QPair<QString, Summary>> contenders; // in the order they are shown
};

/*! Prints \a result as a table with a line for each figure and a column for each contender. */
void printTable(const CellResult &result);
/*! Prints what an event costs beside idle connections against the floor with none, if the cells
    for it are among \a results. */
void printSparse(const QList<CellResult> &results);
/*! All figures of \a results, and what they were found on. */
QJsonObject toJson(const QList<CellResult> &results);
/*! Writes a file for each contender into \a directory, with a line for each cell of the
    sweep among \a results. */
bool writePlotData(const QList<CellResult> &results, const QString &directory);

/*! What went wrong in \a summary that must not, or nothing. */
QString complaint(const Cell &cell, const Summary &summary);

#endif // REPORT_H
