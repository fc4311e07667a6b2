/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Weak pointers, as Go's weak package has them: they know an address in an object and do not keep the object alive.
 *
 * An indirection stands between: an object of 16 bytes in the heap whose word is the address, until the object is found
 * dead. All weak pointers to one address share one indirection, so they can be compared, also when the object is dead.
 * The weak pointer keeps the indirection by a handle, which the engine's collector disposes of with it.
 *
 * Law: the word becomes 0 before a finalizer of the object runs and before its slot is used again.
 *
 * Owner: one thread; the indirection's address serves in any. Cost: some wasm calls to make one and for deref; 16 bytes
 * and a record of 16 an address.
 */
import { DISPOSE } from "../base/dispose.js";
import { OutOfMemoryError } from "../base/errors.js";
import type { Core } from "./core.js";
import { Handle, type Handles } from "./handle.js";
import type { GCType } from "./types.js";

/** Bytes of an indirection. */
const INDIRECTION_BYTES = 16;

/** Knows an object and does not keep it alive. Made by a Collector. */
export class WeakPointer<F extends string = never> implements Disposable {
  readonly #core: Core;
  readonly #handles: Handles;
  /** The object's type, null where none was told. */
  readonly type: GCType<F> | null;
  /**
   * A handle of the indirection: what a pointer field of another object holds to be a weak reference
   * (`node.store("parent", weak.indirection)`), and what Collector.weakFrom takes.
   */
  readonly indirection: Handle;

  private constructor(core: Core, handles: Handles, type: GCType<F> | null, indirection: Handle) {
    this.#core = core;
    this.#handles = handles;
    this.type = type;
    this.indirection = indirection;
  }

  /**
   * The address that it was made for while its object lives, else 0. A strong reference from here on: good as a bare
   * address is, on a shared heap inside. Throws HandleDisposedError.
   */
  get ptr(): number {
    return this.#core.exports.weakGet(this.indirection.ptr) >>> 0;
  }

  /** A new handle of the object; null when it is dead. Throws HandleDisposedError, OutOfMemoryError. */
  deref(): Handle<F> | null {
    return this.#core.atomic(() => {
      const { ptr } = this;
      return ptr === 0 ? null : this.#handles.make(ptr, this.#core.objectAt(ptr, "deref"), this.type, -1);
    });
  }

  /** Whether both were made for one address in one object, dead or alive. Throws HandleDisposedError. */
  equals(other: WeakPointer<string>): boolean {
    return other instanceof WeakPointer && other.#core === this.#core && other.indirection.ptr === this.indirection.ptr;
  }

  get disposed(): boolean {
    return this.indirection.disposed;
  }

  /** Gives the indirection up; later uses throw. Twice is fine. Not needed: the engine's collector does the same. */
  dispose(): void {
    this.indirection.dispose();
  }

  [DISPOSE](): void {
    this.dispose();
  }

  /** For Collector.weak: of an address in a live object. */
  static to<F extends string>(core: Core, handles: Handles, ptr: number, type: GCType<F> | null): WeakPointer<F> {
    return core.atomic(() => {
      core.objectAt(ptr, "weak");
      const weak = core.exports.weakNew(ptr) >>> 0;
      if (weak === 0) throw new OutOfMemoryError(INDIRECTION_BYTES);
      return WeakPointer.#over(core, handles, weak, type);
    });
  }

  /** For Collector.weakFrom: over an indirection. Throws RangeError. */
  static from<F extends string>(core: Core, handles: Handles, weak: number, type: GCType<F> | null): WeakPointer<F> {
    return core.atomic(() => {
      if (core.exports.isIndirection(weak) === 0) {
        throw new RangeError(
          `weakFrom(${weak}): no weak pointer's indirection is there; pass what weak.indirection holds`,
        );
      }
      return WeakPointer.#over(core, handles, weak, type);
    });
  }

  static #over<F extends string>(core: Core, handles: Handles, weak: number, type: GCType<F> | null): WeakPointer<F> {
    const indirection = handles.make(weak, weak, null, INDIRECTION_BYTES);
    Handle.wrap(indirection);
    return new WeakPointer(core, handles, type, indirection);
  }
}
