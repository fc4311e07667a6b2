/**
 * Files that are made to do harm: numbers and blocks without an end, counts beyond the file, names that mean something to
 * JavaScript, searches that would take hours. Each is refused with its reason, or harmless.
 */
import { describe, expect, it } from "vitest";
import { link } from "../../src/tools/link.ts";
import { shiftSourceMap } from "../../src/tools/sourcemap.ts";
import { swap } from "../../src/tools/swap/swap.ts";
import { addCustomSection, concat, encodeName, encodeU32, renameExports, vector } from "../../src/wasm/edit.ts";
import { inspect } from "../../src/wasm/parse.ts";
import { assemble, programText, refusal } from "./support/programs.ts";

const HEADER = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
const section = (id: number, contents: Uint8Array) => concat(Uint8Array.of(id), encodeU32(contents.length), contents);
const TYPES = section(1, Uint8Array.of(2, 0x60, 0, 0, 0x60, 1, 0x7f, 1, 0x7f));
const IMPORT = section(2, vector([concat(encodeName("gomalloc"), encodeName("malloc"), Uint8Array.of(0, 1))]));
const MEMORY = section(5, Uint8Array.of(1, 0, 2));
/** A module with a memory and one function of this body, that imports malloc. */
const withBody = (body: readonly number[]) =>
  concat(
    ...[HEADER, TYPES, IMPORT, section(3, Uint8Array.of(1, 0)), MEMORY],
    section(10, vector([concat(encodeU32(body.length), Uint8Array.from(body))])),
  );

describe("code", () => {
  it.each([
    ["a number that does not end, at the file's end", [0, 0x41, 0x80], "truncated"],
    ["a number of too many bytes", [0, 0x41, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0, 0x1a, 0x0b], "malformed"],
    ["an instruction behind the last end", [0, 0x0b, 0x1a, 0x0b], "malformed"],
    ["blocks that do not end", [0, 0x02, 0x40, 0x0b], "malformed"],
    ["more locals than bytes", [0xff, 0xff, 0xff, 0xff, 0x0f, 0x0b], "truncated"],
    ["a br_table beyond the file", [0, 0x0e, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x0b], "truncated"],
    ["a call of a function that is not there", [0, 0x10, 9, 0x0b], "malformed"],
    ["no code at all", [], "truncated"],
  ] as const)("%s", async (_, body, code) => {
    await refusal(() => link(withBody(body)), code);
    await refusal(() => swap(withBody(body)), code);
  });

  it("a hundred thousand blocks within each other", async () => {
    const depth = 100_000;
    const open = Array.from({ length: depth }, () => [0x02, 0x40]).flat();
    const body = [0, ...open, ...Array<number>(depth).fill(0x0b), 0x0b];
    try {
      expect(WebAssembly.validate((await link(withBody(body), { optimize: "O0" })).wasm)).toBe(true);
    } catch (error) {
      expect((error as Error).name, String(error)).toBe("ToolError");
      expect((error as { code: string }).code).not.toBe("internal");
    }
  });
});

describe("sections", () => {
  const plain = assemble(programText());
  const info = inspect(plain);
  const cut = (id: number) => {
    const { start, end } = info.sections.find((one) => one.id === id)!;
    return plain.subarray(start, end);
  };

  it.each([
    ["twice", () => concat(plain, cut(1))],
    ["in the wrong order", () => concat(HEADER, cut(2), cut(1))],
    ["a count beyond the section", () => concat(HEADER, section(1, Uint8Array.of(0xff, 0xff, 0x03, 0x60)), MEMORY)],
    ["bytes left over", () => concat(HEADER, section(5, Uint8Array.of(1, 0, 2, 7)))],
    ["a memory of 2^32 - 1 pages", () => concat(HEADER, section(5, Uint8Array.of(1, 0, 255, 255, 255, 255, 15)))],
    ["a function of a type that is not there", () => concat(HEADER, TYPES, section(3, Uint8Array.of(1, 9)))],
    ["a name that is not UTF-8", () => concat(HEADER, section(7, Uint8Array.of(1, 2, 0xff, 0xfe, 0, 0)))],
  ])("%s", async (_, make) => {
    await refusal(() => inspect(make()), "malformed");
  });

  it("a size of nearly 2^32", () =>
    refusal(() => inspect(concat(HEADER, Uint8Array.of(1, 255, 255, 255, 255, 15))), "truncated"));

  it("a byte order mark is a part of a name", () => {
    const marked = renameExports(plain, ({ name }) => (name === "memory" ? "\ufeffmemory" : undefined)).bytes;
    expect(inspect(marked).exports.map(({ name }) => name)).toContain("\ufeffmemory");
  });

  it("damaged custom sections, which engines do not read, are left out with a warning", async () => {
    let damaged: Uint8Array = plain;
    for (const name of ["name", "target_features", "producers", "sourceMappingURL"]) {
      damaged = addCustomSection(damaged, name, Uint8Array.of(1, 255, 255, 3)).bytes;
    }
    expect(inspect(damaged).damaged).toEqual(["name", "target_features", "producers", "sourceMappingURL"]);
    const { wasm, report } = await link(damaged, { optimize: "O0" });
    expect(WebAssembly.validate(wasm)).toBe(true);
    expect(report.warnings).toEqual([
      expect.stringMatching(/damaged: .* name, target_features, producers, sourceMapp/),
    ]);
  });

  it.each(["gomalloc-link:memory", "gomalloc:probe:1"])("an export %s, which is the tools' own name", async (name) => {
    const error = await refusal(
      () => link(renameExports(plain, (entry) => (entry.name === "do_malloc" ? name : undefined)).bytes),
      "malformed",
    );
    expect(error.message).toContain(name);
  });
});

