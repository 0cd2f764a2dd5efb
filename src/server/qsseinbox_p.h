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
        return push(std::move(item), [](T &, const T &) { return false; });
    }

    /*! The same, but where \a merge(last, item) answers true, the last item has taken this in. */
    template<typename Merge> [[nodiscard]] bool push(T item, Merge merge)
    {
        const QMutexLocker locker(&m_mutex);
        if (!m_items.empty() && merge(m_items.back(), item))
            return false;
        m_items.push_back(std::move(item));
        return m_items.size() == 1;
    }

    /*! Puts all that was pushed since the last time into \a items, which is empty; its memory is
        used for what comes next. */
    void takeAll(std::vector<T> *items)
    {
        const QMutexLocker locker(&m_mutex);
        m_items.swap(*items);
    }

    bool isEmpty() const
    {
        const QMutexLocker locker(&m_mutex);
        return m_items.empty();
    }

private:
    mutable QMutex m_mutex;
    std::vector<T> m_items;
};

#endif // QSSEINBOX_P_H
