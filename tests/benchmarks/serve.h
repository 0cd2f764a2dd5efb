// SPDX-License-Identifier: MIT
#ifndef SERVE_H
#define SERVE_H

#include <QtCore/QString>
#include <QtCore/QStringList>

/*! What a contender publishes once it is told to. */
struct Load
{
    int topics = 1;  // t/0, t/1 and so on, in turn
    double rate = 0; // events a second over all topics
    int bytes = 120; // of data in each
};

/*! A server to be measured, started as `qsse-bench --serve KIND …` in a process of its own.

    It prints `listening PORT PID`, PID being the process to be measured, then obeys the lines `go`,
    from which on it publishes, and `stop`, which it answers with `published N`. It ends with its
    standard input. */
struct Contender
{
    QString name;
    bool (*isInstalled)();
    int (*serve)(const Load &load);
};

/*! All there are, in the order they are shown. */
const QList<Contender> &contenders();
const Contender *findContender(const QString &name);

/*! The arguments that start \a contender; serve() reads them. */
QStringList serveArguments(const QString &contender, const Load &load);
/*! Runs what serveArguments() made and returns the exit code. */
int serve(const QStringList &arguments);

int serveFloor(const Load &load);
int serveNaive(const Load &load);
int serveQSse(const Load &load);
bool isNchanInstalled();
int serveNchan(const Load &load);
bool isBetterSseInstalled();
int serveBetterSse(const Load &load);

#endif // SERVE_H
