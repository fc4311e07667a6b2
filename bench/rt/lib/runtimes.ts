/**
 * The runtimes, and a program compiled with each: the same source and flags (bench/asconfig.json: -O3, --converge,
 * --noAssert), --exportRuntime for all, so that the host can call __collect.
 */

import { createHash } from "node:crypto";
import { access, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { compileAssembly } from "../../lib/build/assemblyscript.ts";
import { benchFile, ROOT } from "../../lib/paths.ts";
import type { Program } from "./catalog.ts";

export const OURS = "gomalloc";
export const INCREMENTAL = "incremental";
export const MINIMAL = "minimal";

/** One runtime. */
export interface Runtime {
  readonly name: string;
  readonly about: string;
  /** What asc's --runtime is given. */
  readonly flag: string;
  /** It never collects by itself: the host does, every interval() operations. */
  readonly hostCollects: boolean;
  /** Files and folders below the package's top that it is made of; none for those that come with the compiler. */
  readonly sources: readonly string[];
}

/** In the order of the tables. */
export const RUNTIMES: readonly Runtime[] = [
  {
    name: OURS,
    about: "rt.ts: spans, mark bits, an incremental collector",
    flag: "assembly/rt",
    hostCollects: false,
    sources: ["assembly"],
  },
  {
    name: INCREMENTAL,
    about: "the compiler's default: TLSF, ITCMS",
    flag: INCREMENTAL,
    hostCollects: false,
    sources: [],
  },
  { name: MINIMAL, about: "TLSF, TCMS, no automation", flag: MINIMAL, hostCollects: true, sources: [] },
];

/** A constant for the compiler, NAME=VALUE, for one runtime. */
export interface Constant {
  readonly runtime: string;
  readonly text: string;
}

/** Why a runtime cannot take part; undefined if it can. */
export async function missing({ name, sources }: Runtime): Promise<string | undefined> {
  for (const source of sources) {
    try {
      await access(join(ROOT, source));
    } catch {
      return `${name} left out: there is no ${source}`;
    }
  }
  return undefined;
}

/** Compiles a program with a runtime. Throws with the compiler's messages. */
export async function compileProgram(
  { file }: Pick<Program, "file">,
  runtime: Runtime,
  constants: readonly Constant[] = [],
): Promise<Uint8Array<ArrayBuffer>> {
  const uses = constants.filter((one) => one.runtime === runtime.name).map(({ text }) => text);
  // Compiled modules are found again by their flags and the sources beside the entry. What else goes into this one is
  // told by a constant that nobody reads.
  const others = [...runtime.sources, join("bench", "assembly", "driver")];
  const flags = [...uses, `BENCH_SOURCES=${await digest(others)}`].flatMap((text) => ["--use", text]);
  return compileAssembly({
    label: `rt-${file}-${runtime.name}`,
    entry: benchFile("assembly", "rt", `${file}.ts`),
    flags: ["--runtime", runtime.flag, "--exportRuntime", ...flags],
  });
}

/** 31 bits of the hash of all AssemblyScript in these files and folders. */
async function digest(sources: readonly string[]): Promise<number> {
  const hash = createHash("sha256");
  for (const source of sources) {
    const paths = source.endsWith(".ts") ? [source] : await folder(source);
    for (const path of paths) hash.update(`${path}\0`).update(await readFile(join(ROOT, path)));
  }
  return hash.digest().readUInt32LE() >>> 1;
}

async function folder(path: string): Promise<string[]> {
  const names = await readdir(join(ROOT, path), { recursive: true });
  return names
    .filter((name) => name.endsWith(".ts"))
    .sort()
    .map((name) => join(path, name));
}
