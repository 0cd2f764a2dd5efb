// SPDX-License-Identifier: MIT
#ifndef QSSEINFLATER_P_H
#define QSSEINFLATER_P_H

#include <QtCore/QByteArray>

#include <memory>

/*!
    Decodes gzip (RFC 1952) as it comes: what was flushed by the sender can be read at once, and
    what is small packed but huge unpacked is unpacked only as far as it is read.
*/
class QSseInflater
{
public:
    QSseInflater();
    ~QSseInflater();
    QSseInflater(QSseInflater &&) noexcept;
    QSseInflater &operator=(QSseInflater &&) noexcept;

    /*! Appends \a data; call read() until it gives nothing before adding more. */
    void addData(const QByteArray &data);
    /*! Up to \a maximum decoded bytes; none when more data is needed or hasError(). */
    QByteArray read(qsizetype maximum);
    /*! Whether the data is no gzip; nothing more is read then. */
    bool hasError() const;

private:
    struct State;
    std::unique_ptr<State> m_state;
};

#endif // QSSEINFLATER_P_H
