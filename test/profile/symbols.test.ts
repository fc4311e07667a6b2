/**
 * Names and lines of calls, in programs by each compiler: the stack is what the engine gives, the lines are those of
 * the sources in programs/.
 */
import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import asc from "assemblyscript/asc";
import { describe, expect, it } from "vitest";
import { Symbols } from "../../src/profile/symbols.ts";
import { link } from "../../src/tools/link.ts";
import { removeCustomSections } from "../../src/wasm/edit.ts";
import { inspect } from "../../src/wasm/parse.ts";
import { Project } from "../native/support/project.ts";
import { assemble } from "../support/assemble.ts";
import { describeWith } from "../support/describewith.ts";
import { CLANG, EMCC, RUST, SYMBOLIZER } from "../support/needs.ts";
import { between, env, random } from "../support/random.ts";
import { lineOf, named, sampledStacks, shown } from "./support/stacks.ts";

const source = (name: string) => readFile(new URL(`programs/${name}`, import.meta.url), "utf8");

/** A project with a source of programs/ in it. */
async function projectWith(name: string): Promise<Project> {
  const project = await Project.create();
  await project.write(name, await source(name));
  return project;
}

/** Without a link step that optimises: clang would run the wasm-opt of PATH, which drops DWARF. */
async function clang(name: "calls.c" | "calls.cpp", flags: string, target = "wasm32") {
  const project = await projectWith(name);
  const compiler = name === "calls.c" ? "clang-19" : "clang++-19 -fno-exceptions";
  await project.command(`${compiler} --target=${target} ${flags} -c ${name} -o calls.o`);
  await project.command(`clang-19 --target=${target} -nostdlib -Wl,--no-entry calls.o -o calls.wasm`);
  return project.read("calls.wasm");
}

/** The stacks of calls.c, with the inlined functions or without. */
async function stacksOfC(inlined: boolean): Promise<string[][]> {
  const text = await source("calls.c");
  const line = (part: string) => lineOf(text, part);
  const leaf = inlined
    ? [
        `inlined:${line("  sample(n)")} inlined`,
        `twice_inlined:${line("return inlined(n + 1)")} inlined`,
        `middle:${line("twice_inlined(n);")}`,
      ]
    : [`middle:${line("  sample(n)")}`];
  const own = [`middle:${line("sample(sum)")}`];
  const [first, second] = [[`run:${line("int first")}`], [`run:${line("middle(n + 10)")}`]];
  return [
    [...leaf, ...first],
    [...own, ...first],
    [...leaf, ...second],
    [...own, ...second],
  ];
}

const stacksOf = (wasm: Uint8Array<ArrayBuffer>, symbols = new Symbols(wasm)) =>
  sampledStacks(wasm).map((stack) => named(stack, symbols));

/** Without its debug information; with `names`, without its names too. */
const stripped = (wasm: Uint8Array, names = false) =>
  new Uint8Array(removeCustomSections(wasm, (name) => name.startsWith(".debug_") || (names && name === "name")).bytes);

