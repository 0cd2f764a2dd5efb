// SPDX-License-Identifier: MIT
#include "eventsourceprobe.h"
#include "fakesseserver.h"
#include "selfsigned.h"

#include <qsseversion.h>

#include <QtCore/QThread>
#include <QtNetwork/QNetworkAccessManager>
#include <QtNetwork/QNetworkProxy>
#include <QtNetwork/QNetworkReply>
#include <QtTest/QtTest>

using namespace std::chrono_literals;
using Error = QSseEventSource::Error;
using ReadyState = QSseEventSource::ReadyState;
using Probe = EventSourceProbe;
using Then = FakeSseServer::Then;

namespace {
QStringList strings(std::initializer_list<const char *> list)
{
    QStringList all;
    for (const char *text : list)
        all << QString::fromUtf8(text);
    return all;
}
} // namespace

class tst_QSseEventSource : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void initTestCase();

    // First, so that OpenSSL is done with their threads before a leak checker looks at the end.
    void tlsIsVerified();
    void tlsNameIsVerified();
    void tlsHandshakeFails();

    void defaults();
    void properties();
    void receivesEvents();
    void orderOfSignals();
    void listeners();
    void listenerEndsWithItsContext();
    void listenerRunsInThreadOfItsContext();
    void requestHeaders();
    void comments();
    void opensBeforeTheBody();
    void split_data();
    void split();
    void largeStream_data();
    void largeStream();

    void lastEventIdPreset();
    void lastEventIdOnReconnect();
    void lastEventIdEmptied();
    void lastEventIdOfIdOnlyBlock();
    void lastEventIdRejected();
    void incompleteEventIsDiscarded();

    void reconnectsAfterEnd();
    void reconnectsAfterBreak();
    void reconnectsAfterHangUp();
    void reconnectsWhenServerAppears();
    void retry();
    void waitGrowsAndBeginsAnew();
    void endlessRetryIsKept();
    void eventTooLarge();

    void redirects_data();
    void redirects();
    void reconnectBeginsAtUrl();
    void redirectErrors_data();
    void redirectErrors();
    void redirectLoop();
    void statusErrors_data();
    void statusErrors();
    void contentTypes_data();
    void contentTypes();
    void contentEncodingIsRefused();
    void invalidUrl_data();
    void invalidUrl();

    void nothingAfterClose_data();
    void nothingAfterClose();
    void closeInMidBatch();
    void closeWhileWaiting();
    void reopenInHandler();
    void deleteInHandler_data();
    void deleteInHandler();
    void deleteWhileOpen();
    void openAfterClose();
    void setUrlWhileOpen();
    void eventLoopInHandler();

    void managerOfOnesOwn();
    void managerWithTimeout();
    void manySources();
};

void tst_QSseEventSource::initTestCase()
{
    // The machine's proxy settings have nothing to do with this.
    QNetworkProxy::setApplicationProxy(QNetworkProxy::NoProxy);
}

void tst_QSseEventSource::defaults()
{
    QSseEventSource source;
    QCOMPARE(source.url(), QUrl());
    QCOMPARE(source.readyState(), ReadyState::Closed);
    QCOMPARE(source.lastEventId(), QString());
    QCOMPARE(source.reconnectionTime(), 3s);
    QCOMPARE(source.maximumEventSize(), qsizetype(64 * 1024 * 1024));
    QVERIFY(source.networkAccessManager());
    QCOMPARE(source.networkAccessManager(), source.networkAccessManager());
    source.close();
    QCOMPARE(source.readyState(), ReadyState::Closed);
}

void tst_QSseEventSource::properties()
{
    QSseEventSource source;
    QSignalSpy urlChanged(&source, &QSseEventSource::urlChanged);
    QSignalSpy idChanged(&source, &QSseEventSource::lastEventIdChanged);
    const QUrl url(QStringLiteral("http://127.0.0.1/"));
    source.setUrl(url);
    source.setUrl(url);
    QCOMPARE(source.url(), url);
    QCOMPARE(urlChanged.count(), 1);

    source.setLastEventId(QStringLiteral("7"));
    source.setLastEventId(QStringLiteral("7"));
    QCOMPARE(source.lastEventId(), QStringLiteral("7"));
    QCOMPARE(idChanged.count(), 1);
    QCOMPARE(idChanged.at(0).at(0).toString(), QStringLiteral("7"));

    source.setReconnectionTime(-5ms);
    QCOMPARE(source.reconnectionTime(), 0ms);
    source.setMaximumEventSize(10);
    QCOMPARE(source.maximumEventSize(), qsizetype(10));

    QNetworkAccessManager manager;
    source.setNetworkAccessManager(&manager);
    QCOMPARE(source.networkAccessManager(), &manager);
    source.setNetworkAccessManager(nullptr);
    QVERIFY(source.networkAccessManager() != &manager);
}

void tst_QSseEventSource::receivesEvents()
{
    FakeSseServer server;
    server.answers = { FakeSseServer::stream(
        "data: one\n\nevent: rate\nid: 5\ndata: 1.09\ndata: 1.10\n\n") };
    Probe source(server.url());
    QSignalSpy messages(&source, &QSseEventSource::messageReceived);
    source.open();
    QCOMPARE(source.readyState(), ReadyState::Connecting);
    QTRY_COMPARE(source.events.size(), 2);
    QCOMPARE(source.readyState(), ReadyState::Open);
    QCOMPARE(source.states, (QList<ReadyState> { ReadyState::Connecting, ReadyState::Open }));

    QCOMPARE(source.events.at(0).type(), QStringLiteral("message"));
    QCOMPARE(source.events.at(0).data(), QStringLiteral("one"));
    QVERIFY(source.events.at(0).id().isEmpty());
    QCOMPARE(source.events.at(1).type(), QStringLiteral("rate"));
    QCOMPARE(source.events.at(1).data(), QStringLiteral("1.09\n1.10"));
    QCOMPARE(source.events.at(1).id(), QStringLiteral("5"));
    QCOMPARE(messages.count(), 1);

    server.send("data: live\n\n");
    QTRY_COMPARE(source.events.size(), 3);
    QCOMPARE(source.events.at(2).id(), QStringLiteral("5"));
    QCOMPARE(messages.count(), 2);
    QVERIFY(source.errors.isEmpty());

    // open() has nothing to do.
    source.open();
    server.send("data: more\n\n");
    QTRY_COMPARE(source.events.size(), 4);
    QCOMPARE(server.requests.size(), 1);
}

