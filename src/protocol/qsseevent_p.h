// SPDX-License-Identifier: MIT
#ifndef QSSEEVENT_P_H
#define QSSEEVENT_P_H

#include "qsseevent.h"

#include <QtCore/QByteArrayView>
#include <QtCore/QSharedData>
#include <QtCore/QtEndian>

class QSseEventPrivate : public QSharedData
{
public:
    // Null and empty differ: a null field is not on the wire.
    QByteArray comment;
    QByteArray data;
    QByteArray event;
    QByteArray id;
    std::chrono::milliseconds retry { -1 };

    QString topic;
    QDateTime occurredAt;
    std::chrono::milliseconds ttl { -1 };
    QString source;
    QString transactionId;
};

namespace QSsePrivate {

/*! Whether \a text is of U+0001 to U+007F alone, and so valid UTF-8 wherever it is cut. */
inline bool isPlainAscii(QByteArrayView text)
{
    constexpr qsizetype WordSize = sizeof(quint64);
    constexpr auto EachByte = Q_UINT64_C(0x0101010101010101);
    quint64 found = 0; // the highest bit of each byte, which taking 1 from a NUL sets too
    const auto look = [&](quint64 word) { found |= word | (word - EachByte); };
    if (text.size() < WordSize) {
        for (const char c : text)
            look(EachByte * uchar(c));
    } else {
        const qsizetype last = text.size() - WordSize;
        for (qsizetype at = 0; at < last; at += WordSize)
            look(qFromUnaligned<quint64>(text.data() + at));
        look(qFromUnaligned<quint64>(text.data() + last));
    }
    return !(found & (EachByte << 7));
}

/*! \a utf8 itself when it is valid, else a copy with U+FFFD for each maximal subpart of what is
    not: what "UTF-8 decode" of the WHATWG Encoding Standard gives. */
QByteArray validUtf8(const QByteArray &utf8);

/*! QString::fromUtf8() that keeps a leading U+FEFF: inside a field it is text, not a mark. */
QString textFromUtf8(const QByteArray &utf8);

} // namespace QSsePrivate

#endif // QSSEEVENT_P_H
