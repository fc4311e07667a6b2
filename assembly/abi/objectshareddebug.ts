/**
 * What libgomalloc-debug.a defines for programs with threads: objectshared.ts and objectdebug.ts.
 *
 * Owner and cost: theirs.
 */

export * from "./objectdebug";
export { gomalloc_sync, gomalloc_thread_exit } from "./shared";
export { numPs as gomalloc_num_ps } from "../alloc/procs";
