/**
 * Views of a shared memory that never go stale.
 *
 * When a thread grows a shared memory, the buffers that others have stay good, but end where the memory ended before. A
 * block may lie beyond, for example one that another thread has allocated and sent. So every access asks the memory for
 * its buffer, which costs some 15 to 50 ns: a loop should take the typed array once.
 *
 * V8 hears of another thread's growth late: the buffer that the memory gives may be too short for a while, until
 * memory.grow(0) corrects it. So every access also compares it with the heap's end, which is in the heap's record.
 */
import { MemoryViews, type WholeViews } from "../base/views.js";

/** MemoryViews of a memory whose buffer is shared. For one thread, as are all views. */
export class SharedMemoryViews extends MemoryViews<SharedArrayBuffer> {
  readonly #grow: () => void;
  /** Index of the word with the heap's end; NaN before there is a heap. */
  #end = Number.NaN;

  constructor(memory: WebAssembly.Memory) {
    super(memory);
    this.#grow = () => void memory.grow(0);
  }

  /** From now on all views reach to the heap's end, which the word at `address` gives. */
  follow(address: number): void {
    this.#end = address >>> 2;
  }

  override get current(): WholeViews<SharedArrayBuffer> {
    const views = this.renew();
    return views.u32[this.#end]! > views.buffer.byteLength ? this.#refreshed() : views;
  }

  /** Looks again if the memory seems to be too short: others than the heap may have grown it. */
  override reaches(end: number): boolean {
    return end <= this.current.buffer.byteLength || end <= this.#refreshed().buffer.byteLength;
  }

  #refreshed(): WholeViews<SharedArrayBuffer> {
    this.#grow();
    return this.renew();
  }
}
