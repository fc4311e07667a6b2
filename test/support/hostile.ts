/**
 * Hostile arguments: what a public function is called with to see that it checks what it is given.
 *
 * A test lists, for each class and each of its members, arguments that are good. From these come the calls: every
 * argument, and every property of an option object, gives way to every hostile value, one at a time; options get a name
 * that does not exist; arguments are missing. A member without a row fails the test, and so does a row without a member.
 *
 * After a call the heap has to be in order. A call may return, or throw an error that is documented: RangeError,
 * TypeError or a GomallocError in the heap's own words, never one that the engine made of a value that nobody checked.
 */
import { expect } from "vitest";
import { GomallocError } from "../../src/base/errors.ts";

/** Arguments of a call, as a good caller gives them. */
export type Arguments = readonly unknown[];
/** By member, what to call it with. A getter has none, a setter one. */
export type Rows = Readonly<Record<string | symbol, Arguments>>;

/** Errors of the engine's, by their words. */
const ENGINE = new RegExp(
  [
    "Cannot (read|set|convert|mix|destructure|assign|access|perform|create|define|delete|redefine)",
    "is not (a function|iterable|a constructor|an object|defined|a valid)",
    "undefined or null",
    "called on (incompatible|non)",
    "Illegal",
    "Invalid (typed array|array|atomic|DataView|array buffer)",
    "out of bounds",
    "offset is",
    "start offset",
    "call stack",
    "byte length of",
    "private (field|member)",
    "reduce of empty",
  ].join("|"),
  "i",
);

/** Values that no function asks for. Each call makes them anew, for a call may spoil them. */
export function hostileValues(addresses: readonly number[]): [string, unknown][] {
  const bomb = (): never => {
    throw new Error("a value's own code was run");
  };
  const detached = new ArrayBuffer(8);
  structuredClone(detached, { transfer: [detached] });
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const traps = new Proxy({}, { get: bomb, has: bomb, ownKeys: bomb, getPrototypeOf: bomb, set: bomb });
  const numbers = [-1, -0, 1.5, 3, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53, 1e300, Number.NaN, Infinity, -Infinity];
  return [
    ["undefined", undefined],
    ["null", null],
    ["true", true],
    ["false", false],
    ...numbers.map((n): [string, unknown] => [Object.is(n, -0) ? "-0" : String(n), n]),
    ...addresses.map((n): [string, unknown] => [`address ${n}`, n]),
    ["''", ""],
    ["'8'", "8"],
    ["'__proto__'", "__proto__"],
    ["1n", 1n],
    ["Symbol()", Symbol("hostile")],
    ["{}", {}],
    ["an object without a prototype", Object.create(null)],
    ["an object whose valueOf throws", { valueOf: bomb, toString: bomb, [Symbol.toPrimitive]: bomb }],
    ["a number's object", Object(16)],
    ["an object that is a number to valueOf", { valueOf: () => 16 }],
    ["[]", []],
    ["[16]", [16]],
    ["a function", () => undefined],
    ["a Map", new Map()],
    ["a proxy that throws", traps],
    ["a revoked proxy", revoked.proxy],
    ["a proxy of a memory", new Proxy(new WebAssembly.Memory({ initial: 0 }), {})],
    ["an object made of a memory's prototype", Object.create(WebAssembly.Memory.prototype)],
    ["a memory", new WebAssembly.Memory({ initial: 0, maximum: 1 })],
    ["a shared memory", new WebAssembly.Memory({ initial: 0, maximum: 1, shared: true })],
    ["a detached buffer", detached],
    ["a view of a detached buffer", new Uint8Array(4)],
    ["an empty buffer", new ArrayBuffer(0)],
    ["shared bytes", new SharedArrayBuffer(3)],
    ["bytes that are no wasm", Uint8Array.of(0, 0x61, 0x73, 0x6d, 9)],
    ["a module of nothing", new WebAssembly.Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0))],
    ["{ ptr: 1.5 }", { ptr: 1.5 }],
    ["an object whose ptr throws", Object.defineProperty({}, "ptr", { get: bomb, enumerable: true })],
  ];
}

