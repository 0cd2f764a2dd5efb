// SPDX-License-Identifier: MIT
import QtQuick

// Which columns the table has room for, and how wide they are.
QtObject {
    required property real width

    readonly property bool showNames: width >= 440
    readonly property bool showChange: width >= 540
    readonly property int spacing: showNames ? 16 : 8
    readonly property int pair: showNames ? 132 : 72
    readonly property int rate: 84
    readonly property int change: 76
    readonly property int percent: 68
    readonly property int minimumRowHeight: showNames ? 44 : 38
}
