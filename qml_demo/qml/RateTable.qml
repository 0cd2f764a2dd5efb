// SPDX-License-Identifier: MIT
import QtQuick
import QtQuick.Layouts
import QSseTicker

// All pairs. Columns go one by one when it gets narrow.
Rectangle {
    id: table

    required property RateModel model

    readonly property RateColumns columns: RateColumns {
        width: table.width
    }
    readonly property int rowHeight: Math.max(columns.minimumRowHeight, Math.floor(
        (height - captions.height - 2 * padding) / Math.max(1, rows.count)))
    readonly property int padding: 8

    implicitHeight: captions.height + columns.minimumRowHeight * rows.count + 2 * padding
    color: Theme.surface
    radius: Theme.radius
    border.color: Theme.line
    Accessible.role: Accessible.Table
    Accessible.name: qsTr("Exchange rates")

    component Caption: RateCell {
        color: Theme.muted
        font.pixelSize: Theme.small
    }

    Column {
        anchors.fill: parent
        anchors.margins: table.padding
        anchors.leftMargin: Theme.margin
        anchors.rightMargin: Theme.margin

        RowLayout {
            id: captions

            width: parent.width
            height: 32
            spacing: table.columns.spacing

            Caption {
                text: qsTr("Pair")
                horizontalAlignment: Text.AlignLeft
                Layout.preferredWidth: table.columns.pair
            }
            Caption {
                text: table.columns.showNames ? qsTr("Last 60 days") : qsTr("60 days")
                horizontalAlignment: Text.AlignLeft
                Layout.fillWidth: true
            }
            Caption {
                text: qsTr("Rate")
                rightPadding: 8
                Layout.preferredWidth: table.columns.rate
            }
            Caption {
                text: qsTr("Change")
                visible: table.columns.showChange
                Layout.preferredWidth: table.columns.change
            }
            Caption {
                text: "%"
                Layout.preferredWidth: table.columns.percent
            }
        }
        Repeater {
            id: rows

            model: table.model
            delegate: RateRow {
                columns: table.columns
                width: parent.width
                height: table.rowHeight
            }
        }
    }
    Text {
        anchors.centerIn: parent
        text: qsTr("Waiting for the first rates…")
        color: Theme.muted
        font.pixelSize: Theme.normal
        visible: rows.count === 0
    }
}
