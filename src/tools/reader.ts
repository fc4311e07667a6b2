/**
 * A cursor over the bytes of a module: LEB128 numbers, names, bytes. Reading past the end is a ToolError "truncated".
 */
import { ToolError } from "./errors.js";

/** Made at the first name: importing this file does nothing, and needs no TextDecoder. */
let text: TextDecoder | undefined;

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
    if (this.at >= this.end) throw truncated(this.at);
    return this.bytes[this.at++]!;
  }

  /** The next byte, left where it is. */
  peek(): number {
    if (this.at >= this.end) throw truncated(this.at);
    return this.bytes[this.at]!;
  }

  /** An unsigned LEB128 of at most 32 bits. */
  u32(): number {
    const from = this.at;
    const value = this.u64();
    if (value > 0xffffffff) throw malformed(from, "a number of more than 32 bits");
    return value;
  }

  /** An unsigned LEB128, exact up to 2^53. */
  u64(): number {
    const from = this.at;
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      if (this.at - from >= 10) throw malformed(from, "a number that does not end");
    }
  }

  /** A signed LEB128 of at most 32 bits. */
  s32(): number {
    return Number(BigInt.asIntN(32, this.s64()));
  }

  /** A signed LEB128 of at most 64 bits. */
  s64(): bigint {
    const from = this.at;
    let value = 0n;
    for (let shift = 0n; ; ) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << shift;
      shift += 7n;
      if (byte < 0x80) return BigInt.asIntN(64, byte & 0x40 ? value - (1n << shift) : value);
      if (this.at - from >= 10) throw malformed(from, "a number that does not end");
    }
  }

  name(): string {
    const length = this.u32();
    text ??= new TextDecoder();
    return text.decode(this.take(length));
  }

  /** A view of the next `length` bytes. */
  take(length: number): Uint8Array {
    if (this.at + length > this.end) throw truncated(this.at);
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  /** A reader of the next `length` bytes alone, which this one skips. */
  sub(length: number): Reader {
    const from = this.at;
    this.take(length);
    return new Reader(this.bytes, from, from + length);
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
