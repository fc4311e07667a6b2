/**
 * What this engine and this thread can do: share memory, sleep, and wait. Found out by trying, once each; nothing runs
 * at import.
 *
 * There are three ways to wait for a word of shared memory. A thread that may sleep does (Atomics.wait). One that must
 * not, a browser's main thread, keeps looking for a bounded time. Asynchronous code awaits (Atomics.waitAsync, or a
 * look every few milliseconds where that is missing).
 */

/** Milliseconds between two looks at a word where Atomics.waitAsync is missing. */
const POLL_MS = 2;
/** Threads when the engine does not say how many the hardware has. */
const GUESSED_THREADS = 4;

/** An Int32Array over memory that other threads may write. */
export type Words = Int32Array<ArrayBufferLike>;

/** Milliseconds of a clock that only goes forward. */
export function now(): number {
  return typeof performance === "object" ? performance.now() : Date.now();
}

/** Why memory cannot be shared between threads here, in words that name the fix; null when it can. */
export function whyUnshared(): string | null {
  const realm = globalThis as { crossOriginIsolated?: boolean; SharedArrayBuffer?: unknown };
  if (typeof realm.SharedArrayBuffer !== "function") {
    if (realm.crossOriginIsolated === false) {
      return (
        "the page is not cross-origin isolated: serve it, and the scripts of its workers, with the headers " +
        '"Cross-Origin-Opener-Policy: same-origin" and "Cross-Origin-Embedder-Policy: require-corp"'
      );
    }
    return (
      "this engine has no SharedArrayBuffer: enable it by --enable-features=SharedArrayBuffer in Chromium, by " +
      "javascript.options.shared_memory in Firefox, and elsewhere by removing the flag that disables it"
    );
  }
  try {
    const { buffer } = new WebAssembly.Memory({ initial: 0, maximum: 1, shared: true });
    if ((buffer as ArrayBufferLike) instanceof SharedArrayBuffer) return null;
  } catch {
    // Falls to the answer below.
  }
  return "this engine's WebAssembly has no threads: shared memories and atomics are missing";
}

let mayBlock: boolean | undefined;

/** True when this thread may sleep in Atomics.wait: in workers and in Node, not on a browser's main thread. */
export function canBlock(): boolean {
  if (mayBlock === undefined) {
    try {
      // The word is not 1, so that this returns at once or throws.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1, 0);
      mayBlock = true;
    } catch {
      mayBlock = false;
    }
  }
  return mayBlock;
}

/** Threads that the hardware runs at once; 4 when the engine does not say. */
export function hardwareThreads(): number {
  const realm = globalThis as {
    navigator?: { hardwareConcurrency?: number };
    process?: { getBuiltinModule?: (name: string) => { availableParallelism?: () => number } | undefined };
  };
  // Node 20 has no navigator. Asked for without an import, which bundles for browsers could not resolve.
  const os = realm.process?.getBuiltinModule?.("node:os");
  return realm.navigator?.hardwareConcurrency ?? os?.availableParallelism?.() ?? GUESSED_THREADS;
}

/**
 * Returns when words[index] is no longer `value`, when it is notified, or after `ms`; it may return early. A thread
 * that must not sleep keeps looking.
 */
export function waitFor(words: Words, index: number, value: number, ms: number, maySleep: boolean): void {
  if (maySleep) {
    Atomics.wait(words as Int32Array, index, value, ms);
    return;
  }
  const end = now() + ms;
  while (Atomics.load(words, index) === value && now() < end);
}

/** Atomics.waitAsync, which neither TypeScript's ES2022 nor every engine has. */
type WaitAsync = (
  words: Words,
  index: number,
  value: number,
  ms?: number,
) => { async: false; value: string } | { async: true; value: Promise<string> };

/** The engine's waitAsync, if it has one. */
export function nativeWaitAsync(): WaitAsync | undefined {
  return (Atomics as { waitAsync?: WaitAsync }).waitAsync;
}

/** waitFor without blocking. */
export async function waitForAsync(words: Words, index: number, value: number, ms: number): Promise<void> {
  const waitAsync = nativeWaitAsync();
  if (waitAsync !== undefined && !(words.buffer instanceof ArrayBuffer)) {
    // With a timer beside it, because the engine's own timeout need not keep the event loop alive.
    const timer = setTimeout(() => {}, ms);
    try {
      await waitAsync(words, index, value, ms).value;
    } finally {
      clearTimeout(timer);
    }
    return;
  }
  const end = now() + ms;
  while (Atomics.load(words, index) === value && now() < end) await delay(POLL_MS);
}

export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** Calls `tick` every `ms` without keeping the program alive; returns what stops it. */
export function every(ms: number, tick: () => void): () => void {
  const timer = setInterval(tick, ms) as unknown as { unref?: () => void };
  timer.unref?.();
  return () => clearInterval(timer as unknown as number);
}
