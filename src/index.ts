/** gomalloc's host API: everything that users import. */
export * from "./heap/common.js";
export type { CreateHeapAsyncOptions, CreateHeapOptions } from "./heap/create.js";
export { createHeap, createHeapAsync, instantiateWith } from "./heap/full.js";
export type { InstantiateWithOptions } from "./heap/instantiate.js";
