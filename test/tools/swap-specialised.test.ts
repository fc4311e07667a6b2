/**
 * gomalloc swap on programs whose optimiser made a member of the family take fewer arguments than it has in C, or
 * inlined it into its only caller: the function must not be taken for another member. A program is refused, or does its
 * work as before.
 */
import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { runBinaryen } from "../../src/tools/binaryen.ts";
import { swap } from "../../src/tools/swap/swap.ts";
import { ToolError } from "../../src/wasm/errors.ts";
import { inspect } from "../../src/wasm/parse.ts";
import { Project } from "../native/support/project.ts";
import { describeWith } from "../support/describewith.ts";
import { CLANG } from "../support/needs.ts";
import { clang } from "./support/programs.ts";

const KINDS = ["CALLOC", "CALLOC_ONE", "REALLOC", "REALLOCARRAY", "ALIGNED", "POSIX", "FREE", "HEADER"] as const;
const NAMELESS = ["-O3", "--strip-debug", "--strip-producers"];

const source = () => readFile(new URL("programs/specialised.c", import.meta.url), "utf8");

async function optimise(program: Uint8Array, args: readonly string[]): Promise<Uint8Array<ArrayBuffer>> {
  const all = ["in.wasm", "-o", "out.wasm", ...args];
  return (await runBinaryen("wasm-opt", all, { "in.wasm": program }, ["out.wasm"]))["out.wasm"];
}

function check(wasm: Uint8Array<ArrayBuffer>): number[] {
  const system = new Proxy({}, { get: () => () => 0 });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm), { wasi_snapshot_preview1: system });
  const program = exports as { check(n: number): number; _initialize?(): void };
  program._initialize?.();
  return [8, 25, 1000, 40_000].map((n) => program.check(n));
}

const RIGHT = [0, 0, 0, 0];

/** Swaps and runs the program; the error's code when it is refused. */
async function outcome(program: Uint8Array<ArrayBuffer>): Promise<{ refused?: string; result?: number[] }> {
  expect(check(program)).toEqual(RIGHT);
  try {
    const { wasm } = await swap(program);
    return { result: check(wasm) };
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    return { refused: error.code };
  }
}

async function expectSound(program: Uint8Array<ArrayBuffer>): Promise<void> {
  const { refused, result } = await outcome(program);
  if (refused === undefined) expect(result).toEqual(RIGHT);
  else expect(["no-allocator", "incomplete-family", "inlined-allocator", "unsure"]).toContain(refused);
}

describe("a member that was specialised", () => {
  it.each(KINDS)("%s: is no other member", async (kind) => {
    const program = await clang({ "specialised.c": await source() }, ["-O2", "-mexec-model=reactor", `-DKIND=${kind}`]);
    await expectSound(await optimise(program, NAMELESS));
    await expectSound(await optimise(program, ["-O3", "-g"]));
  });
});

describeWith(CLANG, "Debian's clang, which runs wasm-opt itself", () => {
  it("makes a calloc of one parameter, which is no malloc", async () => {
    const project = await Project.create();
    await project.write("specialised.c", await source());
    const flags = "--target=wasm32-wasi -mexec-model=reactor -O2 -DKIND=CALLOC -Wl,--strip-all";
    await project.command(`clang-19 ${flags} specialised.c -o app.wasm`);
    const program = await project.read("app.wasm");
    expect(inspect(program).named).toBe(false);
    await expectSound(program);
  });
});
