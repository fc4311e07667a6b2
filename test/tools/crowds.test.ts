/** Functions with many calls of the family: which calls stay calls, that they do what they did, that others are inlined. */
import { describe, expect, it } from "vitest";
import { type LinkOptions, link } from "../../src/tools/link.ts";
import { formatReport } from "../../src/tools/report.ts";
import { assemble, bodyOf, exercise, familyOf, HEAP_BASE, instantiate, programText } from "./support/programs.ts";

type Exports = Record<string, (...args: number[]) => number>;

/** Takes `count` blocks of its parameter's size, each through a call of its own, frees all but the last, returns that. */
function takeMany(name: string, count: number, { malloc = "$malloc", free = "$free" } = {}): string {
  const takes = Array.from({ length: count }, (_, i) => {
    const drop = i === 0 ? "" : `(call ${free} (local.get 1))`;
    return `${drop} (local.set 1 (call ${malloc} (local.get 0)))`;
  });
  return `(func $${name} (export "${name}") (param i32) (result i32) (local i32) ${takes.join("\n")} (local.get 1))`;
}

async function linked(rest: string, options: LinkOptions & { names?: boolean } = {}) {
  const program = assemble(programText({ rest }), options.names ?? true);
  const { wasm, report } = await link(program, { optimize: "O2", ...options });
  const instance = instantiate(wasm);
  return { wasm, report, exports: instance.exports as Exports, instance };
}

/** How often the text of the function exported as `name` has `part`. */
function count(wasm: Uint8Array, name: string, part: string): number {
  return bodyOf(wasm, name).split(part).length - 1;
}

/** A call that is left in a function has a name of binaryen's choice: other functions may have become the same. */
const CALL = "(call $";
/** Where malloc was inlined, a call of its slow half is left. */
const SLOW = "/mallocSlow";

