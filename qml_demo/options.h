// SPDX-License-Identifier: MIT
#ifndef OPTIONS_H
#define OPTIONS_H

#include <QtCore/QCommandLineParser>
#include <QtCore/QUrl>
#include <QtNetwork/QHostAddress>

/*! What the command line asks for. */
struct Options
{
    QHostAddress address;
    quint16 port = 0;
    bool portGiven = false;
    QUrl streamUrl; // of another instance, empty to serve one's own
    double speed = 1;
    QString theme;
    QString screenshot;
};

/*! The command line, read in two steps: the first tells which kind of application to make. */
class CommandLine
{
public:
    CommandLine();

    /*! Whether there is to be no window; before there is an application. Says so when it is for
        want of a display. */
    bool isHeadless(const QStringList &arguments);
    /*! The rest. Ends the program for --help, --version and mistakes. */
    Options process(const QStringList &arguments);

private:
    [[noreturn]] void fail(const QString &text) const;

    QCommandLineParser m_parser;
    bool m_headless = false;
};

#endif // OPTIONS_H
