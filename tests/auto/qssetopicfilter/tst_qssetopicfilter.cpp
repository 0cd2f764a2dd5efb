// SPDX-License-Identifier: MIT
#include <QSseTopicFilter>

#include <QtCore/QDebug>
#include <QtCore/QRegularExpression>
#include <QtCore/QSet>
#include <QtCore/QVariant>
#include <QtTest/QtTest>

using namespace Qt::StringLiterals;

class tst_QSseTopicFilter : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void isInvalidAtFirst();
    void validates_data();
    void validates();
    void tellsWhatIsWrong();
    void countsBytesOfUtf8();
    void refusesBytesThatAreNoUtf8();
    void matches_data();
    void matches();
    void matchesExpressionsAsAWhole_data();
    void matchesExpressionsAsAWhole();
    void takesOptionsOfExpressions();
    void refusesInvalidExpressions_data();
    void refusesInvalidExpressions();
    void matchesManyLevels();
    void covers_data();
    void covers();
    void coversWhatItMatches();
    void coversExpressionsThatAreEqual();
    void copiesAndSwaps();
    void equality();
    void hashes();
    void goesIntoVariants();
    void debug();
};

void tst_QSseTopicFilter::isInvalidAtFirst()
{
    const QSseTopicFilter filter;
    QVERIFY(!filter.isValid());
    QVERIFY(!filter.isExact());
    QVERIFY(!filter.errorString().isEmpty());
    QVERIFY(filter.pattern().isEmpty());
    QVERIFY(!filter.matches(u"a"_s));
    QVERIFY(!filter.matches(u""_s));
    QVERIFY(!filter.matches(QString()));
}

void tst_QSseTopicFilter::validates_data()
{
    QTest::addColumn<QString>("text");
    QTest::addColumn<bool>("isName");
    QTest::addColumn<bool>("isFilter");

    const auto both = [](const char *name, const QString &text, bool valid) {
        QTest::newRow(name) << text << valid << valid;
    };
    const auto filterOnly = [](const char *name, const QString &text, bool valid) {
        QTest::newRow(name) << text << false << valid;
    };
    both("one level", u"fx"_s, true);
    both("one character", u"a"_s, true);
    both("three levels", u"fx/eur/usd"_s, true);
    both("space", u"a b/ c"_s, true);
    both("only a space", u" "_s, true);
    both("punctuation", u"a.b-c_d:e?f=g&h%20#+;,@!$'()[]{}|\\\"<>^`~"_s, true);
    both("dots", u"../."_s, true);
    both("beyond ASCII", u"\u00e4/\u20ac/\U0001f600"_s, true);
    both("no-break space", u"a\u00a0b"_s, true);
    both("255 bytes", QString(255, u'a'), true);

    both("null", QString(), false);
    both("empty", u""_s, false);
    both("256 bytes", QString(256, u'a'), false);
    both("only a separator", u"/"_s, false);
    both("leading separator", u"/a"_s, false);
    both("trailing separator", u"a/"_s, false);
    both("two separators", u"a//b"_s, false);
    both("three separators", u"a///b"_s, false);
    both("NUL", u"a\0b"_s, false);
    both("LF", u"a\nb"_s, false);
    both("CR", u"a\r"_s, false);
    both("tab", u"\ta"_s, false);
    both("unit separator", u"a\u001f"_s, false);
    both("DEL", u"a\u007f"_s, false);
    both("C1, first", u"a\u0080"_s, false);
    both("C1, NEL", u"a\u0085"_s, false);
    both("C1, last", u"a\u009f"_s, false);
    both("lone high surrogate", u"a"_s + QChar(0xd83d), false);
    both("lone low surrogate", QChar(0xde00) + u"a"_s, false);
    both("U+FFFD", u"a\ufffd"_s, false);

    filterOnly("*", u"*"_s, true);
    filterOnly("**", u"**"_s, true);
    filterOnly("* first", u"*/a"_s, true);
    filterOnly("* in the middle", u"a/*/b"_s, true);
    filterOnly("* last", u"a/*"_s, true);
    filterOnly("* everywhere", u"*/*/*"_s, true);
    filterOnly("** last", u"a/b/**"_s, true);
    filterOnly("* and **", u"*/**"_s, true);
    filterOnly("** first", u"**/a"_s, false);
    filterOnly("** in the middle", u"a/**/b"_s, false);
    filterOnly("** twice", u"**/**"_s, false);
    filterOnly("** before *", u"**/*"_s, false);
    filterOnly("***", u"***"_s, false);
    filterOnly("* in a level, first", u"*a"_s, false);
    filterOnly("* in a level, last", u"a*"_s, false);
    filterOnly("* in a level, middle", u"x/a*b/y"_s, false);
    filterOnly("** in a level", u"a**"_s, false);
    filterOnly("empty level before *", u"a//*"_s, false);
    filterOnly("leading separator and *", u"/*"_s, false);
    filterOnly("trailing separator and *", u"*/"_s, false);
    filterOnly("trailing separator and **", u"**/"_s, false);
}

