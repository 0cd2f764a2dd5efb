// SPDX-License-Identifier: MIT
import QtQuick
import QSse

Item {
    id: root

    property string token
    property string text

    function take(event: sseEvent) {
        root.text = event.type + event.id + event.data
    }

    SseServer {
        id: server
        port: 0
        onNotified: event => root.take(event)
        onErrorOccurred: text => root.text = text
    }
    SseTopic { server: server; name: "a"; event: "rate"; value: root.token }

    EventSource {
        id: stream

        url: server.url
        headers: ({ Authorization: "Bearer " + root.token })
        method: "POST"
        body: ({ model: root.token, stream: true })
        active: root.token !== ""
        paused: !root.visible
        lastEventId: "earliest"
        reconnectionTime: 1000
        maximumReconnectionTime: 10000
        connectTimeout: 5000
        readTimeout: 60000
        maximumEventSize: 1024 * 1024

        onOpened: root.text = ""
        onMessage: event => root.take(event)
        onEventReceived: event => root.take(event)
        onCommentReceived: comment => root.text = comment
        onErrorOccurred: (error, text) => {
            if (error === EventSource.HttpStatusError && stream.httpStatus === 401)
                stream.restart()
            else if (stream.readyState === EventSource.Closed)
                root.text = text
        }

        EventListener { type: "rate"; enabled: root.visible; onReceived: event => root.take(event) }
    }

    component Status: Text {
        id: status

        required property EventSource source

        text: source.error === EventSource.NoError ? source.lastEventId : source.errorString

        EventListener { target: status.source; onReceived: event => status.text = event.data }
    }
    Status { source: stream }
}
