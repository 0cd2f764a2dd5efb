// SPDX-License-Identifier: MIT
#ifndef NODEPARSER_H
#define NODEPARSER_H

#include "streams.h"

#include <QtCore/QProcess>
#include <QtCore/QTemporaryFile>

#include <chrono>

/*! The npm package eventsource-parser at work in one process of Node, see eventsourceparser.js. */
class NodeParser
{
public:
    /*! Whether Node and the package are installed. */
    static bool isInstalled();

    /*! Starts it with \a stream, which it is to read again and again. */
    explicit NodeParser(const Stream &stream);
    ~NodeParser();
    Q_DISABLE_COPY_MOVE(NodeParser)

    /*! Has it read the stream once, in the way called \a mode; answers the processor time its main
        thread took, and what it found. Ends the program when it does not answer. */
    std::chrono::nanoseconds read(const QByteArray &mode, Found *found);

private:
    QTemporaryFile m_file;
    QProcess m_node;
};

#endif // NODEPARSER_H
