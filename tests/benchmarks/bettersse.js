// SPDX-License-Identifier: MIT
// The npm package better-sse as a contender, see Contender in serve.h:
// node bettersse.js TOPICS RATE BYTES
'use strict';
const http = require('http');
const { createChannel, createSession } = require('better-sse');

const [topics, rate, bytes] = process.argv.slice(2).map(Number);
const patience = 10_000_000n; // nanoseconds
const serializer = data => data; // JSON, the default, would put it in quotes
const channels = new Map();
let startedAt = 0n;
let published = 0;
let timer;

function channelOf(topic) {
    if (!channels.has(topic))
        channels.set(topic, createChannel());
    return channels.get(topic);
}

function publish(now) {
    const number = Math.floor(published / topics);
    const data = `t=${now} n=${number} `.padEnd(bytes, 'x');
    const eventId = `0123456789abcde-${number + 1}`;
    channelOf(`t/${published % topics}`).broadcast(data, 'message', { eventId });
    ++published;
}

// As Publisher::publishDue(): by the clock, and not for too long.
function publishDue() {
    const begin = process.hrtime.bigint();
    const due = Math.round(Number(begin - startedAt) / 1e9 * rate);
    for (let now = begin; published < due && now - begin < patience;) {
        now = process.hrtime.bigint();
        publish(now);
    }
}

function go() {
    startedAt = process.hrtime.bigint();
    timer = setInterval(publishDue, Math.max(1, Math.floor(1000 / rate)));
}

function stop() {
    clearInterval(timer);
    console.log(`published ${published}`);
}

const server = http.createServer(async (request, response) => {
    const topic = new URL(request.url, 'http://localhost').searchParams.get('topic');
    channelOf(topic).register(await createSession(request, response, { serializer }));
});
server.listen(0, '127.0.0.1', 4096, () => {
    console.log(`listening ${server.address().port} ${process.pid}`);
});
process.stdin.on('data', line => (String(line).trim() === 'go' ? go : stop)());
process.stdin.on('end', () => process.exit(0));
