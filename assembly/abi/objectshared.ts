/**
 * What libgomalloc.a defines for programs with threads: object.ts, and the end of a thread.
 *
 * Owner: any thread; each takes a P at its first call that allocates. Cost: that of alloc/.
 */

export * from "./object";
export { gomalloc_thread_exit } from "./shared";
