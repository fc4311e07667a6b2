/**
 * SharedCollector: one thread's end of the collector of a shared heap.
 *
 * Objects live while a root reaches them: a handle, a pin, a registered range, an object that lives. An address in a variable
 * is no root, and on a shared heap a cycle may begin and end between any two calls: whatever uses addresses does so in
 * `inside`, during which no cycle begins or ends. Stores of pointers go by writePointer, typedMove and typedClear.
 *
 * Marking is done beside the program by a worker that runs `runMarker`. Without one, threads that allocate do it step by step.
 *
 * For the heap's own thread. Cost: a call takes the gate of the thread's P, two atomic operations; inside of `inside` none.
 */
import { boolean, callable, object, reading, u32, within } from "../base/check.js";
import { HeapLockError, NotAnObjectError, OutOfMemoryError, PinError, refusal } from "../base/errors.js";
import { checkWritable, wordAddress } from "../gc/core.js";
import { checkHeapMinimum, checkMemoryLimit } from "../gc/options.js";
import { checkRange } from "../gc/roots.js";
import { type CollectorExports, DONE, NO_HANDLE, reportCheckmark, STATS } from "./gcabi.js";
import { type CollectorHost, type CycleRecord, checkMarkerOptions, type MarkerOptions, runMarker } from "./marker.js";

const MAX_TYPE_BYTES = 131_072;
/** A type's record, as assembly/gc/typebits.ts has it: size, bytes up to its last pointer and, in word 3, its tag. */
const TYPE_MASK = 16;
const TYPE_TAG = 0x676f7470;
/** Words of a range that are one element, and its bytes at most. */
const MAX_COUNT = 0x3fffffff;
/** Bytes, about, of a pin. */
const PIN_BYTES = 8;

/** Figures of the collector, over all threads; bytes but where a name says otherwise. */
export type CollectorStats = Readonly<Record<keyof typeof STATS, number>>;

export class SharedCollector {
  readonly #exports: () => CollectorExports;
  readonly #host: CollectorHost;
  #inside = 0;

  /** For SharedHeap, whose `gc` it is. */
  constructor(exports: () => CollectorExports, host: CollectorHost) {
    this.#exports = exports;
    this.#host = host;
  }

  // Objects

  /**
   * A type of `size` bytes, 4 to 131072 and a multiple of 4, with pointers at the byte offsets `pointers`. Its number is good
   * in all threads and never freed. Throws RangeError, OutOfMemoryError.
   */
  newType(size: number, pointers: readonly number[]): number {
    within(wordAddress(size, "size"), 4, MAX_TYPE_BYTES, "size");
    object(pointers, "pointers");
    const offsets = reading("pointers", () => [...pointers]);
    let last = 0;
    for (const at of offsets)
      last = Math.max(last, within(wordAddress(at, "pointers[]"), 0, size - 4, "pointers[]") + 4);
    const type = this.#had(this.#ready().newType(size, last) >>> 0, size);
    const words = this.#host.words();
    for (const at of offsets) Atomics.or(words, (type + TYPE_MASK + ((at >>> 7) << 2)) >>> 2, 1 << ((at >>> 2) & 31));
    return type;
  }

  /** A zeroed array of `n` elements of `type`; call it inside. Throws OutOfMemoryError, RangeError for what is no type. */
  newObject(type: number, n = 1): number {
    const size = this.#sizeOf(type);
    within(n, 1, MAX_COUNT, "n");
    return this.#had(this.#ready().newObject(type, n) >>> 0, size * n);
  }

  /** True when `ptr` is the start of a live object of the collector's. */
  isObject(ptr: number): boolean {
    u32(ptr, "ptr");
    return this.#asking().isObject(ptr) === 1;
  }

