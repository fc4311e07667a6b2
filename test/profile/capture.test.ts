/** Stacks as numbers: byte offsets of the program's frames, texts of the others. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { ROOT } from "../../scripts/build-tools.ts";
import { Capturer, type NumberedText } from "../../src/profile/capture.ts";
import { FIRST_TEXT, frameText, isText, parseFrameText, textNumber } from "../../src/profile/text.ts";
import { assemble } from "../support/assemble.ts";

/** down(n): n more calls of itself, then the import sample; out(n): the import js. */
const PROGRAM = `(module
  (import "env" "sample" (func $sample))
  (import "env" "js" (func $js (param i32)))
  (func $down (export "down") (param i32)
    local.get 0
    if
      local.get 0
      i32.const 1
      i32.sub
      call $down
    else
      call $sample
    end)
  (func $out (export "out") (param i32)
    local.get 0
    call $js))`;

/** Offsets in the file of the calls: of the import that samples, of itself, of the other import. */
function callsOf(bytes: Uint8Array) {
  const find = (index: number) => bytes.findIndex((byte, i) => i > 8 && byte === 0x10 && bytes[i + 1] === index);
  return { sample: find(0), down: find(2), out: find(1) };
}

interface Exports {
  down(n: number): void;
  out(n: number): void;
}

function program(capturer: Capturer, max = 64) {
  const bytes = assemble(PROGRAM);
  const stacks: number[][] = [];
  const texts = new Map<number, string>();
  const out = new Uint32Array(64);
  const imports = {
    sample: () => {
      stacks.push([...out.subarray(0, capturer.capture(out, max))]);
      for (const [number, text] of capturer.takeTexts()) texts.set(number, text);
    },
    js: (n: number) =>
      [n].forEach(function each(m) {
        exports.down(m);
      }),
  };
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: imports });
  const exports = instance.exports as unknown as Exports;
  return { exports, stacks, texts, calls: callsOf(bytes), imports };
}

