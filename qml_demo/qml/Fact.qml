// SPDX-License-Identifier: MIT
import QtQuick
import QtQuick.Layouts
import QSseTicker

// What something is called, and what it is now.
RowLayout {
    property alias label: label.text
    property alias value: value.text
    property alias valueColor: value.color

    spacing: 12
    Layout.fillWidth: true
    Accessible.role: Accessible.StaticText
    Accessible.name: label.text + " " + value.text

    Text {
        id: label

        color: Theme.muted
        font.pixelSize: Theme.normal
    }
    Text {
        id: value

        color: Theme.text
        font.pixelSize: Theme.normal
        horizontalAlignment: Text.AlignRight
        elide: Text.ElideLeft
        Layout.fillWidth: true
    }
}
