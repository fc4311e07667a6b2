/**
 * What is looked at: a heap of JavaScript, of one thread or of several, or a memory with the heap of a program.
 *
 * Reads only; nothing here allocates in the heap. Any thread that has the heap or the memory.
 */
import { isMemory, object, reading, show } from "../base/check.js";
import { HEAP_ZEROBASE } from "../snapshot/layout.js";

/** A Heap, a SharedHeap, or a heap that samples. */
export interface LiveHeap {
  /** Throws when the heap was disposed of. */
  readonly memory: WebAssembly.Memory;
  mallocgc(size: number, type: null, needzero: boolean): number;
  /** Shared heaps have this. */
  readonly ps?: unknown;
  /** For /metrics. */
  stats(): unknown;
}

export class LiveSource {
  readonly #given: LiveHeap | WebAssembly.Memory;
  /** The heap itself; undefined: a memory was given. */
  readonly heap: LiveHeap | undefined;

  /** Throws TypeError for what is neither. */
  constructor(given: LiveHeap | WebAssembly.Memory) {
    this.#given = given;
    if (isMemory(given)) return;
    object(given, "heap");
    const memory = reading("heap.memory", () => given.memory);
    if (!isMemory(memory)) throw new TypeError(`heap must be a heap or a WebAssembly.Memory: ${show(given)}`);
    this.heap = given;
  }

  /** The memory now. Throws HeapDisposedError. */
  get memory(): WebAssembly.Memory {
    return this.heap === undefined ? (this.#given as WebAssembly.Memory) : this.heap.memory;
  }

  /**
   * Address of the heap's record where the heap can say it without waiting; undefined: it has to be searched for. Objects of
   * size 0 have one address, which lies in the record. A shared heap would need a P for that. Throws HeapDisposedError.
   */
  address(): number | undefined {
    const { heap } = this;
    if (heap === undefined || heap.ps !== undefined) return undefined;
    return heap.mallocgc(0, null, false) - HEAP_ZEROBASE;
  }
}