describeWith(CLANG, "DWARF by clang", () => {
  const versions = ["-gdwarf-2", "-gdwarf-3", "-gdwarf-4", "-gdwarf-5"];
  it.each(versions.flatMap((version) => ["-O0", "-O2"].map((level) => `${version} ${level}`)))(
    "C, %s: each call has its line, inlined calls are frames of their own",
    async (flags) => {
      const wasm = await clang("calls.c", flags);
      expect(stacksOf(wasm)).toEqual(await stacksOfC(true));
      expect(new Symbols(wasm).kind).toBe("dwarf");
    },
  );

  it.each(["-gdwarf-4 -O0", "-gdwarf-5 -O2"])("C++, %s: names have their namespaces and types", async (flags) => {
    const wasm = await clang("calls.cpp", flags);
    const text = await source("calls.cpp");
    const line = (part: string) => lineOf(text, part);
    expect(stacksOf(wasm)).toEqual([
      [
        `(anonymous namespace)::Hidden::take:${line("    sample(value)")}`,
        `shapes::Box<long long>::open:${line("hidden.take()")}`,
        `run::(anonymous class)::operator():${line("box.open()")}`,
        `run:${line("return call(n)")}`,
      ],
    ]);
    const [[take, open]] = sampledStacks(wasm) as [[number, number]];
    const [frame] = new Symbols(wasm).frames(take);
    expect(frame).toMatchObject({
      systemName: "_ZNK12_GLOBAL__N_16Hidden4takeEv",
      file: expect.stringMatching(/\/calls\.cpp$/),
      startLine: line("int take() const"),
      column: expect.any(Number),
    });
    expect(new Symbols(wasm).frames(open)[0]!.systemName).toBe("_ZNK6shapes3BoxIxE4openEv");
  });

  it.each([4, 5])("DWARF %i of two files that the linker optimises as one", async (version) => {
    const project = await Project.create();
    const outer =
      'int inner(int n);\n__attribute__((export_name("run")))\nint run(int n) {\n  return inner(n) + 1;\n}\n';
    const sample = '__attribute__((import_module("env"), import_name("sample"))) void sample(int);\n';
    await project.write("outer.c", outer);
    await project.write("inner.c", `${sample}int inner(int n) {\n  sample(n);\n  return n * 3;\n}\n`);
    for (const name of ["outer", "inner"]) {
      await project.command(`clang-19 --target=wasm32 -flto -O2 -gdwarf-${version} -c ${name}.c -o ${name}.o`);
    }
    await project.command("clang-19 --target=wasm32 -nostdlib -Wl,--no-entry outer.o inner.o -o both.wasm");
    const wasm = await project.read("both.wasm");
    // The entry of the inlined function is of the other file's unit
    expect(stacksOf(wasm)).toEqual([["inner:3 inlined", "run:4"]]);
    const [[offset]] = sampledStacks(wasm) as [[number]];
    const files = new Symbols(wasm).frames(offset).map(({ file }) => file!.split("/").at(-1));
    expect(files).toEqual(["inner.c", "outer.c"]);
  });

  it("addresses of 8 bytes, in a module for wasm64", async () => {
    const wasm = await clang("calls.c", "-gdwarf-5 -O2", "wasm64");
    const text = await source("calls.c");
    const symbols = new Symbols(wasm);
    const bytes = inspect(wasm).bodies.flatMap(({ start, end }) =>
      Array.from({ length: end - start - 1 }, (_, i) => start + 1 + i),
    );
    const found = new Set(bytes.map((offset) => symbols.frames(offset).map(shown).join(" ")));
    const calls = [
      `inlined:${lineOf(text, "  sample(n)")} inlined`,
      `twice_inlined:${lineOf(text, "return inlined(n + 1)")} inlined`,
      `middle:${lineOf(text, "twice_inlined(n);")}`,
    ];
    expect([...found]).toEqual(expect.arrayContaining([calls.join(" "), `run:${lineOf(text, "int first")}`]));
  });

  it("a debug copy gives a stripped program its names and lines", async () => {
    const wasm = await clang("calls.c", "-g -O2");
    const small = stripped(wasm, true);
    expect(small.length).toBeLessThan(wasm.length / 4);
    const without = stacksOf(small);
    expect(without[1]).toEqual(["wasm-function[2]:?", "run:?"]);
    expect(new Symbols(small).kind).toBe("numbers");
    expect(stacksOf(small, new Symbols(small, { debug: wasm }))).toEqual(await stacksOfC(true));
  });

  it("a debug copy with other code is refused: its lines would be wrong", async () => {
    const [wasm, other] = await Promise.all([clang("calls.c", "-g -O2"), clang("calls.c", "-g -O0")]);
    const refused = () => new Symbols(wasm, { debug: other });
    expect(refused).toThrow(expect.objectContaining({ code: "option", fix: expect.stringContaining("wasm-strip") }));
    expect(refused).toThrow(/other code/);
  });

  it("functions by their index, as engines without offsets name them", async () => {
    const wasm = await clang("calls.c", "-g -O2");
    const symbols = new Symbols(wasm);
    const text = await source("calls.c");
    expect(symbols.functionFrames(2)).toEqual([
      { function: "middle", file: expect.stringMatching(/\/calls\.c$/), startLine: lineOf(text, "int middle") },
    ]);
    expect(symbols.functionFrames(0)).toEqual([{ function: "sample" }]);
    expect(symbols.functionFrames(99)).toEqual([]);
  });

  it("offsets outside of all functions have no frames", async () => {
    const symbols = new Symbols(await clang("calls.c", "-g -O2"));
    expect([0, 8, 1e6, 2 ** 31 - 1].map((offset) => symbols.frames(offset))).toEqual([[], [], [], []]);
  });

  it.skipIf(SYMBOLIZER.missing !== null)("agrees with llvm-symbolizer at every byte of the code", async () => {
    const wasm = await clang("calls.cpp", "-gdwarf-5 -O2");
    const project = await Project.create();
    await project.write("calls.wasm", wasm);
    const info = inspect(wasm);
    const code = info.sections.find(({ id }) => id === 10)!.body;
    const offsets = info.bodies.flatMap(({ start, end }) =>
      Array.from({ length: end - start - 1 }, (_, i) => start + 1 + i),
    );
    const input = offsets.map((offset) => `0x${(offset - code).toString(16)}\n`).join("");
    const args = ["--obj=calls.wasm", "--output-style=JSON", "--no-demangle"];
    const { stdout } = spawnSync("/usr/bin/llvm-symbolizer-19", args, { cwd: project.folder, input, encoding: "utf8" });
    interface Answer {
      Symbol?: { FileName: string; Line: number; Column: number }[];
    }
    const theirs = stdout
      .trim()
      .split("\n")
      .map((line) => {
        const { Symbol: frames = [] } = JSON.parse(line) as Answer;
        return frames.map(({ FileName, Line, Column }) => `${FileName}:${Line}:${Column}`).join(" ");
      });
    const symbols = new Symbols(wasm);
    const place = ({ file = "", line = 0, column = 0 }) => `${file}:${line}:${column}`;
    expect(theirs.length).toBe(offsets.length);
    expect(offsets.map((offset) => symbols.frames(offset).map(place).join(" "))).toEqual(theirs);
  });

  it("damaged, it gives fewer names: no exception, no end that does not come", async () => {
    const programs = await Promise.all([
      clang("calls.cpp", "-gdwarf-5 -O2"),
      clang("calls.c", "-gdwarf-4 -O2"),
      clang("calls.c", "-gdwarf-5 -O0"),
    ]);
    const r = random(env("DWARF_SEED", 1));
    let lost = 0;
    for (let round = 0; round < env("DWARF_DAMAGES", 1500); round++) {
      const wasm = programs[round % programs.length]!.slice();
      const info = inspect(wasm);
      const sections = info.sections.filter(({ name }) => name?.startsWith(".debug_"));
      const { body, end } = sections[between(r, 0, sections.length - 1)]!;
      for (let i = between(r, 1, 6); i > 0 && end > body; i--) {
        wasm[between(r, body, end - 1)] = r() & 1 ? r() : r() & 1 ? 0xff : 0;
      }
      const symbols = new Symbols(wasm);
      for (const { start, end: stop } of info.bodies) {
        for (const offset of [start + 1, (start + stop) >> 1, stop - 1]) {
          const frames = symbols.frames(offset);
          expect(frames.length).toBeGreaterThan(0);
          for (const frame of frames)
            if (typeof frame.function !== "string" || frame.function === "") throw new Error(`seed ${round}`);
          if (frames[0]!.line === undefined) lost++;
        }
      }
    }
    expect(lost).toBeGreaterThan(0);
  });
});

