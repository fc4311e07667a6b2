/**
 * Which words of an object are pointers: types, and what the heap stores about them.
 *
 *   type     0 size u32 | 4 ptrBytes u32, a prefix with all pointers | 8 previous type | 12 tag
 *            16 one bit per word of ptrBytes
 *
 *   slots up to 128 bytes   a bit per word of the span, 1 a pointer             in the span's meta table
 *   slots up to 32 KiB      a word per slot: its type, 0 any word may be one    in the span's meta table
 *   large                   the span's type                                    in the meta word itself
 *
 * An object is an array of its type, as far as its slot goes. Words beyond its requested size are zero, and zero points
 * nowhere. Go keeps the bits in the tail of the span, and the type in a header of 8 bytes before the object. Here both
 * are out of band, like all metadata. A slot of 4096 bytes therefore holds an object of 4096 bytes, an object begins
 * where its slot begins, and a write past an object's end corrupts no bits. Price: 256 bytes for each group of 64
 * slots, 4 bytes or less a slot.
 *
 * A meta table stays with its span's record (heap/persistent.ts). In a shared heap it is cleared for each span that
 * gets the record: see clearMeta in central/newspan.ts.
 *
 * Owner: the P that owns the span. Cost: O(1) for a small object.
 */

import { MAX_TYPE_SIZE, TYPE_TAG } from "../base/abinumbers";
import { publish } from "../base/words";
import { PAGE_SHIFT } from "../base/config";
import { MSPAN_SIZE, MSpan } from "../base/layout";
import { gcState } from "../base/gcstate";
import { pageRecord } from "../heap/arena";
import { metaOf, metaWord } from "../central/mspan";
import { metaBytes } from "../heap/persistent";
import { newRecord } from "../central/records";

/** Largest slot that has a pointer bit for each word. */
@inline export const BITS_MAX_SIZE: u32 = 128;

@unmanaged @final
export class GcType {
  /** Bytes of an element, a multiple of 4. */
  size: u32;
  /** Bytes up to the end of the last pointer; 0: none at all. */
  ptrBytes: u32;
  /** The type made before this one; 0: this is the first. */
  previous: u32;
  /** Checks the record: see tagOf. */
  tag: u32;
}
/** Bytes of a type before its mask. */
@inline export const TYPE_SIZE: u32 = 16;

@inline
export function typeAt(address: u32): GcType {
  return changetype<GcType>(<usize>address);
}

/** Whether a type may have this size and these pointers: see newType. */
function isLayout(size: u32, ptrBytes: u32): bool {
  return size - 4 <= MAX_TYPE_SIZE - 4 && ((size | ptrBytes) & 3) == 0 && ptrBytes <= size;
}

/** Bytes of the record of a type whose pointers lie in the first `ptrBytes` bytes. */
export function typeBytes(ptrBytes: u32): u32 {
  return TYPE_SIZE + (((ptrBytes + 127) >> 7) << 2);
}

/** A check word: distinguishes a type's address from other numbers, and its record from an overwritten one. */
function tagOf(at: u32): u32 {
  const t = typeAt(at);
  return at ^ TYPE_TAG ^ t.size ^ t.ptrBytes;
}

/** Whether the record of a type begins at `at`, a multiple of 16 whose first TYPE_SIZE bytes can be read. */
export function isType(at: u32): bool {
  const t = typeAt(at);
  return t.tag == tagOf(at) && isLayout(t.size, t.ptrBytes);
}

/** Pointer bits of 32 words of a type, from word `word` on, a multiple of 32. */
@inline
function maskWord(type: u32, word: u32): u32 {
  return load<u32>(type + (word >> 3), TYPE_SIZE);
}

/**
 * Make a type of `size` bytes, 4..131072 and a multiple of 4, whose pointers lie in the first `ptrBytes` bytes. The
 * caller fills its mask, which begins at the address + 16 and is zero. 0: bad size, or no memory. Types are never
 * freed.
 */
