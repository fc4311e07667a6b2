/**
 * The C ABI of a shared heap: that of libc.ts, over one heap for all threads, each an instance over the same memory.
 *
 * init is to be called in every instance, with the same address; a thread's first malloc or free takes a P by itself.
 */

export * from "./libc";

import { releaseP } from "../alloc/procs";

/** The calling thread allocates no more, or not for a while: its P, with what it caches, is for the next thread. */
export function gomalloc_thread_exit(): void {
  releaseP();
}
