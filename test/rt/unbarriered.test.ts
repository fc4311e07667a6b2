/**
 * Stores that no barrier sees, in every phase of a cycle: those of asc's bindings, of the loader and its views, and of
 * Array#sort. Cycles do not begin by themselves here (GOMALLOC_GC_OFF): the test steps them object by object, in each
 * allocation of the host's and in the comparators, and each cycle's marks are checked (GOMALLOC_CHECKMARK).
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { instantiate as load } from "@assemblyscript/loader";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type Build, build, type Configuration, oursOr } from "./support/compile.ts";

const ENTRY = "test/rt/programs/unbarriered.ts";
const USE = ["--use", "GOMALLOC_GC_OFF=1", "--use", "GOMALLOC_CHECKMARK=1", "--bindings", "raw"];

const CONFIGURATIONS = oursOr<Configuration>(
  { name: "gomalloc -O1", runtime: "gomalloc", flags: ["-O1", ...USE] },
  { name: "gomalloc -Oz", runtime: "gomalloc", flags: ["-Oz", ...USE] },
);

/** Live objects of the program's: a cycle has a few more steps than that, and each is begun at in turn. */
const LIVE = 6;
/** Steps of one object that each allocation of the host's makes. */
const PACES = [0, 1, 2, 5, 100];

interface Row {
  name: string;
  data: Float64Array;
  kids: Row[];
  words: string[];
  raw: ArrayBuffer;
  next: Row | null;
}

interface Program {
  grow(n: number): void;
  advance(budget: number): number;
  __collect(): void;
  __new(size: number, id: number): number;
  memory: WebAssembly.Memory;
  showRows(rows: Row[]): string;
  showRow(row: Row): string;
  joinLists(lists: string[][]): string;
  joinFixed(lists: string[][]): string;
  sums(rows: Float64Array[], text: string): string;
  newItem(key: number, text: string): object;
  showItems(items: object[]): string;
  words: { value: string[] };
  showWords(): string;
  supplied(n: number): string;
  templates(depth: number): string;
  pace(every: number): void;
  failAfter(comparisons: number): void;
  sortTexts(n: number, shape: number): number;
  sortItems(n: number, shape: number): number;
  sortNested(n: number): number;
  sortStatics(n: number): number;
  likeASort(n: number): number;
}

/** Marking steps that come before each allocation of the host's. */
let pace = 0;

/** Has instances made whose __new steps the collector. For what asks WebAssembly.instantiate for an instance of a module. */
function stepping(): void {
  vi.spyOn(WebAssembly, "instantiate").mockImplementation((async (
    module: WebAssembly.Module,
    imports: WebAssembly.Imports,
  ) => {
    const { exports } = new WebAssembly.Instance(module, imports);
    const { __new, advance } = exports as unknown as Program;
    const allocate = (size: number, id: number) => {
      for (let i = 0; i < pace; i++) advance(1);
      return __new(size, id);
    };
    return { exports: { ...exports, __new: allocate } };
  }) as never);
}

function text(i: number): string {
  return `text ${i}`;
}

function row(i: number, depth = 2): Row {
  return {
    name: text(i),
    data: Float64Array.of(i, i + 1),
    kids: depth ? [row(i + 1, depth - 1), row(i + 2, depth - 1)] : [],
    words: [text(i), text(-i)],
    raw: new ArrayBuffer(i + 1),
    next: depth > 1 ? row(i + 5, 0) : null,
  };
}

function shown({ name, data, kids, words, raw, next }: Row): string {
  const inner = `${kids.map(shown).join("")}]${next ? `>${shown(next)}` : ""}`;
  const numbers = [...data].map((n) => n.toFixed(1)).join("+");
  return `${name}:${numbers}:${words.join("+")}:${raw.byteLength}[${inner}`;
}

/** Calls `store` with a cycle that has come 0, 1, 2 and more steps far, until one that has ended before. */
function inEachPhase(program: Program, store: (phase: number) => void): void {
  let phases = 0;
  for (let ended = false; !ended && phases < 100; phases++) {
    program.__collect();
    for (let i = 0; i < phases && !ended; i++) ended = program.advance(1) === 0;
    store(phases);
  }
  expect(phases).toBeGreaterThan(LIVE);
  expect(phases).toBeLessThan(100);
}

