// SPDX-License-Identifier: MIT
// Sources of every kind for as long as QSSE_SOAK_SECONDS says, whose connections are cut at random
// bytes while they are paused, restarted, closed and replaced.

#include "childprocess.h"
#include "faults.h"
#include "servers.h"
#include "texts.h"

#include <QSseEventSource>

#include <QtCore/QTimer>
#include <QtNetwork/QNetworkProxy>

#include <memory>
#include <optional>
#include <random>

using namespace std::chrono_literals;
using Error = QSseEventSource::Error;
using ReadyState = QSseEventSource::ReadyState;

namespace {

constexpr char ServeFlag[] = "--serve"; // makes the program the servers' process

/*! What has happened, over all sources. */
struct Counts
{
    qint64 events = 0;
    qint64 answers = 0;
    qint64 sources = 0;
    qint64 connections = 0;
    qint64 breaks = 0;   // of connections, as errors that were reported
    qint64 ends = 0;     // the same
    qint64 timeouts = 0; // the same
};

enum class Disturbance { Restart, Pause, Reopen, ReopenLater, Replace, Count };

/*!
    Reads a stream, with one source after the other, and checks what comes.
*/
class Consumer
{
public:
    Consumer(const QUrl &url, Counts *counts) : m_url(url), m_counts(counts)
    {
        m_later.setSingleShot(true);
        m_later.callOnTimeout([this] { goOn(); });
    }
    virtual ~Consumer() = default;
    Q_DISABLE_COPY_MOVE(Consumer)

    /*! Has a new source, which goes on after the event with \a id. */
    void begin(const QString &id)
    {
        m_source = std::make_unique<QSseEventSource>(m_url);
        QSseEventSource *const source = m_source.get();
        source->setLastEventId(id);
        source->setMaximumReconnectionTime(100ms);
        source->setConnectTimeout(1s);
        source->setReadTimeout(500ms);
        QObject::connect(source, &QSseEventSource::opened, source,
                         [this] { ++m_counts->connections; });
        QObject::connect(source, &QSseEventSource::eventReceived, source,
                         [this](const QSseEvent &event) { receive(event); });
        QObject::connect(source, &QSseEventSource::errorOccurred, source,
                         [this](Error error, const QString &text) { checkError(error, text); });
        prepare(source);
        ++m_counts->sources;
        source->open();
    }
    void disturb(Disturbance disturbance, std::chrono::milliseconds pause)
    {
        switch (disturbance) {
        case Disturbance::Restart:
            m_source->restart();
            break;
        case Disturbance::Pause:
            m_source->setPaused(true);
            m_later.start(pause);
            break;
        case Disturbance::Reopen:
            m_source->close();
            m_source->open();
            break;
        case Disturbance::ReopenLater:
            m_source->close();
            m_later.start(pause);
            break;
        default:
            begin(m_source->lastEventId());
            break;
        }
    }
    /*! The same from within the handler of the next event. */
    void disturbInHandler(Disturbance disturbance, std::chrono::milliseconds pause)
    {
        m_pending = { disturbance, pause };
    }
    /*! Reads on, undisturbed. */
    virtual void goOn()
    {
        m_later.stop();
        m_pending.reset();
        m_source->setPaused(false);
        m_source->open();
    }
    /*! Has no connection until goOn(); what was to disturb it is past. */
    virtual void rest() { m_source->close(); }

