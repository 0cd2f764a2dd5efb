// SPDX-License-Identifier: MIT
// What the browser's page and the Node client share: opens an EventSource and gives report() a
// record of everything that happens to it, events of the given types among them.
export function watch(url, types, report, options) {
    const source = new EventSource(url, options);
    for (const state of ['open', 'error'])
        source.addEventListener(state, () => report({ state, readyState: source.readyState }));
    for (const type of ['message', ...types])
        source.addEventListener(type,
            e => report({ type: e.type, data: e.data, id: e.lastEventId }));
    return source;
}
