// SPDX-License-Identifier: MIT
// node --experimental-eventsource client.mjs URL TYPE...: one line of JSON for each thing that
// happens to the EventSource.
import { watch } from '../watch.mjs';

const [url, ...types] = process.argv.slice(2);
watch(url, types, record => process.stdout.write(JSON.stringify(record) + '\n'));
// Waiting to reconnect does not keep node running.
setInterval(() => {}, 1000);