describe("a function with many calls of malloc and free", () => {
  it("keeps them as calls, while one with few gets them inlined", async () => {
    const { wasm, report, exports, instance } = await linked(takeMany("many", 10) + takeMany("few", 8));
    expect(report.crowds).toEqual([
      { function: "free", calls: 9 },
      { function: "malloc", calls: 10 },
    ]);
    expect(formatReport(report)).toContain("\nnot inlined free (9 calls), malloc (10 calls)\n");
    expect(count(wasm, "many", CALL)).toBe(19);
    expect(count(wasm, "many", SLOW)).toBe(0);
    expect(count(wasm, "few", SLOW)).toBe(8);

    for (const name of ["many", "few"]) {
      const p = exports[name]!(100);
      expect(exports["do_malloc_usable_size"]!(p)).toBeGreaterThanOrEqual(100);
      exports["do_free"]!(p);
      expect(() => exports["do_free"]!(p), "a double free is one").toThrow(WebAssembly.RuntimeError);
    }
    exercise(familyOf(instance.exports), instance.exports["memory"] as WebAssembly.Memory, HEAP_BASE);
  });

  it("each callee is counted for itself", async () => {
    const frees = Array.from({ length: 9 }, () => "(call $free (local.get 0)) (local.set 0 (i32.const 0))").join("\n");
    const { wasm, report } = await linked(`(func (export "clean") (param i32) (result i32)
      ${frees} (call $malloc (i32.const 8)))`);
    expect(report.crowds).toEqual([{ function: "free", calls: 9 }]);
    expect(count(wasm, "clean", SLOW)).toBe(1);
  });

  it("beyond the budget, functions with fewer calls come first, and callees with fewer", async () => {
    const drops = (name: string, calls: number) => {
      const body = Array.from({ length: calls }, () => "(call $free (local.get 0)) (local.set 0 (i32.const 0))");
      return `(func (export "${name}") (param i32) ${body.join("\n")})`;
    };
    const threes = Array.from({ length: 20 }, (_, i) => drops(`three${i}`, 3));
    const ones = Array.from({ length: 20 }, (_, i) => drops(`one${i}`, 1));
    const { wasm, report, exports } = await linked([...threes, ...ones, takeMany("few", 2)].join("\n"));
    expect(report.crowds).toEqual([{ function: "free", calls: 60 }]);
    const looks = (name: string) => count(wasm, name, "i64.load");
    expect(looks("three7")).toBe(0);
    expect(looks("one7")).toBeGreaterThan(0);
    expect(count(wasm, "few", SLOW)).toBe(2);
    for (const name of ["three7", "one7"]) {
      const p = exports["do_malloc"]!(24);
      exports[name]!(p);
      expect(() => exports["do_free"]!(p), "a double free is one").toThrow(WebAssembly.RuntimeError);
    }
  });

  it("wrappers count as what they wrap", async () => {
    const wrapper = `(func $take (export "take") (param i32) (result i32) (local i32)
      (if (i32.eqz (local.tee 1 (call $malloc (local.get 0)))) (then (i32.store (i32.const 1024) (i32.const 48))))
      (local.get 1))`;
    const calls = Array.from({ length: 9 }, () => "(drop (call $take (local.get 0)))").join("\n");
    const rest = `${wrapper} (func $many (export "many") (param i32) ${calls})`;
    const { wasm, report } = await linked(rest);
    expect(report.wrappers).toContain("take");
    expect(report.crowds).toEqual([{ function: "take", calls: 9 }]);
    expect([count(wasm, "many", SLOW), count(wasm, "many", CALL)]).toEqual([0, 9]);
    expect(count(wasm, "take", SLOW)).toBe(1);
    const nameless = await linked(rest, { names: false });
    expect(nameless.report.crowds).toEqual([{ function: "malloc", calls: 9 }]);
  });

  it("tail calls stay tail calls", async () => {
    const arms = Array.from(
      { length: 9 },
      (_, i) => `(if (i32.eq (local.get 1) (i32.const ${i})) (then (return_call $malloc (local.get 0))))`,
    ).join("\n");
    const { wasm, report, exports } = await linked(`(func (export "pick") (param i32 i32) (result i32)
      ${arms} (i32.const 0))`);
    expect(report.crowds).toEqual([{ function: "malloc", calls: 9 }]);
    expect(count(wasm, "pick", "(return_call $")).toBe(9);
    const p = exports["pick"]!(40, 8);
    expect(exports["do_malloc_usable_size"]!(p)).toBeGreaterThanOrEqual(40);
    expect(exports["pick"]!(40, 9)).toBe(0);
  });

  it("a call that has no room for a longer number is inlined as ever", async () => {
    const others = Array.from({ length: 130 }, (_, i) => `(func (export "f${i}") (result i32) (i32.const ${i}))`);
    const { wasm, report, exports } = await linked(others.join("\n") + takeMany("many", 9));
    expect(report.crowds).toEqual([]);
    expect(count(wasm, "many", SLOW)).toBe(9);
    expect(exports["many"]!(16)).toBeGreaterThan(0);
    expect(exports["f129"]!()).toBe(129);
  });

  it("a callee with many such calls is inlined nowhere", async () => {
    const others = Array.from({ length: 130 }, (_, i) => `(func (export "f${i}") (result i32) (i32.const ${i}))`);
    const many = Array.from({ length: 6 }, (_, i) => takeMany(`many${i}`, 9));
    const { wasm, report, exports } = await linked([...others, ...many, takeMany("few", 2)].join("\n"));
    expect(report.crowds).toEqual([{ function: "malloc", calls: 56 }]);
    for (const name of ["many3", "few"]) {
      expect(count(wasm, name, SLOW)).toBe(0);
      expect(exports[name]!(16)).toBeGreaterThan(0);
    }
  });

  it("nothing of it without inlining, or at -O1", async () => {
    for (const options of [{ inline: false }, { optimize: "Os" }, { optimize: "O1" }] as const) {
      const { report, exports } = await linked(takeMany("many", 9), options);
      expect(report.crowds).toEqual([]);
      expect(exports["many"]!(16)).toBeGreaterThan(0);
    }
  });
});
