/**
 * The compares that link puts before memory.fill, memory.copy, memory.init and atomics of a program with threads: they
 * change nothing that a program can tell, and behind them a thread that is late to hear of growth works on all memory.
 */
import { SourceMap, type SourceMapPayload } from "node:module";
import binaryen from "binaryen";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { link } from "../../src/tools/link.ts";
import { compareSizes, sizeWarnings } from "../../src/tools/memorysize.ts";
import { formatReport } from "../../src/tools/report.ts";
import { moveSourceMap } from "../../src/tools/sourcemap.ts";
import { addExports, addFunctions, concat, editModule, encodeS32 } from "../../src/wasm/edit.ts";
import { inspect } from "../../src/wasm/parse.ts";
import { lagging, lagImports } from "../support/lagging.ts";
import { assemble, COMMON, familyOf, programText } from "./support/programs.ts";

const FEATURES = COMMON | binaryen.Features.Atomics;
const WASM_PAGE = 65536;
const MEMORY = '(import "env" "memory" (memory $memory 2 400 shared))';

type Calls = Record<string, (...args: (number | bigint)[]) => number | bigint>;

/** Each instruction as a function: its name, parameters and the instruction over them. */
const types = { i32: ["", "8", "16"], i64: ["", "8", "16", "32"] };
const INSTRUCTIONS: { name: string; params: string[]; result: string; text: string }[] = [
  { name: "fill", params: ["i32", "i32", "i32"], result: "", text: "memory.fill" },
  { name: "copy", params: ["i32", "i32", "i32"], result: "", text: "memory.copy" },
  { name: "init", params: ["i32", "i32", "i32"], result: "", text: "memory.init $data" },
  { name: "notify", params: ["i32", "i32"], result: "i32", text: "memory.atomic.notify offset=4" },
  { name: "wait32", params: ["i32", "i32", "i64"], result: "i32", text: "memory.atomic.wait32" },
  { name: "wait64", params: ["i32", "i64", "i64"], result: "i32", text: "memory.atomic.wait64 offset=8" },
  ...Object.entries(types).flatMap(([type, widths]) =>
    widths.flatMap((width) => {
      const atomics: [string, string[], string][] = [
        [`load${width}${width && "_u"} offset=65536`, [], type],
        [`store${width} offset=16`, [type], ""],
        ...["add", "sub", "and", "or", "xor", "xchg"].map((op): [string, string[], string] => [
          `rmw${width}.${op}${width && "_u"}`,
          [type],
          type,
        ]),
        [`rmw${width}.cmpxchg${width && "_u"}`, [type, type], type],
      ];
      return atomics.map(([op, values, result]) => ({
        name: `${type}.${op}`,
        params: ["i32", ...values],
        result,
        text: `${type}.atomic.${op}`,
      }));
    }),
  ),
];

/** The functions, exported by their names. */
function functionsText(instructions = INSTRUCTIONS): string {
  return instructions
    .map(({ name, params, result, text }) => {
      const gets = params.map((_, i) => `(local.get ${i})`).join(" ");
      return `(func (export "${name}") (param ${params.join(" ")}) ${result && `(result ${result})`} (${text} ${gets}))`;
    })
    .join("\n");
}

/** A program without allocator: only what is compared. */
const bare = (rest: string) => `(module ${MEMORY} (data $data "abcdefghijklmnop") ${rest})`;

function compared(text: string) {
  const program = assemble(text, true, FEATURES);
  const info = inspect(program);
  return { program, ...compareSizes(program, info, info.memories[0]!) };
}

function instantiate(wasm: Uint8Array, memory: WebAssembly.Memory): Calls {
  const module = new WebAssembly.Module(new Uint8Array(wasm));
  return new WebAssembly.Instance(module, { env: { memory } }).exports as Calls;
}

const newMemory = () => new WebAssembly.Memory({ initial: 2, maximum: 400, shared: true });

