/**
 * Checks of arguments, each O(1). They throw RangeError or TypeError with the argument's name and the value.
 *
 * Nothing here runs code of the value's own, such as its valueOf or toString: a check neither throws an error of the
 * engine's nor re-enters the heap. Options are the exception, because they may have getters: see readOptions.
 */
import { GomallocError } from "./errors.js";

const MAX_U32 = 0xffffffff;
/** Characters of a string that a message shows. */
const SHOWN = 40;

/** A value in the words of a message. Never throws, whatever the value is. */
export function show(value: unknown): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value.length > SHOWN ? `${value.slice(0, SHOWN)}...` : value);
    case "bigint":
      return `${value}n`;
    case "function":
      return "a function";
    case "object":
      return value === null ? "null" : "an object";
    default:
      return String(value);
  }
}

/** `value` when it is an integer in 0..2^32-1. */
export function u32(value: number, name: string): number {
  if (typeof value !== "number" || value >>> 0 !== value) {
    throw new RangeError(`${name} must be an integer in 0..${MAX_U32}: ${show(value)}`);
  }
  return value;
}

/** `value` when it is a power of two in 1..2^31. */
export function powerOfTwo(value: number, name: string): number {
  if (typeof value !== "number" || value >>> 0 !== value || value === 0 || (value & (value - 1)) !== 0) {
    throw new RangeError(`${name} must be a power of two in 1..2^31: ${show(value)}`);
  }
  return value;
}

/** `value` when it is an integer in low..high. */
export function within(value: number, low: number, high: number, name: string): number {
  if (!Number.isInteger(value) || value < low || value > high) {
    throw new RangeError(`${name} must be an integer in ${low}..${high}: ${show(value)}`);
  }
  return value;
}

/** `value` when it is true or false. */
export function boolean(value: boolean, name: string): boolean {
  if (typeof value !== "boolean") throw new TypeError(`${name} must be true or false: ${show(value)}`);
  return value;
}

/** `value` when it is a function. */
export function callable<F>(value: F, name: string): F {
  if (typeof value !== "function") throw new TypeError(`${name} must be a function: ${show(value)}`);
  return value;
}

/** `value` when it is a string. */
export function text(value: string, name: string): string {
  if (typeof value !== "string") throw new TypeError(`${name} must be a string: ${show(value)}`);
  return value;
}

/** `value` when it is one of the words in `choices`. */
export function oneOf<T extends string>(value: T, choices: readonly T[], name: string): T {
  if (choices.includes(value)) return value;
  const words = choices.map((choice) => `"${choice}"`);
  throw new TypeError(`${name} must be ${words.slice(0, -1).join(", ")} or ${words.at(-1)}: ${show(value)}`);
}

/** `value` when it is an object. */
export function object<T>(value: T, name: string): T {
  if (typeof value !== "object" || value === null) throw new TypeError(`${name} must be an object: ${show(value)}`);
  return value;
}

/** Whether `probe`, a function of the engine's that takes its own kind of object alone, takes `value`. */
function takes(probe: (value: never) => unknown, value: unknown): boolean {
  try {
    probe(value as never);
    return true;
  } catch {
    return false;
  }
}

// By what the engine itself looks at: instanceof is true for proxies, and for objects made with a prototype alone.

export function isMemory(value: unknown): value is WebAssembly.Memory {
  return takes((memory) => Reflect.get(WebAssembly.Memory.prototype, "buffer", memory), value);
}

export function isModule(value: unknown): value is WebAssembly.Module {
  return takes(WebAssembly.Module.exports, value);
}

/** An ArrayBuffer or a view of one, as wasm is given. */
export function isBytes(value: unknown): value is ArrayBuffer | ArrayBufferView<ArrayBuffer> {
  return (
    ArrayBuffer.isView(value) || takes((buffer) => Reflect.get(ArrayBuffer.prototype, "byteLength", buffer), value)
  );
}

/** `memory` when it is one. Throws TypeError. */
export function aMemory(memory: WebAssembly.Memory): WebAssembly.Memory {
  if (!isMemory(memory)) throw new TypeError(`memory must be a WebAssembly.Memory: ${show(memory)}`);
  return memory;
}

export function isAbortSignal(value: unknown): value is AbortSignal {
  return typeof AbortSignal === "function" && takes((s) => Reflect.get(AbortSignal.prototype, "aborted", s), value);
}

/** Whether a buffer is one that threads share. */
export function isShared(buffer: unknown): boolean {
  return (
    typeof SharedArrayBuffer === "function" &&
    takes((shared) => Reflect.get(SharedArrayBuffer.prototype, "byteLength", shared), buffer)
  );
}

/**
 * What `get` reads from an object of the caller's, which may be a getter or a proxy. Errors of the heap's come through;
 * whatever else is thrown is the cause of a TypeError.
 */
export function reading<T>(name: string, get: () => T): T {
  try {
    return get();
  } catch (cause) {
    if (cause instanceof GomallocError) throw cause;
    throw new TypeError(`${name} cannot be read: ${cause instanceof Error ? cause.message : show(cause)}`, { cause });
  }
}

/** The names of an option object's properties; the compiler keeps the two in step. */
export function namesOf<T>(names: Record<keyof T, 0>): readonly (keyof T & string)[] {
  return Object.keys(names) as (keyof T & string)[];
}

/**
 * The options of `call`, each read once, before anything is done: a getter that throws or uses the heap finds the heap
 * as it was. Those that are undefined are left out. Throws TypeError for what is no object, and for a name that is not
 * in `names`.
 */
export function readOptions<T extends object>(given: T, names: readonly (keyof T & string)[], call: string): T {
  const what = `the options of ${call}`;
  object(given, what);
  const [unknown] = reading(what, () => Object.keys(given)).filter((name) => !names.includes(name as keyof T & string));
  if (unknown !== undefined) {
    throw new TypeError(`${call} has no option ${show(unknown)}: its options are ${names.join(", ")}`);
  }
  const options: Partial<T> = {};
  for (const name of names) {
    const value = reading(`the option ${name} of ${call}`, () => given[name]);
    if (value !== undefined) options[name] = value;
  }
  return options as T;
}