void tst_QSseTopicFilter::validates()
{
    QFETCH(QString, text);
    QFETCH(bool, isName);
    QFETCH(bool, isFilter);

    const QString topicError = QSseTopicFilter::topicError(text);
    QVERIFY2(topicError.isEmpty() == isName, qPrintable(topicError));
    QVERIFY(!topicError.contains(u'\n'));

    const QSseTopicFilter filter(text);
    QVERIFY2(filter.isValid() == isFilter, qPrintable(filter.errorString()));
    QCOMPARE(filter.errorString().isEmpty(), isFilter);
    QVERIFY(!filter.errorString().contains(u'\n'));
    QCOMPARE(filter.pattern(), text);
    QCOMPARE(filter.isExact(), isName); // a filter that is a name matches that name alone
    QCOMPARE(filter.matches(text), isFilter);
}

void tst_QSseTopicFilter::tellsWhatIsWrong()
{
    QSet<QString> errors;
    for (const QString &text : { u""_s, QString(256, u'a'), QString(QChar(0xd800)), u"a\n"_s,
                                 u"a//b"_s, u"**/a"_s, u"a*"_s })
        errors << QSseTopicFilter(text).errorString();
    QCOMPARE(errors.size(), 7);
    QVERIFY(!errors.contains(QString()));
    QVERIFY(QSseTopicFilter(QString(256, u'a')).errorString().contains(u"255"_s));
    QVERIFY(QSseTopicFilter::topicError(u"*"_s).contains(u'*'));
    QVERIFY(QSseTopicFilter::topicError(u"a"_s).isEmpty());
}

void tst_QSseTopicFilter::countsBytesOfUtf8()
{
    const auto isValid = [](const QString &text) {
        const bool isName = QSseTopicFilter::topicError(text).isEmpty();
        return isName == QSseTopicFilter(text).isValid() && isName;
    };
    QCOMPARE(QSseTopicFilter::MaximumSize, 255);
    QVERIFY(isValid(QString(127, QChar(0xe4)) + u'a')); // 2 * 127 + 1
    QVERIFY(!isValid(QString(128, QChar(0xe4))));
    QVERIFY(isValid(QString(85, QChar(0x20ac)))); // 3 * 85
    QVERIFY(!isValid(QString(85, QChar(0x20ac)) + u'a'));
    QVERIFY(isValid(u"\U0001f600"_s.repeated(63) + u"abc"_s)); // 4 * 63 + 3
    QVERIFY(!isValid(u"\U0001f600"_s.repeated(64)));
    QVERIFY(QSseTopicFilter(QString(253, u'a') + u"/*"_s).isValid());
    QVERIFY(!QSseTopicFilter(QString(253, u'a') + u"/**"_s).isValid());
}

void tst_QSseTopicFilter::refusesBytesThatAreNoUtf8()
{
    QVERIFY(QSseTopicFilter("fx/\xe2\x82\xac").isValid());
    QCOMPARE(QSseTopicFilter("fx/\xe2\x82\xac").pattern(), u"fx/\u20ac"_s);
    QVERIFY(!QSseTopicFilter("fx/\xff").isValid());
    QVERIFY(!QSseTopicFilter("fx/\xe2\x82").isValid());
    QVERIFY(!QSseTopicFilter("").isValid());
}

