/**
 * What libgomalloc.a defines for programs with threads: object.ts, the end of a thread, and gomalloc_sync.
 *
 * Owner: any thread; each takes a P at its first call that allocates. Cost: that of alloc/.
 */

export * from "./object";
export { gomalloc_sync, gomalloc_thread_exit } from "./shared";
