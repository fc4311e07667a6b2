/**
 * gomalloc/live: a heap shown as it works. For every engine; imports no wasm.
 *
 * showHeap puts the view into an element of a page, liveHandler under a path of a server that there is. gomalloc/live/server
 * has a server of its own.
 */
export { LiveError, type LiveErrorKind } from "../base/errors.js";
export { type LiveHandler, type LiveOptions, type LiveRequest, type LiveResponse, liveHandler } from "./handler.js";
export { type LiveElement, showHeap } from "./show.js";
export type { LiveHeap } from "./source.js";
