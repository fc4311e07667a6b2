/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Handles: roots that JavaScript holds.
 *
 * A handle is a numbered slot in a table of the heap's, and the object that the slot names lives. The JavaScript object
 * keeps the exact address, which may lie inside the heap's object; the slot has that object's start.
 *
 * Slots are used again after dispose. Whoever reads `id` can name the slot elsewhere, on a shared heap in another
 * thread (Collector.handleFrom): from then on somebody else may set it or dispose of it, so `ptr` asks the heap each
 * time.
 *
 * A wrapped handle is disposed of when the engine's collector finds it unreachable, by FinalizationRegistry.
 *
 * A Handle belongs to the thread that made it. Cost: `new` one wasm call, dispose one, ptr none (one if its id was
 * read), wrap about a microsecond. On a shared heap each of these calls takes the gate and the lock of the tables.
 */
import { u32, within } from "../base/check.js";
import { DISPOSE } from "../base/dispose.js";
import {
  GomallocError,
  HandleDisposedError,
  HeapDisposedError,
  NotAnObjectError,
  OutOfMemoryError,
} from "../base/errors.js";
import { NO_HANDLE } from "../base/gcabi.js";
import { POINTER_SIZE } from "../base/types.js";
import { addressOf, type Core, type Target } from "./core.js";
import type { GCType } from "./types.js";

/** Largest number of an element. */
const MAX_INDEX = 0xffffffff;

/**
 * A root: until it is disposed of, its object lives, and with it what that points to. Made by a Collector. `F` are the
 * names of the pointer fields of the object's type.
 */
export class Handle<F extends string = never> implements Disposable {
  readonly #core: Core;
  readonly #registry: FinalizationRegistry<number> | null;
  /** The object's type, null where none was told. */
  readonly type: GCType<F> | null;
  /** Number in the heap's table; 0: disposed of. */
  #id: number;
  #ptr: number;
  /** What the slot has for #ptr. */
  #base: number;
  /** The slot's number is known elsewhere, where it may be set or freed. */
  #known: boolean;
  /** Bytes from ptr on that belong to the object; -1: not asked yet. */
  #bytes: number;
  #wrapped = false;
  /** What the collector's `faults` was when the object was last known to lie in no freed arena. */
  #faults = 0;

  /** For Handles. */
  constructor(
    core: Core,
    registry: FinalizationRegistry<number> | null,
    { id, ptr, base, bytes, known = false }: Slot,
    type: GCType<F> | null,
  ) {
    this.#core = core;
    this.#registry = registry;
    this.#id = id;
    this.#ptr = ptr;
    this.#base = base;
    this.#known = known;
    this.type = type;
    this.#bytes = bytes;
  }