void tst_QSseEventSource::orderOfSignals()
{
    FakeSseServer server;
    server.answers = { FakeSseServer::stream(":hi\nid: 1\nevent: message\ndata: x\n\n") };
    QSseEventSource source(server.url());
    QStringList order;
    const auto note = [&order](const char *what) {
        return [&order, what] { order << QString::fromUtf8(what); };
    };
    source.addEventListener(QStringLiteral("message"), this,
                            [&](const QSseEvent &) { order << QStringLiteral("listener"); });
    connect(&source, &QSseEventSource::messageReceived, this, note("message"));
    connect(&source, &QSseEventSource::eventReceived, this, note("event"));
    connect(&source, &QSseEventSource::commentReceived, this, note("comment"));
    connect(&source, &QSseEventSource::lastEventIdChanged, this, note("id"));
    connect(&source, &QSseEventSource::opened, this, note("opened"));
    connect(&source, &QSseEventSource::readyStateChanged, this, note("state"));
    source.open();
    QTRY_COMPARE(
        order,
        strings({ "state", "state", "opened", "comment", "id", "event", "message", "listener" }));
}

void tst_QSseEventSource::listeners()
{
    FakeSseServer server;
    Probe source(server.url());
    QStringList rates;
    QStringList plain;
    const auto connection = source.addEventListener(
        QStringLiteral("rate"), this, [&](const QSseEvent &event) { rates << event.data(); });
    source.addEventListener(QStringLiteral("message"), this,
                            [&](const QSseEvent &event) { plain << event.data(); });
    QVERIFY(connection);
    QVERIFY(!source.addEventListener(QStringLiteral("rate"), this, {}));
    QVERIFY(!source.addEventListener(QStringLiteral("rate"), nullptr, [](const QSseEvent &) {}));

    source.open();
    QTRY_COMPARE(source.readyState(), ReadyState::Open);
    server.send("event: rate\ndata: a\n\nevent: Rate\ndata: b\n\ndata: c\n\n"
                "event: message\ndata: d\n\n");
    QTRY_COMPARE(source.events.size(), 4);
    QCOMPARE(rates, strings({ "a" }));
    QTRY_COMPARE(plain, strings({ "c", "d" }));

    disconnect(connection);
    server.send("event: rate\ndata: e\n\ndata: f\n\n");
    QTRY_COMPARE(plain.size(), 3);
    QCOMPARE(rates.size(), 1);
}

void tst_QSseEventSource::listenerEndsWithItsContext()
{
    FakeSseServer server;
    Probe source(server.url());
    auto context = std::make_unique<QObject>();
    int calls = 0;
    source.addEventListener(QStringLiteral("message"), context.get(), [&](const QSseEvent &) {
        ++calls;
        context.reset();
    });
    source.open();
    QTRY_COMPARE(source.readyState(), ReadyState::Open);
    server.send("data: 1\n\ndata: 2\n\n");
    QTRY_COMPARE(source.events.size(), 2);
    QCOMPARE(calls, 1);
}

void tst_QSseEventSource::listenerRunsInThreadOfItsContext()
{
    FakeSseServer server;
    server.answers = { FakeSseServer::stream("data: 1\n\n") };
    Probe source(server.url());
    QThread thread;
    QObject context;
    context.moveToThread(&thread);
    thread.start();
    const auto stop = qScopeGuard([&] {
        thread.quit();
        thread.wait();
    });
    QAtomicPointer<QThread> ranIn;
    source.addEventListener(QStringLiteral("message"), &context,
                            [&](const QSseEvent &) { ranIn = QThread::currentThread(); });
    source.open();
    QTRY_COMPARE(ranIn.loadRelaxed(), &thread);
}

void tst_QSseEventSource::requestHeaders()
{
    FakeSseServer server;
    Probe source(server.url(QStringLiteral("/events?topic=a/*&topic=b")));
    source.open();
    QTRY_COMPARE(server.requests.size(), 1);
    const FakeSseServer::Request request = server.requests.at(0);
    QCOMPARE(request.line, QByteArray("GET /events?topic=a/*&topic=b HTTP/1.1"));
    QCOMPARE(request.values("Accept"), QList<QByteArray> { "text/event-stream" });
    QCOMPARE(request.values("Cache-Control"), QList<QByteArray> { "no-cache" });
    QCOMPARE(request.values("Accept-Encoding"), QList<QByteArray> { "gzip" });
    QCOMPARE(request.values("User-Agent"), QList<QByteArray> { "QSse/" QSSE_VERSION_STR });
    QVERIFY(!request.has("Last-Event-ID"));
    QVERIFY(!request.has("Pragma"));
    QVERIFY(!request.has("Upgrade"));
    QVERIFY(!request.has("If-None-Match"));
}

void tst_QSseEventSource::comments()
{
    FakeSseServer server;
    server.answers = { FakeSseServer::stream(":\n\n: keep-alive\n\ndata: a\n: inside é\n\n") };
    Probe source(server.url());
    QSignalSpy comments(&source, &QSseEventSource::commentReceived);
    source.open();
    QTRY_COMPARE(source.events.size(), 1);
    QCOMPARE(comments.count(), 3);
    QCOMPARE(comments.at(0).at(0).toString(), QString());
    QCOMPARE(comments.at(1).at(0).toString(), QStringLiteral("keep-alive"));
    QCOMPARE(comments.at(2).at(0).toString(), QString::fromUtf8("inside é"));
}

void tst_QSseEventSource::opensBeforeTheBody()
{
    FakeSseServer server;
    server.answers = { FakeSseServer::chunkedStream() };
    Probe source(server.url());
    source.open();
    QTRY_COMPARE(source.log, strings({ "opened" }));
    QCOMPARE(source.readyState(), ReadyState::Open);
    server.sendChunk("data: a\n\n");
    QTRY_COMPARE(source.data(), strings({ "a" }));
}

