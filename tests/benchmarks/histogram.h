// SPDX-License-Identifier: MIT
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <QtCore/QtAlgorithms>
#include <QtCore/QtGlobal>

#include <cmath>
#include <vector>

/*! Counts durations in buckets that are a 64th of their size wide, so that adding is a few
    instructions and every quantile is right to 1.6 %. */
class Histogram
{
public:
    void add(qint64 nanoseconds)
    {
        const auto value = quint64(qMax(nanoseconds, qint64(0)));
        ++m_buckets[bucketOf(value)];
        ++m_count;
        m_maximum = qMax(m_maximum, value);
    }
    quint64 count() const { return m_count; }
    double maximum() const { return double(m_maximum); }
    /*! The value that the part \a quantile of all is not above. */
    double quantile(double quantile) const
    {
        const auto wanted = quint64(std::ceil(quantile * double(m_count)));
        quint64 seen = 0;
        for (size_t bucket = 0; bucket < m_buckets.size(); ++bucket) {
            seen += m_buckets[bucket];
            if (seen >= wanted)
                return qMin(upperEnd(bucket), maximum());
        }
        return maximum();
    }

private:
    static constexpr int Bits = 6;
    static constexpr size_t Steps = size_t(1) << Bits;

    static size_t bucketOf(quint64 value)
    {
        if (value < Steps)
            return size_t(value);
        const int shift = 63 - int(qCountLeadingZeroBits(value)) - Bits;
        return (size_t(shift) << Bits) + size_t(value >> shift);
    }
    static double upperEnd(size_t bucket)
    {
        if (bucket < 2 * Steps)
            return double(bucket);
        const int shift = int(bucket >> Bits) - 1;
        return std::ldexp(double((bucket & (Steps - 1)) + Steps + 1), shift);
    }

    std::vector<quint64> m_buckets = std::vector<quint64>(Steps * (64 - Bits + 1));
    quint64 m_count = 0;
    quint64 m_maximum = 0;
};

#endif // HISTOGRAM_H
