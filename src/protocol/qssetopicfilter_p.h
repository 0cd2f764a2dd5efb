// SPDX-License-Identifier: MIT
#ifndef QSSETOPICFILTER_P_H
#define QSSETOPICFILTER_P_H

#include "qssetopicfilter.h"

#include <QtCore/QList>
#include <QtCore/QStringView>

#include <algorithm>

/*! The levels that topics and their filters are made of. */
namespace QSseTopicLevels {

inline constexpr QLatin1Char Separator('/');
inline constexpr QStringView OneLevel(u"*");
inline constexpr QStringView TheRest(u"**");

/*! Takes the first level off \a path. */
inline QStringView takeLevel(QStringView *path)
{
    const qsizetype end = path->indexOf(Separator);
    const QStringView level = end < 0 ? *path : path->first(end);
    *path = end < 0 ? QStringView() : path->sliced(end + 1);
    return level;
}

} // namespace QSseTopicLevels

namespace QSsePrivate {

/*! Whether one of \a filters at least matches \a topic. */
inline bool matchesAny(const QList<QSseTopicFilter> &filters, const QString &topic)
{
    return std::any_of(filters.begin(), filters.end(),
                       [&](const QSseTopicFilter &filter) { return filter.matches(topic); });
}

} // namespace QSsePrivate

#endif // QSSETOPICFILTER_P_H
