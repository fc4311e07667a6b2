/**
 * Writes protobuf messages: varints and length-delimited fields, which is all that profiles have. Zero numbers and
 * empty lists are left out, as readers take them for the default.
 */

const encoder = (() => {
  let made: TextEncoder | undefined;
  return () => {
    made ??= new TextEncoder();
    return made;
  };
})();

export class Message {
  #bytes = new Uint8Array(64);
  #length = 0;

  /** A number of at most 2^53 on either side, or of 64 bits. */
  int(field: number, value: number | bigint): void {
    if (value === 0 || value === 0n) return;
    this.#varint(field * 8);
    this.#signed(value);
  }

  /** Many numbers in one field. */
  packed(field: number, values: readonly number[]): void {
    if (values.length === 0) return;
    const list = new Message();
    for (const value of values) list.#signed(value);
    this.message(field, list);
  }

  message(field: number, message: Message): void {
    this.bytes(field, message.done());
  }

  text(field: number, text: string): void {
    this.bytes(field, encoder().encode(text));
  }

  bytes(field: number, bytes: Uint8Array): void {
    this.#varint(field * 8 + 2);
    this.#varint(bytes.length);
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** What was written: a view, good until the next call that writes. */
  done(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  #signed(value: number | bigint): void {
    if (typeof value === "number" && value >= 0) {
      this.#varint(value);
      return;
    }
    // Two's complement of 64 bits
    let left = BigInt.asUintN(64, BigInt(value));
    for (; left >= 128n; left >>= 7n) this.#byte(Number(left & 127n) | 128);
    this.#byte(Number(left));
  }

  #varint(value: number): void {
    let left = value;
    for (; left >= 2 ** 31; left = Math.floor(left / 128)) this.#byte((left % 128) | 128);
    for (; left >= 128; left >>>= 7) this.#byte((left & 127) | 128);
    this.#byte(left);
  }

  #byte(byte: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = byte;
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length + count));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}
