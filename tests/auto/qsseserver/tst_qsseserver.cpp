// SPDX-License-Identifier: MIT
#include "loopback.h"
#include "streamclient.h"

#include <QSseMemoryLog>
#include <QSseServer>
#include <QSseTopic>

#include <QtCore/QElapsedTimer>
#include <QtCore/QJsonObject>
#include <QtCore/QMutex>
#include <QtCore/QPointer>
#include <QtCore/QRegularExpression>
#include <QtCore/QThread>
#include <QtCore/QTimer>
#include <QtNetwork/QTcpServer>
#include <QtTest/QSignalSpy>
#include <QtTest/QTest>

#if QT_CONFIG(ssl)
#include "selfsigned.h"
#endif

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <thread>

using namespace std::chrono_literals;
using RemovalReason = QSseSubscriber::RemovalReason;

namespace {

/*! The whole test is run with several numbers of worker threads. */
class Server : public QSseServer
{
public:
    Server()
    {
        bool isSet = false;
        const int threads = qEnvironmentVariableIntValue("QSSE_TEST_WORKER_THREADS", &isSet);
        if (isSet)
            setWorkerThreads(threads);
    }
};

/*! A server whose sockets come from a bare QTcpServer: no HTTP is parsed at all. */
class Fixture
{
public:
    Fixture() { listener.listen(QHostAddress::LocalHost); }

    /*! Connects a client and hands its other end to the server. */
    std::unique_ptr<StreamClient> connectClient(const QSseSubscription &subscription)
    {
        auto client = std::make_unique<StreamClient>(listener.serverPort());
        if (!QTest::qWaitFor([&] { return listener.hasPendingConnections(); }))
            return nullptr;
        subscriber = server->addSubscriber(listener.nextPendingConnection(), subscription);
        return client;
    }
    std::unique_ptr<StreamClient> connectClient(const QList<QSseTopicFilter> &topics,
                                                const QString &lastEventId = QString())
    {
        return connectClient(QSseSubscription { topics, lastEventId });
    }

    QTcpServer listener;
    std::unique_ptr<QSseServer> server = std::make_unique<Server>();
    QSseSubscriber subscriber; // the one added last
};

QSseEvent numbered(int number)
{
    return QSseEvent(QByteArray::number(number));
}

QStringList numbers(int first, int last)
{
    QStringList list;
    for (int i = first; i <= last; ++i)
        list.append(QString::number(i));
    return list;
}

QStringList texts(std::initializer_list<const char *> all)
{
    QStringList list;
    for (const char *text : all)
        list.append(QString::fromUtf8(text));
    return list;
}

// Breaks a connection so that the other end learns of it only by using it.
void reset(QTcpSocket &socket)
{
    resetOnClose(int(socket.socketDescriptor()));
    socket.disconnect();
    socket.abort();
}

#if QT_CONFIG(ssl)
// Starts TLS with a certificate that nobody signed; false when there is no openssl to make it.
bool startServerEncryption(QSslSocket *socket)
{
    const SelfSigned certificate;
    if (!certificate.isValid())
        return false;
    socket->setSslConfiguration(certificate.server());
    socket->startServerEncryption();
    return true;
}
#endif

} // namespace

class TestQSseServer : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void notifyGivesIds();
    void notifyRefuses_data();
    void notifyRefuses();
    void notifyRefusesTooLarge();
    void notifyManyIsAllOrNone();
    void notifyFromThreads();
    void notifyReachesSignals();
    void topicSlots();
    void subscribeInProcess();
    void subscribeFromThread();
    void signalsInOrderFromNestedLoop();
    void movesToThread();

    void registry();
    void strictMode();
    void topicLimit();

    void firstBytes();
    void routesTopics();
    void sendsOnceWhenFiltersOverlap();
    void filtersPerSubscriber();
    void firstEvent();
    void firstEventWithKnownId();
    void snapshotBeforeLive();
    void snapshotThatPublishes();
    void snapshotThatUnregisters();
    void snapshotThatIsNotValid();
    void noLossBetweenSnapshotAndLive();

    void resumes();
    void resumesAfterForeignId();
    void resumesAfterIdThatWasRepublished();
    void resumesWithGap_data();
    void resumesWithGap();
    void resumesFromEarliest();
    void resumePositionMovesWithQuietTopic();
    void replayLargerThanQueue();
    void replayLargerThanQueueOverTls();
    void joinsWhileTheOnlyOtherBreaks();
    void breaksWithNameAndExpression();

    void keepAlive();
    void keepAliveIsResetByEvents();
    void keepAliveFromEnvironment();
    void keepAliveNeverQueues();
    void negativeRetryInterval();

    void overflowRemovesTheSlowAlone();
    void conflatesForTheSlow();
    void dropsForTheSlow();
    void removesTheStalled();
    void keepsTheSlowThatReads();
    void endsExpired_data();
    void endsExpired();
    void livesOnWithoutDescriptors();
    void privateTopics();
    void privateTopicsChange();
    void eventsByIdAndSince();
    void retentionOfTopics();
    void countsWhatItDoes();
    void setsEventLog();
    void burstLargerThanQueue();
    void removalReasons();
    void disconnectAllAndResume();
    void ignoresFurtherInput();
    void closes();
    void closesOnce();
    void closesInTime_data();
    void closesInTime();
    void closesWhoeverReadsSlowly();
    void refusesSubscribers();
    void refusesBeyondLimits();
    void subscriberInformation();
    void destroyedWithSubscribers();
    void destroyedByItsOwnSignal();
};

void TestQSseServer::notifyGivesIds()
{
    Server server;
    const QString first = server.notify(QStringLiteral("a"), QSseEvent("1"));
    const QString second = server.notify(QStringLiteral("b"), QSseEvent("2"));
    QVERIFY(first.endsWith(QStringLiteral("-1")));
    QVERIFY(second.endsWith(QStringLiteral("-2")));
    QCOMPARE(first.section(QLatin1Char('-'), 0, 0), second.section(QLatin1Char('-'), 0, 0));

    QSseEvent own("3");
    own.setId(QStringLiteral("mine"));
    QCOMPARE(server.notify(QStringLiteral("a"), own), QStringLiteral("mine"));
}

void TestQSseServer::notifyRefuses_data()
{
    QTest::addColumn<QString>("topic");
    QTest::addColumn<QSseEvent>("event");
    QTest::addColumn<QSseServer::Error>("error");

    QSseEvent badId("x");
    badId.setId(QStringLiteral("a\nb"));
    QSseEvent nulId("x");
    nulId.setIdUtf8(QByteArray("a\0b", 3));
    QSseEvent badName("x");
    badName.setEvent(QStringLiteral("a\rb"));
    const QString a = QStringLiteral("a");
    QTest::newRow("nothing set") << a << QSseEvent() << QSseServer::Error::InvalidEvent;
    QTest::newRow("LF in id") << a << badId << QSseServer::Error::InvalidEvent;
    QTest::newRow("NUL in id") << a << nulId << QSseServer::Error::InvalidEvent;
    QTest::newRow("CR in event") << a << badName << QSseServer::Error::InvalidEvent;
    QTest::newRow("no topic") << QString() << QSseEvent("x") << QSseServer::Error::InvalidTopic;
    QTest::newRow("wildcard") << QStringLiteral("a/*") << QSseEvent("x")
                              << QSseServer::Error::InvalidTopic;
}

void TestQSseServer::notifyRefuses()
{
    QFETCH(QString, topic);
    QFETCH(QSseEvent, event);
    QFETCH(QSseServer::Error, error);

    Server server;
    QSignalSpy errors(&server, &QSseServer::errorOccurred);
    QSignalSpy published(&server, &QSseServer::notified);
    QTest::ignoreMessage(QtWarningMsg, QRegularExpression(QStringLiteral(".+")));
    QVERIFY(server.notify(topic, event).isNull());
    QCOMPARE(errors.size(), 1);
    QCOMPARE(errors.at(0).at(0).value<QSseServer::Error>(), error);
    QVERIFY(!errors.at(0).at(1).toString().isEmpty());
    QVERIFY(server.topics().isEmpty());

    // Nothing but the refused event is disturbed.
    QVERIFY(!server.notify(QStringLiteral("fine"), QSseEvent("x")).isNull());
    QTRY_COMPARE(published.size(), 1);
}

void TestQSseServer::notifyRefusesTooLarge()
{
    Server server;
    server.setMaximumEventSize(100);
    QVERIFY(!server.notify(QStringLiteral("a"), QSseEvent(QByteArray(100, 'x'))).isNull());
    QTest::ignoreMessage(QtWarningMsg, QRegularExpression(QStringLiteral("101 bytes")));
    QVERIFY(server.notify(QStringLiteral("a"), QSseEvent(QByteArray(101, 'x'))).isNull());
}