/** The members of a class that its users see, inherited ones too, in the order of their definition. */
export function membersOf(prototype: object): (string | symbol)[] {
  const names = new Set<string | symbol>();
  for (let at = prototype; at !== null && at !== Object.prototype; at = Object.getPrototypeOf(at) as object) {
    for (const name of Reflect.ownKeys(at)) if (name !== "constructor") names.add(name);
  }
  return [...names];
}

/** Fails unless `rows` has each member of the class, and nothing else. */
export function expectRows(prototype: object, rows: Rows): void {
  expect(Reflect.ownKeys(rows).map(String).sort()).toEqual(membersOf(prototype).map(String).sort());
}

function isOptions(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** The calls that come of good arguments, each with what is wrong in it. */
export function* hostileCalls(good: Arguments, addresses: readonly number[]): Iterable<[string, unknown[]]> {
  for (const [i, argument] of good.entries()) {
    const put = (value: unknown): unknown[] => [...good.slice(0, i), value, ...good.slice(i + 1)];
    for (const [name, value] of hostileValues(addresses)) yield [`argument ${i} is ${name}`, put(value)];
    if (!isOptions(argument)) continue;
    yield [`argument ${i} has a strange option`, put({ ...argument, strange: 1 })];
    for (const option of Object.keys(argument)) {
      for (const [name, value] of hostileValues(addresses)) {
        yield [`${option} of argument ${i} is ${name}`, put({ ...argument, [option]: value })];
      }
      const getter = {
        get: () => {
          throw new Error("a getter throws");
        },
        enumerable: true,
      };
      yield [`${option} of argument ${i} throws`, put(Object.defineProperty({ ...argument }, option, getter))];
    }
  }
  if (good.length > 1) {
    for (const [name, value] of hostileValues(addresses)) {
      yield [`every argument is ${name}`, good.map(() => value)];
    }
  }
  for (let n = 0; n < good.length; n++) yield [`${n} arguments`, good.slice(0, n)];
}

/** Fails for an error that is none of the documented ones. */
export function expectDocumented(error: unknown, what: string): void {
  const typed = error instanceof GomallocError || error instanceof RangeError || error instanceof TypeError;
  const words = error instanceof Error ? error.message : String(error);
  // What a value's own code has thrown is told, with the error as its cause.
  const told = error instanceof Error && error.cause !== undefined && / cannot be (read|loaded)/.test(words);
  if (!typed || (ENGINE.test(words) && !told) || error instanceof WebAssembly.RuntimeError) {
    expect.fail(`${what}: ${error instanceof Error ? (error.stack ?? words) : words}`);
  }
}

/** Calls a function, or reads or sets a property. What it throws is a documented error or a failure; gives what it gave. */
export function callHostile(subject: object, member: string | symbol, args: unknown[], what: string): unknown {
  try {
    const property = findProperty(subject, member);
    if (property?.set !== undefined) return Reflect.set(subject, member, args[0]);
    if (property?.get !== undefined) return Reflect.get(subject, member);
    return (Reflect.get(subject, member) as (...args: unknown[]) => unknown).apply(subject, args);
  } catch (error) {
    expectDocumented(error, what);
    return undefined;
  }
}

function findProperty(subject: object, member: string | symbol): PropertyDescriptor | undefined {
  for (let at = subject; at !== null; at = Object.getPrototypeOf(at) as object) {
    const property = Object.getOwnPropertyDescriptor(at, member);
    if (property !== undefined) return property;
  }
  return undefined;
}

/** Fails unless `rows` has each function that a module exports and that is no class of errors, and nothing else. */
export function expectFunctions(api: object, rows: object): void {
  const isError = (value: unknown) => typeof value === "function" && value.prototype instanceof Error;
  const names = Object.entries(api).filter(([, value]) => typeof value === "function" && !isError(value));
  expect(Object.keys(rows).sort()).toEqual(names.map(([name]) => name).sort());
}
