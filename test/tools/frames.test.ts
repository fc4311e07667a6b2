/** The misuse hook and the shim's address inside the wrappers that wasm-ld puts around a command's exports. */
import binaryen from "binaryen";
import { describe, expect, it } from "vitest";
import { link } from "../../src/tools/link.ts";
import { swap } from "../../src/tools/swap/swap.ts";
import { assemble, COMMON, clang, familyOf, instantiate, programText } from "./support/programs.ts";

const LOG = '(import "host" "log" (func $log (param i32)))';
const MISUSED = '(import "host" "misused" (func $misused (param i32 i32)))';
const CONSTRUCTORS = "(func $__wasm_call_ctors (call $log (i32.const 1)) (call $log (i32.const 11)))";
const DESTRUCTORS = "(func $__wasm_call_dtors (call $log (i32.const 2)) (call $log (i32.const 22)))";
const INNER = "(func $hook (param i32 i32) (call $misused (local.get 0) (local.get 1)))";
const INLINED = "(call $misused (local.get 0) (local.get 1))";
const HOOK = '(func (export "gomalloc_on_misuse") (param i32 i32)';
const RUN = '(func (export "_start") (call $__wasm_call_ctors) (call $log (i32.const 9)) (call $__wasm_call_dtors))';
const PLAIN = "(call $hook (local.get 0) (local.get 1))";

/** What a double free makes the program do: the numbers that it logs, and "misuse". */
async function misuse(rest: string, names: boolean, family = ["malloc", "free"] as const): Promise<unknown[]> {
  const text = programText({ family: [...family], imports: `${LOG} ${MISUSED}`, rest });
  // Only what the text has in `rest` is exported, so that the exports are those of a command.
  const program = assemble(text.replaceAll(/\(export "do_(malloc|free)"\)/g, ""), names);
  const { wasm, report } = await link(program, { optimize: "O1", exportFamily: true });
  expect(report.misuse).toBe("hook");
  const seen: unknown[] = [];
  const log = (n: number) => seen.push(n);
  const { exports } = instantiate(wasm, { host: { log, misused: () => seen.push("misuse") } });
  const { malloc, free } = familyOf(exports, "");
  const p = malloc(40);
  free(p);
  free(p);
  return seen;
}

describe("the misuse hook", () => {
  const both = [CONSTRUCTORS, DESTRUCTORS];
  const cases: [string, string[], readonly boolean[]][] = [
    [
      "a wrapper with both calls",
      [...both, INNER, `${HOOK} (call $__wasm_call_ctors) ${PLAIN} (call $__wasm_call_dtors))`],
      [true, false],
    ],
    [
      "an inlined one beside _start",
      [
        ...both,
        RUN,
        `${HOOK} (call $__wasm_call_ctors) ${INLINED} (call $log (i32.const 3)) (call $__wasm_call_dtors))`,
      ],
      [true, false],
    ],
    ["one with constructors only", [...both, RUN, INNER, `${HOOK} (call $__wasm_call_ctors) ${PLAIN})`], [true, false]],
    [
      "one with destructors only",
      [
        DESTRUCTORS,
        INNER,
        '(func (export "_start") (call $log (i32.const 9)) (call $__wasm_call_dtors))',
        `${HOOK} ${PLAIN} (call $__wasm_call_dtors))`,
      ],
      [true, false],
    ],
    [
      "one with locals",
      [
        ...both,
        RUN,
        `${HOOK} (local $a i64) (local $b i32) (call $__wasm_call_ctors) ${INLINED} (call $__wasm_call_dtors))`,
      ],
      [true, false],
    ],
  ];
  for (const [what, parts, named] of cases) {
    for (const names of named) {
      it(`runs neither constructors nor destructors: ${what}, ${names ? "with names" : "without"}`, async () => {
        const seen = await misuse(parts.join("\n"), names);
        expect(seen[0]).toBe("misuse");
        expect(seen.filter((one) => one !== 3)).toEqual(["misuse"]);
      });
    }
  }

  it("leaves the program's own calls around a report alone", async () => {
    const own = `(func $begin (call $log (i32.const 1))) (func $end (call $log (i32.const 2))) ${INNER}
      ${HOOK} (call $begin) ${PLAIN} (call $end))`;
    expect(await misuse(own, true)).toEqual([1, "misuse", 2]);
    const alone = `(func $begin (call $log (i32.const 1))) ${HOOK} (call $begin) ${INLINED})
      (func (export "run") (call $log (i32.const 9)))`;
    expect(await misuse(alone, false)).toEqual([1, "misuse"]);
  });

  it("is called without its wrapper in a swapped program, too", async () => {
    const source = `#include <stdlib.h>
__attribute__((import_module("host"), import_name("log"))) void log_number(int n);
__attribute__((export_name("gomalloc_on_misuse"))) void hook(int kind, void *p) { log_number(kind); }
__attribute__((noinline)) void __wasm_call_dtors(void) { log_number(200); log_number(201); }
__attribute__((constructor)) static void first(void) { log_number(100); }
__attribute__((constructor)) static void second(void) { log_number(101); }
__attribute__((export_name("run"))) void run(void) {
  void *volatile p = malloc(40);
  free(p);
  free(p);
}
`;
    const flags = ["-O2", "-nostartfiles", "-fno-builtin", "-Wl,--no-entry,--export=malloc,--export=free"];
    const { wasm, report } = await swap(await clang({ "a.c": source }, flags), { optimize: "O1" });
    expect(report.link.misuse).toBe("hook");
    const seen: number[] = [];
    const { run } = instantiate(wasm, { host: { log: (n: number) => seen.push(n) } }).exports;
    (run as () => void)();
    expect(seen).toEqual([100, 101, 1, 200, 201]);
  });
});

it("reads the heap's base out of the shim's function inside a wrapper", async () => {
  const memory = '(import "env" "memory" (memory $memory 2 64 shared))';
  const parts = [
    ["(func $inner (result i32) (i32.const 2048))", "(call $inner)"],
    ["", "(i32.const 2048)"],
  ] as const;
  for (const [inner, call] of parts) {
    const rest = `${CONSTRUCTORS} ${DESTRUCTORS} ${RUN} ${inner}
      (func (export "gomalloc_heap_base") (result i32) (call $__wasm_call_ctors) ${call} (call $__wasm_call_dtors))`;
    const text = programText({ family: ["malloc", "free"], imports: `${LOG} ${memory}`, memory: "", rest });
    const bare = text
      .replaceAll(/\(export "do_(malloc|free)"\)/g, "")
      .replace(/\(global \(export "__heap_base".*\n/, "");

    for (const names of [true, false]) {
      const { report } = await link(assemble(bare, names, COMMON | binaryen.Features.Atomics), { optimize: "O0" });
      expect([report.heapBase, report.heapBaseFrom]).toEqual([2048, "shim"]);
    }
  }
});