void tst_QSseEventSource::split_data()
{
    QTest::addColumn<QList<QByteArray>>("pieces");
    using Pieces = QList<QByteArray>;
    const QByteArray bom("\xef\xbb\xbf");
    const QByteArray e("\xc3\xa9");
    QTest::newRow("LF") << Pieces { "data: a" + e + "\n\n" };
    QTest::newRow("CR") << Pieces { "data: a" + e + "\r", "\r" };
    QTest::newRow("CRLF") << Pieces { "data: a" + e + "\r", "\n\r", "\n" };
    QTest::newRow("BOM") << Pieces { bom + "data: a" + e + "\n\n" };
    QTest::newRow("split BOM") << Pieces { bom.left(1), bom.mid(1, 1), bom.mid(2), "data: a" + e,
                                           "\n\n" };
    QTest::newRow("split UTF-8") << Pieces { "data: a" + e.left(1), e.mid(1), "\n\n" };
    Pieces bytes;
    for (const char c : bom + "data: a" + e + "\r\n\r\n")
        bytes << QByteArray(1, c);
    QTest::newRow("single bytes") << bytes;
}

void tst_QSseEventSource::split()
{
    QFETCH(QList<QByteArray>, pieces);
    FakeSseServer server;
    server.answers = { FakeSseServer::stream(pieces) };
    Probe source(server.url());
    source.open();
    QTRY_COMPARE(source.events.size(), 1);
    QCOMPARE(source.events.at(0).data(), QString::fromUtf8("aé"));
    // Whatever is left of a CRLF is no blank line.
    server.send("\ndata: b\n\n");
    QTRY_COMPARE(source.events.size(), 2);
    QCOMPARE(source.events.at(1).data(), QStringLiteral("b"));
}

void tst_QSseEventSource::largeStream_data()
{
    QTest::addColumn<bool>("chunked");
    QTest::addColumn<bool>("withLength");
    QTest::newRow("until the end") << false << false;
    QTest::newRow("chunked") << true << false;
    QTest::newRow("with a length") << false << true;
}

