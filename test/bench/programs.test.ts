/**
 * Real programs with gomalloc in place of their libc's malloc: the same output, and no other allocator left.
 *
 * Sources come from npm and from Debian by apt. Where they cannot be had, a program is skipped with the reason in the
 * test's name. Cold, that is with everything to fetch and to compile, this takes a minute or two; with build/ kept,
 * seconds.
 */
import { describe, expect, it } from "vitest";
import { Unavailable } from "../../bench/lib/build/sources.ts";
import { ALLOCATORS, OURS, REFERENCE } from "../../bench/programs/lib/allocators.ts";
import { PROGRAMS, type Program, unitsOf } from "../../bench/programs/lib/catalog.ts";
import { measure } from "../../bench/programs/lib/measure.ts";
import { LONG } from "../support/long.ts";

/** Those that compile within half a minute, the smallest alone without GOMALLOC_LONG=1: the benchmark has more. */
const CHOSEN = LONG ? ["tree-sitter", "lua", "zlib"] : ["zlib"];

/** Why a program cannot be built here, if so. */
async function obstacle(program: Program): Promise<string | undefined> {
  try {
    await unitsOf(program);
    return undefined;
  } catch (error) {
    if (error instanceof Unavailable) return `${error.what}: ${error.message}`;
    throw error;
  }
}

/** The names of the functions in a module. */
function functionNames(bytes: Uint8Array<ArrayBuffer>): string {
  const [names] = WebAssembly.Module.customSections(new WebAssembly.Module(bytes), "name");
  return names ? Buffer.from(names).toString("latin1") : "";
}

const allocator = (name: string) => ALLOCATORS.find((entry) => entry.name === name)!;

describe("real programs", async () => {
  for (const name of CHOSEN) {
    const program = PROGRAMS.find((entry) => entry.name === name)!;
    const reason = await obstacle(program);
    it.skipIf(reason)(
      `${program.about} writes the same with gomalloc${reason ? ` (skipped: ${reason})` : ""}`,
      async () => {
        const stock = await allocator(REFERENCE).build(program);
        const ours = await allocator(OURS).build(program);
        expect(functionNames(stock)).toContain("dlmalloc");
        expect(functionNames(ours)).not.toContain("dlmalloc");
        expect(functionNames(ours)).toContain("assembly/alloc/");
        // Only what the program itself exports and imports: the heap is inside.
        const outside = (bytes: Uint8Array<ArrayBuffer>) => {
          const module = new WebAssembly.Module(bytes);
          const entries = [...WebAssembly.Module.imports(module), ...WebAssembly.Module.exports(module)];
          return entries.map((entry) => `${entry.kind} ${entry.name}`).sort();
        };
        expect(outside(ours)).toEqual(outside(stock));

        const contenders = [
          { allocator: REFERENCE, reference: REFERENCE, module: new WebAssembly.Module(stock) },
          { allocator: OURS, reference: REFERENCE, module: new WebAssembly.Module(ours) },
        ];
        for (const workload of program.workloads) {
          // Throws when a run fails or the outputs differ.
          const row = await measure(program, workload, contenders, { scale: "quick", rounds: 1, progress: () => {} });
          expect(row.cells[OURS]!.peak).toBeGreaterThan(0);
          expect(row.bytes, `${workload.name} wrote nothing`).toBeGreaterThan(0);
        }
      },
    );
  }
});