describeWith(RUST, "DWARF by rustc", () => {
  it.each([0, 2])("level %i: generic functions, methods of traits, closures", async (level) => {
    const project = await projectWith("calls.rs");
    await project.command(`rustc --target wasm32-wasi -g -C opt-level=${level} calls.rs -o calls.wasm`);
    const wasm = await project.read("calls.wasm");
    const text = await source("calls.rs");
    const line = (part: string) => lineOf(text, part);
    const inlined = level === 0 ? "" : " inlined";
    expect(stacksOf(wasm).map((stack) => stack.filter((frame) => !frame.endsWith(":?")))).toEqual([
      [
        `<calls::Square as calls::Shape>::area:${line("unsafe")}`,
        `calls::measure::{closure#0}<calls::Square>:${line("let twice")}${inlined}`,
        `calls::measure<calls::Square>:${line("twice(1)")}`,
        `calls::run:${line("measure(&Square(n))")}`,
      ],
    ]);
  });
});

describeWith(EMCC, "emscripten", () => {
  const FLAGS = "--no-entry -sERROR_ON_UNDEFINED_SYMBOLS=0 -sSTANDALONE_WASM";
  it("-gsource-map: each call has its line", async () => {
    const project = await projectWith("calls.c");
    await project.command(`emcc -O0 -gsource-map ${FLAGS} calls.c -o calls.wasm`);
    const wasm = await project.read("calls.wasm");
    const symbols = new Symbols(wasm, { sourceMap: await project.read("calls.wasm.map") });
    expect(symbols.kind).toBe("source-map");
    expect(symbols.sourceMappingURL).toMatch(/calls\.wasm\.map$/);
    expect(stacksOf(wasm, symbols)).toEqual(await stacksOfC(false));
  });

  it.each(["-O1", "-O3"])("-g at %s: DWARF through emscripten's link", async (level) => {
    const project = await projectWith("calls.c");
    await project.command(`emcc ${level} -g ${FLAGS} calls.c -o calls.wasm`);
    expect(stacksOf(await project.read("calls.wasm"))).toEqual(await stacksOfC(true));
  });
});