void TestQSseServer::notifyManyIsAllOrNone()
{
    Server server;
    QSseEvent first("1");
    first.setTopic(QStringLiteral("a"));
    QSseEvent second("2");
    second.setTopic(QStringLiteral("b"));
    QCOMPARE(server.notify({ first, second }).size(), 2);

    QSseEvent bad;
    bad.setTopic(QStringLiteral("c"));
    QTest::ignoreMessage(QtWarningMsg, QRegularExpression(QStringLiteral("needs data")));
    QVERIFY(server.notify({ first, bad, second }).isEmpty());
    QVERIFY(server.notify(QStringLiteral("a"), first).endsWith(QStringLiteral("-3")));
}

void TestQSseServer::notifyFromThreads()
{
    Fixture f;
    const auto one = f.connectClient({ "t/*" });
    const auto two = f.connectClient({ "t/0", "t/1", "t/2", "t/3" });
    constexpr int Threads = 4;
    constexpr int Events = 500;

    std::vector<std::thread> publishers;
    for (int t = 0; t < Threads; ++t) {
        publishers.emplace_back([&, t] {
            for (int i = 0; i < Events; ++i)
                f.server->notify(QStringLiteral("t/%1").arg(t),
                                 QSseEvent(QByteArray::number(t) + ' ' + QByteArray::number(i)));
        });
    }
    for (std::thread &publisher : publishers)
        publisher.join();

    QTRY_COMPARE(one->events().size(), Threads * Events);
    QTRY_COMPARE(two->events().size(), Threads * Events);
    QCOMPARE(one->data(), two->data());
    int next[Threads] = {};
    for (const QString &data : one->data()) {
        const int thread = data.section(QLatin1Char(' '), 0, 0).toInt();
        QCOMPARE(data.section(QLatin1Char(' '), 1).toInt(), next[thread]++);
    }
}

void TestQSseServer::notifyReachesSignals()
{
    Server server;
    QSseTopic *topic = server.topic(QStringLiteral("a"));
    QSignalSpy ofTopic(topic, &QSseTopic::notified);
    QSignalSpy ofServer(&server, &QSseServer::notified);
    const QString id = server.notify(QStringLiteral("a"), QSseEvent("1"));
    server.notify(QStringLiteral("b"), QSseEvent("2"));
    QTRY_COMPARE(ofServer.size(), 2);
    QCOMPARE(ofTopic.size(), 1);

    const auto event = ofTopic.at(0).at(0).value<QSseEvent>();
    QCOMPARE(event.topic(), QStringLiteral("a"));
    QCOMPARE(event.id(), id);
    QCOMPARE(event.data(), QStringLiteral("1"));
    QVERIFY(event.occurredAt().isValid());
}

void TestQSseServer::topicSlots()
{
    Server server;
    QSignalSpy published(&server, &QSseServer::notified);
    QSseTopic *topic = server.topic(QStringLiteral("a"));
    topic->notify(QSseEvent("event"));
    topic->notify(QStringLiteral("text"));
    topic->notify(1.0934);
    topic->notify(7);
    topic->notify(qint64(1) << 40);
    topic->notify(QJsonObject { { QStringLiteral("x"), 1 } });
    topic->notify(QJsonArray { 1, 2 });
    QTRY_COMPARE(published.size(), 7);
    QStringList data;
    for (const QList<QVariant> &arguments : published)
        data.append(arguments.at(0).value<QSseEvent>().data());
    const QStringList expected {
        QStringLiteral("event"), QStringLiteral("text"),          QStringLiteral("1.0934"),
        QStringLiteral("7"),     QStringLiteral("1099511627776"), QStringLiteral("{\"x\":1}"),
        QStringLiteral("[1,2]"),
    };
    QCOMPARE(data, expected);
}

void TestQSseServer::subscribeInProcess()
{
    Server server;
    auto context = std::make_unique<QObject>();
    QStringList seen;
    server.subscribe("fx/**", context.get(), [&](const QSseEvent &e) { seen.append(e.data()); });
    server.notify(QStringLiteral("fx/eur/usd"), QSseEvent("1"));
    server.notify(QStringLiteral("other"), QSseEvent("2"));
    server.notify(QStringLiteral("fx/eur/jpy"), QSseEvent("3"));
    QTRY_COMPARE(seen, QStringList({ QStringLiteral("1"), QStringLiteral("3") }));

    context.reset();
    QSignalSpy published(&server, &QSseServer::notified);
    server.notify(QStringLiteral("fx/eur/usd"), QSseEvent("4"));
    QTRY_COMPARE(published.size(), 1);
    QCOMPARE(seen.size(), 2);
}

void TestQSseServer::subscribeFromThread()
{
    Server server;
    QThread thread;
    auto *context = new QObject;
    context->moveToThread(&thread);
    connect(&thread, &QThread::finished, context, &QObject::deleteLater);
    thread.start();
    std::atomic<QThread *> calledIn = nullptr;
    server.subscribe("a", context, [&](const QSseEvent &) { calledIn = QThread::currentThread(); });
    server.notify(QStringLiteral("a"), QSseEvent("1"));
    QTRY_COMPARE(calledIn.load(), &thread);
    thread.quit();
    thread.wait();
}

void TestQSseServer::signalsInOrderFromNestedLoop()
{
    Server server;
    QStringList ofTopic;
    QStringList ofServer;
    connect(server.topic(QStringLiteral("a")), &QSseTopic::notified, this, [&](const QSseEvent &e) {
        ofTopic.append(e.data());
        if (ofTopic.size() > 1)
            return;
        server.notify(QStringLiteral("a"), numbered(3));
        QVERIFY(QTest::qWaitFor([&] { return ofServer.size() == 3; }));
    });
    connect(&server, &QSseServer::notified, this,
            [&](const QSseEvent &e) { ofServer.append(e.data()); });
    server.notify(QStringLiteral("a"), numbered(1));
    server.notify(QStringLiteral("a"), numbered(2));
    QTRY_COMPARE(ofServer, numbers(1, 3));
    QCOMPARE(ofTopic, numbers(1, 3));
}

void TestQSseServer::movesToThread()
{
    QThread thread;
    auto *server = new Server;
    server->setKeepAliveInterval(20ms);
    server->moveToThread(&thread);
    connect(&thread, &QThread::finished, server, &QObject::deleteLater);
    thread.start();

    QTcpServer listener;
    listener.listen(QHostAddress::LocalHost);
    StreamClient client(listener.serverPort());
    QTRY_VERIFY(listener.hasPendingConnections());
    QTcpSocket *socket = listener.nextPendingConnection();
    socket->setParent(nullptr);
    socket->moveToThread(&thread);
    std::atomic<QThread *> sendsIn = nullptr;
    QSseSubscription subscription { { "a" } };
    subscription.filter = [&](const QSseEvent &, const QSseSubscriber &) {
        sendsIn = QThread::currentThread();
        return true;
    };
    QMetaObject::invokeMethod(server, [&] { server->addSubscriber(socket, subscription); });
    QTRY_VERIFY(!client.body().isEmpty());
    server->notify(QStringLiteral("a"), numbered(1));
    QTRY_COMPARE(client.data(), numbers(1, 1));
    QCOMPARE(sendsIn.load() == &thread, server->workerThreads() == 0);
    QTRY_VERIFY(!client.comments().isEmpty());
    thread.quit();
    thread.wait();
    QTRY_VERIFY(client.isEnded());
}

void TestQSseServer::registry()
{
    Server server;
    QSseTopic *topic = server.topic(QStringLiteral("b"));
    QVERIFY(topic);
    QCOMPARE(topic->name(), QStringLiteral("b"));
    QCOMPARE(topic->server(), &server);
    QCOMPARE(server.topic(QStringLiteral("b")), topic);
    server.notify(QStringLiteral("a"), QSseEvent("1"));
    QVERIFY(server.hasTopic(QStringLiteral("a")));
    QVERIFY(!server.hasTopic(QStringLiteral("c")));
    QCOMPARE(server.topics(), QStringList({ QStringLiteral("a"), QStringLiteral("b") }));

    const QPointer<QSseTopic> watched(topic);
    server.unregisterTopic(QStringLiteral("b"));
    QVERIFY(!watched);
    QVERIFY(!server.hasTopic(QStringLiteral("b")));

    QTest::ignoreMessage(QtWarningMsg, QRegularExpression(QStringLiteral("empty level")));
    QVERIFY(!server.topic(QStringLiteral("a//b")));
}

void TestQSseServer::strictMode()
{
    Fixture f;
    f.server->setStrict(true);
    f.server->topic(QStringLiteral("known"));
    QVERIFY(!f.server->notify(QStringLiteral("known"), QSseEvent("1")).isNull());
    QTest::ignoreMessage(QtWarningMsg, "There is no topic 'unknown'");
    QVERIFY(f.server->notify(QStringLiteral("unknown"), QSseEvent("1")).isNull());
    QVERIFY(!f.server->hasTopic(QStringLiteral("unknown")));

    QCOMPARE(f.server->refusal(QSseSubscription { { "unknown" } })->error,
             QSseServer::Error::UnknownTopic);
    QVERIFY(!f.server->refusal(QSseSubscription { { "known" } }));
    QVERIFY(!f.server->refusal(QSseSubscription { { "unknown/*" } }));
}

