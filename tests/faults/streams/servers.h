// SPDX-License-Identifier: MIT
#ifndef SERVERS_H
#define SERVERS_H

/*! Runs the servers of the test, in a process of their own: publishes events and answers questions
    until it is killed. Prints the ports, that of the events and that of the answers. */
int runServers(int argc, char **argv);

#endif // SERVERS_H
