// SPDX-License-Identifier: MIT
// Requests that never end, beside a stream and a publisher.

#include "barepublisher.h"
#include "barestream.h"
#include "faults.h"
#include "hubprocess.h"

#include <QtCore/QDeadlineTimer>
#include <QtCore/QElapsedTimer>

#include <atomic>
#include <thread>

using namespace std::chrono_literals;

namespace {

qint64 monotonicMicroseconds()
{
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

/*! A connection whose request comes byte by byte, or not at all, and never ends. */
class SlowRequest
{
public:
    enum Kind { Head, Body, Nothing };

    SlowRequest(quint16 port, Kind kind)
        : m_kind(kind), m_fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))
    {
        const sockaddr_in address = loopbackAddress(port);
        m_isOpen =
            ::connect(m_fd, reinterpret_cast<const sockaddr *>(&address), sizeof(address)) == 0;
        if (kind == Head)
            send("GET /events?topic=a HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
        else if (kind == Body)
            send("POST /topics/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000\r\n\r\n");
    }
    ~SlowRequest() { ::close(m_fd); }
    Q_DISABLE_COPY_MOVE(SlowRequest)

    /*! Sends the next byte. */
    void goOn()
    {
        if (m_kind != Nothing)
            send("x");
    }
    /*! Whether the server has not closed it; reads what it says before that. */
    bool isOpen()
    {
        char bytes[1024];
        ssize_t size = 0;
        while (m_isOpen && (size = ::recv(m_fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
            m_hasAnswer = true;
        if (size == 0 || (size < 0 && errno != EAGAIN))
            m_isOpen = false;
        return m_isOpen;
    }
    bool hasAnswer() const { return m_hasAnswer; }

private:
    void send(const char *text) { ::send(m_fd, text, qstrlen(text), MSG_NOSIGNAL | MSG_DONTWAIT); }

    const Kind m_kind;
    const int m_fd;
    bool m_isOpen = false;
    bool m_hasAnswer = false;
};

} // namespace

class tst_Slowloris : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void slowloris();
};

void tst_Slowloris::slowloris()
{
    constexpr qint64 MaximumLatency = 250'000; // microseconds
    const int slow = Faults::form(200, 1000);
    const qint64 timeout = Faults::form(2000, 10'000); // the long form keeps to the default
    QByteArrayList arguments;
    if (!Faults::isLong())
        arguments = { "--request-timeout", QByteArray::number(timeout) };
    HubProcess hub(arguments);
    QVERIFY2(hub.listen(), hub.errors().constData());

    StreamPoller poller;
    BareStream stream;
    qint64 eventLatency = 0;
    const auto check = [&](BareStream &stream, const BareStream::Event &event) {
        stream.checkIds(event);
        if (event.hasData)
            eventLatency = qMax(eventLatency, monotonicMicroseconds() - event.data.toLongLong());
    };
    QVERIFY(stream.open(poller.descriptor(), hub.port(), "/events?topic=b"));
    while (stream.number < 0 && stream.failure.isEmpty())
        poller.poll(100, check);

    std::atomic_bool isPublishing = true;
    std::atomic<qint64> published = 0;
    std::atomic<qint64> refused = 0;
    std::atomic<qint64> postLatency = 0;
    std::thread publisher([&] {
        BarePublisher publisher(hub.port());
        while (isPublishing) {
            const qint64 begun = monotonicMicroseconds();
            if (publisher.post("b", QByteArray::number(begun)).isEmpty())
                ++refused;
            else
                ++published;
            postLatency = qMax(postLatency.load(), monotonicMicroseconds() - begun);
            std::this_thread::sleep_for(10ms);
        }
    });
    while (stream.events < 10 && stream.failure.isEmpty())
        poller.poll(100, check);
    const int descriptorsBefore = Faults::usageOf(hub.process().processId()).descriptors;

    QElapsedTimer clock;
    clock.start();
    std::vector<std::unique_ptr<SlowRequest>> requests;
    for (int i = 0; i < slow; ++i)
        requests.push_back(std::make_unique<SlowRequest>(hub.port(), SlowRequest::Kind(i % 3)));
    int descriptorsMost = 0;
    qint64 closedAfter = 0;
    while (closedAfter == 0 && clock.elapsed() < timeout + 5000) {
        const QDeadlineTimer pause(200);
        while (!pause.hasExpired())
            poller.poll(int(pause.remainingTime()), check);
        QCoreApplication::processEvents();
        descriptorsMost =
            qMax(descriptorsMost, Faults::usageOf(hub.process().processId()).descriptors);
        bool isAnyOpen = false;
        for (const auto &request : requests) {
            if (request->isOpen()) {
                isAnyOpen = true;
                request->goOn();
            }
        }
        if (!isAnyOpen)
            closedAfter = clock.elapsed();
    }
    isPublishing = false;
    publisher.join();
    const QDeadlineTimer rest(5s);
    while (stream.events < published && stream.failure.isEmpty() && !rest.hasExpired())
        poller.poll(100, check);

    QCOMPARE(stream.failure, QByteArray());
    QCOMPARE(refused, 0);
    QCOMPARE(stream.events, published);
    QVERIFY2(closedAfter > 0, "some are still open");
    QVERIFY2(closedAfter <= timeout + 2000, QByteArray::number(closedAfter).constData());
    QVERIFY(descriptorsMost >= descriptorsBefore + slow / 2); // or nothing was tested
    const auto descriptors = [&] { return Faults::usageOf(hub.process().processId()).descriptors; };
    QTRY_VERIFY_WITH_TIMEOUT(descriptors() <= descriptorsBefore, 5000);
    const auto answered = std::count_if(requests.begin(), requests.end(),
                                        [](const auto &request) { return request->hasAnswer(); });
    qInfo("%d slow requests closed within %lld ms of %lld, %lld of them answered; beside them %lld "
          "events, none lost, latency at most %.1f ms for a POST and %.1f ms for an event",
          slow, closedAfter, timeout, qint64(answered), published.load(),
          double(postLatency) / 1000, double(eventLatency) / 1000);
    if (Faults::IsMeasuring) {
        QVERIFY(postLatency < MaximumLatency);
        QVERIFY(eventLatency < MaximumLatency);
    }
}

int main(int argc, char **argv)
{
    return Faults::run<tst_Slowloris>(argc, argv);
}
#include "tst_slowloris.moc"
