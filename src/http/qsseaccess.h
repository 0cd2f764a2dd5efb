// SPDX-License-Identifier: MIT
#ifndef QSSEACCESS_H
#define QSSEACCESS_H

#include "qsse_httpserver_export.h"
#include "qssetopicfilter.h"

#include <QtCore/QDateTime>
#include <QtCore/QList>
#include <QtCore/QString>
#include <QtCore/QVariantMap>

#include <functional>
#include <optional>

class QHttpServerRequest;

/*! What a QSseAuthorizer decides about; valid only while it is asked. */
struct QSseAccessRequest
{
    enum class Action {
        Subscribe, //!< GET or HEAD of an event stream
        Publish,   //!< POST to a publish endpoint
    };

    Action action;
    const QHttpServerRequest &request;
    /*! The filters wanted, or the names of the topics to be published under, each once; all are
        valid. */
    QList<QSseTopicFilter> topics;
    /*! What the client brought to show who it is, not checked in any way; empty for nothing. */
    QString token;
};

/*!
    What a QSseAuthorizer decides: a value, made by one of the static functions. One that was not
    made so, or has an invalid filter, is the authorizer's mistake, and the request is answered with
    500.
*/
struct QSSE_HTTPSERVER_EXPORT QSseAccess
{
    enum class Decision {
        None,         //!< not decided; the request is answered with 500
        Allowed,      //!< as the other members say
        Unauthorized, //!< 401: nobody can tell who the client is
        Forbidden,    //!< 403: the client is known, and may not
    };

    /*! Lets the client do what it asked for. \a claims are what is known of it, for
        QSseSubscriber::claims(). */
    static QSseAccess allow(const QVariantMap &claims = {});
    /*! The same for \a topics alone: a stream gets these in place of those it asked for; a request
        to publish under a topic that they do not cover is answered with 403. None at all is 403
        too. */
    static QSseAccess allowOnly(const QList<QSseTopicFilter> &topics,
                                const QVariantMap &claims = {});
    /*! Sends the client away with 401 and \a text, one line for people. */
    static QSseAccess unauthorized(const QString &text);
    /*! Sends the client away with 403 and \a text, one line for people. */
    static QSseAccess forbidden(const QString &text);

    Decision decision = Decision::None;
    QString text = {};
    std::optional<QList<QSseTopicFilter>> topics = {};
    QVariantMap claims = {};
    QList<QSseTopicFilter> grants = {}; //!< see QSseSubscription::grants
    /*! When the access ends, and the stream with it, see QSseSubscription::expiresAt. A time that
        has passed is answered with 401. */
    QDateTime expiresAt = {};
};

/*!
    Decides who may subscribe and publish. Called in the thread of the QSseHttpServer for every
    event stream and every request to publish, before the client is told anything about topics.
    It must answer at once, without an event loop of its own; one that throws has the request
    answered with 500.
*/
using QSseAuthorizer = std::function<QSseAccess(const QSseAccessRequest &request)>;

#endif // QSSEACCESS_H
