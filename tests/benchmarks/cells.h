// SPDX-License-Identifier: MIT
#ifndef CELLS_H
#define CELLS_H

#include "serve.h"

#include <QtCore/QList>

/*! One thing to be measured. */
struct Cell
{
    QString name;
    int subscribers = 0; // spread evenly over the topics
    int idle = 0;        // more of them, to a topic that nothing is published under
    int sleepers = 0;    // more of them, who never read
    Load load;
    QStringList metrics;     // what is shown, see metrics()
    bool connects = false;   // whether connecting is what is measured, with events flowing already
    bool isOverload = false; // more than can be sent: whoever falls too far behind may be cut off
    bool isQuiet = false;    // whether what it costs to do nothing is measured first
    bool isInSweep = false;  // whether it is a point of the plots
    int connections() const { return subscribers + idle + sleepers; }
};

/*! All cells, in the order they are measured. */
const QList<Cell> &cells();
/*! What the plots are drawn from: one cell for each number of subscribers. */
QList<Cell> sweepCells();
/*! What \a cell loads a server with, in a line. */
QString description(const Cell &cell);
/*! \a cell with everything that is counted multiplied by \a scale, for a quick look, and \a limit
    connections at most. */
Cell fitted(Cell cell, double scale, int limit);

/*! Raises the limit of open files as far as it goes and returns how many connections that allows.
 */
int raiseConnectionLimit();

#endif // CELLS_H
