// SPDX-License-Identifier: MIT
#include "qssebackoff_p.h"

#include <QtCore/QRandomGenerator>
#include <QtCore/QtGlobal>

using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {
// QTimer counts in an int, and its rounding runs over within a second of the highest.
constexpr milliseconds MaximumTimerInterval = 24h * 20;
constexpr double Jitter = 0.2;
} // namespace

milliseconds QSseBackoff::next(milliseconds atLeast)
{
    const milliseconds limit = qMax(m_maximum, m_initial);
    milliseconds wait = m_initial;
    for (int i = 0; i < m_failures && wait < limit; ++i)
        wait = qMax(2 * wait, 1ms); // a stream may ask for no wait at all
    wait = qMin(wait, limit);
    wait -=
        milliseconds(qint64(QRandomGenerator::global()->bounded(Jitter) * double(wait.count())));
    ++m_failures;
    m_current = qMin(qMax(wait, atLeast), MaximumTimerInterval);
    return m_current;
}
