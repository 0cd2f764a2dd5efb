// SPDX-License-Identifier: MIT
// What the flags of qsse-hub do, as curl sees it.

#include "hubprocess.h"
#include "selfsigned.h"

#include <QtCore/QDateTime>
#include <QtCore/QFile>
#include <QtCore/QJsonDocument>
#include <QtCore/QJsonObject>
#include <QtCore/QMessageAuthenticationCode>
#include <QtCore/QStandardPaths>
#include <QtCore/QTemporaryDir>
#include <QtNetwork/QTcpSocket>
#include <QtTest/QtTest>

#include <algorithm>
#include <memory>
#include <vector>

namespace {

constexpr int Patience = 20'000;
const QByteArray Key(40, 'k');

QByteArray base64(const QByteArray &bytes)
{
    return bytes.toBase64(QByteArray::Base64UrlEncoding | QByteArray::OmitTrailingEquals);
}

// A token that lets who has it do so for a while; signed with Key.
QByteArray token(const QJsonObject &claims, int seconds)
{
    QJsonObject all = claims;
    all.insert(QStringLiteral("exp"), QDateTime::currentSecsSinceEpoch() + seconds);
    const QByteArray text = base64(R"({"alg":"HS256","typ":"JWT"})") + '.'
        + base64(QJsonDocument(all).toJson(QJsonDocument::Compact));
    return text + '.'
        + base64(QMessageAuthenticationCode::hash(text, Key, QCryptographicHash::Sha256));
}

} // namespace

class tst_HubFlags : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void initTestCase();

    void refusesBeyondLimits_data();
    void refusesBeyondLimits();
    void closesSlowRequests();
    void endsStreams_data();
    void endsStreams();
    void readsTheEnvironment();
    void publishKey();
    void tokens();
    void tls();
    void outlivesBeingKilled();
    void saysWhatIsWrong_data();
    void saysWhatIsWrong();

private:
    QByteArray write(const char *name, const QByteArray &text);
    static int status(const HubProcess &hub, const QByteArray &target,
                      const QByteArrayList &arguments = {}, const QByteArray &body = {});

    QTemporaryDir m_dir;
};

void tst_HubFlags::initTestCase()
{
    if (QStandardPaths::findExecutable(QStringLiteral("curl")).isEmpty())
        QSKIP("curl is not installed");
    QVERIFY(m_dir.isValid());
}

QByteArray tst_HubFlags::write(const char *name, const QByteArray &text)
{
    QFile file(m_dir.filePath(QLatin1String(name)));
    return file.open(QIODevice::WriteOnly) && file.write(text) == text.size()
        ? file.fileName().toUtf8()
        : QByteArray();
}

int tst_HubFlags::status(const HubProcess &hub, const QByteArray &target,
                         const QByteArrayList &arguments, const QByteArray &body)
{
    Curl curl(hub.url(target), arguments, body);
    const bool isOver =
        QTest::qWaitFor([&] { return curl.status() > 0 || curl.isFinished(); }, Patience);
    return isOver ? curl.status() : -1;
}

void tst_HubFlags::refusesBeyondLimits_data()
{
    QTest::addColumn<QByteArrayList>("flags");
    QTest::addColumn<QByteArray>("target");
    QTest::addColumn<QByteArrayList>("arguments");
    QTest::addColumn<QByteArray>("body");
    QTest::addColumn<int>("expected");

    const QByteArray events = "/events?topic=a";
    const QByteArrayList none;
    QTest::newRow("subscribers") << QByteArrayList { "--max-subscribers", "1" } << events << none
                                 << QByteArray() << 503;
    QTest::newRow("subscribers from an address")
        << QByteArrayList { "--max-subscribers-per-address", "1" } << events << none << QByteArray()
        << 429;
    QTest::newRow("filters") << QByteArrayList { "--max-filters", "1" }
                             << QByteArray("/events?topic=a&topic=b") << none << QByteArray()
                             << 400;
    QTest::newRow("topics") << QByteArrayList { "--max-topics", "1" } << QByteArray("/topics/b")
                            << Curl::post() << QByteArray("x") << 503;
    QTest::newRow("a topic's size")
        << QByteArrayList { "--max-topic-size", "3" } << QByteArray("/topics/abcd") << Curl::post()
        << QByteArray("x") << 400;
    QTest::newRow("an event's size")
        << QByteArrayList { "--max-event-size", "3" } << QByteArray("/topics/a") << Curl::post()
        << QByteArray("four") << 413;
    QTest::newRow("a body's size")
        << QByteArrayList { "--max-body-size", "3" } << QByteArray("/topics/a") << Curl::post()
        << QByteArray("four") << 413;
    QTest::newRow("a head's size")
        << QByteArrayList { "--max-head-size", "500" } << QByteArray("/healthz")
        << QByteArrayList { "-H", "X: " + QByteArray(500, 'x') } << QByteArray() << 431;
    QTest::newRow("a host") << QByteArrayList { "--allow-host", "example.org" } << events << none
                            << QByteArray() << 421;
}

