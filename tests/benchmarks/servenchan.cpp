// SPDX-License-Identifier: MIT
// nginx with the module Nchan, Debian's libnginx-mod-nchan. It has no way to publish but over HTTP,
// so this process posts the events and what is measured is nginx alone.
#include "control.h"

#include <QtCore/QCoreApplication>
#include <QtCore/QFile>
#include <QtCore/QProcess>
#include <QtCore/QStandardPaths>
#include <QtCore/QTemporaryDir>
#include <QtNetwork/QTcpServer>
#include <QtNetwork/QTcpSocket>

#include <csignal>
#include <sys/prctl.h>

namespace {

const char Module[] = "/usr/lib/nginx/modules/ngx_nchan_module.so";
const char Configuration[] = R"(
load_module %1;
daemon off;
master_process off;
pid nginx.pid;
error_log stderr error;
worker_rlimit_nofile 20000;
events { worker_connections 20000; }
http {
    access_log off;
    keepalive_requests 1000000000;
    server {
        listen 127.0.0.1:%2 backlog=4096;
        location = /events {
            nchan_subscriber eventsource;
            nchan_channel_id $arg_topic;
            nchan_subscriber_first_message newest;
            nchan_eventsource_ping_interval 15;
        }
        location = /publish {
            nchan_publisher;
            nchan_channel_id $arg_topic;
            nchan_message_buffer_length 1000;
        }
    }
}
)";

QString nginx()
{
    return QStandardPaths::findExecutable(
        QStringLiteral("nginx"),
        { QStringLiteral("/usr/sbin"), QStringLiteral("/usr/local/sbin") });
}

// One that nobody listens on.
quint16 freePort()
{
    QTcpServer server;
    server.listen(QHostAddress::LocalHost);
    return server.serverPort();
}

bool writeConfiguration(const QString &directory, quint16 port)
{
    QFile file(directory + QLatin1String("/nginx.conf"));
    const QString text =
        QString::fromLatin1(Configuration).arg(QLatin1String(Module), QString::number(port));
    return file.open(QIODevice::WriteOnly) && file.write(text.toUtf8()) > 0;
}

bool connectTo(QTcpSocket &socket, quint16 port)
{
    constexpr int Attempts = 100;
    for (int attempt = 0; attempt < Attempts; ++attempt) {
        socket.connectToHost(QHostAddress(QHostAddress::LocalHost), port);
        if (socket.waitForConnected())
            return true;
        ::usleep(20'000);
    }
    return false;
}

} // namespace

bool isNchanInstalled()
{
    return QFile::exists(QLatin1String(Module)) && !nginx().isEmpty();
}

int serveNchan(const Load &load)
{
    const QTemporaryDir directory;
    const quint16 port = freePort();
    if (!writeConfiguration(directory.path(), port))
        return 1;
    QProcess process;
    process.setProcessChannelMode(QProcess::ForwardedErrorChannel);
    process.setChildProcessModifier([] { ::prctl(PR_SET_PDEATHSIG, SIGKILL); });
    process.start(nginx(),
                  { QStringLiteral("-e"), QStringLiteral("stderr"), QStringLiteral("-p"),
                    directory.path(), QStringLiteral("-c"), QStringLiteral("nginx.conf") });

    QTcpSocket socket;
    if (!connectTo(socket, port))
        return 1;
    socket.setSocketOption(QAbstractSocket::LowDelayOption, 1);
    QObject::connect(&socket, &QTcpSocket::readyRead, &socket, [&] { socket.readAll(); });
    ControlledPublisher publisher(load, [&](int topic, qint64, const QByteArray &data) {
        socket.write("POST /publish?topic=t/" + QByteArray::number(topic)
                     + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
                     + QByteArray::number(data.size()) + "\r\n\r\n" + data);
    });
    Control::sayListening(port, process.processId());
    const int result = QCoreApplication::exec();
    process.kill();
    process.waitForFinished();
    return result;
}
