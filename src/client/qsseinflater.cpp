// SPDX-License-Identifier: MIT
#include "qsseinflater_p.h"

#include <zlib.h>

namespace {
constexpr int GzipOnly = 16; // added to the window's size
}

struct QSseInflater::State
{
    State() { failed = inflateInit2(&stream, MAX_WBITS + GzipOnly) != Z_OK; }
    ~State() { inflateEnd(&stream); }
    Q_DISABLE_COPY_MOVE(State)

    z_stream stream = {};
    QByteArray input; // what stream.next_in points into
    bool failed = false;
};

QSseInflater::QSseInflater() : m_state(new State) { }
QSseInflater::~QSseInflater() = default;
QSseInflater::QSseInflater(QSseInflater &&) noexcept = default;
QSseInflater &QSseInflater::operator=(QSseInflater &&) noexcept = default;

void QSseInflater::addData(const QByteArray &data)
{
    Q_ASSERT(m_state->stream.avail_in == 0);
    m_state->input = data;
    m_state->stream.next_in = reinterpret_cast<Bytef *>(m_state->input.data());
    m_state->stream.avail_in = uInt(data.size());
}

QByteArray QSseInflater::read(qsizetype maximum)
{
    z_stream &stream = m_state->stream;
    QByteArray output(maximum, Qt::Uninitialized);
    stream.next_out = reinterpret_cast<Bytef *>(output.data());
    stream.avail_out = uInt(maximum);
    while (!m_state->failed && stream.avail_out > 0) {
        const int result = inflate(&stream, Z_SYNC_FLUSH);
        if (result == Z_BUF_ERROR) // all of the input is used up
            break;
        // A gzip file is a row of members; some servers make one of every flush.
        if (result == Z_STREAM_END)
            inflateReset(&stream);
        else if (result != Z_OK)
            m_state->failed = true;
    }
    output.truncate(maximum - stream.avail_out);
    return output;
}

bool QSseInflater::hasError() const
{
    return m_state->failed;
}
