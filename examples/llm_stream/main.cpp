// SPDX-License-Identifier: MIT
// Asks a language model and prints its answer as it is made, from any endpoint of the OpenAI kind:
// OPENAI_API_KEY=… llm_stream --url https://… --model … Why is the sky blue?
#include <QSseEventSource>

#include <QtCore/QCommandLineParser>
#include <QtCore/QCoreApplication>
#include <QtCore/QFile>
#include <QtCore/QJsonArray>
#include <QtCore/QJsonDocument>
#include <QtCore/QJsonObject>
#include <QtCore/QLoggingCategory>
#include <QtCore/QTextStream>

using namespace Qt::StringLiterals;

static QString tr(const char *text)
{
    return QCoreApplication::translate("main", text);
}

int main(int argc, char *argv[])
{
    QCoreApplication app(argc, argv);
    QLoggingCategory::setFilterRules(u"qsse.client.warning=false"_s); // we say it ourselves

    QCommandLineParser parser;
    parser.setApplicationDescription(tr("Asks a language model and prints its answer as it comes. "
                                        "The key, if it takes one, is read from the environment "
                                        "variable OPENAI_API_KEY."));
    const QCommandLineOption url(u"url"_s, tr("The endpoint."), u"url"_s,
                                 u"http://localhost:8080/v1/chat/completions"_s);
    const QCommandLineOption model(u"model"_s, tr("The model."), u"name"_s, u"default"_s);
    const QCommandLineOption keyOption(
        u"key"_s, tr("The key; in the environment it cannot be seen by others on this machine."),
        u"key"_s, qEnvironmentVariable("OPENAI_API_KEY"));
    parser.addOptions({ url, model, keyOption });
    parser.addHelpOption();
    parser.addPositionalArgument(u"prompt"_s, tr("What to ask; else the standard input is read."),
                                 u"[prompt...]"_s);
    parser.process(app);

    QString prompt = parser.positionalArguments().join(u' ');
    QFile input;
    if (prompt.isEmpty() && input.open(stdin, QIODevice::ReadOnly))
        prompt = QString::fromUtf8(input.readAll());
    const QJsonObject message { { u"role"_s, u"user"_s }, { u"content"_s, prompt } };
    const QJsonObject question { { u"model"_s, parser.value(model) },
                                 { u"stream"_s, true },
                                 { u"messages"_s, QJsonArray { message } } };
    QNetworkRequest request(QUrl(parser.value(url)));
    request.setHeader(QNetworkRequest::ContentTypeHeader, u"application/json"_s);
    const QByteArray key = parser.value(keyOption).trimmed().toUtf8();
    if (!key.isEmpty())
        request.setRawHeader("Authorization", "Bearer " + key);

    QSseEventSource source(request);
    source.setMethod("POST");
    source.setBody(QJsonDocument(question).toJson(QJsonDocument::Compact));
    // To ask again would cost again, and bring another answer from its beginning.
    source.setReconnectHandler([](QSseEventSource::Error) { return false; });

    QTextStream out(stdout);
    QTextStream err(stderr);
    bool isInLine = false;
    const auto fail = [&](const QString &text) {
        if (isInLine)
            out << Qt::endl;
        err << text.simplified() << Qt::endl;
        source.close();
        QCoreApplication::exit(1);
    };
    const auto print = [&](const QSseEvent &event) {
        const QJsonValue chunk = event.json();
        const QJsonValue error = chunk[u"error"];
        if (event.data() == u"[DONE]") {
            out << Qt::endl;
            source.close();
            QCoreApplication::quit();
        } else if (error.isObject() || error.isString()) {
            fail(tr("The server reports: ") + error.toString(error[u"message"].toString()));
        } else if (chunk.isObject()) {
            isInLine = true;
            out << chunk[u"choices"][0][u"delta"][u"content"].toString() << Qt::flush;
        } else {
            fail(tr("The server sent something else than JSON"));
        }
    };
    QObject::connect(&source, &QSseEventSource::eventReceived, &app, print);
    QObject::connect(&source, &QSseEventSource::errorOccurred, &app,
                     [&](QSseEventSource::Error, const QString &text) { fail(text); });

    source.open();
    if (source.readyState() == QSseEventSource::ReadyState::Closed)
        return 1; // the URL is no good; said above, before there was a loop to leave
    return app.exec();
}
