/**
 * A cursor over a section of DWARF: Reader with numbers of a fixed size, signed LEB128, and texts that end with a zero.
 * Reading past the end throws, which is caught where a unit is read: damaged DWARF gives fewer answers, no exception.
 */
import { malformed, Reader } from "../../wasm/reader.js";

const decoder = (() => {
  let made: TextDecoder | undefined;
  return () => {
    made ??= new TextDecoder("utf-8", { ignoreBOM: true });
    return made;
  };
})();

/** Bytes of the longest signed number. */
const MAX_SLEB = 10;

export class Cursor extends Reader {
  /** An unsigned number of `size` bytes, little endian: exact up to 2^53. */
  fixed(size: number): number {
    const end = this.at + size;
    if (end > this.end) throw malformed(this.at, "a number that does not end");
    let value = 0;
    for (let i = end - 1; i >= this.at; i--) value = value * 256 + this.bytes[i]!;
    this.at = end;
    return value;
  }

  s8(): number {
    return (this.byte() << 24) >> 24;
  }

  /** A signed LEB128, exact up to 2^53. */
  sleb(): number {
    let value = 0;
    let factor = 1;
    for (let count = 0; count < MAX_SLEB; count++) {
      const byte = this.byte();
      value += (byte & 0x7f) * factor;
      factor *= 128;
      if (byte < 0x80) return byte & 0x40 ? value - factor : value;
    }
    throw malformed(this.at, "a number that does not end");
  }

  skip(bytes: number): void {
    if (!(bytes >= 0 && this.at + bytes <= this.end)) throw malformed(this.at, "a part that is longer than its whole");
    this.at += bytes;
  }

  /** Passes over a text. */
  skipText(): void {
    const end = this.bytes.indexOf(0, this.at);
    if (end < 0 || end >= this.end) throw malformed(this.at, "a text that does not end");
    this.at = end + 1;
  }

  zeroEnded(): string {
    const from = this.at;
    this.skipText();
    return decoder().decode(this.bytes.subarray(from, this.at - 1));
  }

  /** The length of a unit, in bytes from behind it, and the size of offsets in that unit: 8 in 64-bit DWARF. */
  unitLength(): { length: number; offsetSize: 4 | 8 } {
    const length = this.fixed(4);
    if (length < 0xfffffff0) return { length, offsetSize: 4 };
    if (length !== 0xffffffff) throw malformed(this.at, "a unit of unknown form");
    return { length: this.fixed(8), offsetSize: 8 };
  }
}