const SQUARES = `@external("env", "sample")
declare function sample(n: i32): void;
@external("gomalloc", "malloc")
declare function malloc(size: usize): usize;

class Square {
  constructor(public side: i32) {}
  area(): i32 {
    sample(this.side);
    return this.side * this.side;
  }
}

function measure(square: Square): i32 {
  return square.area() + 1;
}

export function run(n: i32): i32 {
  return measure(new Square(n));
}

export function grab(size: usize): usize {
  return malloc(size);
}
`;

async function assemblyScript(level: number) {
  const files: Record<string, string | Uint8Array> = {};
  const flags = ["--runtime", "stub", "--debug", "--sourceMap", "--optimizeLevel", String(level)];
  const { error, stderr } = await asc.main(["app.ts", "-o", "app.wasm", ...flags], {
    readFile: (name) => (name === "app.ts" ? SQUARES : null),
    writeFile: (name, contents) => {
      files[name] = typeof contents === "string" ? contents : contents.slice();
    },
    listFiles: () => [],
  });
  if (error) throw new Error(stderr.toString());
  return { wasm: new Uint8Array(files["app.wasm"] as Uint8Array), map: files["app.wasm.map"] as string };
}

describe("AssemblyScript", () => {
  const line = (part: string) => lineOf(SQUARES, part);
  const [area, call, run] = [line("sample(this.side)"), line("square.area()"), line("measure(new")];

  it("--sourceMap: each call has its line", async () => {
    const { wasm, map } = await assemblyScript(0);
    const stacks = stacksOf(wasm, new Symbols(wasm, { sourceMap: map }));
    expect(stacks).toEqual([[`app/Square#area:${area}`, `app/measure:${call}`, `app/run:${run}`]]);
  });

  it("through gomalloc link, which carries the map: the program's lines hold", async () => {
    const { wasm, map } = await assemblyScript(0);
    const linked = await link(wasm, { sourceMap: map, optimize: "O0" });
    const stacks = stacksOf(new Uint8Array(linked.wasm), new Symbols(linked.wasm, { sourceMap: linked.sourceMap }));
    expect(stacks).toEqual([[`app/Square#area:${area}`, `app/measure:${call}`, `app/run:${run}`]]);
  });
});

describe("names", () => {
  const module = (text: string) => assemble(`(module (import "env" "sample" (func $sample)) ${text})`);

  it("exports name functions that have no name", () => {
    const wasm = stripped(module(`(func (export "run") (call $sample))`), true);
    const [[offset]] = sampledStacks(new Uint8Array(wasm)) as [[number]];
    const symbols = new Symbols(wasm);
    expect(symbols.frames(offset)).toEqual([{ function: "run" }]);
    expect(symbols.buildId).toBeUndefined();
  });

  it("the build id and the names of files beside the program", () => {
    const section = (name: string, payload: number[]) => {
      const contents = [name.length, ...Buffer.from(name), ...payload];
      return [0, contents.length, ...contents];
    };
    const wasm = module(`(func (export "run") (call $sample))`);
    const with_ = Uint8Array.from([
      ...wasm,
      ...section("build_id", [3, 0xab, 0x01, 0xff]),
      ...section("external_debug_info", [6, ...Buffer.from("x.wasm")]),
    ]);
    const symbols = new Symbols(with_);
    expect([symbols.buildId, symbols.debugFile]).toEqual(["ab01ff", "x.wasm"]);
    const cut = new Symbols(Uint8Array.from([...wasm, ...section("build_id", [30, 1])]));
    expect(cut.buildId).toBeUndefined();
  });

  it("bytes that are no module are refused with what they are", () => {
    expect(() => new Symbols(Buffer.from("<!doctype html>"))).toThrow(expect.objectContaining({ code: "not-wasm" }));
    const wasm = module(`(func (export "run") (call $sample))`);
    expect(() => new Symbols(wasm, { sourceMap: "{}" })).toThrow(expect.objectContaining({ code: "source-map" }));
  });
});
