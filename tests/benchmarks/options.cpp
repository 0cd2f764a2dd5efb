// SPDX-License-Identifier: MIT
#include "options.h"

#include <QtCore/QCommandLineParser>

#include <cstdio>
#include <cstdlib>

namespace {

QStringList installedContenders()
{
    QStringList names;
    for (const Contender &contender : contenders()) {
        if (contender.isInstalled())
            names.append(contender.name);
    }
    return names;
}

QStringList splitList(const QString &text)
{
    return text.split(QLatin1Char(','), Qt::SkipEmptyParts);
}

void list()
{
    for (const Cell &cell : cells())
        std::printf("%-10s %s\n", qUtf8Printable(cell.name), qUtf8Printable(description(cell)));
    std::printf("\ncontenders: %s\n", qUtf8Printable(installedContenders().join(QLatin1Char(' '))));
}

void chooseCells(QStringList chosen, double scale, bool isSweep, Options *options)
{
    const int limit = raiseConnectionLimit();
    const bool isAll = chosen.isEmpty();
    const QList<Cell> all = isSweep ? cells() + sweepCells() : cells();
    for (const Cell &cell : all) {
        const bool isNamed = chosen.removeOne(cell.name);
        if (isAll || isNamed || cell.isInSweep)
            options->cells.append(fitted(cell, scale, limit));
    }
    if (!chosen.isEmpty())
        options->error = QStringLiteral("There is no cell '%1'").arg(chosen.constFirst());
}

void chooseContenders(const QStringList &chosen, Options *options)
{
    const QStringList installed = installedContenders();
    options->areContendersNamed = !chosen.isEmpty();
    options->contenders = chosen.isEmpty() ? installed : chosen;
    for (const QString &name : chosen) {
        if (!installed.contains(name))
            options->error = QStringLiteral("'%1' is not there to be measured").arg(name);
    }
}

} // namespace

Options parseOptions(const QStringList &arguments)
{
    QCommandLineParser parser;
    parser.setApplicationDescription(
        QStringLiteral("Measures QSse, the floor (epoll and send() alone) and the naive way "
                       "(QHttpServer and a loop over write()) side by side."));
    parser.addHelpOption();
    const auto option = [&parser](const char *name, const char *text, const char *value,
                                  const char *preset = nullptr) {
        const QCommandLineOption added(QString::fromLatin1(name), QString::fromLatin1(text),
                                       QString::fromLatin1(value), QString::fromLatin1(preset));
        parser.addOption(added);
        return added;
    };
    const auto cellList = option("cells", "Measure these alone.", "A,B");
    const auto contenderList = option("contenders", "Measure these alone.", "A,B");
    const auto repetitions = option("repetitions", "How often; the median counts.", "N", "3");
    const auto seconds = option("seconds", "How long each time.", "S", "5");
    const auto scale = option("scale", "Multiply all numbers of subscribers.", "F", "1");
    const auto json = option("json", "Write all figures to <FILE>.", "FILE");
    const auto data = option("data", "Write what --sweep finds into <DIR>, for the plots.", "DIR");
    const auto sweep = option("sweep", "Measure over growing numbers of subscribers too.", "");
    const auto showList = option("list", "Show the cells and contenders.", "");
    parser.process(arguments);
    if (parser.isSet(showList)) {
        list();
        std::exit(0);
    }

    Options options;
    chooseCells(splitList(parser.value(cellList)), parser.value(scale).toDouble(),
                parser.isSet(sweep), &options);
    chooseContenders(splitList(parser.value(contenderList)), &options);
    options.repetitions = qMax(1, parser.value(repetitions).toInt());
    options.window = std::chrono::nanoseconds(qint64(parser.value(seconds).toDouble() * 1e9));
    options.json = parser.value(json);
    options.data = parser.value(data);
    return options;
}
