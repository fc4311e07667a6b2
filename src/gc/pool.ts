/**
 * Pool: things that may serve again, and that may vanish when the collector runs, as Go's sync.Pool.
 *
 *   private   the thing put first; the next get takes it
 *   shared    the others, the last one put first
 *   victims   what both of these were when the last cycle began
 *
 * When a cycle begins, the victims are dropped and the others become victims. So a thing that is not asked for is dropped
 * when the second cycle begins, and a pool does not have to be filled anew after each cycle. Go has a private slot and a
 * shared queue for each P, and others steal from the queue; values of JavaScript stay in their thread, and so there is one
 * of each.
 *
 * A cycle that a call of this collector's begins (collect, start, a turn of the background) is seen before it begins: what
 * a dropped handle has held dies in it. One that an allocation or another thread begins is seen by the next get or put,
 * or after LOOK_MS at most: then it dies in the next one.
 *
 * Owner: one thread. Whatever a pool has when its thread leaves the heap stays as it is, as the thread's handles do.
 * Cost: get and put one call of wasm; a cycle O(things in the pools).
 */
import { DISPOSE, runAll } from "../base/dispose.js";
import { DUE_CYCLES_SHIFT } from "../base/gcabi.js";
import { cancel, later } from "../base/timer.js";
import type { Core } from "./core.js";

/** Longest time between the begin of a cycle and the look at it, milliseconds. */
const LOOK_MS = 200;
/** Cycles are counted up to here, then from 0 on. */
const CYCLES_MASK = 2 ** (32 - DUE_CYCLES_SHIFT) - 1;

/** How things come into a pool and leave it. */
export interface PoolOptions<T> {
  /** Makes a thing when the pool is empty. Default: `get` gives undefined then. */
  readonly new?: (() => T) | undefined;
  /**
   * Called with what the pool drops: `(block) => heap.free(block)` for blocks of malloc's. Default: a thing with a dispose
   * method, such as a handle, is disposed of. What it throws is an unhandled rejection.
   */
  readonly drop?: ((thing: T) => void) | undefined;
}

/** What a pool has. */
interface Local<T> {
  private: T | undefined;
  shared: T[];
}

/** Things that may serve again: handles, blocks, or what you like but null and undefined. Made by Collector.pool. */
export class Pool<T, Empty = never> {
  readonly #pools: Pools;
  readonly #make: (() => T) | undefined;
  readonly #drop: (thing: T) => void;
  #local: Local<T> = { private: undefined, shared: [] };
  /** Oldest last: the next to be taken. */
  #victims: T[] = [];

  /** For Pools. */
  constructor(pools: Pools, { new: make, drop = disposeOf }: PoolOptions<T>) {
    this.#pools = pools;
    this.#make = make;
    this.#drop = drop;
  }

  /**
   * A thing that was put, or a new one; without the option `new` undefined when there is none. Nothing tells which: clear
   * it before use if it matters. Throws what `new` throws, HeapDisposedError.
   */
  get(): T | Empty {
    this.#pools.look();
    const local = this.#local;
    const first = local.private;
    if (first !== undefined) {
      local.private = undefined;
      return first;
    }
    const thing = local.shared.pop() ?? this.#victims.pop();
    if (thing !== undefined) return thing;
    return this.#make === undefined ? (undefined as Empty) : this.#make();
  }

  /** Gives a thing to whoever gets next: do not use it any more. Null and undefined are ignored. Throws HeapDisposedError. */
  put(thing: T): void {
    this.#pools.look();
    if (thing === null || thing === undefined) return;
    const local = this.#local;
    if (local.private === undefined) local.private = thing;
    else local.shared.push(thing);
    this.#pools.holds(this as Pool<unknown, unknown>);
  }

  /** How many things it has at this moment. */
  get size(): number {
    this.#pools.look();
    return this.#count();
  }

  /** Drops all that it has. */
  clear(): void {
    this.#pools.look();
    this.#pools.run([...Pool.age(this), ...Pool.age(this)]);
  }

  #count(): number {
    return (this.#local.private === undefined ? 0 : 1) + this.#local.shared.length + this.#victims.length;
  }

  /** For Pools: a cycle begins. The calls that drop what has been there for two. */
  static age<T>(pool: Pool<T, unknown>): (() => void)[] {
    const dropped = pool.#victims;
    const { private: first, shared } = pool.#local;
    pool.#victims = shared.reverse();
    if (first !== undefined) pool.#victims.push(first);
    pool.#local = { private: undefined, shared: [] };
    return dropped.map((thing) => () => pool.#drop(thing));
  }

  /** For Pools: whether it has nothing. */
  static isEmpty(pool: Pool<unknown, unknown>): boolean {
    return pool.#count() === 0;
  }
}

/** The pools of one collector. */
export class Pools {
  readonly #core: Core;
  /** Those that have something. */
  readonly #filled = new Set<Pool<unknown, unknown>>();
  /** Cycles begun, as of the last look. One more when this thread is about to begin one. */
  #seen: number;
  #timer: unknown = null;

  constructor(core: Core) {
    this.#core = core;
    this.#seen = 0;
  }

  make<T, Empty>(options: PoolOptions<T>): Pool<T, Empty> {
    if (this.#filled.size === 0) this.#seen = this.#cycles();
    return new Pool<T, Empty>(this, options);
  }

  /** A pool has something. */
  holds(pool: Pool<unknown, unknown>): void {
    this.#filled.add(pool);
    this.#timer ??= later(() => this.#turn(), LOOK_MS);
  }

  /** Sees the cycles that have begun since the last look. Throws HeapDisposedError. */
  look(): void {
    const cycles = this.#cycles();
    if (cycles === this.#seen) return;
    const begun = (cycles - this.#seen) & CYCLES_MASK;
    // One that this thread was about to begin did not.
    if (begun > CYCLES_MASK >>> 1) return;
    this.#seen = cycles;
    for (let i = Math.min(begun, 2); i > 0; i--) this.#age();
  }

  /** This thread is about to begin a cycle. */
  beforeCycle(): void {
    if (this.#filled.size === 0) return;
    this.look();
    this.#seen = (this.#cycles() + 1) & CYCLES_MASK;
    this.#age();
  }

  /** The heap has ended: everything is forgotten. */
  close(): void {
    cancel(this.#timer);
    this.#filled.clear();
  }

  /** Drops things, all of them; what that throws is an unhandled rejection. */
  run(steps: (() => void)[]): void {
    if (steps.length === 0) return;
    try {
      runAll(steps);
    } catch (error) {
      void Promise.reject(error);
    }
  }

  #cycles(): number {
    return this.#core.exports.gcDue() >>> DUE_CYCLES_SHIFT;
  }

  #age(): void {
    const steps: (() => void)[] = [];
    for (const pool of this.#filled) {
      steps.push(...Pool.age(pool));
      if (Pool.isEmpty(pool)) this.#filled.delete(pool);
    }
    this.run(steps);
  }

  #turn(): void {
    this.#timer = null;
    if (this.#core.closed) return;
    for (const pool of this.#filled) if (Pool.isEmpty(pool)) this.#filled.delete(pool);
    if (this.#filled.size === 0) return;
    this.#timer = later(() => this.#turn(), LOOK_MS);
    this.look();
  }
}

/** Disposes of what can be disposed of. */
function disposeOf(thing: unknown): void {
  if (typeof thing !== "object" || thing === null) return;
  (thing as { [DISPOSE]?: () => void })[DISPOSE]?.();
}
