// SPDX-License-Identifier: MIT
#include "loopback.h"
#include "qsseepolldispatcher_p.h"

#include <QtCore/QElapsedTimer>
#include <QtCore/QEventLoop>
#include <QtCore/QPointer>
#include <QtCore/QRandomGenerator>
#include <QtCore/QRegularExpression>
#include <QtCore/QSemaphore>
#include <QtCore/QSocketNotifier>
#include <QtCore/QTemporaryDir>
#include <QtCore/QTemporaryFile>
#include <QtCore/QThread>
#include <QtCore/QTimer>
#include <QtNetwork/QLocalServer>
#include <QtNetwork/QLocalSocket>
#include <QtNetwork/QTcpServer>
#include <QtNetwork/QTcpSocket>
#include <QtTest/QTest>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <set>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

namespace {

/*! Two connected stream sockets, closed in the end. */
class SocketPair
{
public:
    SocketPair()
    {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, m_ends.data()) < 0)
            qFatal("no socket pair");
    }
    ~SocketPair()
    {
        closeNear();
        closeFar();
    }
    Q_DISABLE_COPY_MOVE(SocketPair)

    int near() const { return m_ends[0]; }
    int far() const { return m_ends[1]; }
    void closeNear() { closeEnd(0); }
    void closeFar() { closeEnd(1); }
    /*! Makes the near end readable. */
    void send() const { QCOMPARE(::write(far(), "x", 1), ssize_t(1)); }
    /*! Reads all there is at the near end. */
    void drain() const
    {
        char buffer[64];
        while (::read(near(), buffer, sizeof(buffer)) > 0) { }
    }
    /*! Makes this pair's near end have the number \a descriptor, which may be in use. */
    void moveNearTo(int descriptor)
    {
        if (descriptor == near())
            return;
        QCOMPARE(dup2(near(), descriptor), descriptor);
        close(std::exchange(m_ends[0], descriptor));
    }
    /*! Leaves the near end, whose number somebody else uses by now. */
    void forgetNear() { m_ends[0] = -1; }

private:
    void closeEnd(std::size_t i)
    {
        if (m_ends[i] >= 0)
            close(std::exchange(m_ends[i], -1));
    }

    std::array<int, 2> m_ends;
};

/*! A notifier that counts and may do something more. */
class Watcher : public QSocketNotifier
{
public:
    using Handler = std::function<void()>;

    Watcher(int descriptor, Type type, Handler handler = {})
        : QSocketNotifier(descriptor, type), m_handler(std::move(handler))
    {
        connect(this, &QSocketNotifier::activated, this, [this] {
            ++count;
            // A copy, as it may delete this.
            if (const Handler handler = m_handler)
                handler();
        });
    }

    int count = 0;

private:
    const Handler m_handler;
};

/*! An object whose timers do what \a handler says. */
class TimerObject : public QObject
{
public:
    using Handler = std::function<void(int)>;
    explicit TimerObject(Handler handler) : m_handler(std::move(handler)) { }

    void timerEvent(QTimerEvent *event) override
    {
        const Handler handler = m_handler; // which may delete this
        handler(event->timerId());
    }

private:
    const Handler m_handler;
};

/*! Counts the events of several senders, and those that come out of order. */
class Receiver : public QObject
{
public:
    static constexpr std::size_t senders = 4;

    /*! Posts the next event of \a sender. To be called in a thread of its own. */
    void post(std::size_t sender, int number)
    {
        auto *event = new Numbered(sender, number);
        // Says to the thread sanitizer, which does not see Qt's locks, that the event is handed
        // over.
        m_posted.fetch_add(1, std::memory_order_release);
        QCoreApplication::postEvent(this, event);
    }
    bool hasAll(int count) const
    {
        return std::all_of(m_received.begin(), m_received.end(),
                           [count](int received) { return received == count; });
    }

    int misplaced = 0;

protected:
    bool event(QEvent *event) override
    {
        m_posted.load(std::memory_order_acquire);
        if (event->type() != QEvent::User)
            return QObject::event(event);
        const auto *numbered = static_cast<Numbered *>(event);
        if (m_received.at(numbered->sender)++ != numbered->number)
            ++misplaced;
        return true;
    }

private:
    struct Numbered : public QEvent
    {
        Numbered(std::size_t sender, int number)
            : QEvent(QEvent::User), sender(sender), number(number)
        {
        }
        const std::size_t sender;
        const int number;
    };

    std::atomic<int> m_posted = 0;
    std::array<int, senders> m_received {};
};

QAbstractEventDispatcher *dispatcher()
{
    return QAbstractEventDispatcher::instance();
}

bool processOnce(QEventLoop::ProcessEventsFlags flags = QEventLoop::AllEvents)
{
    return dispatcher()->processEvents(flags);
}

/*! Processes events, sleeping in between, until \a condition is true; answers whether it is. */
bool waitFor(const std::function<bool()> &condition)
{
    bool expired = false;
    QTimer guard;
    guard.callOnTimeout([&expired] { expired = true; });
    guard.start(30s);
    // Posted events are sent before the wait, for which there may be no more reason then.
    const auto check = QObject::connect(dispatcher(), &QAbstractEventDispatcher::aboutToBlock, [&] {
        if (condition())
            dispatcher()->interrupt();
    });
    while (!condition() && !expired)
        processOnce(QEventLoop::WaitForMoreEvents);
    QObject::disconnect(check);
    return condition();
}

/*! How often waiting ends within \a time: few times unless something spins. */
int roundsWithin(std::chrono::milliseconds time, QEventLoop::ProcessEventsFlags flags = {})
{
    bool over = false;
    QTimer::singleShot(time, Qt::PreciseTimer, dispatcher(), [&over] { over = true; });
    int rounds = 0;
    for (; !over; ++rounds)
        processOnce(flags | QEventLoop::WaitForMoreEvents);
    return rounds;
}

constexpr int fewRounds = 10;

/*! Processes what is pending, without waiting; more than one round reports. */
void processAll()
{
    for (int i = 0; i < 3; ++i)
        processOnce();
}

} // namespace

