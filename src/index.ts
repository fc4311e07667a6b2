/** gomalloc's host API: everything that users import. */
export * from "./common.js";
export type { CreateHeapAsyncOptions, CreateHeapOptions } from "./create.js";
export { createHeap, createHeapAsync, instantiateWith } from "./full.js";
export type { InstantiateWithOptions } from "./instantiate.js";
