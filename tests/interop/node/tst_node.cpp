// SPDX-License-Identifier: MIT
// Node's own EventSource as the client: of qsse-hub, and of a server here that can cut streams.

#include "hubprocess.h"
#include "watchrecord.h"

#include <QSseHttpServer>
#include <QSseServer>

#include <QtCore/QStandardPaths>
#include <QtTest/QtTest>

using namespace std::chrono_literals;

namespace {

constexpr int Patience = 20'000;
constexpr char Flag[] = "--experimental-eventsource";

/*! client.mjs at work. */
class NodeClient : public ChildProcess
{
public:
    explicit NodeClient(const QByteArray &url, const QByteArrayList &types = {})
        : ChildProcess(
            QStringLiteral("node"),
            QByteArrayList { Flag, "--no-warnings", QFINDTESTDATA("client.mjs").toUtf8(), url }
                + types)
    {
        start();
    }

    /*! Each line it wrote, in the form of WatchRecord. */
    QByteArrayList records() const
    {
        QByteArrayList lines = output().split('\n');
        lines.removeLast(); // empty or unfinished
        for (QByteArray &line : lines)
            line = WatchRecord::fromJson(QJsonDocument::fromJson(line).object());
        return lines;
    }
};

} // namespace

class tst_Node : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void initTestCase();
    void init();
    void cleanup();

    void hub();
    void fields();
    void resume();
    void resumeFromIdOnlyBlock();
    void staysAway_data();
    void staysAway();

private:
    QByteArray url(const QByteArray &target) const;

    std::unique_ptr<QSseServer> m_server;
    std::unique_ptr<QSseHttpServer> m_http;
    QList<QSseSubscriber> m_added;
};

void tst_Node::initTestCase()
{
    if (QStandardPaths::findExecutable(QStringLiteral("node")).isEmpty())
        QSKIP("node is not installed");
    ChildProcess probe(QStringLiteral("node"), { Flag, "-e", "new EventSource('data:,')" });
    probe.start();
    QVERIFY(probe.waitForFinished());
    if (probe.exitCode() != 0)
        QSKIP("this node has no --experimental-eventsource");
}

void tst_Node::init()
{
    m_server = std::make_unique<QSseServer>();
    m_server->setRetryInterval(50ms);
    connect(m_server.get(), &QSseServer::subscriberAdded, this,
            [this](const QSseSubscriber &subscriber) { m_added.append(subscriber); });
    m_http = std::make_unique<QSseHttpServer>(m_server.get());
    QVERIFY(m_http->addEventStream(QStringLiteral("/events")));
    QVERIFY(m_http->listen(QHostAddress::LocalHost) != 0);
}

void tst_Node::cleanup()
{
    m_http.reset();
    m_server.reset();
    m_added.clear();
}

QByteArray tst_Node::url(const QByteArray &target) const
{
    return "http://127.0.0.1:" + QByteArray::number(m_http->serverPorts().constFirst()) + target;
}

void tst_Node::hub()
{
    if (QStandardPaths::findExecutable(QStringLiteral("curl")).isEmpty())
        QSKIP("curl is not installed");
    HubProcess hub;
    QVERIFY2(hub.listen(), hub.errors().constData());
    NodeClient client(hub.url("/events?topic=a/*"), { "rate" });
    QByteArrayList expected { WatchRecord::opened() };
    QTRY_COMPARE_WITH_TIMEOUT(client.records(), expected, Patience);

    const auto publish = [&](const QByteArray &target, const QByteArray &body) {
        Curl curl(hub.url(target), Curl::post(), body);
        curl.waitForFinished();
        return QString::fromUtf8(curl.body());
    };
    expected.append(WatchRecord::message(QStringLiteral("plain"), publish("/topics/a/b", "plain")));
    publish("/topics/a/c?event=rate&id=own", "1.5");
    expected.append(
        WatchRecord::event(QStringLiteral("rate"), QStringLiteral("1.5"), QStringLiteral("own")));
    QTRY_COMPARE_WITH_TIMEOUT(client.records(), expected, Patience);
}