describe("names that every object has", () => {
  const NAMES = ["__proto__", "constructor", "toString", "then", "valueOf"];
  const own = () => Object.getOwnPropertyNames(Object.prototype).sort();
  const before = own();

  it("swap: imports by such names, from such modules", async () => {
    const imports = NAMES.flatMap((module) => NAMES.map((name) => `(import "${module}" "${name}" (func (param i32)))`));
    const program = assemble(`(module ${imports.join("\n")} (memory (export "memory") 2) ${FREE_LIST})`);
    const { wasm, report } = await swap(program, { optimize: "O0" });
    expect(own()).toEqual(before);
    expect(String({})).toBe("[object Object]");
    expect(report.checked).toBe("yes");
    expect(WebAssembly.validate(wasm)).toBe(true);
  });
});

/** A free list, as an allocator with state at 1024. */
const FREE_LIST = `
  (data (i32.const 1024) "\\40\\04\\00\\00\\00\\00\\00\\00")
  (func $malloc (export "malloc") (param $size i32) (result i32) (local $block i32)
    (local.set $size (i32.and (i32.add (local.get $size) (i32.const 15)) (i32.const -8)))
    (local.set $block (i32.load (i32.const 1028)))
    (if (local.get $block) (then
      (if (i32.ge_u (i32.load (i32.sub (local.get $block) (i32.const 4))) (local.get $size)) (then
        (i32.store (i32.const 1028) (i32.load (local.get $block)))
        (return (local.get $block))))))
    (local.set $block (i32.add (i32.load (i32.const 1024)) (i32.const 8)))
    (i32.store (i32.const 1024) (i32.add (local.get $block) (local.get $size)))
    (if (i32.gt_u (i32.load (i32.const 1024)) (i32.shl (memory.size) (i32.const 16))) (then
      (drop (memory.grow (i32.add (i32.shr_u (local.get $size) (i32.const 16)) (i32.const 1))))))
    (i32.store (i32.sub (local.get $block) (i32.const 4)) (local.get $size))
    (local.get $block))
  (func (export "free") (param $block i32)
    (if (local.get $block) (then
      (i32.store (local.get $block) (i32.load (i32.const 1028)))
      (i32.store (i32.const 1028) (local.get $block)))))`;

