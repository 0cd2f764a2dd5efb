// SPDX-License-Identifier: MIT
#include "qssetopicindex_p.h"

#include <algorithm>

namespace {
// Beyond this many remembered topics all are forgotten: there may be no end of names.
constexpr qsizetype MaximumFound = 16'384;
} // namespace

void QSseTopicIndex::insert(const QList<QSseTopicFilter> &topics, QSseGroup *group)
{
    for (const QSseTopicFilter &filter : topics)
        m_groups.insert(filter, group);
    m_found.clear();
}

void QSseTopicIndex::remove(const QList<QSseTopicFilter> &topics, QSseGroup *group)
{
    for (const QSseTopicFilter &filter : topics)
        m_groups.remove(filter, group);
    m_found.clear();
}

QList<QSseGroup *> QSseTopicIndex::find(const QString &topic)
{
    const auto known = m_found.constFind(topic);
    if (known != m_found.constEnd())
        return *known;

    QList<QSseGroup *> groups;
    m_groups.match(topic, [&](QSseGroup *group) {
        if (m_maySee(topic, *group))
            groups.append(group);
    });
    std::sort(groups.begin(), groups.end(), std::less<>());
    groups.erase(std::unique(groups.begin(), groups.end()), groups.end());
    if (m_found.size() >= MaximumFound)
        m_found.clear();
    m_found.insert(topic, groups);
    return groups;
}
