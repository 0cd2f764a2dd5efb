// SPDX-License-Identifier: MIT
#ifndef VISITOR_H
#define VISITOR_H

#include "loopback.h"

#include <QtCore/QByteArray>

#include <sys/time.h>
#include <unistd.h>

/*! A connection that comes, asks for something or not, and leaves in one of many ways; which, its
    number says. */
class Visitor
{
public:
    Visitor(quint16 port, int number)
        : m_number(number), m_fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))
    {
        // From many addresses, so that the ports of those that have gone do not run out.
        sockaddr_in own = loopbackAddress(0);
        own.sin_addr.s_addr = htonl(INADDR_LOOPBACK + quint32(number / 50 % 100));
        const int later = 1;
        ::setsockopt(m_fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &later, sizeof(later));
        ::bind(m_fd, reinterpret_cast<const sockaddr *>(&own), sizeof(own));
        const timeval patience { 20, 0 };
        ::setsockopt(m_fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        const sockaddr_in address = loopbackAddress(port);
        m_isConnected =
            ::connect(m_fd, reinterpret_cast<const sockaddr *>(&address), sizeof(address)) == 0;
        const QByteArray text = request();
        ::send(m_fd, text.constData(), size_t(text.size()), MSG_NOSIGNAL);
        if (way() == HalfClosedStream)
            ::shutdown(m_fd, SHUT_WR);
    }
    ~Visitor() { leave(); }
    Q_DISABLE_COPY_MOVE(Visitor)

    int number() const { return m_number; }
    /*! Waits for the first bytes of an answer, if there is to be one. */
    bool waitForAnswer()
    {
        const bool isAnswered = way() < HalfClosedStream;
        char bytes[16 * 1024];
        return m_isConnected && (!isAnswered || ::recv(m_fd, bytes, sizeof(bytes), 0) > 0);
    }
    void leave()
    {
        if (m_fd < 0)
            return;
        if (way() == ResetStream || way() == ResetHalfRequest || way() == ResetNothing)
            resetOnClose(m_fd);
        ::close(m_fd);
        m_fd = -1;
    }

private:
    enum Way {
        Stream,
        ResetStream,
        Page,
        Publish,
        BadRequest,
        HalfClosedStream, // from here on there need not be an answer
        HalfRequest,
        ResetHalfRequest,
        HalfBody,
        Nothing,
        ResetNothing,
        WayCount
    };

    Way way() const { return Way(m_number % WayCount); }
    QByteArray request() const
    {
        const QByteArray host = " HTTP/1.1\r\nHost: localhost\r\n";
        switch (way()) {
        case Stream:
        case ResetStream:
        case HalfClosedStream:
            return "GET /events?topic=a" + host + "\r\n";
        case Page:
            return "GET /healthz" + host + "Connection: close\r\n\r\n";
        case Publish:
            return "POST /topics/b" + host + "Content-Length: 5\r\n\r\nhello";
        case BadRequest:
            return "GET /events?topic=a//b" + host + "\r\n";
        case HalfRequest:
        case ResetHalfRequest:
            return "GET /events?topic=a" + host;
        case HalfBody:
            return "POST /topics/b" + host + "Content-Length: 5000\r\n\r\nhello";
        default:
            return QByteArray();
        }
    }

    const int m_number;
    int m_fd;
    bool m_isConnected = false;
};

#endif // VISITOR_H
