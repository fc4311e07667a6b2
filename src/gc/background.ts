/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The collector in the background: pieces of work between the program's own tasks.
 *
 * A turn does one thing: it marks or sweeps for its budget, or begins a cycle that is due, by the trigger or because
 * the last one was two minutes ago. While there is work the next turn comes after `intervalMs`, else after `idleMs`.
 * Turns are timers, which browsers delay further until the page is idle; in Node they keep no process alive.
 *
 * A turn is a task of its own, so in a heap of one thread no cycle begins within a task of the program: the addresses
 * in its variables are good until it returns to the event loop, unless the option `auto` is on. On a shared heap other
 * threads begin cycles at any time. One thread.
 */
import { callable, namesOf, readOptions, show, within } from "../base/check.js";
import { DISPOSE } from "../base/dispose.js";

/** Go's forcegcperiod. */
const FORCE_PERIOD_MS = 120_000;
const BUDGET_MS = 2;
const INTERVAL_MS = 8;
const IDLE_MS = 100;
const MAX_MS = 2 ** 31 - 1;

export interface BackgroundOptions {
  /**
   * How long one turn works at most, milliseconds, above 0; in a browser no longer than its idle time. Default 2.
   */
  budgetMs?: number | undefined;
  /** Milliseconds between the turns while there is work. Default 8. */
  intervalMs?: number | undefined;
  /** Milliseconds between two turns while there is none. Default 100. */
  idleMs?: number | undefined;
  /** A cycle begins this long after the last one at the latest, unless GOGC is off. Default 120000; Infinity: never. */
  forcePeriodMs?: number | undefined;
  /**
   * Calls `turn` once, `ms` milliseconds from now, with the milliseconds that it may take or with nothing; returns a
   * function that cancels that. It must not call `turn` before it returns. When it throws, the background has stopped.
   * Default: setTimeout, followed by requestIdleCallback where that exists.
   */
  schedule?: ((turn: (mostMs?: number) => void, ms: number) => () => void) | undefined;
}

const OPTIONS = namesOf<BackgroundOptions>({ budgetMs: 0, intervalMs: 0, idleMs: 0, forcePeriodMs: 0, schedule: 0 });

/** What a turn of the background does. */
interface BackgroundWork {
  /** Does a piece of work for at most `budgetMs`, if there is any and the limiter allows it. True: there was. */
  turn(budgetMs: number, forcePeriodMs: number): boolean;
}

/** A running background, until it is stopped. */
export class Background implements Disposable {
  readonly #work: BackgroundWork;
  readonly #options: Required<{ [K in keyof BackgroundOptions]: Exclude<BackgroundOptions[K], undefined> }>;
  /** Null when no turn is planned: the background has stopped, or is planning one. */
  #cancel: (() => void) | null = null;
  #stopped = false;
  #turns = 0;

  /** For Collector.background. Throws RangeError, TypeError, and what `schedule` throws. */
  constructor(work: BackgroundWork, options: BackgroundOptions) {
    const { budgetMs, intervalMs, idleMs, forcePeriodMs, schedule } = readOptions(options, OPTIONS, "background");
    this.#work = work;
    this.#options = {
      budgetMs: positive(budgetMs ?? BUDGET_MS, "budgetMs"),
      intervalMs: within(intervalMs ?? INTERVAL_MS, 0, MAX_MS, "intervalMs"),
      idleMs: within(idleMs ?? IDLE_MS, 0, MAX_MS, "idleMs"),
      forcePeriodMs: positive(forcePeriodMs ?? FORCE_PERIOD_MS, "forcePeriodMs"),
      schedule: schedule === undefined ? scheduleIdle : callable(schedule, "schedule"),
    };
    this.#next(this.#options.intervalMs);
  }

  get running(): boolean {
    return this.#cancel !== null;
  }

  /** Turns taken so far. */
  get turns(): number {
    return this.#turns;
  }

  /**
   * No more turns; a cycle that is marking stays as it is. Twice is fine. Throws what the function that `schedule`
   * returned throws; the background has stopped even then.
   */
  stop(): void {
    const cancel = this.#cancel;
    this.#stopped = true;
    this.#cancel = null;
    cancel?.();
  }

  [DISPOSE](): void {
    this.stop();
  }

  /** Plans the next turn. While the user's function runs, there is nothing to cancel. */
  #next(ms: number): void {
    this.#cancel = null;
    const { schedule } = this.#options;
    let planned = true;
    const cancel = schedule((mostMs = Number.POSITIVE_INFINITY) => {
      // Only once, and not before schedule has returned.
      if (!planned || this.#cancel === null) return;
      planned = false;
      this.#turn(mostMs);
    }, ms);
    this.#cancel = callable(cancel, "what schedule returns");
    if (this.#stopped) this.stop();
  }

  #turn(mostMs: number): void {
    this.#turns++;
    const { budgetMs, forcePeriodMs, intervalMs, idleMs } = this.#options;
    let busy = true;
    try {
      busy = this.#work.turn(Math.min(budgetMs, positive(mostMs, "mostMs")), forcePeriodMs);
    } finally {
      // What a hook throws goes to the event loop; the background continues, unless the hook has stopped it.
      if (this.running) this.#next(busy ? intervalMs : idleMs);
    }
  }
}

/** `ms` when it is a number above 0, Infinity too. */
export function positive(ms: number, name: string): number {
  if (typeof ms !== "number" || !(ms > 0)) throw new RangeError(`${name} must be above 0: ${show(ms)}`);
  return ms;
}

/** A timer that keeps no process alive, followed by an idle callback where the engine has them. */
function scheduleIdle(turn: (mostMs: number) => void, ms: number): () => void {
  let idle = 0;
  const timer = setTimeout(() => {
    if (typeof requestIdleCallback !== "function") turn(Number.POSITIVE_INFINITY);
    else {
      // With a timeout: a page that is never idle needs its memory, too.
      idle = requestIdleCallback(
        (deadline) => turn(deadline.didTimeout ? Number.POSITIVE_INFINITY : Math.max(deadline.timeRemaining(), 0.1)),
        { timeout: 1000 },
      );
    }
  }, ms);
  (timer as unknown as { unref?: () => void }).unref?.();
  return () => {
    clearTimeout(timer);
    if (idle !== 0) cancelIdleCallback(idle);
  };
}
