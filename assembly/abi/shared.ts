/**
 * The C ABI of a shared heap: that of libc.ts, over one heap for all threads. Each thread has an instance over the same
 * memory.
 *
 * Call init in every instance, with the same address. A thread takes a P automatically at its first call that
 * allocates; free needs none.
 *
 * Owner: any thread. Cost: that of libc.ts.
 */

export * from "./libc";

import { releaseP } from "../alloc/procs";
import { heap, local, syncMemory } from "../base/state";
import { giveOwn } from "../check/recover";

/**
 * The calling thread will not allocate again, or not soon: releases what its P caches, and the P, to all threads. A
 * later call of the family takes a P again. O(spans).
 */
export function gomalloc_thread_exit(): void {
  if (local) giveOwn();
  releaseP();
}

/**
 * Make sure that memory.fill, memory.copy, memory.init and atomics of the calling thread reach every block that another
 * thread has allocated and handed over: see refreshMemory in base/state.ts. A load and a compare when they do.
 */
export function gomalloc_sync(): void {
  if (heap) syncMemory();
  else memory.grow(0);
}
