/**
 * Hosts as programs have them: the bindings that asc generates, @assemblyscript/loader, and pins of the host's own, at
 * the levels of optimisation from --debug to -O3 --converge. All runtimes must answer the same and keep what is pinned.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { instantiate as load } from "@assemblyscript/loader";
import { describe, expect, it } from "vitest";
import { AUTOMATIC, build, type Configuration, instantiate, oursOr } from "./support/compile.ts";

const ENTRY = "test/rt/programs/host.ts";
const ROUNDS = 400;

const BOUND = { flags: ["--bindings", "raw"], selfStarting: true };

const CONFIGURATIONS: Configuration[] = [
  { name: "incremental --debug", runtime: "incremental", flags: ["--debug"] },
  ...oursOr<Configuration>(
    { name: "gomalloc --debug", runtime: "gomalloc", flags: ["--debug"] },
    { name: "gomalloc -O3 --converge", runtime: "gomalloc", flags: ["-O3", "--converge"] },
  ),
];

interface BoundExports {
  reverse(text: string): string;
  sum(numbers: number[]): number;
  words(text: string): string[];
  joinAll(texts: string[], by: string): string;
  squares(n: number): Float64Array;
  invert(bytes: Uint8Array): Uint8Array;
  newPerson(name: string, age: number): object;
  tag(person: object, tags: string[]): object;
  describe(person: object): string;
  keep(person: object): number;
  everyone(): string;
  churn(n: number): void;
  __collect(): void;
  memory: WebAssembly.Memory;
}

/** The module of --bindings raw, which lets the caller instantiate. */
async function bound(configuration: Configuration): Promise<BoundExports> {
  const built = await build(ENTRY, configuration, BOUND);
  const dir = await mkdtemp(join(tmpdir(), "gomalloc-bindings-"));
  try {
    const file = join(dir, "bindings.mjs");
    await writeFile(file, built.glue);
    const { instantiate: open } = await import(/* @vite-ignore */ pathToFileURL(file).href);
    return await open(built.module, { env: {} });
  } finally {
    await rm(dir, { recursive: true });
  }
}

describe.each(CONFIGURATIONS)("$name", (configuration) => {
  it("is served by asc's bindings", async () => {
    const program = await bound(configuration);
    const people: object[] = [];
    const expected: string[] = [];
    for (let i = 0; i < ROUNDS; i++) {
      const text = `héllo ${i} wörld \u{1f600}`;
      expect(program.words(text)).toEqual(text.split(" "));
      expect(program.reverse(`abc${i}`)).toBe([...`abc${i}`].reverse().join(""));
      expect(program.joinAll(["a", text, "", "b"], "-")).toBe(["a", text, "", "b"].join("-"));
      expect(program.sum([i, 1, -2])).toBe(i - 1);
      expect([...program.invert(new Uint8Array([i, 255, 0]))]).toEqual([~i & 255, 0, 255]);
      expect(program.squares(20)[19]).toBe(361);
      // The bindings hold a person by a pin until JavaScript has collected it; tag() returns one that is held already.
      const person = program.newPerson(`p${i}`, i);
      program.churn(20);
      people.push(program.tag(person, [`t${i}`, "x"]));
      expected.push(`p${i} (${i}) t${i}/x`);
      if (i % 50 === 49) program.__collect();
    }
    expect(people.map((person) => program.describe(person))).toEqual(expected);
    for (const person of people.slice(0, 5)) program.keep(person);
    people.length = 0;
    program.churn(2000);
    program.__collect();
    expect(program.everyone()).toBe(expected.slice(0, 5).join(";"));
    expect(program.memory.buffer.byteLength).toBeLessThan(8 * 2 ** 20);
  });

  it("is served by the loader", async () => {
    const built = await build(ENTRY, configuration, BOUND);
    // biome-ignore lint/suspicious/noExplicitAny: the loader's exports are untyped functions
    const { exports } = await load<Record<string, any>>(built.module, {});
    const { __newString, __getString, __newArray, __getArray, __getFloat64Array, __pin, __unpin, __collect } = exports;
    for (let i = 0; i < ROUNDS; i++) {
      const text = __pin(__newString(`text ${i}`));
      const words = __pin(exports["words"](text));
      exports["churn"](20);
      expect((__getArray(words) as number[]).map((ptr) => __getString(ptr))).toEqual(["text", String(i)]);
      const numbers = __pin(__newArray(exports["INT_ARRAY_ID"].value, [i, 2, 3]));
      exports["churn"](5);
      expect(exports["sum"](numbers)).toBe(i + 5);
      expect(__getFloat64Array(exports["squares"](4))).toEqual(new Float64Array([0, 1, 4, 9]));
      for (const ptr of [text, words, numbers]) __unpin(ptr);
      if (i % 100 === 99) __collect();
    }
    expect(exports.memory!.buffer.byteLength).toBeLessThan(8 * 2 ** 20);
  });

  it("keeps what the host has pinned, until it is unpinned", async () => {
    const built = await build(ENTRY, configuration, BOUND);
    const { exports } = await load<Record<string, never>>(built.module, {});
    const program = exports as unknown as Record<string, (...args: number[]) => number>;
    const { __newString, __getString, __pin, __unpin, __collect } = exports;
    const pinned = Array.from({ length: 200 }, (_, i) => {
      const name = __pin(__newString(`name ${i}`));
      const person = __pin(program["newPerson"]!(name, i));
      __unpin(name);
      return person;
    });
    for (const round of [0, 1, 2]) {
      __collect();
      program["churn"]!(3000);
      pinned.forEach((person, i) => {
        if (i % 3 >= round) expect(__getString(program["describe"]!(person))).toBe(`name ${i} (${i}) `);
        if (i % 3 === round) __unpin(person);
      });
    }
    __collect();
    expect(() => __unpin(pinned[0]!)).toThrow();
  });
});

describe.each(AUTOMATIC)("pins of %s", (runtime) => {
  it(runtime === "gomalloc" ? "are counted" : "are one to an object", async () => {
    const built = await build(ENTRY, { name: runtime, runtime, flags: ["--debug"] });
    const { exports } = instantiate<{ newPerson(name: number, age: number): number }>(built);
    const person = exports.__pin(exports.newPerson(0, 1));
    if (runtime === "gomalloc") {
      expect(exports.__pin(person)).toBe(person);
      exports.__unpin(person);
      exports.__unpin(person);
    } else {
      expect(() => exports.__pin(person)).toThrow(/already pinned/i);
      exports.__unpin(person);
    }
    expect(() => exports.__unpin(person)).toThrow(/not pinned/i);
  });
});
