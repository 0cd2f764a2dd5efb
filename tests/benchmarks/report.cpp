// SPDX-License-Identifier: MIT
#include "report.h"

#include <QtCore/QDir>
#include <QtCore/QFile>
#include <QtCore/QJsonArray>
#include <QtCore/QSysInfo>
#include <QtCore/QTextStream>
#include <QtCore/QThread>

#include <cstdio>
#include <optional>

namespace {

constexpr int LabelWidth = 34;
constexpr int ValueWidth = 12;

QTextStream &out()
{
    static QTextStream stream(stdout);
    return stream;
}

QString left(const QString &text)
{
    return text.leftJustified(LabelWidth);
}

QString right(const QString &text)
{
    return text.rightJustified(ValueWidth);
}

const Summary *find(const CellResult &result, const QString &contender)
{
    for (const auto &[name, summary] : result.contenders) {
        if (name == contender)
            return &summary;
    }
    return nullptr;
}

std::optional<double> valueOf(const CellResult &result, const QString &contender,
                              const QString &metric)
{
    const Summary *summary = find(result, contender);
    if (!summary || !summary->values.contains(metric))
        return std::nullopt;
    return summary->values.value(metric).median;
}

QString number(std::optional<double> value, int decimals)
{
    return value ? QString::number(*value, 'f', decimals) : QStringLiteral("-");
}

QString ratio(std::optional<double> value, std::optional<double> reference)
{
    if (!value || !reference || *reference == 0)
        return QStringLiteral("-");
    return QString::number(*value / *reference, 'f', 2);
}

// Whom QSse is compared with, as far as they took part.
QStringList references(const CellResult &result)
{
    QStringList present;
    for (const QString &name : { QStringLiteral("floor"), QStringLiteral("naive") }) {
        if (find(result, name) && find(result, QStringLiteral("qsse")))
            present.append(name);
    }
    return present;
}

void printHeader(const CellResult &result)
{
    out() << '\n' << result.cell.name << ": " << description(result.cell) << '\n' << left({});
    for (const auto &[name, summary] : result.contenders)
        out() << right(name);
    for (const QString &reference : references(result))
        out() << right(QLatin1String("qsse/") + reference);
    out() << '\n';
}

void printMetric(const CellResult &result, const Metric &metric)
{
    out() << left(metric.label);
    for (const auto &[name, summary] : result.contenders)
        out() << right(number(valueOf(result, name, metric.key), metric.decimals));
    const auto qsse = valueOf(result, QStringLiteral("qsse"), metric.key);
    for (const QString &reference : references(result))
        out() << right(ratio(qsse, valueOf(result, reference, metric.key)));
    out() << '\n';
}

QString describe(const Faults &faults)
{
    return QStringLiteral("%1 lost, %2 doubled, %3 reordered, %4 missing, %5 connections cut")
        .arg(faults.lost)
        .arg(faults.doubled)
        .arg(faults.reordered)
        .arg(faults.missing)
        .arg(faults.cut);
}

QJsonObject toJson(const Faults &faults)
{
    return { { QStringLiteral("lost"), faults.lost },
             { QStringLiteral("doubled"), faults.doubled },
             { QStringLiteral("reordered"), faults.reordered },
             { QStringLiteral("missing"), faults.missing },
             { QStringLiteral("cut"), faults.cut } };
}

QJsonObject toJson(const Summary &summary)
{
    QJsonObject values;
    for (auto value = summary.values.begin(); value != summary.values.end(); ++value)
        values.insert(value.key(),
                      QJsonObject { { QStringLiteral("median"), value->median },
                                    { QStringLiteral("minimum"), value->minimum },
                                    { QStringLiteral("maximum"), value->maximum } });
    return { { QStringLiteral("runs"), summary.runs },
             { QStringLiteral("values"), values },
             { QStringLiteral("faults"), toJson(summary.faults) },
             { QStringLiteral("failure"), summary.failure } };
}

QJsonObject toJson(const CellResult &result)
{
    QJsonObject contenders;
    for (const auto &[name, summary] : result.contenders)
        contenders.insert(name, toJson(summary));
    const Cell &cell = result.cell;
    return { { QStringLiteral("name"), cell.name },
             { QStringLiteral("description"), description(cell) },
             { QStringLiteral("subscribers"), cell.subscribers },
             { QStringLiteral("idle"), cell.idle },
             { QStringLiteral("topics"), cell.load.topics },
             { QStringLiteral("rate"), cell.load.rate },
             { QStringLiteral("bytes"), cell.load.bytes },
             { QStringLiteral("contenders"), contenders } };
}

QString processor()
{
    QFile file(QStringLiteral("/proc/cpuinfo"));
    if (!file.open(QIODevice::ReadOnly))
        return {};
    for (const QByteArray &line : file.readAll().split('\n')) {
        if (line.startsWith("model name"))
            return QString::fromLatin1(line.mid(line.indexOf(':') + 1).trimmed());
    }
    return {};
}

const CellResult *findResult(const QList<CellResult> &results, const char *name)
{
    for (const CellResult &result : results) {
        if (result.cell.name == QLatin1String(name))
            return &result;
    }
    return nullptr;
}

} // namespace

