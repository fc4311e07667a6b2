/**
 * Types of collected objects: which words of an object are pointers.
 *
 * A type is a record in the heap (assembly/gc/typebits.ts), which is never freed; a collector makes one per layout. The
 * object here is its frozen description. It belongs to the collector that made it; another thread of a shared heap
 * makes its own from the number (Collector.typeFrom). It also serves as a HeapType of Heap.mallocgc, which then takes
 * every word of the object for a possible pointer.
 *
 *   record   0 size u32 | 4 ptrBytes u32 | 8 previous record | 12 tag | 16 one bit per word of ptrBytes
 */
import { object, reading, show, u32, within } from "../base/check.js";
import { OutOfMemoryError } from "../base/errors.js";
import { MAX_TYPE_SIZE, TYPE_MASK, TYPE_TAG } from "../base/gcabi.js";
import { POINTER_SIZE } from "../base/types.js";
import type { Core } from "./core.js";

/** A layout for Collector.defineType. `F` are the names of its pointer fields. */
export interface GCTypeLayout<F extends string = never> {
  /** Bytes of one object: a multiple of 4, 4 to 131072. */
  readonly size: number;
  /** Byte offsets of the pointers, multiples of 4 below `size`, each once; or these by name. */
  readonly pointers: readonly number[] | Readonly<Record<F, number>>;
}

/** A type made by Collector.defineType or typeFrom. */
export class GCType<F extends string = never> {
  /** Its number, an address: good in every thread of a shared heap, for typeFrom. */
  readonly id: number;
  readonly size: number;
  /** Bytes up to the end of the last pointer; 0: no pointers, and objects that are never looked into. */
  readonly ptrBytes: number;
  /** Byte offsets of the pointers, ascending. */
  readonly pointers: readonly number[];
  /** The same by name; empty for a type without names. */
  readonly offsets: Readonly<Record<F, number>>;
  readonly #core: Core;
  readonly #isPointer: ReadonlySet<number>;

  /** For Types. */
  constructor(core: Core, id: number, size: number, pointers: number[], offsets: Record<F, number>) {
    this.#core = core;
    this.id = id;
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

  /** Address of the type's record in the heap of `core`. Throws TypeError for what is no type of that collector's. */
  static addressIn(core: Core, type: GCType<string>): number {
    if (typeof type !== "object" || type === null || !(#core in type)) {
      throw new TypeError("type must come from this collector's defineType");
    }
    if (type.#core !== core) {
      throw new TypeError("the type belongs to another collector: define it here, or pass its id to typeFrom");
    }
    return type.id;
  }
}

function ptrBytesOf(pointers: readonly number[]): number {
  return pointers.length === 0 ? 0 : pointers.at(-1)! + POINTER_SIZE;
}

/** The types of one collector. */
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
    for (const offset of offsets) Atomics.or(words, wordOf(address, offset), bitOf(offset));
    this.#addresses.set(key, address);
    return address;
  }

  /** See Collector.typeFrom. O(size / 4). */
  from(id: number): GCType {
    const words = this.#core.views.current.u32;
    const at = u32(id, "id") / 4;
    const read = (word: number): number => Atomics.load(words, at + word);
    if (id === 0 || id % 16 !== 0 || at + TYPE_MASK / 4 > words.length) throw noType(id);
    const [size, ptrBytes] = [read(0), read(1)];
    if (read(3) !== (id ^ TYPE_TAG ^ size ^ ptrBytes) >>> 0 || ptrBytes > size || size > MAX_TYPE_SIZE)
      throw noType(id);
    const offsets: number[] = [];
    for (let offset = 0; offset < ptrBytes; offset += POINTER_SIZE) {
      if ((Atomics.load(words, wordOf(id, offset)) & bitOf(offset)) !== 0) offsets.push(offset);
    }
    return new GCType(this.#core, id, size, offsets, {});
  }
}

/** Index of the word of a type's mask that has the bit for the pointer at `offset`, and that bit. */
function wordOf(type: number, offset: number): number {
  return (type + TYPE_MASK) / 4 + (offset >>> 7);
}

function bitOf(offset: number): number {
  return 1 << ((offset >>> 2) & 31);
}

function noType(id: number): RangeError {
  return new RangeError(`id is no type of this heap: ${id}; pass the id of one that defineType made`);
}