describe.each(CONFIGURATIONS)("$name", (configuration) => {
  let built: Build;
  let program: Program;
  let dir: string;
  /** Of the program's, held by the bindings. */
  let items: object[];
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "gomalloc-unbarriered-"));
    built = await build(ENTRY, configuration, { selfStarting: true });
    await writeFile(join(dir, "bindings.mjs"), built.glue);
    stepping();
    const { instantiate } = await import(/* @vite-ignore */ pathToFileURL(join(dir, "bindings.mjs")).href);
    // The bindings look for imports of the program's among the globals.
    vi.stubGlobal("supply", (i: number) => [text(i), text(i + 1), text(i + 2)]);
    program = await instantiate(built.module, { env: {} });
    program.grow(LIVE);
    items = [0, 1, 2].map((key) => program.newItem(key, text(key)));
  });
  afterAll(async () => {
    vi.restoreAllMocks();
    vi.unstubAllGlobals();
    await rm(dir, { recursive: true });
  });

  describe.each(PACES)("with %i steps in an allocation", (steps) => {
    beforeAll(() => {
      pace = steps;
    });

    it("the bindings lower records into records and arrays", () => {
      inEachPhase(program, (i) => {
        const rows = [row(i), row(i + 10)];
        expect(program.showRows(rows)).toBe(rows.map(shown).join(""));
        expect(program.showRow(row(i, 1))).toBe(shown(row(i, 1)));
      });
    });

    it("the bindings lower arrays of arrays, static and typed ones", () => {
      const lists = [0, 10, 20].map((i) => [text(i), text(i + 1), text(i + 2)]);
      const joined = lists.map((texts) => `${texts.join("+")};`).join("");
      inEachPhase(program, (i) => {
        expect(program.joinLists(lists)).toBe(joined);
        expect(program.joinFixed(lists)).toBe(joined);
        const numbers = [Float64Array.of(i, 1), Float64Array.of(2)];
        expect(program.sums(numbers, text(i))).toBe(`${text(i)};${i}.0+1.0;2.0`);
      });
    });

    it("the bindings lower objects of the program's, globals, and what an import returns", () => {
      inEachPhase(program, (i) => {
        expect(program.showItems(items)).toBe([0, 1, 2].map((key) => `${key}${text(key)};`).join(""));
        program.words.value = [text(i), text(i + 1)];
        expect(program.showWords()).toBe(`${text(i)}+${text(i + 1)}`);
        expect(program.supplied(3)).toBe([0, 1, 2].map((n) => `${text(n)}+${text(n + 1)}+${text(n + 2)};`).join(""));
      });
    });

    it("the loader's arrays, and views of what is pinned or static", async () => {
      const imports = { env: { supply: () => 0 } as Record<string, unknown> };
      // biome-ignore lint/suspicious/noExplicitAny: the loader's exports are untyped functions
      const { exports } = await load<Record<string, any>>(built.module, imports);
      const { __newString, __newArray, __getArrayView, __getArray, __getString, __pin, __unpin } = exports;
      const loaded = exports as unknown as Record<string, (...args: unknown[]) => number>;
      const said = (ptr: number): string => __getString(ptr);
      const texts = (i: number) => [0, 1, 2, 3].map((n) => text(i + n));
      /** Stores new strings one by one: each allocation comes before the store of the one before it is looked at. */
      const fill = (array: number, strings: string[]) => {
        strings.forEach((string, n) => {
          const ptr = __newString(string);
          (__getArrayView(array) as Uint32Array)[n] = ptr;
        });
      };
      loaded["grow"]!(LIVE);
      const taken = __pin(loaded["takeOnly"]!());
      inEachPhase(exports as unknown as Program, (i) => {
        const all = texts(i).join("+");
        const pinned = texts(i).map((string) => __pin(__newString(string)));
        const array = __pin(__newArray(exports["TEXTS_ID"].value, pinned));
        const fixed = __pin(__newArray(exports["FIXED_ID"].value, pinned));
        pinned.forEach((ptr: number) => {
          __unpin(ptr);
        });
        expect(said(loaded["showTexts"]!(array))).toBe(all);
        expect(said(loaded["showStatic"]!(fixed))).toBe(all);
        fill(array, texts(i + 1));
        fill(fixed, texts(i + 2));
        loaded["advance"]!(1);
        __unpin(fixed);
        expect(said(loaded["showStatic"]!(fixed))).toBe(texts(i + 2).join("+"));
        __unpin(array);
        loaded["keep"]!(array);
        expect(said(loaded["showKept"]!())).toBe(texts(i + 1).join("+"));
        fill(exports["fixed"].value, texts(i + 3));
        fill(exports["list"].value, texts(i + 4));
        expect(said(loaded["showLists"]!())).toBe(`${texts(i + 3).join("+")};${texts(i + 4).join("+")}`);
        fill(taken, texts(i + 5));
        loaded["showLists"]!();
        expect((__getArray(taken) as number[]).map(said)).toEqual(texts(i + 5));
      });
    });
  });

  it("the arrays of template literals are not looked into while they hold what is dead", () => {
    expect(program.templates(3)).toBe("<3|4><2|3><1|2><0|1>");
  });

  describe.each([0, 1, 2, 7, 31])("a comparator that steps the collector after %i others", (every) => {
    beforeAll(() => {
      pace = 0;
      program.pace(every);
    });

    it.each([2, 3, 4, 13, 31, 48, 49, 64, 101, 347])("sorts %i elements", (n) => {
      for (const shape of [0, 1, 2, 3]) {
        expect(program.sortTexts(n, shape)).toBe(0);
        expect(program.sortItems(n, shape)).toBe(0);
      }
    });

    it("sorts static arrays, numbers, and within a comparator", () => {
      for (let i = 0; i < 5; i++) expect(program.sortStatics(97)).toBe(0);
      expect(program.sortNested(11)).toBe(0);
    });

    it("goes on after a comparator was aborted", () => {
      for (const n of [3, 70, 150]) {
        program.failAfter(n);
        expect(() => program.sortTexts(211, 0)).toThrow("no comparison");
        expect(program.sortTexts(211, 0)).toBe(0);
      }
    });

    it("takes no block of the program's for a sort's", () => {
      expect(program.likeASort(61)).toBe(0);
      expect(program.likeASort(1009)).toBe(0);
    });
  });
});