/*!
    What Qt's dispatcher and ours have in common: each test is run with both, in a thread of its
    own.
*/
class tst_QSseEpollDispatcher : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void initTestCase_data();
    void initTestCase();

    void timersAreNotEarly();
    void zeroTimers();
    void timersStartedByHandlersWait();
    void timersStopTimers();
    void timerOwnersDieInHandlers();
    void remainingTime();
    void registeredTimers();
    void timersMoveToOtherThreads();
    void lateTimersFireOnce();
    void runningTimersAreNotReentered();

    void readAndWrite();
    void exceptions();
    void hangUp();
    void disabledByHandlers();
    void deletedByHandlers();
    void toggledByHandlers();
    void nestedLoopInHandler();
    void writeNotifiersComeAndGo();
    void reusedInHandler();
    void reusedBehindTheBack();
    void duplicatesLeaveNothing();
    void invalidDescriptors();
    void regularFiles();

    void flags();
    void emitsSignals();
    void returnValue();
    void wakeUpBeforeWaiting();
    void wakeUpFromOtherThreads();
    void postedEventsFromOtherThreads();
    void quitFromOtherThreads();
    void nestedLoops();
    void deferredDelete();
    void outlivedByNotifiersAndTimers();

    void manyNotifiers();
    void randomChanges();
    void tcpEcho();
    void localEcho();

private:
    static bool isOurs();
    static void startThread(QThread *thread);
    static void run(const std::function<void()> &body);
};

void tst_QSseEpollDispatcher::initTestCase_data()
{
    QTest::addColumn<bool>("ours");
    QTest::newRow("Qt") << false;
    QTest::newRow("epoll") << true;
}