describe("in this engine", () => {
  it("frames of the program are the offsets of its calls; those in front of it are left out", () => {
    const { exports, stacks, texts, calls } = program(new Capturer());
    exports.down(3);
    expect(stacks[0]!.slice(0, 4)).toEqual([calls.sample, calls.down, calls.down, calls.down]);
    expect(stacks[0]!.length).toBeGreaterThan(4);
    expect(stacks[0]!.slice(4).every(isText)).toBe(true);
    expect(texts.get(stacks[0]![4]!)).toContain("capture.test.ts");
    expect([...texts.values()].filter((text) => text.startsWith("sample"))).toEqual([]);
  });

  it("JavaScript between frames of wasm stays in its place, functions of the engine too", () => {
    const { exports, stacks, texts, calls } = program(new Capturer());
    exports.out(1);
    const [first, second, each, builtin, js, out] = stacks[0]!;
    expect([first, second, out]).toEqual([calls.sample, calls.down, calls.out]);
    const frames = [each, builtin, js].map((number) => parseFrameText(texts.get(number!)!));
    expect(frames.map((frame) => frame.function)).toEqual(["each", "Array.forEach", expect.stringMatching(/js$/)]);
    expect(frames[0]).toMatchObject({ file: expect.stringContaining("capture.test.ts"), line: expect.any(Number) });
    expect(frames[1]).toEqual({ function: "Array.forEach" });
  });

  it("a text is told once, and has the same number in every capturer", () => {
    const capturer = new Capturer();
    const { exports, stacks, texts } = program(capturer);
    const twice = () => [1, 2].forEach(() => void exports.out(0));
    twice();
    const known = new Map(texts);
    texts.clear();
    expect(stacks[1]).toEqual(stacks[0]);
    expect(texts.size).toBe(0);
    const other = program(new Capturer());
    other.exports.out(0);
    const shared = [...other.texts].filter(([number]) => known.has(number));
    expect(shared.length).toBeGreaterThan(2);
    for (const [number, text] of shared) expect(known.get(number)).toBe(text);
  });

  it("the leaf's side of a stack that is deeper than asked for", () => {
    const { exports, stacks, calls } = program(new Capturer(), 3);
    exports.down(30);
    expect(stacks[0]).toEqual([calls.sample, calls.down, calls.down]);
  });

  it("a deep stack is not cut at the engine's usual ten", () => {
    const { exports, stacks, calls } = program(new Capturer());
    exports.down(40);
    expect(stacks[0]!.slice(0, 41)).toEqual([calls.sample, ...new Array<number>(40).fill(calls.down)]);
  });

  it("frames of another module are texts with its URL and the offset", () => {
    const capturer = new Capturer();
    const inner = program(capturer);
    const bytes = assemble(`(module (import "e" "down" (func $down (param i32)))
      (func $other (export "other") i32.const 0 call $down))`);
    const outer = new WebAssembly.Instance(new WebAssembly.Module(bytes), { e: { down: inner.exports.down } });
    (outer.exports["other"] as () => void)();
    const [leaf, text] = inner.stacks[0]!;
    expect(leaf).toBe(inner.calls.sample);
    const at = bytes.findIndex((byte, i) => i > 8 && byte === 0x10 && bytes[i + 1] === 0);
    expect(inner.texts.get(text!)).toMatch(
      new RegExp(`^(other|wasm-function\\[1\\])\\twasm://wasm/[0-9a-f]+\\t\\t0x${at.toString(16)}$`),
    );
  });

  it("scripts of this package that called the program are left out, elsewhere not", () => {
    const { exports, stacks, texts } = program(new Capturer((url) => url.includes("capture.test.ts")));
    exports.out(0);
    const names = stacks[0]!.filter(isText).map((number) => parseFrameText(texts.get(number)!));
    // forEach and all behind it are not of the package
    expect(names[0]).toEqual({ function: "Array.forEach" });
    expect(names.filter(({ file }) => file?.includes("capture.test.ts")).length).toBeGreaterThan(0);
  });

  it("Node's own scripts are left out", async () => {
    const { exports, texts } = program(new Capturer());
    await new Promise<void>((resolve) => {
      setTimeout(() => {
        exports.down(0);
        resolve();
      }, 0);
    });
    const files = [...texts.values()].map((text) => parseFrameText(text).file ?? "");
    expect(files.some((file) => file.includes("capture.test.ts"))).toBe(true);
    expect(files.filter((file) => file.startsWith("node:internal/"))).toEqual([]);
  });

  it("without any frame of wasm there is no stack", () => {
    expect(new Capturer().capture(new Uint32Array(8), 8)).toBe(0);
  });

  it("at the end of the program's stack it gives none, and throws nothing", () => {
    const { exports, stacks } = program(new Capturer());
    let left = 0;
    const deeper = (): void => {
      left++;
      try {
        deeper();
      } catch {
        // As deep as it goes: the call of wasm itself may fail, the capture may not
        try {
          exports.down(0);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }
    };
    deeper();
    expect(left).toBeGreaterThan(100);
    for (const stack of stacks) expect(stack.every((frame) => frame > 0)).toBe(true);
  });
});

/** Runs `code` in a Node of its own, behind the lines that make `stacks`, `calls`, `exports` and `texts`. */
function inNode(before: string, code: string): unknown {
  const bytes = assemble(PROGRAM);
  const capture = pathToFileURL(join(ROOT, "dist", "profile", "capture.js")).href;
  const script = `
    const { Capturer } = await import(${JSON.stringify(capture)});
    ${before}
    const capturer = new Capturer(), out = new Uint32Array(64), stacks = [], texts = [];
    const sample = () => { stacks.push([...out.subarray(0, capturer.capture(out, 64))]); texts.push(...capturer.takeTexts()); };
    const bytes = Uint8Array.from(${JSON.stringify([...bytes])});
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { sample, js: (n) => exports.down(n) } });
    ${code}
    console.log(JSON.stringify({ stacks, texts, rest }));`;
  const stdout = execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  return JSON.parse(stdout);
}

describe("with what a page has made of Error", () => {
  const calls = callsOf(assemble(PROGRAM));
  interface Result {
    stacks: number[][];
    texts: NumberedText[];
    rest: unknown;
  }

  it("a hook of its own is put back, and is not called", () => {
    const { stacks, rest } = inNode(
      `let called = 0; const own = () => { called++; return "own"; }; Error.prepareStackTrace = own; Error.stackTraceLimit = 3;`,
      `exports.down(20); const rest = [called, Error.prepareStackTrace === own, Error.stackTraceLimit, new Error().stack];`,
    ) as Result;
    expect(stacks[0]!.slice(0, 21)).toEqual([calls.sample, ...new Array<number>(20).fill(calls.down)]);
    expect(rest).toEqual([0, true, 3, "own"]);
  });

  it("frozen, the text of the stack serves, as deep as it is", () => {
    const { stacks, texts } = inNode(`Object.freeze(Error);`, `exports.out(2); const rest = 0;`) as Result;
    expect(stacks[0]!.slice(0, 3)).toEqual([calls.sample, calls.down, calls.down]);
    expect(stacks[0]![4]).toBe(calls.out);
    expect(parseFrameText(texts.find(([number]) => number === stacks[0]![3])![1]).function).toMatch(/js$/);
  });

  it("frozen with a hook that hands on the call sites, these serve", () => {
    const { stacks } = inNode(
      `Error.prepareStackTrace = (_, sites) => sites; Object.freeze(Error);`,
      `exports.down(2); const rest = 0;`,
    ) as Result;
    expect(stacks[0]!.slice(0, 3)).toEqual([calls.sample, calls.down, calls.down]);
  });

  it("frozen with a hook that makes something else, there is no stack", () => {
    const { stacks } = inNode(
      `Error.prepareStackTrace = () => 7; Object.freeze(Error);`,
      `exports.down(2); const rest = 0;`,
    ) as Result;
    expect(stacks).toEqual([[]]);
  });

  it("without captureStackTrace, as in other engines, the text serves", () => {
    const { stacks, texts, rest } = inNode(
      `delete Error.captureStackTrace; const format = (e, sites) => sites.map((s) => {
         const wasm = /([^ (]*):wasm-function\\[(\\d+)\\]/.exec(String(s));
         return wasm ? "<?>.wasm-function[" + wasm[2] + "]@[wasm code]" : s.getFunctionName() + "@" + s.getFileName() + ":1:2";
       }).join("\\n"); Error.prepareStackTrace = format;`,
      `exports.out(1); const rest = Error.prepareStackTrace === format;`,
    ) as Result;
    expect(rest).toBe(true);
    const named = stacks[0]!.map((number) => texts.find((one) => one[0] === number)?.[1].split("\t"));
    expect(named.slice(0, 3)).toEqual([
      ["wasm-function[2]", "", "", "#2"],
      ["wasm-function[2]", "", "", "#2"],
      ["js", expect.stringMatching(/\[eval1\]$/), "1", "2"],
    ]);
    expect(named[3]).toEqual(["wasm-function[3]", "", "", "#3"]);
  });
});

describe("texts", () => {
  it("have numbers from 2^31 on that depend on the text alone", () => {
    const number = textNumber(frameText("f", "a.js", 1, 2));
    expect(number).toBeGreaterThanOrEqual(FIRST_TEXT);
    expect(number).toBeLessThan(2 ** 32);
    expect(textNumber("f\ta.js\t1\t2")).toBe(number);
    const numbers = new Set(Array.from({ length: 2000 }, (_, i) => textNumber(frameText("f", "a.js", i, 1))));
    expect(numbers.size).toBe(2000);
  });

  it("are read back; tabs are no part of them, and long ones lose their middle", () => {
    expect(parseFrameText(frameText("f", "a.js", 3, 4))).toEqual({ function: "f", file: "a.js", line: 3, column: 4 });
    expect(parseFrameText(frameText("a\tb\nc", "", "", ""))).toEqual({ function: "a b c" });
    expect(parseFrameText(frameText("", "x.wasm", "", "0x12"))).toEqual({ function: "(anonymous)", file: "x.wasm" });
    const long = `data:text/javascript,${"x".repeat(100_000)}end`;
    const { file } = parseFrameText(frameText("f", long, 1, 1));
    expect(file).toMatch(/^data:text\/javascript,x+\.\.\.x+end$/);
    expect(file!.length).toBeLessThanOrEqual(512);
    expect(parseFrameText("")).toEqual({ function: "(anonymous)" });
  });
});