QString complaint(const Cell &cell, const Summary &summary)
{
    if (!summary.failure.isEmpty())
        return summary.failure;
    Faults faults = summary.faults;
    if (cell.isOverload)
        faults.cut = 0;
    return faults.isNone() ? QString() : describe(faults);
}

void printTable(const CellResult &result)
{
    printHeader(result);
    for (const Metric &metric : metrics()) {
        if (result.cell.metrics.contains(metric.key))
            printMetric(result, metric);
    }
    for (const auto &[name, summary] : result.contenders) {
        if (!summary.failure.isEmpty())
            out() << "  " << name << " failed: " << summary.failure << '\n';
        else if (!summary.faults.isNone())
            out() << "  " << name << ": " << describe(summary.faults) << '\n';
    }
    out().flush();
}

void printSparse(const QList<CellResult> &results)
{
    const CellResult *alone = findResult(results, "sparse1");
    const CellResult *few = findResult(results, "sparse100");
    const CellResult *many = findResult(results, "sparse");
    if (!alone || !few || !many)
        return;
    const QString cpu = QStringLiteral("cpu");
    const auto floor = valueOf(*alone, QStringLiteral("floor"), cpu);
    out() << "\nCPU per delivery beside " << many->cell.idle << " idle subscribers, against\n"
          << left({}) << right(QStringLiteral("floor alone"))
          << right(QStringLiteral("itself, %1").arg(few->cell.idle)) << '\n';
    for (const auto &[name, summary] : many->contenders) {
        const auto value = valueOf(*many, name, cpu);
        out() << left(name) << right(ratio(value, floor))
              << right(ratio(value, valueOf(*few, name, cpu))) << '\n';
    }
    out().flush();
}

QJsonObject toJson(const QList<CellResult> &results)
{
    QJsonArray cells;
    for (const CellResult &result : results)
        cells.append(toJson(result));
    const QJsonObject host { { QStringLiteral("processor"), processor() },
                             { QStringLiteral("cores"), QThread::idealThreadCount() },
                             { QStringLiteral("system"), QSysInfo::prettyProductName() },
                             { QStringLiteral("kernel"), QSysInfo::kernelVersion() },
                             { QStringLiteral("qt"), QString::fromLatin1(qVersion()) } };
    return { { QStringLiteral("host"), host }, { QStringLiteral("cells"), cells } };
}

bool writePlotData(const QList<CellResult> &results, const QString &directory)
{
    QMap<QString, QString> files; // what each contender's holds
    for (const CellResult &result : results) {
        for (const auto &[name, summary] : result.contenders) {
            if (!result.cell.isInSweep || !summary.failure.isEmpty())
                continue;
            QStringList fields;
            for (const QString &metric : result.cell.metrics)
                fields.append(number(valueOf(result, name, metric), 6));
            files[name] += fields.join(QLatin1Char(' ')) + QLatin1Char('\n');
        }
    }
    if (!QDir().mkpath(directory))
        return false;
    for (auto text = files.begin(); text != files.end(); ++text) {
        QFile file(directory + QLatin1Char('/') + text.key() + QLatin1String(".dat"));
        if (!file.open(QIODevice::WriteOnly) || file.write(text->toUtf8()) < 0)
            return false;
    }
    return true;
}
