// SPDX-License-Identifier: MIT
// qsse-bench-parser: QSseParser beside the least that reading a stream can cost, beside the parser
// that JavaScript programs use, and events of all sizes beside each other.

#include "nodeparser.h"
#include "streams.h"

#include <QSseEvent>
#include <QSseParser>

#include <QtCore/QCommandLineParser>
#include <QtCore/QCoreApplication>
#include <QtCore/QFile>
#include <QtCore/QJsonArray>
#include <QtCore/QJsonDocument>
#include <QtCore/QJsonObject>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>

#include <malloc.h>
#include <sched.h>
#include <time.h>

namespace {

using std::chrono::nanoseconds;

constexpr qint64 MiB = 1024 * 1024;

struct Options
{
    QStringList cells; // all when empty
    int rounds = 1;
    double scale = 1;
    QString json;
};

struct Contender
{
    QString name;
    qint64 bytes = 0;
    std::function<nanoseconds()> read;
    QList<nanoseconds> times;

    nanoseconds best() const { return *std::min_element(times.begin(), times.end()); }
    double nanosecondsPerByte() const { return double(best().count()) / double(bytes); }
};

/*! What is measured side by side. The first contender is what the others are compared with. */
struct Cell
{
    QString name;
    QString description;
    QList<Contender> contenders;
};

nanoseconds processorTime()
{
    timespec now {};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return std::chrono::seconds(now.tv_sec) + nanoseconds(now.tv_nsec);
}

// Where this thread is now, and the processes it starts with it.
void stayOnOneCore()
{
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(size_t(qMax(0, ::sched_getcpu())), &cores);
    ::sched_setaffinity(0, sizeof(cores), &cores);
}

void checkFound(const Found &found, const Stream &stream, const QString &name)
{
    if (!(found == stream.content))
        qFatal("%s read %lld events and %lld bytes of text of %lld and %lld", qUtf8Printable(name),
               found.events, found.textBytes, stream.content.events, stream.content.textBytes);
}

template<typename Take> void readEvents(const Stream &stream, const Take &take)
{
    QSseParser parser;
    for (const QByteArray &piece : stream.pieces) {
        parser.addData(piece);
        while (parser.readNext() == QSseParser::Token::Event)
            take(parser.event());
    }
}

template<typename Take> void splitLines(const QByteArray &bytes, const Take &take)
{
    const char *at = bytes.constData();
    const char *const end = at + bytes.size();
    while (const void *found = std::memchr(at, '\n', size_t(end - at))) {
        const char *const lineEnd = static_cast<const char *>(found);
        take(QByteArray(at, lineEnd - at));
        at = lineEnd + 1;
    }
}

using SharedStream = std::shared_ptr<const Stream>;

// Each event is taken and let go.
Contender qsse(const QString &name, const SharedStream &stream)
{
    return { name,
             stream->bytes,
             [=] {
                 Found found;
                 const nanoseconds begin = processorTime();
                 readEvents(*stream, [&](const QSseEvent &event) {
                     ++found.events;
                     found.textBytes += event.size();
                 });
                 const nanoseconds time = processorTime() - begin;
                 checkFound(found, *stream, name);
                 return time;
             },
             {} };
}

// All events are kept to the end.
Contender qsseKept(const SharedStream &stream)
{
    return { QStringLiteral("QSseParser"),
             stream->bytes,
             [=] {
                 const nanoseconds begin = processorTime();
                 QList<QSseEvent> events;
                 readEvents(*stream, [&](const QSseEvent &event) { events.append(event); });
                 const nanoseconds time = processorTime() - begin;
                 if (events.size() != stream->content.events)
                     qFatal("QSseParser kept %lld events", qint64(events.size()));
                 return time;
             },
             {} };
}

Contender lines(const SharedStream &stream)
{
    const QByteArray bytes = stream->pieces.join();
    return { QStringLiteral("lines"),
             stream->bytes,
             [=] {
                 qint64 size = 0;
                 const nanoseconds begin = processorTime();
                 splitLines(bytes, [&](QByteArray &&line) { size += line.size() + 1; });
                 const nanoseconds time = processorTime() - begin;
                 if (size != bytes.size())
                     qFatal("%lld bytes of lines", size);
                 return time;
             },
             {} };
}

Contender linesKept(const SharedStream &stream)
{
    const QByteArray bytes = stream->pieces.join();
    return { QStringLiteral("lines"),
             stream->bytes,
             [=] {
                 const nanoseconds begin = processorTime();
                 QByteArrayList kept;
                 splitLines(bytes, [&](QByteArray &&line) { kept.append(std::move(line)); });
                 return processorTime() - begin;
             },
             {} };
}

Contender eventSourceParser(const QString &name, const QByteArray &mode, const SharedStream &stream,
                            const std::shared_ptr<NodeParser> &node)
{
    return { name,
             stream->bytes,
             [=] {
                 Found found;
                 const nanoseconds time = node->read(mode, &found);
                 checkFound(found, *stream, name);
                 return time;
             },
             {} };
}

// Bytes of about megabytes MiB, in events of size.
qint64 countOf(double megabytes, qint64 size)
{
    return qMax(qint64(1), qint64(std::llround(megabytes * double(MiB) / double(size))));
}

SharedStream shared(Stream stream)
{
    return std::make_shared<const Stream>(std::move(stream));
}

Cell smallCell(double scale)
{
    const SharedStream stream = shared(smallEvents(countOf(16 * scale, 120)));
    return { QStringLiteral("small"),
             QStringLiteral(
                 "events of 120 bytes, each let go when read; lines is memchr() for each "
                 "LF and a QByteArray for each line, let go too"),
             { lines(stream), qsse(QStringLiteral("QSseParser"), stream) } };
}

Cell keptCell(double scale)
{
    const SharedStream stream = shared(smallEvents(countOf(16 * scale, 120)));
    return { QStringLiteral("kept"),
             QStringLiteral("the same, all events and all lines kept in a QList"),
             { linesKept(stream), qsseKept(stream) } };
}

Cell nodeCell(double scale)
{
    Cell cell { QStringLiteral("node"),
                QStringLiteral("events of 120 bytes, beside eventsource-parser on Node: from bytes "
                               "with a TextDecoder, and from strings decoded before"),
                {} };
    if (!NodeParser::isInstalled()) {
        cell.description += QStringLiteral(" (left out: Node or the package is not installed)");
        return cell;
    }
    const SharedStream stream = shared(smallEvents(countOf(16 * scale, 120)));
    const auto node = std::make_shared<NodeParser>(*stream);
    cell.contenders = {
        qsse(QStringLiteral("QSseParser"), stream),
        eventSourceParser(QStringLiteral("eventsource-parser"), "bytes", stream, node),
        eventSourceParser(QStringLiteral("eventsource-parser, strings"), "strings", stream, node)
    };
    return cell;
}

using MakeStream = Stream (*)(qint64 size, qint64 count);

// One event of each size, in memory fresh from the system as a program's first event is.
Cell largeCell(const QString &name, const QString &description, double scale, MakeStream make)
{
    Cell cell { name, description, {} };
    for (const qint64 size : { 1, 16, 64 }) {
        if (double(size) > qMax(1.0, 64 * scale))
            continue;
        Contender contender = qsse(QStringLiteral("%1 MiB").arg(size), shared(make(size * MiB, 1)));
        contender.read = [read = contender.read] {
            ::malloc_trim(0);
            return read();
        };
        cell.contenders.append(contender);
    }
    return cell;
}

// As many bytes for each size. Events that malloc() does not take from the system each find the
// memory of the one before.
Cell rowCell(double scale)
{
    Cell cell { QStringLiteral("row"),
                QStringLiteral("64 MiB as events of this size, one line of data, each let go when "
                               "the next is read"),
                {} };
    const qint64 total = qMax(qint64(1), qint64(64 * scale));
    for (const qint64 size : { 1, 16, 64 }) {
        if (size <= total)
            cell.contenders.append(qsse(QStringLiteral("%1 MiB").arg(size),
                                        shared(longLines(size * MiB, total / size))));
    }
    return cell;
}

Cell bytesCell(double scale)
{
    const qint64 large = qMax(qint64(1), qint64(8 * scale)) * MiB;
    return { QStringLiteral("bytes"),
             QStringLiteral("byte by byte: one event of 1 MiB, one of 8 MiB, events of 120 bytes"),
             { qsse(QStringLiteral("1 MiB"), shared(byteByByte(longLines(MiB, 1)))),
               qsse(QStringLiteral("8 MiB"), shared(byteByByte(longLines(large, 1)))),
               qsse(QStringLiteral("120 bytes"),
                    shared(byteByByte(smallEvents(countOf(4 * scale, 120))))) } };
}

using MakeCell = std::function<Cell(double scale)>;

const QList<std::pair<QString, MakeCell>> &allCells()
{
    static const QList<std::pair<QString, MakeCell>> cells {
        { QStringLiteral("small"), smallCell },
        { QStringLiteral("kept"), keptCell },
        { QStringLiteral("node"), nodeCell },
        { QStringLiteral("row"), rowCell },
        { QStringLiteral("large"),
          [](double scale) {
              return largeCell(QStringLiteral("large"),
                               QStringLiteral("one event, one line of data, in fresh memory"),
                               scale, longLines);
          } },
        { QStringLiteral("lines"),
          [](double scale) {
              return largeCell(QStringLiteral("lines"),
                               QStringLiteral("one event, lines of 1 KiB, in fresh memory"), scale,
                               manyLines);
          } },
        { QStringLiteral("bytes"), bytesCell },
    };
    return cells;
}

// One round of all contenders after the other, so that whatever else the machine does befalls all
// of them.
void measure(Cell *cell, int rounds)
{
    for (int round = 0; round < rounds; ++round) {
        for (Contender &contender : cell->contenders)
            contender.times.append(contender.read());
    }
}

void print(const Cell &cell)
{
    std::printf("\n%s: %s\n", qUtf8Printable(cell.name), qUtf8Printable(cell.description));
    if (cell.contenders.isEmpty())
        return;
    std::printf("%-34s%12s%12s%12s\n", "", "MB/s", "ns/byte", "time, ratio");
    const double reference = cell.contenders.constFirst().nanosecondsPerByte();
    for (const Contender &contender : cell.contenders) {
        const double time = contender.nanosecondsPerByte();
        std::printf("%-34s%12.0f%12.3f%12.2f\n", qUtf8Printable(contender.name), 1e3 / time, time,
                    time / reference);
    }
    std::fflush(stdout);
}

QJsonObject toJson(const Cell &cell)
{
    QJsonArray contenders;
    for (const Contender &contender : cell.contenders) {
        QJsonArray times;
        for (const nanoseconds time : contender.times)
            times.append(double(time.count()));
        contenders.append(QJsonObject { { QStringLiteral("name"), contender.name },
                                        { QStringLiteral("bytes"), contender.bytes },
                                        { QStringLiteral("nanoseconds"), times } });
    }
    return { { QStringLiteral("name"), cell.name },
             { QStringLiteral("description"), cell.description },
             { QStringLiteral("contenders"), contenders } };
}

bool writeJson(const QJsonArray &cells, const QString &name)
{
    QFile file(name);
    return file.open(QIODevice::WriteOnly) && file.write(QJsonDocument(cells).toJson()) >= 0;
}

int run(const Options &options)
{
    stayOnOneCore();
    QJsonArray results;
    for (const auto &[name, make] : allCells()) {
        if (!options.cells.isEmpty() && !options.cells.contains(name))
            continue;
        Cell cell = make(options.scale);
        measure(&cell, options.rounds);
        print(cell);
        results.append(toJson(cell));
    }
    return options.json.isEmpty() || writeJson(results, options.json) ? 0 : 1;
}

Options parseOptions(const QStringList &arguments)
{
    QStringList names;
    for (const auto &[name, make] : allCells())
        names.append(name);

    QCommandLineParser parser;
    parser.setApplicationDescription(
        QStringLiteral("Measures how fast QSseParser reads streams: the best of some rounds, "
                       "processor time of one thread on one core."));
    parser.addHelpOption();
    const auto option = [&parser](const char *name, const QString &text, const char *value,
                                  const char *preset = nullptr) {
        const QCommandLineOption added(QString::fromLatin1(name), text, QString::fromLatin1(value),
                                       QString::fromLatin1(preset));
        parser.addOption(added);
        return added;
    };
    const auto cells = option(
        "cells", QStringLiteral("Measure these alone: %1.").arg(names.join(QStringLiteral(", "))),
        "A,B");
    const auto rounds = option("rounds", QStringLiteral("How often; the best counts."), "N", "15");
    const auto scale = option("scale", QStringLiteral("Multiply all sizes of streams."), "F", "1");
    const auto json = option("json", QStringLiteral("Write all times to <FILE>."), "FILE");
    parser.process(arguments);

    Options options;
    options.cells = parser.value(cells).split(QLatin1Char(','), Qt::SkipEmptyParts);
    for (const QString &cell : std::as_const(options.cells)) {
        if (names.contains(cell))
            continue;
        std::fprintf(stderr, "qsse-bench-parser: There is no cell '%s'\n", qUtf8Printable(cell));
        std::exit(2);
    }
    options.rounds = qMax(1, parser.value(rounds).toInt());
    options.scale = qBound(1e-3, parser.value(scale).toDouble(), 1.0);
    options.json = parser.value(json);
    return options;
}

} // namespace

int main(int argc, char *argv[])
{
    QCoreApplication app(argc, argv);
    QCoreApplication::setApplicationName(QStringLiteral("qsse-bench-parser"));
    return run(parseOptions(QCoreApplication::arguments()));
}
