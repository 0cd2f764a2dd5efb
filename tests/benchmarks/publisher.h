// SPDX-License-Identifier: MIT
#ifndef PUBLISHER_H
#define PUBLISHER_H

#include "serve.h"

#include <QtCore/QByteArray>

#include <chrono>
#include <cmath>

/*! CLOCK_MONOTONIC, which all processes of the machine share. */
inline qint64 monotonicNanoseconds()
{
    return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/*!
    Makes the events of a Load, by the clock and not by the ticks: a late tick makes up for what it
    missed. Every contender publishes through it.
*/
class Publisher
{
public:
    explicit Publisher(const Load &load) : m_load(load) { }

    /*! How often publishDue() is to be called. */
    std::chrono::milliseconds interval() const
    {
        return std::chrono::milliseconds(qMax(1, int(1000 / m_load.rate)));
    }
    void start() { m_startedAt = monotonicNanoseconds(); }
    /*! Calls \a publish(topic, number, data) for what is due. It leaves off after a while, so that
       a contender that cannot keep up still sees what else there is to do. */
    template<typename Publish> void publishDue(Publish publish)
    {
        constexpr qint64 Patience = 10'000'000;
        const qint64 begin = monotonicNanoseconds();
        // Rounded, so that a tick that is a little early does not leave its event to the next.
        const auto due = qint64(std::llround(double(begin - m_startedAt) * m_load.rate / 1e9));
        for (qint64 now = begin; m_published < due && now - begin < Patience; ++m_published) {
            now = monotonicNanoseconds();
            const qint64 number = m_published / m_load.topics;
            publish(int(m_published % m_load.topics), number, makeData(now, number));
        }
    }
    qint64 published() const { return m_published; }

private:
    QByteArray makeData(qint64 now, qint64 number) const
    {
        QByteArray data;
        data.reserve(m_load.bytes);
        data.append("t=").append(QByteArray::number(now));
        data.append(" n=").append(QByteArray::number(number)).append(' ');
        data.resize(m_load.bytes, 'x');
        return data;
    }

    const Load m_load;
    qint64 m_startedAt = 0;
    qint64 m_published = 0;
};

/*! The block that those without an encoder of their own send, as long as QSse's. */
inline QByteArray makeFrame(qint64 number, const QByteArray &data)
{
    return "id: 0123456789abcde-" + QByteArray::number(number + 1) + "\ndata: " + data + "\n\n";
}

#endif // PUBLISHER_H
