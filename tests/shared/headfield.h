// SPDX-License-Identifier: MIT
#ifndef HEADFIELD_H
#define HEADFIELD_H

#include <QtCore/QByteArray>
#include <QtCore/QList>

/*! The field \a name of an HTTP message's \a head, a null array when there is none. */
inline QByteArray headField(const QByteArray &head, const QByteArray &name)
{
    for (const QByteArray &line : head.split('\n')) {
        const qsizetype colon = line.indexOf(':');
        if (colon > 0 && line.left(colon).compare(name, Qt::CaseInsensitive) == 0)
            return line.mid(colon + 1).trimmed();
    }
    return QByteArray();
}

#endif // HEADFIELD_H