void tst_QSseTopicFilter::matches_data()
{
    QTest::addColumn<QString>("pattern");
    QTest::addColumn<QStringList>("matching");
    QTest::addColumn<QStringList>("others");

    QTest::newRow("exact") << u"fx/eur"_s << QStringList { u"fx/eur"_s }
                           << QStringList { u"fx"_s,         u"fx/eu"_s,  u"fx/eurs"_s,
                                            u"fx/eur/usd"_s, u"FX/eur"_s, u"a/fx/eur"_s };
    QTest::newRow("exact, beyond ASCII")
        << u"\u00e4"_s << QStringList { u"\u00e4"_s } << QStringList { u"\u00c4"_s, u"a\u0308"_s };
    QTest::newRow("no regular expression")
        << u"a.c"_s << QStringList { u"a.c"_s } << QStringList { u"abc"_s };
    QTest::newRow("*") << u"*"_s << QStringList { u"a"_s, u"fx"_s, u" "_s }
                       << QStringList { u"a/b"_s, u"a/b/c"_s };
    QTest::newRow("* last") << u"fx/*"_s << QStringList { u"fx/eur"_s, u"fx/\u20ac"_s }
                            << QStringList { u"fx"_s, u"fx/eur/usd"_s, u"fy/eur"_s, u"fxx"_s };
    QTest::newRow("* first") << u"*/eur"_s << QStringList { u"fx/eur"_s, u"eur/eur"_s }
                             << QStringList { u"eur"_s, u"fx/usd"_s, u"a/fx/eur"_s, u"fx/eur/a"_s };
    QTest::newRow("* in the middle")
        << u"fx/*/usd"_s << QStringList { u"fx/eur/usd"_s, u"fx/jpy/usd"_s }
        << QStringList { u"fx/usd"_s, u"fx/eur/jpy/usd"_s, u"fx/eur"_s, u"fx/eur/usd/a"_s };
    QTest::newRow("* twice") << u"*/*"_s << QStringList { u"a/b"_s }
                             << QStringList { u"a"_s, u"a/b/c"_s };
    QTest::newRow("**") << u"**"_s << QStringList { u"a"_s, u"a/b"_s, u"a/b/c/d"_s }
                        << QStringList {};
    QTest::newRow("** last") << u"fx/**"_s
                             << QStringList { u"fx"_s, u"fx/a"_s, u"fx/a/b"_s, u"fx/a/b/c"_s }
                             << QStringList { u"f"_s, u"fxa"_s, u"fxa/b"_s, u"a/fx"_s, u"fy/a"_s };
    QTest::newRow("** after two levels")
        << u"a/b/**"_s << QStringList { u"a/b"_s, u"a/b/c"_s, u"a/b/c/d"_s }
        << QStringList { u"a"_s, u"a/c"_s, u"a/bc"_s, u"b/a/b"_s };
    QTest::newRow("* and **") << u"a/*/**"_s << QStringList { u"a/b"_s, u"a/b/c"_s, u"a/b/c/d"_s }
                              << QStringList { u"a"_s, u"b/a"_s };
    QTest::newRow("*, name and **") << u"*/b/**"_s << QStringList { u"a/b"_s, u"x/b/c/d"_s }
                                    << QStringList { u"b"_s, u"a/c"_s, u"a/b2"_s, u"a/a/b"_s };
    QTest::newRow("invalid") << u"a*"_s << QStringList {} << QStringList { u"a"_s, u"ab"_s };
    QTest::newRow("invalid, ** first")
        << u"**/b"_s << QStringList {} << QStringList { u"b"_s, u"a/b"_s };
}

void tst_QSseTopicFilter::matches()
{
    QFETCH(QString, pattern);
    QFETCH(QStringList, matching);
    QFETCH(QStringList, others);

    const QSseTopicFilter filter(pattern);
    for (const QString &topic : std::as_const(matching))
        QVERIFY2(filter.matches(topic), qPrintable(topic));
    for (const QString &topic : std::as_const(others))
        QVERIFY2(!filter.matches(topic), qPrintable(topic));
    if (filter.isExact())
        QCOMPARE(matching, QStringList { pattern });
}

