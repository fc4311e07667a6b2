/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Pinner: pins that end together, as Go's runtime.Pinner.
 *
 * A pinner that is dropped with pins is a mistake: what it has pinned stays pinned, because somebody may still use the
 * addresses, and nobody can unpin it by the pinner any more. The engine's collector finds it, and a warning names the
 * place where the pinner was made.
 *
 * Owner: one thread. Cost: a pin is that of Collector.pin; a pinner is an Error object for its place.
 */
import { DISPOSE, runAll } from "../base/dispose.js";
import { hex } from "../base/errors.js";
import { addressOf, type Core, type Target } from "./core.js";

/** What a pinner has pinned, and where it was made: it outlives the pinner, to be reported. */
interface Pins {
  readonly objects: number[];
  readonly made: Error;
}

/** Pins objects until it is disposed of. Made by Collector.pinner. */
export class Pinner implements Disposable {
  readonly #core: Core;
  readonly #pins: Pins;
  readonly #pin: (object: number) => void;

  /** For Pinners. `pin` pins the object that begins at an address. */
  constructor(core: Core, pins: Pins, pin: (object: number) => void) {
    this.#core = core;
    this.#pins = pins;
    this.#pin = pin;
  }

  /**
   * Keeps the object that `target` points to or into alive until this pinner is disposed of. May be called again for the
   * same object. Null and addresses outside of the collector's objects are ignored, as Go ignores what is not in its
   * heap. The address given. On a shared heap a bare address must still be good: call it inside. Throws
   * OutOfMemoryError.
   */
  pin(target: Target): number {
    const ptr = addressOf(target);
    this.#core.atomic(() => {
      const object = this.#core.exports.objectOf(ptr) >>> 0;
      if (object === 0) return;
      this.#pin(object);
      this.#pins.objects.push(object);
    });
    return ptr;
  }

  /** How many pins it has. */
  get size(): number {
    return this.#pins.objects.length;
  }

  /** Undoes all its pins; it can be used again. What has failed stays pinned, and is thrown: HeapLockError. */
  unpin(): void {
    const { objects } = this.#pins;
    const left: number[] = [];
    const steps = objects.splice(0).map((ptr) => () => {
      left.push(ptr);
      if (!this.#core.closed) this.#core.exports.unpin(ptr);
      left.pop();
    });
    try {
      runAll(steps);
    } finally {
      objects.push(...left);
    }
  }

  /** As unpin. */
  dispose(): void {
    this.unpin();
  }

  [DISPOSE](): void {
    this.unpin();
  }
}

/** The pinners of one heap, or of one thread of a shared one. */
export class Pinners {
  readonly #core: Core;
  /** Null on engines without one: there a dropped pinner is not found. */
  readonly #registry: FinalizationRegistry<Pins> | null;

  constructor(core: Core) {
    this.#core = core;
    this.#registry =
      typeof FinalizationRegistry === "function" ? new FinalizationRegistry((pins) => this.#report(pins)) : null;
  }

  make(pin: (object: number) => void): Pinner {
    const pins: Pins = { objects: [], made: new Error("the pinner was made here") };
    const pinner = new Pinner(this.#core, pins, pin);
    this.#registry?.register(pinner, pins);
    return pinner;
  }

  #report({ objects, made }: Pins): void {
    if (objects.length === 0 || this.#core.closed) return;
    const text =
      `a pinner was dropped, and what it has pinned (${objects.length}) stays so: dispose of it, or write \`using\`. ` +
      `The first is ${hex(objects[0]!)}. Made at: ${made.stack ?? "an unknown place"}`;
    warn(text);
  }
}

/** A warning, as Node shows them, or on the console. */
function warn(text: string): void {
  const { process } = globalThis as { process?: { emitWarning?: (text: string, options: object) => void } };
  if (process?.emitWarning !== undefined) process.emitWarning(text, { type: "PinnerWarning", code: "GOMALLOC_PINNER" });
  else console.warn(text);
}
