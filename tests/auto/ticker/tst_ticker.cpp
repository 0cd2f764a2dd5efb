// SPDX-License-Identifier: MIT
#include "qsseparser.h"

#include <QtCore/QHash>
#include <QtCore/QJsonArray>
#include <QtCore/QJsonObject>
#include <QtCore/QProcess>
#include <QtNetwork/QNetworkAccessManager>
#include <QtNetwork/QNetworkReply>
#include <QtTest/QSignalSpy>
#include <QtTest/QTest>

// The ticker as it is run: a process, and what it serves.
class tst_Ticker : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void init();
    void cleanup();

    void servesPage();
    void streamsTicks();
    void resumes();
    void endsOnSignal();
    void refusesNonsense_data();
    void refusesNonsense();

private:
    QNetworkReply *get(const QString &path, const QString &lastEventId = {});
    QList<QSseEvent> events(int count, const QString &lastEventId = {});

    QProcess m_ticker;
    QNetworkAccessManager m_manager;
    QString m_url;
};

void tst_Ticker::init()
{
    m_ticker.start(QStringLiteral(QSSE_TICKER),
                   { QStringLiteral("--headless"), QStringLiteral("--port"), QStringLiteral("0"),
                     QStringLiteral("--speed"), QStringLiteral("20") });
    QVERIFY(m_ticker.waitForStarted());
    QTRY_VERIFY(m_ticker.canReadLine());
    const QString line = QString::fromUtf8(m_ticker.readLine()).trimmed();
    QVERIFY2(line.startsWith(QLatin1String("listening on http://127.0.0.1:")), qPrintable(line));
    m_url = line.section(QLatin1Char(' '), 2);
}

void tst_Ticker::cleanup()
{
    m_ticker.terminate();
    if (!m_ticker.waitForFinished())
        m_ticker.kill();
}

QNetworkReply *tst_Ticker::get(const QString &path, const QString &lastEventId)
{
    QNetworkRequest request { QUrl(m_url + path) };
    if (!lastEventId.isEmpty())
        request.setRawHeader("Last-Event-ID", lastEventId.toUtf8());
    return m_manager.get(request);
}

// The first events of a stream, which is ended then; fewer when they do not come in time.
QList<QSseEvent> tst_Ticker::events(int count, const QString &lastEventId)
{
    const std::unique_ptr<QNetworkReply> reply(
        get(QStringLiteral("/events?topic=fx/**"), lastEventId));
    QSseParser parser;
    QList<QSseEvent> result;
    (void)QTest::qWaitFor([&] {
        parser.addData(reply->readAll());
        for (auto token = parser.readNext(); token != QSseParser::Token::NoToken;
             token = parser.readNext()) {
            if (token == QSseParser::Token::Event)
                result.append(parser.event());
        }
        return result.size() >= count;
    });
    return result.mid(0, count);
}

void tst_Ticker::servesPage()
{
    const std::unique_ptr<QNetworkReply> reply(get(QStringLiteral("/")));
    QTRY_VERIFY(reply->isFinished());
    QCOMPARE(reply->error(), QNetworkReply::NoError);
    QCOMPARE(reply->header(QNetworkRequest::ContentTypeHeader).toString(),
             QStringLiteral("text/html; charset=utf-8"));
    const QByteArray page = reply->readAll();
    QVERIFY(page.contains("new EventSource("));
    // It is one file: nothing is loaded from anywhere.
    QVERIFY(!page.contains("src=") && !page.contains("http://") && !page.contains("https://"));
}

void tst_Ticker::streamsTicks()
{
    const QList<QSseEvent> received = events(200);
    QCOMPARE(received.size(), 200);
    QHash<QString, qint64> numbers;
    for (qsizetype i = 0; i < received.size(); ++i) {
        const QJsonObject tick = received.at(i).json().toObject();
        const QString pair = tick.value(QLatin1String("pair")).toString();
        QVERIFY2(pair.startsWith(QLatin1String("EUR/")), qPrintable(received.at(i).data()));
        QVERIFY(tick.value(QLatin1String("rate")).toDouble() > 0);
        QVERIFY(tick.value(QLatin1String("previous")).toDouble() > 0);
        QVERIFY(
            QDate::fromString(tick.value(QLatin1String("date")).toString(), Qt::ISODate).isValid());

        const qint64 number = tick.value(QLatin1String("seq")).toInteger(-1);
        // The twelve snapshots come first, with the past; then every tick, none left out.
        QCOMPARE(tick.contains(QLatin1String("history")), i < 12);
        QCOMPARE(numbers.contains(pair), i >= 12);
        if (i >= 12)
            QCOMPARE(number, numbers.value(pair) + 1);
        numbers.insert(pair, number);
    }
    QCOMPARE(numbers.size(), 12);
}

void tst_Ticker::resumes()
{
    const QList<QSseEvent> before = events(30);
    QCOMPARE(before.size(), 30);
    QTest::qWait(100); // ticks are missed
    const QList<QSseEvent> after = events(30, before.last().id());
    QCOMPARE(after.size(), 30);

    QHash<QString, qint64> numbers;
    for (const QSseEvent &event : before + after) {
        const QJsonObject tick = event.json().toObject();
        const QString pair = tick.value(QLatin1String("pair")).toString();
        const qint64 number = tick.value(QLatin1String("seq")).toInteger(-1);
        if (numbers.contains(pair))
            QCOMPARE(number, numbers.value(pair) + 1);
        numbers.insert(pair, number);
    }
}

void tst_Ticker::endsOnSignal()
{
#ifndef Q_OS_UNIX
    QSKIP("There are no signals here");
#endif
    const std::unique_ptr<QNetworkReply> reply(get(QStringLiteral("/events?topic=fx/**")));
    QTRY_VERIFY(reply->bytesAvailable() > 0);
    m_ticker.terminate();
    QVERIFY(m_ticker.waitForFinished(5000));
    QCOMPARE(m_ticker.exitStatus(), QProcess::NormalExit);
    QCOMPARE(m_ticker.exitCode(), 0);
}

void tst_Ticker::refusesNonsense_data()
{
    QTest::addColumn<QStringList>("arguments");
    QTest::newRow("port") << QStringList { QStringLiteral("--port"), QStringLiteral("65536") };
    QTest::newRow("address") << QStringList { QStringLiteral("--address"), QStringLiteral("x") };
    QTest::newRow("speed") << QStringList { QStringLiteral("--speed"), QStringLiteral("0") };
    QTest::newRow("theme") << QStringList { QStringLiteral("--theme"), QStringLiteral("pink") };
    QTest::newRow("no window to connect")
        << QStringList { QStringLiteral("--connect"), QStringLiteral("http://127.0.0.1:1") };
    QTest::newRow("unknown") << QStringList { QStringLiteral("--unknown") };
    QTest::newRow("positional") << QStringList { QStringLiteral("what") };
}

void tst_Ticker::refusesNonsense()
{
    QFETCH(QStringList, arguments);

    QProcess ticker;
    ticker.start(QStringLiteral(QSSE_TICKER),
                 QStringList { QStringLiteral("--headless") } + arguments);
    QVERIFY(ticker.waitForFinished());
    QCOMPARE(ticker.exitStatus(), QProcess::NormalExit);
    QVERIFY(ticker.exitCode() != 0);
    QVERIFY(!ticker.readAllStandardError().isEmpty());
    QCOMPARE(ticker.readAllStandardOutput(), QByteArray());
}

QTEST_GUILESS_MAIN(tst_Ticker)
#include "tst_ticker.moc"
