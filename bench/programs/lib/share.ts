/**
 * How much of a run its allocator takes, by sampling where the thread is: the most that a better one could save.
 *
 * For wasi-libc's malloc only, whose functions are known by name and too large to be inlined. The process is to be on one
 * processor meanwhile (affinity.ts).
 */

import { Session } from "node:inspector";

/** Microseconds between samples. */
const INTERVAL = 250;

/** wasi-libc's malloc family and what it is made of. */
const ALLOCATOR =
  /^(dl\w+|malloc|free|calloc|realloc|aligned_alloc|posix_memalign|malloc_usable_size|sbrk|prepend_alloc|internal_memalign|try_realloc_chunk|dispose_chunk|tmalloc_\w+|sys_alloc|sys_trim)$/;

/** What is no function of the thread. */
const NOTHING = new Set(["(root)", "(idle)", "(program)", ""]);

/** Runs `work` and gives its result, and the part of its samples that lay in the allocator. */
export function sampled<T>(work: () => T): { result: T; share: number } {
  const session = new Session();
  session.connect();
  try {
    // The session is of this thread: its commands are done when post returns.
    session.post("Profiler.enable");
    session.post("Profiler.setSamplingInterval", { interval: INTERVAL });
    session.post("Profiler.start");
    const result = work();
    let share = 0;
    session.post("Profiler.stop", (_error, { profile }) => {
      const names = new Map(profile.nodes.map((node) => [node.id, node.callFrame.functionName]));
      const samples = (profile.samples ?? []).map((id) => names.get(id) ?? "").filter((name) => !NOTHING.has(name));
      share = samples.length ? samples.filter((name) => ALLOCATOR.test(name)).length / samples.length : 0;
    });
    return { result, share };
  } finally {
    session.disconnect();
  }
}