void tst_QSseTopicFilter::matchesExpressionsAsAWhole_data()
{
    QTest::addColumn<QString>("pattern");
    QTest::addColumn<QStringList>("matching");
    QTest::addColumn<QStringList>("others");

    QTest::newRow("plain") << u"fx"_s << QStringList { u"fx"_s }
                           << QStringList { u"fx/a"_s, u"afx"_s, u"fxa"_s };
    QTest::newRow("alternatives") << u"a|b"_s << QStringList { u"a"_s, u"b"_s }
                                  << QStringList { u"ax"_s, u"xb"_s, u"ab"_s };
    QTest::newRow("class") << u"fx/[a-z]{3}"_s << QStringList { u"fx/eur"_s }
                           << QStringList { u"fx/EUR"_s, u"fx/euro"_s, u"fx/eur/usd"_s };
    QTest::newRow("anything") << u".*"_s << QStringList { u"a"_s, u"a/b"_s } << QStringList {};
    QTest::newRow("lazy") << u"a.*?"_s << QStringList { u"a"_s, u"abc"_s }
                          << QStringList { u"ba"_s };
    QTest::newRow("like a wildcard")
        << u"fx/*"_s << QStringList { u"fx"_s, u"fx//"_s } << QStringList { u"fx/a"_s };
}

void tst_QSseTopicFilter::matchesExpressionsAsAWhole()
{
    QFETCH(QString, pattern);
    QFETCH(QStringList, matching);
    QFETCH(QStringList, others);

    const QSseTopicFilter filter { QRegularExpression(pattern) };
    QVERIFY(filter.isValid());
    QVERIFY(!filter.isExact());
    QVERIFY(filter.errorString().isEmpty());
    QCOMPARE(filter.pattern(), pattern);
    for (const QString &topic : std::as_const(matching))
        QVERIFY2(filter.matches(topic), qPrintable(topic));
    for (const QString &topic : std::as_const(others))
        QVERIFY2(!filter.matches(topic), qPrintable(topic));
}

void tst_QSseTopicFilter::takesOptionsOfExpressions()
{
    const QSseTopicFilter filter { QRegularExpression(u"fx/eur"_s,
                                                      QRegularExpression::CaseInsensitiveOption) };
    QVERIFY(filter.matches(u"FX/Eur"_s));
    QVERIFY(!filter.matches(u"FX/Eur/"_s));
}

void tst_QSseTopicFilter::refusesInvalidExpressions_data()
{
    QTest::addColumn<QString>("pattern");

    QTest::newRow("open group") << u"(a"_s;
    QTest::newRow("open class") << u"[a"_s;
    QTest::newRow("quantifier alone") << u"*"_s;
    // Put between "\A(?:" and ")\z" as it is, this would be valid, and no longer anchored.
    QTest::newRow("closing what it did not open") << u"a)|(?:b"_s;
}

void tst_QSseTopicFilter::refusesInvalidExpressions()
{
    QFETCH(QString, pattern);
    const QSseTopicFilter filter { QRegularExpression(pattern) };
    QVERIFY(!filter.isValid());
    QVERIFY(!filter.errorString().isEmpty());
    QCOMPARE(filter.pattern(), pattern);
    QVERIFY(!filter.matches(u"a"_s));
    QVERIFY(!filter.matches(u"ax"_s));
}

void tst_QSseTopicFilter::matchesManyLevels()
{
    const QString deep = u"a/"_s.repeated(127) + u'a'; // 255 bytes, 128 levels
    QVERIFY(QSseTopicFilter(deep).matches(deep));
    QVERIFY(QSseTopicFilter(u"*/"_s.repeated(127) + u'*').matches(deep));
    QVERIFY(QSseTopicFilter(u"*/"_s.repeated(126) + u"**"_s).matches(deep));
    QVERIFY(!QSseTopicFilter(u"*/"_s.repeated(126) + u'*').matches(deep));
    QVERIFY(!QSseTopicFilter(u"*/"_s.repeated(127) + u'*').matches(deep.chopped(2)));
    QVERIFY(!QSseTopicFilter(u"*/"_s.repeated(127) + u'b').matches(deep));
}

