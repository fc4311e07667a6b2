/**
 * Collector: the heap's objects that free themselves, as JavaScript calls them.
 *
 * An object lives while a root reaches it: a handle, a pin, a registered range, an object that lives. An address in a
 * JavaScript variable is no root. What protects it all the same is this law:
 *
 *   A cycle frees only what no root reached when it began. What is allocated while it marks survives it.
 *
 * With `auto` off cycles begin in collect, start and the background's turns only, and between these an address is good.
 * With `auto` on any allocation of collected objects may begin a cycle, and an allocation after that may end it.
 *
 * Pointers are stored with the write barrier: store of a handle, writePointer, copy, clear. Objects do not move.
 *
 * One thread. The cost of a call is a wasm call of some ns beside its work, but where it says more; the collector's
 * work is done in slices within the calls that ask for it, and within allocations.
 */
import { boolean, namesOf, readOptions, u32, within } from "../base/check.js";
import { runAll } from "../base/dispose.js";
import { CheckmarkError, MisuseError, OutOfMemoryError, PinError, refusal } from "../base/errors.js";
import {
  DUE_START,
  MAX_OBJECT_BYTES,
  STAT_CHECK_FAILED_AT,
  STAT_HEAP_LIVE,
  STAT_SWEEPING,
  STAT_TRIGGER,
} from "../base/gcabi.js";
import type { GCMemStats } from "../base/memstats.js";
import type { MemoryViews } from "../base/views.js";
import { Background, type BackgroundOptions, positive } from "./background.js";
import { addressOf, Core, type CoreExports, checkWritable, type Target, wordAddress } from "./core.js";
import { Handle, Handles } from "./handle.js";
import {
  applySettings,
  type CollectorOptions,
  type CollectorSettings,
  checkSettings,
  clockOf,
  DEFAULT_SETTINGS,
  readSettings,
  type Settings,
} from "./options.js";
import { Recorder } from "./recorder.js";
import { type RootOptions, type RootRange, Roots } from "./roots.js";
import { type BlockHeap, ShadowStack } from "./shadowstack.js";
import { type GCPhase, type GCStats, readGCMemStats, readGCStats } from "./stats.js";
import { GCType, type GCTypeLayout, Types } from "./types.js";

/** Bytes and pages between two looks at the clock: some 0.1 to 0.3 ms of work. */
const SLICE_BYTES = 64 << 10;
const SLICE_PAGES = 64;
/** Slices of a collection that nobody wants to be short. */
const LONG_SLICE_BYTES = 1 << 20;
const LONG_SLICE_PAGES = 4096;
/** Below this an object without pointers shares its 16 bytes with others. */
const TINY_SIZE = 16;
/** Bytes of a pointer's slot. */
const SLOT = 4;

const STEP_BUDGET = namesOf<StepBudget>({ budgetMs: 0, bytes: 0 });

/** How long a step may take: until the first of the two is used up. */
export interface StepBudget {
  /** Milliseconds, above 0. Default 1 when `bytes` is not given either, else no bound. */
  readonly budgetMs?: number | undefined;
  /** Bytes to scan, above 0; Infinity: all that there is. Default no bound. */
  readonly bytes?: number | undefined;
}

export class Collector {
  readonly #core: Core;
  readonly #heap: BlockHeap;
  readonly #types: Types;
  readonly #handles: Handles;
  readonly #roots: Roots;
  readonly #recorder: Recorder;
  #settings: Settings = { ...DEFAULT_SETTINGS };
  /** What gcDue has to be for an allocation to need no look at the clock: its bits of interest. */
  #interest = ~DUE_START;
  /** Whether wasm begins cycles by itself now: auto, and not held back. */
  #collecting = false;
  #background: Background | null = null;
  #flushing = false;

