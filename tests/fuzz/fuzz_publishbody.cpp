// SPDX-License-Identifier: MIT
// Whatever a request to publish says, it is an error or events, and a server takes all of those or
// none, keeps just what it took, and sends it so that a client reads it back.
#include "fuzzing.h"
#include "reference.h"

#include "qssepublishbody_p.h"

#include <QSseEventLog>
#include <QSseServer>

#include <QtCore/QHash>
#include <QtCore/QJsonArray>
#include <QtCore/QJsonDocument>
#include <QtCore/QJsonObject>
#include <QtCore/QLoggingCategory>
#include <QtCore/QUrlQuery>

#include <algorithm>
#include <limits>
#include <optional>

using namespace Qt::StringLiterals;
using Token = QSseParser::Token;

namespace {

// What separates requests in the input, and the parts of one whose body is text.
constexpr char RequestSeparator = '\x1e';
constexpr char PartSeparator = '\x1f';
// Stands for the last id that the server made, which no input could have otherwise.
constexpr char LastId = '\x1d';

bool isOneLine(const QString &text)
{
    return !text.isEmpty() && !text.contains(u'\n') && !text.contains(u'\r');
}

void checkText(const QJsonValue &json, const QString &text, const char *what)
{
    // Lone surrogates are replaced; a field that is null is one that is not there.
    check(!json.toString().isValidUtf16() || text == json.toString(), what);
    check(text.isNull() || json.isString(), what);
}

void checkEvent(const QJsonObject &json, const QSseEvent &event)
{
    check(event.topic() == json.value("topic"_L1).toString(), "the topic is as written");
    checkText(json.value("event"_L1), event.event(), "the type is as written");
    checkText(json.value("id"_L1), event.id(), "the id is as written");
    checkText(json.value("comment"_L1), event.comment(), "the comment is as written");
    const QJsonValue retry = json.value("retry"_L1);
    check(event.retry().count() == (retry.isDouble() ? retry.toInt(-2) : -1),
          "the retry is as written");
    const QJsonValue data = json.value("data"_L1);
    check(event.hasData() != data.isUndefined(), "there is data if there is some");
    if (data.isString())
        checkText(data, event.data(), "text is as written");
}

QSsePublishBody readJson(const QByteArray &body)
{
    const QSsePublishBody parsed = QSsePublishBody::fromJson(body);
    const QJsonDocument document = QJsonDocument::fromJson(body);
    const QJsonArray items =
        document.isArray() ? document.array() : QJsonArray { document.object() };
    check(parsed.events.isEmpty() || parsed.events.size() == items.size(), "each is an event");
    for (qsizetype i = 0; i < parsed.events.size(); ++i)
        checkEvent(items.at(i).toObject(), parsed.events.at(i));
    return parsed;
}

QSsePublishBody readText(const QByteArray &topic, const QByteArray &query, const QByteArray &body)
{
    const QSsePublishBody parsed = QSsePublishBody::fromText(
        QString::fromUtf8(topic), QUrlQuery(QString::fromUtf8(query)), body);
    if (!parsed.events.isEmpty()) {
        check(parsed.events.size() == 1, "a text is one event");
        const QSseEvent &event = parsed.events.first();
        check(event.topic() == QString::fromUtf8(topic), "the topic is as written");
        check(event.hasData(), "a text is data, if an empty one");
        check(event.dataUtf8() == decodedUtf8(body), "a text is data as written");
    }
    return parsed;
}

QSsePublishBody readRequest(const QByteArray &request)
{
    const QByteArrayList parts = request.split(PartSeparator);
    const QSsePublishBody parsed = parts.size() >= 3
        ? readText(parts.at(0), parts.at(1), parts.mid(2).join(PartSeparator))
        : readJson(request);
    check(parsed.error.isEmpty() != parsed.events.isEmpty(), "there is an error, or events");
    check(parsed.error.isEmpty() || isOneLine(parsed.error), "an error is one line");
    for (const QString &topic : parsed.topics()) {
        // The topic of a text is for the server to look at, from JSON there always is one.
        check(parts.size() >= 3 || !topic.isEmpty(), "each event has a topic");
    }
    return parsed;
}

// A server, and beside it the plain list of what it took.
class Publisher
{
public:
    explicit Publisher(FuzzedDataProvider *input);