void TestQSseServer::topicLimit()
{
    Server server;
    server.setMaximumTopics(2);
    server.notify(QStringLiteral("a"), QSseEvent("1"));
    QVERIFY(server.topic(QStringLiteral("b")));
    QTest::ignoreMessage(QtWarningMsg, "There are 2 topics already");
    QVERIFY(server.notify(QStringLiteral("c"), QSseEvent("1")).isNull());
    QTest::ignoreMessage(QtWarningMsg, "There are 2 topics already");
    QVERIFY(!server.topic(QStringLiteral("c")));
    QVERIFY(!server.notify(QStringLiteral("a"), QSseEvent("2")).isNull());
}

void TestQSseServer::firstBytes()
{
    Fixture f;
    f.server->setRetryInterval(1234ms);
    QSseSubscription subscription { { "a" } };
    subscription.responseHeaders = { { "X-Test", "yes" } };
    const auto client = f.connectClient(subscription);
    QTRY_VERIFY(!client->body().isEmpty());
    QCOMPARE(client->head(),
             QByteArray("HTTP/1.1 200 OK\r\n"
                        "Connection: close\r\n"
                        "Content-Type: text/event-stream\r\n"
                        "Cache-Control: no-store, no-transform\r\n"
                        "X-Accel-Buffering: no\r\n"
                        "X-Test: yes\r\n\r\n"));
    QVERIFY(client->body().startsWith("id: "));
    QVERIFY(client->body().endsWith("-0\nretry: 1234\n\n"));
    QVERIFY(client->lastEventId().endsWith(QStringLiteral("-0")));
    QVERIFY(client->events().isEmpty());
}

void TestQSseServer::routesTopics()
{
    Fixture f;
    const auto exact = f.connectClient({ "fx/eur/usd" });
    const auto several = f.connectClient({ "fx/eur/usd", "news" });
    const auto level = f.connectClient({ "fx/eur/*" });
    const auto rest = f.connectClient({ "fx/**" });
    const auto pattern =
        f.connectClient({ QSseTopicFilter(QRegularExpression(QStringLiteral("n.*|fx/gbp/.*"))) });
    QTRY_COMPARE(f.server->subscriberCount(), 5);
    f.server->notify(QStringLiteral("fx/eur/usd"), numbered(1));
    f.server->notify(QStringLiteral("fx/eur/jpy"), numbered(2));
    f.server->notify(QStringLiteral("fx/gbp/usd"), numbered(3));
    f.server->notify(QStringLiteral("news"), numbered(4));
    f.server->notify(QStringLiteral("fx/eur/usd"), numbered(5));

    QTRY_COMPARE(several->data().join(QLatin1Char(' ')), QStringLiteral("1 4 5"));
    QTRY_COMPARE(exact->data().join(QLatin1Char(' ')), QStringLiteral("1 5"));
    QTRY_COMPARE(level->data().join(QLatin1Char(' ')), QStringLiteral("1 2 5"));
    QTRY_COMPARE(rest->data().join(QLatin1Char(' ')), QStringLiteral("1 2 3 5"));
    QTRY_COMPARE(pattern->data().join(QLatin1Char(' ')), QStringLiteral("3 4"));
    QCOMPARE(f.server->subscribers(QStringLiteral("fx/eur/usd")).size(), 4);
    QCOMPARE(f.server->subscribers(QStringLiteral("news")).size(), 2);
}

void TestQSseServer::sendsOnceWhenFiltersOverlap()
{
    Fixture f;
    const auto client = f.connectClient({ "a/b", "a/*", "**", "a/b" });
    f.server->notify(QStringLiteral("a/b"), numbered(1));
    f.server->notify(QStringLiteral("a/c"), numbered(2));
    f.server->notify(QStringLiteral("a/b"), numbered(3));
    QTRY_COMPARE(client->data(), numbers(1, 3));
}

void TestQSseServer::filtersPerSubscriber()
{
    Fixture f;
    QSseSubscription subscription { { "a" } };
    subscription.claims = { { QStringLiteral("user"), QStringLiteral("ann") } };
    subscription.filter = [](const QSseEvent &event, const QSseSubscriber &subscriber) {
        return event.data().startsWith(
            subscriber.claims().value(QStringLiteral("user")).toString());
    };
    const auto ann = f.connectClient(subscription);
    const auto all = f.connectClient({ "a" });
    f.server->notify(QStringLiteral("a"), QSseEvent("bob 1"));
    f.server->notify(QStringLiteral("a"), QSseEvent("ann 2"));
    f.server->notify(QStringLiteral("a"), QSseEvent("bob 3"));
    QTRY_COMPARE(all->events().size(), 3);
    QTRY_COMPARE(ann->data(), QStringList(QStringLiteral("ann 2")));

    // What is replayed is filtered as well.
    subscription.lastEventId = QStringLiteral("earliest");
    const auto again = f.connectClient(subscription);
    QTRY_COMPARE(again->data(), QStringList(QStringLiteral("ann 2")));
}

void TestQSseServer::firstEvent()
{
    Fixture f;
    QSseSubscription subscription { { "a" } };
    subscription.firstEvent = QSseEvent("welcome");
    subscription.firstEvent.setEvent(QStringLiteral("hello"));
    const auto client = f.connectClient(subscription);
    f.server->notify(QStringLiteral("a"), numbered(1));
    QTRY_COMPARE(client->data(), QStringList({ QStringLiteral("welcome"), QStringLiteral("1") }));
    QCOMPARE(client->events().at(0).type(), QStringLiteral("hello"));

    // An id of the first event's own must not spoil the position to resume from.
    subscription.firstEvent.setId(QStringLiteral("own"));
    const auto other = f.connectClient(subscription);
    QTRY_COMPARE(other->events().size(), 1);
    QCOMPARE(other->events().at(0).id(), QStringLiteral("own"));
    QTRY_VERIFY(other->lastEventId().endsWith(QStringLiteral("-1")));
}

// Cut off after a first event that has an id from further on, a client resumes where it was.
void TestQSseServer::firstEventWithKnownId()
{
    Fixture f;
    for (const char *id : { "one", "two", "three" }) {
        QSseEvent event(id);
        event.setIdUtf8(id);
        f.server->notify(QStringLiteral("a"), event);
    }
    f.server->topic(QStringLiteral("s"))->setSnapshot([] { return QSseEvent("snapshot"); });
    QSseSubscription subscription;
    subscription.firstEvent = QSseEvent("welcome");
    subscription.firstEvent.setId(QStringLiteral("three"));
    const auto idAfterFirstEvent = [&](const QList<QSseTopicFilter> &topics, const QString &id) {
        subscription.topics = topics;
        subscription.lastEventId = id;
        const auto client = f.connectClient(subscription);
        if (!QTest::qWaitFor([&] { return !client->events().isEmpty(); }))
            return QByteArray("nothing came");
        const QByteArray body = client->body();
        QSseParser parser;
        parser.addData(body.left(body.indexOf("\n\n", body.indexOf("welcome\n\n") + 9) + 2));
        while (parser.readNext() != QSseParser::Token::NoToken) { }
        return parser.lastEventId();
    };
    QCOMPARE(idAfterFirstEvent({ "a" }, QStringLiteral("one")), QByteArray("one"));
    QCOMPARE(idAfterFirstEvent({ "a" }, QStringLiteral("unknown")), QByteArray("unknown"));
    QCOMPARE(idAfterFirstEvent({ "s" }, QString()), QByteArray());
}

void TestQSseServer::snapshotBeforeLive()
{
    Fixture f;
    int state = 41;
    f.server->topic(QStringLiteral("a"))->setSnapshot([&] {
        QSseEvent snapshot = numbered(state);
        snapshot.setId(QStringLiteral("must-not-be-sent"));
        return snapshot;
    });
    f.server->notify(QStringLiteral("a"), numbered(41));
    const auto client = f.connectClient({ "a" });
    f.server->notify(QStringLiteral("a"), numbered(42));
    QTRY_COMPARE(client->data(), numbers(41, 42));
    // Cut off before the snapshot, a client has no id yet and so gets it again.
    QCOMPARE(client->events().at(0).id(), QString());
    QVERIFY(!client->body().contains("must-not-be-sent"));
    QTRY_VERIFY(client->lastEventId().endsWith(QStringLiteral("-2")));
}

void TestQSseServer::snapshotThatPublishes()
{
    Fixture f;
    f.server->topic(QStringLiteral("a"))->setSnapshot([&] {
        f.server->notify(QStringLiteral("b"), QSseEvent("from the snapshot"));
        return numbered(1);
    });
    const auto client = f.connectClient({ "a", "b" });
    QTRY_COMPARE(client->data(),
                 QStringList({ QStringLiteral("1"), QStringLiteral("from the snapshot") }));
}

