/**
 * Later: a call in a task of its own, by timers that keep no process alive. Owner: the thread. Cost: a timer.
 */

/** Calls `fn` after some milliseconds, or, where the engine has no timers, after the present code. What cancels that. */
export function later(fn: () => void, ms: number): unknown {
  if (typeof setTimeout !== "function") {
    if (ms === 0) void Promise.resolve().then(fn);
    return null;
  }
  const timer = setTimeout(fn, ms);
  if (ms > 0) (timer as unknown as { unref?: () => void }).unref?.();
  return timer;
}

/** Undoes `later`. */
export function cancel(timer: unknown): void {
  if (timer !== null) clearTimeout(timer as ReturnType<typeof setTimeout>);
}
