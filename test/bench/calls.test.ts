/**
 * The two ways in which driver and allocator are joined: called, every call of the malloc family is a call; inlined, the
 * same settings run over both together.
 */
import binaryen from "binaryen";
import { describe, expect, it } from "vitest";
import { ALLOCATORS, benchModule, floorModules } from "../../bench/lib/catalog.ts";

const FAMILY = ["malloc", "free", "calloc", "realloc", "aligned_alloc"];

/** The calls of the malloc family in the function that a module exports as `name`. */
function callsIn(bytes: Uint8Array, name: string): string[] {
  const module = binaryen.readBinary(bytes);
  try {
    const functionOf = (exported: string) => {
      const found = module.getExport(exported);
      return found ? binaryen.getExportInfo(found).value : undefined;
    };
    const body = binaryen.emitText(binaryen.getFunctionInfo(module.getFunction(functionOf(name)!)).body);
    const called = [...body.matchAll(/\(call \$(\S+)/g)].map((match) => match[1]);
    return FAMILY.flatMap((entry) => called.filter((target) => target === functionOf(entry)).map(() => entry));
  } finally {
    module.dispose();
  }
}

/** One of ours, one in C and one whose free does nothing: what could be inlined is there. */
describe.each(ALLOCATORS.filter(({ name }) => ["gomalloc", "dlmalloc", "bump"].includes(name)))(
  "$name",
  (allocator) => {
    it("is called for each event of a trace, and for nothing else", async () => {
      const called = (await benchModule(allocator, "timed", "called"))!;
      expect(callsIn(called, "replay")).toEqual(FAMILY);
      expect(callsIn(called, "pairs64")).toEqual(["malloc", "free"]);
      expect(callsIn(called, "doubling")).toEqual(["malloc", "free", "realloc"]);
    });

    it("exports nothing of the family where calls are inlined", async () => {
      const inlined = new WebAssembly.Module((await benchModule(allocator, "timed", "inlined"))!);
      const names = WebAssembly.Module.exports(inlined).map(({ name }) => name);
      expect(names).toContain("replay");
      for (const name of FAMILY) expect(names).not.toContain(name);
    });
  },
);

it("calls what writes the driver's answers down too", async () => {
  expect(callsIn((await floorModules("called")).recorder, "replay")).toEqual(FAMILY);
});
