// SPDX-License-Identifier: MIT
#ifndef BARESTREAM_H
#define BARESTREAM_H

#include "loopback.h"

#include <QtCore/QByteArray>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <utility>
#include <vector>

/*!
    One connection at a time to an event stream, read with plain system calls, so that nothing of
    what is tested helps to test it. It resumes after the last id it saw.
*/
class BareStream
{
public:
    struct Event
    {
        QByteArray id; // set by this block, empty when it has none
        QByteArray type;
        QByteArray data;
        int retry = -1;
        bool hasData = false;
    };

    BareStream() = default;
    ~BareStream() { close(); }
    Q_DISABLE_COPY_MOVE(BareStream)

    /*! Connects anew and asks for \a target. Read by who has \a epoll, or, with -1, by read(). */
    bool open(int epoll, quint16 port, const QByteArray &target)
    {
        close();
        if (lastId.isEmpty())
            number = -1; // begins anew
        m_buffer.clear();
        m_block = {};
        m_hasHead = false;
        m_fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (hasSmallBuffers)
            shrinkBuffers();
        const sockaddr_in address = loopbackAddress(port);
        QByteArray request = "GET " + target + " HTTP/1.1\r\nHost: localhost\r\n";
        if (!lastId.isEmpty())
            request += "Last-Event-ID: " + lastId + "\r\n";
        request += "\r\n";
        const bool isOpen = m_fd >= 0
            && ::connect(m_fd, reinterpret_cast<const sockaddr *>(&address), sizeof(address)) == 0
            && ::send(m_fd, request.constData(), size_t(request.size()), MSG_NOSIGNAL)
                == request.size()
            && (epoll < 0 || listenWith(epoll));
        if (!isOpen)
            close();
        return isOpen;
    }
    /*! Has who has \a epoll read it from now on. */
    bool listenWith(int epoll)
    {
        epoll_event interest {};
        interest.events = EPOLLIN;
        interest.data.ptr = this;
        return ::epoll_ctl(epoll, EPOLL_CTL_ADD, m_fd, &interest) == 0;
    }
    void close()
    {
        if (m_fd >= 0)
            ::close(m_fd);
        m_fd = -1;
    }
    void reset()
    {
        resetOnClose(m_fd);
        close();
    }
    bool isOpen() const { return m_fd >= 0; }
    /*! Whether the response's head has come. */
    bool hasHead() const { return m_hasHead; }

    /*! Reads once what there is and calls \a handler for each block; false when there was nothing
        or the stream has ended. */
    template<typename Handler> bool read(Handler handler)
    {
        char bytes[64 * 1024];
        const ssize_t size = ::recv(m_fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return false;
        if (size <= 0) {
            if (!mayEnd)
                fail("the stream ended");
            close();
            return false;
        }
        m_buffer.append(bytes, size);
        if (!m_hasHead && !readHead())
            return true;
        qsizetype from = 0;
        for (qsizetype end; (end = m_buffer.indexOf('\n', from)) >= 0; from = end + 1)
            readLine(m_buffer.mid(from, end - from), handler);
        m_buffer.remove(0, from);
        return true;
    }
    void fail(const QByteArray &text)
    {
        if (failure.isEmpty())
            failure = text;
    }
    /*! A handler for streams with all events of a server, where each event's id is one more than
        the one before: nothing may be missing, except after an event "gap". */
    void checkIds(const Event &event)
    {
        if (event.type == "gap") {
            ++gaps;
            number = -1;
            return;
        }
        if (event.id.isEmpty())
            return;
        const qint64 next = event.id.mid(event.id.lastIndexOf('-') + 1).toLongLong();
        if (event.hasData) {
            ++events;
            if (number >= 0 && next != number + 1)
                fail(event.id + " came after " + QByteArray::number(number));
        } else if (number >= 0 && next != number) {
            fail("the id moved to " + event.id + " past lost events");
        }
        number = next;
    }

    QByteArray lastId;
    QByteArray failure; // the first thing that was wrong
    qint64 number = -1; // of the last event, -1 before the first
    qint64 events = 0;
    qint64 comments = 0;
    qint64 gaps = 0;
    bool isLive = false;          // whether a live event came on this connection
    bool mayEnd = false;          // whether it is all right that the server ends it
    bool hasSmallBuffers = false; // whether the kernel keeps next to nothing for it

private:
    // Small segments make the other end's buffer small too.
    void shrinkBuffers()
    {
        const int bytes = 4096;
        const int segment = 536;
        ::setsockopt(m_fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
        ::setsockopt(m_fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof(segment));
    }
    bool readHead()
    {
        const qsizetype end = m_buffer.indexOf("\r\n\r\n");
        if (end < 0)
            return false;
        if (!m_buffer.startsWith("HTTP/1.1 200 "))
            fail("refused: " + m_buffer);
        m_buffer.remove(0, end + 4);
        return m_hasHead = true;
    }
    template<typename Handler> void readLine(const QByteArray &line, Handler handler)
    {
        if (line.startsWith("id: ")) {
            m_block.id = line.mid(4);
        } else if (line.startsWith("event: ")) {
            m_block.type = line.mid(7);
        } else if (line.startsWith("data: ")) {
            m_block.data += line.mid(6);
            m_block.hasData = true;
        } else if (line.startsWith("retry: ")) {
            m_block.retry = line.mid(7).toInt();
        } else if (line.startsWith(':')) {
            ++comments;
        } else if (line.isEmpty()) {
            if (!m_block.id.isEmpty())
                lastId = m_block.id;
            handler(std::exchange(m_block, {}));
        }
    }

    int m_fd = -1;
    bool m_hasHead = false;
    QByteArray m_buffer;
    Event m_block;
};

using BareStreams = std::vector<std::unique_ptr<BareStream>>;

inline BareStreams makeStreams(int count)
{
    BareStreams streams;
    for (int i = 0; i < count; ++i)
        streams.push_back(std::make_unique<BareStream>());
    return streams;
}

inline QByteArray firstFailure(const BareStreams &streams)
{
    for (size_t i = 0; i < streams.size(); ++i) {
        if (!streams[i]->failure.isEmpty())
            return "stream " + QByteArray::number(quint64(i)) + ": " + streams[i]->failure;
    }
    return QByteArray();
}

template<typename Predicate> bool allOf(const BareStreams &streams, Predicate predicate)
{
    return std::all_of(
        streams.begin(), streams.end(),
        [&](const std::unique_ptr<BareStream> &stream) { return predicate(*stream); });
}

/*! An epoll loop over streams, for one thread. */
class StreamPoller
{
public:
    StreamPoller() : m_epoll(::epoll_create1(EPOLL_CLOEXEC)) { }
    ~StreamPoller() { ::close(m_epoll); }
    Q_DISABLE_COPY_MOVE(StreamPoller)

    int descriptor() const { return m_epoll; }
    /*! Waits for \a milliseconds at most and reads once from every stream that has something. The
        handler must not open or close streams. */
    template<typename Handler> void poll(int milliseconds, Handler handler)
    {
        epoll_event ready[256];
        const int count = ::epoll_wait(m_epoll, ready, int(std::size(ready)), milliseconds);
        for (int i = 0; i < count; ++i) {
            auto *stream = static_cast<BareStream *>(ready[i].data.ptr);
            stream->read([&](const BareStream::Event &event) { handler(*stream, event); });
        }
    }

private:
    const int m_epoll;
};

#endif // BARESTREAM_H
