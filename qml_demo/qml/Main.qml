// SPDX-License-Identifier: MIT
import QtQuick
import QtQuick.Controls.Basic
import QtQuick.Layouts
import QSse
import QSseTicker

ApplicationWindow {
    id: window

    required property url streamUrl
    required property TickerServer server // null when another program serves
    required property RateReplay replay
    required property string theme

    readonly property bool wide: width >= 860
    readonly property bool medium: width >= 560
    property int connections: 0

    width: 1100
    height: 760
    minimumWidth: 340
    minimumHeight: 320
    visible: true
    title: qsTr("QSse ticker")
    color: Theme.background
    onActiveFocusItemChanged: flickable.show(activeFocusItem)
    Component.onCompleted: Theme.choice = theme

    RateModel {
        id: rates
    }
    EventSource {
        id: source

        url: window.streamUrl
        onEventReceived: event => rates.apply(event)
        onOpened: ++window.connections
    }

    Flickable {
        id: flickable

        anchors.fill: parent
        contentHeight: page.height + 2 * Theme.margin
        boundsBehavior: Flickable.StopAtBounds
        focus: true
        ScrollBar.vertical: ScrollBar {}

        // Scrolls so far that the item can be seen.
        function show(item: Item) {
            if (!item || item === flickable)
                return
            const top = item.mapToItem(contentItem, 0, 0).y - Theme.margin
            const bottom = top + item.height + 2 * Theme.margin
            if (top < contentY)
                contentY = Math.max(0, top)
            else if (bottom > contentY + height)
                contentY = Math.max(0, Math.min(bottom, contentHeight) - height)
        }

        // What a control with the focus does not use itself comes here.
        Keys.onPressed: event => {
            event.accepted = true
            if (event.key === Qt.Key_T)
                Theme.toggle()
            else if (event.key === Qt.Key_Space && window.replay)
                window.replay.running = !window.replay.running
            else if ((event.key === Qt.Key_Plus || event.key === Qt.Key_Equal) && window.replay)
                window.replay.speed *= 2
            else if (event.key === Qt.Key_Minus && window.replay)
                window.replay.speed /= 2
            else if (event.key === Qt.Key_D && window.server)
                window.server.dropConnections()
            else if (event.key === Qt.Key_Down)
                flick(0, -600)
            else if (event.key === Qt.Key_Up)
                flick(0, 600)
            else
                event.accepted = false
        }

        ColumnLayout {
            id: page

            x: Theme.margin
            y: Theme.margin
            width: flickable.width - 2 * Theme.margin
            height: Math.max(implicitHeight, flickable.height - 2 * Theme.margin)
            spacing: Theme.margin

            GridLayout {
                columns: window.wide ? 2 : 1
                rowSpacing: 12

                Header {
                    date: rates.date
                    Layout.fillWidth: true
                }
                Controls {
                    server: window.server
                    replay: window.replay
                    Layout.fillWidth: !window.wide
                    Layout.preferredWidth: window.wide ? lineWidth : -1
                }
            }
            GridLayout {
                columns: window.wide ? 2 : 1
                rowSpacing: Theme.margin
                columnSpacing: Theme.margin

                RateTable {
                    model: rates
                    Layout.fillWidth: true
                    Layout.fillHeight: true
                }
                GridLayout {
                    columns: window.medium && !window.wide ? 2 : 1
                    rowSpacing: Theme.margin
                    columnSpacing: Theme.margin
                    Layout.alignment: Qt.AlignTop
                    Layout.fillWidth: !window.wide
                    Layout.fillHeight: false
                    Layout.preferredWidth: window.wide ? 290 : -1

                    ServerCard {
                        server: window.server
                        replay: window.replay
                        remoteUrl: window.streamUrl
                        Layout.fillWidth: true
                        Layout.fillHeight: window.medium && !window.wide // as high as the other
                    }
                    StreamCard {
                        source: source
                        rates: rates
                        resumed: Math.max(0, window.connections - 1)
                        Layout.fillWidth: true
                        Layout.alignment: Qt.AlignTop
                    }
                }
            }
        }
    }
}
