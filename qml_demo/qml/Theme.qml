// SPDX-License-Identifier: MIT
pragma Singleton
import QtQuick

// Colours and measures. Text colours have a contrast of at least 4.5:1 on the surface.
QtObject {
    id: theme

    property string choice: "system" // or "light" or "dark"
    readonly property bool dark: choice === "dark"
                                 || choice === "system" && palette.window.hslLightness < 0.5
    readonly property SystemPalette palette: SystemPalette {}

    readonly property color background: dark ? "#11141a" : "#f3f4f7"
    readonly property color surface: dark ? "#1a1f27" : "#ffffff"
    readonly property color control: dark ? "#252b36" : "#ffffff"
    readonly property color controlPressed: dark ? "#303848" : "#e6e9ef"
    readonly property color line: dark ? "#2b323e" : "#e3e6eb"
    readonly property color controlLine: dark ? "#3b4453" : "#c9ced8"
    readonly property color text: dark ? "#e9ecf2" : "#191d24"
    readonly property color muted: dark ? "#9aa4b5" : "#5b6472"
    readonly property color accent: dark ? "#82a8ff" : "#2a5bd0"
    readonly property color up: dark ? "#4cc990" : "#0b7a4b"
    readonly property color down: dark ? "#ff8592" : "#c02b45"
    readonly property color waiting: dark ? "#f2b45c" : "#9a5b00"

    readonly property int margin: 16
    readonly property int radius: 10
    readonly property int small: 12
    readonly property int normal: 14
    readonly property int large: 22

    function toggle() {
        choice = dark ? "light" : "dark"
    }

    function ofDirection(direction: int): color {
        return direction > 0 ? up : direction < 0 ? down : muted
    }
}
