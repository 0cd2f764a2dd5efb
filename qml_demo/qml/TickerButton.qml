// SPDX-License-Identifier: MIT
import QtQuick
import QtQuick.Controls.Basic
import QSseTicker

Button {
    id: button

    property string hint // what it does and its key, for whoever hovers or listens

    implicitHeight: 34
    leftPadding: 14
    rightPadding: 14
    font.pixelSize: Theme.normal
    focusPolicy: Qt.StrongFocus
    Accessible.name: text
    Accessible.description: hint
    ToolTip.text: hint
    ToolTip.visible: hovered && hint
    ToolTip.delay: 600

    contentItem: Text {
        text: button.text
        font: button.font
        color: button.flat ? Theme.accent : Theme.text
        horizontalAlignment: Text.AlignHCenter
        verticalAlignment: Text.AlignVCenter
        elide: Text.ElideMiddle
    }
    background: Rectangle {
        radius: Theme.radius - 2
        color: button.down ? Theme.controlPressed
                           : button.flat ? "transparent" : Theme.control
        border.color: button.hovered ? Theme.accent : Theme.controlLine
        border.width: button.flat ? 0 : 1

        FocusRing {
            visible: button.visualFocus
        }
    }
}
