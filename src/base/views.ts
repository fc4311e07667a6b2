/**
 * Views of a memory that never go stale.
 *
 * Growing a WebAssembly.Memory detaches its ArrayBuffer: every typed array over it then has length 0. The heap grows
 * its memory whenever it has to, and so may anyone who shares it. Therefore nothing here hands out a typed array
 * without looking at a length first. (Asking the memory for its buffer would cost some 15 ns every time.)
 *
 * A shared memory's buffer is never detached, it only stays short: src/shared/views.ts asks the memory every time. That
 * is why everything here has the kind of buffer as a type parameter.
 */
import { reading, show, u32 } from "./check.js";
import { HeapDisposedError } from "./errors.js";

/** A constructor of typed arrays over linear memory. */
export interface ViewConstructor<T extends ArrayBufferView, B extends ArrayBufferLike = ArrayBuffer> {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: B, byteOffset: number, length: number): T;
}

/** Typed arrays over a buffer of kind `B`, by the names that they have at run time. */
interface ArraysOver<B extends ArrayBufferLike> {
  Int8Array: Int8Array<B>;
  Uint8Array: Uint8Array<B>;
  Uint8ClampedArray: Uint8ClampedArray<B>;
  Int16Array: Int16Array<B>;
  Uint16Array: Uint16Array<B>;
  Int32Array: Int32Array<B>;
  Uint32Array: Uint32Array<B>;
  Float32Array: Float32Array<B>;
  Float64Array: Float64Array<B>;
  BigInt64Array: BigInt64Array<B>;
  BigUint64Array: BigUint64Array<B>;
}

/**
 * The array of type `T`, over a buffer of kind `B`. A constructor's own type does not tell: TypeScript takes it for one
 * of arrays over an ArrayBuffer.
 */
export type ViewOver<T extends ArrayBufferView, B extends ArrayBufferLike> = T extends {
  readonly [Symbol.toStringTag]: infer Name extends keyof ArraysOver<B>;
}
  ? ArraysOver<B>[Name]
  : T;

/** Largest element of a typed array, bytes. */
const MAX_ELEMENT = 8;

/** Bytes of an element of the arrays that `type` constructs. Throws TypeError when it constructs none. */
export function elementSize(type: ViewConstructor<ArrayBufferView, never>): number {
  const bytes = typeof type === "function" ? reading("type", () => type.BYTES_PER_ELEMENT) : 0;
  if (Number.isInteger(bytes) && bytes >= 1 && bytes <= MAX_ELEMENT && (bytes & (bytes - 1)) === 0) return bytes;
  throw new TypeError(`type must be a constructor of typed arrays, such as Uint8Array: ${show(type)}`);
}

/** The whole of a buffer, in every type. */
export interface WholeViews<B extends ArrayBufferLike> {
  readonly buffer: B;
  readonly i8: Int8Array<B>;
  readonly u8: Uint8Array<B>;
  readonly i16: Int16Array<B>;
  readonly u16: Uint16Array<B>;
  readonly i32: Int32Array<B>;
  readonly u32: Uint32Array<B>;
  readonly i64: BigInt64Array<B>;
  readonly u64: BigUint64Array<B>;
  readonly f32: Float32Array<B>;
  readonly f64: Float64Array<B>;
  readonly dataView: DataView<B>;
}

function wholeViews<B extends ArrayBufferLike>(buffer: B): WholeViews<B> {
  return {
    buffer,
    i8: new Int8Array(buffer),
    u8: new Uint8Array(buffer),
    i16: new Int16Array(buffer),
    u16: new Uint16Array(buffer),
    i32: new Int32Array(buffer),
    u32: new Uint32Array(buffer),
    i64: new BigInt64Array(buffer),
    u64: new BigUint64Array(buffer),
    f32: new Float32Array(buffer),
    f64: new Float64Array(buffer),
    dataView: new DataView(buffer),
  };
}

/** The views of one memory as a whole: made once per buffer, read through `current`. Closed when the heap is. */
export class MemoryViews<B extends ArrayBufferLike = ArrayBuffer> {
  #memory: WebAssembly.Memory | null;
  #views: WholeViews<B>;

  constructor(memory: WebAssembly.Memory) {
    this.#memory = memory;
    this.#views = wholeViews(memory.buffer as B);
  }

  /** Views over the memory's buffer as it is now. */
  get current(): WholeViews<B> {
    const views = this.#views;
    return views.u8.length !== 0 ? views : this.renew();
  }

  /** Whether the memory has `end` bytes or more. */
  reaches(end: number): boolean {
    return end <= this.current.buffer.byteLength;
  }

  /** The slow half: the buffer is detached, or empty as that of a memory without pages. */
  protected renew(): WholeViews<B> {
    if (this.#memory === null) throw new HeapDisposedError();
    const buffer = this.#memory.buffer as B;
    if (buffer !== this.#views.buffer) this.#views = wholeViews(buffer);
    return this.#views;
  }

  /** Drops memory and views; every later access throws HeapDisposedError. */
  close(): void {
    this.#memory = null;
    this.#views = wholeViews(new ArrayBuffer(0) as B);
  }
}

/**
 * A range of linear memory: `length` elements from address `ptr`. Keep the HeapView, not what get() returns: a typed
 * array is good until the next call that may grow the memory.
 *
 * The range is not tied to a block: it does not keep one alive and does not notice its free.
 */
export class HeapView<T extends ArrayBufferView> {
  readonly #memory: MemoryViews<ArrayBufferLike>;
  readonly #type: ViewConstructor<T, ArrayBufferLike>;
  #buffer: ArrayBufferLike | null = null;
  #view: T | null = null;
  readonly #bytes: number;
  /** Address of the first element, unsigned. */
  readonly ptr: number;
  /** Elements. */
  readonly length: number;

  constructor(memory: MemoryViews<ArrayBufferLike>, type: ViewConstructor<T, never>, ptr: number, length: number) {
    const bytes = elementSize(type);
    if (u32(ptr, "ptr") % bytes !== 0) throw new RangeError(`ptr must be a multiple of ${bytes}: ${ptr}`);
    if (!memory.reaches(ptr + u32(length, "length") * bytes)) {
      const size = memory.current.buffer.byteLength;
      throw new RangeError(`${length} elements of ${bytes} bytes from ${ptr} reach beyond the memory's ${size} bytes`);
    }
    this.#memory = memory;
    this.#type = type as ViewConstructor<T, ArrayBufferLike>;
    this.#bytes = bytes;
    this.ptr = ptr;
    this.length = length;
  }

  /** Bytes of the range. */
  get byteLength(): number {
    return this.length * this.#bytes;
  }

  /**
   * A typed array over the range, valid now: the last one returned, or a fresh one when the buffer has changed. Throws
   * TypeError when the type that the view was made with constructs none.
   */
  get(): T {
    const buffer = this.#memory.current.buffer;
    if (this.#view === null || this.#buffer !== buffer) {
      const view = reading("a view of this type", () => new this.#type(buffer, this.ptr, this.length));
      if (!ArrayBuffer.isView(view)) throw new TypeError("the type of the view constructs no typed arrays");
      this.#view = view;
      this.#buffer = buffer;
    }
    return this.#view;
  }
}
