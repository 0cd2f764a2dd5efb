// SPDX-License-Identifier: MIT
#ifndef OPTIONS_H
#define OPTIONS_H

#include "loadgenerator.h"

#include <QSseHttpServer>
#include <QSseServer>

#include <QtCore/QStringList>
#include <QtNetwork/QHostAddress>

#include <functional>
#include <optional>
#include <vector>

/*!
    What the command line and the environment ask for. Each flag `--some-flag VALUE` may also be
   given as the environment variable `QSSE_SOME_FLAG=VALUE`; flags that take a list separate it by
   commas there. The command line wins.
*/
struct Options
{
    using Setting = std::function<void(QSseServer &, QSseHttpServer &)>;

    QHostAddress address = QHostAddress(QHostAddress::LocalHost);
    quint16 port = 8080;
    std::vector<Setting> settings; //!< to be applied in this order
    QString storeFile;             //!< empty for a log in memory
    QString certificateFile;       //!< PEM, with the chain; TLS when it is set
    QString keyFile;               //!< PEM
    QString jwtAlgorithm = QStringLiteral("HS256");
    QString jwtKeyFile; //!< empty for no tokens
    QString jwtAudience;
    bool anonymousSubscribe = false;
    std::optional<LoadGenerator::Options> load;

    /*! Reads \a arguments and the environment; nothing, with one line in \a error, when something
       is wrong with them. Ends the program after --help and --version. */
    static std::optional<Options> parse(const QStringList &arguments, QString *error);
};

#endif // OPTIONS_H