// Each beside a stream that is within the limit, and that nothing else comes to.
void tst_HubFlags::refusesBeyondLimits()
{
    QFETCH(QByteArrayList, flags);
    QFETCH(QByteArray, target);
    QFETCH(QByteArrayList, arguments);
    QFETCH(QByteArray, body);
    HubProcess hub(flags);
    QVERIFY2(hub.listen(), hub.errors().constData());
    const QByteArrayList host { "-H", "Host: example.org" };
    const bool isAboutHost = flags.contains("--allow-host");
    Curl within(hub.url("/events?topic=a"), isAboutHost ? host : QByteArrayList());
    QTRY_VERIFY_WITH_TIMEOUT(within.isOpen(), Patience);
    QCOMPARE(status(hub, "/topics/a", (isAboutHost ? host : QByteArrayList()) + Curl::post(), "x"),
             200);
    QTRY_COMPARE_WITH_TIMEOUT(within.events().size(), 1, Patience);
    QTEST(status(hub, target, arguments, body), "expected");
    QVERIFY(!within.isFinished());
    QCOMPARE(within.events().size(), 1);
}

void tst_HubFlags::closesSlowRequests()
{
    HubProcess hub(
        { "--request-timeout", "300", "--idle-timeout", "300", "--max-connections", "2" });
    QVERIFY2(hub.listen(), hub.errors().constData());
    QTcpSocket slow;
    slow.connectToHost(QHostAddress::LocalHost, hub.port());
    slow.write("GET /healthz HTTP/1.1\r\n");
    QTRY_VERIFY_WITH_TIMEOUT(slow.peek(100).startsWith("HTTP/1.1 408 "), Patience);
    QTRY_COMPARE_WITH_TIMEOUT(slow.state(), QAbstractSocket::UnconnectedState, Patience);

    QTcpSocket idle;
    idle.connectToHost(QHostAddress::LocalHost, hub.port());
    idle.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    QTRY_VERIFY_WITH_TIMEOUT(idle.peek(1000).endsWith("ok\n"), Patience);
    QTRY_COMPARE_WITH_TIMEOUT(idle.state(), QAbstractSocket::UnconnectedState, Patience);
    QVERIFY(idle.readAll().endsWith("ok\n")); // and nothing after it

    // A third one has no place while two have begun a request.
    std::vector<std::unique_ptr<QTcpSocket>> sockets;
    for (int i = 0; i < 3; ++i) {
        sockets.push_back(std::make_unique<QTcpSocket>());
        sockets.back()->connectToHost(QHostAddress::LocalHost, hub.port());
        sockets.back()->write("GET");
    }
    QTRY_VERIFY_WITH_TIMEOUT(std::any_of(sockets.begin(), sockets.end(),
                                         [](const auto &socket) {
                                             return socket->peek(100).startsWith("HTTP/1.1 503 ");
                                         }),
                             Patience);
}

void tst_HubFlags::endsStreams_data()
{
    QTest::addColumn<QByteArrayList>("flags");
    QTest::addColumn<bool>("reads");
    QTest::newRow("a life's length") << QByteArrayList { "--max-lifetime", "300" } << true;
    QTest::newRow("a stalled one")
        << QByteArrayList { "--stall-timeout", "500", "--max-queued-bytes", "10000" } << false;
    QTest::newRow("one that falls out of the history")
        << QByteArrayList { "--history", "1", "--max-queued-bytes", "10000" } << false;
}

