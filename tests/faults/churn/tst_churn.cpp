// SPDX-License-Identifier: MIT
// Connections that come and go in every way.

#include "faults.h"
#include "hubprocess.h"
#include "visitor.h"

using namespace std::chrono_literals;

class tst_Churn : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void churn();
};

// Nothing stays behind of them: after the first tenth the hub needs no more than it did then.
void tst_Churn::churn()
{
    constexpr int AtOnce = 50;
    const int visitors = Faults::form(5000, 100'000);
    HubProcess hub({ "--generate", "topic=a,rate=200,bytes=1000", "--history", "100" });
    QVERIFY2(hub.listen(), hub.errors().constData());
    Faults::Usage before;
    for (int done = 0; done < visitors; done += AtOnce) {
        std::vector<std::unique_ptr<Visitor>> together;
        for (int i = done; i < done + AtOnce; ++i)
            together.push_back(std::make_unique<Visitor>(hub.port(), i));
        for (const auto &visitor : together) {
            QVERIFY2(visitor->waitForAnswer(),
                     "no answer to visitor " + QByteArray::number(visitor->number()));
            visitor->leave();
        }
        QCoreApplication::processEvents(); // for what the hub prints
        if (done + AtOnce == visitors / 10) {
            before = Faults::settledUsageOf(hub.process().processId());
            QVERIFY(before.descriptors < AtOnce); // all have left
        }
    }
    const Faults::Usage after = Faults::settledUsageOf(hub.process().processId());
    qInfo("%d connections: memory %s after the first tenth, %s at the end; descriptors %d and %d",
          visitors, Faults::inMiB(before.resident).constData(),
          Faults::inMiB(after.resident).constData(), before.descriptors, after.descriptors);
    if (Faults::IsMeasuring)
        QVERIFY(after.resident <= before.resident + before.resident / 50 + Faults::MiB / 2);
    QCOMPARE(after.descriptors, before.descriptors);
    QCOMPARE(hub.errors(), QByteArray());
}

int main(int argc, char **argv)
{
    return Faults::run<tst_Churn>(argc, argv);
}
#include "tst_churn.moc"
