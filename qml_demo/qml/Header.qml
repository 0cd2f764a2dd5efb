// SPDX-License-Identifier: MIT
import QtQuick
import QSseTicker

// The title and the day that is being played.
Column {
    id: header

    required property date date

    spacing: 2

    Text {
        text: qsTr("Euro reference rates")
        color: Theme.text
        font.pixelSize: Theme.large
        font.weight: Font.DemiBold
        Accessible.role: Accessible.Heading
        Accessible.name: text
    }
    Text {
        text: isNaN(header.date) ? qsTr("European Central Bank")
            : qsTr("European Central Bank, %1").arg(
                  header.date.toLocaleDateString(Qt.locale(), "d MMM yyyy"))
        color: Theme.muted
        font.pixelSize: Theme.normal
    }
}
