/**
 * The allocators and how each gets into a program. The program's object is the same for all of them.
 */

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { DEFAULT_RATE } from "../../../src/sampling/hooks.ts";
import { cached } from "../../lib/build/cache.ts";
import { emmallocFiles } from "../../lib/build/native.ts";
import { fetchSource } from "../../lib/build/sources.ts";
import { BUILD, packageVersion, ROOT } from "../../lib/paths.ts";
import { LINKING, type Program, unitsOf } from "./catalog.ts";
import { compile, linkObjects } from "./clang.ts";
import { optimize } from "./optimize.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** One column of the table. */
export interface Allocator {
  readonly name: string;
  /** One line for the reader of a table. */
  readonly about: string;
  /** The column that it is measured against: the one with the same optimisation. */
  readonly reference: string;
  /** Takes part on request only: the option that asks for it. */
  readonly onRequest?: "inlining" | "archive" | "profile";
  /** Neither ours nor the stock build: has no part in a comparison of ways to link ours. */
  readonly stranger?: true;
  /** The program samples its allocations: mean bytes between two samples, 0 for none. */
  readonly rate?: number;
  /** The program with this allocator, optimised. */
  build(program: Program): Promise<Bytes>;
}

/** The stock build. */
export const REFERENCE = "dlmalloc";

/** Ours. */
export const OURS = "gomalloc";

/** Both again under wasm-opt's strong inlining of everything. */
const STOCK_INLINED = "dlmalloc-inlining";
const OURS_INLINED = "gomalloc-inlining";

/** Programs as the linker leaves them, and ours from the archive. */
const STOCK_LINKED = "dlmalloc-linked";
export const ARCHIVE = "archive";
export const ARCHIVE_OPTIMISED = "archive-O3";

/** Ours, sampling: at the default rate, and with the rate 0, which leaves what the code between two samples costs. */
export const PROFILED = "profile";
const PROFILED_OFF = "profile-off";

/** Flags of wasm-opt for every column, and for the strongly inlined ones. */
const OPTIMIZE = ["-O3"];
const INLINE = ["-O3", "--flexible-inline-max-function-size=200", "--always-inline-max-function-size=120"];

const objects = new Map<string, Promise<Bytes>>();

/** A program's own code, without an allocator. */
function objectOf(program: Program): Promise<Bytes> {
  const known = objects.get(program.name);
  if (known) return known;
  const made = unitsOf(program).then((units) => compile(program.name, units));
  objects.set(program.name, made);
  return made;
}

async function linked(program: Program, allocator: string, others: readonly Bytes[]): Promise<Bytes> {
  const object = await objectOf(program);
  const compiler = program.language === "C++" ? "clang++" : "clang";
  const flags = [...LINKING, ...(program.linking ?? [])];
  return linkObjects(`${program.name}-${allocator}-app`, compiler, [object, ...others], flags);
}

const emmalloc: Allocator = {
  name: "emmalloc",
  stranger: true,
  reference: REFERENCE,
  about: "emscripten 3.1.6's emmalloc (Debian emscripten), same flags",
  build: async (program) => {
    const source = { kind: "debian", name: "emscripten", members: ["*/system/lib/emmalloc.c"] } as const;
    const { files, flags } = await emmallocFiles(await fetchSource(source));
    const object = await compile("emmalloc", [{ compiler: "clang", files, sources: ["emmalloc.c"], flags }]);
    return optimize(`${program.name}-emmalloc`, await linked(program, "emmalloc", [object]), OPTIMIZE);
  },
};