void tst_QSseTopicFilter::covers_data()
{
    QTest::addColumn<QString>("pattern");
    QTest::addColumn<QStringList>("covered");
    QTest::addColumn<QStringList>("others");

    QTest::newRow("exact") << u"a/b"_s << QStringList { u"a/b"_s }
                           << QStringList { u"a"_s, u"a/*"_s, u"a/b/**"_s, u"a/b/c"_s, u"**"_s };
    QTest::newRow("*") << u"*"_s << QStringList { u"a"_s, u"*"_s }
                       << QStringList { u"a/b"_s, u"**"_s, u"a/**"_s, u"*/*"_s };
    QTest::newRow("a/*") << u"a/*"_s << QStringList { u"a/b"_s, u"a/*"_s }
                         << QStringList { u"a"_s, u"a/**"_s, u"*/b"_s, u"a/*/**"_s };
    QTest::newRow("a/**") << u"a/**"_s
                          << QStringList { u"a"_s, u"a/b"_s, u"a/*"_s, u"a/**"_s, u"a/*/**"_s }
                          << QStringList { u"*"_s, u"**"_s, u"ab"_s, u"*/a"_s };
    QTest::newRow("a/*/**") << u"a/*/**"_s << QStringList { u"a/b"_s, u"a/*"_s, u"a/b/**"_s }
                            << QStringList { u"a"_s, u"a/**"_s };
    QTest::newRow("**") << u"**"_s << QStringList { u"a"_s, u"*"_s, u"**"_s, u"*/**"_s, u"a/**"_s }
                        << QStringList { u""_s, u"a*"_s };
    QTest::newRow("*/**, the same as **")
        << u"*/**"_s << QStringList { u"a"_s, u"**"_s, u"a/**"_s } << QStringList { u"a//b"_s };
    QTest::newRow("invalid") << u"a*"_s << QStringList {} << QStringList { u"a*"_s, u"ab"_s };
}

void tst_QSseTopicFilter::covers()
{
    QFETCH(QString, pattern);
    QFETCH(QStringList, covered);
    QFETCH(QStringList, others);

    const QSseTopicFilter filter(pattern);
    for (const QString &other : std::as_const(covered))
        QVERIFY2(filter.covers(other), qPrintable(other));
    for (const QString &other : std::as_const(others))
        QVERIFY2(!filter.covers(other), qPrintable(other));
}

// All paths of up to depth levels, each one of levels.
static QStringList paths(const QStringList &levels, int depth)
{
    QStringList all;
    QStringList longest = levels;
    for (int i = 1; i < depth; ++i) {
        all += longest;
        QStringList longer;
        for (const QString &path : std::as_const(longest)) {
            for (const QString &level : levels)
                longer += path + u'/' + level;
        }
        longest = longer;
    }
    return all + longest;
}

// Every filter of up to three levels and a rest against every other. A name that is in no filter
// stands for all names that are in none, and one level more than the filters have for all deeper.
void tst_QSseTopicFilter::coversWhatItMatches()
{
    const QStringList topics = paths({ u"a"_s, u"b"_s, u"other"_s }, 5);
    QStringList patterns = paths({ u"a"_s, u"b"_s, u"*"_s }, 3);
    for (const QString &pattern : QStringList(patterns))
        patterns += pattern + u"/**"_s;
    patterns += u"**"_s;

    QList<QSseTopicFilter> filters;
    QList<QSet<int>> matched;
    for (const QString &pattern : std::as_const(patterns)) {
        filters += pattern;
        matched += QSet<int>();
        for (int i = 0; i < topics.size(); ++i) {
            if (filters.last().matches(topics.at(i)))
                matched.last().insert(i);
        }
    }
    int covering = 0;
    for (int i = 0; i < filters.size(); ++i) {
        for (int j = 0; j < filters.size(); ++j) {
            const bool expected = matched.at(i).contains(matched.at(j));
            QVERIFY2(filters.at(i).covers(filters.at(j)) == expected,
                     qPrintable(patterns.at(i) + u" and "_s + patterns.at(j)));
            covering += expected;
        }
    }
    QVERIFY(covering > filters.size());
    QVERIFY(covering < filters.size() * filters.size() / 2);
}

