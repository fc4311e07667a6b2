/** Calls through pointers: which are redirected, that they do what they did, that the rest is left alone. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { findPointerCalls } from "../../src/tools/inline/pointers.ts";
import { type LinkOptions, link } from "../../src/tools/link.ts";
import { formatReport } from "../../src/tools/report.ts";
import { encodeS32 } from "../../src/wasm/edit.ts";
import { inspect } from "../../src/wasm/parse.ts";
import { Reader } from "../../src/wasm/reader.ts";
import { assemble, bodyOf, instantiate, programText } from "./support/programs.ts";

const TAKE = "(type $take (func (param i32) (result i32)))";
const DROP = "(type $drop (func (param i32)))";

interface HookText {
  /** Functions of the table, from slot 1 on. */
  readonly slots?: string;
  readonly table?: string;
  readonly imports?: string;
  /** In the place of the call of $hook's function. */
  readonly call?: string;
  readonly more?: string;
}

/** A program that takes blocks through the pointer in a global, which is malloc's slot to begin with. */
function hookText({
  slots = "$malloc $free $odd $even",
  table = "(table 16 funcref)",
  ...text
}: HookText = {}): string {
  return programText({
    imports: text.imports ?? "",
    rest: `${TAKE} ${DROP}
      ${table}
      (elem (i32.const 1) func ${slots})
      (global $hook (mut i32) (i32.const 1))
      (func $odd (param i32) (result i32) (i32.or (local.get 0) (i32.const 1)))
      (func $even (param i32) (result i32) (i32.and (local.get 0) (i32.const -2)))
      (func (export "setHook") (param i32) (global.set $hook (local.get 0)))
      (func (export "take") (param i32) (result i32)
        ${text.call ?? "(call_indirect (type $take) (local.get 0) (global.get $hook))"})
      (func (export "drop") (param i32) (call_indirect (type $drop) (local.get 0) (i32.const 2)))
      ${text.more ?? ""}`,
  });
}

type Exports = Record<string, (...args: number[]) => number>;

async function linked(text: string, options: LinkOptions = {}, names = true) {
  const program = assemble(text, names);
  const { wasm, report } = await link(program, { optimize: "O2", ...options });
  return { wasm, report, exports: instantiate(wasm).exports as Exports };
}

