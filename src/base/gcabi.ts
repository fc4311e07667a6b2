/**
 * The contract with the collector in wasm: what assembly/abi/collector.ts exports, as JavaScript sees it. A shared heap
 * offers the same functions over the exports of its own flavour (src/shared/collector.ts).
 *
 * Addresses and sizes come out of wasm as signed 32-bit numbers, the callers turn them back with `>>> 0`. Figures that
 * may exceed 2^32 are f64.
 */

/** What the host flavour of one thread exports beside the heap's functions. */
export interface CollectorExports {
  newType(size: number, ptrBytes: number): number;
  newObject(type: number, n: number): number;
  isObject(ptr: number): number;
  objectOf(ptr: number): number;
  freeObject(ptr: number): number;
  handleNew(ptr: number): number;
  handleGet(handle: number): number;
  handleSet(handle: number, ptr: number): number;
  handleFree(handle: number): number;
  pin(ptr: number): number;
  unpin(ptr: number): number;
  pins(ptr: number): number;
  addRoots(start: number, bytes: number, pointer: number): number;
  removeRoots(start: number): number;
  isRegistered(start: number, bytes: number): number;
  writePointer(slot: number, value: number): void;
  typedMove(type: number, to: number, from: number, n: number): void;
  typedClear(type: number, to: number, n: number): void;
  setCollecting(on: number): void;
  setGCPercent(percent: number): number;
  setMemoryLimit(bytes: number): number;
  setHeapMinimum(bytes: number): number;
  setCheckmark(on: number): void;
  /** 1: begun; 0: a cycle is running; BUSY. In a heap of one thread every cycle begun here counts as forced. */
  gcStart(forced: number): number;
  /** Bytes scanned; BUSY. */
  gcStep(budget: number): number;
  gcSweep(pages: number): number;
  gcPhase(): number;
  gcDue(): number;
  gcStat(i: number): number;
}

/** What a collector calls. */
export interface CoreExports extends CollectorExports {
  mallocgc(size: number, scan: number, needzero: number): number;
  malloc_usable_size(ptr: number): number;
  objectBase(ptr: number): number;
}

/** From gcStart and gcStep: another thread is at it, or could not be waited for. Never in a heap of one thread. */
export const BUSY = -1;
/** What handleGet returns for what is no handle. */
export const NO_HANDLE = 0xffffffff;

/** The names of CollectorExports; the compiler keeps the two in step. */
export const COLLECTOR_NAMES: readonly (keyof CollectorExports)[] = Object.keys({
  newType: 0,
  newObject: 0,
  isObject: 0,
  objectOf: 0,
  freeObject: 0,
  handleNew: 0,
  handleGet: 0,
  handleSet: 0,
  handleFree: 0,
  pin: 0,
  unpin: 0,
  pins: 0,
  addRoots: 0,
  removeRoots: 0,
  isRegistered: 0,
  writePointer: 0,
  typedMove: 0,
  typedClear: 0,
  setCollecting: 0,
  setGCPercent: 0,
  setMemoryLimit: 0,
  setHeapMinimum: 0,
  setCheckmark: 0,
  gcStart: 0,
  gcStep: 0,
  gcSweep: 0,
  gcPhase: 0,
  gcDue: 0,
  gcStat: 0,
} satisfies Record<keyof CollectorExports, 0>) as (keyof CollectorExports)[];

/**
 * Bits of gcDue: the trigger is reached, a cycle is marking; 1: an allocation owes marking. Above them the cycles
 * begun.
 */
export const DUE_START = 2;
export const DUE_MARKING = 8;
export const DUE_CYCLES_SHIFT = 4;

/** Largest type, bytes, and largest request of newObject. */
export const MAX_TYPE_SIZE = 131072;
export const MAX_OBJECT_BYTES = 0xfffe0000;
/** Where a type's mask begins in its record: one bit per word of the bytes with pointers. */
export const TYPE_MASK = 16;
/** Word 3 of a type's record is this, its address, its size and its bytes with pointers, combined by exclusive or. */
export const TYPE_TAG = 0x676f7470;

/** Figures of gcStat by number. One that may be without a bound says so by a number from here on. */
export const UNBOUNDED = 2 ** 63;
export const STAT_HEAP_LIVE = 3;
export const STAT_HEAP_MARKED = 4;
export const STAT_GOAL = 5;
export const STAT_TRIGGER = 6;
/** 1 while there may be unswept spans. */
export const STAT_SWEEPING = 7;
/** Of the running or last cycle: steps, assists included. */
export const STAT_STEPS = 8;
export const STAT_PINS = 9;
export const STAT_HANDLES = 10;
/** Of the sweep behind the last cycle, so far. */
export const STAT_FREED_OBJECTS = 11;
export const STAT_FREED_BYTES = 12;
/** Times that there was no memory for a work buffer. */
export const STAT_OVERFLOWS = 13;
/** Bytes scanned by the running or last cycle. */
export const STAT_SCAN_WORK = 14;
export const STAT_TYPES = 20;
/**
 * Cycles whose marks were checked, cycles that found no memory for that, and the object that a check has noted; 0:
 * none.
 */
export const STAT_CHECKED = 25;
export const STAT_UNCHECKED = 26;
export const STAT_CHECK_FAILED_AT = 27;
/** Pages of 8 KiB in spans. */
export const STAT_PAGES = 23;
/** Bytes of roots that the running or last cycle began with. */
export const STAT_ROOT_BYTES = 28;
/** The goal of the last cycle that ended. */
export const STAT_LAST_GOAL = 29;
/** Of a shared heap, else 0: milliseconds of its last cycle's stops; cycles abandoned and carried on after a death. */
export const STAT_STOP_BEGIN = 33;
export const STAT_STOP_END = 34;
export const STAT_ABANDONED = 35;
export const STAT_CARRIED_ON = 36;
/** Settings in force: 1 when cycles begin by themselves; 1 for checkmark; GOGC or -1; the limit, 2^64 for none. */
export const STAT_COLLECTING = 30;
export const STAT_CHECKMARK = 31;
export const STAT_GC_PERCENT = 38;
export const STAT_MEMORY_LIMIT = 39;
export const STAT_HEAP_MINIMUM = 40;
