// SPDX-License-Identifier: MIT
// Chromium's own EventSource against a server in this process. One browser shows one page, which
// runs what the tests ask for and reports what happens.

#include "childprocess.h"
#include "watchrecord.h"

#include <QSseHttpServer>
#include <QSseServer>

#include <QtCore/QElapsedTimer>
#include <QtCore/QFile>
#include <QtCore/QHash>
#include <QtCore/QJsonArray>
#include <QtCore/QStandardPaths>
#include <QtCore/QTemporaryDir>
#include <QtTest/QtTest>

#include <memory>

using namespace std::chrono_literals;
using WatchRecord::Closed;
using WatchRecord::Connecting;

namespace {

constexpr int Patience = 20'000;
constexpr auto Retry = 50ms;

QByteArray resource(const QString &name)
{
    QFile file(QLatin1String(":/browser/") + name);
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

} // namespace

class tst_Browser : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void initTestCase();
    void init();
    void cleanup();
    void cleanupTestCase();

    void data();
    void namedEvents();
    void ids();
    void manyTopicsOnOneStream();
    void manyEvents();

    void resume();
    void resumeFromIdOnlyBlock();
    void retryOfServer();
    void retryOfEvent();

    void staysAway_data();
    void staysAway();

    void otherOriginRefused();
    void otherOriginAllowed_data();
    void otherOriginAllowed();
    void otherOriginWithCredentials();
    void preflight();
    void otherOriginMayNotPublish();

private:
    void run(const QString &script) { m_scripts.append(script.toUtf8()); }
    void open(const QString &url, const QStringList &types = {}, const QString &options = {});
    QByteArrayList records() const { return m_records.value(m_name); }
    QString publish(const QSseEvent &event) { return m_server.notify(m_topic, event); }
    QString eventsUrl() const { return QLatin1String("/events?topic=") + m_topic; }
    QString otherUrl(const QString &target) const;
    QString origin() const;

    QSseServer m_server;
    QSseHttpServer m_http { &m_server };
    QSseHttpServer m_other { &m_server }; // on another port, so of another origin
    QTemporaryDir m_profile;
    std::unique_ptr<ChildProcess> m_browser;

    QByteArrayList m_scripts;                 // for the page to run
    QHash<QString, QByteArrayList> m_records; // of each test
    QString m_name;                           // of the test
    QString m_topic;
    QList<QSseSubscriber> m_added; // since the test began
};

void tst_Browser::initTestCase()
{
    const QString chromium = QStandardPaths::findExecutable(QStringLiteral("chromium"));
    if (chromium.isEmpty())
        QSKIP("chromium is not installed");

    m_server.setRetryInterval(Retry);
    connect(&m_server, &QSseServer::subscriberAdded, this,
            [this](const QSseSubscriber &subscriber) { m_added.append(subscriber); });
    for (QSseHttpServer *http : { &m_http, &m_other }) {
        QVERIFY(http->addEventStream(QStringLiteral("/events")));
        QVERIFY(http->addPublishEndpoint(QStringLiteral("/topics")));
    }
    m_http.route(QStringLiteral("/"), [] {
        return QHttpServerResponse("text/html", resource(QStringLiteral("page.html")));
    });
    m_http.route(QStringLiteral("/watch.mjs"), [] {
        return QHttpServerResponse("text/javascript", resource(QStringLiteral("watch.mjs")));
    });
    m_http.route(QStringLiteral("/next"), [this] {
        return m_scripts.isEmpty() ? QHttpServerResponse(QHttpServerResponse::StatusCode::NoContent)
                                   : QHttpServerResponse("text/javascript", m_scripts.takeFirst());
    });
    m_http.route(QStringLiteral("/report"), [this](const QHttpServerRequest &request) {
        const QJsonObject json = QJsonDocument::fromJson(request.body()).object();
        m_records[json.value(QLatin1String("name")).toString()].append(
            WatchRecord::fromJson(json.value(QLatin1String("record")).toObject()));
        return QHttpServerResponse(QHttpServerResponse::StatusCode::NoContent);
    });
    m_http.route(QStringLiteral("/no-content"),
                 [] { return QHttpServerResponse(QHttpServerResponse::StatusCode::NoContent); });
    m_http.route(QStringLiteral("/html"),
                 [] { return QHttpServerResponse("text/html", "data: x\n\n"); });
    QVERIFY(m_http.listen(QHostAddress::LocalHost) != 0);
    QVERIFY(m_other.listen(QHostAddress::LocalHost) != 0);

    QVERIFY(m_profile.isValid());
    const QByteArray profile = m_profile.path().toUtf8();
    m_browser = std::make_unique<ChildProcess>(
        chromium,
        QByteArrayList { "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
                         "--no-first-run", "--disable-background-networking",
                         "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
                         "--disable-extensions", "--no-proxy-server", "--user-data-dir=" + profile,
                         origin().toUtf8() + '/' });
    QProcessEnvironment environment = QProcessEnvironment::systemEnvironment();
    environment.insert(QStringLiteral("HOME"), m_profile.path());
    m_browser->process().setProcessEnvironment(environment);
    m_browser->start();
    run(QStringLiteral("page.report('started', {})"));
    QTRY_VERIFY2_WITH_TIMEOUT(m_records.contains(QStringLiteral("started")),
                              m_browser->errors().constData(), Patience);
}

