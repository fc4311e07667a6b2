/**
 * Options of a heap: checked here, once, and brought into the form that the instance takes.
 */
import {
  type HostExports,
  M_MAX_BYTES,
  M_RESERVE,
  M_SOFT_LIMIT,
  MAX_RESERVE,
  MAX_WASM_PAGES,
  WASM_PAGE_SIZE,
} from "../base/abi.js";
import { aMemory, isShared, namesOf, oneOf, readOptions, u32, within } from "../base/check.js";
import { OutOfMemoryError } from "../base/errors.js";
import type { CollectorOptions } from "../gc/options.js";

/** Where a heap in a memory of its own begins: address 0 is null, and a write near null hits nothing of the heap's. */
const DEFAULT_HEAP_BASE = 1024;
/** The highest address that init can be given. */
const MAX_HEAP_BASE = 0xffffffff;
/** The largest reserve that the heap takes, as assembly/base/options.ts has it. */

/** Limits that can also be changed later, by Heap.setLimits. */
export interface HeapLimits {
  /** The most bytes that the heap may obtain, metadata included; 0: no limit but the memory's maximum. Default 0. */
  maxBytes?: number | undefined;
  /** Bytes from which on the heap keeps no reserves: it reclaims before it grows, by exact need. 0: none. Default 0. */
  softLimit?: number | undefined;
  /** Bytes that one growth may add beyond its need, up to 16 MiB; 0: none. The default is the heap's own. */
  reserve?: number | undefined;
}

/** How a heap is made. */
export interface HeapOptions extends HeapLimits {
  /**
   * A memory to live in, shared with other code but not between threads. Without `heapBase` the heap takes only what it
   * grows itself. Default: a memory of the heap's own.
   */
  memory?: WebAssembly.Memory | undefined;
  /** Pages of 64 KiB that a memory of the heap's own has at first. Default: just enough for heapBase, at least 1. */
  initial?: number | undefined;
  /** Pages of 64 KiB that a memory of the heap's own may reach, up to 65536. Default 65536. */
  maximum?: number | undefined;
  /**
   * Address from which on the memory belongs to the heap, up to the memory's size at creation. Nothing below is ever
   * touched. Default: 1024 in a memory of the heap's own, the end of the memory in a given one.
   */
  heapBase?: number | undefined;
  /**
   * What free and realloc do with a pointer that they cannot take: throw MisuseError, or return without effect (realloc
   * then returns 0). The heap stays intact either way. Default "throw".
   */
  onMisuse?: "throw" | "ignore" | undefined;
  /** Options of the heap's collector. Default: those of a collector that begins no cycle by itself. */
  collector?: CollectorOptions | undefined;
}

/** What free and realloc may do with a pointer that they cannot take. */
export const MISUSE_CHOICES = ["throw", "ignore"] as const;

const LIMITS = namesOf<HeapLimits>({ maxBytes: 0, softLimit: 0, reserve: 0 });

/** The names of HeapOptions. */
export const HEAP_OPTIONS = namesOf<HeapOptions>({
  memory: 0,
  initial: 0,
  maximum: 0,
  heapBase: 0,
  maxBytes: 0,
  softLimit: 0,
  reserve: 0,
  onMisuse: 0,
  collector: 0,
});

/** Where a heap is going to stand. */
export interface Place {
  readonly memory: WebAssembly.Memory;
  /** Address for init; null when the heap is to take only what it grows. */
  readonly heapBase: number | null;
}

/** A memory. Throws OutOfMemoryError where the engine has no room for it. */
export function newMemory(limits: WebAssembly.MemoryDescriptor): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory(limits);
  } catch (cause) {
    throw new OutOfMemoryError((limits.shared ? (limits.maximum ?? 0) : limits.initial) * WASM_PAGE_SIZE, { cause });
  }
}

/** Limits as setLimits is given them, checked. Throws RangeError, TypeError. */
export function readLimits(given: HeapLimits): HeapLimits {
  return checkLimits(readOptions(given, LIMITS, "setLimits"));
}

/** `limits` when all that are given are in range. Throws RangeError. */
export function checkLimits<T extends HeapLimits>(limits: T): T {
  const { maxBytes, softLimit, reserve } = limits;
  if (maxBytes !== undefined) u32(maxBytes, "maxBytes");
  if (softLimit !== undefined) u32(softLimit, "softLimit");
  if (reserve !== undefined) within(reserve, 0, MAX_RESERVE, "reserve");
  return limits;
}

/** Whether misuse throws. Throws TypeError for another word than those of MISUSE_CHOICES. */
export function throwsOnMisuse({ onMisuse = "throw" }: Pick<HeapOptions, "onMisuse">): boolean {
  return oneOf(onMisuse, MISUSE_CHOICES, "onMisuse") === "throw";
}

/** The memory and the heap's base in it. Throws RangeError or TypeError when the options contradict each other. */
export function placeHeap(options: HeapOptions): Place {
  const { memory, initial, maximum, heapBase } = options;
  if (memory === undefined) return ownMemory(initial, maximum, heapBase);
  if (initial !== undefined || maximum !== undefined) {
    throw new TypeError("initial and maximum are for a memory of the heap's own; a given memory has its own");
  }
  refuseShared(aMemory(memory));
  if (heapBase === undefined) return { memory, heapBase: null };
  return { memory, heapBase: within(heapBase, 1, Math.min(memory.buffer.byteLength, MAX_HEAP_BASE), "heapBase") };
}

/** Throws TypeError for a shared memory: the heap is for one thread. */
export function refuseShared({ buffer }: WebAssembly.Memory): void {
  if (isShared(buffer)) {
    throw new TypeError("memory is shared; this heap is for one thread and needs an unshared memory");
  }
}

function ownMemory(initial?: number, maximum?: number, heapBase = DEFAULT_HEAP_BASE): Place {
  const needed = Math.max(1, Math.ceil(u32(heapBase, "heapBase") / WASM_PAGE_SIZE));
  const first = within(initial ?? needed, needed, MAX_WASM_PAGES, "initial");
  if (heapBase === 0) throw new RangeError("heapBase must not be 0: that is the null pointer");
  const most = within(maximum ?? MAX_WASM_PAGES, first, MAX_WASM_PAGES, "maximum");
  return { memory: newMemory({ initial: first, maximum: most }), heapBase };
}

/** Sets the limits that are given; see checkLimits. */
export function applyLimits(exports: HostExports, { maxBytes, softLimit, reserve }: HeapLimits): void {
  if (maxBytes !== undefined) setOption(exports, M_MAX_BYTES, maxBytes);
  if (softLimit !== undefined) setOption(exports, M_SOFT_LIMIT, softLimit);
  if (reserve !== undefined) setOption(exports, M_RESERVE, reserve);
}

/** mallopt, whose refusal of a value is a RangeError. */
export function setOption(exports: HostExports, param: number, value: number): void {
  if (exports.mallopt(param, value) !== 1) throw new RangeError(`mallopt(${param}) refuses ${value}`);
}
