// SPDX-License-Identifier: MIT
#ifndef FUZZING_H
#define FUZZING_H

#include <QtCore/QByteArray>
#include <QtCore/QByteArrayList>
#include <QtCore/QString>
#include <QtCore/QStringList>

#include <fuzzer/FuzzedDataProvider.h>

#include <vector>

/*! Ends the run, so that the input is kept, unless \a holds; \a what names what should hold. */
inline void check(bool holds, const char *what)
{
    if (!holds)
        qFatal("Does not hold: %s", what);
}

/*! Up to \a maximumSize bytes of the input's, whatever they are; never null. */
inline QByteArray takeBytes(FuzzedDataProvider *input, size_t maximumSize)
{
    const std::string bytes = input->ConsumeRandomLengthString(maximumSize);
    return QByteArray(bytes.data(), qsizetype(bytes.size()));
}

/*! Text of up to \a maximumSize bytes of the input's, lone surrogates included; never null. */
inline QString takeText(FuzzedDataProvider *input, size_t maximumSize)
{
    const bool isUtf16 = input->ConsumeBool();
    const QByteArray bytes = takeBytes(input, maximumSize);
    QString text = QStringLiteral("");
    if (!isUtf16)
        return text + QString::fromUtf8(bytes);
    for (qsizetype i = 0; i + 1 < bytes.size(); i += 2)
        text += QChar(uchar(bytes.at(i)), uchar(bytes.at(i + 1)));
    return text;
}

/*! \a stream in pieces of \a lengths, which are used in turn. */
QByteArrayList cut(const QByteArray &stream, const std::vector<qsizetype> &lengths);

/*! What the groups of the expression \a pattern, which is Latin-1 and lives on, capture of
    \a text: all of it first; nothing at all when it does not match from beginning to end. */
QStringList captured(const char *pattern, const QByteArray &text);

#endif // FUZZING_H
