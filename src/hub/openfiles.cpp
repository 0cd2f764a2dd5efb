// SPDX-License-Identifier: MIT
#include "openfiles.h"

#include <QtCore/QtGlobal>

#ifdef Q_OS_UNIX
#include <sys/resource.h>
#endif

void raiseOpenFileLimit()
{
#ifdef Q_OS_UNIX
    rlimit limit {};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
#endif
}
