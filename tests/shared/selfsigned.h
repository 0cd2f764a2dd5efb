// SPDX-License-Identifier: MIT
#ifndef SELFSIGNED_H
#define SELFSIGNED_H

#include <QtCore/QFile>
#include <QtCore/QProcess>
#include <QtCore/QTemporaryDir>
#include <QtNetwork/QSslCertificate>
#include <QtNetwork/QSslConfiguration>
#include <QtNetwork/QSslKey>
#include <QtNetwork/QSslSocket>

/*! A certificate that nobody signed, made anew by the openssl program. */
class SelfSigned
{
public:
    explicit SelfSigned(const QByteArray &subjectAltName = "IP:127.0.0.1")
    {
        if (!m_directory.isValid() || !QSslSocket::supportsSsl())
            return;
        QStringList arguments =
            QStringLiteral("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
                           "-days 2 -subj /CN=qsse -addext")
                .split(QLatin1Char(' '));
        arguments << QStringLiteral("subjectAltName=") + QString::fromLatin1(subjectAltName)
                  << QStringLiteral("-keyout") << keyFile() << QStringLiteral("-out")
                  << certificateFile();
        QProcess process;
        process.start(QStringLiteral("openssl"), arguments);
        m_isValid = process.waitForFinished() && process.exitCode() == 0;
    }

    /*! False when there is no openssl, or no TLS in Qt. */
    bool isValid() const { return m_isValid; }
    QString keyFile() const { return m_directory.filePath(QStringLiteral("key.pem")); }
    QString certificateFile() const { return m_directory.filePath(QStringLiteral("cert.pem")); }

    /*! For a server that has it; null unless valid. */
    QSslConfiguration server() const
    {
        QFile file(keyFile());
        if (!m_isValid || !file.open(QIODevice::ReadOnly))
            return {};
        QSslConfiguration tls = QSslConfiguration::defaultConfiguration();
        tls.setPrivateKey(QSslKey(&file, QSsl::Ec));
        tls.setLocalCertificateChain(QSslCertificate::fromPath(certificateFile()));
        return tls;
    }
    /*! For a client that trusts it. */
    QSslConfiguration client() const
    {
        QSslConfiguration tls = QSslConfiguration::defaultConfiguration();
        tls.addCaCertificates(certificateFile());
        return tls;
    }

private:
    QTemporaryDir m_directory;
    bool m_isValid = false;
};

#endif // SELFSIGNED_H
