// SPDX-License-Identifier: MIT
import QtQuick
import QtQuick.Controls.Basic
import QSseTicker

// What can be done to the ticker. With a server elsewhere that is only how it looks.
Flow {
    id: controls

    required property TickerServer server // null for another one
    required property RateReplay replay

    // What it needs to be in one line, which a Flow does not tell.
    readonly property real lineWidth: {
        let width = 0
        for (let i = 0; i < visibleChildren.length; ++i)
            width += visibleChildren[i].width + (i > 0 ? spacing : 0)
        return width
    }

    spacing: 8

    TickerButton {
        text: controls.replay && controls.replay.running ? qsTr("Pause") : qsTr("Resume")
        hint: qsTr("Pause or resume the rates (Space)")
        visible: controls.replay
        width: 84
        onClicked: controls.replay.running = !controls.replay.running
    }
    Row {
        visible: controls.replay
        spacing: 6

        Slider {
            id: slider

            // The speed's logarithm: each step of the same length doubles it.
            from: Math.log2(0.25)
            to: Math.log2(20)
            stepSize: 1
            value: controls.replay ? Math.log2(controls.replay.speed) : 0
            onMoved: controls.replay.speed = Math.pow(2, value)
            width: 120
            height: 34
            Accessible.name: qsTr("Speed")
            ToolTip.text: qsTr("How fast the days go by (+ and −)")
            ToolTip.visible: hovered && !pressed
            ToolTip.delay: 600

            background: Rectangle {
                x: slider.leftPadding
                y: (slider.height - height) / 2
                width: slider.availableWidth
                height: 4
                radius: 2
                color: Theme.controlLine

                Rectangle {
                    width: slider.visualPosition * parent.width
                    height: parent.height
                    radius: parent.radius
                    color: Theme.accent
                }
            }
            handle: Rectangle {
                x: slider.leftPadding + slider.visualPosition * (slider.availableWidth - width)
                y: (slider.height - height) / 2
                width: 18
                height: 18
                radius: 9
                color: Theme.control
                border.color: Theme.accent
                border.width: 2

                FocusRing {
                    radius: width / 2
                    visible: slider.visualFocus
                }
            }
        }
        Text {
            text: controls.replay ? Number(controls.replay.speed.toPrecision(2)) + "×" : ""
            color: Theme.muted
            font.pixelSize: Theme.normal
            width: 38
            height: 34
            verticalAlignment: Text.AlignVCenter
        }
    }
    TickerButton {
        text: qsTr("Drop connections")
        hint: qsTr("End every stream as a network failure would (D)")
        visible: controls.server
        onClicked: controls.server.dropConnections()
    }
    TickerButton {
        text: Theme.dark ? qsTr("Light") : qsTr("Dark")
        hint: qsTr("Switch between light and dark (T)")
        width: 76
        onClicked: Theme.toggle()
    }
}
