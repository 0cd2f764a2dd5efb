// SPDX-License-Identifier: MIT
#include "tickerserver.h"

#include "qssetopic.h"
#include "ratereplay.h"

#include <QtCore/QFile>

using namespace std::chrono_literals;

TickerServer::TickerServer(RateReplay *replay, QObject *parent) : QObject(parent)
{
    // A dropped page should be back before its reader wonders.
    m_sse.setRetryInterval(1s);
    connect(&m_sse, &QSseServer::subscriberCountChanged, this,
            &TickerServer::subscriberCountChanged);
    m_http.addEventStream(QLatin1String(StreamPath));
    addPage();
    publish(replay);

    connect(&m_second, &QTimer::timeout, this, [this] {
        m_eventsPerSecond = std::exchange(m_published, 0);
        Q_EMIT eventsPerSecondChanged();
    });
    m_second.start(1s);
}

void TickerServer::addPage()
{
    QFile file(QStringLiteral(":/ticker/web/index.html"));
    if (!file.open(QIODevice::ReadOnly))
        qFatal("The web page is missing from the program");
    m_http.route(QStringLiteral("/"), [page = file.readAll()] {
        return QHttpServerResponse(QByteArrayLiteral("text/html; charset=utf-8"), page);
    });
}

void TickerServer::publish(RateReplay *replay)
{
    std::vector<QSseTopic *> topics;
    const QStringList &currencies = replay->currencies();
    for (int currency = 0; currency < currencies.size(); ++currency) {
        QSseTopic *topic =
            m_sse.topic(QLatin1String("fx/eur/") + currencies.at(currency).toLower());
        topic->setSnapshot(
            [replay, currency] { return QSseEvent::fromJson(replay->snapshot(currency)); });
        topics.push_back(topic);
    }
    connect(replay, &RateReplay::ticked, this, [this, replay, topics](int currency) {
        topics[size_t(currency)]->notify(replay->latest(currency));
        ++m_published;
    });
}

bool TickerServer::listen(const QHostAddress &address, quint16 port)
{
    const quint16 actual = m_http.listen(address, port);
    if (actual == 0)
        return false;
    m_url.setScheme(QStringLiteral("http"));
    m_url.setHost(address.toString());
    m_url.setPort(actual);
    return true;
}
