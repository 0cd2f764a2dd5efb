// SPDX-License-Identifier: MIT
#ifndef QSSETOPICFILTER_H
#define QSSETOPICFILTER_H

#include "qsse_core_export.h"

#include <QtCore/QHashFunctions>
#include <QtCore/QMetaType>
#include <QtCore/QSharedDataPointer>
#include <QtCore/QString>

class QDebug;
class QRegularExpression;
class QSseTopicFilterPrivate;

/*!
    Which topics a subscriber wants: a value type, implicitly shared, reentrant.

    Topics are names of levels with '/' between them, such as \c fx/eur/usd. A filter is a topic
    name in which a level may be \c * (exactly one level, whatever it is) and the last may be \c **
    (the rest: any number of levels, none too). Both go into a URL as they are.
*/
class QSSE_CORE_EXPORT QSseTopicFilter
{
public:
    /*! The most bytes of UTF-8 a topic name or filter may have. */
    static constexpr qsizetype MaximumSize = 255;

    /*! A filter that matches nothing and is not valid. */
    QSseTopicFilter();
    /*! The filter \a pattern; errorString() tells when it is none. */
    QSseTopicFilter(const QString &pattern);
    /*! \overload \a pattern is NUL-terminated UTF-8. */
    QSseTopicFilter(const char *pattern);
    /*! A filter for the topics that \a expression matches as a whole. For code of the server's
        only: never build it from a client's request, which could make matching take for ever. */
    explicit QSseTopicFilter(const QRegularExpression &expression);
    QSseTopicFilter(const QSseTopicFilter &other);
    QSseTopicFilter(QSseTopicFilter &&other) noexcept;
    QSseTopicFilter &operator=(const QSseTopicFilter &other);
    QSseTopicFilter &operator=(QSseTopicFilter &&other) noexcept;
    ~QSseTopicFilter();

    void swap(QSseTopicFilter &other) noexcept { d.swap(other.d); }

    bool isValid() const;
    /*! One translated line on what is wrong with the pattern, empty when it is valid. */
    QString errorString() const;

    /*! Whether the filter matches one topic alone: the one called pattern(). */
    bool isExact() const;
    /*! Whether it was made of a regular expression. */
    bool isExpression() const;
    /*! The pattern it was made of. */
    QString pattern() const;
    /*! Whether \a topic, a valid name, is wanted. */
    bool matches(const QString &topic) const;
    /*! Whether every topic that \a other matches is matched by this too: who may see what this
        matches may see what \a other does. False when either is not valid, and when either is a
        regular expression, of which that cannot be told, unless both are equal. */
    bool covers(const QSseTopicFilter &other) const;

    /*! What is wrong with \a name as a topic's name, translated, or an empty string: a name has 1
        to MaximumSize bytes, no control character, no '*' and no empty level. */
    static QString topicError(const QString &name);

    friend QSSE_CORE_EXPORT bool operator==(const QSseTopicFilter &a, const QSseTopicFilter &b);
    friend bool operator!=(const QSseTopicFilter &a, const QSseTopicFilter &b) { return !(a == b); }
    friend size_t qHash(const QSseTopicFilter &filter, size_t seed = 0)
    {
        return qHash(filter.pattern(), seed);
    }

private:
    QSharedDataPointer<QSseTopicFilterPrivate> d;
};

Q_DECLARE_SHARED(QSseTopicFilter)

QSSE_CORE_EXPORT QDebug operator<<(QDebug debug, const QSseTopicFilter &filter);

#endif // QSSETOPICFILTER_H
