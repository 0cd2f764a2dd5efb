// SPDX-License-Identifier: MIT
#ifndef OPENFILES_H
#define OPENFILES_H

/*! Lets the process have as many open files, so connections, as the system allows it: shells and
    service managers mostly start it with 1024. */
void raiseOpenFileLimit();

#endif // OPENFILES_H
