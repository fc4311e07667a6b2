/** Source maps and names through a link: a known instruction still maps to its line. */
import { SourceMap, type SourceMapPayload } from "node:module";
import asc from "assemblyscript/asc";
import { beforeAll, describe, expect, it } from "vitest";
import { link } from "../../src/tools/link.ts";
import { shiftSourceMap } from "../../src/tools/sourcemap.ts";
import { concat, encodeU32 } from "../../src/wasm/edit.ts";
import { inspect } from "../../src/wasm/parse.ts";
import { instantiate, refusal } from "./support/programs.ts";

const LINES = [
  '@external("gomalloc", "malloc") declare function malloc(size: usize): usize;',
  '@external("gomalloc", "free") declare function free(p: usize): void;',
  "",
  "export function scaled(n: i32): i32 {",
  "  const p = malloc(64);",
  "  store<i32>(p, n);",
  "  const product = load<i32>(p) * 7919;",
  "  free(p);",
  "  return product;",
  "}",
  "",
  "export function shifted(n: i32): i32 {",
  "  return n + 104729;",
  "}",
  "",
  "function take(size: usize): usize { return malloc(size); }",
  "let hook: (size: usize) => usize = take;",
  "export function setHook(to: usize): void { hook = changetype<(size: usize) => usize>(to); }",
  "export function hooked(n: i32): i32 {",
  "  const p = hook(64);",
  "  return p == 0 ? 0 : n * 15485863;",
  "}",
  "",
  "export function filled(n: i32): i32 {",
  "  const p = malloc(64);",
  "  memory.fill(p, <u8>n, 64);",
  "  return <i32>load<u8>(p + 63) * 32452843;",
  "}",
];
const SOURCE = LINES.join("\n");
/** The constants in the source and the numbers, from 0, of the lines that they stand in. */
const CONSTANTS: [number, number][] = [7919, 104729, 15485863, 32452843].map((n) => {
  return [n, LINES.findIndex((line) => line.includes(`${n}`))];
});
const FUNCTIONS = ["scaled", "shifted", "hooked", "filled"];

let program: Uint8Array<ArrayBuffer>;
let map: string;

beforeAll(async () => {
  [program, map] = await compile();
});

/** The program and its source map. */
async function compile(...flags: string[]): Promise<[Uint8Array<ArrayBuffer>, string]> {
  const files: Record<string, string | Uint8Array> = {};
  const args = ["app.ts", "-o", "app.wasm", "--runtime", "stub", "--debug", "--sourceMap", "--optimizeLevel", "1"];
  const { error, stderr } = await asc.main([...args, ...flags], {
    readFile: (name) => (name === "app.ts" ? SOURCE : null),
    writeFile: (name, contents) => {
      files[name] = typeof contents === "string" ? contents : contents.slice();
    },
    listFiles: () => [],
  });
  if (error) throw new Error(stderr.toString());
  return [new Uint8Array(files["app.wasm"] as Uint8Array), files["app.wasm.map"] as string];
}

/** Where the i32.const of `value` in the function exported as `name` comes from. */
function origin(wasm: Uint8Array, text: string, name: string, value: number) {
  const info = inspect(wasm);
  const index = info.exports.find((entry) => entry.name === name)!.index - info.importedFunctions;
  const { start, end } = info.bodies[index]!;
  const body = Buffer.from(wasm.subarray(start, end));
  // neither number has its sign bit set in its last byte
  const at = body.indexOf(concat(Uint8Array.of(0x41), encodeU32(value)));
  expect(at, `no i32.const ${value} in ${name}`).toBeGreaterThan(0);
  const parsed = new SourceMap(JSON.parse(text) as SourceMapPayload);
  // binaryen notes the place of the first instruction of an expression, which may be an operand of this one
  const entry = parsed.findEntry(0, start + at);
  if (!("originalLine" in entry)) throw new Error("the instruction has no origin");
  return { source: entry.originalSource, line: entry.originalLine };
}

