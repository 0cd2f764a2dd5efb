// SPDX-License-Identifier: MIT
#ifndef QSSEHTTPFIELD_P_H
#define QSSEHTTPFIELD_P_H

#include <QtCore/QByteArrayView>

#include <algorithm>

/*! What can stand in the head of an HTTP message. */
namespace QSsePrivate {

/*! Whether \a text is a token of RFC 9110 §5.6.2: a method, or the name of a field. */
inline bool isToken(QByteArrayView text)
{
    const auto isTokenCharacter = [](char c) {
        constexpr QByteArrayView others("!#$%&'*+-.^_`|~");
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
            || others.contains(c);
    };
    return !text.isEmpty() && std::all_of(text.begin(), text.end(), isTokenCharacter);
}

/*! Whether \a text has none of CR, LF and NUL, which would end a field and begin another. */
inline bool isOneLine(QByteArrayView text)
{
    return !text.contains('\r') && !text.contains('\n') && !text.contains('\0');
}

} // namespace QSsePrivate

#endif // QSSEHTTPFIELD_P_H
