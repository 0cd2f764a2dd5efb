// SPDX-License-Identifier: MIT
#include "serve.h"

#include <algorithm>

namespace {

bool always()
{
    return true;
}

} // namespace

const QList<Contender> &contenders()
{
    static const QList<Contender> all {
        { QStringLiteral("floor"), always, serveFloor },
        { QStringLiteral("naive"), always, serveNaive },
        { QStringLiteral("qsse"), always, serveQSse },
        { QStringLiteral("nchan"), isNchanInstalled, serveNchan },
        { QStringLiteral("better-sse"), isBetterSseInstalled, serveBetterSse },
    };
    return all;
}

const Contender *findContender(const QString &name)
{
    const auto &all = contenders();
    const auto found = std::find_if(all.begin(), all.end(),
                                    [&](const Contender &one) { return one.name == name; });
    return found == all.end() ? nullptr : &*found;
}

QStringList serveArguments(const QString &contender, const Load &load)
{
    return { QStringLiteral("--serve"), contender, QString::number(load.topics),
             QString::number(load.rate, 'g', 17), QString::number(load.bytes) };
}

int serve(const QStringList &arguments)
{
    constexpr int Count = 5;
    const Contender *contender = findContender(arguments.value(1));
    if (!contender || arguments.size() != Count)
        return 2;
    return contender->serve(
        { arguments.at(2).toInt(), arguments.at(3).toDouble(), arguments.at(4).toInt() });
}
