// SPDX-License-Identifier: MIT
// The npm package eventsource-parser, see NodeParser: node eventsourceparser.js FILE PIECE-SIZE
// For each line on stdin, "bytes" or "strings", it reads the file's bytes, or the strings they were
// decoded to before, and prints: nanoseconds of processor time, events, characters.
'use strict';
const fs = require('fs');
const { createParser } = require('eventsource-parser');

const [file, pieceSize] = process.argv.slice(2);
const pieces = [];
const stream = fs.readFileSync(file);
for (let at = 0; at < stream.length; at += Number(pieceSize))
    pieces.push(stream.subarray(at, at + Number(pieceSize)));
const texts = pieces.map(piece => piece.toString('latin1'));

// Of this thread alone: what the collector does on others does not count.
function processorTime() {
    const statistics = fs.readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'latin1');
    return BigInt(statistics.split(' ')[0]);
}

function read(mode) {
    let events = 0;
    let characters = 0;
    const parser = createParser({
        onEvent(event) {
            ++events;
            characters += event.id.length + (event.event ?? '').length + event.data.length;
        },
    });
    const begin = processorTime();
    if (mode === 'bytes') {
        const decoder = new TextDecoder();
        for (const piece of pieces)
            parser.feed(decoder.decode(piece, { stream: true }));
    } else {
        for (const text of texts)
            parser.feed(text);
    }
    console.log(`${processorTime() - begin} ${events} ${characters}`);
}

// Compiled as well as it gets before anything is measured.
const log = console.log;
console.log = () => {};
for (let i = 0; i < 3; ++i) {
    read('bytes');
    read('strings');
}
console.log = log;

process.stdin.on('data', lines => String(lines).trim().split('\n').forEach(read));
