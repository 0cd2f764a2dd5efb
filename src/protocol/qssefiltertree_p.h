// SPDX-License-Identifier: MIT
#ifndef QSSEFILTERTREE_P_H
#define QSSEFILTERTREE_P_H

#include "qssetopicfilter.h"
#include "qssetopicfilter_p.h"

#include <QtCore/QList>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <utility>

/*!
    Values under topic filters: finds all whose filter matches a topic by walking down the topic's
    levels, instead of asking each filter. Only regular expressions are asked one by one. Reentrant.
*/
template<typename T> class QSseFilterTree
{
public:
    void insert(const QSseTopicFilter &filter, T value)
    {
        if (filter.isExpression())
            m_expressions.append({ filter, std::move(value) });
        else
            insert(&m_root, filter.pattern(), std::move(value));
    }

    /*! Takes \a value away from under \a filter, where insert() put it. */
    void remove(const QSseTopicFilter &filter, const T &value)
    {
        if (filter.isExpression())
            m_expressions.removeOne({ filter, value });
        else
            remove(&m_root, filter.pattern(), value);
    }

    /*! Calls \a visit with each value whose filter matches \a topic; one that is there under
        several filters comes several times. */
    template<typename Visitor> void match(const QString &topic, const Visitor &visit) const
    {
        match(m_root, topic, visit);
        for (const auto &[filter, value] : m_expressions) {
            if (filter.matches(topic))
                visit(value);
        }
    }

private:
    struct Node
    {
        // By level, "*" and "**" too.
        std::map<QString, std::unique_ptr<Node>, std::less<>> children;
        QList<T> values;

        const Node *child(QStringView level) const
        {
            const auto found = children.find(level);
            return found == children.end() ? nullptr : found->second.get();
        }
    };

    static void insert(Node *node, QStringView pattern, T value)
    {
        while (!pattern.isEmpty()) {
            std::unique_ptr<Node> &child =
                node->children[QSseTopicLevels::takeLevel(&pattern).toString()];
            if (!child)
                child = std::make_unique<Node>();
            node = child.get();
        }
        node->values.append(std::move(value));
    }

    static void remove(Node *node, QStringView pattern, const T &value)
    {
        if (pattern.isEmpty()) {
            node->values.removeOne(value);
            return;
        }
        const auto found = node->children.find(QSseTopicLevels::takeLevel(&pattern));
        if (found == node->children.end())
            return;
        Node *child = found->second.get();
        remove(child, pattern, value);
        if (child->values.isEmpty() && child->children.empty())
            node->children.erase(found);
    }

    // A node has one way to it, so no topic visits more nodes than there are.
    template<typename Visitor>
    static void match(const Node &node, QStringView topic, const Visitor &visit)
    {
        if (const Node *rest = node.child(QSseTopicLevels::TheRest))
            visitValues(*rest, visit);
        if (topic.isEmpty()) {
            visitValues(node, visit);
            return;
        }
        const QStringView level = QSseTopicLevels::takeLevel(&topic);
        if (const Node *same = node.child(level))
            match(*same, topic, visit);
        if (const Node *any = node.child(QSseTopicLevels::OneLevel))
            match(*any, topic, visit);
    }

    template<typename Visitor> static void visitValues(const Node &node, const Visitor &visit)
    {
        for (const T &value : node.values)
            visit(value);
    }

    Node m_root;
    QList<std::pair<QSseTopicFilter, T>> m_expressions;
};

#endif // QSSEFILTERTREE_P_H