describe("an instruction with a compare", () => {
  const { program, bytes, compares } = compared(bare(functionsText()));
  const [plain, guarded] = [new WebAssembly.Module(program), new WebAssembly.Module(new Uint8Array(bytes))];

  it("is each of them that there is", () => {
    expect(compares).toBe(INSTRUCTIONS.length);
    expect(INSTRUCTIONS.length).toBe(6 + 7 * 9);
  });

  it.each(INSTRUCTIONS)("$text does, gives and refuses what it did", ({ name, params }) => {
    // One memory each for all runs: what one has done the next one finds.
    const memories = [newMemory(), newMemory()];
    const [before, after] = [plain, guarded].map((module, i) => {
      return new WebAssembly.Instance(module!, { env: { memory: memories[i]! } }).exports as Calls;
    }) as [Calls, Calls];
    const address = fc.oneof(
      fc.integer({ min: 0, max: 2 * WASM_PAGE + 40 }),
      fc.integer({ min: 2 * WASM_PAGE - 40, max: 2 * WASM_PAGE + 40 }).map((n) => n & ~7),
      fc.constantFrom(0, 8, -1, -8, -16, 2 ** 31, -WASM_PAGE, WASM_PAGE - 8, 2 * WASM_PAGE - 4),
    );
    const wide = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    // No wait waits: its last parameter is the nanoseconds.
    const argument = (type: string, i: number) =>
      name.startsWith("wait") && i === 2
        ? fc.constant(0n)
        : type === "i64"
          ? wide
          : i === 0
            ? address
            : fc.oneof(address, fc.integer());
    fc.assert(
      fc.property(fc.tuple(...params.map(argument)), (args) => {
        const outcome = (calls: Calls) => {
          try {
            return calls[name]!(...args);
          } catch (error) {
            return `${error}`;
          }
        };
        expect(outcome(after)).toEqual(outcome(before));
      }),
      { numRuns: 300 },
    );
    const [was, is] = memories.map((memory) => Buffer.from(new Uint8Array(memory!.buffer).slice()));
    expect(is!.equals(was!)).toBe(true);
  });

  it("has its operands evaluated once each, in order, before it looks at the memory", () => {
    const { bytes } = compared(
      bare(`
        (global $n (mut i32) (i32.const 0))
        (func $next (param i32) (result i32)
          (i32.store (global.get $n) (local.get 0))
          (global.set $n (i32.add (global.get $n) (i32.const 4)))
          (drop (memory.grow (i32.const 1)))
          (local.get 0))
        (func (export "run") (param i32)
          (memory.fill (call $next (local.get 0)) (call $next (i32.const 7)) (call $next (i32.const 3))))`),
    );
    const memory = newMemory();
    const { run } = instantiate(bytes, memory);
    // In the page that the third operand brings.
    run!(5 * WASM_PAGE - 3);
    expect([...new Uint32Array(memory.buffer, 0, 4)]).toEqual([5 * WASM_PAGE - 3, 7, 3, 0]);
    expect([...new Uint8Array(memory.buffer, 5 * WASM_PAGE - 4, 4)]).toEqual([0, 7, 7, 7]);
  });

  it("takes operands that one call has given", () => {
    const program = assemble(
      bare("(func $three (param i32) (result i32 i32 i32) (tuple.make 3 (local.get 0) (i32.const 9) (i32.const 5)))"),
      false,
      FEATURES,
    );
    const three = inspect(program).functions.length - 1;
    // get 0, call $three, memory.fill
    const body = Uint8Array.of(0, 0x20, 0, 0x10, three, 0xfc, 11, 0, 0x0b);
    const { bytes: whole } = editModule(
      program,
      (bytes) => addFunctions(bytes, [{ name: "run", type: { params: ["i32"], results: [] }, body }]),
      (bytes) => addExports(bytes, [{ name: "run", kind: "function", index: three + 1 }]),
    );
    const info = inspect(whole);
    const { bytes, compares } = compareSizes(whole, info, info.memories[0]!);
    expect(compares).toBe(1);
    const memory = newMemory();
    instantiate(bytes, memory)["run"]!(1000);
    expect([...new Uint8Array(memory.buffer, 999, 7)]).toEqual([0, 9, 9, 9, 9, 9, 0]);
  });

  it("stands in code behind a branch, and in that of tail calls", () => {
    const { compares, bytes } = compared(
      bare(`(func (export "run") (param i32) (result i32)
        (block (br 0) (memory.fill (unreachable) (i32.const 0) (i32.const 0)))
        (memory.copy (local.get 0) (i32.const 8) (i32.const 2))
        (return_call $last (local.get 0)))
      (func $last (param i32) (result i32) (i32.atomic.rmw.add (local.get 0) (i32.const 1)))`),
    );
    expect(compares).toBeGreaterThanOrEqual(2);
    expect(instantiate(bytes, newMemory())["run"]!(512)).toBe(0);
  });
});

