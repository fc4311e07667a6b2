/** gomalloc/shared: one heap for several threads. Everything that its users import. */
export * from "./common.js";
export type { CreateSharedHeapAsyncOptions, CreateSharedHeapOptions } from "./create.js";
export { createSharedHeap, createSharedHeapAsync } from "./full.js";
