/**
 * Hearing of a thread's end.
 *
 * Node's and Bun's workers report it ("exit", "close"). A browser's worker does not: its "error" event is an uncaught
 * exception, after which it lives on. But a Web Lock is released when its holder ends, however it ends: a thread that
 * attaches takes one, and a thread that watches requests the same one. Where there are no Web Locks either, the program
 * has to report the end itself (SharedHeap.reap), after a terminate() for example.
 */
import { object, reading } from "../base/check.js";
import { runAll } from "../base/dispose.js";
import { CLAIM_LOCKED, raiseClaim, type SharedHeapMessage } from "./message.js";
import { waitForAsync } from "./support.js";

/** What a watched worker must have: the methods of Node's emitter, or of a browser's event target. */
export interface WorkerLike {
  on?(event: string, listener: () => void): unknown;
  off?(event: string, listener: () => void): unknown;
  addEventListener?(type: string, listener: () => void): unknown;
  removeEventListener?(type: string, listener: () => void): unknown;
}

/** The thread that is watched, as its message names it. */
type Thread = Pick<SharedHeapMessage, "claim" | "lockName">;

/** Milliseconds between looks whether the worker has attached by now. */
const ATTACH_LOOK_MS = 1000;
const END_EVENTS = ["exit", "close"];

type Locks = {
  request(name: string, options: { signal: AbortSignal }, hold: () => PromiseLike<void> | void): Promise<unknown>;
};

function webLocks(): Locks | undefined {
  return (globalThis as { navigator?: { locks?: Locks } }).navigator?.locks;
}

/** Calls `ended` once, when the worker that was given `message` is no more. Returns what ends the watch. */
export function onEnd(worker: WorkerLike, message: Thread, ended: () => void): () => void {
  object(worker, "worker");
  const stops: (() => void)[] = [];
  let over = false;
  const stop = (): void => {
    over = true;
    runAll(stops.splice(0));
  };
  // The worker's own code runs here, and may throw, or call `end` at once.
  const end = (): void => {
    if (!over) runAll([stop, ended]);
  };
  const on = reading("worker.on", () => worker.on);
  const listen = reading("worker.addEventListener", () => worker.addEventListener);
  let listening = false;
  try {
    if (typeof on === "function") {
      stops.push(() => worker.off?.("exit", end));
      on.call(worker, "exit", end);
    } else if (typeof listen === "function") {
      for (const type of END_EVENTS) {
        stops.push(() => worker.removeEventListener?.(type, end));
        listen.call(worker, type, end);
      }
      const locks = webLocks();
      if (locks !== undefined) {
        const abort = new AbortController();
        stops.push(() => abort.abort());
        void waitForLock(locks, message, abort.signal).then((gone) => gone && end());
      }
    } else {
      throw new TypeError("worker must have on(), as Node's workers, or addEventListener(), as those of browsers");
    }
    listening = !over;
  } finally {
    // The worker threw, or has ended already.
    if (!listening) stop();
  }
  return stop;
}

/** Resolves when the thread's Web Lock is free again: true; or when `signal` aborts: false. */
async function waitForLock(locks: Locks, { claim, lockName }: Thread, signal: AbortSignal): Promise<boolean> {
  const words = new Int32Array(claim);
  for (;;) {
    const seen = Atomics.load(words, 0);
    if (signal.aborted) return false;
    if (seen >= CLAIM_LOCKED) break;
    await waitForAsync(words, 0, seen, ATTACH_LOOK_MS);
  }
  try {
    await locks.request(lockName, { signal }, () => {});
    return true;
  } catch {
    // Aborted, or refused; then the worker's end has to become known some other way.
    return false;
  }
}

/** A thread's hold on its Web Lock. */
export interface Hold {
  /**
   * Resolves when the lock is held, or was refused: from then on others hear of the thread's end, if they can at all.
   */
  readonly settled: Promise<void>;
  /** Gives the lock back before the thread ends. */
  readonly release: () => void;
}

/** Requests the thread's Web Lock, where the engine has such locks. It is granted in a later turn of the event loop. */
export function holdLock({ claim, lockName }: SharedHeapMessage): Hold {
  const locks = webLocks();
  if (locks === undefined) return { settled: Promise.resolve(), release() {} };
  const abort = new AbortController();
  let release = (): void => abort.abort();
  const settled = new Promise<void>((settle) => {
    const held = (): Promise<void> =>
      new Promise((resolve) => {
        release = resolve;
        raiseClaim(claim, CLAIM_LOCKED);
        settle();
      });
    // Refused, in a sandboxed frame for example: then the program has to report the end.
    locks.request(lockName, { signal: abort.signal }, held).catch(() => settle());
  });
  return { settled, release: () => release() };
}
