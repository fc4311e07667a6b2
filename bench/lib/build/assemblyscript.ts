/**
 * Compiles the AssemblyScript of bench/assembly with the compiler's own API.
 */

import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { packageVersion, ROOT } from "../paths.ts";
import { cached } from "./cache.ts";

/** bench/asconfig.json, not the package's own: what is common to all modules of the benchmark. */
const CONFIG = "bench/asconfig.json";

/** What to compile, and how. */
export interface AssemblyJob {
  /** Name for the cache and for error messages. */
  readonly label: string;
  /** Entry file, absolute. */
  readonly entry: string;
  /** Further asc flags. */
  readonly flags: readonly string[];
}

/** Compiles one module; throws with the compiler's messages when it does not. */
export async function compileAssembly(job: AssemblyJob): Promise<Uint8Array<ArrayBuffer>> {
  const sources = await folderSources(dirname(job.entry));
  const config = await readFile(join(ROOT, CONFIG), "utf8");
  const inputs = [packageVersion("assemblyscript"), job.entry.slice(ROOT.length), config, ...job.flags, ...sources];
  return cached(job.label, inputs, async () => {
    const { default: asc } = await import("assemblyscript/asc");
    let product: Uint8Array | undefined;
    const { error, stderr } = await asc.main(
      [job.entry.slice(ROOT.length), "--baseDir", ROOT, "--outFile", "out.wasm", "--config", CONFIG, ...job.flags],
      {
        writeFile: (name, contents) => {
          if (name === "out.wasm") product = contents as Uint8Array;
        },
      },
    );
    if (error || !product) throw new Error(`asc could not compile ${job.label}: ${stderr.toString()}`);
    return product;
  });
}

/** The text of every source beside an entry: what a cached product depends on. */
async function folderSources(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".ts")).sort();
  return Promise.all(names.map((name) => readFile(join(folder, name), "utf8")));
}
