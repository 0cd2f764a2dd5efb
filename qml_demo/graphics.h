// SPDX-License-Identifier: MIT
#ifndef GRAPHICS_H
#define GRAPHICS_H

/*! Has Qt Quick paint with the CPU where OpenGL would be done by the CPU as well, as on virtual
    machines and remote displays: that takes a sixth of the time. Call before the first window;
    environment variables of Qt Quick that choose go first. */
void chooseGraphics();

#endif // GRAPHICS_H
