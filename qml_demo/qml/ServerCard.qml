// SPDX-License-Identifier: MIT
import QtQuick
import QtQuick.Layouts
import QSseTicker

// The publishing side: this program, or another one somewhere else.
Card {
    id: card

    required property TickerServer server // null for another one
    required property RateReplay replay
    required property url remoteUrl

    readonly property string address: server ? server.url : remoteUrl.toString().split("?")[0]

    title: server ? qsTr("Server") : qsTr("Remote server")
    status.visible: server
    status.text: replay && replay.running ? qsTr("Publishing") : qsTr("Paused")
    status.color: replay && replay.running ? Theme.up : Theme.waiting

    RowLayout {
        spacing: 8

        TickerButton {
            text: card.address
            flat: true
            leftPadding: 6
            rightPadding: 6
            Layout.leftMargin: -leftPadding // the text in line with the others
            hint: qsTr("Open the web page")
            onClicked: Qt.openUrlExternally(card.address)
            Layout.maximumWidth: implicitWidth
            Layout.fillWidth: true
        }
        Item {
            Layout.fillWidth: true
        }
        TickerButton {
            text: copied.running ? qsTr("Copied") : qsTr("Copy")
            hint: qsTr("Copy the address")
            onClicked: {
                clipboard.text = card.address
                clipboard.selectAll()
                clipboard.copy()
                copied.restart()
            }

            Timer {
                id: copied

                interval: 1500
            }
            // QML has no clipboard of its own.
            TextEdit {
                id: clipboard

                visible: false
            }
        }
    }
    Fact {
        label: qsTr("Subscribers")
        value: card.server ? card.server.subscriberCount : ""
        visible: card.server
    }
    Fact {
        label: qsTr("Events a second")
        value: card.server ? card.server.eventsPerSecond : ""
        visible: card.server
    }
}
