// SPDX-License-Identifier: MIT
// What a request for a stream says is read as its documentation has it, whatever it says, and no
// text that goes back to a client has a token in it.
#include "fuzzing.h"

#include "qsseaccesstoken_p.h"
#include "qssesubscriberequest_p.h"

#include <QSseServer>

#include <QtCore/QHash>
#include <QtCore/QLoggingCategory>
#include <QtCore/QSet>
#include <QtCore/QUrl>
#include <QtCore/QUrlQuery>

#include <algorithm>
#include <optional>

using namespace Qt::StringLiterals;

namespace {

const QByteArray CookieName("token");

// The input: a line with the query, and the lines of the head after it.
struct Request
{
    explicit Request(const QByteArray &text)
    {
        lines = text.split('\n');
        query = lines.takeFirst();
    }

    // The values of the fields called name, which is in lower case.
    QByteArrayList fields(const QByteArray &name) const
    {
        QByteArrayList values;
        for (const QByteArray &line : lines) {
            const qsizetype colon = line.indexOf(':');
            if (colon >= 0 && line.left(colon).toLower() == name)
                values.append(line.mid(colon + 1).trimmed());
        }
        return values;
    }

    QByteArray query;
    QByteArrayList lines;
};

bool matches(const char *pattern, const QByteArray &text)
{
    return !captured(pattern, text).isEmpty();
}

// The values of a parameter, or nothing where how to read the query is left open.
std::optional<QStringList> parameters(const QByteArray &query, const QByteArray &name)
{
    if (!matches("(?i)([!$&-;=?-Z_a-z~]|%[0-9a-f]{2})*", query))
        return std::nullopt;
    QStringList values;
    for (const QByteArray &pair : query.split('&')) {
        const qsizetype equals = pair.indexOf('=');
        const QByteArray value =
            QByteArray::fromPercentEncoding(equals < 0 ? QByteArray() : pair.mid(equals + 1));
        if (!value.isValidUtf8())
            return std::nullopt;
        if (QByteArray::fromPercentEncoding(pair.split('=').first()) == name)
            values.append(QString::fromUtf8(value));
    }
    return values;
}

void checkFilters(const QList<QSseTopicFilter> &filters, const std::optional<QStringList> &expected)
{
    QStringList patterns;
    for (const QSseTopicFilter &filter : filters) {
        patterns.append(filter.pattern());
        check(!filter.isExpression(), "no client brings an expression");
    }
    check(!expected || patterns == *expected, "the filters are those in the query");
}

void checkRefusal(const QList<QSseTopicFilter> &filters, const QString &lastEventId)
{
    static const QSseServer server;
    const auto refusal = server.refusal(QSseSubscription { filters, lastEventId });
    const bool areGood = !filters.isEmpty() && filters.size() <= server.maximumFilters()
        && std::all_of(filters.begin(), filters.end(),
                       [](const QSseTopicFilter &filter) { return filter.isValid(); });
    check(refusal.has_value() != areGood, "valid filters are taken, and no others");
    check(!refusal || (!refusal->text.contains(u'\n') && !refusal->text.contains(u'\r')),
          "a refusal is one line");
    check(!server.eventsSince(lastEventId, filters).has_value() || lastEventId.isEmpty(),
          "an id that nobody made is not known");
}

void checkLastEventId(const QString &id, const Request &request)
{
    const QByteArray header = request.fields("last-event-id").value(0);
    if (!header.isEmpty()) {
        check(id == QString::fromUtf8(header), "the header says where to resume");
        return;
    }
    // The first of each name counts.
    const std::optional<QStringList> first = parameters(request.query, "lastEventId");
    const std::optional<QStringList> second = parameters(request.query, "last_event_id");
    if (first && second) {
        const QString expected = first->value(0).isEmpty() ? second->value(0) : first->value(0);
        check(id == expected, "else the query says where to resume");
    }
}

// RFC 9110 §12.5.1, or nothing where that leaves it open, or we look less closely.
std::optional<bool> isAcceptable(const QByteArray &accept)
{
    if (accept.trimmed().isEmpty())
        return true;
    QHash<QByteArray, bool> isWanted;
    for (const QByteArray &item : accept.split(',')) {
        const char *range = "(?i)[ \t]*[-+.*a-z0-9]+/[-+.*a-z0-9]+[ \t]*"
                            "(;[ \t]*q=(0(\\.[0-9]{0,3})?|1(\\.0{0,3})?)[ \t]*)?";
        if (!matches(range, item))
            return std::nullopt;
        const QByteArray name = item.split(';').first().trimmed().toLower();
        if (isWanted.contains(name))
            return std::nullopt;
        isWanted.insert(name, !matches("(?is).*;[ \t]*q=0(\\.0*)?[ \t]*", item));
    }
    for (const char *name : { "text/event-stream", "text/*", "*/*" }) {
        if (isWanted.contains(name))
            return isWanted.value(name);
    }
    return false;
}

// The tokens that a request brings, or nothing when there is one that cannot be read.
std::optional<QStringList> authorizations(const Request &request)
{
    QStringList tokens;
    for (const QByteArray &field : request.fields("authorization")) {
        if (!matches("(?is)bearer( .*)?", field))
            continue;
        const QByteArray token = field.mid(6).trimmed();
        if (!matches("[!-+\\--~]*", token))
            return std::nullopt;
        tokens.append(QString::fromLatin1(token));
    }
    return tokens;
}

QStringList cookies(const Request &request)
{
    QStringList values;
    for (const QByteArray &pair : request.fields("cookie").join(';').split(';')) {
        if (!matches("(?s)[ \t\n\v\f\r]*token[ \t\n\v\f\r]*=.*", pair))
            continue;
        QByteArray value = pair.mid(pair.indexOf('=') + 1).trimmed();
        if (matches("(?s)\".*\"", value))
            value = value.mid(1).chopped(1);
        values.append(QString::fromUtf8(value));
    }
    return values;
}

void removeEmptyAndDouble(QStringList *tokens)
{
    tokens->removeAll(QString());
    tokens->removeDuplicates();
}

void checkErrorText(const QString &text)
{
    static QSet<QString> texts;
    texts.insert(text);
    check(texts.size() <= 2, "what is wrong with a token is said without it");
}

void checkToken(const QSseAccessToken &token, const Request &request)
{
    if (!token.error.isEmpty()) {
        checkErrorText(token.error);
        check(token.value.isEmpty(), "there is an error, or a token");
    }
    const std::optional<QStringList> bearers = authorizations(request);
    const std::optional<QStringList> queries = parameters(request.query, "access_token");
    if (!bearers)
        check(!token.error.isEmpty(), "what is no token is refused");
    if (!bearers || !queries)
        return;
    QStringList others = *bearers + *queries;
    removeEmptyAndDouble(&others);
    QStringList all = others + cookies(request);
    removeEmptyAndDouble(&all);
    check(token.error.isEmpty() == (all.size() <= 1), "more than one token is refused");
    check(token.value == (all.size() == 1 ? all.first() : QString()), "the token is the one there");
    QStringList inQuery = *queries;
    removeEmptyAndDouble(&inQuery);
    check(token.isInQuery == !inQuery.isEmpty(), "a token in the query is known as such");
    check(token.isCookieOnly == (all.size() == 1 && others.isEmpty()),
          "a token in nothing but a cookie is known as such");
}

} // namespace

extern "C" int LLVMFuzzerInitialize(int *, char ***)
{
    QLoggingCategory::setFilterRules(u"qsse.*=false"_s);
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const Request request(QByteArray(reinterpret_cast<const char *>(data), qsizetype(size)));
    QUrl url(u"http://localhost/events"_s);
    url.setQuery(QString::fromUtf8(request.query));
    const QUrlQuery query(url.query());

    const QList<QSseTopicFilter> filters = QSseSubscribeRequest::topics(query);
    const QString lastEventId =
        QSseSubscribeRequest::lastEventId(request.fields("last-event-id").value(0), query);
    checkFilters(filters, parameters(request.query, "topic"));
    checkLastEventId(lastEventId, request);
    checkRefusal(filters, lastEventId);

    const QByteArray accept = request.fields("accept").join(',');
    const bool isAccepted = QSseSubscribeRequest::acceptsEventStream(accept);
    check(isAccepted == isAcceptable(accept).value_or(isAccepted), "Accept decides as specified");

    checkToken(QSseAccessToken::read(request.fields("authorization"), request.fields("cookie"),
                                     CookieName, query),
               request);
    return 0;
}
