// SPDX-License-Identifier: MIT
#ifndef QSSEINBOX_P_H
#define QSSEINBOX_P_H

#include <QtCore/QMutex>

#include <utility>
#include <vector>

/*!
    Hands things from any thread to one, in order. The reader takes all that waits at once, so it
    needs to be woken only when the first one comes.
*/
template<typename T> class QSseInbox
{
public:
    /*! Adds \a item and answers whether the reader has to be woken. */
    [[nodiscard]] bool push(T item)
    {
        const QMutexLocker locker(&m_mutex);
        m_items.push_back(std::move(item));
        return m_items.size() == 1;
    }

    /*! All that was pushed since the last time. */
    std::vector<T> takeAll()
    {
        const QMutexLocker locker(&m_mutex);
        return std::exchange(m_items, {});
    }

private:
    QMutex m_mutex;
    std::vector<T> m_items;
};

#endif // QSSEINBOX_P_H
