/**
 * The C ABI of a shared heap: that of libc.ts, over one heap for all threads, each an instance over the same memory.
 *
 * init is to be called in every instance, with the same address. A thread takes a P by itself at its first call that
 * allocates; free needs none.
 */

export * from "./libc";

import { releaseP } from "../alloc/procs";
import { local } from "../base/state";
import { giveOwn } from "../check/recover";

/**
 * The calling thread allocates no more, or not for a while: what its P caches goes back for all threads to use, and the P
 * is for the next one. A later call of the family takes a P again. O(spans).
 */
export function gomalloc_thread_exit(): void {
  if (local) giveOwn();
  releaseP();
}
