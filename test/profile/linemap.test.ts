/** A source map made of DWARF: it has the lines, and keeps them through a link. */
import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { sourceMapOf } from "../../src/profile/linemap.ts";
import { Symbols } from "../../src/profile/symbols.ts";
import { link } from "../../src/tools/link.ts";
import { removeCustomSections } from "../../src/wasm/edit.ts";
import { Project } from "../native/support/project.ts";
import { assemble } from "../support/assemble.ts";
import { describeWith } from "../support/describewith.ts";
import { CLANG } from "../support/needs.ts";
import { lineOf, sampledStacks } from "./support/stacks.ts";

const SOURCE = new URL("programs/ten.c", import.meta.url);

async function compiled(flags: string): Promise<Project> {
  const project = await Project.create();
  await project.write("ten.c", await readFile(SOURCE, "utf8"));
  await project.command(`clang-19 --target=wasm32 ${flags} -c ten.c -o ten.o`);
  const exported = "-Wl,--no-entry -Wl,--export=__heap_base";
  await project.command(`clang-19 --target=wasm32 -nostdlib ${exported} ten.o -o ten.wasm`);
  return project;
}

/** Lines of the ten calls of keep, in the order in which they happen. */
async function tenLines(): Promise<number[]> {
  const text = await readFile(SOURCE, "utf8");
  return [0, 1, 2, 3, 4, 8, 5, 6, 7, 9].map((site) => lineOf(text, `keep(${site}, `));
}

/** The line of the frame that called keep, for each sample; keep itself may have been inlined. */
function callers(wasm: Uint8Array, symbols: Symbols): (number | undefined)[] {
  const ten = /\/ten\.c$/;
  return sampledStacks(new Uint8Array(wasm)).map((stack) => {
    const frames = stack.flatMap((offset) => symbols.frames(offset)).filter(({ file }) => ten.test(file ?? ""));
    return frames[1]?.line;
  });
}

describeWith(CLANG, "a source map of DWARF", () => {
  it.each(["-gdwarf-4 -O0", "-gdwarf-5 -O0", "-gdwarf-4 -O2", "-gdwarf-5 -O2"])(
    "%s: finds the lines of ten calls, before and after a link",
    async (flags) => {
      const wasm = await (await compiled(flags)).read("ten.wasm");
      const map = sourceMapOf(wasm)!;
      const expected = await tenLines();
      for (const optimize of ["O0", "O3"] as const) {
        const linked = await link(wasm, { sourceMap: map, optimize });
        expect(linked.report.warnings.join()).toContain("whose lines are in its source map");
        const symbols = new Symbols(linked.wasm, { sourceMap: linked.sourceMap });
        expect(symbols.kind).toBe("source-map");
        expect(callers(linked.wasm, symbols)).toEqual(expected);
      }
    },
  );

  it("says what DWARF says, at every byte of the code", async () => {
    const wasm = await (await compiled("-g -O2")).read("ten.wasm");
    const bare = removeCustomSections(wasm, (name) => name.startsWith(".debug_")).bytes;
    const [dwarf, map] = [new Symbols(wasm), new Symbols(bare, { sourceMap: sourceMapOf(wasm) })];
    expect([dwarf.kind, map.kind]).toEqual(["dwarf", "source-map"]);
    const placesOf = (symbols: Symbols) =>
      Array.from({ length: wasm.length }, (_, offset) => {
        const { file = "", line = 0, column = 1 } = symbols.frames(offset)[0] ?? {};
        return line === 0 ? "" : `${file}:${line}:${column}`;
      });
    const places = placesOf(dwarf);
    expect(new Set(places).size).toBeGreaterThan(15);
    expect(placesOf(map)).toEqual(places);
  });

  it("of a link without one the lines are lost, and the warning says how to keep them", async () => {
    const wasm = await (await compiled("-g -O2")).read("ten.wasm");
    const { report, wasm: linked } = await link(wasm, { optimize: "O0" });
    expect(report.warnings.join()).toMatch(/DWARF.*sourceMapOf of gomalloc\/profile/);
    expect(new Symbols(linked).kind).toBe("names");
  });

  it("the command makes it for a program that has no map, and writes it beside the result", async () => {
    const project = await compiled("-g -O2");
    await project.command("npx gomalloc link ten.wasm -o out.wasm -O0");
    const wasm = await project.read("out.wasm");
    const symbols = new Symbols(wasm, { sourceMap: await project.read("out.wasm.map") });
    expect(symbols.sourceMappingURL).toBe("out.wasm.map");
    expect(callers(wasm, symbols)).toEqual(await tenLines());
    await project.command("npx gomalloc link ten.wasm -o none.wasm -O0 --no-source-map");
    await expect(project.read("none.wasm.map")).rejects.toThrow(/ENOENT/);
  });
});

it("without debug information there is none", () => {
  expect(sourceMapOf(assemble(`(module (func (export "run")))`))).toBeUndefined();
  expect(() => sourceMapOf(new Uint8Array(3))).toThrow(expect.objectContaining({ code: "not-wasm" }));
});