describe("a pointer to malloc", () => {
  it("is compared with malloc's slot, and malloc inlined behind that", async () => {
    const { wasm, report, exports } = await linked(hookText());
    expect(report.pointers).toEqual([
      { functions: ["malloc"], calls: 1 },
      { functions: ["free"], calls: 1 },
    ]);
    expect(formatReport(report)).toContain("\npointers    malloc (1 call), free (1 call)\n");
    const take = bodyOf(wasm, "take");
    expect(take).toContain("/mallocSlow");
    expect(take).toContain("call_indirect");
    expect(take).not.toContain("call $gomalloc");

    const p = exports["take"]!(100);
    expect(exports["do_malloc_usable_size"]!(p)).toBeGreaterThanOrEqual(100);
    exports["drop"]!(p);
    expect(() => exports["drop"]!(p), "a double free is one").toThrow(WebAssembly.RuntimeError);
  });

  it("that points elsewhere calls what it points to", async () => {
    const { exports } = await linked(hookText());
    exports["setHook"]!(3);
    expect(exports["take"]!(100)).toBe(101);
    exports["setHook"]!(4);
    expect(exports["take"]!(101)).toBe(100);
    for (const wrong of [0, 2, 5, 16, -1]) {
      exports["setHook"]!(wrong);
      expect(() => exports["take"]!(100)).toThrow(WebAssembly.RuntimeError);
    }
  });

  it("is left alone without inlining, and where nothing is optimised", async () => {
    for (const options of [{ inline: false }, { optimize: "Os" }, { optimize: "O1" }] as const) {
      const { report, exports } = await linked(hookText(), options);
      expect(report.pointers).toEqual([]);
      expect(exports["take"]!(100)).toBeGreaterThan(0);
    }
  });

  it("the program's own functions that call the family count too", async () => {
    const more = `(type $alloc (func (param i32 f64 i32) (result i32)))
      (func $alloc (param i32 f64 i32) (result i32)
        (if (result i32) (i32.eqz (local.get 2))
          (then (call $free (local.get 0)) (i32.const 0))
          (else (call $realloc (local.get 0) (local.get 2)))))
      (elem (i32.const 9) func $alloc)
      (func (export "resize") (param i32 f64 i32) (result i32)
        (call_indirect (type $alloc) (local.get 0) (local.get 1) (local.get 2) (i32.const 9)))`;
    const { report, exports } = await linked(hookText({ more }));
    expect(report.pointers.at(-1)).toEqual({ functions: ["alloc"], calls: 1 });
    const p = exports["resize"]!(0, 0, 40);
    const q = exports["resize"]!(p, 0, 4000);
    expect(exports["do_malloc_usable_size"]!(q)).toBeGreaterThanOrEqual(4000);
    expect(exports["resize"]!(q, 0, 0)).toBe(0);
  });

  it("but not long ones, nor where the table has many of the type", async () => {
    const alloc = (name: string, pad: number) => `(func $${name} (param i32 f64 i32) (result i32)
      ${"(global.set $hook (i32.add (global.get $hook) (i32.const 1)))".repeat(pad)}
      (call $realloc (local.get 0) (local.get 2)))`;
    const program = (functions: string, names: string) => `(type $alloc (func (param i32 f64 i32) (result i32)))
      ${functions} (elem (i32.const 9) func ${names})
      (func (export "resize") (param i32 f64 i32) (result i32)
        (call_indirect (type $alloc) (local.get 0) (local.get 1) (local.get 2) (i32.const 9)))`;
    const others = Array.from(
      { length: 5 },
      (_, i) => `(func $other${i} (param i32 f64 i32) (result i32) (i32.const ${i}))`,
    ).join("\n");
    const names = "$other0 $other1 $other2 $other3";
    for (const [more, found] of [
      [program(`${alloc("alloc", 1)} ${others}`, `$alloc ${names}`), true],
      [program(`${alloc("alloc", 1)} ${others}`, `$alloc ${names} $other4`), false],
      [program(`${alloc("alloc", 20)} ${others}`, `$alloc ${names}`), false],
    ] as const) {
      const { report, exports } = await linked(hookText({ more }));
      expect(report.pointers.some(({ functions }) => functions.includes("alloc"))).toBe(found);
      expect(exports["do_malloc_usable_size"]!(exports["resize"]!(0, 0, 40))).toBeGreaterThanOrEqual(40);
    }
  });

  it("names: the functions that compare have one where they are left as functions", async () => {
    const many = Array.from(
      { length: 100 },
      (_, i) =>
        `(func (export "take${i}") (param i32) (result i32)
        (call_indirect (type $take) (local.get 0) (global.get $hook)))`,
    ).join("\n");
    const { wasm, report, exports } = await linked(hookText({ more: many }));
    expect(report.pointers[0]).toEqual({ functions: ["malloc"], calls: 101 });
    expect([...inspect(wasm).functionNames.values()]).toContain("gomalloc/pointer:malloc");
    expect(bodyOf(wasm, "take7")).toContain("call $gomalloc/pointer:malloc");
    expect(exports["take7"]!(8)).toBeGreaterThan(0);
    const nameless = await linked(hookText({ more: many }), {}, false);
    expect(nameless.report.pointers[0]!.calls).toBe(101);
    expect(inspect(nameless.wasm).named).toBe(false);
  });
});