  /** Start of the live object that `ptr` points to or into, 0 when there is none. Throws HeapLockError. */
  objectOf(ptr: number): number {
    if (!this.#isInBlock(ptr)) return 0;
    return this.#gated((exports) => exports.objectOf(ptr)) >>> 0;
  }

  /**
   * Frees an object by hand, of whichever thread: nothing may point to it any more. False: it is no live object. Throws
   * PinError.
   */
  free(ptr: number): boolean {
    const kind = this.#ready().freeObject(u32(ptr, "ptr"));
    const error = kind === 0 ? null : refusal(kind, ptr, "free");
    if (error instanceof PinError) throw error;
    return kind === 0;
  }

  /**
   * Runs `fn`, during which no cycle begins or ends: addresses in variables stay good. It must not wait for anybody, and be
   * short: whoever collects waits for it. May be nested.
   */
  inside<T>(fn: () => T): T {
    callable(fn, "fn");
    if (this.#ready().gcEnter() !== DONE) throw this.#stuck();
    this.#inside++;
    try {
      return fn();
    } finally {
      // Not if `fn` has detached the heap.
      if (this.#inside > 0) {
        this.#inside--;
        this.#exports().gcLeave();
      }
    }
  }

  /** For SharedHeap: the P was abandoned, and the gate with it. */
  forget(): void {
    this.#inside = 0;
  }

  /** For SharedHeap: comes out of `inside`, however deep, because the thread leaves the heap. */
  leave(): void {
    for (; this.#inside > 0; this.#inside--) this.#exports().gcLeave();
  }

  // Roots

  /**
   * A handle for the object that begins at `ptr`, or for none yet: a root with a number, good in all threads. Throws
   * NotAnObjectError before anything is locked, OutOfMemoryError, and as all that follow here HeapLockError, which changes
   * nothing.
   */
  handle(ptr = 0): number {
    this.#checkObject(ptr, "handle");
    const handle = this.#gated((exports) => exports.handleNew(this.#living(exports, ptr, "handle")), 0);
    return this.#had(handle, 4);
  }

  /** The object of a handle, 0 for none; of one at an odd address, the block that it is in. */
  get(handle: number): number {
    u32(handle, "handle");
    const ptr = this.#gated((exports) => exports.handleGet(handle), 0) >>> 0;
    return ptr === NO_HANDLE ? 0 : ptr;
  }

  /**
   * Lets a handle hold the object that begins at `ptr`, or none: 0. Throws RangeError when it is no handle, NotAnObjectError
   * as handle() does.
   */
  set(handle: number, ptr: number): void {
    u32(handle, "handle");
    this.#checkObject(ptr, "set");
    const set = this.#gated((exports) => exports.handleSet(handle, this.#living(exports, ptr, "set")), 0);
    if (set !== 1) throw noHandle(handle);
  }

  /** Gives a handle back. Throws RangeError when it is none. */
  release(handle: number): void {
    u32(handle, "handle");
    if (this.#gated((exports) => exports.handleFree(handle), 0) !== 1) throw noHandle(handle);
  }

  /** Pins the object at `ptr` once more: how often it is pinned. Throws RangeError when there is none, OutOfMemoryError. */
  pin(ptr: number): number {
    if (this.#isInBlock(ptr)) {
      const n = this.#gated((exports) => exports.pin(ptr), 0);
      if (n !== 0) return n;
      if (this.objectOf(ptr) !== 0) throw new OutOfMemoryError(PIN_BYTES);
    }
    throw new RangeError(
      `ptr is in no object of the collector's: ${ptr}; pass an address that newObject or mallocgc gave`,
    );
  }

  /** Undoes one pin: how many are left. Throws RangeError when it was not pinned. */
  unpin(ptr: number): number {
    const n = this.#isInBlock(ptr) ? this.#gated((exports) => exports.unpin(ptr), -1) : -1;
    if (n < 0) throw new RangeError(`the object at ${ptr} is not pinned: call unpin() once for each pin()`);
    return n;
  }

  /**
   * Registers [start, start + bytes), multiples of 4, as roots; `pointer`: address of a word with the lowest address in use, for
   * stacks, 0 for none. Stores into it go by writePointer, or happen inside. Throws RangeError for what is not in the memory.
   */
  addRoots(start: number, bytes: number, pointer = 0): void {
    checkRange(start, bytes, pointer === 0 ? undefined : pointer, this.#memoryBytes());
    this.#had(
      this.#gated((exports) => exports.addRoots(start, bytes, pointer), 0),
      16,
    );
  }

  /** Undoes addRoots. False: no range begins there. */
  removeRoots(start: number): boolean {
    u32(start, "start");
    return this.#gated((exports) => exports.removeRoots(start), 0) === 1;
  }

  // Stores

  /**
   * Stores a pointer, 0 too, at `slot`, the address of a word of a live object or block, or of a registered range. Throws
   * RangeError for any other address.
   */
  writePointer(slot: number, value: number): void {
    u32(value, "value");
    this.#checkWritable(slot, 4, "slot");
    this.#gated((exports) => exports.writePointer(slot, value));
  }

  /**
   * Copies `n` elements of `type`, which may overlap. `to` must lie in one live object or block, or in one registered range.
   * Throws RangeError.
   */
  move(type: number, to: number, from: number, n = 1): void {
    const bytes = this.#sizeOf(type) * within(n, 0, MAX_COUNT, "n");
    this.#checkInMemory(from, bytes, "from");
    this.#checkWritable(to, bytes, "to");
    this.#gated((exports) => exports.typedMove(type, to, from, n));
  }

  /** Clears `n` elements of `type`. `to` is as for move. Throws RangeError. */
  clear(type: number, to: number, n = 1): void {
    this.#checkWritable(to, this.#sizeOf(type) * within(n, 0, MAX_COUNT, "n"), "to");
    this.#gated((exports) => exports.typedClear(type, to, n));
  }

  // Cycles

  /** True: cycles begin by themselves, in all threads, when the heap has grown to the trigger. */
  set collecting(on: boolean) {
    boolean(on, "collecting");
    this.#ready().setCollecting(on ? 1 : 0);
  }

  /** GOGC: percent by which the heap may grow between cycles, -1 for off. The old value. */
  setPercent(percent: number): number {
    within(percent, -1, 0x7fffffff, "percent");
    return this.#gated((exports) => exports.setGCPercent(percent), 100);
  }

  /** Bytes in use that cycles keep to, 0 or Infinity for no limit. The old one, Infinity for none. Throws RangeError. */
  setMemoryLimit(bytes: number): number {
    const limit = checkMemoryLimit(bytes);
    return this.#gated((exports) => exports.setMemoryLimit(limit), Number.POSITIVE_INFINITY);
  }

  /** Least size that cycles aim at, bytes, at 100 percent, up to 2^37. The old one. Throws RangeError. */
  setHeapMinimum(bytes: number): number {
    checkHeapMinimum(bytes);
    return this.#gated((exports) => exports.setHeapMinimum(bytes), 0);
  }

  /**
   * True: each cycle, of whichever thread, marks a second time at its end while the world is stopped. What that finds in use
   * and not marked was stored without the write barrier: the next collect or runMarker throws CheckmarkError, whichever
   * comes first. For tests.
   */
  set checkmark(on: boolean) {
    this.#ready().setCheckmark(boolean(on, "checkmark") ? 1 : 0);
  }

  /**
   * A whole cycle by this thread, begun now and swept: what no root reached when it was called is free when it returns. Not
   * inside. Throws CheckmarkError; HeapLockError when a thread does not come out of `inside`, or is dead and not yet reaped.
   */
  collect(): void {
    const exports = this.#ready();
    if (this.#inside > 0) throw new RangeError("collect() inside of inside() would wait for itself");
    if (exports.gc() !== DONE) throw this.#stuck();
    reportCheckmark(exports);
  }

  /**
   * Marks for all threads from here on, until `signal` is aborted: sleeps until a cycle is due, marks while the others go on,
   * and sweeps. For a worker that does little else. Cycles that are not due are not begun; `collect()` needs no marker.
   */
  async runMarker(options: MarkerOptions = {}): Promise<CycleRecord[]> {
    return runMarker(this.#exports, this.#host, checkMarkerOptions(options));
  }

  /** Needs no P and waits for nobody. */
  stats(): CollectorStats {
    const exports = this.#asking();
    return Object.fromEntries(
      Object.entries(STATS).map(([name, i]) => [name, exports.gcStat(i)]),
    ) as unknown as CollectorStats;
  }

  #memoryBytes(): number {
    return this.#host.words().buffer.byteLength;
  }

  /** Bytes of an element of a type. Throws RangeError for what newType has not given. */
  #sizeOf(type: number): number {
    const words = this.#host.words();
    const at = u32(type, "type") >>> 2;
    if (type % 4 === 0 && type !== 0 && at + 3 < words.length) {
      const bytes = Atomics.load(words, at);
      if (Atomics.load(words, at + 3) === (type ^ TYPE_TAG ^ bytes ^ Atomics.load(words, at + 1))) return bytes;
    }
    throw new RangeError(`type is none of this heap's: ${type}; pass what newType gave`);
  }

  /** Whether `ptr` points to or into a live block or object, as far as one sees without the gate. */
  #isInBlock(ptr: number): boolean {
    return this.#asking().objectBase(u32(ptr, "ptr")) !== 0;
  }

  /** Throws NotAnObjectError unless `ptr` is 0 or the start of an object: before anything is locked. */
  #checkObject(ptr: number, operation: string): void {
    if (u32(ptr, "ptr") === 0) return;
    const exports = this.#asking();
    if (exports.isObject(ptr) === 1) return;
    const base = exports.objectBase(ptr) >>> 0;
    // Pieces of a tiny block begin anywhere in it. The block itself cannot be freed, so it has no size to be asked for.
    if (base !== 0 && exports.malloc_usable_size(base) === 0) return;
    throw new NotAnObjectError(ptr, operation, base !== ptr && exports.isObject(base) === 1 ? base : 0);
  }

  /** `ptr` of checkObject, which the last cycle has not found dead. Inside of the gate. */
  #living(exports: CollectorExports, ptr: number, operation: string): number {
    if (ptr !== 0 && exports.objectOf(ptr) === 0) throw new NotAnObjectError(ptr, operation);
    return ptr;
  }

  #checkInMemory(ptr: number, bytes: number, name: string): void {
    if (wordAddress(ptr, name) === 0 || ptr + bytes > this.#memoryBytes()) {
      throw new RangeError(`${name}: ${bytes} bytes from ${ptr} are not in the memory`);
    }
  }

