/** Timers that keep no process alive, on every engine. */

/** Calls `run` once after `ms` milliseconds. Returns what cancels it. */
export function later(ms: number, run: () => void): () => void {
  const timer = setTimeout(run, ms);
  (timer as unknown as { unref?: () => void }).unref?.();
  return () => clearTimeout(timer);
}