describe("a source map", () => {
  it.each(["O0", "O3"] as const)("holds after a link at -%s", async (optimize) => {
    const before = CONSTANTS.map(([value], i) => origin(program, map, FUNCTIONS[i]!, value));
    expect(before.map(({ line }) => line)).toEqual(CONSTANTS.map(([, line]) => line));

    const result = await link(program, { optimize, sourceMap: map, sourceMapUrl: "app.linked.map" });
    expect(result.report.sourceMap).toBe(true);
    const after = CONSTANTS.map(([value], i) => origin(result.wasm, result.sourceMap!, FUNCTIONS[i]!, value));
    expect(after).toEqual(before);

    const info = inspect(result.wasm);
    expect(info.sourceMappingURL).toBe("app.linked.map");
    expect(info.named).toBe(true);
    const parsed = JSON.parse(result.sourceMap!) as { sources: string[]; sourcesContent: (string | null)[] };
    expect(parsed.sourcesContent[parsed.sources.indexOf(after[0]!.source)]).toBe(SOURCE);
    // Its functions were added to by then, which moved the code.
    expect(result.report.pointers).toHaveLength(optimize === "O0" ? 0 : 1);
    const { scaled, shifted, hooked } = instantiate(result.wasm, { env: { abort: () => {} } }).exports;
    expect((hooked as (n: number) => number)(2)).toBe(30971726);
    expect((scaled as (n: number) => number)(3)).toBe(23757);
    expect((shifted as (n: number) => number)(1)).toBe(104730);
  });

  it.each(["O0", "O3"] as const)(
    "holds in a program with threads, whose memory.fill compares, at -%s",
    async (optimize) => {
      const memory = ["--importMemory", "--sharedMemory", "--initialMemory", "2", "--maximumMemory", "100"];
      const [threaded, before] = await compile("--enable", "threads", ...memory);
      const result = await link(threaded, { optimize, sourceMap: before, heapBase: 65536 });
      expect(result.report.compares).toBeGreaterThan(0);
      for (const [i, [value, line]] of CONSTANTS.entries()) {
        expect(origin(threaded, before, FUNCTIONS[i]!, value).line).toBe(line);
        expect(origin(result.wasm, result.sourceMap!, FUNCTIONS[i]!, value).line).toBe(line);
      }
      const shared = new WebAssembly.Memory({ initial: 2, maximum: 100, shared: true });
      const { filled } = instantiate(result.wasm, { env: { abort: () => {}, memory: shared } }).exports;
      expect((filled as (n: number) => number)(3)).toBe(97358529);
    },
  );

  it("is taken as bytes too, and refused when it is none", async () => {
    const bytes = new TextEncoder().encode(map);
    expect(shiftSourceMap(bytes, 0)).toBe(shiftSourceMap(map, 0));
    await refusal(() => shiftSourceMap("not JSON", 1), "source-map");
    await refusal(() => shiftSourceMap('{"version":3,"sources":[],"mappings":"AAAA;AAAA"}', 1), "source-map");
  });

  it("without one, the program's sourceMappingURL goes: it would name a map that does not hold", async () => {
    expect(inspect(program).sourceMappingURL).toBe("./app.wasm.map");
    const { wasm, report } = await link(program, { optimize: "O0" });
    expect(inspect(wasm).sourceMappingURL).toBeUndefined();
    expect(report.sourceMap).toBe(false);
  });
});

describe("shiftSourceMap", () => {
  /** The first column of a map shifted from `from` by `by`, read by Node. */
  it.each([
    [0, 5, "A"],
    [100, 23, "oG"],
    [100, -84, "oG"],
    [5000, 1_000_000, "w4J"],
  ])("moves %d by %d", (from, by, digits) => {
    const moved = shiftSourceMap(
      JSON.stringify({ version: 3, sources: ["a"], names: [], mappings: `${digits}AAA,CAAC` }),
      by,
    );
    const parsed = new SourceMap(JSON.parse(moved) as SourceMapPayload);
    const generated = (column: number) => (parsed.findEntry(0, column) as { generatedColumn?: number }).generatedColumn;
    expect(generated(from + by)).toBe(from + by);
    expect(generated(from + by + 1)).toBe(from + by + 1);
    expect(generated(from + by - 1)).toBeUndefined();
  });

  it("leaves a map without mappings alone", () => {
    const empty = { version: 3, sources: [], mappings: "" };
    expect(JSON.parse(shiftSourceMap(JSON.stringify(empty), 7))).toEqual(empty);
  });
});
