// SPDX-License-Identifier: MIT
// Prints the events of a stream: consume http://localhost:8080/events?topic=fx/eur/usd
#include <QSseEventSource>

#include <QtCore/QCommandLineParser>
#include <QtCore/QCoreApplication>
#include <QtCore/QTextStream>

int main(int argc, char *argv[])
{
    QCoreApplication app(argc, argv);

    QCommandLineParser parser;
    parser.setApplicationDescription(
        QCoreApplication::translate("main", "Prints the events of a stream: type, id, data."));
    const QCommandLineOption lastEventId(
        QStringLiteral("last-event-id"),
        QCoreApplication::translate("main", "Begin after the event with this id."),
        QStringLiteral("id"));
    parser.addOption(lastEventId);
    parser.addHelpOption();
    parser.addPositionalArgument(QStringLiteral("url"),
                                 QCoreApplication::translate("main", "The URL of the stream."));
    parser.process(app);
    if (parser.positionalArguments().size() != 1)
        parser.showHelp(2);

    QTextStream out(stdout);
    QTextStream err(stderr);
    QSseEventSource source(QUrl(parser.positionalArguments().constFirst()));
    source.setLastEventId(parser.value(lastEventId));

    QObject::connect(&source, &QSseEventSource::eventReceived, &app, [&](const QSseEvent &event) {
        out << event.type() << '\t' << event.id() << '\t' << event.data() << Qt::endl;
    });
    // The source reconnects by itself, unless the server told it that there is nothing to come for.
    QObject::connect(&source, &QSseEventSource::errorOccurred, &app,
                     [&](QSseEventSource::Error, const QString &text) {
                         err << text << Qt::endl;
                         if (source.readyState() == QSseEventSource::ReadyState::Closed)
                             QCoreApplication::exit(1);
                     });

    source.open();
    if (source.readyState() == QSseEventSource::ReadyState::Closed)
        return 1; // the URL is no good; said above, before there was a loop to leave
    return app.exec();
}