/** The program with native/gomalloc.c in it, through `gomalloc link` as it is by default, or with --profile. */
async function withGomalloc(program: Program, profile = false): Promise<Bytes> {
  const native = (name: string) => readFile(join(ROOT, "native", name), "utf8");
  const files = { "gomalloc.c": await native("gomalloc.c"), "gomalloc.h": await native("gomalloc.h") };
  const unit = { compiler: "clang", files, sources: ["gomalloc.c"], flags: ["-I."] } as const;
  const app = await linked(program, OURS, [await compile("gomalloc-shim", [unit])]);
  const core = await readFile(join(BUILD, `gomalloc${profile ? "-profile" : ""}.debug.wasm`));
  // What link() is made of decides what it makes.
  const tools = (await Promise.all(["tools", "wasm"].map((name) => sourcesOf(join(ROOT, "src", name))))).flat();
  return cached(
    `${program.name}-${profile ? PROFILED : OURS}`,
    [packageVersion("binaryen"), ...tools, core, app],
    async () => {
      const { link } = await import("../../../src/tools/index.ts");
      return (await link(app, { names: true, profile })).wasm;
    },
  );
}

/** The .ts files below a folder, in the order of their names. */
async function sourcesOf(folder: string): Promise<Uint8Array[]> {
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(".ts")).sort();
  return Promise.all(names.map((name) => readFile(join(folder, name))));
}

const withDlmalloc = (program: Program) => linked(program, REFERENCE, []);

/** The program with lib/wasm32-wasip1/gomalloc.o in it, which is what libgomalloc.a holds. */
async function withArchive(program: Program): Promise<Bytes> {
  return linked(program, ARCHIVE, [await readFile(join(ROOT, "lib", "wasm32-wasip1", "gomalloc.o"))]);
}

/** The columns, in the order of the table: each behind the one it is measured against. */
export const ALLOCATORS: readonly Allocator[] = [
  {
    name: REFERENCE,
    about: "wasi-libc's malloc, wasm-opt -O3",
    reference: REFERENCE,
    build: async (program) => optimize(`${program.name}-dlmalloc`, await withDlmalloc(program), OPTIMIZE),
  },
  {
    name: OURS,
    about: "native/gomalloc.c linked in, then `gomalloc link` as it is by default: -O3, malloc and free inlined",
    reference: REFERENCE,
    build: (program) => withGomalloc(program),
  },
  emmalloc,
  {
    name: STOCK_INLINED,
    about: `wasi-libc's malloc, wasm-opt ${INLINE.join(" ")}`,
    reference: STOCK_INLINED,
    onRequest: "inlining",
    build: async (program) => optimize(`${program.name}-dlmalloc-inlining`, await withDlmalloc(program), INLINE),
  },
  {
    name: OURS_INLINED,
    about: `gomalloc as above, then wasm-opt ${INLINE.join(" ")}`,
    reference: STOCK_INLINED,
    onRequest: "inlining",
    build: async (program) => optimize(`${program.name}-gomalloc-inlining`, await withGomalloc(program), INLINE),
  },
  {
    name: STOCK_LINKED,
    about: "wasi-libc's malloc, as the linker leaves it",
    reference: STOCK_LINKED,
    onRequest: "archive",
    build: withDlmalloc,
  },
  {
    name: ARCHIVE,
    about: "libgomalloc.a's object linked in, as the linker leaves it",
    reference: STOCK_LINKED,
    onRequest: "archive",
    build: withArchive,
  },
  {
    name: ARCHIVE_OPTIMISED,
    about: "the same, wasm-opt -O3",
    reference: REFERENCE,
    onRequest: "archive",
    build: async (program) => optimize(`${program.name}-archive`, await withArchive(program), OPTIMIZE),
  },
  {
    name: PROFILED_OFF,
    about: "gomalloc by `gomalloc link --profile`, with the rate 0: nothing is sampled",
    reference: OURS,
    onRequest: "profile",
    rate: 0,
    build: (program) => withGomalloc(program, true),
  },
  {
    name: PROFILED,
    about: `the same module at the default rate, one sample in ${DEFAULT_RATE / 1024} KiB, each with its stack`,
    reference: OURS,
    onRequest: "profile",
    rate: DEFAULT_RATE,
    build: (program) => withGomalloc(program, true),
  },
];