  /**
   * Number of the slot, from 1 on: for Collector.handleFrom, on a shared heap in any thread. The slot ends with the
   * first dispose of a handle that has it. Throws HandleDisposedError.
   */
  get id(): number {
    if (this.#id === 0) throw new HandleDisposedError();
    if (this.#core.closed) throw new HeapDisposedError();
    this.#known = true;
    return this.#id;
  }

  /**
   * Address of the object, or inside it; 0 when it holds none. Objects do not move. On a shared heap the address is
   * good while the handle holds the object. Throws HandleDisposedError.
   */
  get ptr(): number {
    if (this.#id === 0) throw new HandleDisposedError();
    if (this.#core.closed) throw new HeapDisposedError();
    if (this.#known) this.#reload();
    return this.#ptr;
  }

  /** What the slot has by now. Throws HandleDisposedError when somebody has disposed of it. */
  #reload(): void {
    const base = this.#core.exports.handleGet(this.#id) >>> 0;
    if (base === NO_HANDLE) throw new HandleDisposedError();
    if (base === this.#base) return;
    this.#ptr = base;
    this.#base = base;
    this.#bytes = base === 0 ? 0 : -1;
  }

  /** An arena was freed since the last look: throws ArenaFreedError if the object was in it. */
  #checkFault(ptr: number): void {
    this.#core.refuseFaulted(ptr, "slot");
    this.#faults = this.#core.faults;
  }

  /** Whether dispose was called on this handle. */
  get disposed(): boolean {
    return this.#id === 0;
  }

  /** Whether the engine's collector disposes of it: Collector.wrap. */
  get wrapped(): boolean {
    return this.#wrapped;
  }

  /** Bytes of the object from ptr on: those asked for where that is known, else those of its slot. 0 for null. */
  get byteLength(): number {
    const ptr = this.ptr;
    if (this.#bytes < 0) {
      const base = this.#core.objectAt(ptr, "byteLength");
      // A tiny block has no size of its own to be asked for.
      this.#bytes = base + (this.#core.exports.malloc_usable_size(base) >>> 0 || 16) - ptr;
    }
    return this.#bytes;
  }

  /**
   * Holds another object, or none, in place of the present one. The type stays, so the object should be of that type.
   * On a shared heap a bare address must still be good: call it inside. Throws NotAnObjectError, HandleDisposedError;
   * then nothing has changed.
   */
  set(target: Target): void {
    const ptr = addressOf(target);
    if (this.#id === 0) throw new HandleDisposedError();
    this.#base = this.#core.atomic(() => {
      const base = ptr === 0 ? 0 : this.#core.objectAt(ptr, "set");
      if (this.#core.exports.handleSet(this.#id, base) === 0) throw new HandleDisposedError();
      return base;
    });
    this.#ptr = ptr;
    this.#bytes = ptr === 0 ? 0 : -1;
  }

  /**
   * Address of a pointer field, by name or offset, of element `index`. Throws TypeError without a type, RangeError for
   * what is no pointer of it or beyond the object, HandleDisposedError, ArenaFreedError.
   */
  slot(field: F | number, index = 0): number {
    const { type, ptr } = this;
    if (type === null) throw new TypeError("the handle's object has no type: pass one to collector.handle");
    if (ptr === 0) throw new NotAnObjectError(0, "slot");
    if (this.#core.faults !== this.#faults) this.#checkFault(ptr);
    const offset = type.offsetOf(field);
    const at = offset + type.size * within(index, 0, MAX_INDEX, "index");
    if (at + POINTER_SIZE > this.byteLength) {
      throw new RangeError(`element ${index} is beyond the object's ${this.byteLength} bytes`);
    }
    return ptr + at;
  }

  /**
   * The pointer in a field; 0 for null. On a shared heap: good as long as the caller is inside. Throws what slot
   * throws.
   */
  load(field: F | number, index = 0): number {
    return this.#core.word(this.slot(field, index))!;
  }

  /** Lets a field point to an object, or to none: with the write barrier. Throws what slot throws. */
  store(field: F | number, target: Target, index = 0): void {
    // First, because it may be a getter of the user's.
    const value = addressOf(target);
    this.#core.exports.writePointer(this.slot(field, index), value);
  }

  /**
   * Gives the slot back: the handle is no root any more, and every later use except dispose throws. Twice is fine.
   * Throws HeapLockError on a shared heap: then it is still a root.
   */
  dispose(): void {
    const id = this.#id;
    if (id === 0) return;
    if (!this.#core.closed) this.#core.exports.handleFree(id);
    this.#id = 0;
    if (this.#wrapped) this.#registry?.unregister(this);
  }

  [DISPOSE](): void {
    this.dispose();
  }

  /** For Handles.wrap: the engine's collector may dispose of it from now on. */
  static wrap(handle: Handle<string>): void {
    if (handle.#id === 0) throw new HandleDisposedError();
    if (handle.#wrapped || handle.#registry === null) return;
    handle.#registry.register(handle, handle.#id, handle);
    handle.#wrapped = true;
  }

  /** Whether a value is a handle of the heap of `core`. */
  static isOf(core: Core, value: unknown): value is Handle<string> {
    return typeof value === "object" && value !== null && #core in value && value.#core === core;
  }
}

/** A slot of the heap's table, and the object that it holds. */
interface Slot {
  readonly id: number;
  /** Address of the object, or inside it. */
  readonly ptr: number;
  /** Its start. */
  readonly base: number;
  /** Bytes from ptr on; -1: not asked yet. */
  readonly bytes: number;
  readonly known?: boolean;
}

/** The handles of one heap, or of one thread of a shared one. */
export class Handles {
  readonly #core: Core;
  /** Slots of wrapped handles that the heap could not take back because a lock was held. */
  readonly #late: number[] = [];
  /** Null on engines without one. */
  readonly #registry: FinalizationRegistry<number> | null;

  constructor(core: Core) {
    this.#core = core;
    this.#registry =
      typeof FinalizationRegistry === "function"
        ? new FinalizationRegistry((id) => {
            this.#late.push(id);
            this.#freeLate();
          })
        : null;
  }

  /** A handle of `ptr` in the object at `base`, `bytes` long from there on; -1: unknown. Throws OutOfMemoryError. */
  make<F extends string>(ptr: number, base: number, type: GCType<F> | null, bytes: number): Handle<F> {
    this.#freeLate();
    const id = this.#core.exports.handleNew(base) >>> 0;
    if (id === 0) throw new OutOfMemoryError(POINTER_SIZE);
    return new Handle(this.#core, this.#registry, { id, ptr, base, bytes }, type);
  }

  /** A handle over a slot that another handle has. Throws RangeError when `id` is no slot in use. */
  from<F extends string>(id: number, type: GCType<F> | null): Handle<F> {
    const base = this.#core.exports.handleGet(u32(id, "id")) >>> 0;
    if (base === NO_HANDLE) {
      throw new RangeError(`id is no handle's: ${id}; pass the id of a handle that is not disposed of`);
    }
    return new Handle(
      this.#core,
      this.#registry,
      { id, ptr: base, base, bytes: base === 0 ? 0 : -1, known: true },
      type,
    );
  }

  /** Frees what wrapped handles have left. A lock that is held now is no reason to fail: the next call tries again. */
  #freeLate(): void {
    try {
      for (; this.#late.length > 0 && !this.#core.closed; this.#late.pop()) {
        this.#core.exports.handleFree(this.#late.at(-1)!);
      }
    } catch (error) {
      if (!(error instanceof GomallocError)) throw error;
    }
  }
}