void tst_Browser::init()
{
    m_name = QString::fromUtf8(QTest::currentTestFunction());
    if (QTest::currentDataTag())
        m_name += QLatin1Char('/') + QString::fromUtf8(QTest::currentDataTag()).toLower();
    m_topic = m_name.section(QLatin1Char('/'), 0, 0);
    m_added.clear();
}

void tst_Browser::cleanup()
{
    run(QStringLiteral("page.closeAll(); page.report('closed %1', {})").arg(m_name));
    QTRY_VERIFY_WITH_TIMEOUT(m_records.contains(QLatin1String("closed ") + m_name), Patience);
    QTRY_COMPARE_WITH_TIMEOUT(m_server.subscriberCount(), 0, Patience);
    m_server.setStrict(false);
    m_server.setRetryInterval(Retry);
    m_other.setAllowedOrigins({});
}

void tst_Browser::cleanupTestCase()
{
    m_browser.reset(); // before its profile goes
}

QString tst_Browser::origin() const
{
    return QStringLiteral("http://127.0.0.1:%1").arg(m_http.serverPorts().constFirst());
}

QString tst_Browser::otherUrl(const QString &target) const
{
    return QStringLiteral("http://127.0.0.1:%1%2")
        .arg(m_other.serverPorts().constFirst())
        .arg(target);
}

// Makes the page open an EventSource that listens for events of types.
void tst_Browser::open(const QString &url, const QStringList &types, const QString &options)
{
    const QByteArray json =
        QJsonDocument(QJsonArray::fromStringList(types)).toJson(QJsonDocument::Compact);
    run(QStringLiteral("page.open('%1', '%2', %3, {%4})")
            .arg(m_name, url, QString::fromUtf8(json), options));
}