describe("searches", () => {
  const touch = [1024, 1028, 1032, 1036, 1040].map(
    (at) => `(i32.store (i32.const ${at}) (i32.add (i32.load (i32.const ${at})) (local.get 0)))`,
  );
  const masks = [2, 3, -8].map((mask) => `(local.set 2 (i32.and (local.get 1) (i32.const ${mask})))`);
  const free = (i: number) => `(func (export "f${i}") (param i32) (local i32 i32)
    (local.set 1 (i32.load (i32.sub (local.get 0) (i32.const 4)))) ${masks.join(" ")} ${touch.join(" ")})`;
  const malloc = (i: number) =>
    `(func (export "m${i}") (param i32) (result i32) ${touch.join(" ")} (loop $l (br $l)) (unreachable))`;
  const program = (frees: number, mallocs: number) =>
    assemble(`(module (memory (export "memory") 2)
      ${Array.from({ length: frees }, (_, i) => free(i)).join("\n")}
      ${Array.from({ length: mallocs }, (_, i) => malloc(i)).join("\n")})`);

  it("many functions that look like free", async () => {
    const error = await refusal(() => swap(program(60, 1)), "unsure");
    expect(error.message).toMatch(/^60 functions look like/);
  });

  it("many functions that look like malloc", async () => {
    const error = await refusal(() => swap(program(1, 100)), "unsure");
    expect(error.message).toMatch(/^101 functions look like/);
  });

  it("functions that do not return: given up after a while", async () => {
    const error = await refusal(() => swap(program(4, 20)), "unsure");
    expect(error.message).toMatch(/in 30 seconds/);
    expect(error.fix).toContain("option family");
  });

  it("a chain of helpers in an order that made the search quadratic, and calls of very many functions", async () => {
    const COUNT = 150_000;
    const bodies = Array.from({ length: COUNT }, (_, i) => {
      // each calls the one before it
      return i === 0 ? Uint8Array.of(0, 0x0b) : concat(Uint8Array.of(0, 0x10), encodeU32(i - 1), Uint8Array.of(0x0b));
    });
    const all = concat(Uint8Array.of(0), ...chunks(COUNT).map((part) => concat(...part)), Uint8Array.of(0x0b));
    const code = section(10, vector([...bodies, all].map((body) => concat(encodeU32(body.length), body))));
    const big = concat(
      ...[HEADER, TYPES, section(3, vector(Array<Uint8Array>(COUNT + 1).fill(Uint8Array.of(0)))), MEMORY],
      section(7, vector([concat(encodeName("all"), Uint8Array.of(0), encodeU32(COUNT))])),
      code,
    );
    expect(WebAssembly.validate(big)).toBe(true);
    await refusal(() => swap(big), "no-allocator");
    await refusal(() => link(big), "no-import");
  });
});

/** Calls of all functions below `count`, in pieces that a function call can take as arguments. */
function chunks(count: number): Uint8Array[][] {
  const calls = Array.from({ length: count }, (_, i) => concat(Uint8Array.of(0x10), encodeU32(i)));
  return Array.from({ length: Math.ceil(count / 1000) }, (_, i) => calls.slice(i * 1000, (i + 1) * 1000));
}

describe("modules of languages without malloc", () => {
  const bare = (fields: string) => assemble(`(module ${fields} (memory 1))`);
  it.each([
    ["AssemblyScript", bare('(func (export "__new") (param i32 i32) (result i32) (i32.const 8))'), /--runtime/],
    ["Go", bare('(import "gojs" "runtime.wasmExit" (func (param i32)))'), /nothing to replace/],
    ["Go", addCustomSection(bare(""), "producers", producers("language", "Go", "go1.24")).bytes, /nothing to replace/],
    ["TinyGo", addCustomSection(bare(""), "producers", producers("processed-by", "TinyGo", "0.33")).bytes, /nothing/],
    ["C# (.NET)", bare('(func (export "mono_wasm_load") (result i32) (i32.const 8))'), /nothing to replace/],
    ["Kotlin", bare('(import "js_code" "kotlin.println" (func (param i32)))'), /nothing to replace/],
    ["MoonBit", bare('(import "moonbit:ffi" "make_closure" (func (param i32)))'), /nothing to replace/],
    [
      "hand-written WebAssembly text",
      bare('(func (export "add") (param i32) (result i32) (local.get 0))'),
      /Import malloc/,
    ],
  ])("%s", async (language, program, fix) => {
    const error = await refusal(() => swap(program), "no-allocator");
    expect(error.message).toContain(`seems to come from ${language}, whose programs`);
    expect(error.fix).toMatch(fix);
    if (!language.startsWith("hand"))
      expect((await refusal(() => link(program), "no-import")).message).toContain(language);
  });

  function producers(field: string, name: string, version: string): Uint8Array {
    return vector([concat(encodeName(field), vector([concat(encodeName(name), encodeName(version))]))]);
  }
});

describe("source maps", () => {
  it.each([
    ["no JSON", "root:x:0:0:secret"],
    ["null", "null"],
    ["sources that are no texts", '{"version":3,"sources":[{"secret":1}],"mappings":""}'],
    ["texts that are none", '{"version":3,"sources":[],"sourcesContent":"secret","mappings":""}'],
    ["other letters", '{"version":3,"sources":[],"mappings":"secret!"}'],
    ["a number that does not fit", `{"version":3,"sources":[],"mappings":"${"g".repeat(100_000)}A"}`],
  ])("%s", async (_, map) => {
    const error = await refusal(() => shiftSourceMap(map, 5), "source-map");
    expect(error.message).not.toMatch(/secret|root/);
  });
});