describe("what needs no compare", () => {
  it("constant addresses in the memory that every thread has from the beginning", () => {
    const end = 2 * WASM_PAGE;
    const { compares } = compared(
      bare(`(func (export "run") (param i32)
        (memory.fill (i32.const 100) (local.get 0) (i32.const 50))
        (memory.init $data (i32.const 200) (i32.const 0) (i32.const 8))
        (memory.copy (i32.const 300) (i32.const 400) (i32.const 8))
        (i32.atomic.store offset=8 (i32.const 1024) (local.get 0))
        (drop (memory.atomic.notify (i32.const ${end - 8}) (i32.const 1))))`),
    );
    expect(compares).toBe(0);
  });

  it.each([
    ["a length that is not known", "(memory.fill (i32.const 100) (i32.const 0) (local.get 0))"],
    ["a source beyond", `(memory.copy (i32.const 0) (i32.const ${2 * WASM_PAGE}) (i32.const 1))`],
    ["a length beyond", `(memory.fill (i32.const 100) (i32.const 0) (i32.const ${2 * WASM_PAGE}))`],
    ["an offset beyond", `(i32.atomic.store offset=${WASM_PAGE} (i32.const ${WASM_PAGE}) (i32.const 0))`],
  ])("but %s does", (_, text) => {
    expect(compared(bare(`(func (export "run") (param i32) ${text})`)).compares).toBe(1);
  });

  it("a program of one thread stays as it was", async () => {
    const text = programText({
      rest: '(func (export "run") (param i32) (memory.fill (local.get 0) (i32.const 0) (local.get 0)))',
    });
    const program = assemble(text, false, FEATURES);
    const info = inspect(program);
    expect(compareSizes(program, info, info.memories[0]!)).toMatchObject({ bytes: program, compares: 0, moves: [] });
    const { report } = await link(program, { optimize: "O0" });
    expect(report.compares).toBeUndefined();
    expect(formatReport(report)).not.toContain("compares");
  });
});