void tst_HubFlags::endsStreams()
{
    QFETCH(QByteArrayList, flags);
    QFETCH(bool, reads);
    HubProcess hub(flags + QByteArrayList { "--generate", "topic=a,rate=500,bytes=10000" });
    QVERIFY2(hub.listen(), hub.errors().constData());
    QTcpSocket stream;
    if (!reads)
        stream.setReadBufferSize(1000);
    stream.connectToHost(QHostAddress::LocalHost, hub.port());
    stream.write("GET /events?topic=a HTTP/1.1\r\nHost: localhost\r\n\r\n");
    QTRY_VERIFY_WITH_TIMEOUT(stream.bytesAvailable() > 0, Patience);
    if (!reads) {
        QTest::qWait(4000); // long enough for the kernel's buffers to fill and the limit to pass
        stream.setReadBufferSize(0);
    }
    QTRY_VERIFY_WITH_TIMEOUT(
        (stream.readAll(), stream.state() == QAbstractSocket::UnconnectedState), Patience);
}

void tst_HubFlags::readsTheEnvironment()
{
    HubProcess hub({ "--max-topics", "2" });
    hub.setEnvironment({ "QSSE_MAX_FILTERS=1", "QSSE_MAX_TOPICS=1", "QSSE_PRIVATE=a/**,b" });
    QVERIFY2(hub.listen(), hub.errors().constData());
    QCOMPARE(status(hub, "/events?topic=c&topic=d"), 400);
    QCOMPARE(status(hub, "/events?topic=a/x"), 403);
    QCOMPARE(status(hub, "/events?topic=b"), 403);
    QCOMPARE(status(hub, "/events?topic=c"), 200);
    QCOMPARE(status(hub, "/topics/c", Curl::post(), "x"), 200);
    QCOMPARE(status(hub, "/topics/d", Curl::post(), "x"), 200); // the command line wins
    QCOMPARE(status(hub, "/topics/e", Curl::post(), "x"), 503);
}

void tst_HubFlags::publishKey()
{
    HubProcess hub({ "--publish-key-file", write("key", Key + '\n') });
    QVERIFY2(hub.listen(), hub.errors().constData());
    QCOMPARE(status(hub, "/topics/a", Curl::post(), "x"), 401);
    QCOMPARE(status(hub, "/topics/a",
                    Curl::post() + QByteArrayList { "-H", "Authorization: Bearer no" }, "x"),
             401);
    QCOMPARE(status(hub, "/topics/a",
                    Curl::post() + QByteArrayList { "-H", "Authorization: Bearer " + Key }, "x"),
             200);
    QCOMPARE(status(hub, "/events?topic=a"), 200);
    QVERIFY(!hub.errors().contains(Key));
}

void tst_HubFlags::tokens()
{
#ifndef QSSE_HUB_HAS_JWT
    QSKIP("the hub was built without libjwt");
#endif
    HubProcess hub({ "--jwt-key-file", write("secret", Key), "--private", "user/**" });
    hub.setEnvironment({ "QT_LOGGING_RULES=qsse.*=true" });
    QVERIFY2(hub.listen(), hub.errors().constData());
    const QJsonObject claims { { QStringLiteral("subscribe"), QStringLiteral("user/ann/**") },
                               { QStringLiteral("publish"), QStringLiteral("user/**") } };
    const QByteArray good = token(claims, 3600);
    const QByteArray stale = token(claims, -10);
    const auto with = [](const QByteArray &token) {
        return QByteArrayList { "-H", "Authorization: Bearer " + token };
    };
    const QByteArray hers = "/events?topic=user/ann/mail";
    QCOMPARE(status(hub, hers), 401);
    QCOMPARE(status(hub, hers, with(stale)), 401);
    QCOMPARE(status(hub, hers, with(good + 'x')), 401);
    QCOMPARE(status(hub, "/events?topic=user/bob/mail", with(good)), 403);
    QCOMPARE(status(hub, "/topics/user/ann/mail", Curl::post(), "x"), 401);
    QCOMPARE(status(hub, "/topics/news", Curl::post() + with(good), "x"), 403);

    Curl stream(hub.url(hers), with(good));
    QTRY_VERIFY_WITH_TIMEOUT(stream.isOpen(), Patience);
    QCOMPARE(status(hub, "/topics/user/ann/mail", Curl::post() + with(good), "x"), 200);
    QTRY_COMPARE_WITH_TIMEOUT(stream.events().size(), 1, Patience);

    const QByteArray brief = token(claims, 2);
    Curl ending(hub.url(hers), with(brief));
    QTRY_VERIFY_WITH_TIMEOUT(ending.isOpen(), Patience);
    QTRY_VERIFY_WITH_TIMEOUT(ending.isFinished(), 4000); // 2 s, and 2 s
    QVERIFY(!stream.isFinished());
    QCOMPARE(status(hub, hers, with(brief)), 401);

    for (const QByteArray &secret : { good, stale, brief })
        QVERIFY(!hub.errors().contains(secret));
    QVERIFY(!hub.errors().contains(Key));
}