  /** Throws RangeError unless the collector may write there: before anything is locked. */
  #checkWritable(ptr: number, bytes: number, name: string): void {
    this.#checkInMemory(ptr, bytes, name);
    checkWritable(this.#ready(), ptr, bytes, name);
  }

  /** The exports, for questions that need no P and wait for nobody. */
  #asking(): CollectorExports {
    if (this.#inside === 0) this.#host.ps.look();
    return this.#exports();
  }

  /** The exports, with a P in this thread's hands: inside it has one for sure, and keeps it. */
  #ready(): CollectorExports {
    if (this.#inside === 0) this.#host.ps.check();
    return this.#exports();
  }

  /**
   * `call`, inside of the gate: when the world is stopped and does not go on, that is an error before anything is changed. So
   * is a lock that was not to be had; the call gives `failed` then.
   */
  #gated<T>(call: (exports: CollectorExports) => T, failed?: T): T {
    if (this.#inside === 0) return this.inside(() => this.#gated(call, failed));
    if (failed === undefined) return call(this.#exports());
    this.#host.lastStuck();
    const result = call(this.#exports());
    if (result === failed) this.#check();
    return result;
  }

  /** Throws HeapLockError when the last call gave up waiting for somebody. */
  #check(): void {
    const p = this.#host.lastStuck();
    if (p !== 0) throw this.#host.blame(p, "keeps the collector from going on");
  }

  #had(result: number, size: number): number {
    if (result !== 0) return result;
    this.#check();
    throw new OutOfMemoryError(size);
  }

  #stuck(): HeapLockError {
    this.#check();
    return new HeapLockError(-1, null, "kept the collector from going on, and was given back");
  }
}

function noHandle(handle: number): RangeError {
  return new RangeError(`no such handle: ${handle}; it was released, or is none that handle() gave`);
}
