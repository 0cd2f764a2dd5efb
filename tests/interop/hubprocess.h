// SPDX-License-Identifier: MIT
#ifndef HUBPROCESS_H
#define HUBPROCESS_H

#include "childprocess.h"
#include "headfield.h"

#include <QtCore/QRegularExpression>

/*! A qsse-hub on a free port of 127.0.0.1. */
class HubProcess : public ChildProcess
{
public:
    explicit HubProcess(const QByteArrayList &arguments = {})
        : ChildProcess(QStringLiteral(QSSE_HUB),
                       QByteArrayList { "--listen", "127.0.0.1:0" } + arguments)
    {
    }

    /*! Starts the hub and waits until it listens. */
    bool listen()
    {
        start();
        const bool hasLine =
            QTest::qWaitFor([this] { return output().contains('\n') || isFinished(); }, 20'000);
        static const QRegularExpression line(
            QStringLiteral("^listening on (https?)://127\\.0\\.0\\.1:(\\d+)\n$"));
        const QRegularExpressionMatch match = line.match(QString::fromUtf8(output()));
        m_scheme = match.captured(1).toUtf8();
        m_port = match.captured(2).toUShort();
        return hasLine && m_port != 0;
    }
    quint16 port() const { return m_port; }
    QByteArray url(const QByteArray &target) const
    {
        return m_scheme + "://127.0.0.1:" + QByteArray::number(m_port) + target;
    }

private:
    QByteArray m_scheme;
    quint16 m_port = 0;
};

/*! A curl that writes each byte as it comes, the response's head first. */
class Curl : public ChildProcess
{
public:
    explicit Curl(const QByteArray &url, const QByteArrayList &arguments = {},
                  const QByteArray &body = {})
        : ChildProcess(QStringLiteral("curl"),
                       QByteArrayList { "-sSNi", "--noproxy", "*", "-H", "Expect:" } + arguments
                           + QByteArrayList { url })
    {
        start(body);
    }
    /*! A POST of \a body. */
    static QByteArrayList post() { return { "--data-binary", "@-" }; }

    QByteArray head() const { return output().left(output().indexOf("\r\n\r\n") + 2); }
    QByteArray body() const
    {
        const qsizetype end = output().indexOf("\r\n\r\n");
        return end < 0 ? QByteArray() : output().mid(end + 4);
    }
    int status() const { return head().mid(9, 3).toInt(); }
    /*! The response header \a name, a null array when there is none. */
    QByteArray header(const QByteArray &name) const { return headField(head(), name); }

    /*! The blocks of a stream that have ended. */
    QByteArrayList blocks() const
    {
        QByteArrayList blocks;
        const QByteArray text = body();
        qsizetype from = 0;
        for (qsizetype end; (end = text.indexOf("\n\n", from)) >= 0; from = end + 2)
            blocks.append(text.mid(from, end - from));
        return blocks;
    }
    /*! Those of them that a client dispatches. */
    QByteArrayList events() const
    {
        QByteArrayList events;
        for (const QByteArray &block : blocks()) {
            if (block.startsWith("data:") || block.contains("\ndata:"))
                events.append(block);
        }
        return events;
    }
    /*! Whether the stream's opening is there: events published from now on will follow. */
    bool isOpen() const { return !blocks().isEmpty(); }
};

#endif // HUBPROCESS_H
