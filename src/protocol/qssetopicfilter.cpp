// SPDX-License-Identifier: MIT
#include "qssetopicfilter.h"
#include "qssetopicfilter_p.h"

#include <QtCore/QCoreApplication>
#include <QtCore/QDebug>
#include <QtCore/QList>
#include <QtCore/QRegularExpression>
#include <QtCore/QSharedData>

#include <algorithm>
#include <optional>

class QSseTopicFilterPrivate : public QSharedData
{
public:
    enum class Kind { Invalid, Exact, Wildcard, Expression };

    Kind kind = Kind::Invalid;
    QString pattern;
    QString error;
    std::optional<QRegularExpression> expression; // even one of nothing takes memory
};

namespace {

using Kind = QSseTopicFilterPrivate::Kind;

using namespace QSseTopicLevels;

constexpr QStringView AllLevels(u"*/**");

QString translate(const char *text)
{
    return QCoreApplication::translate("QSseTopicFilter", text);
}

bool isControl(QChar c)
{
    return c.category() == QChar::Other_Control;
}

// What names and filters have in common.
QString commonError(QStringView text)
{
    if (text.isEmpty())
        return translate("A topic must not be empty");
    if (text.toUtf8().size() > QSseTopicFilter::MaximumSize)
        return translate("A topic must not be longer than %1 bytes")
            .arg(QSseTopicFilter::MaximumSize);
    // U+FFFD is what became of bytes that were no UTF-8.
    if (!text.isValidUtf16() || text.contains(QChar::ReplacementCharacter))
        return translate("A topic must be valid Unicode");
    if (std::any_of(text.begin(), text.end(), isControl))
        return translate("A topic must not have control characters");
    if (text.startsWith(Separator) || text.endsWith(Separator)
        || text.contains(QLatin1String("//")))
        return translate("A topic must not have an empty level");
    return QString();
}

QString filterError(QStringView pattern)
{
    QString error = commonError(pattern);
    if (!error.isEmpty())
        return error;
    const QList<QStringView> levels = pattern.split(Separator);
    for (qsizetype i = 0; i < levels.size(); ++i) {
        const QStringView level = levels.at(i);
        if (level == TheRest && i + 1 < levels.size())
            return translate("'**' must be the last level of a topic filter");
        if (level != TheRest && level != OneLevel && level.contains(QLatin1Char('*')))
            return translate("'*' must be a whole level of a topic filter");
    }
    return QString();
}

bool wildcardMatches(QStringView pattern, QStringView topic)
{
    while (!pattern.isEmpty()) {
        const QStringView wanted = takeLevel(&pattern);
        if (wanted == TheRest)
            return true;
        if (topic.isEmpty())
            return false;
        const QStringView level = takeLevel(&topic);
        if (wanted != OneLevel && wanted != level)
            return false;
    }
    return topic.isEmpty();
}

bool wildcardCovers(QStringView pattern, QStringView other)
{
    // No topic is empty, so this is "*/**" too.
    if (other == TheRest)
        return pattern == TheRest || pattern == AllLevels;
    while (!pattern.isEmpty()) {
        const QStringView level = takeLevel(&pattern);
        if (level == TheRest)
            return true;
        // What may end here, as the rest may, does not have the level.
        const QStringView otherLevel = takeLevel(&other);
        if (otherLevel.isEmpty() || otherLevel == TheRest)
            return false;
        if (level != OneLevel && level != otherLevel)
            return false;
    }
    return other.isEmpty();
}

} // namespace

QSseTopicFilter::QSseTopicFilter() : QSseTopicFilter(QString()) { }

QSseTopicFilter::QSseTopicFilter(const QString &pattern) : d(new QSseTopicFilterPrivate)
{
    d->pattern = pattern;
    d->error = filterError(pattern);
    if (d->error.isEmpty())
        d->kind = pattern.contains(QLatin1Char('*')) ? Kind::Wildcard : Kind::Exact;
}

QSseTopicFilter::QSseTopicFilter(const char *pattern) : QSseTopicFilter(QString::fromUtf8(pattern))
{
}

QSseTopicFilter::QSseTopicFilter(const QRegularExpression &expression)
    : d(new QSseTopicFilterPrivate)
{
    d->pattern = expression.pattern();
    // "a)|(?:b" would be valid once anchored, and match more than as a whole.
    if (!expression.isValid()) {
        d->error = expression.errorString();
        return;
    }
    d->expression.emplace(QRegularExpression::anchoredPattern(d->pattern),
                          expression.patternOptions());
    if (d->expression->isValid())
        d->kind = Kind::Expression;
    else
        d->error = d->expression->errorString();
}

QSseTopicFilter::QSseTopicFilter(const QSseTopicFilter &other) = default;
QSseTopicFilter::QSseTopicFilter(QSseTopicFilter &&other) noexcept = default;
QSseTopicFilter &QSseTopicFilter::operator=(const QSseTopicFilter &other) = default;
QSseTopicFilter &QSseTopicFilter::operator=(QSseTopicFilter &&other) noexcept = default;
QSseTopicFilter::~QSseTopicFilter() = default;

bool QSseTopicFilter::isValid() const
{
    return d->kind != Kind::Invalid;
}

QString QSseTopicFilter::errorString() const
{
    return d->error;
}

bool QSseTopicFilter::isExact() const
{
    return d->kind == Kind::Exact;
}

bool QSseTopicFilter::isExpression() const
{
    return d->kind == Kind::Expression;
}

QString QSseTopicFilter::pattern() const
{
    return d->pattern;
}

bool QSseTopicFilter::matches(const QString &topic) const
{
    switch (d->kind) {
    case Kind::Invalid:
        return false;
    case Kind::Exact:
        return topic == d->pattern;
    case Kind::Wildcard:
        return wildcardMatches(d->pattern, topic);
    case Kind::Expression:
        return d->expression->match(topic).hasMatch();
    }
    return false;
}

bool QSseTopicFilter::covers(const QSseTopicFilter &other) const
{
    if (!isValid() || !other.isValid())
        return false;
    if (isExpression() || other.isExpression())
        return *this == other;
    return wildcardCovers(d->pattern, other.d->pattern);
}

QString QSseTopicFilter::topicError(const QString &name)
{
    QString error = commonError(name);
    if (error.isEmpty() && name.contains(QLatin1Char('*')))
        return translate("A topic's name must not have '*'");
    return error;
}

bool operator==(const QSseTopicFilter &a, const QSseTopicFilter &b)
{
    return a.d == b.d
        || (a.d->kind == b.d->kind && a.d->pattern == b.d->pattern
            && a.d->expression == b.d->expression);
}

QDebug operator<<(QDebug debug, const QSseTopicFilter &filter)
{
    QDebugStateSaver saver(debug);
    return debug.nospace() << "QSseTopicFilter(" << filter.pattern() << ')';
}
