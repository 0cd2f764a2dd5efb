// SPDX-License-Identifier: MIT
// better-sse on Node, where both are installed: `npm install --global better-sse`.
#include "serve.h"

#include <QtCore/QProcess>

#include <unistd.h>

bool isBetterSseInstalled()
{
    QProcess node;
    node.start(QStringLiteral("node"),
               { QStringLiteral("-e"), QStringLiteral("require.resolve('better-sse')") });
    return node.waitForFinished() && node.exitStatus() == QProcess::NormalExit
        && node.exitCode() == 0;
}

int serveBetterSse(const Load &load)
{
    const QByteArray topics = QByteArray::number(load.topics);
    const QByteArray rate = QByteArray::number(load.rate);
    const QByteArray bytes = QByteArray::number(load.bytes);
    ::execlp("node", "node", QSSE_BENCH_SOURCES "/bettersse.js", topics.constData(),
             rate.constData(), bytes.constData(), nullptr);
    return 1;
}
