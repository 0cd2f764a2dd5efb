// SPDX-License-Identifier: MIT
#ifndef QSSETOPICINDEX_P_H
#define QSSETOPICINDEX_P_H

#include "qssefiltertree_p.h"

#include <QtCore/QHash>

#include <functional>

struct QSseGroup;

/*!
    Finds the groups that want a topic and may see it. What was found is remembered until a group
    comes or goes, so that an event costs one look-up, however many groups, wildcards and
    expressions there are.
*/
class QSseTopicIndex
{
public:
    using Predicate = std::function<bool(const QString &topic, const QSseGroup &group)>;

    explicit QSseTopicIndex(Predicate maySee) : m_maySee(std::move(maySee)) { }

    void insert(const QList<QSseTopicFilter> &topics, QSseGroup *group);
    void remove(const QList<QSseTopicFilter> &topics, QSseGroup *group);
    /*! Each group that wants \a topic, once. */
    QList<QSseGroup *> find(const QString &topic);
    /*! To be called when a group may see other topics than before. */
    void forgetFound() { m_found.clear(); }

private:
    const Predicate m_maySee;
    QSseFilterTree<QSseGroup *> m_groups;
    QHash<QString, QList<QSseGroup *>> m_found;
};

#endif // QSSETOPICINDEX_P_H
