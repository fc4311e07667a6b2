/**
 * Readers of data that a caller hands in: each takes a value and its name for messages, and gives a copy in which every
 * property was read once and has its type. They throw TypeError; getters and proxies run no code after that.
 *
 * The readers' types follow the data's: a property that is added to an interface is missed by the compiler.
 */
import { object, oneOf, reading, show } from "../base/check.js";

export type Reader<T> = (value: unknown, name: string) => T;

function isOf(type: "string" | "number" | "boolean", a: string): Reader<never> {
  return (value, name) => {
    if (typeof value !== type) throw new TypeError(`${name} must be ${a}: ${show(value)}`);
    return value as never;
  };
}

export const aString: Reader<string> = isOf("string", "a string");
export const aNumber: Reader<number> = isOf("number", "a number");
export const aBoolean: Reader<boolean> = isOf("boolean", "true or false");

/** One of some words. */
export function choice<T extends string>(choices: readonly T[]): Reader<T> {
  return (value, name) => oneOf(value as T, choices, name);
}

/** A property that may be missing. */
export function optional<T>(read: Reader<T>): Reader<T | undefined> {
  return (value, name) => (value === undefined ? undefined : read(value, name));
}

/** An array of one kind of values. */
export function listOf<T>(read: Reader<T>): Reader<readonly T[]> {
  return (value, name) => {
    if (!reading(name, () => Array.isArray(value))) throw new TypeError(`${name} must be an array: ${show(value)}`);
    return reading(name, () => [...(value as unknown[])]).map((one, i) => read(one, `${name}[${i}]`));
  };
}

/** An object with these properties; others are left out, and so are those that are undefined. */
export function shaped<T extends object>(fields: { readonly [K in keyof T]-?: Reader<T[K]> }): Reader<T> {
  return (value, name) => {
    object(value, name);
    const copy: Partial<T> = {};
    for (const key of Object.keys(fields) as (keyof T & string)[]) {
      const field = fields[key](
        reading(`${name}.${key}`, () => (value as T)[key]),
        `${name}.${key}`,
      );
      if (field !== undefined) copy[key] = field;
    }
    return copy as T;
  };
}
