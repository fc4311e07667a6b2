/**
 * The allocators that can be measured, and how each is obtained as a wasm module with the malloc family.
 */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { compileAssembly } from "./build/assemblyscript.ts";
import { type Calls, merge, type Part } from "./build/merge.ts";
import { buildDlmalloc, buildEmmalloc, buildMimalloc } from "./build/native.ts";
import { heapBase, initialPages, type Mode } from "./layout.ts";
import { BUILD, benchFile } from "./paths.ts";

/** ours: gomalloc. peer: what programs use. bump: cannot reuse memory, so not a peer. naive: textbook. floor: no allocator. */
export type Kind = "ours" | "peer" | "bump" | "naive" | "floor";

/** One allocator of the comparison. */
export interface Allocator {
  readonly name: string;
  readonly kind: Kind;
  /** One line for the reader of a table. */
  readonly about: string;
  /** Alignments beyond 16 work. */
  readonly aligns: boolean;
  /** What it promises blocks below 8 bytes: 8, or what fits their size. */
  readonly smallAlignment: 4 | 8;
  /** calloc gives null when the product is too large. */
  readonly checksProduct: boolean;
  /** Others may grow the memory while it runs. */
  readonly sharesMemory: boolean;
  /** Free neighbours become one block again. */
  readonly coalesces: boolean;
  /** Null (not a trap) when memory runs out. */
  readonly survivesExhaustion: boolean;
  /** Long runs are too much for it: malloc may search all free blocks, or takes pages for each. */
  readonly reduced: boolean;
  /** Takes part only if it is asked for by name: minutes for what takes others seconds. */
  readonly onRequest: boolean;
  /** The command that obtains what the module is made of. */
  readonly remedy: string;
  /** The module, before merging; undefined if what it is made of is not there. */
  module(mode: Mode): Promise<Uint8Array<ArrayBuffer> | undefined>;
}

const LIBRARY = ["--importMemory", "--noExportMemory", "--disableWarning"];

function built(file: string): () => Promise<Uint8Array<ArrayBuffer> | undefined> {
  return async () => {
    try {
      return new Uint8Array(await readFile(join(BUILD, file)));
    } catch {
      return undefined;
    }
  };
}

function naive(name: string, file: string, flags: readonly string[] = []) {
  return () =>
    compileAssembly({
      label: name,
      entry: benchFile("assembly", "naive", `${file}.ts`),
      flags: [...LIBRARY, "--runtime", "stub", ...flags],
    });
}

function runtime(name: string, flavour: string) {
  return (mode: Mode) =>
    compileAssembly({
      label: `${name}-${mode}`,
      entry: benchFile("assembly", "peers", "runtime.ts"),
      // The runtime's abort hook would be an import; without it an error is a plain trap.
      flags: [...LIBRARY, "--runtime", flavour, "--memoryBase", String(heapBase(mode)), "--use", "abort="],
    });
}

const FULL = {
  aligns: true,
  smallAlignment: 8,
  checksProduct: true,
  sharesMemory: true,
  coalesces: true,
  survivesExhaustion: true,
  reduced: false,
  onRequest: false,
  remedy: "npm run build",
} as const;

/** An allocator whose sources come from Debian. */
const FETCHED = { ...FULL, remedy: "npm run bench:peers" } as const;

/** gomalloc's C flavour: the one that is timed. */
export const GOMALLOC: Allocator = {
  name: "gomalloc",
  kind: "ours",
  about: "this package, build/gomalloc.wasm",
  ...FULL,
  module: built("gomalloc.wasm"),
};

/** The host flavour: the same heap with statistics, asked for what the C flavour does not tell. */
export const GOMALLOC_HOST: Allocator = {
  ...GOMALLOC,
  name: "gomalloc-host",
  about: "build/gomalloc-host.wasm",
  module: built("gomalloc-host.wasm"),
};