void tst_QSseTopicFilter::coversExpressionsThatAreEqual()
{
    const QSseTopicFilter expression { QRegularExpression(u"a.*"_s) };
    QVERIFY(expression.covers(expression));
    QVERIFY(!expression.covers(u"ab"_s));
    QVERIFY(!QSseTopicFilter("**").covers(expression));
    const QSseTopicFilter invalid { QRegularExpression(u"("_s) };
    QVERIFY(!invalid.covers(invalid));
}

void tst_QSseTopicFilter::copiesAndSwaps()
{
    QSseTopicFilter a(u"a"_s);
    QSseTopicFilter b(a);
    QCOMPARE(a, b);
    b = QSseTopicFilter("b/*");
    QVERIFY(a.matches(u"a"_s));
    QVERIFY(b.matches(u"b/c"_s));
    a.swap(b);
    QCOMPARE(a.pattern(), u"b/*"_s);
    swap(a, b);
    QCOMPARE(a.pattern(), u"a"_s);

    const QSseTopicFilter c(std::move(a));
    QCOMPARE(c.pattern(), u"a"_s);
    a = c;
    QCOMPARE(a, c);
    b = std::move(a);
    QCOMPARE(b, c);

    // Both may stand where a filter is wanted.
    const QList<QSseTopicFilter> list { u"a"_s, "b" };
    QCOMPARE(list.last().pattern(), u"b"_s);
}

void tst_QSseTopicFilter::equality()
{
    const QRegularExpression expression(u"a"_s);
    const QRegularExpression caseless(u"a"_s, QRegularExpression::CaseInsensitiveOption);

    QCOMPARE(QSseTopicFilter(), QSseTopicFilter());
    QCOMPARE(QSseTopicFilter(u"a"_s), QSseTopicFilter("a"));
    QCOMPARE(QSseTopicFilter("a/*"), QSseTopicFilter("a/*"));
    QCOMPARE(QSseTopicFilter(expression), QSseTopicFilter(expression));
    QVERIFY(QSseTopicFilter("a") != QSseTopicFilter("b"));
    QVERIFY(QSseTopicFilter("a") != QSseTopicFilter("A"));
    QVERIFY(QSseTopicFilter("a/*") != QSseTopicFilter("a/**"));
    QVERIFY(QSseTopicFilter("a") != QSseTopicFilter());
    QVERIFY(QSseTopicFilter("a") != QSseTopicFilter(expression));
    QVERIFY(QSseTopicFilter(caseless) != QSseTopicFilter(expression));
    QVERIFY(!(QSseTopicFilter("a") != QSseTopicFilter("a")));
}

void tst_QSseTopicFilter::hashes()
{
    QCOMPARE(qHash(QSseTopicFilter("a/*")), qHash(QSseTopicFilter(u"a/*"_s)));
    QCOMPARE(qHash(QSseTopicFilter("a"), 7), qHash(QSseTopicFilter("a"), 7));
    const QSet<QSseTopicFilter> set { "a",   "b",    "a",
                                      "a/*", u"b"_s, QSseTopicFilter(QRegularExpression(u"a"_s)) };
    QCOMPARE(set.size(), 4);
    QVERIFY(set.contains("a/*"));
    QVERIFY(!set.contains("c"));
}

void tst_QSseTopicFilter::goesIntoVariants()
{
    const QVariant variant = QVariant::fromValue(QSseTopicFilter("a/*"));
    QCOMPARE(variant.value<QSseTopicFilter>(), QSseTopicFilter("a/*"));
}

void tst_QSseTopicFilter::debug()
{
    QString text;
    QDebug(&text) << QSseTopicFilter("fx/*") << QSseTopicFilter() << 1 << 2;
    QVERIFY2(text.contains(u"QSseTopicFilter(\"fx/*\")"_s), qPrintable(text));
    QVERIFY2(text.trimmed().endsWith(u" 1 2"_s), qPrintable(text));
}

QTEST_APPLESS_MAIN(tst_QSseTopicFilter)
#include "tst_qssetopicfilter.moc"
