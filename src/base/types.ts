/**
 * Types as the allocator sees them: Go's `_type` reduced to what decides where an object goes.
 */
import { object, reading, within } from "./check.js";

const MAX_TYPE_SIZE = 0xffffffff;
/** Bytes of a pointer in linear memory. */
export const POINTER_SIZE = 4;

/** A type of objects allocated by Heap.mallocgc. */
export interface HeapType {
  /** Bytes of one object; an allocation is this times the number of elements. */
  readonly size: number;
  /**
   * Bytes from the object's start up to the end of its last pointer; 0 means that no object of the type holds a
   * pointer. Only such objects may go to spans that are never scanned.
   */
  readonly ptrBytes: number;
}

/**
 * True when objects of the type go to scan spans. Throws RangeError when the type contradicts itself, TypeError for
 * what is no type. O(1).
 */
export function needsScan(type: HeapType | null): boolean {
  if (type === null) return false;
  object(type, "type");
  const size = within(
    reading("type.size", () => type.size),
    0,
    MAX_TYPE_SIZE,
    "type.size",
  );
  const ptrBytes = within(
    reading("type.ptrBytes", () => type.ptrBytes),
    0,
    size,
    "type.ptrBytes",
  );
  if (ptrBytes % POINTER_SIZE !== 0) {
    throw new RangeError(`type.ptrBytes must be a multiple of ${POINTER_SIZE}: ${ptrBytes}`);
  }
  return ptrBytes > 0;
}
