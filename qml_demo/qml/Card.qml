// SPDX-License-Identifier: MIT
import QtQuick
import QtQuick.Layouts
import QSseTicker

// A titled surface with things below each other.
Rectangle {
    id: card

    property string title
    property alias status: statusDot
    default property alias content: column.data

    implicitWidth: column.implicitWidth + 2 * Theme.margin
    implicitHeight: column.implicitHeight + 2 * Theme.margin
    color: Theme.surface
    radius: Theme.radius
    border.color: Theme.line
    Accessible.role: Accessible.Grouping
    Accessible.name: title

    ColumnLayout {
        id: column

        anchors.fill: parent
        anchors.margins: Theme.margin
        spacing: 10

        RowLayout {
            spacing: 8

            Text {
                text: card.title
                color: Theme.text
                font.pixelSize: Theme.normal
                font.weight: Font.DemiBold
                Layout.fillWidth: true
            }
            StatusDot {
                id: statusDot
            }
        }
    }
}