    qint64 events() const { return m_events; }
    /*! What went wrong first, empty for nothing. */
    QByteArray failure() const { return m_failure; }

protected:
    virtual void prepare(QSseEventSource *) { }
    virtual void take(const QSseEvent &event) = 0;
    void fail(const QByteArray &text)
    {
        if (m_failure.isEmpty())
            m_failure = text;
    }
    Counts *counts() { return m_counts; }
    QSseEventSource *source() { return m_source.get(); }
    void dropSource() { m_source.reset(); }

private:
    void receive(const QSseEvent &event)
    {
        if (m_source->isPaused() || m_source->readyState() != ReadyState::Open)
            fail("an event while paused, or not open");
        if (event.type() != u"message" || m_source->lastEventId() != event.id())
            fail("an event of type " + event.type().toUtf8() + ", id " + event.idUtf8() + ", after "
                 + m_source->lastEventId().toUtf8());
        ++m_events;
        ++m_counts->events;
        take(event);
        if (const auto pending = std::exchange(m_pending, std::nullopt))
            disturb(pending->first, pending->second);
    }
    // Whatever the proxy does, there is a reason to come back.
    void checkError(Error error, const QString &text)
    {
        if (error == Error::NetworkError)
            ++m_counts->breaks;
        else if (error == Error::StreamEnded)
            ++m_counts->ends;
        else if (error == Error::ConnectTimeout || error == Error::ReadTimeout)
            ++m_counts->timeouts;
        else
            fail(text.toUtf8());
        if (m_source->readyState() != ReadyState::Connecting)
            fail("closed after " + text.toUtf8());
    }

    const QUrl m_url;
    Counts *const m_counts;
    std::unique_ptr<QSseEventSource> m_source;
    std::optional<std::pair<Disturbance, std::chrono::milliseconds>> m_pending;
    QTimer m_later;
    qint64 m_events = 0;
    QByteArray m_failure;
};

using Consumers = std::vector<std::unique_ptr<Consumer>>;

/*! Gets the events of one topic, or of all of them, from the first ever on. */
class Ticker : public Consumer
{
public:
    Ticker(const QUrl &url, const QString &topic, Counts *counts)
        : Consumer(url.resolved(QUrl(QStringLiteral("/events?topic=t/") + topic)), counts)
    {
        begin(QStringLiteral("earliest"));
    }

private:
    void take(const QSseEvent &event) override
    {
        const QByteArray data = event.dataUtf8();
        const int topic = data.left(data.indexOf(' ')).toInt();
        qint64 &next = m_next[topic % Texts::TopicCount];
        const QByteArray expected = Texts::event(topic, next++);
        if (data != expected)
            fail("event \"" + data.left(40) + "\" in place of \"" + expected.left(40) + '"');
    }

    qint64 m_next[Texts::TopicCount] = {};
};

/*! Asks a question, reads the answer to its end, and asks the next with a new source. */
class Asker : public Consumer
{
public:
    Asker(const QUrl &url, qint64 *lastAnswer, Counts *counts)
        : Consumer(url.resolved(QUrl(QStringLiteral("/answers"))), counts), m_lastAnswer(lastAnswer)
    {
        ask();
    }

    void goOn() override
    {
        if (source())
            Consumer::goOn();
        else
            begin(m_lastId);
    }
    // Without a source: a new one may not have all the descriptors yet that it will have.
    void rest() override
    {
        m_lastId = source()->lastEventId();
        dropSource();
    }

private:
    void ask()
    {
        m_answer = ++*m_lastAnswer;
        m_next = 0;
        begin(QString());
    }
    void prepare(QSseEventSource *source) override
    {
        source->setMethod("POST");
        source->setRawHeader("Content-Type", "application/json");
        source->setBody("{\"answer\":" + QByteArray::number(m_answer) + '}');
        const QByteArray token = "Bearer " + QByteArray::number(m_answer);
        source->setRequestHandler(
            [token](QNetworkRequest &request) { request.setRawHeader("Authorization", token); });
    }
    void take(const QSseEvent &event) override
    {
        const bool isDone = m_next == Texts::tokenCount(m_answer);
        const QByteArray expected =
            isDone ? QByteArray(Texts::Done) : Texts::token(m_answer, m_next);
        if (event.dataUtf8() != expected || event.idUtf8() != Texts::tokenId(m_answer, m_next))
            fail("token " + event.idUtf8() + " in place of " + Texts::tokenId(m_answer, m_next));
        ++m_next;
        if (!isDone)
            return;
        ++counts()->answers;
        ask();
    }

    qint64 *const m_lastAnswer;
    qint64 m_answer = 0;
    int m_next = 0;   // the token to come
    QString m_lastId; // while it rests
};

} // namespace

class tst_Streams : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void cut();
};

