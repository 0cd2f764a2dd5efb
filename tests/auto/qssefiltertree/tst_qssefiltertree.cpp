// SPDX-License-Identifier: MIT
#include "qssefiltertree_p.h"

#include <QtCore/QRandomGenerator>
#include <QtCore/QRegularExpression>
#include <QtTest/QtTest>

using namespace Qt::StringLiterals;

class tst_QSseFilterTree : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void findsWhatMatches_data();
    void findsWhatMatches();
    void removes();
    void agreesWithEachFilter();
};

namespace {

QList<int> find(const QSseFilterTree<int> &tree, const QString &topic)
{
    QList<int> found;
    tree.match(topic, [&found](int value) { found.append(value); });
    std::sort(found.begin(), found.end());
    return found;
}

} // namespace

void tst_QSseFilterTree::findsWhatMatches_data()
{
    QTest::addColumn<QString>("topic");
    QTest::addColumn<QList<int>>("values");
    QTest::newRow("one level") << u"fx"_s << QList<int> { 1, 4, 7 };
    QTest::newRow("two levels") << u"fx/eur"_s << QList<int> { 2, 3, 4, 7, 8 };
    QTest::newRow("another") << u"news/eur"_s << QList<int> { 7, 8 };
    QTest::newRow("three levels") << u"fx/eur/usd"_s << QList<int> { 4, 5, 7 };
    QTest::newRow("an expression") << u"x9"_s << QList<int> { 6, 7 };
}

void tst_QSseFilterTree::findsWhatMatches()
{
    QFETCH(QString, topic);
    QFETCH(QList<int>, values);
    QSseFilterTree<int> tree;
    tree.insert("fx", 1);
    tree.insert("fx/eur", 2);
    tree.insert("fx/*", 3);
    tree.insert("fx/**", 4);
    tree.insert("*/*/usd", 5);
    tree.insert(QSseTopicFilter(QRegularExpression(u"x[0-9]"_s)), 6);
    tree.insert("**", 7);
    tree.insert("*/eur", 8);
    QCOMPARE(find(tree, topic), values);
}

void tst_QSseFilterTree::removes()
{
    const QSseTopicFilter expression(QRegularExpression(u"a.*"_s));
    QSseFilterTree<int> tree;
    const QList<QSseTopicFilter> filters { "a/b", "a/*", "a/**", expression };
    for (const QSseTopicFilter &filter : filters) {
        tree.insert(filter, 1);
        tree.insert(filter, 2);
    }
    QCOMPARE(find(tree, u"a/b"_s), (QList<int> { 1, 1, 1, 1, 2, 2, 2, 2 }));
    for (const QSseTopicFilter &filter : filters)
        tree.remove(filter, 1);
    QCOMPARE(find(tree, u"a/b"_s), (QList<int> { 2, 2, 2, 2 }));
    tree.remove("a/*", 3); // is not there
    tree.remove("x/y", 2); // nor is that
    for (const QSseTopicFilter &filter : filters)
        tree.remove(filter, 2);
    QCOMPARE(find(tree, u"a/b"_s), QList<int>());
}

void tst_QSseFilterTree::agreesWithEachFilter()
{
    QRandomGenerator random(20261122);
    const auto path = [&random](const QStringList &levels) {
        QStringList path;
        for (int depth = random.bounded(1, 5); depth > 0; --depth)
            path.append(levels.at(random.bounded(int(levels.size()))));
        return path.join(u'/');
    };
    const QStringList names { u"a"_s, u"b"_s, u"c"_s };
    QSseFilterTree<int> tree;
    QList<QSseTopicFilter> filters;
    for (int round = 0; round < 2000; ++round) {
        QString pattern = path(names + QStringList { u"*"_s });
        if (random.bounded(3) == 0)
            pattern += u"/**"_s;
        tree.insert(pattern, int(filters.size()));
        filters.append(pattern);
        if (filters.size() > 40)
            tree.remove(filters.at(filters.size() - 41), int(filters.size() - 41));
        const QString topic = path(names);
        QList<int> wanted;
        for (qsizetype i = qMax(0, filters.size() - 40); i < filters.size(); ++i) {
            if (filters.at(i).matches(topic))
                wanted.append(int(i));
        }
        QCOMPARE(find(tree, topic), wanted);
    }
}

QTEST_APPLESS_MAIN(tst_QSseFilterTree)
#include "tst_qssefiltertree.moc"