/** Everything that takes part in the comparison, in the order of the tables. */
export const ALLOCATORS: readonly Allocator[] = [
  GOMALLOC,
  {
    name: "dlmalloc",
    kind: "peer",
    about: "wasi-libc's malloc, linked by @yowasp/clang",
    ...FULL,
    module: buildDlmalloc,
  },
  {
    name: "mimalloc",
    kind: "peer",
    about: "mimalloc 3, from Debian sid's emscripten",
    ...FETCHED,
    smallAlignment: 4,
    module: buildMimalloc("mimalloc"),
  },
  {
    name: "mimalloc-2",
    kind: "peer",
    about: "mimalloc 2, from Debian trixie's emscripten",
    ...FETCHED,
    smallAlignment: 4,
    module: buildMimalloc("mimalloc-2"),
  },
  {
    name: "emmalloc",
    kind: "peer",
    about: "emmalloc, from Debian sid's emscripten",
    ...FETCHED,
    checksProduct: false,
    module: buildEmmalloc,
  },
  {
    name: "tlsf",
    kind: "peer",
    about: "AssemblyScript --runtime minimal",
    ...FULL,
    aligns: false,
    survivesExhaustion: false,
    module: runtime("tlsf", "minimal"),
  },
  {
    name: "stub",
    kind: "bump",
    about: "AssemblyScript --runtime stub",
    ...FULL,
    aligns: false,
    sharesMemory: false,
    coalesces: false,
    survivesExhaustion: false,
    module: runtime("stub", "stub"),
  },
  {
    name: "bump",
    kind: "bump",
    about: "naive: one cursor, no reuse",
    ...FULL,
    coalesces: false,
    module: naive("bump", "bump"),
  },
  {
    name: "first-fit",
    kind: "naive",
    about: "naive: free list, boundary tags, first fit",
    ...FULL,
    reduced: true,
    module: naive("first-fit", "freelist", ["--use", "POLICY=0"]),
  },
  {
    name: "next-fit",
    kind: "naive",
    about: "naive: free list, boundary tags, next fit",
    ...FULL,
    reduced: true,
    module: naive("next-fit", "freelist", ["--use", "POLICY=1"]),
  },
  {
    name: "best-fit",
    kind: "naive",
    about: "naive: free list, boundary tags, best fit",
    ...FULL,
    reduced: true,
    module: naive("best-fit", "freelist", ["--use", "POLICY=2"]),
  },
  {
    name: "segregated",
    kind: "naive",
    about: "naive: one free list per size range",
    ...FULL,
    coalesces: false,
    module: naive("segregated", "segregated"),
  },
  {
    name: "tcmalloc",
    kind: "naive",
    about: "naive: TCMalloc's thread cache, central lists, page heap",
    ...FULL,
    // Its thread cache keeps what it holds from becoming whole spans.
    coalesces: false,
    module: naive("tcmalloc", "tcmalloc"),
  },
  {
    name: "host-pages",
    kind: "naive",
    about: "naive: 64 KiB pages from the host for each block",
    ...FULL,
    coalesces: false,
    reduced: true,
    onRequest: true,
    module: naive("host-pages", "hostpages"),
  },
];

async function compileDriver(mode: Mode, smallAlignment = 8): Promise<Part> {
  const bytes = await compileAssembly({
    label: `driver-${mode}-${smallAlignment}`,
    entry: benchFile("assembly", "driver", "index.ts"),
    flags: [
      "--runtime",
      "stub",
      "--initialMemory",
      String(initialPages(mode)),
      "--use",
      `CHECKED=${mode === "checked" ? 1 : 0}`,
      "--use",
      `SMALL_ALIGNMENT=${smallAlignment}`,
    ],
  });
  return { name: "env", bytes };
}

/** Exports of the host flavour that stay reachable in the merged module beside the driver's. */
const INSPECT = ["init", "memstats"];

/** The merged and optimised module of driver and allocator; undefined if the allocator has not been built. */
export async function benchModule(
  allocator: Allocator,
  mode: Mode,
  calls: Calls = "inlined",
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const bytes = await allocator.module(mode);
  if (!bytes) return undefined;
  const keep = allocator === GOMALLOC_HOST ? INSPECT : ["init"];
  const label = `${allocator.name}-${mode}-merged`;
  const driver = await compileDriver(mode, allocator.smallAlignment);
  return merge(label, [driver, { name: "alloc", bytes }], keep, {}, calls);
}

/**
 * The two modules by which the driver's own time is found (bench/lib/floor.ts): one that writes down the addresses
 * dlmalloc gives, one that gives them again.
 */
export async function floorModules(
  calls: Calls = "inlined",
): Promise<Record<"recorder" | "oracle", Uint8Array<ArrayBuffer>>> {
  const driver = await compileDriver("timed");
  const compile = (name: string) =>
    compileAssembly({
      label: name,
      entry: benchFile("assembly", "floor", `${name}.ts`),
      flags: [...LIBRARY, "--runtime", "stub"],
    });
  const recorder = [
    { name: "alloc", bytes: await compile("recorder") },
    { name: "inner", bytes: await buildDlmalloc("timed") },
  ];
  const oracle = [{ name: "alloc", bytes: await compile("oracle") }];
  return {
    recorder: await merge("recorder-merged", [driver, ...recorder], ["init", "setLog", "logEnd"], {}, calls),
    oracle: await merge("oracle-merged", [driver, ...oracle], ["init", "setLog"], {}, calls),
  };
}
