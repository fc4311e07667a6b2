/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The monitor: a timer on one thread that makes Ps which have been idle for long give back what they cache, for all
 * threads. Threads that wait for a P ask for one by themselves (procs.ts) and need no monitor.
 *
 * It keeps no program alive. One per heap is enough, on any thread that gets to its event loop; more do no harm. Cost
 * of a tick: one walk of some 250 words.
 */
import { namesOf, readOptions, within } from "../base/check.js";
import { DISPOSE } from "../base/dispose.js";
import { GomallocError } from "../base/errors.js";
import { every, now } from "./support.js";

export interface MonitorOptions {
  /** Milliseconds between ticks, 1 to 60000. Default 10. */
  intervalMs?: number | undefined;
  /** Milliseconds after which an idle P is flushed, 0 to 3600000. Default 1000. */
  idleMs?: number | undefined;
}

const OPTIONS = namesOf<MonitorOptions>({ intervalMs: 0, idleMs: 0 });

const DEFAULT_INTERVAL_MS = 10;
const DEFAULT_IDLE_MS = 1000;

/** What the monitor needs of the Ps (shared/procs.ts). */
interface Monitored {
  list(): readonly { readonly p: number; readonly state: string }[];
  /** Makes an idle P give back what it caches. True: it was idle. Throws HeapLockError. */
  flush(p: number): boolean;
}

export class Monitor implements Disposable {
  readonly #ps: Monitored;
  readonly #idleMs: number;
  readonly #stop: () => void;
  /** By id of an idle P: since when, or Infinity once it is flushed. */
  readonly #idle = new Map<number, number>();
  #running = true;

  /** For Ps.monitor. `ended` is called when it stops. Throws RangeError, TypeError. */
  constructor(ps: Monitored, options: MonitorOptions, ended: () => void) {
    const { intervalMs = DEFAULT_INTERVAL_MS, idleMs = DEFAULT_IDLE_MS } = readOptions(options, OPTIONS, "monitor");
    this.#ps = ps;
    this.#idleMs = within(idleMs, 0, 3_600_000, "idleMs");
    const cancel = every(within(intervalMs, 1, 60_000, "intervalMs"), () => this.tick());
    this.#stop = () => {
      cancel();
      ended();
    };
  }

  get running(): boolean {
    return this.#running;
  }

  /** Ends it; twice is fine. The heap's dispose() does so too. */
  stop(): void {
    if (!this.#running) return;
    this.#running = false;
    this.#stop();
  }

  [DISPOSE](): void {
    this.stop();
  }

  /** What the timer does; may also be called by hand. Ids of the Ps that were flushed. */
  tick(): number[] {
    if (!this.#running) return [];
    const time = now();
    const due: number[] = [];
    for (const { p, state } of this.#ps.list()) {
      if (state !== "idle") this.#idle.delete(p);
      else if (!this.#idle.has(p)) this.#idle.set(p, time);
      if (time - (this.#idle.get(p) ?? time) >= this.#idleMs && state === "idle") due.push(p);
    }
    const flushed: number[] = [];
    try {
      for (const p of due) {
        if (!this.#ps.flush(p)) continue;
        flushed.push(p);
        this.#idle.set(p, Number.POSITIVE_INFINITY);
      }
    } catch (error) {
      // A lock is held: the next tick tries again, and the heap's own operations report it.
      if (!(error instanceof GomallocError)) throw error;
    }
    return flushed;
  }
}
