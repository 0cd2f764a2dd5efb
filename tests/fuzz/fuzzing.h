// SPDX-License-Identifier: MIT
#ifndef FUZZING_H
#define FUZZING_H

#include <QtCore/QByteArray>
#include <QtCore/QByteArrayList>
#include <QtCore/QString>
#include <QtCore/QStringList>

#include <fuzzer/FuzzedDataProvider.h>
#include <sanitizer/allocator_interface.h>

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

/*! All that is left of the input. */
inline QByteArray takeRest(FuzzedDataProvider *input)
{
    return QByteArray::fromStdString(input->ConsumeRemainingBytesAsString());
}

/*! Three lengths of pieces, up to 64. */
inline std::vector<qsizetype> takeLengths(FuzzedDataProvider *input)
{
    std::vector<qsizetype> lengths;
    for (int i = 0; i < 3; ++i)
        lengths.push_back(input->ConsumeIntegralInRange<qsizetype>(1, 64));
    return lengths;
}

/*! Checks that no more than \a bound bytes are held after \a work than were before it. */
template<typename Work> void checkBounded(qsizetype bound, const Work &work)
{
    const size_t before = __sanitizer_get_current_allocated_bytes();
    work();
    const size_t after = __sanitizer_get_current_allocated_bytes();
    check(qsizetype(after) - qsizetype(before) <= bound, "memory is bounded");
}

/*! \a stream in pieces of \a lengths, which are used in turn. */
QByteArrayList cut(const QByteArray &stream, const std::vector<qsizetype> &lengths);

/*! What the groups of the expression \a pattern, which is Latin-1 and lives on, capture of
    \a text: all of it first; nothing at all when it does not match from beginning to end. */
QStringList captured(const char *pattern, const QByteArray &text);

#endif // FUZZING_H
