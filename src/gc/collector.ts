/**
 * Collector: the heap's objects that free themselves, as JavaScript calls them. The same class, by the name
 * `heap.collector`, serves a heap of one thread (gomalloc) and one thread's end of a shared heap (gomalloc/shared).
 *
 * An object lives while a root reaches it: a handle, a pin, a registered range, an object that lives. An address in a
 * JavaScript variable is no root. This law protects it nevertheless:
 *
 *   A cycle frees only what no root reached when it began. What is allocated while it marks survives it.
 *
 * One thread: with `auto` off cycles begin only in collect, start and the background's turns, and between these an
 * address is good. With `auto` on any allocation of objects may begin a cycle, and a later one may end it. Inside
 * `inside` none begins.
 *
 * Shared heap: another thread may begin and end a whole cycle between any two calls. An address is good only inside
 * `inside`, where no cycle begins or ends; handles are good everywhere. Each thread calls its own Collector and no
 * other's; any thread may call any method, and a method that must be called inside, or must not be, says so. What
 * cannot be waited for (a dead thread, or one that stays inside) is a HeapLockError, and nothing has changed.
 *
 * Pointers are stored with the write barrier: store of a handle, writePointer, copy, clear. Objects do not move.
 *
 * Cost: a call takes some ns of wasm beside its work, unless it says more; on a shared heap also two atomic operations
 * for the gate, none inside `inside`. The collector works in slices within the calls that ask for it, and within
 * allocations.
 */
import { boolean, callable, namesOf, readOptions, u32, within } from "../base/check.js";
import { runAll } from "../base/dispose.js";
import { MisuseError, OutOfMemoryError, PinError, refusal } from "../base/errors.js";
import { BUSY, type CoreExports, MAX_OBJECT_BYTES, STAT_COLLECTING, STAT_SWEEPING } from "../base/gcabi.js";
import type { GCMemStats } from "../base/memstats.js";
import type { Threads } from "../base/threads.js";
import type { MemoryViews } from "../base/views.js";
import { type Arena, Arenas } from "./arena.js";
import { Background, type BackgroundOptions, positive } from "./background.js";
import { addressOf, Core, checkWritable, type Target, wordAddress } from "./core.js";
import { Cycles } from "./cycles.js";
import { type Cleanup, Finished } from "./finished.js";
import type { GCCycle } from "./gctrace.js";
import { Handle, Handles } from "./handle.js";
import { checkMarkerOptions, type MarkerOptions, runMarker } from "./marker.js";
import {
  applySettings,
  type CollectorOptions,
  type CollectorSettings,
  checkSettings,
  clockOf,
  readSettings,
  refuseLimiter,
  type Settings,
} from "./options.js";
import { type Pinner, Pinners } from "./pinner.js";
import { type Pool, type PoolOptions, Pools } from "./pool.js";
import { Recorder } from "./recorder.js";
import { type RootOptions, type RootRange, Roots } from "./roots.js";
import { type BlockHeap, ShadowStack } from "./shadowstack.js";
import { type GCPhase, type GCStats, readGCMemStats, readGCStats } from "./stats.js";
import { GCType, type GCTypeLayout, Types } from "./types.js";
import { WeakPointer } from "./weak.js";

/** An object without pointers that is smaller shares its 16 bytes with others. */
const TINY_SIZE = 16;
/** Bytes of a pointer's slot. */
const SLOT = 4;

const STEP_BUDGET = namesOf<StepBudget>({ budgetMs: 0, bytes: 0 });

const POOL_OPTIONS = namesOf<PoolOptions<unknown>>({ new: 0, drop: 0 });

/** How long a step may take: until one of the two is used up. */
export interface StepBudget {
  /** Milliseconds, above 0. Default 1 when `bytes` is not given either, else no bound. */
  readonly budgetMs?: number | undefined;
  /** Bytes to scan, above 0; Infinity: everything. Default no bound. */
  readonly bytes?: number | undefined;
}

export class Collector {
  readonly #core: Core;
  readonly #heap: BlockHeap;
  readonly #types: Types;
  readonly #handles: Handles;
  readonly #roots: Roots;
  readonly #pinners: Pinners;
  readonly #finished: Finished;
  readonly #arenas: Arenas;
  readonly #pools: Pools;
  readonly #recorder: Recorder;
  readonly #cycles: Cycles;
  #background: Background | null = null;

