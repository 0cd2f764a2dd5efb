// SPDX-License-Identifier: MIT
// QSseTopicFilter takes and matches what its documentation says, and QSseFilterTree finds exactly
// the filters that match.
#include "fuzzing.h"

#include "qssefiltertree_p.h"

#include <QtCore/QRegularExpression>
#include <QtCore/QStringList>

#include <algorithm>

using namespace Qt::StringLiterals;

namespace {

// Levels that often meet, wildcards among them.
const char16_t *const Levels[] = { u"a", u"b", u"ab", u"*", u"**" };
constexpr int LevelCount = int(std::size(Levels));

QString takePath(FuzzedDataProvider *input)
{
    if (input->ConsumeBool())
        return takeText(input, 300);
    QStringList path;
    for (int count = input->ConsumeIntegralInRange(1, 6); count > 0; --count) {
        const int level = input->ConsumeIntegralInRange(0, LevelCount);
        path.append(level < LevelCount ? QString::fromUtf16(Levels[level]) : takeText(input, 8));
    }
    return path.join(u'/');
}

bool isGoodCharacter(char32_t c)
{
    const bool isControl = c < 0x20 || (c >= 0x7f && c < 0xa0);
    const bool isSurrogate = c >= 0xd800 && c < 0xe000;
    return !isControl && !isSurrogate && c != 0xfffd;
}

bool isGoodText(const QString &text)
{
    qsizetype size = 0;
    const QList<uint> characters = text.toUcs4();
    // Lone surrogates are among the characters, or replaced there.
    for (const char32_t c : characters) {
        if (!isGoodCharacter(c))
            return false;
        size += c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    }
    return size >= 1 && size <= 255 && !text.split(u'/').contains(QString());
}

bool isName(const QString &text)
{
    return isGoodText(text) && !text.contains(u'*');
}

bool isFilter(const QString &text)
{
    QStringList levels = text.split(u'/');
    if (levels.last() == u"**")
        levels.removeLast();
    const auto isLevel = [](const QString &level) {
        return level == u"*" || !level.contains(u'*');
    };
    return isGoodText(text) && std::all_of(levels.begin(), levels.end(), isLevel);
}

bool matches(QStringList pattern, QStringList topic)
{
    if (pattern == QStringList { u"**"_s })
        return true;
    if (pattern.isEmpty() || topic.isEmpty())
        return pattern.isEmpty() && topic.isEmpty();
    const QString wanted = pattern.takeFirst();
    const QString level = topic.takeFirst();
    return (wanted == u"*" || wanted == level) && matches(pattern, topic);
}

QSseTopicFilter takeFilter(FuzzedDataProvider *input)
{
    const QString pattern = takePath(input);
    QSseTopicFilter filter(pattern);
    check(filter.isValid() == isFilter(pattern), "a filter is valid as documented");
    check(filter.isExact() == isName(pattern), "a filter that is a name is exact");
    check(filter.errorString().isEmpty() == filter.isValid(), "an error has a text");
    check(filter.pattern() == pattern, "a filter keeps its pattern");
    check(!filter.isExpression(), "a pattern is no expression");
    return filter;
}

QSseTopicFilter takeExpression(FuzzedDataProvider *input)
{
    static const QSseTopicFilter expressions[] = {
        QSseTopicFilter(QRegularExpression(u"a.*"_s)),
        QSseTopicFilter(QRegularExpression(u"a|ab/b"_s)),
        QSseTopicFilter(QRegularExpression(u"[^/]+"_s)),
    };
    return expressions[input->ConsumeIntegralInRange<size_t>(0, std::size(expressions) - 1)];
}

// A tree, and beside it the plain list of what is in it.
class Filters
{
public:
    void insert(const QSseTopicFilter &filter, int value)
    {
        m_tree.insert(filter, value);
        m_list.append({ filter, value });
    }

    void remove(const QSseTopicFilter &filter, int value)
    {
        m_tree.remove(filter, value);
        m_list.removeOne({ filter, value });
    }

    void checkTopic(const QString &topic) const
    {
        QList<int> expected;
        for (const auto &[filter, value] : m_list) {
            if (!filter.isExpression())
                check(filter.matches(topic)
                          == ::matches(filter.pattern().split(u'/'), topic.split(u'/')),
                      "a filter matches as documented");
            if (filter.matches(topic))
                expected.append(value);
        }
        QList<int> found;
        m_tree.match(topic, [&found](int value) { found.append(value); });
        std::sort(found.begin(), found.end());
        std::sort(expected.begin(), expected.end());
        check(found == expected, "the tree finds the filters that match");
    }

    qsizetype size() const { return m_list.size(); }
    std::pair<QSseTopicFilter, int> at(qsizetype i) const { return m_list.at(i); }

private:
    QSseFilterTree<int> m_tree;
    QList<std::pair<QSseTopicFilter, int>> m_list;
};

void step(FuzzedDataProvider *input, Filters *filters)
{
    enum { Insert, InsertExpression, InsertAgain, Remove, RemoveWhatIsNotThere, Match, Count };
    constexpr qsizetype MaximumSize = 100;

    const int action = input->ConsumeIntegralInRange(0, Count - 1);
    if ((action == InsertAgain || action == Remove) && filters->size() > 0) {
        const auto [filter, value] =
            filters->at(input->ConsumeIntegralInRange<qsizetype>(0, filters->size() - 1));
        if (action == InsertAgain && filters->size() < MaximumSize)
            filters->insert(filter, input->ConsumeBool() ? value : value + 1);
        else
            filters->remove(filter, value);
    } else if (action == Insert || action == RemoveWhatIsNotThere) {
        const QSseTopicFilter filter = takeFilter(input);
        if (!filter.isValid())
            check(!filter.matches(filter.pattern()), "an invalid filter matches nothing");
        else if (action == RemoveWhatIsNotThere)
            filters->remove(filter, -1);
        else if (filters->size() < MaximumSize)
            filters->insert(filter, int(filters->size()));
    } else if (action == InsertExpression && filters->size() < MaximumSize) {
        filters->insert(takeExpression(input), int(filters->size()));
    } else {
        const QString topic = takePath(input);
        check(QSseTopicFilter::topicError(topic).isEmpty() == isName(topic),
              "a name is valid as documented");
        if (isName(topic))
            filters->checkTopic(topic);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzedDataProvider input(data, size);
    Filters filters;
    while (input.remaining_bytes() > 0)
        step(&input, &filters);
    while (filters.size() > 0) {
        const auto [filter, value] = filters.at(filters.size() - 1);
        filters.remove(filter, value);
    }
    filters.checkTopic(u"a/b"_s);
    return 0;
}
