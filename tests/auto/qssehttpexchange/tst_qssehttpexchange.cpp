// SPDX-License-Identifier: MIT
#include "qssehttpexchange_p.h"
#include "rawclient.h"
#include "streamclient.h"

#include "qssehttpserver.h"
#include "qsseserver.h"
#include "qssestream.h"
#include "qssestream_p.h"

#include <QtNetwork/QTcpServer>
#include <QtTest/QTest>

#include <memory>
#include <vector>
#ifdef Q_OS_UNIX
#include <sys/socket.h>
#endif

using Status = QSseHttpExchange::Status;

namespace {

/*! Keeps every exchange at /later for the test to answer. */
class Fixture
{
public:
    Fixture()
    {
        http->route(QStringLiteral("/later"),
                    [this](const QHttpServerRequest &request, QSse::Responder responder) {
                        QSseHttpExchange exchange(http->httpServer(), request,
                                                  std::move(responder));
                        later.push_back(exchange.detach());
                    });
        http->route(QStringLiteral("/"), [this] {
            ++pages;
            return "page";
        });
        port = http->listen(QHostAddress::LocalHost);
    }

    QSseServer server;
    std::unique_ptr<QSseHttpServer> http = std::make_unique<QSseHttpServer>(&server);
    std::vector<std::shared_ptr<QSseHttpExchange>> later;
    int pages = 0;
    quint16 port = 0;
};

const QByteArray page = StreamClient::get("/");

} // namespace

class TestQSseHttpExchange : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void answersLater();
    void keepsTheRequest();
    void answersInOrder();
    void answersHalfClosed();
    void answersOnce();
    void answersWhenForgotten();
    void outlivesTheConnection();
    void outlivesTheServer();
    void streamsLater();
    void answersLaterElsewhere();
};

void TestQSseHttpExchange::answersLater()
{
    Fixture f;
    RawClient client(f.port, StreamClient::get("/later"));
    QTRY_COMPARE(f.later.size(), size_t(1));
    QTest::qWait(0);
    QCOMPARE(client.got(), QByteArray());
    f.later.at(0)->respond(Status::Created, { { "X", "y" } }, "late");
    QTRY_COMPARE(client.body(), QByteArray("late"));
    QCOMPARE(client.status(), 201);
    QVERIFY(client.hasHeader("X: y"));
    QVERIFY(client.hasHeader("Content-Length: 4"));
    client.send(page); // and the connection goes on
    QTRY_VERIFY(client.got().endsWith("page"));
}

void TestQSseHttpExchange::keepsTheRequest()
{
    Fixture f;
    RawClient client(
        f.port, "POST /later?a=b HTTP/1.1\r\nHost: h\r\nX-One: 1\r\nContent-Length: 3\r\n\r\nabc");
    QTRY_COMPARE(f.later.size(), size_t(1));
    const QSseHttpExchange &exchange = *f.later.at(0);
    QCOMPARE(exchange.method(), QSseHttpExchange::Method::Post);
    QCOMPARE(exchange.url().query(), QStringLiteral("a=b"));
    QCOMPARE(exchange.header("x-one"), QByteArray("1"));
    QCOMPARE(exchange.header("none"), QByteArray());
    QCOMPARE(exchange.body(), QByteArray("abc"));
    QCOMPARE(exchange.remoteAddress(), QHostAddress(QHostAddress::LocalHost));
}

// What is behind an unanswered request on the connection waits, and nothing else does.
void TestQSseHttpExchange::answersInOrder()
{
    Fixture f;
    RawClient client(f.port, StreamClient::get("/later") + page + StreamClient::get("/later"));
    QTRY_COMPARE(f.later.size(), size_t(1));
    RawClient other(f.port, page);
    QTRY_COMPARE(other.body(), QByteArray("page"));
    QCOMPARE(f.pages, 1);
    QCOMPARE(client.got(), QByteArray());

    f.later.at(0)->respond(Status::Ok, {}, "first");
    QTRY_COMPARE(f.later.size(), size_t(2));
    f.later.at(1)->respond(Status::Ok, {}, "third");
    QTRY_VERIFY(client.got().endsWith("third"));
    QCOMPARE(f.pages, 2);
    const QByteArray got = client.got();
    QVERIFY(got.indexOf("first") < got.indexOf("page"));
    QVERIFY(got.indexOf("first") > 0);
    QCOMPARE(got.count("HTTP/1.1 200 OK"), 3);
}