void tst_Browser::data()
{
    open(eventsUrl());
    QByteArrayList expected { WatchRecord::opened() };
    QTRY_COMPARE_WITH_TIMEOUT(records(), expected, Patience);

    const QString same[] = {
        QStringLiteral("plain"),
        QStringLiteral(""),
        QStringLiteral("  spaces \t"),
        QStringLiteral("a\nb\n\nc\n"),
        QStringLiteral("\n"),
        QStringLiteral("x\n\nid: evil\n\nevent: evil"),
        QStringLiteral(":no comment"),
        QStringLiteral("a") + QChar(0) + QStringLiteral("b"),
        QChar(QChar::ByteOrderMark) + QStringLiteral("not at the start"),
        QString::fromUtf8("grüß 日本 🎉 👩‍👩‍👧 é"),
        QString::fromUtf8("🎉").repeated(50'000),
    };
    for (const QString &text : same)
        expected.append(WatchRecord::message(text, publish(QSseEvent(text))));
    QTRY_COMPARE_WITH_TIMEOUT(records(), expected, Patience);

    expected.append(WatchRecord::message(QStringLiteral("a\nb\nc\n\nd\n"),
                                         publish(QSseEvent("a\rb\r\nc\n\rd\r"))));
    expected.append(WatchRecord::message(QString::fromUtf8("a\xef\xbf\xbd"
                                                           "b"),
                                         publish(QSseEvent("a\xff"
                                                           "b"))));
    QTRY_COMPARE_WITH_TIMEOUT(records(), expected, Patience);
}

void tst_Browser::namedEvents()
{
    const QString names[] = { QStringLiteral("rate"), QString::fromUtf8("größe 🎉"),
                              QStringLiteral("message"), QStringLiteral("with space: colon") };
    open(eventsUrl(), { names[0], names[1], names[3] });
    QByteArrayList expected { WatchRecord::opened() };
    QTRY_COMPARE_WITH_TIMEOUT(records(), expected, Patience);
    for (const QString &name : names) {
        QSseEvent event(QStringLiteral("x"));
        event.setEvent(name);
        expected.append(WatchRecord::event(name, event.data(), publish(event)));
    }
    QSseEvent unheard(QStringLiteral("x"));
    unheard.setEvent(QStringLiteral("nobody listens"));
    publish(unheard);
    // A name holds for one event only.
    expected.append(WatchRecord::message(QStringLiteral("y"), publish(QSseEvent("y"))));
    QTRY_COMPARE_WITH_TIMEOUT(records(), expected, Patience);
}

void tst_Browser::ids()
{
    open(eventsUrl());
    QByteArrayList expected { WatchRecord::opened() };
    QTRY_COMPARE_WITH_TIMEOUT(records(), expected, Patience);
    const QString ids[] = { QStringLiteral("1"), QStringLiteral("with space "),
                            QString::fromUtf8("ü 日本 🎉"), QStringLiteral("a:b") };
    for (const QString &id : ids) {
        QSseEvent event(QStringLiteral("x"));
        event.setId(id);
        QCOMPARE(publish(event), id);
        expected.append(WatchRecord::message(event.data(), id));
    }
    const QString made = publish(QSseEvent("y"));
    QVERIFY(!made.isEmpty());
    expected.append(WatchRecord::message(QStringLiteral("y"), made));
    QTRY_COMPARE_WITH_TIMEOUT(records(), expected, Patience);
}

void tst_Browser::manyTopicsOnOneStream()
{
    open(QStringLiteral("/events?topic=fx/*&topic=fx/eur/usd&topic=news/**&topic=gr%C3%BC%C3%9Fe"));
    QByteArrayList expected { WatchRecord::opened() };
    QTRY_COMPARE_WITH_TIMEOUT(records(), expected, Patience);
    const QString topics[] = {
        QStringLiteral("fx/eur"),   QStringLiteral("fx/eur/usd"), QStringLiteral("news/a/b/c"),
        QString::fromUtf8("grüße"), QStringLiteral("news"),
    };
    for (const QString &topic : topics) {
        m_server.notify(QStringLiteral("not/wanted"), QSseEvent("x"));
        const QString id = m_server.notify(topic, QSseEvent(topic));
        expected.append(WatchRecord::message(topic, id));
    }
    QTRY_COMPARE_WITH_TIMEOUT(records(), expected, Patience);
}

void tst_Browser::manyEvents()
{
    open(eventsUrl());
    QByteArrayList expected { WatchRecord::opened() };
    QTRY_COMPARE_WITH_TIMEOUT(records(), expected, Patience);
    for (int i = 0; i < 100; ++i) {
        const QString data = QString::number(i);
        expected.append(WatchRecord::message(data, publish(QSseEvent(data))));
    }
    QTRY_COMPARE_WITH_TIMEOUT(records(), expected, Patience);
}

// Cut again and again, with events published while it is away: each comes once, in order.
void tst_Browser::resume()
{
    open(eventsUrl());
    QByteArrayList expected { WatchRecord::opened() };
    QTRY_COMPARE_WITH_TIMEOUT(records(), expected, Patience);
    int number = 0;
    QString lastId;
    const auto publishNext = [&] {
        const QString data = QString::number(++number);
        lastId = publish(QSseEvent(data));
        expected.append(WatchRecord::message(data, lastId));
    };
    for (qsizetype round = 1; round <= 3; ++round) {
        publishNext();
        QTRY_COMPARE_WITH_TIMEOUT(records(), expected, Patience);
        const QString seen = lastId;
        expected << WatchRecord::error(Connecting) << WatchRecord::opened();
        const auto away = connect(&m_server, &QSseServer::subscriberRemoved, this, [&] {
            publishNext();
            publishNext();
        });
        m_server.disconnectAll();
        QTRY_COMPARE_WITH_TIMEOUT(records(), expected, Patience);
        disconnect(away);
        QCOMPARE(m_added.size(), round + 1);
        QCOMPARE(m_added.last().lastEventId(), seen);
    }
}

// The opening and an event with an id alone move the id, though nothing is dispatched.
void tst_Browser::resumeFromIdOnlyBlock()
{
    const QString before = publish(QSseEvent("before"));
    open(eventsUrl());
    QTRY_COMPARE_WITH_TIMEOUT(records(), QByteArrayList { WatchRecord::opened() }, Patience);
    m_server.disconnectAll();
    QTRY_COMPARE_WITH_TIMEOUT(m_added.size(), 2, Patience);
    QCOMPARE(m_added.last().lastEventId(), before);

    QSseEvent idOnly;
    idOnly.setId(QString::fromUtf8("here: ü 🎉"));
    publish(idOnly);
    m_server.disconnectAll();
    QTRY_COMPARE_WITH_TIMEOUT(m_added.size(), 3, Patience);
    QCOMPARE(m_added.last().lastEventId(), idOnly.id());

    const QByteArray after = WatchRecord::message(QStringLiteral("x"), publish(QSseEvent("x")));
    QTRY_COMPARE_WITH_TIMEOUT(records().value(5), after, Patience);
    QCOMPARE(records().size(), 6);
}

void tst_Browser::retryOfServer()
{
    m_server.setRetryInterval(700ms);
    open(eventsUrl());
    QTRY_COMPARE_WITH_TIMEOUT(records(), QByteArrayList { WatchRecord::opened() }, Patience);
    QElapsedTimer clock;
    clock.start();
    m_server.disconnectAll();
    QTRY_COMPARE_WITH_TIMEOUT(m_added.size(), 2, Patience);
    QVERIFY2(clock.elapsed() >= 690, QByteArray::number(clock.elapsed()).constData());
    // Chromium's own is 3 s.
    QVERIFY2(clock.elapsed() < 2900, QByteArray::number(clock.elapsed()).constData());
}

void tst_Browser::retryOfEvent()
{
    open(eventsUrl());
    QByteArrayList expected { WatchRecord::opened() };
    QTRY_COMPARE_WITH_TIMEOUT(records(), expected, Patience);
    QSseEvent event("wait longer");
    event.setRetry(700ms);
    expected.append(WatchRecord::message(event.data(), publish(event)));
    QTRY_COMPARE_WITH_TIMEOUT(records(), expected, Patience);
    QElapsedTimer clock;
    clock.start();
    m_server.disconnectAll();
    QTRY_COMPARE_WITH_TIMEOUT(m_added.size(), 2, Patience);
    QVERIFY2(clock.elapsed() >= 690, QByteArray::number(clock.elapsed()).constData());
}

void tst_Browser::staysAway_data()
{
    QTest::addColumn<QString>("url");
    QTest::newRow("204") << QStringLiteral("/no-content");
    QTest::newRow("404") << QStringLiteral("/nowhere");
    QTest::newRow("404 unknown topic") << QStringLiteral("/events?topic=unknown");
    QTest::newRow("400") << QStringLiteral("/events?topic=a*");
    QTest::newRow("another type") << QStringLiteral("/html");
}

void tst_Browser::staysAway()
{
    QFETCH(QString, url);
    m_server.setStrict(true);
    open(url);
    QTRY_COMPARE_WITH_TIMEOUT(records(), QByteArrayList { WatchRecord::error(Closed) }, Patience);
    QCOMPARE(m_added.size(), 0);
}

void tst_Browser::otherOriginRefused()
{
    open(otherUrl(eventsUrl()));
    QTRY_COMPARE_WITH_TIMEOUT(records(), QByteArrayList { WatchRecord::error(Closed) }, Patience);

    m_other.setAllowedOrigins({ QStringLiteral("http://127.0.0.1:1") });
    open(otherUrl(eventsUrl()));
    QTRY_COMPARE_WITH_TIMEOUT(
        records(), (QByteArrayList { WatchRecord::error(Closed), WatchRecord::error(Closed) }),
        Patience);
}

void tst_Browser::otherOriginAllowed_data()
{
    QTest::addColumn<QString>("allowed");
    QTest::addColumn<QString>("options");
    QTest::newRow("this one") << QString() << QString();
    QTest::newRow("this one with credentials")
        << QString() << QStringLiteral("withCredentials: true");
    QTest::newRow("any") << QStringLiteral("*") << QString();
}

void tst_Browser::otherOriginAllowed()
{
    QFETCH(QString, allowed);
    QFETCH(QString, options);
    m_other.setAllowedOrigins({ allowed.isNull() ? origin() : allowed });
    open(otherUrl(eventsUrl()), {}, options);
    QByteArrayList expected { WatchRecord::opened() };
    QTRY_COMPARE_WITH_TIMEOUT(records(), expected, Patience);
    const QString seen = publish(QSseEvent("a"));
    expected.append(WatchRecord::message(QStringLiteral("a"), seen));
    QTRY_COMPARE_WITH_TIMEOUT(records(), expected, Patience);

    m_server.disconnectAll();
    QTRY_COMPARE_WITH_TIMEOUT(m_added.size(), 2, Patience);
    QCOMPARE(m_added.last().lastEventId(), seen);
    expected << WatchRecord::error(Connecting) << WatchRecord::opened();
    QTRY_COMPARE_WITH_TIMEOUT(records(), expected, Patience);
}

// Whoever allows everybody gets no cookies.
void tst_Browser::otherOriginWithCredentials()
{
    m_other.setAllowedOrigins({ QStringLiteral("*") });
    open(otherUrl(eventsUrl()), {}, QStringLiteral("withCredentials: true"));
    QTRY_COMPARE_WITH_TIMEOUT(records(), QByteArrayList { WatchRecord::error(Closed) }, Patience);
}

// What EventSource libraries do that are made of fetch(): headers that need a preflight.
void tst_Browser::preflight()
{
    const auto runFetch = [this] {
        run(QStringLiteral(
                "const stop = new AbortController();"
                "fetch('%1', { headers: { 'Last-Event-ID': 'seen', 'Accept': "
                "'text/event-stream', 'Cache-Control': 'no-cache' }, signal: stop.signal })"
                ".then(r => { page.report('%2', { status: r.status }); stop.abort(); },"
                "      e => page.report('%2', { failed: e.name }))")
                .arg(otherUrl(eventsUrl()), m_name));
    };
    runFetch();
    QByteArrayList expected { R"({"failed":"TypeError"})" };
    QTRY_COMPARE_WITH_TIMEOUT(records(), expected, Patience);
    QCOMPARE(m_added.size(), 0);

    m_other.setAllowedOrigins({ origin() });
    runFetch();
    expected.append(R"({"status":200})");
    QTRY_COMPARE_WITH_TIMEOUT(records(), expected, Patience);
    QCOMPARE(m_added.size(), 1);
    QCOMPARE(m_added.first().lastEventId(), QStringLiteral("seen"));
}

void tst_Browser::otherOriginMayNotPublish()
{
    open(eventsUrl());
    QByteArrayList expected { WatchRecord::opened() };
    QTRY_COMPARE_WITH_TIMEOUT(records(), expected, Patience);
    const auto post = [this](const QString &url, const QString &mode) {
        run(QStringLiteral("fetch('%1', { method: 'POST', body: '%2', mode: '%2' })"
                           ".then(r => page.report('%3 %2', { status: r.status }))")
                .arg(url, mode, m_name));
    };
    const auto answer = [this](const QString &mode) {
        return m_records.value(m_name + QLatin1Char(' ') + mode);
    };
    const QString target = QLatin1String("/topics/") + m_topic;
    // A simple request, which no preflight guards; the page does not get to see the answer.
    post(otherUrl(target), QStringLiteral("no-cors"));
    QTRY_COMPARE_WITH_TIMEOUT(answer(QStringLiteral("no-cors")),
                              QByteArrayList { R"({"status":0})" }, Patience);
    post(target, QStringLiteral("same-origin"));
    QTRY_COMPARE_WITH_TIMEOUT(answer(QStringLiteral("same-origin")),
                              QByteArrayList { R"({"status":200})" }, Patience);
    m_other.setAllowedOrigins({ origin() });
    post(otherUrl(target), QStringLiteral("cors"));
    QTRY_COMPARE_WITH_TIMEOUT(answer(QStringLiteral("cors")),
                              QByteArrayList { R"({"status":200})" }, Patience);

    QTRY_COMPARE_WITH_TIMEOUT(records().size(), 3, Patience);
    QVERIFY(records().at(1).contains(R"("data":"same-origin")"));
    QVERIFY(records().at(2).contains(R"("data":"cors")"));
}

QTEST_GUILESS_MAIN(tst_Browser)
#include "tst_browser.moc"
