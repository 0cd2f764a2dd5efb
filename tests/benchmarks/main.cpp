// SPDX-License-Identifier: MIT
// qsse-bench: QSse beside the least that fan-out can cost and beside the obvious way to write it.

#include "measurement.h"
#include "options.h"
#include "report.h"

#include <QtCore/QCoreApplication>
#include <QtCore/QFile>
#include <QtCore/QJsonDocument>

#include <cstdio>

namespace {

// With more connections than the first number the naive way takes minutes for one run, so there is
// no more than one; beyond the second there is none unless it is asked for by name.
constexpr int NaiveComfort = 5000;
constexpr int NaiveLimit = 10'001;

int repetitionsOf(const QString &contender, const Cell &cell, const Options &options)
{
    if (contender != QLatin1String("naive") || cell.connections() <= NaiveComfort)
        return options.repetitions;
    return cell.connections() <= NaiveLimit || options.areContendersNamed ? 1 : 0;
}

// One repetition of all contenders after the other, so that whatever else the machine does befalls
// all of them.
CellResult measureAll(const Cell &cell, const Options &options)
{
    QMap<QString, QList<Run>> runs;
    for (int repetition = 0; repetition < options.repetitions; ++repetition) {
        for (const QString &contender : options.contenders) {
            if (repetition >= repetitionsOf(contender, cell, options))
                continue;
            std::fprintf(stderr, "%s %d/%d %s\n", qUtf8Printable(cell.name), repetition + 1,
                         options.repetitions, qUtf8Printable(contender));
            runs[contender].append(measure(cell, contender, options.window));
        }
    }
    CellResult result { cell, {} };
    for (const QString &contender : options.contenders) {
        if (runs.contains(contender))
            result.contenders.append({ contender, Summary(runs.value(contender)) });
    }
    return result;
}

bool writeJson(const QList<CellResult> &results, const QString &name)
{
    QFile file(name);
    return file.open(QIODevice::WriteOnly)
        && file.write(QJsonDocument(toJson(results)).toJson()) >= 0;
}

// Only QSse has promised anything.
bool isFaultless(const CellResult &result)
{
    for (const auto &[name, summary] : result.contenders) {
        const QString text = complaint(result.cell, summary);
        if (name != QLatin1String("qsse") || text.isEmpty())
            continue;
        std::fprintf(stderr, "qsse-bench: %s: %s\n", qUtf8Printable(result.cell.name),
                     qUtf8Printable(text));
        return false;
    }
    return true;
}

int run(const Options &options)
{
    QList<CellResult> results;
    bool isGood = true;
    for (const Cell &cell : options.cells) {
        results.append(measureAll(cell, options));
        printTable(results.constLast());
        isGood = isFaultless(results.constLast()) && isGood;
    }
    printSparse(results);
    if (!options.json.isEmpty() && !writeJson(results, options.json))
        isGood = false;
    if (!options.data.isEmpty() && !writePlotData(results, options.data))
        isGood = false;
    return isGood ? 0 : 1;
}

} // namespace

int main(int argc, char *argv[])
{
    QCoreApplication app(argc, argv);
    QCoreApplication::setApplicationName(QStringLiteral("qsse-bench"));
    const QStringList arguments = QCoreApplication::arguments();
    if (arguments.value(1) == QLatin1String("--serve"))
        return serve(arguments.mid(1));
    const Options options = parseOptions(arguments);
    if (!options.error.isEmpty()) {
        std::fprintf(stderr, "qsse-bench: %s\n", qUtf8Printable(options.error));
        return 2;
    }
    return run(options);
}
