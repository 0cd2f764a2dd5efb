// SPDX-License-Identifier: MIT
#ifndef BAREPUBLISHER_H
#define BAREPUBLISHER_H

#include "loopback.h"

#include <QtCore/QByteArray>

#include <sys/time.h>
#include <unistd.h>

/*! Publishes by POST over one connection kept alive, with plain system calls, and waits for each
    answer. */
class BarePublisher
{
public:
    explicit BarePublisher(quint16 port) : m_port(port) { }
    ~BarePublisher() { close(); }
    Q_DISABLE_COPY_MOVE(BarePublisher)

    /*! Publishes \a data under \a topic and returns the id answered; a null array when there was no
        answer 200 within ten seconds, after which the next call connects anew. */
    QByteArray post(const QByteArray &topic, const QByteArray &data)
    {
        const QByteArray request = "POST /topics/" + topic
            + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + QByteArray::number(data.size())
            + "\r\n\r\n" + data;
        QByteArray id;
        if (connect()
            && ::send(m_fd, request.constData(), size_t(request.size()), MSG_NOSIGNAL)
                == request.size())
            id = readAnswer();
        if (id.isNull())
            close();
        return id;
    }

private:
    bool connect()
    {
        if (m_fd >= 0)
            return true;
        m_fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const timeval patience { 10, 0 };
        ::setsockopt(m_fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        const sockaddr_in address = loopbackAddress(m_port);
        return m_fd >= 0
            && ::connect(m_fd, reinterpret_cast<const sockaddr *>(&address), sizeof(address)) == 0;
    }
    void close()
    {
        if (m_fd >= 0)
            ::close(m_fd);
        m_fd = -1;
    }
    // Until as much of the body is there as the head announces.
    QByteArray readAnswer()
    {
        QByteArray answer;
        for (;;) {
            char bytes[4096];
            const ssize_t size = ::recv(m_fd, bytes, sizeof(bytes), 0);
            if (size <= 0)
                return QByteArray();
            answer.append(bytes, size);
            const qsizetype body = answer.indexOf("\r\n\r\n") + 4;
            const qsizetype length = answer.toLower().indexOf("content-length:");
            if (body < 4 || length < 0 || length > body)
                continue;
            const qsizetype value = length + qsizetype(qstrlen("content-length:"));
            const qsizetype end = answer.indexOf('\r', value);
            if (answer.size() < body + answer.mid(value, end - value).trimmed().toInt())
                continue;
            return answer.startsWith("HTTP/1.1 200") ? answer.mid(body).trimmed() : QByteArray();
        }
    }

    const quint16 m_port;
    int m_fd = -1;
};

#endif // BAREPUBLISHER_H
