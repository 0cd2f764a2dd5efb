// SPDX-License-Identifier: MIT
import QtQuick
import QSseTicker

// A state in a word and a colour.
Row {
    id: status

    property string text
    property color color: Theme.muted

    spacing: 6
    Accessible.role: Accessible.StaticText
    Accessible.name: text

    Rectangle {
        width: 8
        height: 8
        radius: 4
        color: status.color
        anchors.verticalCenter: parent.verticalCenter
    }
    Text {
        text: status.text
        color: status.color
        font.pixelSize: Theme.small
    }
}