void TestQSseServer::snapshotThatUnregisters()
{
    Fixture f;
    const QString text = QStringLiteral("what the function has is still there");
    f.server->topic(QStringLiteral("a"))->setSnapshot([&f, text] {
        f.server->unregisterTopic(QStringLiteral("a"));
        f.server->notify(QStringLiteral("a"), numbered(1));
        return QSseEvent(text);
    });
    const auto client = f.connectClient({ "a" });
    QTRY_COMPARE(client->data(), QStringList({ text, QStringLiteral("1") }));
}

void TestQSseServer::snapshotThatIsNotValid()
{
    Fixture f;
    f.server->topic(QStringLiteral("a"))->setSnapshot([] {
        QSseEvent snapshot("x");
        snapshot.setEvent(QStringLiteral("a\nb"));
        return snapshot;
    });
    f.server->notify(QStringLiteral("a"), numbered(1));
    QTest::ignoreMessage(QtWarningMsg, QRegularExpression(QStringLiteral("snapshot of a")));
    const auto client = f.connectClient({ "a" }, QStringLiteral("unknown"));
    QTRY_COMPARE(client->data().mid(1), numbers(1, 1));
}

void TestQSseServer::noLossBetweenSnapshotAndLive()
{
    Fixture f;
    QMutex mutex;
    int state = 0;
    f.server->topic(QStringLiteral("a"))->setSnapshot([&] {
        const QMutexLocker locker(&mutex);
        return numbered(state);
    });
    std::atomic<bool> stop = false;
    std::thread publisher([&] {
        while (!stop) {
            {
                const QMutexLocker locker(&mutex);
                ++state;
                f.server->notify(QStringLiteral("a"), numbered(state));
            }
            std::this_thread::sleep_for(1ms);
        }
    });

    std::vector<std::unique_ptr<StreamClient>> clients;
    for (int i = 0; i < 50; ++i)
        clients.push_back(f.connectClient({ "a" }));
    const bool allServed = QTest::qWaitFor(
        [&] {
            return std::all_of(clients.begin(), clients.end(),
                               [](const auto &client) { return client->events().size() > 20; });
        },
        30'000);
    stop = true;
    publisher.join();
    QVERIFY(allServed);
    for (const auto &client : clients) {
        const QStringList data = client->data();
        const int first = data.first().toInt();
        QCOMPARE(data, numbers(first, first + int(data.size()) - 1));
    }
}

void TestQSseServer::resumes()
{
    Fixture f;
    QStringList ids;
    for (int i = 1; i <= 10; ++i)
        ids.append(f.server->notify(QStringLiteral("a"), numbered(i)));
    const auto client = f.connectClient({ "a" }, ids.at(3));
    QTRY_COMPARE(client->data(), numbers(5, 10));
    QVERIFY(client->body().startsWith("id: " + ids.at(3).toUtf8() + '\n'));
    f.server->notify(QStringLiteral("a"), numbered(11));
    QTRY_COMPARE(client->data(), numbers(5, 11));
}

void TestQSseServer::resumesAfterForeignId()
{
    Fixture f;
    for (int i = 1; i <= 5; ++i) {
        QSseEvent event = numbered(i);
        event.setId(QStringLiteral("order-%1").arg(i));
        f.server->notify(QStringLiteral("a"), event);
    }
    const auto client = f.connectClient({ "a" }, QStringLiteral("order-2"));
    QTRY_COMPARE(client->data(), numbers(3, 5));
}

// An event that is passed on with the id it came with does not move the readers of the first one.
void TestQSseServer::resumesAfterIdThatWasRepublished()
{
    Fixture f;
    const QString id = f.server->notify(QStringLiteral("raw"), numbered(1));
    f.server->notify(QStringLiteral("raw"), numbered(2));
    QSseEvent again("1 again");
    again.setId(id);
    const QString newId = f.server->notify(QStringLiteral("derived"), again);
    QVERIFY(newId != id);
    const auto raw = f.connectClient({ "raw" }, id);
    QTRY_COMPARE(raw->data(), numbers(2, 2));
    const auto derived = f.connectClient({ "derived" }, newId);
    f.server->notify(QStringLiteral("derived"), numbered(3));
    QTRY_COMPARE(derived->data(), numbers(3, 3));
}

void TestQSseServer::resumesWithGap_data()
{
    QTest::addColumn<bool>("withSnapshot");
    QTest::addColumn<bool>("unknownId");
    QTest::newRow("dropped, no snapshot") << false << false;
    QTest::newRow("dropped, snapshot") << true << false;
    QTest::newRow("unknown, no snapshot") << false << true;
    QTest::newRow("unknown, snapshot") << true << true;
}

void TestQSseServer::resumesWithGap()
{
    QFETCH(bool, withSnapshot);
    QFETCH(bool, unknownId);

    Fixture f;
    f.server->setHistorySize(3);
    if (withSnapshot)
        f.server->topic(QStringLiteral("a"))->setSnapshot([] { return QSseEvent("snapshot"); });
    QStringList ids;
    for (int i = 1; i <= 10; ++i)
        ids.append(f.server->notify(QStringLiteral("a"), numbered(i)));
    f.server->notify(QStringLiteral("b"), QSseEvent("b"));

    const QString asked = unknownId ? QStringLiteral("elsewhere-7") : ids.at(1);
    const auto client = f.connectClient({ "a", "b" }, asked);
    QStringList expected = withSnapshot ? QStringList(QStringLiteral("snapshot")) : numbers(8, 10);
    expected.append(QStringLiteral("b"));
    QTRY_COMPARE(client->data().mid(1), expected);
    const QSseEvent gap = client->events().at(0);
    QCOMPARE(gap.type(), QStringLiteral("gap"));
    QCOMPARE(gap.json().toObject().value(QLatin1String("requested")).toString(), asked);
    QCOMPARE(gap.json().toObject().value(QLatin1String("oldest")).toString(), ids.at(7));
    QTRY_VERIFY(client->lastEventId().endsWith(QStringLiteral("-11")));
}

void TestQSseServer::resumesFromEarliest()
{
    Fixture f;
    f.server->setHistorySize(4);
    for (int i = 1; i <= 6; ++i)
        f.server->notify(QStringLiteral("a"), numbered(i));
    const auto client = f.connectClient({ "a" }, QStringLiteral("earliest"));
    QTRY_COMPARE(client->data(), numbers(3, 6));
}

void TestQSseServer::resumePositionMovesWithQuietTopic()
{
    Fixture f;
    const QString id = f.server->notify(QStringLiteral("quiet"), numbered(1));
    for (int i = 0; i < 5; ++i)
        f.server->notify(QStringLiteral("busy"), numbered(i));
    const auto client = f.connectClient({ "quiet" }, id);
    QTRY_VERIFY(client->lastEventId().endsWith(QStringLiteral("-6")));
    QVERIFY(client->events().isEmpty());
}

void TestQSseServer::replayLargerThanQueue()
{
    Fixture f;
    f.server->setMaximumQueuedBytes(256 * 1024);
    f.server->setHistorySize(2000);
    const QString id = f.server->notify(QStringLiteral("a"), QSseEvent("0"));
    const QByteArray filler(10'000, 'x');
    for (int i = 1; i <= 1500; ++i)
        f.server->notify(QStringLiteral("a"), QSseEvent(QByteArray::number(i) + ' ' + filler));
    QSignalSpy removed(f.server.get(), &QSseServer::subscriberRemoved);

    // 15 MB for a client that is slow at first: it gets all of it, and what is live after it.
    const auto client = f.connectClient({ "a" }, id);
    client->stopReading();
    QTest::qWait(50);
    f.server->notify(QStringLiteral("a"), QSseEvent("1501 live"));
    client->startReading();
    QTRY_COMPARE(client->events().size(), 1501);
    const QStringList data = client->data();
    for (int i = 0; i < data.size(); ++i)
        QCOMPARE(data.at(i).section(QLatin1Char(' '), 0, 0).toInt(), i + 1);
    QVERIFY(removed.isEmpty());
}

// A TLS socket has two queues, and must go on when either gets shorter.
void TestQSseServer::replayLargerThanQueueOverTls()
{
#if QT_CONFIG(ssl)
    QTcpServer listener;
    listener.listen(QHostAddress::LocalHost);
    QSslSocket client;
    client.setPeerVerifyMode(QSslSocket::VerifyNone);
    client.connectToHost(QHostAddress::LocalHost, listener.serverPort());
    QTRY_VERIFY(listener.hasPendingConnections());
    const std::unique_ptr<QTcpSocket> accepted(listener.nextPendingConnection());
    auto socket = std::make_unique<QSslSocket>();
    socket->setSocketDescriptor(::dup(int(accepted->socketDescriptor())));
    accepted->abort();
    if (!startServerEncryption(socket.get()))
        QSKIP("needs the openssl program");
    client.startClientEncryption();
    QTRY_VERIFY(socket->isEncrypted() && client.isEncrypted());

    Server server;
    server.setKeepAliveInterval(0ms);
    server.setHistorySize(2000);
    const QString id = server.notify(QStringLiteral("a"), QSseEvent("first"));
    for (int i = 0; i < 1500; ++i)
        server.notify(QStringLiteral("a"), QSseEvent(QByteArray(10'000, 'x')));
    server.notify(QStringLiteral("a"), QSseEvent("last"));
    client.setReadBufferSize(1);
    server.addSubscriber(socket.release(), { { "a" }, id });
    QTest::qWait(100);
    client.setReadBufferSize(0);
    QByteArray end;
    const auto isRead = [&] {
        end = (end + client.readAll()).right(1000);
        return end.contains("data: last\n\n");
    };
    QTRY_VERIFY(isRead());
#else
    QSKIP("This Qt has no TLS");
#endif
}

// What waits for a group is sent when one joins. If its only member turns out to be gone then, the
// group is gone too.
void TestQSseServer::joinsWhileTheOnlyOtherBreaks()
{
    Fixture f;
    const auto gone = f.connectClient({ "a" });
    QTRY_VERIFY(!gone->body().isEmpty());
    const auto client = std::make_unique<StreamClient>(f.listener.serverPort());
    QTRY_VERIFY(f.listener.hasPendingConnections());
    QTcpSocket *socket = f.listener.nextPendingConnection();

    // All in one turn, so that the first to notice is the one that sends.
    reset(gone->socket());
    f.server->notify(QStringLiteral("a"), numbered(1));
    f.server->addSubscriber(socket, { { "a" } });
    f.server->notify(QStringLiteral("a"), numbered(2));
    QTRY_COMPARE(client->data(), numbers(2, 2));
    f.server->notify(QStringLiteral("a"), numbered(3));
    QTRY_COMPARE(client->data(), numbers(2, 3));
    QTRY_COMPARE(f.server->subscriberCount(), 1);
}

// A name stays a single entry when an expression of the same text is asked for as well.
void TestQSseServer::breaksWithNameAndExpression()
{
    Fixture f;
    const QSseTopicFilter expression { QRegularExpression(QStringLiteral("a")) };
    const auto gone = f.connectClient({ "a", expression, "a" });
    QTRY_VERIFY(!gone->body().isEmpty());
    reset(gone->socket());
    f.server->notify(QStringLiteral("a"), QSseEvent(QByteArray(300'000, 'x')));
    QTRY_COMPARE(f.server->subscriberCount(), 0);
}

void TestQSseServer::keepAlive()
{
    Fixture f;
    f.server->setKeepAliveInterval(40ms);
    const auto client = f.connectClient({ "a" });
    QTRY_VERIFY(client->comments().size() >= 3);
    QVERIFY(client->events().isEmpty());
}

void TestQSseServer::keepAliveIsResetByEvents()
{
    Fixture f;
    f.server->setKeepAliveInterval(1s);
    const auto busy = f.connectClient({ "a" });
    const auto idle = f.connectClient({ "b" });
    QTimer publisher;
    connect(&publisher, &QTimer::timeout, this,
            [&] { f.server->notify(QStringLiteral("a"), QSseEvent("tick")); });
    publisher.start(50ms);
    QTRY_VERIFY(idle->comments().size() >= 2);
    QVERIFY(busy->comments().isEmpty());
    QVERIFY(busy->events().size() > 5);
}

void TestQSseServer::keepAliveFromEnvironment()
{
    QCOMPARE(QSseServer().keepAliveInterval(), 15s);
    qputenv("SSE_KEEP_ALIVE_IN_MS", "1234");
    QCOMPARE(QSseServer().keepAliveInterval(), 1234ms);
    qputenv("SSE_KEEP_ALIVE_IN_MS", "soon");
    QCOMPARE(QSseServer().keepAliveInterval(), 15s);
    qunsetenv("SSE_KEEP_ALIVE_IN_MS");
}

void TestQSseServer::keepAliveNeverQueues()
{
    Fixture f;
    f.server->setKeepAliveInterval(1ms);
    const auto client = f.connectClient({ "a" });
    QTRY_VERIFY(!client->body().isEmpty());
    client->stopReading();
    for (int i = 0; i < 40; ++i)
        f.server->notify(QStringLiteral("a"), QSseEvent(QByteArray(500'000, 'x')));
    QTest::qWait(500);
    f.server->setKeepAliveInterval(0ms);
    client->startReading();
    QTRY_COMPARE(client->events().size(), 40);
    // A few went out before the queue stood still.
    QVERIFY2(client->comments().size() < 150, QByteArray::number(client->comments().size()));
}

void TestQSseServer::negativeRetryInterval()
{
    Fixture f;
    f.server->setRetryInterval(-1ms);
    QCOMPARE(f.server->retryInterval(), 0ms);
    const auto client = f.connectClient({ "a" });
    QTRY_VERIFY(client->lastEventId().endsWith(QStringLiteral("-0")));
    QCOMPARE(client->retry(), 0ms);
}

void TestQSseServer::overflowRemovesTheSlowAlone()
{
    Fixture f;
    f.server->setMaximumQueuedBytes(64 * 1024);
    f.server->setHistorySize(10);
    QSignalSpy removed(f.server.get(), &QSseServer::subscriberRemoved);
    const auto slow = f.connectClient({ "a" });
    const QSseSubscriber slowSubscriber = f.subscriber;
    slow->stopReading();
    const auto quick = f.connectClient({ "a" });

    const QByteArray filler(500'000, 'x');
    int published = 0;
    while (removed.isEmpty() && published < 2000) {
        f.server->notify(QStringLiteral("a"),
                         QSseEvent(QByteArray::number(++published) + ' ' + filler));
        QTRY_COMPARE(quick->events().size(), published);
    }
    QCOMPARE(removed.size(), 1);
    QCOMPARE(removed.at(0).at(0).value<QSseSubscriber>(), slowSubscriber);
    QCOMPARE(removed.at(0).at(1).value<RemovalReason>(), RemovalReason::Overflow);
    QCOMPARE(f.server->subscriberCount(), 1);
}

// Publishes under both topics until the client's queue is full; answers the last number of each.
namespace {
int overflow(Fixture *f)
{
    QSignalSpy overflowed(f->server.get(), &QSseServer::subscriberOverflowed);
    const QByteArray filler(100'000, 'x');
    int number = 0;
    while (overflowed.isEmpty() && number < 5000) {
        ++number;
        for (const char *topic : { "t/a", "t/b" }) {
            f->server->notify(
                QLatin1String(topic),
                QSseEvent(QByteArray(topic) + ' ' + QByteArray::number(number) + ' ' + filler));
        }
        QCoreApplication::processEvents();
    }
    return overflowed.isEmpty() ? 0 : number;
}

QStringList withoutFiller(const QStringList &data)
{
    QStringList shortened;
    for (const QString &text : data)
        shortened.append(text.section(QLatin1Char(' '), 0, 1));
    return shortened;
}
} // namespace

void TestQSseServer::conflatesForTheSlow()
{
    Fixture f;
    f.server->setMaximumQueuedBytes(64 * 1024);
    f.server->setHistorySize(1); // no more is needed
    f.server->setOverflowPolicy(QSseSubscriber::OverflowPolicy::Conflate);
    QSignalSpy removed(f.server.get(), &QSseServer::subscriberRemoved);
    const auto client = f.connectClient({ "t/*" });
    QTRY_VERIFY(!client->body().isEmpty());
    client->stopReading();
    const int full = overflow(&f);
    QVERIFY(full > 0);
    // All of these are lost on it but the last.
    for (int number = full + 1; number <= full + 50; ++number) {
        f.server->notify(QStringLiteral("t/b"), QSseEvent("t/b " + QByteArray::number(number)));
        f.server->notify(QStringLiteral("t/a"), QSseEvent("t/a " + QByteArray::number(number)));
    }
    client->startReading();
    const QString lastA = QStringLiteral("t/a %1").arg(full + 50);
    QTRY_VERIFY(client->data().contains(lastA));
    f.server->notify(QStringLiteral("t/a"), QSseEvent("t/a live again"));
    QTRY_COMPARE(client->data().last(), QStringLiteral("t/a live again"));

    const QStringList got = withoutFiller(client->data());
    QVERIFY(got.contains(QStringLiteral("t/b %1").arg(full + 50)));
    QVERIFY(!got.contains(QStringLiteral("t/b %1").arg(full + 49)));
    QCOMPARE(QSet<QString>(got.begin(), got.end()).size(), got.size()); // each once
    for (const char *topic : { "t/a", "t/b" }) {
        int last = 0;
        for (const QString &text : got.filter(QLatin1String(topic)).mid(0, got.size() - 1)) {
            const int number = text.section(QLatin1Char(' '), 1).toInt();
            if (number == 0)
                continue; // the one without a number
            QVERIFY(number > last);
            last = number;
        }
    }
    QVERIFY(removed.isEmpty());
    QVERIFY(f.server->statistics().conflations > 0);
}

void TestQSseServer::dropsForTheSlow()
{
    Fixture f;
    f.server->setMaximumQueuedBytes(64 * 1024);
    QSignalSpy removed(f.server.get(), &QSseServer::subscriberRemoved);
    QSseSubscription subscription { { "t/*" } };
    subscription.overflowPolicy = QSseSubscriber::OverflowPolicy::Drop;
    const auto client = f.connectClient(subscription);
    QTRY_VERIFY(!client->body().isEmpty());
    client->stopReading();
    const int full = overflow(&f);
    QVERIFY(full > 0);
    for (int number = full + 1; number <= full + 50; ++number)
        f.server->notify(QStringLiteral("t/a"), QSseEvent("t/a " + QByteArray::number(number)));
    client->startReading();
    const auto hasGap = [&] {
        return !client->events().isEmpty()
            && client->events().last().event() == QStringLiteral("gap");
    };
    QTRY_VERIFY(hasGap());
    const QString id = f.server->notify(QStringLiteral("t/a"), QSseEvent("t/a live again"));
    QTRY_COMPARE(client->data().last(), QStringLiteral("t/a live again"));
    QCOMPARE(client->lastEventId(), id);
    QVERIFY(!withoutFiller(client->data()).contains(QStringLiteral("t/a %1").arg(full + 50)));

    // What it missed is kept, for whoever wants it.
    const QJsonObject gap = client->events().at(client->events().size() - 2).json().toObject();
    const auto missed =
        f.server->eventsSince(gap.value(QLatin1String("requested")).toString(), { "t/*" });
    QVERIFY(missed && missed->size() >= 50);
    QVERIFY(removed.isEmpty());
    QVERIFY(f.server->statistics().drops > 0);
}

void TestQSseServer::removesTheStalled()
{
    Fixture f;
    f.server->setMaximumQueuedBytes(64 * 1024);
    f.server->setStallTimeout(300ms);
    QSignalSpy removed(f.server.get(), &QSseServer::subscriberRemoved);
    const auto stuck = f.connectClient({ "t/*" });
    const auto quick = f.connectClient({ "t/*" });
    QTRY_VERIFY(!quick->body().isEmpty());
    stuck->stopReading();
    const int full = overflow(&f);
    QVERIFY(full > 0);
    QTRY_COMPARE(removed.size(), 1);
    QCOMPARE(removed.at(0).at(1).value<RemovalReason>(), RemovalReason::Stalled);
    QCOMPARE(f.server->statistics().removed.value(RemovalReason::Stalled), 1);
    QTRY_COMPARE(quick->events().size(), 2 * full);

    // It comes back, and nothing is lost.
    stuck->startReading();
    QTRY_VERIFY(stuck->isEnded());
    const auto again = f.connectClient({ "t/*" }, stuck->lastEventId());
    QTRY_COMPARE(stuck->data() + again->data(), quick->data());
}

void TestQSseServer::keepsTheSlowThatReads()
{
    Fixture f;
    f.server->setMaximumQueuedBytes(64 * 1024);
    f.server->setStallTimeout(600ms);
    QSignalSpy removed(f.server.get(), &QSseServer::subscriberRemoved);
    const auto slow = f.connectClient({ "t/*" });
    QTRY_VERIFY(!slow->body().isEmpty());
    slow->stopReading();
    const int full = overflow(&f);
    QVERIFY(full > 0);
    // A little now and then: enough for the kernel to take more each time.
    QElapsedTimer clock;
    clock.start();
    while (clock.elapsed() < 2000) {
        slow->readSome(100'000);
        QTest::qWait(20);
    }
    QVERIFY(removed.isEmpty());
    slow->startReading();
    QTRY_COMPARE(slow->events().size(), 2 * full);
}

void TestQSseServer::endsExpired_data()
{
    QTest::addColumn<bool>("byLifetime");
    QTest::newRow("its own time") << false;
    QTest::newRow("the server's limit") << true;
}

void TestQSseServer::endsExpired()
{
    QFETCH(bool, byLifetime);
    Fixture f;
    QSignalSpy removed(f.server.get(), &QSseServer::subscriberRemoved);
    const auto other = f.connectClient({ "a" });
    QSseSubscription subscription { { "a" } };
    if (byLifetime)
        f.server->setMaximumStreamLifetime(100ms);
    else
        subscription.expiresAt = QDateTime::currentDateTimeUtc().addMSecs(100);
    const auto client = f.connectClient(subscription);
    const QSseSubscriber subscriber = f.subscriber;
    f.server->notify(QStringLiteral("a"), numbered(1));
    QTRY_COMPARE_WITH_TIMEOUT(removed.size(), 1, 2000);
    QCOMPARE(removed.at(0).at(0).value<QSseSubscriber>(), subscriber);
    QCOMPARE(removed.at(0).at(1).value<RemovalReason>(), RemovalReason::Expired);
    QTRY_VERIFY(client->isEnded());
    QCOMPARE(client->data(), numbers(1, 1));

    f.server->notify(QStringLiteral("a"), numbered(2));
    QTRY_COMPARE(other->data(), numbers(1, 2));
}

void TestQSseServer::livesOnWithoutDescriptors()
{
#ifdef __SANITIZE_ADDRESS__
    QSKIP("the sanitizers need descriptors for their own checks");
#endif
    Fixture f;
    const auto before = f.connectClient({ "a" });
    auto client = std::make_unique<StreamClient>(f.listener.serverPort());
    QTRY_VERIFY(f.listener.hasPendingConnections());
    QTcpSocket *socket = f.listener.nextPendingConnection();
    socket->setParent(nullptr);
    QVERIFY(!socket->parent()); // a sanitizer needs descriptors to look at it for the first time

    rlimit limit {};
    QCOMPARE(::getrlimit(RLIMIT_NOFILE, &limit), 0);
    const rlimit none { 0, limit.rlim_max };
    QCOMPARE(::setrlimit(RLIMIT_NOFILE, &none), 0);
    f.subscriber = f.server->addSubscriber(socket, QSseSubscription { { "a" } });
    QCOMPARE(::setrlimit(RLIMIT_NOFILE, &limit), 0);
    QVERIFY(f.subscriber.id() != 0);
    f.server->notify(QStringLiteral("a"), numbered(1));
    QTRY_COMPARE(client->data(), numbers(1, 1));
    QTRY_COMPARE(before->data(), numbers(1, 1));
}

void TestQSseServer::privateTopics()
{
    Fixture f;
    f.server->setPrivateTopics({ "user/**" });
    f.server->topic(QStringLiteral("user/ann"))->setSnapshot([] { return QSseEvent("state"); });
    f.server->notify(QStringLiteral("user/ann"), QSseEvent("old"));

    QSseSubscription ann { { "user/ann" } };
    QCOMPARE(f.server->refusal(ann)->error, QSseServer::Error::PrivateTopic);
    ann.grants = { "user/ann" };
    QVERIFY(!f.server->refusal(ann));
    const auto her = f.connectClient(ann);
    const auto anyone = f.connectClient({ "**" });
    const auto late = f.connectClient({ "user/*", "news" }, QStringLiteral("earliest"));
    QSseSubscription wildcard { { "**" } };
    wildcard.grants = { "user/*" };
    wildcard.lastEventId = QStringLiteral("earliest");
    const auto granted = f.connectClient(wildcard);

    f.server->notify(QStringLiteral("user/ann"), QSseEvent("for her"));
    f.server->notify(QStringLiteral("user/bob"), QSseEvent("for him"));
    f.server->notify(QStringLiteral("news"), QSseEvent("for all"));
    QTRY_COMPARE(her->data(), texts({ "state", "for her" }));
    QTRY_COMPARE(anyone->data(), texts({ "for all" }));
    QTRY_COMPARE(late->data(), texts({ "for all" }));
    QTRY_COMPARE(granted->data(), texts({ "old", "for her", "for him", "for all" }));
}

void TestQSseServer::privateTopicsChange()
{
    Fixture f;
    const auto client = f.connectClient({ "**" });
    f.server->notify(QStringLiteral("a"), numbered(1));
    f.server->setPrivateTopics({ "a" });
    f.server->notify(QStringLiteral("a"), numbered(2));
    f.server->notify(QStringLiteral("b"), numbered(3));
    f.server->setPrivateTopics({});
    f.server->notify(QStringLiteral("a"), numbered(4));
    QTRY_COMPARE(client->data(), texts({ "1", "3", "4" }));
}

void TestQSseServer::eventsByIdAndSince()
{
    Server server;
    server.setHistorySize(5);
    QStringList ids;
    for (int i = 1; i <= 6; ++i)
        ids.append(server.notify(QStringLiteral("t/%1").arg(i % 2), numbered(i)));
    QCOMPARE(server.event(QStringLiteral("t/0"), ids.at(1)).data(), QStringLiteral("2"));
    QVERIFY(server.event(QStringLiteral("t/1"), ids.at(1)).isNull());
    QVERIFY(server.event(QStringLiteral("t/0"), QStringLiteral("unknown")).isNull());

    const auto data = [](const std::optional<QList<QSseEvent>> &events) {
        QStringList all;
        for (const QSseEvent &event : *events)
            all.append(event.data());
        return all;
    };
    QCOMPARE(data(server.eventsSince(ids.at(2), { "t/*" })), numbers(4, 6));
    QCOMPARE(data(server.eventsSince(ids.at(2), { "t/0" })), texts({ "4", "6" }));
    QCOMPARE(data(server.eventsSince({}, { "t/*" })), numbers(1, 6));
    QCOMPARE(data(server.eventsSince({}, { "t/*" }, 2)), numbers(1, 2));
    QCOMPARE(data(server.eventsSince(ids.at(5), { "t/*" })), QStringList());
    QVERIFY(!server.eventsSince(QStringLiteral("unknown"), { "t/*" }));
    for (int i = 7; i <= 20; ++i)
        server.notify(QStringLiteral("t/0"), numbered(i));
    QVERIFY(!server.eventsSince(ids.at(2), { "t/*" })); // dropped since
    QCOMPARE(data(server.eventsSince(ids.at(2), { "t/1" })), texts({ "5" }));
}

void TestQSseServer::retentionOfTopics()
{
    Server server;
    server.setHistorySize(3);
    QSseTopic *topic = server.topic(QStringLiteral("a"));
    QCOMPARE(topic->retention().events, 3);
    topic->setRetention({ 1 });
    for (int i = 1; i <= 5; ++i) {
        topic->notify(i);
        server.notify(QStringLiteral("b"), numbered(i));
    }
    QCOMPARE(server.eventsSince({}, { "a" })->size(), 1);
    QCOMPARE(server.eventsSince({}, { "b" })->size(), 3);

    QSseEvent brief("brief");
    brief.setTtl(0ms);
    server.notify(QStringLiteral("c"), brief);
    QCOMPARE(server.eventsSince({}, { "c" })->size(), 0);
    server.setHistoryAge(1h);
    QCOMPARE(server.historyAge(), 1h);
    QCOMPARE(server.eventLog()->retention().age, 1h);
}

void TestQSseServer::countsWhatItDoes()
{
    Fixture f;
    const auto one = f.connectClient({ "a" });
    const auto two = f.connectClient({ "*" });
    for (int i = 1; i <= 3; ++i)
        f.server->notify(QStringLiteral("a"), numbered(i));
    f.server->notify(QStringLiteral("b"), numbered(4));
    QTRY_COMPARE(two->events().size(), 4);
    QTRY_COMPARE(one->events().size(), 3);
    one->socket().disconnectFromHost();
    QTRY_COMPARE(f.server->subscriberCount(), 1);
    const QSseServer::Statistics statistics = f.server->statistics();
    QCOMPARE(statistics.published, 4);
    QCOMPARE(statistics.deliveries, 7);
    QCOMPARE(statistics.subscribed, 2);
    QCOMPARE(statistics.overflows, 0);
    QCOMPARE(statistics.removed.value(RemovalReason::ClientClosed), 1);
}

void TestQSseServer::setsEventLog()
{
    Fixture f;
    const auto log = std::make_shared<QSseMemoryLog>();
    QSseEvent before("before");
    before.setTopic(QStringLiteral("a"));
    log->append(before);
    f.server->setEventLog(log);
    QCOMPARE(f.server->eventLog(), log);
    f.server->setHistorySize(2);
    QCOMPARE(log->retention().events, 2);
    const auto client = f.connectClient({ "a" }, QStringLiteral("earliest"));
    f.server->notify(QStringLiteral("a"), QSseEvent("after"));
    QTRY_COMPARE(client->data(), texts({ "before", "after" }));

    QTest::ignoreMessage(QtWarningMsg, QRegularExpression(QStringLiteral("cannot change")));
    f.server->setEventLog(std::make_shared<QSseMemoryLog>());
    QCOMPARE(f.server->eventLog(), log);
}

// More at once than may be queued: nobody had a chance to read, so nobody is removed.
void TestQSseServer::burstLargerThanQueue()
{
    Fixture f;
    f.server->setMaximumQueuedBytes(64 * 1024);
    QSignalSpy removed(f.server.get(), &QSseServer::subscriberRemoved);
    const auto one = f.connectClient({ "a" });
    const auto two = f.connectClient({ "*" });
    QTRY_VERIFY(!two->body().isEmpty());
    const QByteArray filler(50'000, 'x');
    for (int i = 1; i <= 300; ++i)
        f.server->notify(QStringLiteral("a"), QSseEvent(QByteArray::number(i) + ' ' + filler));
    for (const StreamClient *client : { one.get(), two.get() }) {
        QTRY_COMPARE(client->events().size(), 300);
        const QStringList data = client->data();
        for (int i = 0; i < data.size(); ++i)
            QCOMPARE(data.at(i).section(QLatin1Char(' '), 0, 0).toInt(), i + 1);
    }
    f.server->notify(QStringLiteral("a"), QSseEvent("live again"));
    QTRY_COMPARE(one->data().last(), QStringLiteral("live again"));
    QTRY_COMPARE(two->data().last(), QStringLiteral("live again"));
    QVERIFY(removed.isEmpty());
}

void TestQSseServer::removalReasons()
{
    Fixture f;
    QSignalSpy added(f.server.get(), &QSseServer::subscriberAdded);
    QSignalSpy removed(f.server.get(), &QSseServer::subscriberRemoved);
    QSignalSpy counts(f.server.get(), &QSseServer::subscriberCountChanged);
    const auto reason = [&] { return removed.last().at(1).value<RemovalReason>(); };

    const auto leaving = f.connectClient({ "a" });
    QTRY_VERIFY(!leaving->body().isEmpty());
    leaving->socket().disconnectFromHost();
    QTRY_COMPARE(removed.size(), 1);
    QCOMPARE(reason(), RemovalReason::ClientClosed);

    const auto ended = f.connectClient({ "a" });
    f.server->notify(QStringLiteral("a"), QSseEvent("last words"));
    f.server->disconnectSubscriber(f.subscriber.id());
    QTRY_COMPARE(removed.size(), 2);
    QCOMPARE(reason(), RemovalReason::Disconnected);
    QTRY_VERIFY(ended->isEnded());
    QCOMPARE(ended->data(), QStringList(QStringLiteral("last words")));
    QCOMPARE(added.size(), 2);
    QCOMPARE(counts.size(), 4);
    QCOMPARE(f.server->subscriberCount(), 0);
    f.server->disconnectSubscriber(4711); // nobody: nothing happens
}

void TestQSseServer::disconnectAllAndResume()
{
    Fixture f;
    const auto first = f.connectClient({ "a" });
    f.server->notify(QStringLiteral("a"), numbered(1));
    QTRY_COMPARE(first->events().size(), 1);
    f.server->disconnectAll();
    QTRY_VERIFY(first->isEnded());
    f.server->notify(QStringLiteral("a"), numbered(2));
    const auto second = f.connectClient({ "a" }, first->lastEventId());
    f.server->notify(QStringLiteral("a"), numbered(3));
    QTRY_COMPARE(second->data(), numbers(2, 3));
}

void TestQSseServer::ignoresFurtherInput()
{
    Fixture f;
    const auto client = f.connectClient({ "a" });
    QTRY_VERIFY(!client->body().isEmpty());
    client->socket().write(QByteArray(1'000'000, 'x'));
    QTRY_COMPARE(client->socket().bytesToWrite(), 0);
    f.server->notify(QStringLiteral("a"), numbered(1));
    QTRY_COMPARE(client->data(), numbers(1, 1));
}

void TestQSseServer::closes()
{
    Fixture f;
    f.server->setRetryInterval(500ms);
    QSignalSpy closed(f.server.get(), &QSseServer::closed);
    QSignalSpy removed(f.server.get(), &QSseServer::subscriberRemoved);
    const auto reading = f.connectClient({ "a" });
    const auto stuck = f.connectClient({ "a" });
    stuck->stopReading();
    for (int i = 0; i < 40; ++i)
        f.server->notify(QStringLiteral("a"), QSseEvent(QByteArray(500'000, 'x')));

    QTRY_COMPARE(reading->events().size(), 40);

    f.server->close(300ms);
    QTRY_COMPARE(closed.size(), 1);
    QCOMPARE(removed.size(), 2);
    QTRY_VERIFY(reading->isEnded());
    QVERIFY(reading->retry() >= 500ms && reading->retry() <= 1000ms);

    // Refused, and nothing else happens.
    QTest::ignoreMessage(QtWarningMsg, "The server is closing");
    const auto late = f.connectClient({ "a" });
    QTRY_VERIFY(late->isEnded());
    QCOMPARE(f.subscriber.id(), 0U);

    QSseServer empty;
    QSignalSpy emptyClosed(&empty, &QSseServer::closed);
    empty.close();
    QTRY_COMPARE(emptyClosed.size(), 1);
}

void TestQSseServer::closesOnce()
{
    Fixture f;
    QSignalSpy closed(f.server.get(), &QSseServer::closed);
    connect(f.server.get(), &QSseServer::subscriberRemoved, this, [&] { f.server->close(); });
    const auto client = f.connectClient({ "a" });
    f.server->disconnectAll();
    QTRY_COMPARE(closed.size(), 1);
    f.server->close();
    QTest::qWait(20);
    QCOMPARE(closed.size(), 1);
}

void TestQSseServer::closesInTime_data()
{
    QTest::addColumn<bool>("disconnected");
    QTest::addColumn<int>("grace");
    QTest::newRow("no grace") << false << 0;
    QTest::newRow("negative") << false << -1;
    QTest::newRow("while being disconnected") << true << 50;
}

void TestQSseServer::closesInTime()
{
    QFETCH(bool, disconnected);
    QFETCH(int, grace);
    Fixture f;
    QSignalSpy closed(f.server.get(), &QSseServer::closed);
    const auto stuck = f.connectClient({ "a" });
    QTRY_VERIFY(!stuck->body().isEmpty());
    stuck->stopReading();
    for (int i = 0; i < 40; ++i)
        f.server->notify(QStringLiteral("a"), QSseEvent(QByteArray(500'000, 'x')));
    QTest::qWait(50);
    if (disconnected)
        f.server->disconnectAll();
    f.server->close(std::chrono::milliseconds(grace));
    QTRY_COMPARE_WITH_TIMEOUT(closed.size(), 1, 1000);
}

// What goes out of the history while a stream ends is no reason to cut it.
void TestQSseServer::closesWhoeverReadsSlowly()
{
    Fixture f;
    f.server->setMaximumQueuedBytes(64 * 1024);
    f.server->setHistorySize(200);
    QSignalSpy removed(f.server.get(), &QSseServer::subscriberRemoved);
    const auto slow = f.connectClient({ "a" });
    QTRY_VERIFY(!slow->body().isEmpty());
    slow->stopReading();
    const QSseEvent event(QByteArray(50'000, 'x'));
    for (int i = 0; i < 200; ++i)
        f.server->notify(QStringLiteral("a"), event);
    QTest::qWait(150);
    f.server->close(10s);
    for (int i = 0; i < 400; ++i)
        f.server->notify(QStringLiteral("a"), event);
    QTest::qWait(150);
    f.server->notify(QStringLiteral("a"), event);
    QTest::qWait(20);
    QVERIFY(removed.isEmpty());
    slow->startReading();
    QTRY_COMPARE(removed.size(), 1);
    QCOMPARE(removed.at(0).at(1).value<RemovalReason>(), RemovalReason::ServerClosed);
}

void TestQSseServer::refusesSubscribers()
{
    Fixture f;
    const auto refusal = [&](const QList<QSseTopicFilter> &topics) {
        const auto refused = f.server->refusal(QSseSubscription { topics });
        return refused ? refused->error : QSseServer::Error::Closed;
    };
    QCOMPARE(refusal({}), QSseServer::Error::InvalidFilter);
    QCOMPARE(refusal({ "a/**/b" }), QSseServer::Error::InvalidFilter);
    QCOMPARE(refusal(QList<QSseTopicFilter>(101, "a")), QSseServer::Error::InvalidFilter);
    QVERIFY(!f.server->refusal(QSseSubscription { QList<QSseTopicFilter>(100, "a") }));

    f.server->setMaximumSubscribers(1);
    const auto first = f.connectClient({ "a" });
    QTest::ignoreMessage(QtWarningMsg, "There are 1 subscribers already");
    const auto second = f.connectClient({ "a" });
    QCOMPARE(f.subscriber.id(), 0U);
    QTRY_VERIFY(second->isEnded());
    QVERIFY(!first->isEnded());

    f.server->setMaximumSubscribers(10);
    auto unconnected = std::make_unique<QTcpSocket>();
    QTest::ignoreMessage(QtWarningMsg, "The socket is not connected");
    QCOMPARE(f.server->addSubscriber(unconnected.release(), QSseSubscription { { "a" } }).id(), 0U);
    QTest::ignoreMessage(QtWarningMsg, "The socket is not connected");
    QCOMPARE(f.server->addSubscriber(nullptr, QSseSubscription { { "a" } }).id(), 0U);
}

void TestQSseServer::refusesBeyondLimits()
{
    Fixture f;
    f.server->setMaximumFilters(2);
    QVERIFY(!f.server->refusal(QSseSubscription { { "a", "b" } }));
    QCOMPARE(f.server->refusal(QSseSubscription { { "a", "b", "c" } })->error,
             QSseServer::Error::InvalidFilter);

    f.server->setMaximumTopicSize(4);
    QVERIFY(!f.server->notify(QString(2, QChar(0xe4)), numbered(1)).isNull());
    QTest::ignoreMessage(QtWarningMsg, QRegularExpression(QStringLiteral("more than 4 bytes")));
    QVERIFY(f.server->notify(QStringLiteral("abcde"), numbered(1)).isNull());
    QTest::ignoreMessage(QtWarningMsg, QRegularExpression(QStringLiteral("more than 4 bytes")));
    QVERIFY(!f.server->topic(QStringLiteral("abcde")));

    f.server->setMaximumSubscribersPerAddress(2);
    const auto one = f.connectClient({ "a" });
    auto two = f.connectClient({ "a" });
    QTest::ignoreMessage(QtWarningMsg, QRegularExpression(QStringLiteral("from this address")));
    const auto three = f.connectClient({ "a" });
    QCOMPARE(f.subscriber.id(), 0);
    QTRY_VERIFY(three->isEnded());
    const QSseSubscription another { { "a" } };
    QCOMPARE(f.server->refusal(another, QHostAddress(QHostAddress::LocalHost))->error,
             QSseServer::Error::TooManyFromAddress);
    QVERIFY(!f.server->refusal(another, QHostAddress(QStringLiteral("192.0.2.1"))));
    two.reset();
    QTRY_COMPARE(f.server->subscriberCount(), 1);
    QVERIFY(!f.server->refusal(another, QHostAddress(QHostAddress::LocalHost)));
}

void TestQSseServer::subscriberInformation()
{
    Fixture f;
    const auto client = f.connectClient({ "a", "b/*" }, QStringLiteral("x"));
    const QSseSubscriber subscriber = f.subscriber;
    QVERIFY(subscriber.id() != 0);
    QCOMPARE(subscriber.topics(), QList<QSseTopicFilter>({ "a", "b/*" }));
    QCOMPARE(subscriber.lastEventId(), QStringLiteral("x"));
    QCOMPARE(subscriber.peerPort(), client->socket().localPort());
    QCOMPARE(subscriber.peerAddress(), QHostAddress(QHostAddress::LocalHost));
    QVERIFY(subscriber.connectedAt().secsTo(QDateTime::currentDateTimeUtc()) < 60);
    QCOMPARE(f.server->subscribers(), QList<QSseSubscriber>({ subscriber }));
}

void TestQSseServer::destroyedWithSubscribers()
{
    Fixture f;
    std::vector<std::unique_ptr<StreamClient>> clients;
    for (int i = 0; i < 20; ++i)
        clients.push_back(f.connectClient({ "a" }));
    f.server->notify(QStringLiteral("a"), numbered(1));
    f.server.reset();
    for (const auto &client : clients)
        QTRY_VERIFY(client->isEnded());
}

void TestQSseServer::destroyedByItsOwnSignal()
{
    Fixture f;
    const auto client = f.connectClient({ "a" });
    QTRY_VERIFY(!client->body().isEmpty());
    connect(f.server.get(), &QSseServer::subscriberRemoved, this, [&] { f.server.reset(); });
    client->socket().disconnectFromHost();
    QTRY_VERIFY(!f.server);

    f.server = std::make_unique<QSseServer>();
    connect(f.server.get(), &QSseServer::notified, this, [&] { f.server.reset(); });
    f.server->notify(QStringLiteral("a"), numbered(1));
    f.server->notify(QStringLiteral("a"), numbered(2));
    QTRY_VERIFY(!f.server);

    f.server = std::make_unique<QSseServer>();
    connect(f.server.get(), &QSseServer::subscriberAdded, this, [&] { f.server.reset(); });
    const auto late = f.connectClient({ "a" });
    QVERIFY(!f.server);
    QTRY_VERIFY(late->isEnded());
}

QTEST_GUILESS_MAIN(TestQSseServer)
#include "tst_qsseserver.moc"
