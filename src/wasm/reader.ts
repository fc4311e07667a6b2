/**
 * A cursor over the bytes of a module: LEB128 numbers, names, bytes.
 *
 * Every read ends: a number has at most the bytes that the format allows, and reading past the end is a ToolError,
 * "truncated" at the end of the file and "malformed" at the end of a part of it.
 */
import { ToolError } from "./errors.js";

/** Made at the first name: importing this file does nothing, and needs no TextDecoder. */
let strict: TextDecoder | undefined;
let loose: TextDecoder | undefined;

/** Bytes that a LEB128 number of 32 or 64 bits may have. */
const MAX_BYTES_32 = 5;
const MAX_BYTES_64 = 10;

export class Reader {
  constructor(
    readonly bytes: Uint8Array,
    /** Offset of the next byte. */
    public at = 0,
    /** Offset behind the last byte that may be read. */
    readonly end = bytes.length,
  ) {}

  get done(): boolean {
    return this.at >= this.end;
  }

  byte(): number {
    if (this.at >= this.end) throw this.#ended();
    return this.bytes[this.at++]!;
  }

  /** The next byte, left where it is. */
  peek(): number {
    if (this.at >= this.end) throw this.#ended();
    return this.bytes[this.at]!;
  }

  /** An unsigned LEB128 of at most 32 bits. */
  u32(): number {
    const from = this.at;
    const value = this.#unsigned(MAX_BYTES_32);
    if (value > 0xffffffff) throw malformed(from, "a number of more than 32 bits");
    return value;
  }

  /** An unsigned LEB128, exact up to 2^53. */
  u64(): number {
    return this.#unsigned(MAX_BYTES_64);
  }

  /** A signed LEB128 of at most 32 bits. */
  s32(): number {
    const from = this.at;
    let value = 0;
    for (let shift = 0; ; ) {
      const byte = this.byte();
      value |= (byte & 0x7f) << shift;
      shift += 7;
      if (byte < 0x80) return shift < 32 && byte & 0x40 ? value | (-1 << shift) : value;
      if (this.at - from >= MAX_BYTES_32) throw malformed(from, "a number that does not end");
    }
  }

  /** Passes over a LEB128 of at most 64 bits. */
  skipNumber(): void {
    const from = this.at;
    while (this.byte() >= 0x80) {
      if (this.at - from >= MAX_BYTES_64) throw malformed(from, "a number that does not end");
    }
  }

  /** The length of a vector whose entries take at least a byte each. */
  count(): number {
    const from = this.at;
    const count = this.u32();
    if (count <= this.end - this.at) return count;
    throw this.end === this.bytes.length ? truncated(this.end) : malformed(from, `a list of ${count} entries`);
  }

  /** A name: UTF-8, kept to the byte. */
  name(): string {
    const from = this.at;
    const bytes = this.take(this.u32());
    strict ??= new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    try {
      return strict.decode(bytes);
    } catch {
      throw malformed(from, "a name that is not UTF-8");
    }
  }

  /** As name, of what engines do not read: bytes that are no UTF-8 become U+FFFD. */
  text(): string {
    loose ??= new TextDecoder("utf-8", { ignoreBOM: true });
    return loose.decode(this.take(this.u32()));
  }

  /** A view of the next `length` bytes. */
  take(length: number): Uint8Array {
    if (this.at + length > this.end) throw this.#ended();
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  /** A reader of the next `length` bytes alone, which this one skips. */
  sub(length: number): Reader {
    const from = this.at;
    this.take(length);
    return new Reader(this.bytes, from, from + length);
  }

  #unsigned(maxBytes: number): number {
    const from = this.at;
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      if (this.at - from >= maxBytes) throw malformed(from, "a number that does not end");
    }
  }

  #ended(): ToolError {
    if (this.end === this.bytes.length) return truncated(this.end);
    return malformed(this.at, "a part that ends in the middle of something");
  }
}

export function truncated(at: number): ToolError {
  return new ToolError(
    "truncated",
    `the module ends in the middle of something, at byte ${at}`,
    "The file is cut off or was changed by a text tool: build or download it again.",
  );
}

export function malformed(at: number, what: string): ToolError {
  return new ToolError(
    "malformed",
    `the module has ${what} at byte ${at}`,
    "The file is damaged, or uses an extension of WebAssembly that is not supported here: build it again, for wasm32.",
  );
}
