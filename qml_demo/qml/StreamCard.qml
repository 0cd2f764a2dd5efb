// SPDX-License-Identifier: MIT
import QtQuick
import QSse
import QSseTicker

// The consuming side: the stream that everything shown here came over.
Card {
    id: card

    required property EventSource source
    required property RateModel rates
    required property int resumed

    title: qsTr("Event stream")
    status.text: source.readyState === EventSource.Open ? qsTr("Connected")
        : source.readyState === EventSource.Connecting ? qsTr("Reconnecting…") : qsTr("Closed")
    status.color: source.readyState === EventSource.Open ? Theme.up
        : source.readyState === EventSource.Connecting ? Theme.waiting : Theme.down

    Fact {
        label: qsTr("Events received")
        value: card.rates.received.toLocaleString(Qt.locale(), "f", 0)
    }
    Fact {
        label: qsTr("Ticks lost")
        value: card.rates.lost.toLocaleString(Qt.locale(), "f", 0)
        valueColor: card.rates.lost > 0 ? Theme.down : Theme.up
    }
    Fact {
        label: qsTr("Times resumed")
        value: card.resumed
    }
    Fact {
        label: qsTr("Last event id")
        value: card.source.lastEventId || "–"
    }
}
