// SPDX-License-Identifier: MIT
#ifndef QSSEBACKOFF_P_H
#define QSSEBACKOFF_P_H

#include <chrono>

/*!
    How long to wait before the next attempt: an initial time that doubles with every failure up to
    a maximum, less a fifth of it at most by chance, so that clients which lost their connection
    together do not come back together.
*/
class QSseBackoff
{
public:
    using milliseconds = std::chrono::milliseconds;

    milliseconds initial() const { return m_initial; }
    void setInitial(milliseconds time) { m_initial = time; }
    /*! Counts for nothing when it is less than initial(). */
    milliseconds maximum() const { return m_maximum; }
    void setMaximum(milliseconds time) { m_maximum = time; }

    /*! The next wait, but not less than \a atLeast. */
    milliseconds next(milliseconds atLeast);
    /*! The wait that next() gave last. */
    milliseconds current() const { return m_current; }
    /*! Begins anew. */
    void reset() { m_failures = 0; }

private:
    milliseconds m_initial { 3'000 };
    milliseconds m_maximum { 30'000 };
    milliseconds m_current { 0 };
    int m_failures = 0;
};

#endif // QSSEBACKOFF_P_H
