/// <reference lib="esnext.disposable" preserve="true" />
/**
 * A shadow stack: roots in linear memory, pushed and popped, in frames.
 *
 *   block   0 stack pointer u32 | 4 slot, slot, ...      grows down: the slot pushed last has the lowest address
 *
 * Cheaper than handles, one store each, and open to wasm programs: code that knows `pointer` pushes by lowering the
 * word there by 4 and storing at its new value. Nothing here needs a barrier, because the stack is a registered range.
 *
 * A frame remembers how high the stack was; leaving it pops everything since. Frames end in the reverse order of their
 * beginning. Owner: the thread that made it; on a shared heap roots are pushed inside (Collector.inside). Cost: O(1).
 */
import { within } from "../base/check.js";
import { DISPOSE } from "../base/dispose.js";
import { ShadowStackError } from "../base/errors.js";
import { addressOf, type Core, type Target, wordAddress } from "./core.js";
import type { RootRange, Roots } from "./roots.js";

const SLOT = 4;
const MAX_SLOTS = 2 ** 28;

/** malloc and free of the heap. */
export interface BlockHeap {
  malloc(size: number): number;
  free(ptr: number): void;
}

/** The height of a stack when the frame was entered; leaving the frame pops down to it. */
export class Frame implements Disposable {
  /** Null: it was left. */
  #leave: (() => void) | null;

  /** For ShadowStack.enter. */
  constructor(leave: () => void) {
    this.#leave = leave;
  }

  /**
   * Pops what was pushed since. Twice is fine, also after the stack or the heap was disposed of: then there is nothing
   * to pop. Throws ShadowStackError when a later frame has not ended.
   */
  leave(): void {
    this.#leave?.();
    this.#leave = null;
  }

  [DISPOSE](): void {
    this.leave();
  }
}

export class ShadowStack implements Disposable {
  readonly #core: Core;
  readonly #heap: BlockHeap;
  readonly #range: RootRange;
  /** The stack pointer when each open frame was entered. */
  readonly #frames: number[] = [];
  /** Slots that it has. */
  readonly capacity: number;
  /** Address of the word that holds the stack pointer: the lowest slot in use, or the end of the stack. */
  readonly pointer: number;
  #disposed = false;

  /** For Collector.shadowStack. Throws RangeError, OutOfMemoryError. */
  constructor(core: Core, heap: BlockHeap, roots: Roots, slots: number) {
    this.#core = core;
    this.#heap = heap;
    this.capacity = within(slots, 1, MAX_SLOTS, "slots");
    this.pointer = heap.malloc(SLOT + slots * SLOT);
    try {
      this.#top = this.#end;
      this.#range = roots.add(this.pointer + SLOT, slots * SLOT, { pointer: this.pointer });
    } catch (error) {
      heap.free(this.pointer);
      throw error;
    }
  }

  /** Slots in use. */
  get depth(): number {
    return (this.#end - this.#top) / SLOT;
  }

  /** Pushes a root; the address of its slot. Throws ShadowStackError when the stack is full. */
  push(target: Target): number {
    const value = addressOf(target);
    const slot = this.#top - SLOT;
    if (slot <= this.pointer)
      throw new ShadowStackError(
        "overflow",
        `all of its ${this.capacity} slots are in use; make it larger, or leave frames`,
      );
    this.#words[slot >>> 2] = value;
    this.#top = slot;
    return slot;
  }

  /** Pops the last root: its value, which is no longer a root. Throws ShadowStackError when the frame has none. */
  pop(): number {
    const slot = this.#top;
    if (slot >= (this.#frames.at(-1) ?? this.#end))
      throw new ShadowStackError("underflow", "the frame has no root to pop");
    const value = this.#words[slot >>> 2]!;
    this.#top = slot + SLOT;
    return value;
  }

  /** The root in a slot that push has given. Throws ShadowStackError when it is not in use. */
  get(slot: number): number {
    return this.#words[this.#used(slot) >>> 2]!;
  }

  /** Another root in a slot. Throws ShadowStackError when it is not in use. */
  set(slot: number, target: Target): void {
    const value = addressOf(target);
    this.#words[this.#used(slot) >>> 2] = value;
  }

  /** Begins a frame: `using frame = stack.enter()`, or leave it. */
  enter(): Frame {
    const top = this.#top;
    const depth = this.#frames.push(top);
    return new Frame(() => {
      if (this.#disposed || this.#core.closed) return;
      if (this.#frames.length !== depth)
        throw new ShadowStackError("frame", "a frame within it has not ended: leave frames in reverse order");
      this.#frames.pop();
      this.#top = top;
    });
  }

  /** Its roots end, and its memory goes back to the heap. Twice is fine. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#range.dispose();
    if (!this.#core.closed) this.#heap.free(this.pointer);
  }

  [DISPOSE](): void {
    this.dispose();
  }

  get #words(): Uint32Array {
    if (this.#disposed) throw new ShadowStackError("disposed", "it was disposed of: make a new one");
    return this.#core.views.current.u32;
  }

  get #end(): number {
    return this.pointer + SLOT + this.capacity * SLOT;
  }

  get #top(): number {
    return this.#words[this.pointer >>> 2]!;
  }

  set #top(address: number) {
    this.#words[this.pointer >>> 2] = address;
  }

  #used(slot: number): number {
    wordAddress(slot, "slot");
    if (slot < this.#top || slot >= this.#end)
      throw new ShadowStackError("slot", `slot ${slot} is not in use; pass what push() gave, before it is popped`);
    return slot;
  }
}
