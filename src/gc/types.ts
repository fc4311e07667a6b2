/**
 * Types of collected objects: which words of an object are pointers.
 *
 * A type is a record in the heap (assembly/gc/typebits.ts), which is never given back; one is made per layout. The
 * object here is its frozen description. It belongs to the collector that made it, and serves as a HeapType of
 * Heap.mallocgc too, which then takes every word of the object for a possible pointer.
 */
import { object, reading, show, within } from "../base/check.js";
import { OutOfMemoryError } from "../base/errors.js";
import { MAX_TYPE_SIZE, TYPE_MASK } from "../base/gcabi.js";
import { POINTER_SIZE } from "../base/types.js";
import type { Core } from "./core.js";

/** A layout for Collector.defineType. `F` are the names of its pointer fields. */
export interface GCTypeLayout<F extends string = never> {
  /** Bytes of one object: a multiple of 4, 4 to 131072. */
  readonly size: number;
  /** Byte offsets of the pointers, multiples of 4 below `size`, each once; or these by name. */
  readonly pointers: readonly number[] | Readonly<Record<F, number>>;
}

/** A type made by Collector.defineType. */
export class GCType<F extends string = never> {
  readonly size: number;
  /** Bytes up to the end of the last pointer; 0: no pointers, and objects that are never looked into. */
  readonly ptrBytes: number;
  /** Byte offsets of the pointers, ascending. */
  readonly pointers: readonly number[];
  /** The same by name; empty for a type without names. */
  readonly offsets: Readonly<Record<F, number>>;
  readonly #core: Core;
  readonly #address: number;
  readonly #isPointer: ReadonlySet<number>;

  /** For defineType. */
  constructor(core: Core, address: number, size: number, pointers: number[], offsets: Record<F, number>) {
    this.#core = core;
    this.#address = address;
    this.size = size;
    this.pointers = Object.freeze(pointers);
    this.ptrBytes = ptrBytesOf(pointers);
    this.offsets = Object.freeze(offsets);
    this.#isPointer = new Set(pointers);
    Object.freeze(this);
  }

  /** Byte offset of a pointer field, by name or by that itself. Throws RangeError when the type has no such field. */
  offsetOf(field: F | number): number {
    const named = typeof field === "string" && Object.hasOwn(this.offsets, field);
    const offset = typeof field === "number" ? field : named ? this.offsets[field] : -1;
    if (!this.#isPointer.has(offset)) throw new RangeError(`the type has no pointer ${show(field)}`);
    return offset;
  }

  /** Address of the type's record in the heap of `core`. Throws TypeError for what is no type of that heap's. */
  static addressIn(core: Core, type: GCType<string>): number {
    if (typeof type !== "object" || type === null || !(#core in type)) {
      throw new TypeError("type must come from this collector's defineType");
    }
    if (type.#core !== core) throw new TypeError("the type was defined by the collector of another heap");
    return type.#address;
  }
}

function ptrBytesOf(pointers: readonly number[]): number {
  return pointers.length === 0 ? 0 : pointers.at(-1)! + POINTER_SIZE;
}

/** The types of one heap. */
export class Types {
  readonly #core: Core;
  readonly #addresses = new Map<string, number>();

  constructor(core: Core) {
    this.#core = core;
  }

  /** See Collector.defineType. O(size / 32 + pointers) the first time that a layout is seen. */
  define<F extends string = never>(layout: GCTypeLayout<F>): GCType<F> {
    object(layout, "the layout");
    const { size, pointers } = reading("the layout", () => ({ size: layout.size, pointers: layout.pointers }));
    object(pointers, "pointers, an array of offsets or a record of these,");
    const [named, given] = reading("pointers", (): [object, number[]] => {
      if (Array.isArray(pointers)) return [{}, [...(pointers as number[])]];
      const record = { ...pointers };
      return [record, Object.values<number>(record)];
    });
    within(size, POINTER_SIZE, MAX_TYPE_SIZE, "size");
    if (size % POINTER_SIZE !== 0) throw new RangeError(`size must be a multiple of ${POINTER_SIZE}: ${size}`);
    for (const offset of given) {
      within(offset, 0, size - POINTER_SIZE, "a pointer's offset");
      if (offset % POINTER_SIZE !== 0) {
        throw new RangeError(`a pointer's offset must be a multiple of ${POINTER_SIZE}: ${offset}`);
      }
    }
    const offsets = given.sort((a, b) => a - b);
    for (const [index, offset] of offsets.entries()) {
      if (offset === offsets[index - 1]) throw new RangeError(`two pointers have the offset ${offset}`);
    }
    return new GCType(this.#core, this.#record(size, offsets), size, offsets, named as Record<F, number>);
  }

  /** The record of a layout, made at its first use. */
  #record(size: number, offsets: number[]): number {
    const key = `${size}:${offsets.join()}`;
    const known = this.#addresses.get(key);
    const { exports, views } = this.#core;
    if (known !== undefined) return known;
    const ptrBytes = ptrBytesOf(offsets);
    const address = exports.newType(size, ptrBytes) >>> 0;
    if (address === 0) throw new OutOfMemoryError(TYPE_MASK + Math.ceil(ptrBytes / 128) * 4);
    const words = views.current.u32;
    for (const offset of offsets) {
      const bit = offset / POINTER_SIZE;
      words[(address + TYPE_MASK) / 4 + (bit >>> 5)]! |= 1 << (bit & 31);
    }
    this.#addresses.set(key, address);
    return address;
  }
}
