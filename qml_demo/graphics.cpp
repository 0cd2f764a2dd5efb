// SPDX-License-Identifier: MIT
#include "graphics.h"

#include <QtGui/QOffscreenSurface>
#include <QtGui/QOpenGLContext>
#include <QtGui/QOpenGLFunctions>
#include <QtQuick/QQuickWindow>

namespace {

bool hasGpu()
{
    QOffscreenSurface surface;
    surface.create();
    QOpenGLContext context;
    if (!context.create() || !context.makeCurrent(&surface))
        return false;
    const QByteArray renderer(
        reinterpret_cast<const char *>(context.functions()->glGetString(GL_RENDERER)));
    return !renderer.contains("llvmpipe") && !renderer.contains("softpipe")
        && !renderer.contains("SwiftShader");
}

} // namespace

void chooseGraphics()
{
    // Elsewhere Qt Quick does not use OpenGL.
#if defined(Q_OS_UNIX) && !defined(Q_OS_DARWIN)
    if (qEnvironmentVariableIsEmpty("QT_QUICK_BACKEND")
        && qEnvironmentVariableIsEmpty("QSG_RHI_BACKEND") && !hasGpu())
        QQuickWindow::setGraphicsApi(QSGRendererInterface::Software);
#endif
}
