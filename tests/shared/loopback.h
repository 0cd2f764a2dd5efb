// SPDX-License-Identifier: MIT
#ifndef LOOPBACK_H
#define LOOPBACK_H

#include <QtCore/QtGlobal>

#include <netinet/in.h>
#include <sys/socket.h>

// What every client and server made of bare descriptors needs.

inline sockaddr_in loopbackAddress(quint16 port)
{
    sockaddr_in address {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

/*! Makes close() send a reset: the other end learns of it only by using the connection, and nothing
    of it stays behind. */
inline void resetOnClose(int descriptor)
{
    const linger atOnce { 1, 0 };
    ::setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &atOnce, sizeof(atOnce));
}

#endif // LOOPBACK_H
