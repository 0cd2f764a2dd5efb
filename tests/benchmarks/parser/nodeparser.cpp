// SPDX-License-Identifier: MIT
#include "nodeparser.h"

namespace {

constexpr int Patience = 60'000;

} // namespace

bool NodeParser::isInstalled()
{
    QProcess node;
    node.start(QStringLiteral("node"),
               { QStringLiteral("-e"), QStringLiteral("require.resolve('eventsource-parser')") });
    return node.waitForFinished() && node.exitStatus() == QProcess::NormalExit
        && node.exitCode() == 0;
}

NodeParser::NodeParser(const Stream &stream)
{
    const QByteArray bytes = stream.pieces.join();
    if (!m_file.open() || m_file.write(bytes) != bytes.size() || !m_file.flush())
        qFatal("Cannot write to %s", qUtf8Printable(m_file.fileName()));
    m_node.setProcessChannelMode(QProcess::ForwardedErrorChannel);
    m_node.start(QStringLiteral("node"),
                 { QStringLiteral(QSSE_BENCH_SOURCES "/eventsourceparser.js"), m_file.fileName(),
                   QString::number(stream.pieces.constFirst().size()) });
}

NodeParser::~NodeParser()
{
    m_node.closeWriteChannel();
    m_node.waitForFinished();
}

std::chrono::nanoseconds NodeParser::read(const QByteArray &mode, Found *found)
{
    m_node.write(mode + '\n');
    while (!m_node.canReadLine()) {
        if (!m_node.waitForReadyRead(Patience))
            qFatal("node does not answer: %s", qUtf8Printable(m_node.errorString()));
    }
    const QByteArrayList answer = m_node.readLine().simplified().split(' ');
    *found = { answer.value(1).toLongLong(), answer.value(2).toLongLong() };
    return std::chrono::nanoseconds(answer.value(0).toLongLong());
}