    QByteArray lastId() const { return m_log->idAt(m_log->head()); }
    void publish(const QList<QSseEvent> &events);

private:
    void checkRefused(const QList<QSseEvent> &events, const QSseServer::Refusal &refusal);
    void checkTaken(const QList<QSseEvent> &events);
    void append(QSseEvent event);
    bool isWithinLimits(const QList<QSseEvent> &events) const;
    QList<QSseEvent> kept(const QList<QSseEvent> &events) const;
    void checkKept() const;
    void checkFrames() const;

    const QList<QSseTopicFilter> m_all { QSseTopicFilter(u"**"_s) };
    QSseServer m_server;
    std::shared_ptr<QSseEventLog> m_log;
    QByteArray m_epoch;
    QList<QSseEvent> m_taken;
    QStringList m_topics;
    std::optional<QSseServer::Error> m_error;
};

Publisher::Publisher(FuzzedDataProvider *input) : m_log(m_server.eventLog())
{
    const quint8 limits = input->ConsumeIntegral<quint8>();
    const int limit = input->ConsumeIntegral<quint8>();
    if (limits & 1)
        m_server.setMaximumEventSize(limit);
    if (limits & 2)
        m_server.setMaximumTopics(limit % 8);
    if (limits & 4)
        m_server.setMaximumTopicSize(limit % 32);
    if (limits & 8)
        m_server.setHistorySize(limit % 4);
    if (limits & 16) {
        m_server.topic(u"a"_s); // unless the limits are in the way
        m_topics = m_server.topics();
        m_server.setStrict(true);
    }
    m_epoch = lastId().split('-').first();
    QObject::connect(&m_server, &QSseServer::errorOccurred, &m_server,
                     [this](QSseServer::Error error, const QString &text) {
                         check(!m_error && isOneLine(text), "a refusal is told once, in one line");
                         m_error = error;
                     });
}

void Publisher::publish(const QList<QSseEvent> &events)
{
    const std::optional<QSseServer::Refusal> refusal = m_server.refusal(events);
    check(refusal.has_value() != isWithinLimits(events), "a refusal is as documented");
    if (refusal)
        checkRefused(events, *refusal);
    else
        checkTaken(events);
    check(m_server.topics() == m_topics, "the topics are those that were published under");
    check(m_server.statistics().published == quint64(m_taken.size()), "what is taken is counted");
    checkKept();
    checkFrames();
}

bool Publisher::isWithinLimits(const QList<QSseEvent> &events) const
{
    QStringList topics = m_topics;
    for (const QSseEvent &event : events) {
        const QString topic = event.topic();
        const bool isKnown = topics.contains(topic);
        const bool isGoodName = QSseTopicFilter::topicError(topic).isEmpty()
            && topic.toUtf8().size() <= m_server.maximumTopicSize();
        if (!event.isValid() || event.size() > m_server.maximumEventSize()
            || (!isKnown && (m_server.isStrict() || !isGoodName)))
            return false;
        if (!isKnown)
            topics.append(topic);
        if (!isKnown && topics.size() > m_server.maximumTopics())
            return false;
    }
    return true;
}

void Publisher::checkRefused(const QList<QSseEvent> &events, const QSseServer::Refusal &refusal)
{
    check(isOneLine(refusal.text), "a refusal is one line");
    check(m_server.notify(events).isEmpty(), "what is refused gets no ids");
    check(m_error == refusal.error, "what is refused is what was foretold");
    m_error.reset();
}

void Publisher::checkTaken(const QList<QSseEvent> &events)
{
    const quint64 head = m_log->head();
    const QString before = QString::fromUtf8(lastId());
    const QStringList ids = m_server.notify(events);
    check(!m_error && ids.size() == events.size(), "what is not refused is taken");
    check(m_log->head() == head + quint64(events.size()), "all of it is taken");
    for (const QSseEvent &event : events)
        append(event);
    for (qsizetype i = 0; i < ids.size(); ++i)
        check(ids.at(i) == m_taken.at(m_taken.size() - ids.size() + i).id(),
              "an id is the event's own, or made for it");

    const QList<QSseEvent> batch = m_taken.mid(m_taken.size() - events.size());
    const bool areKept = kept(batch).size() == batch.size();
    auto since = m_server.eventsSince(before, m_all, std::numeric_limits<int>::max());
    check(since.has_value() == areKept, "what is no longer kept is told");
    if (since) {
        for (QSseEvent &event : *since)
            event.setOccurredAt({});
        check(since == batch, "just what was taken follows what was there");
    }
}

// Puts an event, as the server keeps it, into the list.
void Publisher::append(QSseEvent event)
{
    const QByteArray own = event.idUtf8();
    const bool isServers = own.contains('-') && own.left(own.indexOf('-')) == m_epoch;
    if (own.isEmpty() || isServers)
        event.setIdUtf8(m_epoch + '-' + QByteArray::number(m_taken.size() + 1));
    if (!m_topics.contains(event.topic()))
        m_topics.append(event.topic());
    m_topics.sort();
    m_taken.append(event);
}

// The latest of each topic.
QList<QSseEvent> Publisher::kept(const QList<QSseEvent> &events) const
{
    QList<QSseEvent> kept;
    QHash<QString, int> counts;
    for (qsizetype i = events.size() - 1; i >= 0; --i) {
        if (++counts[events.at(i).topic()] <= m_server.historySize())
            kept.prepend(events.at(i));
    }
    return kept;
}

void Publisher::checkKept() const
{
    auto all = m_server.eventsSince(QString(), m_all, std::numeric_limits<int>::max());
    check(all.has_value(), "from the first kept on there is always an answer");
    for (QSseEvent &event : *all) {
        check(event.occurredAt().isValid(), "an event has a time");
        event.setOccurredAt({});
    }
    check(*all == kept(m_taken), "just what was taken is kept, in order");
}

void Publisher::checkFrames() const
{
    QSseParser parser;
    QList<QSseEvent> expected;
    const auto page = m_log->read(m_all, 0, m_log->head(), std::numeric_limits<qsizetype>::max());
    for (const QSseLoggedEventPointer &logged : page.events) {
        parser.addData(logged->frame);
        if (logged->event.hasData())
            expected.append(logged->event);
    }
    QList<QSseEvent> read;
    for (Token token = parser.readNext(); token != Token::NoToken; token = parser.readNext()) {
        check(token != Token::Error, "what is sent can be read");
        if (token == Token::Event)
            read.append(parser.event());
    }
    check(read.size() == expected.size(), "each event is read back");
    for (qsizetype i = 0; i < read.size(); ++i) {
        const QSseEvent &event = expected.at(i);
        check(read.at(i).idUtf8() == event.idUtf8() && read.at(i).type() == event.type()
                  && read.at(i).dataUtf8() == linesOf(event.dataUtf8()).join('\n'),
              "an event is read back as it was");
    }
}

} // namespace

extern "C" int LLVMFuzzerInitialize(int *, char ***)
{
    QLoggingCategory::setFilterRules(u"qsse.*=false"_s); // refusals are what is looked for
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzedDataProvider input(data, size);
    Publisher publisher(&input);
    const std::string text = input.ConsumeRemainingBytesAsString();
    const QByteArrayList requests =
        QByteArray(text.data(), qsizetype(text.size())).split(RequestSeparator);
    for (QByteArray request : requests) {
        const QSsePublishBody parsed = readRequest(request.replace(LastId, publisher.lastId()));
        if (parsed.error.isEmpty())
            publisher.publish(parsed.events);
    }
    return 0;
}
