/**
 * gomalloc swap on modules that npm packages ship: each package's own API does real work over the module as shipped and
 * over the swapped one, and what comes out must be the same to the byte.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freesLikeDlmalloc } from "../../src/tools/swap/headers.ts";
import { Program } from "../../src/tools/swap/program.ts";
import { type SwapResult, swap } from "../../src/tools/swap/swap.ts";
import { inspect } from "../../src/wasm/parse.ts";
import { drive, type PackageName, WASM } from "./support/swap/packages.ts";

const PAGE = 65536;

interface Expected {
  /** Roles that must be found, with how. */
  readonly members: Record<string, string>;
  readonly heapBase: number;
}

/** Seen in the packages' releases that package-lock.json pins; another release may well differ. */
const EXPECTED: Record<PackageName, Expected> = {
  oniguruma: {
    members: { malloc: "export", free: "export", realloc: "behaviour", calloc: "behaviour" },
    heapBase: 382_544,
  },
  sqlite: { members: { malloc: "export", free: "export", realloc: "export" }, heapBase: 656_320 },
  quickjs: { members: { malloc: "behaviour", free: "behaviour", realloc: "behaviour" }, heapBase: 5_333_088 },
};

describe.each(Object.keys(WASM) as PackageName[])("%s", (name) => {
  let folder: string;
  let original: Uint8Array<ArrayBuffer>;
  let swapped: SwapResult;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "gomalloc-swap-"));
    original = new Uint8Array(await readFile(WASM[name]));
    swapped = await swap(original);
    await writeFile(join(folder, "swapped.wasm"), swapped.wasm);
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  it("finds the family and the heap's base", () => {
    const { members, heapBase, kind } = swapped.report;
    expect(kind).toBe("dlmalloc");
    expect(Object.fromEntries(members.map(({ role, by }) => [role, by]))).toEqual(EXPECTED[name].members);
    expect(heapBase).toBe(EXPECTED[name].heapBase);
    expect(swapped.report.heapBaseFrom).toBe("break");
    expect(swapped.report.link.growth).toBe("emscripten");
  });

  it("leaves nothing of the old allocator, and every import and export as it was", () => {
    const [before, after] = [inspect(original), inspect(swapped.wasm)];
    const shape = (info: typeof before) => info.exports.map((one) => `${one.kind} ${one.name}`).sort();
    expect(shape(after)).toEqual(shape(before));
    const known = new Set(before.imports.map((one) => `${one.kind} ${one.module}.${one.name}`));
    for (const one of after.imports) expect(known).toContain(`${one.kind} ${one.module}.${one.name}`);

    const [old, now] = [new Program(original, before), new Program(swapped.wasm, after)];
    const freers = ({ live, facts }: Program) => [...live].filter((index) => freesLikeDlmalloc(facts.get(index)));
    expect(freers(old)).toHaveLength(1);
    expect(freers(now)).toEqual([]);
    // the break and dlmalloc's state, at addresses that nothing else uses: no code refers to them any more
    const words = wordsOf(old, freers(old)[0]!);
    expect(words.size).toBeGreaterThan(5);
    for (const { accesses, index } of now.facts.values()) {
      if (index >= after.importedFunctions && now.live.has(index)) {
        for (const { address, certain } of accesses) if (certain) expect(words).not.toContain(address);
      }
    }
  });

  it("does the package's work with the same results, in a memory that grew", async () => {
    const files = [join(folder, "original.out"), join(folder, "swapped.out")] as const;
    const before = await drive(name, WASM[name], files[0]);
    const after = await drive(name, join(folder, "swapped.wasm"), files[1]);
    const [a, b] = await Promise.all(files.map((file) => readFile(file)));
    expect(a!.length).toBeGreaterThan(4000);
    expect(a!.equals(b!)).toBe(true);
    const initial = inspect(swapped.wasm).memories[0]!.initial * PAGE;
    expect(after.memory).toBeGreaterThan(initial);
    expect(after.memory).toBeLessThan(before.memory * 1.3);
  });
});

/** Static words that a function both loads and stores. */
function wordsOf({ facts }: Program, index: number): Set<number> {
  const accesses = (facts.get(index)?.accesses ?? []).filter(({ certain }) => certain);
  const stored = new Set(accesses.filter(({ store }) => store).map(({ address }) => address));
  return new Set(accesses.filter(({ store, address }) => !store && stored.has(address)).map(({ address }) => address));
}