void tst_QSseEpollDispatcher::initTestCase()
{
    // Threads use GLib where Qt is built with it, unless told otherwise before they start.
    qputenv("QT_NO_GLIB", "1");
    rlimit limit {};
    QCOMPARE(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 20000);
    QCOMPARE(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

bool tst_QSseEpollDispatcher::isOurs()
{
    QFETCH_GLOBAL(bool, ours);
    return ours;
}

void tst_QSseEpollDispatcher::startThread(QThread *thread)
{
    if (isOurs())
        thread->setEventDispatcher(new QSseEpollDispatcher);
    thread->start();
}

/*! Calls \a body in the event loop of a thread and waits until the thread has finished. */
void tst_QSseEpollDispatcher::run(const std::function<void()> &body)
{
    QThread thread;
    QObject context;
    context.moveToThread(&thread);
    QMetaObject::invokeMethod(
        &context,
        [&body, &thread] {
            QCOMPARE(qobject_cast<QSseEpollDispatcher *>(dispatcher()) != nullptr, isOurs());
            body();
            thread.quit();
        },
        Qt::QueuedConnection);
    startThread(&thread);
    QVERIFY(thread.wait(120s));
}

void tst_QSseEpollDispatcher::timersAreNotEarly()
{
    run([] {
        struct Expected
        {
            std::chrono::milliseconds interval;
            std::chrono::milliseconds precision;
            Qt::TimerType type;
            int repeats;
        };
        const Expected all[] = {
            { 0ms, 0ms, Qt::PreciseTimer, 5 },    { 1ms, 0ms, Qt::PreciseTimer, 20 },
            { 7ms, 0ms, Qt::PreciseTimer, 5 },    { 40ms, 0ms, Qt::PreciseTimer, 3 },
            { 0ms, 0ms, Qt::CoarseTimer, 5 },     { 20ms, 1ms, Qt::CoarseTimer, 3 },
            { 60ms, 4ms, Qt::CoarseTimer, 2 },    { 200ms, 11ms, Qt::CoarseTimer, 1 },
            { 0ms, 0ms, Qt::VeryCoarseTimer, 1 }, { 500ms, 500ms, Qt::VeryCoarseTimer, 1 },
        };
        std::vector<std::unique_ptr<QTimer>> timers;
        std::size_t done = 0;
        for (const Expected &expected : all) {
            timers.push_back(std::make_unique<QTimer>());
            QTimer *timer = timers.back().get();
            timer->setTimerType(expected.type);
            QElapsedTimer clock;
            clock.start();
            timer->callOnTimeout([&done, timer, expected, clock, count = 0]() mutable {
                ++count;
                const std::chrono::nanoseconds elapsed(clock.nsecsElapsed());
                // The coarse ones may round each time, the precise ones stick to their schedule.
                const auto earliest = count * (expected.interval - expected.precision);
                QVERIFY2(elapsed >= earliest,
                         qPrintable(QStringLiteral("%1 ns, %2 ms type %3")
                                        .arg(elapsed.count())
                                        .arg(expected.interval.count())
                                        .arg(expected.type)));
                if (count == expected.repeats) {
                    timer->stop();
                    ++done;
                }
            });
            timer->start(expected.interval);
        }
        QVERIFY(waitFor([&] { return done == std::size(all); }));
    });
}

void tst_QSseEpollDispatcher::zeroTimers()
{
    run([] {
        SocketPair sockets;
        Watcher watcher(sockets.near(), QSocketNotifier::Read);
        sockets.send();
        int fired = 0;
        QTimer timer;
        timer.callOnTimeout([&fired] { ++fired; });
        timer.start(0);
        processAll();
        const int before = watcher.count;
        const int firedBefore = fired;
        for (int i = 0; i < 10; ++i)
            processOnce(i % 2 ? QEventLoop::WaitForMoreEvents : QEventLoop::AllEvents);
        QCOMPARE(fired - firedBefore, 10);
        QCOMPARE(watcher.count - before, 10);
    });
}

void tst_QSseEpollDispatcher::timersStartedByHandlersWait()
{
    run([] {
        int fired = 0;
        std::set<int> ids;
        TimerObject object([&](int id) {
            ++fired;
            object.killTimer(id);
            ids.erase(id);
            ids.insert(object.startTimer(0));
        });
        ids.insert(object.startTimer(0));
        ids.insert(object.startTimer(0));
        for (int round = 1; round < 10; ++round) {
            processOnce();
            QCOMPARE(fired, 2 * round);
        }
    });
}

void tst_QSseEpollDispatcher::timersStopTimers()
{
    run([] {
        std::vector<int> fired;
        int first = 0;
        int second = 0;
        int third = 0;
        TimerObject object([&](int id) {
            fired.push_back(id);
            if (id == first && fired.size() == 1)
                object.killTimer(second);
            if (id == third)
                object.killTimer(third);
        });
        first = object.startTimer(1ms, Qt::PreciseTimer);
        second = object.startTimer(3ms, Qt::PreciseTimer);
        third = object.startTimer(5ms, Qt::PreciseTimer);
        QThread::msleep(6); // all are due
        processOnce();
        QCOMPARE(fired, std::vector<int>({ first, third }));
        QVERIFY(waitFor([&] { return fired.size() == 5; }));
        QCOMPARE(std::count(fired.begin(), fired.end(), first), 4);
    });
}

void tst_QSseEpollDispatcher::timerOwnersDieInHandlers()
{
    run([] {
        int fired = 0;
        TimerObject *suicidal = nullptr;
        suicidal = new TimerObject([&](int) {
            ++fired;
            delete suicidal;
        });
        suicidal->startTimer(1ms, Qt::PreciseTimer);
        suicidal->startTimer(2ms, Qt::PreciseTimer);

        auto *victim = new TimerObject([&](int) { QFAIL("It is dead"); });
        TimerObject murderer([&](int id) {
            ++fired;
            murderer.killTimer(id);
            delete victim;
        });
        murderer.startTimer(1ms, Qt::PreciseTimer);
        victim->startTimer(3ms, Qt::PreciseTimer);

        QThread::msleep(5);
        processAll();
        QCOMPARE(fired, 2);
        QVERIFY(roundsWithin(20ms) <= fewRounds);
        QCOMPARE(fired, 2);
    });
}

void tst_QSseEpollDispatcher::remainingTime()
{
    run([] {
        QObject object;
        const int id = object.startTimer(300ms, Qt::PreciseTimer);
        QVERIFY(dispatcher()->remainingTime(id) > 200);
        QVERIFY(dispatcher()->remainingTime(id) <= 300);
        const int overdue = object.startTimer(1ms, Qt::PreciseTimer);
        QThread::msleep(3);
        QCOMPARE(dispatcher()->remainingTime(overdue), 0);
        object.killTimer(id);
        QVERIFY(dispatcher()->remainingTime(id) < 0);

        bool fired = false;
        QTimer timer;
        QCOMPARE(timer.remainingTime(), -1);
        timer.callOnTimeout([&] {
            fired = true;
            QVERIFY(timer.remainingTime() > 0); // until the next time
            QVERIFY(timer.remainingTime() <= 30);
            timer.stop();
            QCOMPARE(timer.remainingTime(), -1);
        });
        timer.setTimerType(Qt::PreciseTimer);
        timer.start(30);
        QVERIFY(waitFor([&fired] { return fired; }));
    });
}

void tst_QSseEpollDispatcher::registeredTimers()
{
    run([] {
        TimerObject object([&](int id) {
            const auto timers = dispatcher()->registeredTimers(&object);
            QCOMPARE(timers.size(), 4); // with the running one
            object.killTimer(id);
            QCOMPARE(dispatcher()->registeredTimers(&object).size(), 3);
        });
        QObject other;
        other.startTimer(50ms);
        QCOMPARE(dispatcher()->registeredTimers(&object).size(), 0);
        const int late = object.startTimer(7000ms, Qt::VeryCoarseTimer);
        const int middle = object.startTimer(2000ms, Qt::CoarseTimer);
        const int soon = object.startTimer(150ms, Qt::PreciseTimer);
        auto timers = dispatcher()->registeredTimers(&object);
        QCOMPARE(timers.size(), 3);
        QCOMPARE(timers[0].timerId, soon);
        QCOMPARE(timers[0].interval, 150);
        QCOMPARE(timers[0].timerType, Qt::PreciseTimer);
        QCOMPARE(timers[1].timerId, middle);
        QCOMPARE(timers[1].interval, 2000);
        QCOMPARE(timers[1].timerType, Qt::CoarseTimer);
        QCOMPARE(timers[2].timerId, late);
        QCOMPARE(timers[2].interval, 7000);
        QCOMPARE(timers[2].timerType, Qt::VeryCoarseTimer);

        object.startTimer(0);
        QVERIFY(waitFor([&] { return dispatcher()->registeredTimers(&object).size() == 3; }));
        QVERIFY(dispatcher()->unregisterTimers(&object));
        QCOMPARE(dispatcher()->registeredTimers(&object).size(), 0);
        QCOMPARE(dispatcher()->registeredTimers(&other).size(), 1);
    });
}

void tst_QSseEpollDispatcher::timersMoveToOtherThreads()
{
    QThread other;
    startThread(&other);
    QSemaphore fired;
    run([&] {
        auto *timer = new QTimer;
        timer->callOnTimeout([&, timer] {
            if (QThread::currentThread() == &other) {
                timer->stop();
                timer->deleteLater();
                fired.release();
            }
        });
        timer->start(1);
        timer->moveToThread(&other);
        QVERIFY(fired.tryAcquire(1, 10'000));
    });
    other.quit();
    QVERIFY(other.wait(10s));
}

void tst_QSseEpollDispatcher::lateTimersFireOnce()
{
    run([] {
        int fired = 0;
        QTimer timer;
        timer.setTimerType(Qt::PreciseTimer);
        timer.callOnTimeout([&fired] { ++fired; });
        timer.start(20);
        QThread::msleep(90);
        processOnce();
        QCOMPARE(fired, 1);
        QVERIFY(timer.remainingTime() <= 20);
        QElapsedTimer clock;
        clock.start();
        QVERIFY(waitFor([&] { return fired == 3; }));
        QVERIFY(clock.elapsed() >= 30); // the first within 20 ms, the next after 20 more
    });
}

void tst_QSseEpollDispatcher::runningTimersAreNotReentered()
{
    for (const int interval : { 0, 1 }) {
        run([interval] {
            int depth = 0;
            int fired = 0;
            int rounds = 0;
            QTimer timer;
            timer.setTimerType(Qt::PreciseTimer);
            timer.callOnTimeout([&] {
                QCOMPARE(++depth, 1);
                if (++fired == 1)
                    rounds = roundsWithin(20ms);
                --depth;
            });
            timer.start(interval);
            QVERIFY(waitFor([&] { return fired == 3; }));
            QVERIFY2(rounds <= 20 + fewRounds, qPrintable(QString::number(rounds)));
        });
    }
}

void tst_QSseEpollDispatcher::readAndWrite()
{
    run([] {
        SocketPair sockets;
        Watcher reader(sockets.near(), QSocketNotifier::Read, [&] { sockets.drain(); });
        Watcher writer(sockets.near(), QSocketNotifier::Write, [&] { writer.setEnabled(false); });
        QVERIFY(waitFor([&] { return writer.count == 1; }));
        QCOMPARE(reader.count, 0);
        sockets.send();
        QVERIFY(waitFor([&] { return reader.count == 1; }));
        QVERIFY(roundsWithin(10ms) <= fewRounds);
        QCOMPARE(reader.count, 1);
        QCOMPARE(writer.count, 1);

        // It is level-triggered: what is not read is reported again.
        Watcher lazy(sockets.far(), QSocketNotifier::Read);
        QCOMPARE(::write(sockets.near(), "x", 1), ssize_t(1));
        QVERIFY(waitFor([&] { return lazy.count == 5; }));
    });
}

void tst_QSseEpollDispatcher::exceptions()
{
    run([] {
        const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address = loopbackAddress(0);
        socklen_t size = sizeof(address);
        QCOMPARE(bind(server, reinterpret_cast<sockaddr *>(&address), size), 0);
        QCOMPARE(listen(server, 1), 0);
        QCOMPARE(getsockname(server, reinterpret_cast<sockaddr *>(&address), &size), 0);
        const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        QCOMPARE(::connect(client, reinterpret_cast<sockaddr *>(&address), size), 0);
        const int accepted = accept4(server, nullptr, nullptr, SOCK_CLOEXEC);

        {
            Watcher exception(accepted, QSocketNotifier::Exception, [&] {
                char c = 0;
                QCOMPARE(recv(accepted, &c, 1, MSG_OOB), ssize_t(1));
                QCOMPARE(c, '!');
            });
            Watcher reader(accepted, QSocketNotifier::Read);
            QCOMPARE(::send(client, "!", 1, MSG_OOB), ssize_t(1));
            QVERIFY(waitFor([&] { return exception.count == 1; }));
            QCOMPARE(reader.count, 0);
        }
        for (const int descriptor : { server, client, accepted })
            close(descriptor);
    });
}

void tst_QSseEpollDispatcher::hangUp()
{
    run([] {
        SocketPair sockets;
        Watcher reader(sockets.near(), QSocketNotifier::Read);
        Watcher writer(sockets.near(), QSocketNotifier::Write);
        Watcher exception(sockets.near(), QSocketNotifier::Exception);
        sockets.closeFar();
        processOnce();
        QCOMPARE(reader.count, 1);
        QCOMPARE(writer.count, 1);
        QCOMPARE(exception.count, 1);
        reader.setEnabled(false);
        writer.setEnabled(false);
        processOnce();
        QCOMPARE(exception.count, 2);
        exception.setEnabled(false); // nobody is left: it must not be waited for
        QVERIFY(roundsWithin(10ms) <= fewRounds);
        QCOMPARE(reader.count, 1);
        QCOMPARE(writer.count, 1);
        QCOMPARE(exception.count, 2);
    });
}

void tst_QSseEpollDispatcher::disabledByHandlers()
{
    run([] {
        std::array<SocketPair, 8> pairs;
        std::vector<std::unique_ptr<Watcher>> watchers;
        for (const SocketPair &pair : pairs) {
            for (const auto type : { QSocketNotifier::Read, QSocketNotifier::Write }) {
                watchers.push_back(std::make_unique<Watcher>(pair.near(), type, [&watchers] {
                    for (const auto &watcher : watchers)
                        watcher->setEnabled(false);
                }));
            }
            pair.send();
        }
        const auto activations = [&] {
            int sum = 0;
            for (const auto &watcher : watchers)
                sum += watcher->count;
            return sum;
        };
        processOnce();
        QCOMPARE(activations(), 1);
        QVERIFY(roundsWithin(10ms) <= fewRounds);
        QCOMPARE(activations(), 1);
        for (const auto &watcher : watchers)
            watcher->setEnabled(true);
        processOnce();
        QCOMPARE(activations(), 2);
    });
}

void tst_QSseEpollDispatcher::deletedByHandlers()
{
    run([] {
        std::array<SocketPair, 4> pairs;
        QList<QPointer<Watcher>> watchers;
        int activations = 0;
        for (const SocketPair &pair : pairs) {
            for (const auto type : { QSocketNotifier::Read, QSocketNotifier::Write }) {
                watchers.append(new Watcher(pair.near(), type, [&] {
                    ++activations;
                    for (Watcher *watcher : std::as_const(watchers))
                        delete watcher; // this one as well
                }));
            }
            pair.send();
        }
        processOnce();
        QCOMPARE(activations, 1);
        QVERIFY(roundsWithin(10ms) <= fewRounds);
        QCOMPARE(activations, 1);
    });
}

void tst_QSseEpollDispatcher::toggledByHandlers()
{
    run([] {
        std::array<SocketPair, 2> pairs;
        std::array<std::unique_ptr<Watcher>, 2> watchers;
        for (std::size_t i = 0; i < 2; ++i) {
            watchers[i] = std::make_unique<Watcher>(pairs[i].near(), QSocketNotifier::Read, [&, i] {
                pairs[0].drain();
                pairs[1].drain();
                // As waitForReadyRead() does.
                watchers[1 - i]->setEnabled(false);
                watchers[1 - i]->setEnabled(true);
            });
            pairs[i].send();
        }
        processOnce();
        QCOMPARE(watchers[0]->count + watchers[1]->count, 1);
        pairs[0].send();
        QVERIFY(waitFor([&] { return watchers[0]->count + watchers[1]->count == 2; }));
        pairs[1].send();
        QVERIFY(waitFor([&] { return watchers[0]->count + watchers[1]->count == 3; }));
    });
}

void tst_QSseEpollDispatcher::nestedLoopInHandler()
{
    run([] {
        std::array<SocketPair, 20> pairs;
        std::vector<std::unique_ptr<Watcher>> watchers;
        int depth = 0;
        for (const SocketPair &pair : pairs) {
            watchers.push_back(std::make_unique<Watcher>(pair.near(), QSocketNotifier::Read, [&] {
                pair.drain();
                if (++depth < 3)
                    processAll();
                --depth;
            }));
            pair.send();
        }
        processAll();
        for (const auto &watcher : watchers)
            QCOMPARE(watcher->count, 1);
    });
}

void tst_QSseEpollDispatcher::writeNotifiersComeAndGo()
{
    run([] {
        SocketPair sockets;
        Watcher reader(sockets.near(), QSocketNotifier::Read, [&] { sockets.drain(); });
        Watcher writer(sockets.near(), QSocketNotifier::Write, [&] { writer.setEnabled(false); });
        writer.setEnabled(false);
        for (int i = 0; i < 100; ++i) {
            writer.setEnabled(true);
            writer.setEnabled(false);
            processOnce();
        }
        QCOMPARE(writer.count, 0);
        for (int i = 1; i <= 100; ++i) {
            writer.setEnabled(true);
            sockets.send();
            processOnce();
            QCOMPARE(writer.count, i);
            QCOMPARE(reader.count, i);
        }
        // Alone as well, though it takes the descriptor along.
        reader.setEnabled(false);
        for (int i = 101; i <= 200; ++i) {
            writer.setEnabled(true);
            processOnce();
            QCOMPARE(writer.count, i);
        }
        QVERIFY(roundsWithin(10ms) <= fewRounds);
    });
}

void tst_QSseEpollDispatcher::reusedInHandler()
{
    run([] {
        std::array<SocketPair, 2> pairs;
        std::array<std::unique_ptr<Watcher>, 2> watchers;
        SocketPair quiet;
        std::unique_ptr<Watcher> fresh;
        int activations = 0;
        for (std::size_t i = 0; i < 2; ++i) {
            watchers[i] = std::make_unique<Watcher>(pairs[i].near(), QSocketNotifier::Read, [&, i] {
                ++activations;
                pairs[i].drain();
                const int reused = pairs[1 - i].near();
                watchers[1 - i].reset();
                pairs[1 - i].closeNear();
                quiet.moveNearTo(reused);
                fresh = std::make_unique<Watcher>(reused, QSocketNotifier::Read,
                                                  [&quiet] { quiet.drain(); });
            });
            pairs[i].send();
        }
        processOnce();
        QCOMPARE(activations, 1);
        QVERIFY(roundsWithin(10ms) <= fewRounds);
        QCOMPARE(activations, 1);
        QCOMPARE(fresh->count, 0);
        quiet.send();
        QVERIFY(waitFor([&] { return fresh->count == 1; }));
    });
}

// Who closes a descriptor before its notifier is disabled gets away with it in these cases.
void tst_QSseEpollDispatcher::reusedBehindTheBack()
{
    run([] {
        SocketPair first;
        SocketPair second;
        auto reader = std::make_unique<Watcher>(first.near(), QSocketNotifier::Read);
        processOnce();
        const int reused = first.near();
        first.forgetNear();
        second.moveNearTo(reused); // closes the first
        Watcher writer(reused, QSocketNotifier::Write, [&writer] { writer.setEnabled(false); });
        QVERIFY(waitFor([&] { return writer.count == 1; }));
        second.send();
        QVERIFY(waitFor([&] { return reader->count > 0; }));

        SocketPair third;
        third.moveNearTo(reused);
        second.forgetNear();
        reader.reset();
        Watcher again(reused, QSocketNotifier::Read, [&] { third.drain(); });
        third.send();
        QVERIFY(waitFor([&] { return again.count == 1; }));
        QVERIFY(roundsWithin(10ms) <= fewRounds);
    });
}

void tst_QSseEpollDispatcher::duplicatesLeaveNothing()
{
    run([] {
        auto sockets = std::make_unique<SocketPair>();
        const int number = sockets->near();
        const int duplicate = dup(number);
        auto watcher = std::make_unique<Watcher>(number, QSocketNotifier::Read);
        sockets->send();
        processOnce();
        QCOMPARE(watcher->count, 1);
        // The socket stays open and readable.
        watcher.reset();
        sockets->closeNear();
        QVERIFY(roundsWithin(10ms) <= fewRounds);

        SocketPair other;
        other.moveNearTo(number);
        Watcher fresh(number, QSocketNotifier::Read, [&] { other.drain(); });
        QVERIFY(roundsWithin(10ms) <= fewRounds);
        QCOMPARE(fresh.count, 0);
        other.send();
        QVERIFY(waitFor([&] { return fresh.count == 1; }));
        close(duplicate);
    });
}

void tst_QSseEpollDispatcher::invalidDescriptors()
{
    run([] {
        SocketPair sockets;
        const int invalid = sockets.near();
        sockets.closeNear();
        Watcher reader(invalid, QSocketNotifier::Read);
        Watcher writer(invalid, QSocketNotifier::Write);
        const QRegularExpression warning(QStringLiteral("Invalid socket|cannot watch descriptor"));
        QTest::ignoreMessage(QtWarningMsg, warning);
        if (!isOurs()) // it warns of each
            QTest::ignoreMessage(QtWarningMsg, warning);
        processAll();
        QVERIFY(!reader.isEnabled());
        QVERIFY(!writer.isEnabled());
        QVERIFY(roundsWithin(10ms) <= fewRounds);
        QCOMPARE(reader.count + writer.count, 0);
    });
}

// Qt reports them as ready at any time; epoll does not take them.
void tst_QSseEpollDispatcher::regularFiles()
{
    if (!isOurs())
        return;
    run([] {
        QTemporaryFile file;
        QVERIFY(file.open());
        Watcher reader(file.handle(), QSocketNotifier::Read);
        QTest::ignoreMessage(QtWarningMsg,
                             QRegularExpression(QStringLiteral("cannot watch descriptor")));
        QVERIFY(roundsWithin(10ms) <= fewRounds);
        QVERIFY(!reader.isEnabled());
        QCOMPARE(reader.count, 0);
    });
}

void tst_QSseEpollDispatcher::flags()
{
    run([] {
        SocketPair sockets;
        Watcher watcher(sockets.near(), QSocketNotifier::Read);
        sockets.send();
        processAll();
        int count = watcher.count;
        QVERIFY(count > 0);
        QVERIFY(!processOnce(QEventLoop::ExcludeSocketNotifiers));
        QVERIFY(roundsWithin(20ms, QEventLoop::ExcludeSocketNotifiers) <= fewRounds);
        // One that is new to the dispatcher or has changed.
        SocketPair others;
        others.send();
        Watcher other(others.near(), QSocketNotifier::Read);
        Watcher writer(sockets.near(), QSocketNotifier::Write);
        processOnce(QEventLoop::ExcludeSocketNotifiers);
        QVERIFY(roundsWithin(20ms, QEventLoop::ExcludeSocketNotifiers) <= fewRounds);
        QCOMPARE(watcher.count, count);
        QCOMPARE(other.count, 0);
        QVERIFY(processOnce(QEventLoop::ExcludeUserInputEvents));
        QCOMPARE(watcher.count, ++count);
        QCOMPARE(writer.count, 1);
        QCOMPARE(other.count, 1);

        watcher.setEnabled(false);
        writer.setEnabled(false);
        other.setEnabled(false);
        int fired = 0;
        QTimer timer;
        timer.callOnTimeout([&fired] { ++fired; });
        timer.start(0);
        QVERIFY(!processOnce(QEventLoop::X11ExcludeTimers));
        QCOMPARE(fired, 0);
        dispatcher()->wakeUp();
        QVERIFY(processOnce(QEventLoop::X11ExcludeTimers | QEventLoop::WaitForMoreEvents));
        QCOMPARE(fired, 0);
        processOnce();
        QCOMPARE(fired, 1);
    });
}

void tst_QSseEpollDispatcher::emitsSignals()
{
    run([] {
        int awake = 0;
        int blocking = 0;
        QObject context;
        connect(dispatcher(), &QAbstractEventDispatcher::awake, &context, [&] { ++awake; });
        connect(dispatcher(), &QAbstractEventDispatcher::aboutToBlock, &context,
                [&] { ++blocking; });
        processOnce();
        QCOMPARE(awake, 1);
        QCOMPARE(blocking, 0);
        QTimer::singleShot(5, &context, [] {});
        processOnce(QEventLoop::WaitForMoreEvents);
        QCOMPARE(awake, 2);
        QCOMPARE(blocking, 1);

        // Who is told may still wake it up or interrupt it.
        connect(dispatcher(), &QAbstractEventDispatcher::aboutToBlock, &context, [&] {
            QMetaObject::invokeMethod(
                &context, [] {}, Qt::QueuedConnection);
        });
        QVERIFY(processOnce(QEventLoop::WaitForMoreEvents));
        connect(dispatcher(), &QAbstractEventDispatcher::aboutToBlock, &context,
                [&] { dispatcher()->interrupt(); });
        processOnce(); // sends what was posted
        QVERIFY(!processOnce(QEventLoop::WaitForMoreEvents));
        QVERIFY(processOnce()); // has been woken up
    });
}

void tst_QSseEpollDispatcher::returnValue()
{
    run([] {
        processAll();
        QVERIFY(!processOnce());
        dispatcher()->wakeUp();
        QVERIFY(processOnce());
        QVERIFY(!processOnce());
        QObject context;
        QMetaObject::invokeMethod(
            &context, [] {}, Qt::QueuedConnection);
        QVERIFY(processOnce());
        QVERIFY(!processOnce());

        // Or else QEventLoop::processEvents() with a maximum time would go on until then.
        QTimer timer;
        timer.start(0);
        QVERIFY(!processOnce());
        timer.start(1);
        QThread::msleep(2);
        QVERIFY(processOnce());
        timer.stop();

        SocketPair sockets;
        Watcher watcher(sockets.near(), QSocketNotifier::Read);
        QVERIFY(!processOnce());
        sockets.send();
        QVERIFY(processOnce());
    });
}

void tst_QSseEpollDispatcher::wakeUpBeforeWaiting()
{
    run([] {
        processAll();
        for (int i = 0; i < 100; ++i) {
            dispatcher()->wakeUp();
            dispatcher()->wakeUp();
            QVERIFY(processOnce(QEventLoop::WaitForMoreEvents));
            dispatcher()->interrupt();
            QVERIFY(processOnce(QEventLoop::WaitForMoreEvents));
            dispatcher()->wakeUp();
            QVERIFY(
                processOnce(QEventLoop::WaitForMoreEvents | QEventLoop::ExcludeSocketNotifiers));
        }
        QVERIFY(roundsWithin(10ms) <= fewRounds);
        QVERIFY(roundsWithin(10ms, QEventLoop::ExcludeSocketNotifiers) <= fewRounds);
    });
}

// One side waits for the other each time, so a lost wake-up is noticed.
void tst_QSseEpollDispatcher::wakeUpFromOtherThreads()
{
    run([] {
        constexpr int times = 5000;
        QAbstractEventDispatcher *woken = dispatcher();
        std::atomic<int> seen = 0;
        std::atomic<int> sent = 0;
        QSemaphore turn;
        std::thread waker([&] {
            for (int i = 0; i < times; ++i) {
                sent = i + 1;
                if (i % 2)
                    woken->wakeUp();
                else
                    woken->interrupt();
                if (!turn.tryAcquire(1, 10'000))
                    return;
            }
        });
        while (seen < times) {
            // Excluding the sockets takes another way to wait.
            const bool excluding = seen % 3 == 0;
            while (sent == seen) {
                processOnce(
                    QEventLoop::WaitForMoreEvents
                    | (excluding ? QEventLoop::ExcludeSocketNotifiers : QEventLoop::AllEvents));
            }
            ++seen;
            turn.release();
        }
        waker.join();
        QCOMPARE(seen.load(), times);
        // What woke it up then does not do so again.
        QVERIFY(roundsWithin(10ms) <= fewRounds);
        QVERIFY(roundsWithin(10ms, QEventLoop::ExcludeSocketNotifiers) <= fewRounds);
    });
}

void tst_QSseEpollDispatcher::postedEventsFromOtherThreads()
{
    run([] {
        constexpr int each = 25'000;
        Receiver receiver;
        std::vector<std::thread> threads;
        for (std::size_t sender = 0; sender < Receiver::senders; ++sender) {
            threads.emplace_back([&receiver, sender] {
                for (int i = 0; i < each; ++i)
                    receiver.post(sender, i);
            });
        }
        const bool allReceived = waitFor([&receiver] { return receiver.hasAll(each); });
        for (std::thread &thread : threads)
            thread.join();
        QVERIFY(allReceived);
        QCOMPARE(receiver.misplaced, 0);
    });
}

void tst_QSseEpollDispatcher::quitFromOtherThreads()
{
    run([] {
        constexpr int times = 3000;
        QSemaphore running;
        QSemaphore ended;
        std::atomic<QEventLoop *> current = nullptr;
        int exits = 0;
        std::thread quitter([&] {
            for (int i = 0; i < times && running.tryAcquire(1, 10'000); ++i) {
                current.load()->exit(i);
                ended.acquire();
            }
        });
        for (int i = 0; i < times; ++i) {
            QEventLoop loop;
            current = &loop;
            QMetaObject::invokeMethod(
                &loop, [&] { running.release(); }, Qt::QueuedConnection);
            exits += loop.exec() == i ? 1 : 0;
            ended.release();
        }
        quitter.join();
        QCOMPARE(exits, times);
    });
}

void tst_QSseEpollDispatcher::nestedLoops()
{
    run([] {
        QObject context;
        std::vector<int> order;
        const std::function<void(int)> nest = [&](int depth) {
            QEventLoop loop;
            QTimer::singleShot(1, &context, [&, depth] {
                if (depth < 5)
                    nest(depth + 1);
                order.push_back(depth);
                // From a handler of each kind.
                if (depth % 2)
                    loop.quit();
                else
                    QMetaObject::invokeMethod(&loop, &QEventLoop::quit, Qt::QueuedConnection);
            });
            loop.exec();
        };
        nest(0);
        QCOMPARE(order, std::vector<int>({ 5, 4, 3, 2, 1, 0 }));

        // Events posted by a nested loop that is left arrive in the outer one.
        int received = 0;
        QMetaObject::invokeMethod(
            &context,
            [&] {
                QEventLoop loop;
                QMetaObject::invokeMethod(
                    &context,
                    [&] {
                        loop.quit();
                        QMetaObject::invokeMethod(
                            &context, [&] { ++received; }, Qt::QueuedConnection);
                    },
                    Qt::QueuedConnection);
                loop.exec();
            },
            Qt::QueuedConnection);
        QVERIFY(waitFor([&] { return received == 1; }));
    });
}

void tst_QSseEpollDispatcher::deferredDelete()
{
    run([] {
        QEventLoop loop;
        auto *object = new QObject;
        connect(object, &QObject::destroyed, &loop, &QEventLoop::quit);
        QTimer::singleShot(0, object, &QObject::deleteLater);
        QTimer guard;
        guard.callOnTimeout([&loop] { loop.exit(1); });
        guard.start(10s);
        QCOMPARE(loop.exec(), 0);

        SocketPair sockets;
        Watcher *watcher = nullptr;
        watcher =
            new Watcher(sockets.near(), QSocketNotifier::Read, [&] { watcher->deleteLater(); });
        connect(watcher, &QObject::destroyed, &loop, &QEventLoop::quit);
        sockets.send();
        QCOMPARE(loop.exec(), 0);
    });
}

void tst_QSseEpollDispatcher::outlivedByNotifiersAndTimers()
{
    SocketPair sockets;
    std::unique_ptr<Watcher> watcher;
    QPointer<QAbstractEventDispatcher> gone;
    std::unique_ptr<QObject> timer;
    run([&] {
        gone = dispatcher();
        watcher = std::make_unique<Watcher>(sockets.near(), QSocketNotifier::Read);
        timer = std::make_unique<QObject>();
        dispatcher()->registerTimer(1, Qt::PreciseTimer, timer.get());
        sockets.send();
        QVERIFY(waitFor([&] { return watcher->count > 0; }));
    });
    QVERIFY(!gone);
    watcher->setEnabled(false);
    watcher.reset();
}

void tst_QSseEpollDispatcher::manyNotifiers()
{
    run([] {
        constexpr std::size_t many = 2000;
        std::vector<std::unique_ptr<SocketPair>> pairs;
        std::vector<std::unique_ptr<Watcher>> watchers;
        std::size_t received = 0;
        for (std::size_t i = 0; i < many; ++i) {
            pairs.push_back(std::make_unique<SocketPair>());
            const SocketPair *pair = pairs.back().get();
            watchers.push_back(
                std::make_unique<Watcher>(pair->near(), QSocketNotifier::Read, [&received, pair] {
                    pair->drain();
                    ++received;
                }));
        }
        // One at a time, and all at once, which is more than one round takes.
        for (std::size_t i = 0; i < many; i += 50) {
            pairs[i]->send();
            QVERIFY(waitFor([&] { return received == i / 50 + 1; }));
            QCOMPARE(watchers[i]->count, 1);
        }
        received = 0;
        for (const auto &pair : pairs)
            pair->send();
        QVERIFY(waitFor([&] { return received == many; }));
        for (std::size_t i = 0; i < many; ++i)
            QCOMPARE(watchers[i]->count, i % 50 ? 1 : 2);
        QVERIFY(roundsWithin(10ms) <= fewRounds);
        QCOMPARE(received, many);
    });
}

// Whatever is done to notifiers and sockets, those are activated that should be, and no others.
void tst_QSseEpollDispatcher::randomChanges()
{
    struct Subject
    {
        std::unique_ptr<SocketPair> sockets = std::make_unique<SocketPair>();
        std::unique_ptr<Watcher> reader;
        std::unique_ptr<Watcher> writer;
        bool readable = false;

        void replace()
        {
            reader.reset();
            writer.reset();
            sockets = std::make_unique<SocketPair>();
            readable = false;
        }
        static void toggle(std::unique_ptr<Watcher> *watcher, const SocketPair &sockets,
                           QSocketNotifier::Type type)
        {
            if (*watcher)
                (*watcher)->setEnabled(!(*watcher)->isEnabled());
            else
                *watcher = std::make_unique<Watcher>(sockets.near(), type);
        }
        static void check(const std::unique_ptr<Watcher> &watcher, bool ready)
        {
            if (!watcher)
                return;
            QCOMPARE(watcher->count > 0, ready && watcher->isEnabled());
            watcher->count = 0;
        }
    };
    run([] {
        QRandomGenerator random(20'000);
        std::vector<Subject> subjects(100);
        std::vector<int> duplicates;
        for (int step = 0; step < 500; ++step) {
            const int changes = random.bounded(1, 30);
            for (int i = 0; i < changes; ++i) {
                Subject &subject = subjects[random.bounded(quint32(subjects.size()))];
                const SocketPair &sockets = *subject.sockets;
                switch (random.bounded(8)) {
                case 0:
                case 1:
                    Subject::toggle(&subject.reader, sockets, QSocketNotifier::Read);
                    break;
                case 2:
                case 3:
                    Subject::toggle(&subject.writer, sockets, QSocketNotifier::Write);
                    break;
                case 4:
                    sockets.send();
                    subject.readable = true;
                    break;
                case 5:
                    sockets.drain();
                    subject.readable = false;
                    break;
                case 6:
                    (random.bounded(2) ? subject.reader : subject.writer).reset();
                    break;
                case 7:
                    if (random.bounded(4) == 0)
                        duplicates.push_back(dup(sockets.near()));
                    subject.replace();
                    break;
                }
            }
            // No handler changes anything, so a round or two report all there is.
            processOnce();
            processOnce();
            for (const Subject &subject : subjects) {
                Subject::check(subject.reader, subject.readable);
                Subject::check(subject.writer, true);
            }
            if (QTest::currentTestFailed())
                break;
        }
        for (Subject &subject : subjects)
            subject.replace();
        QVERIFY(roundsWithin(10ms) <= fewRounds);
        for (const int duplicate : duplicates)
            close(duplicate);
    });
}

namespace {

template<typename Server, typename Socket>
void echo(Server *server, const std::function<void(Socket *)> &connectToServer)
{
    QObject::connect(server, &Server::newConnection, server, [server] {
        auto *accepted = server->nextPendingConnection();
        QObject::connect(accepted, &QIODevice::readyRead, accepted,
                         [accepted] { accepted->write(accepted->readAll()); });
    });
    QByteArray sent(2'000'000, Qt::Uninitialized);
    for (qsizetype i = 0; i < sent.size(); ++i)
        sent[i] = char(i % 251);
    constexpr std::size_t clients = 3;
    std::array<QByteArray, clients> received;
    std::array<Socket, clients> sockets;
    for (std::size_t i = 0; i < clients; ++i) {
        Socket *socket = &sockets.at(i);
        QObject::connect(socket, &Socket::connected, socket, [&, socket] { socket->write(sent); });
        QObject::connect(socket, &QIODevice::readyRead, socket,
                         [&, socket, i] { received.at(i) += socket->readAll(); });
        connectToServer(socket);
    }
    QVERIFY(waitFor([&] {
        return std::all_of(received.begin(), received.end(),
                           [&](const QByteArray &got) { return got.size() >= sent.size(); });
    }));
    for (std::size_t i = 0; i < clients; ++i) {
        QVERIFY(received.at(i) == sent);
        Socket *socket = &sockets.at(i);
        // The blocking functions take the notifiers away for their time.
        socket->write("again");
        QVERIFY(socket->waitForBytesWritten(10'000));
    }
    QVERIFY(waitFor([&] {
        return std::all_of(received.begin(), received.end(),
                           [](const QByteArray &got) { return got.endsWith("again"); });
    }));
    bool disconnected = false;
    QObject::connect(&sockets[0], &Socket::disconnected, server, [&] { disconnected = true; });
    server->close();
    qDeleteAll(server->template findChildren<Socket *>());
    QVERIFY(waitFor([&] { return disconnected; }));
}

} // namespace

void tst_QSseEpollDispatcher::tcpEcho()
{
    run([] {
        QTcpServer server;
        QVERIFY(server.listen(QHostAddress::LocalHost));
        echo<QTcpServer, QTcpSocket>(&server, [&server](QTcpSocket *socket) {
            socket->connectToHost(QHostAddress::LocalHost, server.serverPort());
        });
    });
}

void tst_QSseEpollDispatcher::localEcho()
{
    run([] {
        const QTemporaryDir directory;
        QLocalServer server;
        QVERIFY(server.listen(directory.filePath(QStringLiteral("socket"))));
        echo<QLocalServer, QLocalSocket>(&server, [&server](QLocalSocket *socket) {
            socket->connectToServer(server.fullServerName());
        });
    });
}

QTEST_GUILESS_MAIN(tst_QSseEpollDispatcher)
#include "tst_qsseepolldispatcher.moc"