// Nothing is lost, doubled or changed on the way, and the process needs no more in the end than
// after a minute.
void tst_Streams::cut()
{
    constexpr int TickerCount = 16;
    constexpr int AskerCount = 6;
    const std::chrono::milliseconds minute = Faults::form(1500ms, 60'000ms);
    bool isSet = false;
    const int asked = qEnvironmentVariableIntValue("QSSE_SOAK_SECONDS", &isSet);
    const int minutes = Faults::form(2, qMax((isSet ? asked : 1800) / 60, 2));
    const qint64 slack = Faults::form(8, 1) * Faults::MiB;
    QNetworkProxy::setApplicationProxy(QNetworkProxy::NoProxy);
    ChildProcess servers(QCoreApplication::applicationFilePath(), { ServeFlag });
    servers.start();
    QTRY_VERIFY(servers.output().endsWith('\n'));
    const QList<QByteArray> ports = servers.output().trimmed().split(' ');
    const auto url = [&](int which) {
        return QUrl(QStringLiteral("http://127.0.0.1:") + QString::fromUtf8(ports.value(which)));
    };

    Counts counts;
    Consumers consumers;
    for (int i = 0; i < TickerCount; ++i) {
        const int topic = i % (Texts::TopicCount + 1);
        consumers.push_back(std::make_unique<Ticker>(
            url(0), topic < Texts::TopicCount ? QString::number(topic) : QStringLiteral("*"),
            &counts));
    }
    qint64 lastAnswer = 0;
    for (int i = 0; i < AskerCount; ++i)
        consumers.push_back(std::make_unique<Asker>(url(1), &lastAnswer, &counts));

    std::mt19937 random { 20261122 };
    QTimer disturber;
    disturber.callOnTimeout([&] {
        Consumer &consumer = *consumers[random() % consumers.size()];
        const auto disturbance = Disturbance(random() % int(Disturbance::Count));
        const std::chrono::milliseconds pause(random() % 300);
        if (random() % 2 == 0)
            consumer.disturb(disturbance, pause);
        else
            consumer.disturbInHandler(disturbance, pause);
    });
    const auto firstFailure = [&] {
        for (const auto &consumer : consumers) {
            if (!consumer->failure().isEmpty())
                return consumer->failure();
        }
        return servers.errors();
    };
    const auto call = [&](void (Consumer::*function)()) {
        for (const auto &consumer : consumers)
            ((*consumer).*function)();
    };

    Faults::Usage first;
    Faults::Usage last;
    for (int number = 1; number <= minutes; ++number) {
        call(&Consumer::goOn);
        disturber.start(20ms);
        const QDeadlineTimer end(minute);
        while (!end.hasExpired()) {
            QTest::qWait(100);
            QCOMPARE(firstFailure(), QByteArray());
        }
        disturber.stop();
        call(&Consumer::goOn);
        for (const auto &consumer : consumers) {
            const qint64 before = consumer->events();
            QTRY_VERIFY_WITH_TIMEOUT(consumer->events() > before, 20'000);
        }
        call(&Consumer::rest);
        last = Faults::settledUsageOf(QCoreApplication::applicationPid());
        if (number == 1)
            first = last;
        QCOMPARE(firstFailure(), QByteArray());
        qInfo("minute %d: memory %s, %d descriptors; %lld events, %lld answers, %lld sources, %lld "
              "connections: %lld broken, %lld ended, %lld silent",
              number, Faults::inMiB(last.resident).constData(), last.descriptors, counts.events,
              counts.answers, counts.sources, counts.connections, counts.breaks, counts.ends,
              counts.timeouts);
    }
    QVERIFY(!servers.isFinished());
    // Or nothing was tested.
    QVERIFY(counts.answers > minutes);
    QVERIFY(counts.sources > TickerCount + counts.answers);
    QVERIFY(counts.breaks + counts.ends > 10 * minutes);
    QCOMPARE(last.descriptors, first.descriptors);
    if (Faults::IsMeasuring)
        QVERIFY(last.resident <= first.resident + first.resident / 50 + slack);
}

int main(int argc, char **argv)
{
    if (argc == 2 && qstrcmp(argv[1], ServeFlag) == 0)
        return runServers(argc, argv);
    return Faults::run<tst_Streams>(argc, argv);
}
#include "tst_streams.moc"