describe("left as they are", () => {
  /** Names of the functions that calls are compared with. */
  function redirected(text: string): string[] {
    const program = assemble(text, true);
    const info = inspect(program);
    const family = new Set(info.imports.filter(({ module }) => module === "gomalloc").map(({ index }) => index));
    const found = findPointerCalls(program, info, { family, inlined: family });
    return found.flatMap(({ targets }) => targets.map(({ index }) => info.functionNames.get(index)!));
  }

  it("a program that writes to a table", async () => {
    for (const instruction of [
      "(table.set $t (i32.const 1) (ref.func $odd))",
      "(table.fill $t (i32.const 1) (ref.func $odd) (i32.const 1))",
      "(table.copy $t $t (i32.const 1) (i32.const 3) (i32.const 1))",
      "(table.init $t $passive (i32.const 1) (i32.const 0) (i32.const 1))",
    ]) {
      const more = `(elem $passive func $odd) (func (export "change") ${instruction})`;
      const text = hookText({ table: "(table $t 16 funcref)", more });
      expect(redirected(text), instruction).toEqual([]);
      const { exports } = await linked(text);
      exports["change"]!();
      expect(exports["take"]!(100)).toBe(101);
    }
    const more = '(func (export "more") (result i32) (table.grow $t (ref.null func) (i32.const 1)))';
    expect(redirected(hookText({ table: "(table $t 16 funcref)", more }))).toEqual(["malloc", "free"]);
  });

  it("a table that comes from outside, or is filled from an unknown slot on", async () => {
    const imports = '(import "env" "table" (table 16 funcref))';
    expect(redirected(hookText({ table: "", imports }))).toEqual([]);
    const based = '(import "env" "base" (global $base i32))';
    const more = "(elem (global.get $base) func $odd)";
    expect(redirected(hookText({ imports: based, more }))).toEqual([]);
  });

  it("a slot that a later segment fills with another function", async () => {
    expect(redirected(hookText({ more: "(elem (i32.const 1) func $odd)" }))).toEqual(["free"]);
    const { exports } = await linked(hookText({ more: "(elem (i32.const 1) func $odd)" }));
    expect(exports["take"]!(100)).toBe(101);
  });

  it("types of which the table has many functions", async () => {
    const many = (count: number) => hookText({ slots: `$malloc $free ${"$odd ".repeat(count)}` });
    expect(redirected(many(7))).toEqual(["malloc", "free"]);
    expect(redirected(many(8))).toEqual(["free"]);
  });

  it("a function that stands in several slots", () => {
    expect(redirected(hookText({ slots: "$malloc $free $odd $free" }))).toEqual(["malloc"]);
  });

  it("tail calls", async () => {
    const call = "(return_call_indirect (type $take) (local.get 0) (global.get $hook))";
    expect(redirected(hookText({ call }))).toEqual(["free"]);
  });

  it("a program without a table, and one whose table has nothing of the family", async () => {
    expect(redirected(programText())).toEqual([]);
    expect(redirected(hookText({ slots: "$odd $even" }))).toEqual([]);
  });
});

describe("any table", () => {
  const KINDS = ["malloc", "free", "calloc", "malloc_usable_size", "odd", "even", "alloc", "none"] as const;
  const entry = fc.constantFrom(...KINDS);
  const calls = fc.array(fc.tuple(fc.constantFrom("take", "drop", "two"), fc.integer({ min: -1, max: 12 })), {
    minLength: 1,
    maxLength: 40,
  });

  it("answers as it did, or traps as it did", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { minLength: 3, maxLength: 10 }), calls, async (slots, plan) => {
        const elements = slots.map((name) => (name === "none" ? "(ref.null func)" : `(ref.func $${name})`));
        const rest = `${TAKE} ${DROP} (type $two (func (param i32 i32) (result i32)))
          (table 12 funcref)
          (elem (i32.const 1) funcref ${elements.join(" ")})
          (func $odd (param i32) (result i32) (i32.const 77))
          (func $even (param i32))
          (func $alloc (param i32 i32) (result i32) (call $realloc (call $malloc (local.get 0)) (local.get 1)))
          (func (export "take") (param i32 i32) (result i32) (call_indirect (type $take) (local.get 0) (local.get 1)))
          (func (export "drop") (param i32 i32) (result i32)
            (call_indirect (type $drop) (local.get 0) (local.get 1)) (i32.const 5))
          (func (export "two") (param i32 i32) (result i32)
            (call_indirect (type $two) (i32.const 3) (i32.const 40) (local.get 1)))`;
        const program = assemble(programText({ rest }));
        const results = await Promise.all(
          [true, false].map(async (inline) => {
            const exports = instantiate((await link(program, { optimize: "O2", inline })).wasm).exports as Exports;
            return plan.map(([name, slot]) => {
              const p = exports["do_malloc"]!(24);
              try {
                return exports[name]!(p, slot);
              } catch (error) {
                return (error as Error).name;
              }
            });
          }),
        );
        expect(results[0]).toEqual(results[1]);
      }),
      { numRuns: 8 },
    );
  });
});

it("encodeS32 is what a reader reads", () => {
  fc.assert(
    fc.property(fc.integer({ min: -(2 ** 31), max: 2 ** 32 - 1 }), (value) => {
      const reader = new Reader(encodeS32(value));
      expect(reader.s32()).toBe(value | 0);
      expect(reader.done).toBe(true);
    }),
  );
});