describe("a linked program whose threads are late", () => {
  it.each(["O0", "O3", "Os"] as const)("works on what another thread has grown, at -%s", async (optimize) => {
    const text = programText({
      memory: "",
      imports: MEMORY,
      rest: `(data $data "abcdefghijklmnop") ${functionsText()}`,
    });
    const { wasm, report } = await link(assemble(text.replace(/\(data \(i32.*/, ""), true, FEATURES), { optimize });
    expect(report.compares).toBe(INSTRUCTIONS.length);
    expect(formatReport(report)).toContain(`compares    ${INSTRUCTIONS.length} bulk and atomic instructions`);
    const module = lagging(wasm);
    for (const { name, params } of INSTRUCTIONS) {
      const memory = newMemory();
      const [a, b] = [1, 2].map(() => {
        return new WebAssembly.Instance(module, { env: { memory }, ...lagImports(memory) }).exports as Calls;
      }) as [Calls, Calls];
      const p = familyOf(a as unknown as WebAssembly.Exports).malloc(1_000_000);
      // At its end, and small enough for every instruction's second and third operand.
      const at = p + 1_000_000 - 2 * WASM_PAGE;
      const args = params.map((type, i) => (i === 0 ? at : type === "i64" ? 0n : i === 2 ? 16 : 0));
      expect(() => b[name]!(...args), name).not.toThrow();
    }
  });

  it("without a compare it traps: the model is late", () => {
    const memory = newMemory();
    const { exports } = new WebAssembly.Instance(lagging(assemble(bare(functionsText()), true, FEATURES)), {
      env: { memory },
      ...lagImports(memory),
    });
    memory.grow(1);
    expect(() => (exports as Calls)["fill"]!(2 * WASM_PAGE, 1, 1)).toThrow(WebAssembly.RuntimeError);
    expect(() => (exports as Calls)["fill"]!(2 * WASM_PAGE - 1, 1, 1)).not.toThrow();
  });
});

describe("in a program of more than 16,383 functions", () => {
  const N = 16_400;
  const FILLERS = 40;
  const filler = (i: number) => `
    (func (export "f${i}") (param i32 i32) (result i32)
      (memory.fill (local.get 0) (i32.const ${i}) (local.get 1))
      (drop (i32.const ${1_000_000 + i}))
      (memory.fill (i32.add (local.get 0) (local.get 1)) (i32.const ${i + 1}) (local.get 1))
      (i32.const ${2_000_000 + i}))`;
  const text = bare(
    `${Array.from({ length: N }, (_, i) => `(func $g${i} (export "g${i}") (result i32) (i32.const ${i}))`).join("\n")}
     ${Array.from({ length: FILLERS }, (_, i) => filler(i)).join("\n")}`,
  );
  const { program, bytes, moves, info } = compared(text);

  it("a call has no room in the place of memory.fill, so code moves", () => {
    expect(bytes.length).toBeGreaterThan(program.length + 2 * FILLERS);
    const memory = newMemory();
    const exports = instantiate(bytes, memory);
    expect(exports["g16399"]!()).toBe(16_399);
    for (let i = 0; i < FILLERS; i++) expect(exports[`f${i}`]!(i * 100 + 8, 10)).toBe(2_000_000 + i);
    const at = (FILLERS - 1) * 100 + 8;
    expect([...new Uint8Array(memory.buffer, at - 1, 22)]).toEqual([
      0,
      ...Array(10).fill(39),
      ...Array(10).fill(40),
      0,
    ]);
  });

  it("a source map moves with it", () => {
    /** Where the constant is that stands in filler `i`, in a module. */
    const place = (wasm: Uint8Array, of: typeof info, i: number, constant: number) => {
      const { start, end } = of.bodies[N + i]!;
      const at = Buffer.from(wasm.subarray(start, end)).indexOf(concat(Uint8Array.of(0x41), encodeS32(constant)));
      expect(at).toBeGreaterThan(0);
      return start + at;
    };
    const places = (wasm: Uint8Array, of: typeof info) =>
      Array.from({ length: FILLERS }, (_, i) => [
        of.bodies[N + i]!.start,
        place(wasm, of, i, 1_000_000 + i),
        place(wasm, of, i, 2_000_000 + i),
      ]).flat();
    // Each place comes from a line of its own: four numbers a segment, of which the third is the line's difference.
    let last = 0;
    const mappings = places(program, inspect(program)).map((column, line) => {
      const segment = vlq(column - last) + (line === 0 ? "AAA" : "ACA");
      last = column;
      return segment;
    });
    const map = { version: 3, sources: ["a"], names: [], mappings: mappings.join(",") };
    const moved = new SourceMap(JSON.parse(moveSourceMap(JSON.stringify(map), moves)) as SourceMapPayload);
    for (const [line, column] of places(bytes, info).entries()) {
      expect(moved.findEntry(0, column)).toMatchObject({ generatedColumn: column, originalLine: line });
    }
  });
});

/** A number as source maps have it; not negative. */
function vlq(value: number): string {
  const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  let text = "";
  for (let left = value * 2; ; left = Math.floor(left / 32)) {
    if (left < 32) return text + digits[left];
    text += digits[(left % 32) + 32];
  }
}

it("functions with instructions that are not known are counted, and warned of", () => {
  const program = assemble(
    bare(`(func (export "run") (param i32)
      (drop (ref.i31 (local.get 0)))
      (memory.fill (local.get 0) (i32.const 0) (i32.const 1)))`),
    false,
    FEATURES | binaryen.Features.GC,
  );
  const info = inspect(program);
  const sighted = compareSizes(program, info, info.memories[0]!);
  expect(sighted).toMatchObject({ compares: 0, unknown: 1 });
  expect(sizeWarnings(sighted).join()).toContain("gomalloc_sync()");
});
