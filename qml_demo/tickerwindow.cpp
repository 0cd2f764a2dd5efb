// SPDX-License-Identifier: MIT
#include "tickerwindow.h"

#include "graphics.h"
#include "options.h"
#include "ratereplay.h"
#include "tickerserver.h"

#include <QtCore/QCoreApplication>
#include <QtCore/QTimer>
#include <QtQuick/QQuickWindow>

#include <chrono>

using namespace std::chrono_literals;

// The QML module QSse comes with its library. A linker may leave out a library that nothing refers
// to, and from C++ nothing else does.
void qml_register_types_QSse();

TickerWindow::TickerWindow(const Options &options, const QUrl &streamUrl, TickerServer *server,
                           RateReplay *replay)
{
    [[maybe_unused]] void (*volatile keepModule)() = &qml_register_types_QSse;
    chooseGraphics();
    m_engine.addImportPath(QStringLiteral(":/qt/qml"));
    m_engine.setInitialProperties({
        { QStringLiteral("streamUrl"), streamUrl },
        { QStringLiteral("server"), QVariant::fromValue(server) },
        { QStringLiteral("replay"), QVariant::fromValue(replay) },
        { QStringLiteral("theme"), options.theme },
    });
    m_engine.load(QUrl(QStringLiteral("qrc:/qt/qml/QSseTicker/Main.qml")));
}

QQuickWindow *TickerWindow::window() const
{
    return qobject_cast<QQuickWindow *>(m_engine.rootObjects().value(0));
}

void TickerWindow::saveScreenshot(const QString &file)
{
    QTimer::singleShot(6s, window(), [this, file] {
        const bool saved = window()->grabWindow().save(file);
        if (!saved)
            qWarning("Cannot write %ls", qUtf16Printable(file));
        QCoreApplication::exit(saved ? EXIT_SUCCESS : EXIT_FAILURE);
    });
}
