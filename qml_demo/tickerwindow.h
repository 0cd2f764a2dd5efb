// SPDX-License-Identifier: MIT
#ifndef TICKERWINDOW_H
#define TICKERWINDOW_H

#include <QtQml/QQmlApplicationEngine>

struct Options;
class QQuickWindow;
class RateReplay;
class TickerServer;

/*! The window, and the QML engine it lives in. */
class TickerWindow
{
public:
    /*! \a server and \a replay are null when another instance serves. */
    TickerWindow(const Options &options, const QUrl &streamUrl, TickerServer *server,
                 RateReplay *replay);

    /*! Whether the window could be made. */
    bool isValid() const { return window() != nullptr; }
    /*! Saves a picture in \a file when there is something to see, and quits. */
    void saveScreenshot(const QString &file);

private:
    QQuickWindow *window() const;

    QQmlApplicationEngine m_engine;
};

#endif // TICKERWINDOW_H
