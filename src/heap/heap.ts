/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Heap: the allocator of one linear memory, as JavaScript calls it.
 *
 * One instance of the host flavour, bound to one memory, used by one thread. Every address is an unsigned number in
 * 0..2^32-1, and 0 is never a block's. Sizes are bytes, any integer in 0..2^32-1. Blocks of 16 bytes and more are
 * aligned to 16, smaller ones to 8. A refused call leaves the heap as it was.
 *
 * Any call that allocates may grow the memory and thereby detach every typed array over it: read through `view`, `u8`
 * and their like, which notice. A call into wasm costs some 3 ns beside its work.
 */

import { disposedExports, type HostExports } from "../base/abi.js";
import { boolean, namesOf, powerOfTwo, readOptions, u32 } from "../base/check.js";
import { DISPOSE } from "../base/dispose.js";
import {
  CollectorUnavailableError,
  HeapDisposedError,
  InvariantError,
  OutOfMemoryError,
  refusal,
} from "../base/errors.js";
import type { CoreExports } from "../base/gcabi.js";
import { MEMSTATS_BYTES, type MemStats, readMemStats } from "../base/memstats.js";
import { many } from "../base/plural.js";
import { type HeapType, needsScan } from "../base/types.js";
import { elementSize, HeapView, MemoryViews, type ViewConstructor, type ViewOver } from "../base/views.js";
import { Collector, createCollector } from "../gc/collector.js";
import type { CollectorOptions } from "../gc/options.js";
import { HEAP_ZEROBASE } from "../snapshot/layout.js";
import { readSnapshot, type SnapshotOptions } from "../snapshot/read.js";
import type { HeapSnapshot } from "../snapshot/snapshot.js";
import { leaveMemory } from "./claim.js";
import { INSPECT } from "./inspect.js";
import { describeInvariant } from "./invariants.js";
import { applyLimits, type HeapLimits, readLimits } from "./options.js";
import { idleBytes, notePages } from "./pages.js";

/** What validate looks at beside the records. */
export interface ValidateOptions {
  /** Also read every free slot that is known to be zero. Default false. */
  deep?: boolean | undefined;
}

const VALIDATE_OPTIONS = namesOf<ValidateOptions>({ deep: 0 });

/** Of snapshot. */
export type HeapSnapshotOptions = Omit<SnapshotOptions, "heap">;

export const SNAPSHOT_OPTIONS = namesOf<HeapSnapshotOptions>({ bitmaps: 0, label: 0, time: 0, samples: 0 });

/** `B` is the kind of the memory's buffer; the heap of src/shared/heap.ts may have another. */
export class Heap<B extends ArrayBufferLike = ArrayBuffer> implements Disposable {
  #exports: HostExports;
  #memory: WebAssembly.Memory | null;
  readonly #views: MemoryViews<B>;
  readonly #throwOnMisuse: boolean;
  readonly #collectorOptions: CollectorOptions | undefined;
  /** Null before the first use. */
  #collector: Collector | null = null;

