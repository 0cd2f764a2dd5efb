// SPDX-License-Identifier: MIT
#ifndef LOADCLIENT_H
#define LOADCLIENT_H

#include "histogram.h"

#include <QtCore/QtGlobal>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

/*! What must not happen to a stream. */
struct Faults
{
    qint64 lost = 0;      // numbers left out between two events of one connection
    qint64 doubled = 0;   // events that came again
    qint64 reordered = 0; // events that came after a later one
    qint64 missing = 0;   // published at the end and never come
    qint64 cut = 0;       // connections that ended

    bool isNone() const { return isInOrder() && missing == 0 && cut == 0; }
    bool isInOrder() const { return lost == 0 && doubled == 0 && reordered == 0; }
    Faults &operator+=(const Faults &other)
    {
        lost += other.lost;
        doubled += other.doubled;
        reordered += other.reordered;
        missing += other.missing;
        cut += other.cut;
        return *this;
    }
};

/*!
    Many event streams at once, read by one thread with plain system calls, so that the client is
    never what limits: an event costs it a search for its line, two numbers and a histogram's
   bucket.
*/
class LoadClient
{
public:
    /*! The topic of those who are to get nothing. */
    static constexpr int IdleTopic = -1;

    /*! Where the first event may be. */
    enum class Begin {
        AtFirst,  //!< nothing is published before all are connected
        Anywhere, //!< events flow already
    };

    explicit LoadClient(Begin begin);
    ~LoadClient();
    Q_DISABLE_COPY_MOVE(LoadClient)

    /*! Connects to \a port once for each of \a topics, \a inFlight of them at a time, and waits for
        all heads of the responses. The last \a sleepers of them never read on. */
    bool connectAll(quint16 port, const std::vector<int> &topics, int sleepers, int inFlight,
                    std::chrono::seconds patience);
    /*! Reads for \a duration. */
    void run(std::chrono::nanoseconds duration);
    /*! Waits for \a milliseconds at most and reads once whatever is readable. */
    void poll(int milliseconds);

    /*! The latencies of what came since the last call, or since the beginning. */
    Histogram takeLatencies();
    /*! All that was read. */
    quint64 bytesRead() const { return m_bytesRead; }
    /*! The faults there are if \a published events over \a topics topics were all. */
    Faults faults(qint64 published, int topics) const;

private:
    enum class State { Connecting, InHead, Live, Asleep, Closed };
    struct Connection
    {
        int fd = -1;
        int topic = IdleTopic;
        State state = State::Closed;
        bool sleeps = false;
        qint64 last = -1;  // number of the last event
        std::string carry; // the beginning of a line whose end has not come yet
    };

    void open(Connection &connection, quint16 port);
    void close(Connection &connection);
    void fallAsleep(Connection &connection);
    void handle(Connection &connection, quint32 events);
    void sendRequest(Connection &connection);
    void read(Connection &connection);
    const char *readLines(Connection &connection, const char *from, const char *to);
    void readHeadLine(Connection &connection, std::string_view line);
    void readData(Connection &connection, const char *text);

    const Begin m_begin;
    const int m_epoll;
    std::vector<char> m_buffer;
    std::vector<Connection> m_connections;
    size_t m_opened = 0;
    size_t m_settled = 0; // live, or closed before
    Faults m_faults;
    Histogram m_latencies;
    quint64 m_bytesRead = 0;
    qint64 m_now = 0; // when the bytes being parsed were read
};

#endif // LOADCLIENT_H