// Far more than the reply buffers: reading has to go on after the buffer was full.
void tst_QSseEventSource::largeStream()
{
    QFETCH(bool, chunked);
    QFETCH(bool, withLength);
    const QByteArray event = "data: " + QByteArray(10'000, 'x') + "\n\n";
    constexpr int Count = 800;
    const QByteArray body = event.repeated(Count);

    FakeSseServer server;
    if (chunked)
        server.answers = { FakeSseServer::chunkedStream() };
    else if (withLength)
        server.answers = { FakeSseServer::status("200 OK", "Content-Type: text/event-stream\r\n",
                                                 body) };
    else
        server.answers = { FakeSseServer::stream(body, Then::End) };
    server.answers << FakeSseServer::status("204 No Content");

    Probe source(server.url());
    QTest::ignoreMessage(QtWarningMsg, QRegularExpression(QStringLiteral("NoContent")));
    source.open();
    if (chunked) {
        QTRY_COMPARE(source.readyState(), ReadyState::Open);
        for (int i = 0; i < Count; ++i)
            server.sendChunk(event);
        server.send("0\r\n\r\n");
    }
    QTRY_COMPARE(source.readyState(), ReadyState::Closed);
    QCOMPARE(source.events.size(), Count);
    QCOMPARE(source.events.last().data().size(), 10'000);
    QCOMPARE(source.errors, (QList<Error> { Error::StreamEnded, Error::NoContent }));
}

void tst_QSseEventSource::lastEventIdPreset()
{
    FakeSseServer server;
    Probe source(server.url());
    source.setLastEventId(QString::fromUtf8("é/1"));
    source.open();
    QTRY_COMPARE(server.requests.size(), 1);
    QCOMPARE(server.requests.at(0).header("Last-Event-ID"), QByteArray("é/1"));
}

void tst_QSseEventSource::lastEventIdOnReconnect()
{
    FakeSseServer server;
    server.answers = { FakeSseServer::stream("id: 1\ndata: a\n\nid: 2\ndata: b\n\n", Then::End),
                       FakeSseServer::stream("data: c\n\n") };
    Probe source(server.url());
    QSignalSpy changes(&source, &QSseEventSource::lastEventIdChanged);
    source.open();
    QTRY_COMPARE(source.events.size(), 3);
    QVERIFY(!server.requests.at(0).has("Last-Event-ID"));
    QCOMPARE(server.requests.at(1).header("Last-Event-ID"), QByteArray("2"));
    QCOMPARE(source.events.at(2).id(), QStringLiteral("2"));
    QCOMPARE(source.lastEventId(), QStringLiteral("2"));
    QCOMPARE(changes.count(), 2);
}

void tst_QSseEventSource::lastEventIdEmptied()
{
    FakeSseServer server;
    server.answers = { FakeSseServer::stream("id\ndata: a\n\n", Then::End),
                       FakeSseServer::stream() };
    Probe source(server.url());
    source.setLastEventId(QStringLiteral("9"));
    source.open();
    QTRY_COMPARE(server.requests.size(), 2);
    QCOMPARE(server.requests.at(0).header("Last-Event-ID"), QByteArray("9"));
    QVERIFY(!server.requests.at(1).has("Last-Event-ID"));
    QCOMPARE(source.lastEventId(), QString());
}

void tst_QSseEventSource::lastEventIdOfIdOnlyBlock()
{
    FakeSseServer server;
    Probe source(server.url());
    QSignalSpy changes(&source, &QSseEventSource::lastEventIdChanged);
    source.open();
    QTRY_COMPARE(source.readyState(), ReadyState::Open);
    server.send("id: 11\n\n");
    QTRY_COMPARE(changes.count(), 1);
    QCOMPARE(source.lastEventId(), QStringLiteral("11"));
    QVERIFY(source.events.isEmpty());
    server.end();
    QTRY_COMPARE(server.requests.size(), 2);
    QCOMPARE(server.requests.at(1).header("Last-Event-ID"), QByteArray("11"));
    QCOMPARE(changes.count(), 1);
}

void tst_QSseEventSource::lastEventIdRejected()
{
    QSseEventSource source;
    source.setLastEventId(QStringLiteral("good"));
    for (const char16_t c : { u'\r', u'\n', u'\0' }) {
        QTest::ignoreMessage(QtWarningMsg, QRegularExpression(QStringLiteral("not a possible")));
        source.setLastEventId(QStringLiteral("1") + QChar(c) + QStringLiteral("X-Evil: 1"));
        QCOMPARE(source.lastEventId(), QStringLiteral("good"));
    }
}

void tst_QSseEventSource::incompleteEventIsDiscarded()
{
    FakeSseServer server;
    server.answers = { FakeSseServer::stream("id: 1\ndata: a\n\nid: 2\nevent: x\ndata: lost\n",
                                             Then::End),
                       FakeSseServer::stream("data: b\n\n") };
    Probe source(server.url());
    source.open();
    QTRY_COMPARE(source.events.size(), 2);
    QCOMPARE(source.data(), strings({ "a", "b" }));
    QCOMPARE(source.events.at(1).type(), QStringLiteral("message"));
    QCOMPARE(source.events.at(1).id(), QStringLiteral("1"));
    QCOMPARE(server.requests.at(1).header("Last-Event-ID"), QByteArray("1"));
}

void tst_QSseEventSource::reconnectsAfterEnd()
{
    FakeSseServer server;
    server.answers = { FakeSseServer::stream("data: a\n\n", Then::End),
                       FakeSseServer::stream("data: b\n\n") };
    Probe source(server.url());
    ReadyState stateAtError = ReadyState::Closed;
    connect(&source, &QSseEventSource::errorOccurred, this,
            [&] { stateAtError = source.readyState(); });
    source.open();
    QTRY_COMPARE(source.data(), strings({ "a", "b" }));
    QCOMPARE(source.errors, QList<Error> { Error::StreamEnded });
    QVERIFY(!source.errorText.isEmpty());
    QCOMPARE(stateAtError, ReadyState::Connecting);
    QCOMPARE(source.states,
             (QList<ReadyState> { ReadyState::Connecting, ReadyState::Open, ReadyState::Connecting,
                                  ReadyState::Open }));
    QCOMPARE(source.log, strings({ "opened", "opened" }));
}

void tst_QSseEventSource::reconnectsAfterBreak()
{
    FakeSseServer server;
    server.answers = { FakeSseServer::chunkedStream(), FakeSseServer::stream("data: b\n\n") };
    Probe source(server.url());
    source.open();
    QTRY_COMPARE(source.readyState(), ReadyState::Open);
    server.sendChunk("id: 1\ndata: a\n\nda");
    QTRY_COMPARE(source.events.size(), 1);
    server.end(); // the last chunk never came
    QTRY_COMPARE(source.data(), strings({ "a", "b" }));
    QCOMPARE(source.errors, QList<Error> { Error::NetworkError });
    QVERIFY(!source.errorText.isEmpty());
    QCOMPARE(server.requests.at(1).header("Last-Event-ID"), QByteArray("1"));
}

void tst_QSseEventSource::reconnectsAfterHangUp()
{
    FakeSseServer server;
    server.answers = QList<FakeSseServer::Answer>(9, FakeSseServer::hangUp());
    server.answers << FakeSseServer::stream("data: a\n\n");
    Probe source(server.url());
    source.open();
    QTRY_COMPARE(source.data(), strings({ "a" }));
    QCOMPARE(server.requests.size(), 10);
    QCOMPARE(source.errors, QList<Error>(9, Error::NetworkError)); // nothing was asked twice
    QCOMPARE(source.states, (QList<ReadyState> { ReadyState::Connecting, ReadyState::Open }));
}

void tst_QSseEventSource::reconnectsWhenServerAppears()
{
    FakeSseServer server;
    server.answers = { FakeSseServer::stream("data: a\n\n") };
    server.stopListening();
    Probe source(server.url());
    source.open();
    QTRY_VERIFY(source.errors.size() >= 2);
    QCOMPARE(source.errors.at(0), Error::NetworkError);
    QCOMPARE(source.readyState(), ReadyState::Connecting);
    QCOMPARE(source.states, QList<ReadyState> { ReadyState::Connecting });
    QVERIFY(server.listen());
    QTRY_COMPARE(source.data(), strings({ "a" }));
    QCOMPARE(source.states, (QList<ReadyState> { ReadyState::Connecting, ReadyState::Open }));
}

void tst_QSseEventSource::retry()
{
    FakeSseServer server;
    server.answers = { FakeSseServer::stream("retry: 200\n\nretry: no\n\ndata: a\n\n"),
                       FakeSseServer::stream() };
    Probe source(server.url());
    QSignalSpy changed(&source, &QSseEventSource::reconnectionTimeChanged);
    source.open();
    QTRY_COMPARE(source.events.size(), 1);
    QCOMPARE(source.reconnectionTime(), 200ms);
    QCOMPARE(changed.size(), 1);
    QElapsedTimer timer;
    connect(&source, &QSseEventSource::errorOccurred, this, [&] { timer.start(); });
    server.end();
    QTRY_COMPARE(source.log.size(), 2);
    // A fifth less by chance, and a coarse timer may be a twentieth early.
    QVERIFY2(timer.elapsed() >= 150, qPrintable(QString::number(timer.elapsed())));
    QCOMPARE(source.reconnectionTime(), 200ms);
}

void tst_QSseEventSource::waitGrowsAndBeginsAnew()
{
    FakeSseServer server;
    server.answers = { FakeSseServer::stream("data: a\n\n") };
    server.stopListening();
    Probe source(server.url());
    source.setReconnectionTime(10ms);
    QElapsedTimer timer;
    QList<qint64> waits;
    connect(&source, &QSseEventSource::errorOccurred, this, [&] {
        if (timer.isValid())
            waits << timer.elapsed();
        timer.start();
    });
    source.open();
    QTRY_COMPARE(waits.size(), 5); // at least 8, 16, 32, 64, 128
    for (int i = 0; i < waits.size(); ++i)
        QVERIFY2(waits.at(i) >= 7 << i, qPrintable(QString::number(waits.at(i))));

    QVERIFY(server.listen());
    QTRY_COMPARE(source.events.size(), 1);
    timer.start();
    server.end();
    QTRY_COMPARE(source.log.size(), 2);
    QVERIFY2(timer.elapsed() < 300, qPrintable(QString::number(timer.elapsed()))); // not 320
}

// More milliseconds than a timer can count must not come out as none.
void tst_QSseEventSource::endlessRetryIsKept()
{
    FakeSseServer server;
    server.answers = { FakeSseServer::stream("retry: 99999999999999999999\n\n", Then::End) };
    Probe source(server.url());
    source.open();
    QTRY_COMPARE(source.errors, QList<Error> { Error::StreamEnded });
    QVERIFY(source.isWaiting());
    QVERIFY(source.remainingWait() > 1'000'000'000);
    QCOMPARE(source.readyState(), ReadyState::Connecting);
}

void tst_QSseEventSource::eventTooLarge()
{
    FakeSseServer server;
    server.answers = { FakeSseServer::stream("id: 1\ndata: a\n\nid: 2\ndata: "
                                             + QByteArray(100, 'x')),
                       FakeSseServer::stream("data: b\n\n") };
    Probe source(server.url());
    source.setMaximumEventSize(50);
    source.open();
    QTRY_COMPARE(source.data(), strings({ "a", "b" }));
    QCOMPARE(source.errors, QList<Error> { Error::EventTooLarge });
    QCOMPARE(server.requests.at(1).header("Last-Event-ID"), QByteArray("1"));
    QTRY_COMPARE(server.connections(), 1);
}

void tst_QSseEventSource::redirects_data()
{
    QTest::addColumn<QByteArray>("code");
    QTest::addColumn<QByteArray>("location");
    QTest::addColumn<QByteArray>("target");
    for (const char *code : { "301", "302", "303", "307", "308" })
        QTest::newRow(code) << QByteArray(code) << QByteArray("/new") << QByteArray("/new");
    QTest::newRow("relative") << QByteArray("302") << QByteArray("c?d=1") << QByteArray("/a/c?d=1");
    QTest::newRow("query") << QByteArray("302") << QByteArray("?d=%2F") << QByteArray("/a/b?d=%2F");
    QTest::newRow("upper case scheme")
        << QByteArray("302") << QByteArray("HTTP://127.0.0.1:PORT/x") << QByteArray("/x");
}

void tst_QSseEventSource::redirects()
{
    QFETCH(QByteArray, code);
    QFETCH(QByteArray, location);
    QFETCH(QByteArray, target);
    FakeSseServer server;
    location.replace("PORT", QByteArray::number(server.url().port()));
    server.answers = { FakeSseServer::redirect(code, location),
                       FakeSseServer::stream("data: a\n\n") };
    Probe source(server.url(QStringLiteral("/a/b")));
    source.setLastEventId(QStringLiteral("4"));
    source.open();
    QTRY_COMPARE(source.data(), strings({ "a" }));
    QCOMPARE(server.requests.size(), 2);
    const FakeSseServer::Request request = server.requests.at(1);
    QCOMPARE(request.line, "GET " + target + " HTTP/1.1");
    QCOMPARE(request.header("Accept"), QByteArray("text/event-stream"));
    QCOMPARE(request.header("Last-Event-ID"), QByteArray("4"));
    QVERIFY(source.errors.isEmpty());
    QCOMPARE(source.url().path(), QStringLiteral("/a/b"));
    QCOMPARE(source.states, (QList<ReadyState> { ReadyState::Connecting, ReadyState::Open }));
}

void tst_QSseEventSource::reconnectBeginsAtUrl()
{
    FakeSseServer server;
    server.answers = { FakeSseServer::redirect("301", "/new"),
                       FakeSseServer::stream("data: a\n\n", Then::End),
                       FakeSseServer::stream("data: b\n\n") };
    Probe source(server.url(QStringLiteral("/old")));
    source.open();
    QTRY_COMPARE(source.data(), strings({ "a", "b" }));
    QCOMPARE(server.requests.at(2).line, QByteArray("GET /old HTTP/1.1"));
}

void tst_QSseEventSource::redirectErrors_data()
{
    QTest::addColumn<QByteArray>("headers");
    QTest::newRow("missing") << QByteArray();
    QTest::newRow("empty") << QByteArray("Location: \r\n");
    QTest::newRow("invalid") << QByteArray("Location: http://[nowhere/\r\n");
    QTest::newRow("no host") << QByteArray("Location: http://\r\n");
    QTest::newRow("other scheme") << QByteArray("Location: ftp://127.0.0.1/\r\n");
    QTest::newRow("file") << QByteArray("Location: file:///etc/hostname\r\n");
}

void tst_QSseEventSource::redirectErrors()
{
    QFETCH(QByteArray, headers);
    FakeSseServer server;
    server.answers = { FakeSseServer::status("302 Found", headers) };
    Probe source(server.url());
    QTest::ignoreMessage(QtWarningMsg, QRegularExpression(QStringLiteral("RedirectError")));
    source.open();
    QTRY_COMPARE(source.errors, QList<Error> { Error::RedirectError });
    QCOMPARE(source.readyState(), ReadyState::Closed);
    QCOMPARE(source.states, (QList<ReadyState> { ReadyState::Connecting, ReadyState::Closed }));
    QVERIFY(!source.isWaiting());
}

void tst_QSseEventSource::redirectLoop()
{
    FakeSseServer server;
    server.answers = { FakeSseServer::redirect("307", "/events") };
    Probe source(server.url());
    QTest::ignoreMessage(QtWarningMsg, QRegularExpression(QStringLiteral("RedirectError")));
    source.open();
    QTRY_COMPARE(source.errors, QList<Error> { Error::RedirectError });
    QCOMPARE(server.requests.size(), 21);

    // The count begins anew with the next open().
    server.answers.prepend(FakeSseServer::redirect("307", "/events"));
    server.answers.last() = FakeSseServer::stream();
    source.open();
    QTRY_COMPARE(source.readyState(), ReadyState::Open);
}

void tst_QSseEventSource::statusErrors_data()
{
    QTest::addColumn<QByteArray>("status");
    for (const char *status :
         { "201 Created", "206 Partial Content", "304 Not Modified", "300 Multiple Choices",
           "400 Bad Request", "401 Unauthorized", "403 Forbidden", "404 Not Found",
           "429 Too Many Requests", "500 Internal Server Error", "503 Service Unavailable" })
        QTest::newRow(status) << QByteArray(status);
}

void tst_QSseEventSource::statusErrors()
{
    QFETCH(QByteArray, status);
    FakeSseServer server;
    const QByteArray body = status.startsWith("304") ? QByteArray() : QByteArray("data: never\n\n");
    server.answers = { FakeSseServer::status(status,
                                             "Content-Type: text/event-stream\r\n"
                                             "WWW-Authenticate: Basic realm=\"x\"\r\n",
                                             body) };
    Probe source(server.url());
    QTest::ignoreMessage(QtWarningMsg, QRegularExpression(QStringLiteral("HttpStatusError")));
    source.open();
    QTRY_COMPARE(source.errors, QList<Error> { Error::HttpStatusError });
    QVERIFY2(source.errorText.contains(QString::fromLatin1(status)), qPrintable(source.errorText));
    QCOMPARE(source.httpStatus(), status.left(3).toInt());
    QCOMPARE(source.error(), Error::HttpStatusError);
    QCOMPARE(source.errorString(), source.errorText);
    QCOMPARE(source.readyState(), ReadyState::Closed);
    QVERIFY(source.events.isEmpty());
    QVERIFY(source.log.isEmpty());
    QVERIFY(!source.isWaiting());
}

void tst_QSseEventSource::contentTypes_data()
{
    QTest::addColumn<QByteArray>("contentType");
    QTest::addColumn<bool>("opens");
    QTest::newRow("plain") << QByteArray("text/event-stream") << true;
    QTest::newRow("charset") << QByteArray("text/event-stream; charset=utf-8") << true;
    QTest::newRow("no space") << QByteArray("text/event-stream;charset=UTF-8") << true;
    QTest::newRow("space before") << QByteArray("text/event-stream ; charset=utf-8") << true;
    QTest::newRow("case") << QByteArray("Text/EVENT-Stream;Charset=x") << true;
    QTest::newRow("none") << QByteArray() << false;
    QTest::newRow("html") << QByteArray("text/html") << false;
    QTest::newRow("json") << QByteArray("application/json; x=text/event-stream") << false;
    QTest::newRow("longer") << QByteArray("text/event-streams") << false;
    QTest::newRow("shorter") << QByteArray("text/event-strea") << false;
}

void tst_QSseEventSource::contentTypes()
{
    QFETCH(QByteArray, contentType);
    QFETCH(bool, opens);
    FakeSseServer server;
    server.answers = { FakeSseServer::stream("data: a\n\n", Then::Keep, contentType) };
    Probe source(server.url());
    if (!opens)
        QTest::ignoreMessage(QtWarningMsg, QRegularExpression(QStringLiteral("ContentTypeError")));
    source.open();
    if (opens) {
        QTRY_COMPARE(source.data(), strings({ "a" }));
        return;
    }
    QTRY_COMPARE(source.errors, QList<Error> { Error::ContentTypeError });
    QCOMPARE(source.readyState(), ReadyState::Closed);
    QTRY_COMPARE(server.connections(), 0);
    QVERIFY(source.events.isEmpty());
}

void tst_QSseEventSource::contentEncodingIsRefused()
{
    FakeSseServer server;
    server.answers = { FakeSseServer::status(
        "200 OK", "Content-Type: text/event-stream\r\nContent-Encoding: br\r\n", "xyz") };
    Probe source(server.url());
    QTest::ignoreMessage(QtWarningMsg, QRegularExpression(QStringLiteral("ContentTypeError")));
    source.open();
    QTRY_COMPARE(source.errors, QList<Error> { Error::ContentTypeError });
    QCOMPARE(source.readyState(), ReadyState::Closed);
}

void tst_QSseEventSource::invalidUrl_data()
{
    QTest::addColumn<QUrl>("url");
    QTest::newRow("empty") << QUrl();
    QTest::newRow("relative") << QUrl(QStringLiteral("/events"));
    QTest::newRow("no host") << QUrl(QStringLiteral("http:///events"));
    QTest::newRow("file") << QUrl(QStringLiteral("file:///etc/hostname"));
    QTest::newRow("broken") << QUrl(QStringLiteral("http://[1/"));
}

void tst_QSseEventSource::invalidUrl()
{
    QFETCH(QUrl, url);
    Probe source(url);
    QTest::ignoreMessage(QtWarningMsg, QRegularExpression(QStringLiteral("InvalidUrl")));
    source.open();
    QCOMPARE(source.errors, QList<Error> { Error::InvalidUrl });
    QCOMPARE(source.readyState(), ReadyState::Closed);
    QVERIFY(source.states.isEmpty());
}

namespace {
// The ways a handler can be called, each with its own place to do damage.
enum class Where {
    Connecting,
    Open,
    Opened,
    IdChanged,
    Event,
    Message,
    Listener,
    Comment,
    Error,
    StateAtError,
};

void addWhereRows()
{
    QTest::addColumn<Where>("where");
    QTest::newRow("connecting") << Where::Connecting;
    QTest::newRow("open") << Where::Open;
    QTest::newRow("opened") << Where::Opened;
    QTest::newRow("id changed") << Where::IdChanged;
    QTest::newRow("event") << Where::Event;
    QTest::newRow("message") << Where::Message;
    QTest::newRow("listener") << Where::Listener;
    QTest::newRow("comment") << Where::Comment;
    QTest::newRow("error") << Where::Error;
    QTest::newRow("state at error") << Where::StateAtError;
}

// Calls what once, the first time the source comes by.
void callAt(Where where, QSseEventSource *source, QObject *context, std::function<void()> what)
{
    auto once = [what = std::move(what)]() mutable {
        if (const auto call = std::exchange(what, nullptr))
            call();
    };
    const auto onState = [&](ReadyState wanted, int time) {
        QObject::connect(source, &QSseEventSource::readyStateChanged, context,
                         [=](ReadyState state) mutable {
                             if (state == wanted && --time == 0)
                                 once();
                         });
    };
    switch (where) {
    case Where::Connecting:
        return onState(ReadyState::Connecting, 1);
    case Where::StateAtError:
        return onState(ReadyState::Connecting, 2);
    case Where::Open:
        return onState(ReadyState::Open, 1);
    case Where::Opened:
        QObject::connect(source, &QSseEventSource::opened, context, once);
        return;
    case Where::IdChanged:
        QObject::connect(source, &QSseEventSource::lastEventIdChanged, context, once);
        return;
    case Where::Event:
        QObject::connect(source, &QSseEventSource::eventReceived, context, once);
        return;
    case Where::Message:
        QObject::connect(source, &QSseEventSource::messageReceived, context, once);
        return;
    case Where::Listener:
        source->addEventListener(QStringLiteral("message"), context,
                                 [once](const QSseEvent &) mutable { once(); });
        return;
    case Where::Comment:
        QObject::connect(source, &QSseEventSource::commentReceived, context, once);
        return;
    case Where::Error:
        QObject::connect(source, &QSseEventSource::errorOccurred, context, once);
        return;
    }
}

const QByteArray EverythingTwice = "id: 1\ndata: a\n\n:comment\n\nid: 2\ndata: b\n\n:comment\n\n";
} // namespace

Q_DECLARE_METATYPE(Where)

void tst_QSseEventSource::nothingAfterClose_data()
{
    addWhereRows();
}

void tst_QSseEventSource::nothingAfterClose()
{
    QFETCH(Where, where);
    FakeSseServer server;
    server.answers = { FakeSseServer::stream(EverythingTwice, Then::End) };
    QSseEventSource source(server.url());
    source.setReconnectionTime(1ms);
    bool closed = false;
    QStringList after;
    callAt(where, &source, this, [&] {
        source.close();
        closed = true;
    });
    const auto note = [&](const char *what) {
        return [&, what] {
            if (closed)
                after << QString::fromUtf8(what);
        };
    };
    int closings = 0;
    connect(&source, &QSseEventSource::readyStateChanged, this, [&](ReadyState state) {
        if (state == ReadyState::Closed)
            ++closings;
    });
    if (where != Where::Opened)
        connect(&source, &QSseEventSource::opened, this, note("opened"));
    if (where != Where::Event)
        connect(&source, &QSseEventSource::eventReceived, this, note("event"));
    if (where != Where::Message)
        connect(&source, &QSseEventSource::messageReceived, this, note("message"));
    if (where != Where::Comment)
        connect(&source, &QSseEventSource::commentReceived, this, note("comment"));
    if (where != Where::IdChanged)
        connect(&source, &QSseEventSource::lastEventIdChanged, this, note("id"));
    if (where != Where::Error)
        connect(&source, &QSseEventSource::errorOccurred, this, note("error"));
    if (where != Where::Listener)
        source.addEventListener(QStringLiteral("message"), this,
                                [&](const QSseEvent &) { note("listener")(); });

    source.open();
    QTRY_VERIFY(closed);
    QCOMPARE(source.readyState(), ReadyState::Closed);
    QTRY_COMPARE(server.connections(), 0);
    const auto requests = server.requests.size();

    // Another client's round trip: whatever was on its way has arrived, in either direction.
    server.answers = { FakeSseServer::stream("data: a\n\n") };
    Probe other(server.url());
    other.open();
    QTRY_COMPARE(other.events.size(), 1);
    QCOMPARE(after, QStringList());
    QCOMPARE(closings, 1);
    QCOMPARE(server.requests.size(), requests + 1);
}

void tst_QSseEventSource::closeInMidBatch()
{
    FakeSseServer server;
    server.answers = { FakeSseServer::stream(EverythingTwice), FakeSseServer::stream() };
    Probe source(server.url());
    callAt(Where::Event, &source, this, [&] { source.close(); });
    source.open();
    QTRY_COMPARE(source.readyState(), ReadyState::Closed);
    QTRY_COMPARE(server.connections(), 0);
    QCOMPARE(source.events.size(), 1);
    QCOMPARE(source.lastEventId(), QStringLiteral("1"));
    // Nothing is lost: what was not delivered is asked for again.
    source.open();
    QTRY_COMPARE(server.requests.size(), 2);
    QCOMPARE(server.requests.at(1).header("Last-Event-ID"), QByteArray("1"));
}

void tst_QSseEventSource::closeWhileWaiting()
{
    FakeSseServer server;
    server.stopListening();
    Probe source(server.url());
    source.setReconnectionTime(1h);
    source.open();
    QTRY_COMPARE(source.errors.size(), 1);
    QVERIFY(source.isWaiting());
    source.close();
    QVERIFY(!source.isWaiting());
    QCOMPARE(source.states, (QList<ReadyState> { ReadyState::Connecting, ReadyState::Closed }));
}

void tst_QSseEventSource::reopenInHandler()
{
    FakeSseServer server;
    server.answers = { FakeSseServer::stream(EverythingTwice),
                       FakeSseServer::stream("data: second\n\n") };
    Probe source(server.url());
    callAt(Where::Event, &source, this, [&] {
        source.close();
        source.open();
    });
    source.open();
    QTRY_COMPARE(source.events.size(), 2);
    QCOMPARE(source.data(), strings({ "a", "second" }));
    QCOMPARE(source.states,
             (QList<ReadyState> { ReadyState::Connecting, ReadyState::Open, ReadyState::Closed,
                                  ReadyState::Connecting, ReadyState::Open }));
    QTRY_COMPARE(server.connections(), 1);
    QCOMPARE(source.errors, QList<Error>());
}

void tst_QSseEventSource::deleteInHandler_data()
{
    addWhereRows();
}

void tst_QSseEventSource::deleteInHandler()
{
    QFETCH(Where, where);
    FakeSseServer server;
    server.answers = { FakeSseServer::stream(EverythingTwice, Then::End) };
    QPointer<QSseEventSource> source(new QSseEventSource(server.url()));
    source->setReconnectionTime(1ms);
    callAt(where, source, this, [&] { delete source.data(); });
    source->open();
    QTRY_VERIFY(!source);
    QTRY_COMPARE(server.connections(), 0);
}

void tst_QSseEventSource::deleteWhileOpen()
{
    FakeSseServer server;
    auto source = std::make_unique<Probe>(server.url());
    QSignalSpy states(source.get(), &QSseEventSource::readyStateChanged);
    source->open();
    QTRY_COMPARE(source->readyState(), ReadyState::Open);
    source.reset();
    QCOMPARE(states.count(), 2);
    QTRY_COMPARE(server.connections(), 0);
}

void tst_QSseEventSource::openAfterClose()
{
    FakeSseServer server;
    Probe source(server.url());
    for (int i = 1; i <= 3; ++i) {
        source.open();
        QTRY_COMPARE(source.readyState(), ReadyState::Open);
        QCOMPARE(server.requests.size(), i);
        source.close();
        QCOMPARE(source.readyState(), ReadyState::Closed);
    }
    // Also when nothing had time to happen.
    source.open();
    source.close();
    source.open();
    QTRY_COMPARE(source.readyState(), ReadyState::Open);
    QVERIFY(source.errors.isEmpty());
}

void tst_QSseEventSource::setUrlWhileOpen()
{
    FakeSseServer server;
    Probe source(server.url(QStringLiteral("/one")));
    source.open();
    QTRY_COMPARE(source.readyState(), ReadyState::Open);
    source.setUrl(server.url(QStringLiteral("/two")));
    server.end();
    QTRY_COMPARE(source.log.size(), 2);
    QCOMPARE(server.requests.at(1).line, QByteArray("GET /one HTTP/1.1"));
    source.close();
    source.open();
    QTRY_COMPARE(server.requests.size(), 3);
    QCOMPARE(server.requests.at(2).line, QByteArray("GET /two HTTP/1.1"));
}

// A handler may show a dialog: what comes meanwhile comes in order, and once.
void tst_QSseEventSource::eventLoopInHandler()
{
    FakeSseServer server;
    server.answers = { FakeSseServer::stream("data: 1\n\ndata: 2\n\n") };
    Probe source(server.url());
    callAt(Where::Event, &source, this, [&] {
        server.send("data: 3\n\n");
        QTRY_COMPARE(source.events.size(), 3);
    });
    source.open();
    QTRY_COMPARE(source.events.size(), 3);
    QCOMPARE(source.data(), strings({ "1", "2", "3" }));
    server.send("data: 4\n\n");
    QTRY_COMPARE(source.data(), strings({ "1", "2", "3", "4" }));
}

void tst_QSseEventSource::managerOfOnesOwn()
{
    class Manager : public QNetworkAccessManager
    {
    public:
        int created = 0;

    protected:
        QNetworkReply *createRequest(Operation operation, const QNetworkRequest &request,
                                     QIODevice *body) override
        {
            ++created;
            return QNetworkAccessManager::createRequest(operation, request, body);
        }
    };

    FakeSseServer server;
    server.answers = { FakeSseServer::stream("data: a\n\n") };
    Manager manager;
    manager.setAutoDeleteReplies(true);
    {
        Probe source(server.url());
        source.setNetworkAccessManager(&manager);
        source.open();
        QTRY_COMPARE(source.events.size(), 1);
        server.end();
        QTRY_COMPARE(source.events.size(), 2);
        QCOMPARE(manager.created, 2);
    }
    QTRY_COMPARE(server.connections(), 0);
    QTRY_VERIFY(manager.findChildren<QNetworkReply *>().isEmpty());
}

// A timeout for the manager's other requests does not end a quiet stream.
void tst_QSseEventSource::managerWithTimeout()
{
    FakeSseServer server;
    QNetworkAccessManager manager;
    manager.setTransferTimeout(50);
    Probe source(server.url());
    source.setNetworkAccessManager(&manager);
    source.open();
    QTRY_COMPARE(source.readyState(), ReadyState::Open);

    server.answers = { FakeSseServer::Answer() };
    const std::unique_ptr<QNetworkReply> reply(manager.get(QNetworkRequest(server.url())));
    QTRY_VERIFY(reply->isFinished());
    QCOMPARE(reply->error(), QNetworkReply::OperationCanceledError);
    QCOMPARE(source.readyState(), ReadyState::Open);
    QVERIFY(source.errors.isEmpty());
}

// More than the six connections a manager opens to one host.
void tst_QSseEventSource::manySources()
{
    FakeSseServer server;
    server.answers = { FakeSseServer::stream("data: a\n\n") };
    std::vector<std::unique_ptr<Probe>> sources;
    for (int i = 0; i < 64; ++i) {
        sources.push_back(std::make_unique<Probe>(server.url()));
        sources.back()->open();
    }
    for (const auto &source : sources)
        QTRY_COMPARE(source->data(), strings({ "a" }));
    QCOMPARE(server.connections(), 64);
}

void tst_QSseEventSource::tlsIsVerified()
{
    const SelfSigned certificate;
    if (!certificate.isValid())
        QSKIP("needs the openssl program");
    FakeSseServer server(certificate.server());
    server.answers = { FakeSseServer::stream("data: a\n\n"), FakeSseServer::redirect("302", "/x"),
                       FakeSseServer::stream("data: b\n\n"),
                       FakeSseServer::redirect("302", "http://127.0.0.1:1/") };
    Probe stranger(server.url());
    QTest::ignoreMessage(QtWarningMsg, QRegularExpression(QStringLiteral("TlsError")));
    stranger.open();
    QTRY_COMPARE(stranger.errors, QList<Error> { Error::TlsError });
    QCOMPARE(stranger.readyState(), ReadyState::Closed);
    QVERIFY(!stranger.isWaiting());
    QVERIFY(!stranger.errorText.isEmpty());
    QVERIFY(server.requests.isEmpty());

    // The same with a request that trusts the certificate.
    QNetworkRequest request(server.url());
    request.setSslConfiguration(certificate.client());
    Probe source(request);
    source.open();
    QTRY_COMPARE(source.data(), strings({ "a" }));
    server.end();
    QTRY_COMPARE(source.data(), strings({ "a", "b" }));
    QCOMPARE(source.errors, QList<Error> { Error::StreamEnded });

    // From https to http there is no way.
    QTest::ignoreMessage(QtWarningMsg, QRegularExpression(QStringLiteral("RedirectError")));
    server.end();
    QTRY_COMPARE(source.readyState(), ReadyState::Closed);
    QCOMPARE(source.errors.last(), Error::RedirectError);
}

// A trusted certificate, but somebody else's.
void tst_QSseEventSource::tlsNameIsVerified()
{
    const SelfSigned certificate("DNS:else.where");
    if (!certificate.isValid())
        QSKIP("needs the openssl program");
    FakeSseServer server(certificate.server());
    QNetworkRequest request(server.url());
    request.setSslConfiguration(certificate.client());
    Probe source(request);
    QTest::ignoreMessage(QtWarningMsg, QRegularExpression(QStringLiteral("TlsError")));
    source.open();
    QTRY_COMPARE(source.errors, QList<Error> { Error::TlsError });
    QCOMPARE(source.readyState(), ReadyState::Closed);
    QVERIFY(server.requests.isEmpty());
}

void tst_QSseEventSource::tlsHandshakeFails()
{
    if (!QSslSocket::supportsSsl())
        QSKIP("needs TLS");
    QTcpServer server;
    QVERIFY(server.listen(QHostAddress::LocalHost));
    connect(&server, &QTcpServer::newConnection, this,
            [&] { server.nextPendingConnection()->write("this is not TLS at all\r\n\r\n"); });
    Probe source(QUrl(QStringLiteral("https://127.0.0.1:%1/").arg(server.serverPort())));
    QTest::ignoreMessage(QtWarningMsg, QRegularExpression(QStringLiteral("TlsError")));
    source.open();
    QTRY_COMPARE(source.errors, QList<Error> { Error::TlsError });
    QCOMPARE(source.readyState(), ReadyState::Closed);
}

QTEST_GUILESS_MAIN(tst_QSseEventSource)
#include "tst_qsseeventsource.moc"
