// SPDX-License-Identifier: MIT
#ifndef TEXTS_H
#define TEXTS_H

#include <QtCore/QByteArray>

/*! What is sent and has to arrive: both ends can tell every byte of it from numbers alone. */
namespace Texts {

constexpr int TopicCount = 4;

/*! Spreads \a number over all 32 bits, always in the same way. */
inline quint32 scattered(qint64 number)
{
    quint64 bits = (quint64(number) + 1) * Q_UINT64_C(0x9e3779b97f4a7c15);
    bits ^= bits >> 29;
    return quint32((bits * Q_UINT64_C(0xbf58476d1ce4e5b9)) >> 32);
}

/*! Event \a number of topic \a topic: both numbers, then lines of some length. */
inline QByteArray event(int topic, qint64 number)
{
    const quint32 bits = scattered(number * TopicCount + topic);
    constexpr const char *Fillers[] = { "1.0934 ", "\u20ac\u00a0\u2248 ", "\U0001f4c8", "a\nb" };
    return QByteArray::number(topic) + ' ' + QByteArray::number(number) + ' '
        + QByteArray(Fillers[bits % 4]).repeated(int(bits / 4 % 100));
}

/*! How many tokens answer \a answer has. */
inline int tokenCount(qint64 answer)
{
    return 10 + int(scattered(answer) % 100);
}

/*! Token \a index of answer \a answer, as a chunk of JSON. */
inline QByteArray token(qint64 answer, int index)
{
    const quint32 bits = scattered(answer * 1000 + index);
    constexpr const char *Fillers[] = { "the ", "\u00fcber ", "\U0001f319", "\\n" };
    return "{\"choices\":[{\"delta\":{\"content\":\""
        + QByteArray(Fillers[bits % 4]).repeated(int(1 + bits / 4 % 8)) + "\"}}]}";
}

/*! The id of token \a index of answer \a answer. */
inline QByteArray tokenId(qint64 answer, int index)
{
    return QByteArray::number(answer) + '-' + QByteArray::number(index);
}

/*! What follows the last token. */
constexpr char Done[] = "[DONE]";

} // namespace Texts

#endif // TEXTS_H