  /** For createCollector, with options that are checked. */
  constructor(core: Core, heap: BlockHeap, options: CollectorOptions) {
    this.#core = core;
    this.#heap = heap;
    this.#types = new Types(core);
    this.#handles = new Handles(core);
    this.#roots = new Roots(core);
    this.#pinners = new Pinners(core);
    this.#finished = new Finished(core, this.#handles);
    this.#pools = new Pools(core);
    this.#recorder = new Recorder(core, clockOf(options));
    this.#cycles = new Cycles(core, this.#recorder, this.#finished, this.#pools);
    this.#arenas = new Arenas({
      core,
      types: this.#types,
      handles: this.#handles,
      finished: this.#finished,
      array: (address, size, count) => {
        if (size * count > MAX_OBJECT_BYTES) throw new OutOfMemoryError(size * count);
        return this.#allocateTyped(address, size * count, count);
      },
      bytes: (size) => this.allocateBytes(size),
      reclaim: () => this.#reclaim(),
    });
    this.#set(options);
  }

  // Types and objects

  /**
   * A type: the size of an object and where its pointers are. Equal layouts share a record, which stays as long as the
   * heap. Throws RangeError, TypeError, OutOfMemoryError.
   */
  defineType<F extends string = never>(layout: GCTypeLayout<F>): GCType<F> {
    return this.#types.define(layout);
  }

  /**
   * The type with the number `id`, that of a GCType of another thread of a shared heap: the same record. Its fields
   * have no names here. Throws RangeError for what is no type's number.
   */
  typeFrom(id: number): GCType {
    return this.#types.from(id);
  }

  /**
   * An array of `count` objects of `type`, zeroed, and a handle that keeps it alive. Throws OutOfMemoryError,
   * RangeError, TypeError.
   */
  new<F extends string>(type: GCType<F>, count = 1): Handle<F> {
    return this.#rooted(
      () => this.allocate(type, count),
      type,
      () => type.size * count,
    );
  }

  /** `size` bytes in which the collector looks for no pointers, zeroed; at least 1. See `new`. */
  newBytes(size: number): Handle {
    return this.#rooted(
      () => this.allocateBytes(size),
      null,
      () => Math.max(size, 1),
    );
  }

  /**
   * `size` bytes, zeroed, of which any aligned word may be a pointer: for data of unknown layout. A number that looks
   * like an object's address keeps that object alive. See `new`.
   */
  newConservative(size: number): Handle {
    return this.#rooted(
      () => this.allocateConservative(size),
      null,
      () => Math.max(size, 1),
    );
  }

  /**
   * What `new` makes, without a handle: the bare address. A root must reach it before the next cycle begins, which with
   * `auto` may be at the next allocation. On a shared heap: call it inside.
   */
  allocate(type: GCType<string>, count = 1): number {
    const address = GCType.addressIn(this.#core, type);
    const bytes = type.size * within(count, 1, 0xffffffff, "count");
    if (bytes > MAX_OBJECT_BYTES) throw new OutOfMemoryError(bytes);
    if (type.ptrBytes === 0) return this.allocateBytes(bytes);
    return this.#allocateTyped(address, bytes, count);
  }

  /** What newBytes makes, without a handle: see allocate. `zeroed` false: contents undefined. */
  allocateBytes(size: number, zeroed = true): number {
    return this.#allocateUntyped(size, 0, boolean(zeroed, "zeroed") ? 1 : 0);
  }

  /** What newConservative makes, without a handle: see allocate. */
  allocateConservative(size: number): number {
    return this.#allocateUntyped(size, 1, 1);
  }

  /**
   * Frees an object by hand, before a cycle would, whichever thread made it; a handle that is given is disposed of.
   * Everything else that points to it dangles. free(null) does nothing. Throws MisuseError for what is not the start of
   * an object and for what Heap.free refuses, PinError.
   */
  free(target: Target): void {
    const ptr = addressOf(target);
    const { exports } = this.#core;
    if (ptr === 0) return;
    if (exports.objectOf(ptr) === 0 && exports.malloc_usable_size(ptr) !== 0) {
      throw new MisuseError("foreign-pointer", ptr, "free");
    }
    const kind = exports.freeObject(ptr);
    if (kind !== 0) throw refusal(kind, ptr, "free");
    if (Handle.isOf(this.#core, target)) target.dispose();
  }

  /**
   * True when `ptr` is the start of a live object of the collector's; of a tiny object's never. False, too, for what
   * the last cycle has found dead, except on a shared heap before the sweep has come to it: objectOf is exact there.
   */
  isObject(ptr: number): boolean {
    const { exports } = this.#core;
    u32(ptr, "ptr");
    if (this.#core.threads !== null) return exports.isObject(ptr) !== 0;
    return exports.objectOf(ptr) >>> 0 === ptr && exports.isObject(ptr) !== 0;
  }

  /**
   * Start of the live object that `ptr` points to or into; 0 when there is none, or the last cycle has found it dead.
   */
  objectOf(ptr: number): number {
    u32(ptr, "ptr");
    // Most addresses that are none are told without the gate.
    if (this.#core.exports.objectBase(ptr) === 0) return 0;
    return this.#core.exports.objectOf(ptr) >>> 0;
  }

  /**
   * Runs `fn`, during which no cycle begins, and on a shared heap none ends: addresses in variables stay good. Keep
   * `fn` short, and let it not wait for another thread: whoever collects waits for it. May be nested; collect, start
   * and step refuse to be called inside. What this thread owes is paid when it enters: with `auto` a cycle that is due
   * begins there. When memory runs out inside, no cycle frees any.
   */
  inside<T>(fn: () => T): T {
    callable(fn, "fn");
    this.#cycles.beforeInside();
    return this.#core.inside(fn);
  }

  // Roots

  /**
   * A handle for an object that exists already, given by an address in it or another handle; without a target, a handle
   * that holds no object yet. `type` is what load and store use; it is not checked against the object. On a shared heap
   * a bare address must still be good: call it inside. Throws NotAnObjectError, OutOfMemoryError.
   */
  handle<F extends string = never>(target?: Target | Handle<F>, type?: GCType<F>): Handle<F> {
    const empty = target === undefined;
    const ptr = addressOf(target ?? null);
    if (type !== undefined) GCType.addressIn(this.#core, type);
    const known = Handle.isOf(this.#core, target) ? (target as Handle<F>).type : null;
    return this.#core.atomic(() => {
      const base = empty ? 0 : this.#core.objectAt(ptr, "handle");
      return this.#handles.make(ptr, base, type ?? known, empty ? 0 : -1);
    });
  }

  /**
   * A handle over the slot of another handle, named by its id: how one thread of a shared heap hands an object to
   * another. Both hold what either sets, and the slot ends when the first of the two is disposed of. Throws RangeError
   * when `id` is no slot in use.
   */
  handleFrom<F extends string = never>(id: number, type?: GCType<F>): Handle<F> {
    if (type !== undefined) GCType.addressIn(this.#core, type);
    return this.#handles.from(id, type ?? null);
  }

  /**
   * A handle that disposes of itself some time after nothing in JavaScript refers to it any more, or never: the
   * engine's collector decides, and does not know how much memory a handle keeps. A handle that is given becomes such a
   * one itself. On engines without FinalizationRegistry dispose of it by hand.
   */
  wrap<F extends string = never>(target: Target | Handle<F>, type?: GCType<F>): Handle<F> {
    const handle = Handle.isOf(this.#core, target) ? (target as Handle<F>) : this.handle(target, type);
    Handle.wrap(handle);
    return handle;
  }

  /**
   * Keeps the object that `target` points to or into alive until as many calls of unpin, by any thread. How often it is
   * pinned now. On a shared heap a bare address must still be good: call it inside. Throws NotAnObjectError,
   * OutOfMemoryError.
   */
  pin(target: Target): number {
    const ptr = addressOf(target);
    return this.#core.atomic(() => {
      const count = this.#core.exports.pin(this.#core.objectAt(ptr, "pin")) >>> 0;
      if (count === 0) throw new OutOfMemoryError(8);
      return count;
    });
  }

  /** Undoes one pin. How many are left. Throws PinError when there is none. */
  unpin(target: Target): number {
    const ptr = addressOf(target);
    const left = this.#core.exports.unpin(ptr);
    if (left < 0) throw new PinError("not-pinned", ptr, "unpin");
    return left;
  }

  /** How often the object that `target` points to or into is pinned. */
  pins(target: Target): number {
    return this.#core.exports.pins(addressOf(target)) >>> 0;
  }

  /**
   * Takes every aligned word of `bytes` bytes from `start` on for a possible pointer, until the range is disposed of:
   * for memory that the collector does not know, such as a block of malloc's. Dispose of the range before the memory is
   * freed. On a shared heap store there inside, or by writePointer. Throws RangeError for what is not a multiple of 4,
   * not in the memory, or begins where another range does; OutOfMemoryError.
   */
  addRoots(start: number, bytes: number, options: RootOptions = {}): RootRange {
    return this.#roots.add(start, bytes, options);
  }

  /**
   * Undoes addRoots of the range that begins at `start`, whichever thread has registered it. False: there is none.
   * Throws RangeError.
   */
  removeRoots(start: number): boolean {
    return this.#roots.remove(start);
  }

  /** A stack of `slots` roots in linear memory. On a shared heap use it inside. Throws RangeError, OutOfMemoryError. */
  shadowStack(slots = 1024): ShadowStack {
    return new ShadowStack(this.#core, this.#heap, this.#roots, slots);
  }

  // The ends of objects

  /**
   * Calls `callback` with `held` some time after the object that `target` points to or into has died: as
   * FinalizationRegistry, and as Go's AddCleanup. Any number on one object, each called once, in a task of its own, by
   * this thread. The object is gone by then; freed by hand it counts as dead. Neither `callback` nor `held` may hold a
   * handle of the object, which would never die. On a shared heap a bare address must still be good: call it inside.
   * Throws NotAnObjectError, TypeError when `held` is the target, OutOfMemoryError.
   */
  onCollect<T = undefined>(target: Target, callback: (held: T) => void, held?: T): Cleanup {
    const ptr = addressOf(target);
    callable(callback, "callback");
    if (held !== undefined && (held as unknown) === target) {
      throw new TypeError("held must not be the target, which it would keep alive: pass what the callback needs of it");
    }
    return this.#finished.addCleanup(ptr, () => callback(held as T));
  }

  /**
   * Calls `callback` with the object when nothing reaches it any more, as Go's SetFinalizer: the object, and all it
   * points to, is kept for that call, and dies for good at a later cycle unless the callback has stored it somewhere.
   * An object's finalizer runs before those of the objects it points to; a cycle of objects that has one is never freed.
   * The handle is disposed of when the callback returns. One finalizer on an object; null takes it off, and is the only
   * case that gives false: there was none of this thread's, or it is about to run. Cleanups and weak pointers serve most
   * needs better. Throws NotAnObjectError, FinalizerError, OutOfMemoryError.
   */
  setFinalizer<F extends string = never>(
    target: Target | Handle<F>,
    callback: ((object: Handle<F>) => void) | null,
  ): boolean {
    const ptr = addressOf(target);
    if (callback === null) return this.#finished.removeFinalizer(ptr);
    callable(callback, "callback");
    const type = Handle.isOf(this.#core, target) ? (target as Handle<F>).type : null;
    this.#finished.setFinalizer(ptr, type, callback);
    return true;
  }

  /**
   * Runs the callbacks of onCollect and setFinalizer whose objects were found dead, now instead of in a task of their
   * own. How many. Throws what a callback throws, when all have run; of several an AggregateError.
   */
  runFinished(): number {
    this.#checkOpen();
    return this.#finished.run();
  }

  /**
   * A weak pointer to the address that `target` has, in a live object. Two of one address are equal, and share what they
   * take. On a shared heap a bare address must still be good: call it inside. Throws NotAnObjectError, OutOfMemoryError.
   */
  weak<F extends string = never>(target: Target | Handle<F>, type?: GCType<F>): WeakPointer<F> {
    const ptr = addressOf(target);
    if (type !== undefined) GCType.addressIn(this.#core, type);
    const known = Handle.isOf(this.#core, target) ? (target as Handle<F>).type : null;
    return WeakPointer.to(this.#core, this.#handles, ptr, type ?? known);
  }

  /**
   * A weak pointer over an indirection: what `weak.indirection` of another holds, as loaded from the field of an object,
   * on a shared heap in any thread. Throws RangeError for what is none, OutOfMemoryError.
   */
  weakFrom<F extends string = never>(indirection: Target, type?: GCType<F>): WeakPointer<F> {
    if (type !== undefined) GCType.addressIn(this.#core, type);
    return WeakPointer.from(this.#core, this.#handles, addressOf(indirection), type ?? null);
  }

  /** Pins that end together: `using pinner = gc.pinner()`. One that is dropped with pins is reported by a warning. */
  pinner(): Pinner {
    this.#checkOpen();
    return this.#pinners.make((object) => void this.pin(object));
  }

  // Arenas and pools

  /**
   * A region of objects that are freed together: `using arena = gc.arena()`. It keeps its objects alive until it is
   * freed, and so do pointers to them. For this thread. Throws OutOfMemoryError.
   */
  arena(): Arena {
    this.#checkOpen();
    return this.#arenas.make();
  }

  /**
   * A pool of things that may serve again, such as handles or blocks of malloc's: what nobody has taken when the second
   * cycle begins is dropped. For this thread. Throws TypeError.
   */
  pool<T>(options: PoolOptions<T> & { readonly new: () => T }): Pool<T>;
  pool<T>(options?: PoolOptions<T>): Pool<T, undefined>;
  pool<T>(options: PoolOptions<T> = {}): Pool<T, undefined> {
    const given = readOptions(options, POOL_OPTIONS, "pool");
    if (given.new !== undefined) callable(given.new, "new");
    if (given.drop !== undefined) callable(given.drop, "drop");
    this.#checkOpen();
    return this.#pools.make(given);
  }

  // Pointers in objects

  /**
   * Stores a pointer at `slot`, the address of a word of a live object or block, or of a registered range: with the
   * write barrier. Throws RangeError for any other address.
   */
  writePointer(slot: number, target: Target): void {
    const value = addressOf(target);
    checkWritable(this.#core.exports, this.#slot(slot), SLOT, "slot");
    this.#core.refuseFaulted(slot, "writePointer");
    this.#core.exports.writePointer(slot, value);
  }

  /** The word at `slot`. On a shared heap what it points to is good inside. Throws RangeError. */
  readPointer(slot: number): number {
    return this.#core.word(this.#slot(slot))!;
  }

  /**
   * Copies `count` elements of `type`, which may overlap, with the write barrier. `to` must lie in one live object or
   * block, or in one registered range. Throws RangeError, TypeError.
   */
  copy(type: GCType<string>, to: Target, from: Target, count = 1): void {
    const address = GCType.addressIn(this.#core, type);
    const source = this.#range(from, type, count, "from");
    const start = this.#range(to, type, count, "to");
    checkWritable(this.#core.exports, start, type.size * count, "to");
    this.#core.refuseFaulted(start, "copy");
    this.#core.refuseFaulted(source, "copy");
    this.#core.exports.typedMove(address, start, source, count);
  }

  /** Clears `count` elements of `type`, with the write barrier. `to` is as for copy. Throws RangeError, TypeError. */
  clear(type: GCType<string>, to: Target, count = 1): void {
    const address = GCType.addressIn(this.#core, type);
    const start = this.#range(to, type, count, "to");
    checkWritable(this.#core.exports, start, type.size * count, "to");
    this.#core.refuseFaulted(start, "clear");
    this.#core.exports.typedClear(address, start, count);
  }

  // Cycles

  /** What the collector is doing. On a shared heap: all threads together, at the time of the call. */
  get phase(): GCPhase {
    const { exports } = this.#core;
    if (exports.gcPhase() !== 0) return "mark";
    return exports.gcStat(STAT_SWEEPING) !== 0 ? "sweep" : "off";
  }

  /**
   * A whole cycle, begun now, marked and swept: when it returns, all that no root reached is free. A cycle that is
   * marking is ended first. Not inside. O(heap). Throws CheckmarkError, with the setting `checkmark`; so do step,
   * background turns, runMarker and, with `auto`, allocations.
   */
  collect(): void {
    this.#refuseInside("collect");
    this.#cycles.collect("force");
    this.#cycles.settle();
  }

  /**
   * Begins a cycle, sweeping what the last one has left. False: one is marking already, or another thread is about to
   * begin one. Not inside. O(roots + what is unswept).
   */
  start(): boolean {
    this.#refuseInside("start");
    if (this.#core.exports.gcPhase() !== 0) return false;
    const begun = this.#cycles.begin("force");
    if (begun === BUSY) this.#core.threads?.check();
    this.#cycles.settle();
    return begun === 1;
  }

  /**
   * Marks for a while, and ends the marking when there is nothing left. True: there is more, or another thread marks at
   * this moment. A slice of 64 KiB is done whole, and so are one object of up to 128 KiB and, at the end, the roots.
   * Without a cycle it does nothing. Not inside. Throws RangeError.
   */
  step(budget: StepBudget = {}): boolean {
    this.#refuseInside("step");
    const given = readOptions(budget, STEP_BUDGET, "step");
    const { bytes = Infinity, budgetMs = given.bytes === undefined ? 1 : Infinity } = given;
    positive(budgetMs, "budgetMs");
    positive(bytes, "bytes");
    if (this.#core.exports.gcPhase() === 0) return false;
    const more = this.#cycles.step(budgetMs, bytes);
    this.#cycles.settle();
    return more;
  }

  /**
   * Sweeps for `budgetMs` milliseconds, in slices of 512 KiB; by default all. True: there is more. Throws RangeError.
   */
  sweep(budgetMs = Infinity): boolean {
    positive(budgetMs, "budgetMs");
    const more = this.#cycles.sweep(budgetMs);
    this.#cycles.settle();
    return more;
  }

  /**
   * Lets timers of this thread do the collector's work between the program's tasks; see BackgroundOptions. Ends the one
   * before. Throws RangeError, TypeError, and what `schedule` throws; then the one before goes on.
   */
  background(options: BackgroundOptions = {}): Background {
    this.#checkOpen();
    const next = new Background({ turn: (budgetMs, periodMs) => this.#cycles.turn(budgetMs, periodMs) }, options);
    const before = this.#background;
    this.#background = next;
    // `schedule` may have disposed of the heap.
    if (this.#core.closed) runAll([() => next.stop(), () => void this.#core.exports.gcPhase()]);
    before?.stop();
    return next;
  }

  /**
   * Marks from here on until `signal` is aborted: sleeps until a cycle is due by the trigger and `auto`, marks it and
   * sweeps, with turns of the event loop between. For a worker of a shared heap that does little else: the other
   * threads run while it marks. In a heap of one thread it is a background that one can await. Resolves with the last
   * 100 records of its cycles. Rejects with RangeError, TypeError, CheckmarkError, HeapLockError, and what the hooks
   * throw.
   */
  async runMarker(options: MarkerOptions = {}): Promise<GCCycle[]> {
    const checked = checkMarkerOptions(options);
    this.#checkOpen();
    return runMarker(this.#core, checked, {
      begin: () => this.#cycles.begin("begin"),
      mark: (bytes) => this.#cycles.markOnce(bytes),
      sweep: (pages) => this.#cycles.sweepOnce(pages),
      settle: () => this.#cycles.settle(),
      last: () => this.#recorder.last,
    });
  }

  // Policy and figures

  /**
   * Changes the settings that are given. On a shared heap: for all threads, the hooks for this one. Throws RangeError,
   * TypeError, CollectorUnavailableError; then nothing has changed.
   */
  setOptions(settings: CollectorSettings): void {
    this.#set(readSettings(settings));
  }

  #set(settings: CollectorSettings): void {
    const changed = checkSettings(settings);
    if (this.#core.threads !== null) refuseLimiter(changed);
    this.#checkOpen();
    applySettings(this.#core.exports, changed);
    const { onCycle, trace, traceUnit, events } = settings;
    const { options } = this.#recorder;
    if (onCycle !== undefined) options.onCycle = onCycle;
    if (trace !== undefined) options.trace = trace;
    if (traceUnit !== undefined) options.traceUnit = traceUnit;
    if (events !== undefined) options.events = events;
    this.#cycles.set(changed);
  }

  /**
   * Milliseconds since this collector was made, by its clock: the time base of GCCycle.startedAt and of what is
   * recorded in `events`. Throws what a clock of the user's throws.
   */
  get now(): number {
    this.#checkOpen();
    return this.#recorder.now;
  }

  /** The settings in force: gcPercent is -1 for "off", memoryLimit Infinity for none. */
  get settings(): Readonly<Settings> {
    return this.#cycles.settings;
  }

  /** See GCStats. */
  stats(): GCStats {
    this.#recorder.look();
    const { exports } = this.#core;
    const stats = readGCStats({
      exports,
      recorder: this.#recorder,
      phase: this.phase,
      limited: this.#cycles.limited(),
      roots: this.#roots.size,
      callbacks: this.#finished.size,
    });
    this.#cycles.rest();
    return stats;
  }

  /** What MemStats has of it. */
  static memStats(collector: Collector): GCMemStats {
    collector.#recorder.look();
    return readGCMemStats(collector.#core.exports, collector.#recorder);
  }

  /**
   * For the end of the heap: every later call throws what the functions of `disposed` throw. Timers end, by functions
   * of the user's, and what those throw comes out of here.
   */
  static close(collector: Collector, disposed: CoreExports): void {
    collector.#finished.close();
    collector.#arenas.close();
    collector.#pools.close();
    collector.#core.close(disposed);
    collector.#background?.stop();
  }

  /** For a thread that is about to leave a shared heap: its callbacks do not run any more. */
  static leave(collector: Collector): void {
    collector.#finished.leave();
  }

  /** For a shared heap that has found the thread with this token dead. */
  static threadGone(collector: Collector, token: number): void {
    collector.#finished.threadGone(token);
  }

  // Allocation

  #allocateTyped(address: number, bytes: number, count: number): number {
    if (!this.#cycles.isDue()) {
      const ptr = this.#core.exports.newObject(address, count) >>> 0;
      if (ptr !== 0) return ptr;
    }
    return this.#payObject(bytes, address, count);
  }

  #allocateUntyped(size: number, scan: number, zeroed: number): number {
    const bytes = Math.max(u32(size, "size"), 1);
    if (!this.#cycles.isDue()) {
      const ptr = this.#core.exports.mallocgc(bytes, scan, zeroed) >>> 0;
      if (ptr !== 0) return ptr;
    }
    return this.#payUntyped(bytes, scan, zeroed);
  }

  // Apart, because a function that makes a closure costs something even when that part is not reached.
  #payObject(bytes: number, type: number, count: number): number {
    return this.#cycles.pay(bytes, () => this.#core.exports.newObject(type, count));
  }

  #payUntyped(bytes: number, scan: number, zeroed: number): number {
    return this.#cycles.pay(bytes, () => this.#core.exports.mallocgc(bytes, scan, zeroed));
  }

  /** A shared heap, where memory was out inside the gate: a whole cycle, if allocating may begin one. */
  #reclaim(): boolean {
    if (this.#core.threads === null || this.#core.exports.gcStat(STAT_COLLECTING) === 0) return false;
    this.#cycles.collect("begin");
    return true;
  }

  /** A handle of what `allocate` makes, whose bytes `size` knows afterwards. No cycle comes between. */
  #rooted<F extends string>(allocate: () => number, type: GCType<F> | null, size: () => number): Handle<F> {
    return this.#core.atomic(() => {
      const ptr = allocate();
      const bytes = size();
      const base = bytes < TINY_SIZE ? this.#core.exports.objectOf(ptr) >>> 0 : ptr;
      return this.#handles.make(ptr, base, type, bytes);
    });
  }

  // Pointers

  #slot(slot: number): number {
    wordAddress(slot, "slot");
    if (slot === 0 || !this.#core.views.reaches(slot + 4)) {
      throw new RangeError(`slot is not in the memory: ${slot}`);
    }
    return slot;
  }

  /** The address of `count` elements, which have to be in the memory. */
  #range(target: Target, type: GCType<string>, count: number, name: string): number {
    const ptr = wordAddress(addressOf(target, name), name);
    const end = ptr + type.size * within(count, 0, 0xffffffff, "count");
    if (ptr === 0 || !this.#core.views.reaches(end)) {
      throw new RangeError(`${name}: ${count} elements from ${ptr} are not in the memory`);
    }
    return ptr;
  }

  // Cycles

  /** Throws HeapDisposedError. */
  #checkOpen(): void {
    this.#core.exports.gcPhase();
  }

  #refuseInside(call: string): void {
    if (!this.#core.isInside) return;
    throw new RangeError(`${call}() inside inside() would wait for itself: call it after inside() has returned`);
  }
}

/**
 * The collector of a heap, by options that are checked (checkCollectorOptions). `threads` null: a heap of one thread.
 */
export function createCollector(
  exports: CoreExports,
  views: MemoryViews<ArrayBufferLike>,
  heap: BlockHeap,
  threads: Threads | null,
  options: CollectorOptions = {},
): Collector {
  return new Collector(new Core(exports, views, threads), heap, options);
}