  /** For createHeap and createHeapAsync, which see that the instance is initialised and belongs to the memory. */
  constructor(
    exports: HostExports,
    memory: WebAssembly.Memory,
    throwOnMisuse: boolean,
    views: MemoryViews<B> = new MemoryViews(memory),
    collector?: CollectorOptions,
  ) {
    this.#exports = exports;
    this.#memory = memory;
    this.#views = views;
    this.#throwOnMisuse = throwOnMisuse;
    this.#collectorOptions = collector;
    notePages(this, () => this.#exports);
  }

  // Allocation

  /**
   * A block of at least `size` bytes with undefined contents. malloc(0) is a block of its own, too.
   * Throws OutOfMemoryError, RangeError.
   */
  malloc(size: number): number {
    return this.tryMalloc(size) || outOfMemory(size);
  }

  /** malloc that returns 0 when memory is out. */
  tryMalloc(size: number): number {
    return this.#exports.malloc(u32(size, "size")) >>> 0;
  }

  /** A zeroed block of `count` times `size` bytes. Throws OutOfMemoryError, also when the product is above 2^32-1. */
  calloc(count: number, size: number): number {
    return this.tryCalloc(count, size) || outOfMemory(count * size);
  }

  /** calloc that returns 0 when memory is out. */
  tryCalloc(count: number, size: number): number {
    return this.#exports.calloc(u32(count, "count"), u32(size, "size")) >>> 0;
  }

  /**
   * A block of at least `size` bytes at a multiple of `alignment`, a power of two; `size` need not be a multiple of it.
   * Throws OutOfMemoryError, RangeError.
   */
  alignedAlloc(alignment: number, size: number): number {
    return this.tryAlignedAlloc(alignment, size) || outOfMemory(size);
  }

  /** alignedAlloc that returns 0 when memory is out. */
  tryAlignedAlloc(alignment: number, size: number): number {
    return this.#exports.memalign(powerOfTwo(alignment, "alignment"), u32(size, "size")) >>> 0;
  }

  /**
   * The block `ptr` with `size` bytes: the same address where it can grow or shrink in place, else a new block with the
   * contents up to the smaller size, the old one freed. realloc(0, n) is malloc(n); realloc(p, 0) leaves a block of
   * size 0. Throws OutOfMemoryError (the old block stays as it was), MisuseError, PinError, RangeError.
   */
  realloc(ptr: number, size: number): number {
    const moved = this.#exports.tryRealloc(u32(ptr, "ptr"), u32(size, "size")) >>> 0;
    if (moved !== 0) return moved;
    return this.#refusedRealloc(ptr) ? 0 : outOfMemory(size);
  }

  /** realloc that returns 0 when memory is out, which leaves the old block as it was. Misuse throws as in realloc. */
  tryRealloc(ptr: number, size: number): number {
    const moved = this.#exports.tryRealloc(u32(ptr, "ptr"), u32(size, "size")) >>> 0;
    if (moved === 0) this.#refusedRealloc(ptr);
    return moved;
  }

  /**
   * Gives a block back. free(0) does nothing. Throws MisuseError, PinError for an object that is pinned, RangeError. A
   * block whose whole span has gone back to the page heap is a foreign pointer from then on, as large blocks are at
   * once.
   */
  free(ptr: number): void {
    const kind = this.#exports.tryFree(u32(ptr, "ptr"));
    if (kind !== 0 && this.#throwOnMisuse) throw refusal(kind, ptr, "free");
  }

  /**
   * Go's mallocgc: an object of `size` bytes of a type, which decides whether it may share a span with pointers in it.
   * A null type holds none. Size 0 is one shared address; pointer-free objects below 16 bytes are combined into blocks
   * and cannot be freed by hand; the others can. `needzero` false leaves the contents undefined. It is the collector's:
   * a cycle frees it unless a root reaches it, but none begins unless `collector` is told to. Throws OutOfMemoryError,
   * RangeError.
   */
  mallocgc(size: number, type: HeapType | null, needzero: boolean): number {
    const scan = needsScan(type) ? 1 : 0;
    return this.#exports.mallocgc(u32(size, "size"), scan, needzero ? 1 : 0) >>> 0 || outOfMemory(size);
  }

  // Questions

  /** Bytes that the block at `ptr` really has; 0 for 0 and for an address where no live block begins. */
  usableSize(ptr: number): number {
    return this.#exports.malloc_usable_size(u32(ptr, "ptr")) >>> 0;
  }

  /** Address of the live block that `ptr` points to or into, 0 when there is none. */
  objectBase(ptr: number): number {
    return this.#exports.objectBase(u32(ptr, "ptr")) >>> 0;
  }

  /**
   * The heap's statistics. Walks all spans. Throws InvariantError when the heap's records are too damaged to count, and
   * OutOfMemoryError when the first call finds no memory for the record, which only a heap without heapBase has not had
   * since its creation.
   */
  stats(): MemStats {
    const record = this.#exports.memstats() >>> 0;
    if (record === 0) {
      throwBroken(this.#exports, false);
      outOfMemory(MEMSTATS_BYTES);
    }
    const gc = this.#collector === null ? undefined : Collector.memStats(this.#collector);
    return readMemStats(this.#views.current.dataView, record, idleBytes(this.#exports, false), gc);
  }

  /**
   * The heap as it is now: every span with its live slots, and what the other pages are; docs/map.md shows what to do with
   * it. Reads the heap's records, and changes nothing. Throws OutOfMemoryError where a heap without heapBase finds no
   * memory for its records, SnapshotError when they are damaged, TypeError.
   */
  snapshot(options: HeapSnapshotOptions = {}): HeapSnapshot {
    const given = readOptions(options, SNAPSHOT_OPTIONS, "snapshot");
    const zerobase = this.#exports.mallocgc(0, 0, 0) >>> 0 || outOfMemory(0);
    return readSnapshot(this.memory, { ...given, heap: zerobase - HEAP_ZEROBASE });
  }

  /**
   * Checks every invariant of the heap. Throws InvariantError at the first that does not hold. Walks all records of the
   * heap, and ends whatever they say; `deep` also reads every free slot and page that is known to be zero.
   */
  validate(options: ValidateOptions = {}): void {
    const { deep = false } = readOptions(options, VALIDATE_OPTIONS, "validate");
    throwBroken(this.#exports, boolean(deep, "deep"));
  }

  /**
   * The heap's figures in one line, for String(heap) and console.log(heap): live blocks and bytes, bytes obtained and
   * free. Walks all spans. Without figures it says why; it never throws.
   */
  toString(): string {
    return summary("Heap", this);
  }

  [INSPECT](): string {
    return this.toString();
  }

  // Memory

  /** The memory that the heap lives in. */
  get memory(): WebAssembly.Memory {
    if (this.#memory === null) throw new HeapDisposedError();
    return this.#memory;
  }

  /**
   * A view of `length` elements from address `ptr` that stays good when the memory grows; by default as many elements
   * as the block at `ptr` holds. Throws TypeError when `type` constructs no typed arrays, RangeError when `ptr` is not
   * aligned, the range is not in the memory, or no length is given and no live block begins at `ptr`.
   */
  view<T extends ArrayBufferView>(type: ViewConstructor<T, B>, ptr: number, length?: number): HeapView<ViewOver<T, B>> {
    const over = type as ViewConstructor<ArrayBufferView, never> as ViewConstructor<ViewOver<T, B>, never>;
    return new HeapView(this.#views, over, ptr, length ?? this.#elements(type, ptr));
  }

  /** Elements of `type` that the block at `ptr` holds. Throws RangeError when there is none. */
  #elements(type: ViewConstructor<ArrayBufferView, never>, ptr: number): number {
    const bytes = elementSize(type);
    const size = this.usableSize(ptr);
    if (size > 0) return Math.floor(size / bytes);
    throw new RangeError(
      `no live block begins at ${ptr}: give view the address that the allocation returned, before the block is ` +
        "freed, or a length, for memory that is no block of the heap's",
    );
  }

  /** The whole memory as it is now. Like all views below: do not keep it across a call that may allocate. */
  get u8(): Uint8Array<B> {
    return this.#views.current.u8;
  }

  get i8(): Int8Array<B> {
    return this.#views.current.i8;
  }

  get u16(): Uint16Array<B> {
    return this.#views.current.u16;
  }

  get i16(): Int16Array<B> {
    return this.#views.current.i16;
  }

  get u32(): Uint32Array<B> {
    return this.#views.current.u32;
  }

  get i32(): Int32Array<B> {
    return this.#views.current.i32;
  }

  get u64(): BigUint64Array<B> {
    return this.#views.current.u64;
  }

  get i64(): BigInt64Array<B> {
    return this.#views.current.i64;
  }

  get f32(): Float32Array<B> {
    return this.#views.current.f32;
  }

  get f64(): Float64Array<B> {
    return this.#views.current.f64;
  }

  get dataView(): DataView<B> {
    return this.#views.current.dataView;
  }

  /**
   * The collector of the heap's garbage-collected objects, made at the first use; see docs/collector.md. On a shared
   * heap this is the collector as this thread uses it. Throws CollectorUnavailableError when the module has none.
   */
  get collector(): Collector {
    if (this.#memory === null) throw new HeapDisposedError();
    this.#collector ??= createCollector(
      coreExports(this.#exports),
      this.#views,
      this,
      this.#exports.threads,
      this.#collectorOptions,
    );
    return this.#collector;
  }

  // Policy

  /**
   * Changes the limits that are given; see HeapLimits. A limit below what is in use only stops further growth. Throws
   * RangeError, TypeError; then nothing has changed.
   */
  setLimits(limits: HeapLimits): void {
    const checked = readLimits(limits);
    if (this.#memory === null) throw new HeapDisposedError();
    applyLimits(this.#exports, checked);
  }

  /** Gives the pages of retained empty spans back to the page heap. Returns how many pages of 8 KiB. */
  reclaim(): number {
    return this.#exports.reclaim() >>> 0;
  }

  /** Empties the caches in front of the page heap as well: no span and no page is held for a next allocation. */
  releaseAll(): void {
    this.#exports.releaseAll();
  }

  /**
   * Releases the instance and the memory. Every later call throws HeapDisposedError; disposing twice is fine. The
   * engine's garbage collector frees a memory of the heap's own; a memory that was given stays with the caller. What a
   * background's `schedule` throws when its timer is cancelled comes out of here, and the heap is disposed of even
   * then.
   */
  dispose(): void {
    const collector = this.#collector;
    if (this.#memory !== null) leaveMemory(this.#exports, this.#memory);
    this.#exports = disposedExports();
    this.#collector = null;
    this.#memory = null;
    this.#views.close();
    // Last, because it calls functions of the user's.
    if (collector !== null) Collector.close(collector, coreExports(this.#exports));
  }

  [DISPOSE](): void {
    this.dispose();
  }

  /** After a realloc that gave 0: true when it was misuse that this heap ignores, false when memory was out. */
  #refusedRealloc(ptr: number): boolean {
    const kind = this.#exports.lastMisuse();
    if (kind !== 0 && this.#throwOnMisuse) throw refusal(kind, ptr, "realloc");
    return kind !== 0;
  }
}

/** What a collector calls. Throws CollectorUnavailableError. */
function coreExports({ collector }: HostExports): CoreExports {
  if (collector === null) {
    throw new CollectorUnavailableError("the module has no collector: use the gomalloc-host.wasm of this package");
  }
  return collector;
}

/** One line about a heap, with the name of its class. */
export function summary(name: string, heap: { stats(): MemStats }): string {
  try {
    const { heapObjects, heapAlloc, sys, heapIdle, heapRetained, misuses } = heap.stats();
    const free = heapIdle + heapRetained;
    const wrong = misuses === 0 ? "" : `, ${many(misuses, "misuse")}`;
    return `${name} { ${many(heapObjects, "block")}, ${heapAlloc} bytes live, ${sys} bytes obtained, ${free} free${wrong} }`;
  } catch (error) {
    return `${name} { ${error instanceof Error ? error.message : String(error)} }`;
  }
}

/** Throws InvariantError for the first invariant that does not hold. */
function throwBroken(exports: HostExports, deep: boolean): void {
  const invariant = (deep ? exports.validateDeep() : exports.validate()) >>> 0;
  if (invariant === 0) return;
  throw new InvariantError(invariant, describeInvariant(invariant), exports.validateInfo() >>> 0);
}

function outOfMemory(size: number): never {
  throw new OutOfMemoryError(size);
}