void tst_HubFlags::tls()
{
    const SelfSigned made;
    if (!made.isValid())
        QSKIP("openssl is not installed");
    const QByteArray key = made.keyFile().toUtf8();
    const QByteArray certificate = made.certificateFile().toUtf8();
    HubProcess hub({ "--tls-certificate", certificate, "--tls-key", key });
    QVERIFY2(hub.listen(), hub.errors().constData());
    QVERIFY(hub.url({}).startsWith("https://"));
    const QByteArrayList trusting { "--cacert", certificate };
    Curl stream(hub.url("/events?topic=a"), trusting);
    QTRY_VERIFY2_WITH_TIMEOUT(stream.isOpen(), stream.errors().constData(), Patience);
    QCOMPARE(status(hub, "/topics/a", trusting + Curl::post(), "x"), 200);
    QTRY_COMPARE_WITH_TIMEOUT(stream.events().size(), 1, Patience);
    QCOMPARE(status(hub, "/healthz"), 0); // whom nobody has told whom to trust
}

void tst_HubFlags::outlivesBeingKilled()
{
#ifndef QSSE_HUB_HAS_SQLITELOG
    QSKIP("the hub was built without Qt Sql");
#endif
    const QByteArray store = m_dir.filePath(QStringLiteral("events.db")).toUtf8();
    QByteArray first;
    QByteArrayList expected;
    for (int run = 0; run < 3; ++run) {
        HubProcess hub({ "--store", store });
        QVERIFY2(hub.listen(), hub.errors().constData());
        if (run > 0) {
            Curl stream(hub.url("/events?topic=a"), { "-H", "Last-Event-ID: " + first });
            QTRY_COMPARE_WITH_TIMEOUT(stream.events(), expected.mid(1), Patience);
        }
        for (int i = 0; i < 3; ++i) {
            const QByteArray data = QByteArray::number(run) + '/' + QByteArray::number(i);
            Curl post(hub.url("/topics/a"), Curl::post(), data);
            QVERIFY(post.waitForFinished());
            QCOMPARE(post.status(), 200);
            first = first.isEmpty() ? post.body() : first;
            expected.append("id: " + post.body() + "\ndata: " + data);
        }
        hub.sendSignal(SIGKILL);
        QVERIFY(hub.waitForFinished());
    }
}

void tst_HubFlags::saysWhatIsWrong_data()
{
    QTest::addColumn<QByteArrayList>("flags");
    QTest::addColumn<int>("exitCode");
    QTest::addColumn<QByteArray>("error");
    const auto row = [](const QByteArrayList &flags, int exitCode, const char *error) {
        QTest::newRow(flags.join(' ')) << flags << exitCode << QByteArray(error);
    };
    row({ "--max-filters", "many" }, 2, "--max-filters needs a number");
    row({ "--stall-timeout", "-1" }, 2, "--stall-timeout needs a number");
    row({ "--overflow", "explode" }, 2, "--overflow needs disconnect, conflate or drop");
    row({ "--private", "a*" }, 2, "--private: ");
    row({ "--tls-key", "key" }, 2, "--tls-certificate and --tls-key go together");
    row({ "--publish-key-file", "/nowhere" }, 2, "There is no key in '/nowhere'");
    row({ "--tls-key", "/nowhere", "--tls-certificate", "/nowhere" }, 1, "There is no certificate");
#ifdef QSSE_HUB_HAS_JWT
    row({ "--jwt-key-file", "/dev/null" }, 1, "/dev/null: ");
    row({ "--jwt-key-file", "/dev/null", "--jwt-algorithm", "none" }, 1, "--jwt-algorithm needs");
#endif
#ifdef QSSE_HUB_HAS_SQLITELOG
    row({ "--store", "/nowhere/events.db" }, 1, "/nowhere/events.db");
#endif
}

void tst_HubFlags::saysWhatIsWrong()
{
    QFETCH(QByteArrayList, flags);
    QFETCH(QByteArray, error);
    HubProcess hub(flags);
    hub.start();
    QVERIFY(hub.waitForFinished());
    QTEST(hub.exitCode(), "exitCode");
    QVERIFY2(hub.errors().contains(error), hub.errors().constData());
    QCOMPARE(hub.output(), QByteArray());
}

QTEST_GUILESS_MAIN(tst_HubFlags)
#include "tst_hubflags.moc"
