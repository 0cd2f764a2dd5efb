// SPDX-License-Identifier: MIT
#ifndef QSSETOPICINDEX_P_H
#define QSSETOPICINDEX_P_H

#include "qssefiltertree_p.h"

#include <QtCore/QHash>

struct QSseGroup;

/*!
    Finds the groups that want a topic. What was found is remembered until a group comes or goes,
    so that an event costs one look-up, however many groups, wildcards and expressions there are.
*/
class QSseTopicIndex
{
public:
    void insert(const QList<QSseTopicFilter> &topics, QSseGroup *group);
    void remove(const QList<QSseTopicFilter> &topics, QSseGroup *group);
    /*! Each group that wants \a topic, once. */
    QList<QSseGroup *> find(const QString &topic);

private:
    QSseFilterTree<QSseGroup *> m_groups;
    QHash<QString, QList<QSseGroup *>> m_found;
};

#endif // QSSETOPICINDEX_P_H