#ifdef Q_OS_UNIX
// The end of the client's side, seen before the answer, does not end the connection.
void TestQSseHttpExchange::answersHalfClosed()
{
    Fixture f;
    RawClient client(f.port, StreamClient::get("/later"));
    QTRY_COMPARE(f.later.size(), size_t(1));
    QCOMPARE(::shutdown(int(client.socket().socketDescriptor()), SHUT_WR), 0);
    RawClient other(f.port, page);
    QTRY_COMPARE(other.body(), QByteArray("page")); // so there was time to see it
    f.later.at(0)->respond(Status::Ok, {}, QByteArray(5'000'000, 'x'));
    QTRY_VERIFY(client.isEnded());
    QVERIFY(!client.wasReset());
    QCOMPARE(client.body().size(), 5'000'000);
}
#else
void TestQSseHttpExchange::answersHalfClosed()
{
    QSKIP("needs shutdown()");
}
#endif

void TestQSseHttpExchange::answersOnce()
{
    Fixture f;
    RawClient client(f.port, StreamClient::get("/later"));
    QTRY_COMPARE(f.later.size(), size_t(1));
    f.later.at(0)->respond(Status::Ok, {}, "one");
    f.later.at(0)->respond(Status::Ok, {}, "two");
    QCOMPARE(f.later.at(0)->takeSocket(), nullptr);
    client.send(page);
    QTRY_VERIFY(client.got().endsWith("page"));
    QVERIFY(!client.got().contains("two"));
}

void TestQSseHttpExchange::answersWhenForgotten()
{
    Fixture f;
    RawClient client(f.port, StreamClient::get("/later") + page);
    QTRY_COMPARE(f.later.size(), size_t(1));
    f.later.clear();
    QTRY_VERIFY(client.got().endsWith("page"));
    QCOMPARE(client.status(), 500);
}

void TestQSseHttpExchange::outlivesTheConnection()
{
    Fixture f;
    auto client = std::make_unique<RawClient>(f.port, StreamClient::get("/later"));
    QTRY_COMPARE(f.later.size(), size_t(1));
    client->socket().abort();
    RawClient next(f.port, page);
    QTRY_COMPARE(next.body(), QByteArray("page"));
    f.later.at(0)->respond(Status::Ok, {}, "nobody hears it");
    QCOMPARE(f.later.at(0)->takeSocket(), nullptr);
    RawClient last(f.port, page);
    QTRY_COMPARE(last.body(), QByteArray("page"));
}

void TestQSseHttpExchange::outlivesTheServer()
{
    Fixture f;
    RawClient client(f.port, StreamClient::get("/later"));
    RawClient other(f.port, StreamClient::get("/later"));
    QTRY_COMPARE(f.later.size(), size_t(2));
    f.http.reset();
    QTRY_VERIFY(client.isEnded());
    f.later.at(0)->respond(Status::Ok);
    f.later.clear();
}

void TestQSseHttpExchange::streamsLater()
{
    Fixture f;
    StreamClient client(f.port, StreamClient::get("/later"));
    QTRY_COMPARE(f.later.size(), size_t(1));
    QVERIFY(QSsePrivate::admitStream(*f.later.at(0)));
    QVERIFY(QSsePrivate::openStream(f.server, *f.later.at(0), { { "a" } }));
    f.server.notify(QStringLiteral("a"), QSseEvent("1"));
    QTRY_COMPARE(client.data(), QStringList(QStringLiteral("1")));
}

// Through a QHttpServer that is not ours.
void TestQSseHttpExchange::answersLaterElsewhere()
{
    QHttpServer http;
    std::vector<std::shared_ptr<QSseHttpExchange>> later;
    http.route(QStringLiteral("/later"),
               [&](const QHttpServerRequest &request, QSse::Responder responder) {
                   QSseHttpExchange exchange(&http, request, std::move(responder));
                   later.push_back(exchange.detach());
               });
    auto tcp = std::make_unique<QTcpServer>();
    QVERIFY(tcp->listen(QHostAddress::LocalHost));
    const quint16 port = tcp->serverPort();
    http.bind(tcp.release());

    RawClient client(port, StreamClient::get("/later"));
    QTRY_COMPARE(later.size(), size_t(1));
    auto gone = std::make_unique<RawClient>(port, StreamClient::get("/later"));
    QTRY_COMPARE(later.size(), size_t(2));
    gone->socket().abort();
    later.at(0)->respond(Status::Ok, {}, "late");
    QTRY_COMPARE(client.body(), QByteArray("late"));
    later.at(1)->respond(Status::Ok, {}, "nobody hears it");
    later.clear();
}

QTEST_GUILESS_MAIN(TestQSseHttpExchange)
#include "tst_qssehttpexchange.moc"
