// SPDX-License-Identifier: MIT
#include "fuzzing.h"

#include <QtCore/QHash>
#include <QtCore/QRegularExpression>

QByteArrayList cut(const QByteArray &stream, const std::vector<qsizetype> &lengths)
{
    QByteArrayList pieces;
    for (qsizetype at = 0; at < stream.size(); at += pieces.last().size())
        pieces.append(stream.mid(at, lengths[size_t(pieces.size()) % lengths.size()]));
    return pieces;
}

QStringList captured(const char *pattern, const QByteArray &text)
{
    static QHash<const char *, QRegularExpression> expressions; // which take long to make
    QRegularExpression &expression = expressions[pattern];
    if (expression.pattern().isEmpty())
        expression.setPattern(QRegularExpression::anchoredPattern(QLatin1String(pattern)));
    return expression.match(QString::fromLatin1(text)).capturedTexts();
}
