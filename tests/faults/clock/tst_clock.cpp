// SPDX-License-Identifier: MIT
// A wall clock that jumps: the program runs itself anew with libfaketime, which lets it jump at
// will and leaves the monotonic clock alone.

#include "barestream.h"
#include "faults.h"

#include <QSseHttpServer>
#include <QSseServer>

#include <QtCore/QDateTime>
#include <QtCore/QElapsedTimer>
#include <QtCore/QTemporaryDir>

using namespace std::chrono_literals;

namespace {

constexpr char OffsetFile[] = "FAKETIME_TIMESTAMP_FILE";

QString fakeTimeLibrary()
{
    const QDir folder(QStringLiteral("/usr/lib"));
    const QStringList parts = folder.entryList(QDir::Dirs);
    for (const QString &part : parts) {
        const QString name = folder.filePath(part + QStringLiteral("/faketime/libfaketimeMT.so.1"));
        if (QFile::exists(name))
            return name;
    }
    return QString();
}

/*! Moves the wall clock to \a offset, such as "+1d", off the true one. */
bool setOffset(const QByteArray &offset)
{
    QFile file(qEnvironmentVariable(OffsetFile));
    return file.open(QIODevice::WriteOnly) && file.write(offset) == offset.size();
}

/*! Runs this program anew with the library; returns when it cannot. */
void runWithFakeTime(char **argv)
{
    const QString library = fakeTimeLibrary();
    // A sanitizer's own library must come first.
    if (library.isEmpty() || !Faults::IsMeasuring)
        return;
    QTemporaryDir folder;
    folder.setAutoRemove(false); // the program that follows has it
    qputenv(OffsetFile, QFile::encodeName(folder.filePath(QStringLiteral("offset"))));
    qputenv("FAKETIME_NO_CACHE", "1");
    qputenv("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    qputenv("LD_PRELOAD", QFile::encodeName(library));
    if (setOffset("+0"))
        ::execv("/proc/self/exe", argv);
}

} // namespace

class tst_Clock : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void initTestCase();
    void cleanupTestCase();
    void jumps();
};

void tst_Clock::initTestCase()
{
    if (!qEnvironmentVariableIsSet(OffsetFile))
        QSKIP("libfaketime is not installed, or cannot be used in this build");
}

void tst_Clock::cleanupTestCase()
{
    if (qEnvironmentVariableIsSet(OffsetFile))
        QFileInfo(qEnvironmentVariable(OffsetFile)).dir().removeRecursively();
}

// Streams stay, keep-alives keep their pace, events go on, and what is kept stays for its time.
void tst_Clock::jumps()
{
    constexpr auto KeepAlive = 300ms;
    constexpr qint64 Day = 24 * 3600;
    const qint64 phase = Faults::form(2000, 20'000); // milliseconds
    QSseServer server;
    server.setKeepAliveInterval(KeepAlive);
    server.setHistoryAge(1h);
    server.setHistorySize(100'000);
    server.setStallTimeout(5s);
    server.setMaximumStreamLifetime(1h);
    QSseHttpServer http(&server);
    QVERIFY(http.addEventStream(QStringLiteral("/events")));
    const quint16 port = http.listen(QHostAddress::LocalHost);
    QVERIFY(port != 0);

    StreamPoller poller;
    BareStream idle; // gets nothing but keep-alives
    BareStream busy;
    QVERIFY(idle.open(poller.descriptor(), port, "/events?topic=b"));
    QVERIFY(busy.open(poller.descriptor(), port, "/events?topic=a"));
    const auto check = [](BareStream &stream, const BareStream::Event &event) {
        stream.checkIds(event);
    };
    const auto read = [&] { poller.poll(0, check); };
    QTRY_VERIFY((read(), idle.comments > 0 && busy.number >= 0));
    const QByteArray firstId = busy.lastId;

    qint64 published = 0;
    QTimer publisher;
    publisher.callOnTimeout([&] {
        QSseEvent event("x");
        event.setTtl(1h);
        server.notify(QStringLiteral("a"), event);
        ++published;
    });
    publisher.start(20ms);
    qint64 longest = 0; // milliseconds between two keep-alives
    qint64 fewest = phase;
    qint64 most = 0;    // keep-alives in a phase
    qint64 current = 0; // offset in seconds
    for (const qint64 offset : { qint64(0), Day, -Day, qint64(0) }) {
        const qint64 expected = QDateTime::currentSecsSinceEpoch() + offset - current;
        current = offset;
        QVERIFY(setOffset((offset < 0 ? "" : "+") + QByteArray::number(offset)));
        QVERIFY(qAbs(QDateTime::currentSecsSinceEpoch() - expected) <= 2); // it jumps indeed
        const qint64 begun = idle.comments;
        QElapsedTimer clock;
        QElapsedTimer sinceKeepAlive;
        clock.start();
        sinceKeepAlive.start();
        while (clock.elapsed() < phase) {
            const qint64 comments = idle.comments;
            QCoreApplication::processEvents();
            poller.poll(5, check);
            if (idle.comments != comments)
                longest = qMax(longest, sinceKeepAlive.restart());
        }
        fewest = qMin(fewest, idle.comments - begun);
        most = qMax(most, idle.comments - begun);
    }
    publisher.stop();
    QTRY_COMPARE((read(), busy.events), published);
    QCOMPARE(idle.failure, QByteArray());
    QCOMPARE(busy.failure, QByteArray());
    QCOMPARE(server.subscriberCount(), 2);

    // Everything is still kept for one that was away all the time, wherever the clock is.
    for (const QByteArray &offset : { QByteArray("+1d"), QByteArray("-1d") }) {
        QVERIFY(setOffset(offset));
        BareStream returning;
        returning.lastId = firstId;
        QVERIFY(returning.open(poller.descriptor(), port, "/events?topic=a"));
        QTRY_COMPARE((read(), returning.events), published);
        QCOMPARE(returning.gaps, 0);
        QCOMPARE(returning.failure, QByteArray());
    }
    qInfo(
        "4 jumps of a day or two: %lld events, none lost; %lld to %lld keep-alives in %lld ms, at "
        "most %lld ms between two",
        published, fewest, most, phase, longest);
    QVERIFY(longest <= 2 * KeepAlive.count());
    QVERIFY(fewest >= phase / KeepAlive.count() - 1);
    QVERIFY(most <= phase / (KeepAlive.count() * 7 / 8) + 1);
}

int main(int argc, char **argv)
{
    if (!qEnvironmentVariableIsSet(OffsetFile))
        runWithFakeTime(argv);
    return Faults::run<tst_Clock>(argc, argv);
}
#include "tst_clock.moc"
