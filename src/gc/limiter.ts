/**
 * The GC CPU limiter: keeps a heap near its memory limit from spending all its time on collections.
 *
 * A leaky bucket of processor time. The collector's time fills it and the program's time drains it, one for one: at
 * half and half the level stays. A full bucket means that over a second per processor the collector has had more than
 * half: then `limiting` is true, and allocations pay no assists until the program has had time again. The heap may pass
 * its limit meanwhile; that is the price. The collector's time is: assists, a quarter of all time while a cycle runs
 * (the background workers), and all of the time between the two halves of a transition, when the world is stopped. Idle
 * time is neither's.
 *
 * Law: 0 <= fill <= capacity, and limiting only if fill == capacity. All times are milliseconds. One owner; no timers:
 * the time passes when it is told to look at the clock. Every method is O(1).
 */
import { within } from "../base/check.js";

/** Bucket per processor: the length of time over which the half is meant. */
export const CAPACITY_PER_PROC_MS = 1000;
/** An update pays off after this. */
export const UPDATE_PERIOD_MS = 10;
/** Share of all processors that a running cycle has. */
const BACKGROUND_UTILIZATION = 0.25;
const MAX_PROCS = 65536;
/** Differences below a nanosecond come from the floats, not from the clock. */
const ROUNDING_MS = 1e-6;

export interface LimiterOptions {
  /** Milliseconds from any origin, never going back: `() => performance.now()`. */
  readonly clock: () => number;
  /** Processors, or threads that may run at the same time, 1 to 65536. Default 1. */
  readonly procs?: number | undefined;
}

export class CPULimiter {
  readonly #clock: () => number;
  #procs: number;
  #capacity: number;
  #fill = 0;
  #overflow = 0;
  #limiting = false;
  #lastUpdate: number;
  #assistTime = 0;
  #idleTime = 0;
  #gcEnabled = false;
  #transitioning = false;

  /** An empty bucket, outside a cycle. Throws RangeError. */
  constructor(options: LimiterOptions) {
    this.#clock = options.clock;
    this.#procs = within(options.procs ?? 1, 1, MAX_PROCS, "procs");
    this.#capacity = this.#procs * CAPACITY_PER_PROC_MS;
    this.#lastUpdate = this.#clock();
  }

  /** Whether assists should be skipped, as of the last update. */
  get limiting(): boolean {
    return this.#limiting;
  }

  get fill(): number {
    return this.#fill;
  }

  get capacity(): number {
    return this.#capacity;
  }

  /** Time that did not fit into the bucket, since the beginning. */
  get overflow(): number {
    return this.#overflow;
  }

  /** Processor time of assists that the next update is to count; not negative. */
  addAssistTime(ms: number): void {
    this.#assistTime += ms;
  }

  /** Processor time in which there was nothing to do, or in which the collector worked only for that reason. */
  addIdleTime(ms: number): void {
    this.#idleTime += ms;
  }

  /** Whether the last update is longer ago than UPDATE_PERIOD_MS. */
  needUpdate(): boolean {
    return this.#clock() - this.#lastUpdate > UPDATE_PERIOD_MS;
  }

  /** Counts the time since the last update. Within a transition it does nothing: its end will count that. */
  update(): void {
    if (!this.#transitioning) this.#updateAt(this.#clock());
  }

  /**
   * The world stops; a cycle begins (true) or ends (false) with it. Throws if that is no change, or within a
   * transition.
   */
  startTransition(gcEnabled: boolean): void {
    if (this.#transitioning) throw new Error("startTransition within a transition: call finishTransition first");
    if (this.#gcEnabled === gcEnabled) throw new Error(`the cycle has ${gcEnabled ? "begun" : "ended"} already`);
    this.#updateAt(this.#clock());
    this.#gcEnabled = gcEnabled;
    this.#transitioning = true;
  }

  /**
   * The world runs again: the time since startTransition was the collector's on every processor. Throws outside one.
   */
  finishTransition(): void {
    if (!this.#transitioning) throw new Error("finishTransition outside a transition: call startTransition first");
    const now = this.#clock();
    if (now >= this.#lastUpdate) {
      this.#accumulate(0, (now - this.#lastUpdate) * this.#procs);
      this.#lastUpdate = now;
    }
    this.#transitioning = false;
  }

  /** Another number of processors from now on. What the bucket cannot hold any more is lost. Throws RangeError. */
  setProcs(procs: number): void {
    const count = within(procs, 1, MAX_PROCS, "procs");
    this.update();
    this.#procs = count;
    this.#capacity = count * CAPACITY_PER_PROC_MS;
    if (this.#fill > this.#capacity) {
      this.#fill = this.#capacity;
      this.#limiting = true;
    } else if (this.#fill < this.#capacity) {
      this.#limiting = false;
    }
  }

  #updateAt(now: number): void {
    if (now < this.#lastUpdate) return;
    const total = (now - this.#lastUpdate) * this.#procs;
    this.#lastUpdate = now;
    // The workers' share is of all the time; only the rest is the program's.
    const gc = this.#assistTime + (this.#gcEnabled ? total * BACKGROUND_UTILIZATION : 0);
    const mutator = total - this.#idleTime - gc;
    this.#assistTime = 0;
    this.#idleTime = 0;
    this.#accumulate(mutator, gc);
  }

  #accumulate(mutator: number, gc: number): void {
    const change = gc - mutator;
    if (Math.abs(change) < ROUNDING_MS) return;
    const room = this.#capacity - this.#fill;
    if (change > 0 && change >= room) {
      this.#overflow += change - room;
      this.#fill = this.#capacity;
      this.#limiting = true;
      return;
    }
    this.#fill = Math.max(this.#fill + change, 0);
    this.#limiting = false;
  }
}