export function newType(size: u32, ptrBytes: u32): u32 {
  if (!isLayout(size, ptrBytes)) return 0;
  const bytes = typeBytes(ptrBytes);
  const at = newRecord(bytes, false);
  if (at == 0) return 0;
  for (let i = TYPE_SIZE; i < bytes; i += 4) store<u32>(at + i, 0);
  const g = gcState();
  const t = typeAt(at);
  t.size = size;
  t.ptrBytes = ptrBytes;
  t.previous = g.lastType;
  t.tag = tagOf(at);
  g.lastType = at;
  g.types += 1;
  return at;
}

/** Recount the types, after the death of a thread that may have been making one. Under G. */
export function recountTypes(): void {
  let n: u32 = 0;
  for (let at = gcState().lastType; at != 0; at = typeAt(at).previous) n++;
  gcState().types = n;
}

/** The meta table of the span that holds the slot at `p`, allocated on first use. 0: no memory. */
export function needMeta(p: u32): u32 {
  const r = pageRecord(p >> PAGE_SHIFT);
  let span = changetype<MSpan>(<usize>(r.groups - MSPAN_SIZE));
  let meta = metaOf(span);
  if (meta) return meta;
  const bytes = metaBytes(span.ngroups);
  meta = newRecord(bytes, true);
  if (meta == 0) return 0;
  // The span's record may have moved while memory was sought.
  span = changetype<MSpan>(<usize>(pageRecord(p >> PAGE_SHIFT).groups - MSPAN_SIZE));
  // A slot without an object may be scanned: then any word of it may be a pointer.
  memory.fill(meta, 0, bytes);
  // Publish after the zeros: a marker may come here through a stale address.
  publish<u32>(metaWord(span), meta);
  return meta;
}

/** Write the pointer bits of the slot of `words` words that begins at word `o` of its span. */
function writeBits(meta: u32, o: u32, words: u32, bits: u32): void {
  const at = meta + ((o >> 5) << 2);
  const shift = <u64>(o & 31);
  const mask = (~(<u64>0) >> (<u64>(64 - words))) << shift;
  store<u64>(at, (load<u64>(at) & ~mask) | ((<u64>bits) << shift));
}

/** Pointer bits of the slot of at most 32 words that begins at word `o` of its span. */
@inline
export function readBits(meta: u32, o: u32, words: u32): u32 {
  return <u32>((load<u64>(meta + ((o >> 5) << 2)) >> (<u64>(o & 31))) & (~(<u64>0) >> (<u64>(64 - words))));
}

/** Pointer bits of the first `words` words, at most 32, of an array of `type` that has `bytes` bytes. */
function tileBits(type: u32, bytes: u32, words: u32): u32 {
  const t = typeAt(type);
  if (t.ptrBytes == 0) return 0;
  const mask = maskWord(type, 0);
  let bits: u32 = 0;
  for (let o: u32 = 0; o << 2 < bytes && o < words; o += t.size >> 2) bits |= mask << o;
  return bits;
}

/** Record the pointers of a new small object of `bytes` bytes in its slot. `type` 0: any word may be a pointer. */
export function setSlotType(meta: u32, base: u32, p: u32, elemsize: u32, slot: u32, type: u32, bytes: u32): void {
  if (elemsize > BITS_MAX_SIZE) {
    store<u32>(meta + (slot << 2), type);
    return;
  }
  const words = elemsize >> 2;
  writeBits(meta, (p - base) >> 2, words, type ? tileBits(type, bytes, words) : ~(<u32>0) >> (32 - words));
}

/** First pointer word of an array of `type` at or after byte `from` and below `end`; `end` if there is none. */
export function nextPointer(type: u32, from: u32, end: u32): u32 {
  const t = typeAt(type);
  if (t.ptrBytes == 0) return end;
  let element = from - (from % t.size);
  let at = from - element;
  while (true) {
    if (at >= t.ptrBytes) {
      element += t.size;
      at = 0;
    }
    if (element + at >= end) return end;
    const word = at >> 2;
    const bits = maskWord(type, word & ~31) >> (word & 31);
    if (bits) {
      at += (<u32>ctz(bits)) << 2;
      const found = element + at;
      return found < end && at < t.ptrBytes ? found : end;
    }
    at = ((word & ~31) + 32) << 2;
  }
}
