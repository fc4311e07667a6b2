/**
 * A memory to read a heap from: one that programs use meanwhile, or the bytes of a dump.
 *
 * Reads only. Any thread: of a shared memory a word is what it was at some moment. Whatever an address says, a read gives
 * a number: 0 beyond the memory's end. Cost: a view is made anew when the memory has grown.
 */
import { isBytes, isMemory, isShared, show } from "../base/check.js";
import { SnapshotError } from "../base/errors.js";

/** Where a heap may lie. Bytes are a whole linear memory from address 0 on. */
export type MemorySource = WebAssembly.Memory | ArrayBufferLike | ArrayBufferView<ArrayBufferLike>;

export class MemoryWords {
  readonly #memory: WebAssembly.Memory | null;
  #buffer: ArrayBufferLike;
  u8: Uint8Array<ArrayBufferLike>;
  u32: Uint32Array<ArrayBufferLike>;
  /** Bytes that can be read. */
  length: number;

  /** Throws TypeError for what is no memory. */
  constructor(source: MemorySource) {
    const bytes = bytesOf(source);
    this.#memory = bytes === null ? (source as WebAssembly.Memory) : null;
    // Words are read from multiples of 4: of a view that begins elsewhere a copy is taken.
    const view = bytes === null || bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
    this.#buffer = view?.buffer ?? this.#memory!.buffer;
    const from = view?.byteOffset ?? 0;
    const bytesThere = view?.byteLength ?? this.#buffer.byteLength;
    this.length = bytesThere - (bytesThere % 4);
    this.u8 = new Uint8Array(this.#buffer, from, this.length);
    this.u32 = new Uint32Array(this.#buffer, from, this.length / 4);
  }

  /** To be called when other code has run: the memory may have grown. Throws SnapshotError when the bytes are gone. */
  refresh(): void {
    if (this.#memory === null) {
      if (this.length > 0 && this.u8.byteLength === 0) {
        throw new SnapshotError(
          "detached",
          "the bytes of the memory were moved elsewhere while they were read",
          "give the WebAssembly.Memory itself, which may grow, or do not transfer the buffer",
        );
      }
      return;
    }
    const { buffer } = this.#memory;
    if (buffer === this.#buffer) return;
    this.#buffer = buffer;
    this.length = buffer.byteLength;
    this.u8 = new Uint8Array(buffer);
    this.u32 = new Uint32Array(buffer);
  }

  /** Whether `size` bytes at `at`, a multiple of `align`, lie in the memory from `from` on. */
  lies(at: number, size: number, align: number, from: number): boolean {
    return at % align === 0 && at >= from && at + size <= this.length;
  }

  /** The word at a multiple of 4. */
  word(at: number): number {
    return (this.u32[at >>> 2] ?? 0) >>> 0;
  }

  half(at: number): number {
    return (this.u8[at] ?? 0) | ((this.u8[at + 1] ?? 0) << 8);
  }

  byte(at: number): number {
    return this.u8[at] ?? 0;
  }

  /** A count of 64 bits, as a number: exact up to 2^53. */
  long(at: number): number {
    return this.word(at) + this.word(at + 4) * 2 ** 32;
  }
}

/** Null for a WebAssembly.Memory. Throws TypeError. */
function bytesOf(source: MemorySource): Uint8Array<ArrayBufferLike> | null {
  if (isBytes(source) || isShared(source)) {
    try {
      if (!ArrayBuffer.isView(source)) return new Uint8Array(source as ArrayBufferLike);
      return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
    } catch (cause) {
      throw new TypeError("memory is an ArrayBuffer that has been detached: its bytes are elsewhere", { cause });
    }
  }
  if (isMemory(source)) return null;
  throw new TypeError(
    `memory must be a WebAssembly.Memory, an ArrayBuffer, a SharedArrayBuffer or a typed array: ${show(source)}`,
  );
}

/** Bits set in a word. */
export function popcount(word: number): number {
  let x = word - ((word >>> 1) & 0x55555555);
  x = (x & 0x33333333) + ((x >>> 2) & 0x33333333);
  return Math.imul((x + (x >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