void tst_Node::fields()
{
    NodeClient client(url("/events?topic=a"), { "named" });
    QByteArrayList expected { WatchRecord::opened() };
    QTRY_COMPARE_WITH_TIMEOUT(client.records(), expected, Patience);

    const QString data[] = {
        QStringLiteral("plain"),
        QStringLiteral(""),
        QStringLiteral("  spaces "),
        QStringLiteral("a\nb\n\nc\n"),
        QStringLiteral("data: x"),
        QString::fromUtf8("grüß 日本 🎉"),
        QString(100'000, QLatin1Char('x')),
    };
    for (const QString &text : data) {
        const QString id = m_server->notify(QStringLiteral("a"), QSseEvent(text));
        expected.append(WatchRecord::message(text, id));
    }
    QSseEvent comment;
    comment.setComment(QStringLiteral("not to be seen"));
    m_server->notify(QStringLiteral("a"), comment);
    QSseEvent named(QStringLiteral("x"));
    named.setEvent(QStringLiteral("named"));
    named.setId(QString::fromUtf8("ü 1"));
    m_server->notify(QStringLiteral("a"), named);
    expected.append(WatchRecord::event(named.event(), named.data(), named.id()));
    // Each kind of line break reads as LF.
    const QString id = m_server->notify(QStringLiteral("a"), QSseEvent("a\rb\r\nc\n\rd"));
    expected.append(WatchRecord::message(QStringLiteral("a\nb\nc\n\nd"), id));
    QTRY_COMPARE_WITH_TIMEOUT(client.records(), expected, Patience);
}

// Cut again and again, with events published while it is away: each comes once, in order.
void tst_Node::resume()
{
    NodeClient client(url("/events?topic=a"));
    QByteArrayList expected { WatchRecord::opened() };
    QTRY_COMPARE_WITH_TIMEOUT(client.records(), expected, Patience);

    int number = 0;
    QString lastId;
    const auto publish = [&] {
        const QString data = QString::number(++number);
        lastId = m_server->notify(QStringLiteral("a"), QSseEvent(data));
        expected.append(WatchRecord::message(data, lastId));
    };
    for (qsizetype round = 1; round <= 3; ++round) {
        publish();
        QTRY_COMPARE_WITH_TIMEOUT(client.records(), expected, Patience);
        const QString seen = lastId;
        expected.append(WatchRecord::error(WatchRecord::Connecting));
        expected.append(WatchRecord::opened());
        const auto away = connect(m_server.get(), &QSseServer::subscriberRemoved, this, [&] {
            publish();
            publish();
        });
        m_server->disconnectAll();
        QTRY_COMPARE_WITH_TIMEOUT(client.records(), expected, Patience);
        disconnect(away);
        QCOMPARE(m_added.size(), round + 1);
        QCOMPARE(m_added.last().lastEventId(), seen);
    }
}

// The opening and an event with an id alone move the id, though nothing is dispatched.
void tst_Node::resumeFromIdOnlyBlock()
{
    const QString before = m_server->notify(QStringLiteral("a"), QSseEvent("before"));
    NodeClient client(url("/events?topic=a"));
    QByteArrayList expected { WatchRecord::opened() };
    QTRY_COMPARE_WITH_TIMEOUT(client.records(), expected, Patience);
    QTRY_COMPARE_WITH_TIMEOUT(m_added.size(), 1, Patience);

    m_server->disconnectAll();
    QTRY_COMPARE_WITH_TIMEOUT(m_added.size(), 2, Patience);
    QCOMPARE(m_added.last().lastEventId(), before);
    expected << WatchRecord::error(WatchRecord::Connecting) << WatchRecord::opened();
    QTRY_COMPARE_WITH_TIMEOUT(client.records(), expected, Patience);

    QSseEvent idOnly;
    idOnly.setId(QStringLiteral("here"));
    m_server->notify(QStringLiteral("a"), idOnly);
    m_server->disconnectAll();
    QTRY_COMPARE_WITH_TIMEOUT(m_added.size(), 3, Patience);
    QCOMPARE(m_added.last().lastEventId(), QStringLiteral("here"));
}

void tst_Node::staysAway_data()
{
    QTest::addColumn<QByteArray>("target");
    QTest::newRow("no content") << QByteArray("/gone");
    QTest::newRow("no such path") << QByteArray("/nowhere");
    QTest::newRow("bad filter") << QByteArray("/events?topic=a*");
}

void tst_Node::staysAway()
{
    QFETCH(QByteArray, target);
    m_http->route(QStringLiteral("/gone"),
                  [] { return QHttpServerResponse(QHttpServerResponse::StatusCode::NoContent); });
    NodeClient client(url(target));
    QTRY_COMPARE_WITH_TIMEOUT(client.records(),
                              QByteArrayList { WatchRecord::error(WatchRecord::Closed) }, Patience);
}

QTEST_GUILESS_MAIN(tst_Node)
#include "tst_node.moc"
