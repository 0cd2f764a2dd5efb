// SPDX-License-Identifier: MIT
import QtQuick
import QtQuick.Layouts
import QSseTicker

// One currency pair.
Item {
    id: row

    required property RateColumns columns
    required property int index
    required property string code
    required property string name
    required property string rate
    required property string change
    required property string percent
    required property int direction
    required property int seq
    required property list<real> history

    readonly property color directionColor: Theme.ofDirection(direction)

    onSeqChanged: {
        if (direction !== 0)
            flash.restart()
    }

    Accessible.role: Accessible.Row
    Accessible.name: qsTr("EUR/%1 %2, %3").arg(code).arg(rate).arg(percent)

    Rectangle {
        width: parent.width
        height: 1
        color: Theme.line
        visible: row.index > 0
    }

    RowLayout {
        anchors.fill: parent
        spacing: row.columns.spacing

        ColumnLayout {
            spacing: 1
            Layout.preferredWidth: row.columns.pair
            Layout.maximumWidth: row.columns.pair

            Text {
                text: "EUR/" + row.code
                color: Theme.text
                font.pixelSize: Theme.normal
                font.weight: Font.DemiBold
            }
            Text {
                text: row.name
                color: Theme.muted
                font.pixelSize: Theme.small
                visible: row.columns.showNames
            }
        }
        Sparkline {
            values: row.history
            color: Theme.accent
            Layout.fillWidth: true
            Layout.fillHeight: true
            Layout.topMargin: 8
            Layout.bottomMargin: 8
        }
        RateCell {
            text: row.rate
            font.pixelSize: Theme.normal + 1
            font.weight: Font.DemiBold
            rightPadding: 8
            Layout.preferredWidth: row.columns.rate
            Layout.preferredHeight: 28

            Rectangle {
                id: tint

                anchors.fill: parent
                radius: 6
                color: row.directionColor
                opacity: 0
                z: -1
            }
            OpacityAnimator {
                id: flash

                target: tint
                from: 0.28
                to: 0
                duration: 600
            }
        }
        RateCell {
            text: row.change
            color: row.directionColor
            visible: row.columns.showChange
            Layout.preferredWidth: row.columns.change
        }
        RateCell {
            text: row.percent
            color: row.directionColor
            Layout.preferredWidth: row.columns.percent
        }
    }
}
