// SPDX-License-Identifier: MIT
import QtQuick
import QSseTicker

// A figure in the table.
Text {
    color: Theme.text
    font.pixelSize: Theme.normal
    horizontalAlignment: Text.AlignRight
    verticalAlignment: Text.AlignVCenter
}
