// SPDX-License-Identifier: MIT
#ifndef MEASUREMENT_H
#define MEASUREMENT_H

#include "cells.h"
#include "metrics.h"

#include <chrono>

/*! Starts \a contender, loads it as \a cell says for \a window, and checks what was delivered. */
Run measure(const Cell &cell, const QString &contender, std::chrono::nanoseconds window);

#endif // MEASUREMENT_H
