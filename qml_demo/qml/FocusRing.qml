// SPDX-License-Identifier: MIT
import QtQuick
import QSseTicker

// Shows which control the keyboard acts on.
Rectangle {
    anchors.fill: parent
    anchors.margins: -3
    radius: Theme.radius
    color: "transparent"
    border.color: Theme.accent
    border.width: 2
}
