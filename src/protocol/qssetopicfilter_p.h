// SPDX-License-Identifier: MIT
#ifndef QSSETOPICFILTER_P_H
#define QSSETOPICFILTER_P_H

#include <QtCore/QStringView>

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

#endif // QSSETOPICFILTER_P_H
