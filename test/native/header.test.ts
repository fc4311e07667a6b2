/** gomalloc.h, the Rust crate and gomalloc.c say the same as the allocator: layout of the statistics, numbers, names. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readMemStats } from "../../src/base/memstats.ts";
import { ROOT } from "./support/project.ts";

const source = (...path: string[]) => readFile(join(ROOT, ...path), "utf8");
const names = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map((match) => match[1]!);
const camel = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

const PER_CLASS = ["size", "mallocs", "frees", "spans"];

/** The word at which src/base/memstats.ts finds each field: it reads a record in which word i holds i, but for the version. */
function wordsOfTypeScript(): string[] {
  const view = new DataView(new ArrayBuffer(312 * 8));
  for (let i = 0; i < 312; i++) view.setBigUint64(i * 8, BigInt(i === 0 ? 1 : i), true);
  const stats = readMemStats(view, 0, 0);
  const words: string[] = ["version"];
  // No words of the record: what is derived from others or always 0, and what the TypeScript host's collector adds.
  const others = [
    "version",
    "alloc",
    "heapReleased",
    "heapObjects",
    "stackSys",
    "lookups",
    "numGC",
    "numForcedGC",
    "nextGC",
    "lastGC",
    "pauseTotalNs",
    "gcCPUFraction",
    "gcPercent",
    "memoryLimit",
  ];
  for (const [name, value] of Object.entries(stats)) {
    if (typeof value === "number" && !others.includes(name)) words[value] = name;
  }
  expect(stats.bySize).toHaveLength(68);
  for (const [index, entry] of stats.bySize.entries()) {
    expect(Object.entries(entry)).toEqual(PER_CLASS.map((name, word) => [name, 40 + index * 4 + word]));
  }
  return words;
}

describe("the statistics", () => {
  it("of gomalloc.h stand where the host API reads them", async () => {
    const header = await source("native", "gomalloc.h");
    const [perClass, record] = names(header, /struct gomalloc_(?:class_)?stats \{([\s\S]*?)\n\};/g);
    expect(names(perClass!, /uint64_t (\w+);/g)).toEqual(PER_CLASS);
    expect(names(record!, /uint64_t (\w+);/g).map(camel)).toEqual(wordsOfTypeScript());
    expect(record).toMatch(/uint64_t gc_sys;.*\n {2}struct gomalloc_class_stats by_size\[68\];$/);
  });

  it("of the Rust crate do so too", async () => {
    const crate = await source("native", "rust", "src", "lib.rs");
    const [perClass, record] = names(crate, /pub struct (?:Class)?Stats \{([\s\S]*?)\n\}/g);
    expect(names(perClass!, /pub (\w+): u64,/g)).toEqual(PER_CLASS);
    expect(names(record!, /pub (\w+): u64,/g).map(camel)).toEqual(wordsOfTypeScript());
    expect(record).toMatch(/pub gc_sys: u64,\n {4}pub by_size: \[ClassStats; 68\],$/);
  });
});

it("options and misuse kinds have the allocator's numbers", async () => {
  const header = await source("native", "gomalloc.h");
  const defined = Object.fromEntries(
    [...header.matchAll(/#define GOMALLOC_(\w+) (\d+)/g)].map(([, name, value]) => [name, Number(value)]),
  );
  const numbers = await source("assembly", "base", "abinumbers.ts");
  const constants = (pattern: RegExp) =>
    Object.fromEntries(
      [...numbers.matchAll(/export const (\w+): [iu]32 = (\d+);/g)]
        .filter(([, name]) => pattern.test(name!))
        .map(([, name, value]) => [name!, Number(value)]),
    );
  const {
    MISUSE_NONE,
    MISUSE_DOUBLE_FREE,
    MISUSE_FOREIGN,
    MISUSE_INTERIOR,
    MISUSE_TINY,
    MISUSE_SIZE,
    MISUSE_PINNED,
    MISUSE_OVERFLOW,
    MISUSE_UNDERFLOW,
    MISUSE_WRITE_AFTER_FREE,
    ...more
  } = constants(/^MISUSE_(?!TRAP$|RETURN$)/);
  expect(more).toEqual({});
  expect(MISUSE_NONE).toBe(0);
  expect(defined).toEqual({
    ...constants(/^M_|^MISUSE_(TRAP|RETURN)$/),
    DOUBLE_FREE: MISUSE_DOUBLE_FREE,
    FOREIGN: MISUSE_FOREIGN,
    INTERIOR: MISUSE_INTERIOR,
    TINY: MISUSE_TINY,
    SIZE_MISMATCH: MISUSE_SIZE,
    PINNED: MISUSE_PINNED,
    OVERFLOW: MISUSE_OVERFLOW,
    UNDERFLOW: MISUSE_UNDERFLOW,
    WRITE_AFTER_FREE: MISUSE_WRITE_AFTER_FREE,
  });
});

describe("every import exists", () => {
  const FILES = [
    ["gomalloc.h", /GOMALLOC_IMPORT\((\w+)\)/g],
    ["gomalloc.c", /GOMALLOC_IMPORT\((\w+)\)/g],
    ["rust/src/lib.rs", /^ {8,12}pub fn (\w+)\(/gm],
    ["zig/gomalloc.zig", /extern "gomalloc" fn (\w+)\(/g],
  ] as const;
  const HOST_ONLY = ["memstats", "validate", "validateInfo"];

  it.each(FILES)("of %s", async (file, pattern) => {
    const exported = async (flavour: string) => {
      const module = new WebAssembly.Module(new Uint8Array(await readFile(join(ROOT, "build", flavour))));
      return new Set(WebAssembly.Module.exports(module).map(({ name }) => name));
    };
    const small = await exported("gomalloc.wasm");
    const host = await exported("gomalloc-host.wasm");
    const wanted = names(await source("native", file), pattern).filter((name) => name !== "name");
    expect(wanted.length).toBeGreaterThan(2);
    for (const name of wanted) {
      expect(host, name).toContain(name);
      expect(small.has(name), name).toBe(!HOST_ONLY.includes(name));
    }
    // Emscripten's glue needs a name for each.
    const glue = names(await source("native", "emscripten.js"), /^ {2}"(\w+)",$/gm);
    if (!file.endsWith("lib.rs") && !file.endsWith(".zig")) expect(glue).toEqual(expect.arrayContaining(wanted));
  });
});