  /** For createCollector, with options that are checked. */
  constructor(core: Core, heap: BlockHeap, options: CollectorOptions) {
    this.#core = core;
    this.#heap = heap;
    this.#types = new Types(core);
    this.#handles = new Handles(core);
    this.#roots = new Roots(core);
    this.#recorder = new Recorder(core, clockOf(options));
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
   * An array of `count` objects of `type`, zeroed, and a handle that keeps it alive. Throws OutOfMemoryError,
   * RangeError, TypeError.
   */
  new<F extends string>(type: GCType<F>, count = 1): Handle<F> {
    const ptr = this.allocate(type, count);
    return this.#rooted(ptr, type, type.size * count);
  }

  /** `size` bytes in which the collector looks for no pointers, zeroed; at least 1. See `new`. */
  newBytes(size: number): Handle {
    return this.#rooted(this.allocateBytes(size), null, Math.max(size, 1));
  }

  /**
   * `size` bytes, zeroed, of which any aligned word may be a pointer: for data whose layout nobody knows. A number that
   * looks like an object's address keeps that object alive. See `new`.
   */
  newConservative(size: number): Handle {
    return this.#rooted(this.allocateConservative(size), null, Math.max(size, 1));
  }

  /**
   * What `new` makes, without a handle: the bare address. It has to be reachable from a root before the next cycle
   * begins, which with `auto` may be the next allocation.
   */
  allocate(type: GCType<string>, count = 1): number {
    const address = GCType.addressIn(this.#core, type);
    const bytes = type.size * within(count, 1, 0xffffffff, "count");
    if (bytes > MAX_OBJECT_BYTES) throw new OutOfMemoryError(bytes);
    if (type.ptrBytes === 0) return this.allocateBytes(bytes);
    if (!this.#isDue()) {
      const ptr = this.#core.exports.newObject(address, count) >>> 0;
      if (ptr !== 0) return ptr;
    }
    return this.#payObject(bytes, address, count);
  }

  /** What newBytes makes, without a handle. `zeroed` false: contents undefined. */
  allocateBytes(size: number, zeroed = true): number {
    return this.#allocateUntyped(size, 0, boolean(zeroed, "zeroed") ? 1 : 0);
  }

  /** What newConservative makes, without a handle. */
  allocateConservative(size: number): number {
    return this.#allocateUntyped(size, 1, 1);
  }

  /**
   * Frees an object by hand, before a cycle would; a handle that is given is disposed of. Whatever else points to it
   * dangles. free(null) does nothing. Throws MisuseError for what is no object's start and for what Heap.free refuses,
   * PinError.
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

  /** True when `ptr` is the start of a live object of the collector's; of a tiny object's never. */
  isObject(ptr: number): boolean {
    const { exports } = this.#core;
    return exports.objectOf(u32(ptr, "ptr")) >>> 0 === ptr && exports.isObject(ptr) !== 0;
  }

  // Roots

  /**
   * A handle for an object that is there already, given by an address in it or another handle. `type` is what load and
   * store go by, and is believed. Throws NotAnObjectError, OutOfMemoryError.
   */
  handle<F extends string = never>(target: Target | Handle<F>, type?: GCType<F>): Handle<F> {
    const ptr = addressOf(target);
    if (type !== undefined) GCType.addressIn(this.#core, type);
    const known = Handle.isOf(this.#core, target) ? (target as Handle<F>).type : null;
    return this.#handles.make(ptr, this.#core.objectAt(ptr, "handle"), type ?? known, -1);
  }

  /**
   * A handle that disposes of itself when the engine's collector finds that nothing in JavaScript has it any more: at
   * some time after, or never, as that does not know how much memory a handle keeps. A handle that is given becomes
   * such a one itself. On engines without FinalizationRegistry it has to be disposed of by hand.
   */
  wrap<F extends string = never>(target: Target | Handle<F>, type?: GCType<F>): Handle<F> {
    const handle = Handle.isOf(this.#core, target) ? (target as Handle<F>) : this.handle(target, type);
    Handle.wrap(handle);
    return handle;
  }

  /**
   * Keeps the object that `target` points to or into alive until as many calls of unpin. How often it is pinned now.
   * Throws NotAnObjectError, OutOfMemoryError.
   */
  pin(target: Target): number {
    const base = this.#core.objectAt(addressOf(target), "pin");
    const count = this.#core.exports.pin(base) >>> 0;
    if (count === 0) throw new OutOfMemoryError(8);
    return count;
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
   * memory that the collector does not know, such as a block of malloc's. Dispose of the range before the memory is
   * freed. Throws RangeError for what is not a multiple of 4, not in the memory, or begins where another range does;
   * OutOfMemoryError.
   */
  addRoots(start: number, bytes: number, options: RootOptions = {}): RootRange {
    return this.#roots.add(start, bytes, options);
  }

  /** A stack of `slots` roots in linear memory. Throws RangeError, OutOfMemoryError. */
  shadowStack(slots = 1024): ShadowStack {
    return new ShadowStack(this.#core, this.#heap, this.#roots, slots);
  }

  // Pointers in objects

  /**
   * Stores a pointer at `slot`, the address of a word of a live object or block, or of a registered range: with the write
   * barrier. Throws RangeError for any other address.
   */
  writePointer(slot: number, target: Target): void {
    const value = addressOf(target);
    checkWritable(this.#core.exports, this.#slot(slot), SLOT, "slot");
    this.#core.exports.writePointer(slot, value);
  }

  /** The word at `slot`. Throws RangeError. */
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
    this.#core.exports.typedMove(address, start, source, count);
  }

  /** Clears `count` elements of `type`, with the write barrier. `to` is as for copy. Throws RangeError, TypeError. */
  clear(type: GCType<string>, to: Target, count = 1): void {
    const address = GCType.addressIn(this.#core, type);
    const start = this.#range(to, type, count, "to");
    checkWritable(this.#core.exports, start, type.size * count, "to");
    this.#core.exports.typedClear(address, start, count);
  }

  // Cycles

  /** Marking; between two cycles with spans left to sweep; or at rest. */
  get phase(): GCPhase {
    const { exports } = this.#core;
    if (exports.gcPhase() !== 0) return "mark";
    return exports.gcStat(STAT_SWEEPING) !== 0 ? "sweep" : "off";
  }

  /**
   * A whole cycle, begun now, marked and swept: when it returns, all that no root reaches is free. A cycle that is
   * marking is ended first. O(heap). Throws CheckmarkError, with the setting `checkmark`; so do step, background turns and,
   * with `auto`, allocations.
   */
  collect(): void {
    this.#collect("force");
    this.#settle();
  }

  /** Begins a cycle, sweeping what the last one has left. False: one is marking already. O(roots + what is unswept). */
  start(): boolean {
    if (this.#core.exports.gcPhase() !== 0) return false;
    this.#begin("force");
    this.#settle();
    return true;
  }

  /**
   * Marks for a while, and ends the marking when there is nothing left. True: there is. A slice of 64 KiB is done
   * whole, and so are one object of up to 128 KiB and, at the end, the roots. Without a cycle it does nothing. Throws
   * RangeError.
   */
  step(budget: StepBudget = {}): boolean {
    const given = readOptions(budget, STEP_BUDGET, "step");
    const { bytes = Infinity, budgetMs = given.bytes === undefined ? 1 : Infinity } = given;
    positive(budgetMs, "budgetMs");
    positive(bytes, "bytes");
    if (this.#core.exports.gcPhase() === 0) return false;
    const more = this.#mark("mark", SLICE_BYTES, budgetMs, bytes);
    this.#settle();
    return more;
  }

  /**
   * Sweeps for `budgetMs` milliseconds, in slices of 512 KiB; by default all. True: there is more. Throws RangeError.
   */
  sweep(budgetMs = Infinity): boolean {
    positive(budgetMs, "budgetMs");
    const more = this.#sweep(budgetMs === Infinity ? LONG_SLICE_PAGES : SLICE_PAGES, budgetMs);
    this.#settle();
    return more;
  }

  /**
   * Lets timers do the collector's work between the program's tasks; see BackgroundOptions. Ends the one before. Throws
   * RangeError, TypeError, and what `schedule` throws; then the one before goes on.
   */
  background(options: BackgroundOptions = {}): Background {
    // Nothing of a heap that is gone.
    this.#core.exports.gcPhase();
    const next = new Background({ turn: (budgetMs, periodMs) => this.#turn(budgetMs, periodMs) }, options);
    const before = this.#background;
    this.#background = next;
    // `schedule` may have disposed of the heap.
    if (this.#core.closed) runAll([() => next.stop(), () => void this.#core.exports.gcPhase()]);
    before?.stop();
    return next;
  }

  // Policy and figures

  /** Changes the settings that are given. Throws RangeError, TypeError; then nothing has changed. */
  setOptions(settings: CollectorSettings): void {
    this.#set(readSettings(settings));
  }

  #set(settings: CollectorSettings): void {
    const changed = checkSettings(settings);
    // Nothing of a heap that is gone.
    this.#core.exports.gcPhase();
    applySettings(this.#core.exports, changed);
    this.#settings = { ...this.#settings, ...changed };
    const { onCycle, trace, traceUnit, events } = settings;
    const { options } = this.#recorder;
    if (onCycle !== undefined) options.onCycle = onCycle;
    if (trace !== undefined) options.trace = trace;
    if (traceUnit !== undefined) options.traceUnit = traceUnit;
    if (events !== undefined) options.events = events;
    this.#hold();
    this.#interest = this.#settings.auto ? ~0 : ~DUE_START;
  }

  /** The settings in force: gcPercent is -1 for "off", memoryLimit Infinity for none. */
  get settings(): Readonly<Settings> {
    return { ...this.#settings };
  }

  /** See GCStats. */
  stats(): GCStats {
    this.#recorder.look();
    const { exports } = this.#core;
    const stats = readGCStats({
      exports,
      recorder: this.#recorder,
      phase: this.phase,
      limited: this.#limited(),
      roots: this.#roots.size,
    });
    this.#rest();
    return stats;
  }

  /** What MemStats has of it. */
  static memStats(collector: Collector): GCMemStats {
    collector.#recorder.look();
    return readGCMemStats(collector.#core.exports, collector.#recorder);
  }

  /**
   * For the end of the heap: every later call throws what the functions of `disposed` throw; timers end, by functions of
   * the user's, whose errors come out of here.
   */
  static close(collector: Collector, disposed: CoreExports): void {
    collector.#core.close(disposed);
    collector.#background?.stop();
  }

  // Allocation

  #allocateUntyped(size: number, scan: number, zeroed: number): number {
    const bytes = Math.max(u32(size, "size"), 1);
    if (!this.#isDue()) {
      const ptr = this.#core.exports.mallocgc(bytes, scan, zeroed) >>> 0;
      if (ptr !== 0) return ptr;
    }
    return this.#payUntyped(bytes, scan, zeroed);
  }

  /** Whether the next allocation may have to do the collector's work, or cycles have gone on unseen. */
  #isDue(): boolean {
    return (this.#core.exports.gcDue() & this.#interest) !== this.#recorder.seen;
  }

  // Apart, because a function that makes a closure costs something even where it does not come to that.
  #payObject(bytes: number, type: number, count: number): number {
    return this.#pay(bytes, () => this.#core.exports.newObject(type, count));
  }

  #payUntyped(bytes: number, scan: number, zeroed: number): number {
    return this.#pay(bytes, () => this.#core.exports.mallocgc(bytes, scan, zeroed));
  }

  /** An allocation at which the collector may work, with the clock running. Throws OutOfMemoryError. */
  #pay(bytes: number, allocate: () => number): number {
    let ptr = 0;
    if (this.#settings.auto) this.#hold();
    this.#recorder.run("assist", () => {
      ptr = allocate() >>> 0;
      return 0;
    });
    if (this.#settings.auto) this.#hold();
    this.#flushLater();
    this.#report();
    return ptr || this.#again(bytes, allocate);
  }

  /** Memory is out: where cycles were held back, once more after one. Throws OutOfMemoryError. */
  #again(bytes: number, allocate: () => number): number {
    if (!this.#settings.auto || this.#collecting) throw new OutOfMemoryError(bytes);
    this.#collect("begin");
    this.#flushLater();
    return allocate() >>> 0 || outOfMemory(bytes);
  }

  /** The object just made has no root yet: hooks, which may allocate, have to wait. */
  #flushLater(): void {
    if (!this.#recorder.waiting || this.#flushing) return;
    this.#flushing = true;
    void Promise.resolve().then(() => {
      this.#flushing = false;
      this.#recorder.flush();
    });
  }

  #rooted<F extends string>(ptr: number, type: GCType<F> | null, bytes: number): Handle<F> {
    const base = bytes < TINY_SIZE ? this.#core.exports.objectOf(ptr) >>> 0 : ptr;
    return this.#handles.make(ptr, base, type, bytes);
  }

  // Pointers

  #slot(slot: number): number {
    wordAddress(slot, "slot");
    if (slot === 0 || slot + 4 > this.#core.views.current.buffer.byteLength) {
      throw new RangeError(`slot is not in the memory: ${slot}`);
    }
    return slot;
  }

  /** The address of `count` elements, which have to be in the memory. */
  #range(target: Target, type: GCType<string>, count: number, name: string): number {
    const ptr = wordAddress(addressOf(target, name), name);
    const end = ptr + type.size * within(count, 0, 0xffffffff, "count");
    if (ptr === 0 || end > this.#core.views.current.buffer.byteLength) {
      throw new RangeError(`${name}: ${count} elements from ${ptr} are not in the memory`);
    }
    return ptr;
  }

  // Cycles

  #collect(kind: "begin" | "force"): void {
    if (this.#core.exports.gcPhase() !== 0) this.#mark("mark", LONG_SLICE_BYTES, Infinity, Infinity);
    this.#begin(kind);
    this.#mark("mark", LONG_SLICE_BYTES, Infinity, Infinity);
    this.#sweep(LONG_SLICE_PAGES, Infinity);
  }

  #begin(kind: "begin" | "force"): void {
    this.#recorder.run(kind, () => this.#core.exports.gcStart());
  }

  /** Marks in slices until one of the budgets is used up. True: there is something left. */
  #mark(kind: "mark" | "idle", slice: number, budgetMs: number, bytes: number): boolean {
    const { exports } = this.#core;
    const recorder = this.#recorder;
    recorder.run(kind, () => {
      let done = 0;
      const end = recorder.slice() + budgetMs;
      do done += exports.gcStep(Math.min(slice, bytes - done));
      while (exports.gcPhase() !== 0 && done < bytes && recorder.slice() < end);
      return done;
    });
    return exports.gcPhase() !== 0;
  }

  #sweep(slice: number, budgetMs: number): boolean {
    const { exports } = this.#core;
    const recorder = this.#recorder;
    recorder.run("sweep", () => {
      const end = recorder.slice() + budgetMs;
      let done = 0;
      let pages = 0;
      do {
        pages = exports.gcSweep(slice) >>> 0;
        done += pages;
      } while (pages >= slice && recorder.slice() < end);
      return done;
    });
    return exports.gcStat(STAT_SWEEPING) !== 0;
  }

  /** A turn of the background. */
  #turn(budgetMs: number, periodMs: number): boolean {
    const { exports } = this.#core;
    const recorder = this.#recorder;
    recorder.look();
    if (this.#limited()) return false;
    let busy = true;
    if (exports.gcPhase() !== 0) this.#mark("idle", SLICE_BYTES, budgetMs, Infinity);
    else if (exports.gcStat(STAT_SWEEPING) !== 0) this.#sweep(SLICE_PAGES, budgetMs);
    else if (exports.gcStat(STAT_HEAP_LIVE) >= exports.gcStat(STAT_TRIGGER) || this.#isLate(periodMs)) {
      this.#begin("begin");
    } else busy = false;
    this.#settle();
    return busy;
  }

  /** Whether the last cycle is longer ago than `periodMs`. */
  #isLate(periodMs: number): boolean {
    const { numGC, lastEnd, now } = this.#recorder;
    return numGC > 0 && this.#settings.gcPercent >= 0 && now - lastEnd >= periodMs;
  }

  /** Whether the limiter says to rest. */
  #limited(): boolean {
    if (!this.#settings.limiter) return false;
    this.#recorder.limiter.update();
    return this.#recorder.limiter.limiting;
  }

  /** Lets wasm begin cycles by itself, or not. */
  #hold(): void {
    const collecting = this.#settings.auto && !this.#limited();
    if (collecting === this.#collecting) return;
    this.#core.exports.setCollecting(collecting ? 1 : 0);
    this.#collecting = collecting;
  }

  /** The end of a call that worked: nothing is in flight, the hooks may run. */
  #settle(): void {
    this.#rest();
    this.#report();
  }

  #rest(): void {
    if (this.#settings.auto) this.#hold();
    this.#recorder.flush();
  }

  /** Throws CheckmarkError for what a check of the marks has noted, once. */
  #report(): void {
    if (!this.#settings.checkmark) return;
    const { exports } = this.#core;
    const address = exports.gcStat(STAT_CHECK_FAILED_AT);
    if (address === 0) return;
    exports.setCheckmark(1);
    throw new CheckmarkError(address);
  }
}

function outOfMemory(size: number): never {
  throw new OutOfMemoryError(size);
}

/** The collector of a heap, by options that are checked (checkCollectorOptions). */
export function createCollector(
  exports: CoreExports,
  views: MemoryViews<ArrayBufferLike>,
  heap: BlockHeap,
  options: CollectorOptions = {},
): Collector {
  return new Collector(new Core(exports, views), heap, options);
}
