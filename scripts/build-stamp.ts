/**
 * Freshness of the wasm part of the build.
 *
 * build/stamp holds a SHA-256 over everything that decides the bytes of the flavours: every file of assembly/,
 * asconfig.json, the size-class generator, these scripts, and the versions of the compiler and of binaryen. The build
 * is fresh when the stamp agrees and every output exists. A stamp is written last, so that a build that failed
 * half-way is never fresh. Cost: reads some hundred kilobytes.
 */
import { createHash } from "node:crypto";
import { access, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { INLINED_FILES } from "./build-inline.ts";
import { BUILD_DIR, ROOT, replaceFile } from "./build-tools.ts";
import { TRAMPOLINE_FILE } from "./build-trampoline.ts";
import { FLAVOURS } from "./build-wasm.ts";

const STAMP_FILE = join(BUILD_DIR, "stamp");
/** Packages whose version decides the output. */
const TOOLS = ["assemblyscript", "binaryen"];

/** Paths, relative to the repository, of every file that decides the output; sorted. */
async function inputs(): Promise<string[]> {
  const walk = async (dir: string): Promise<string[]> => {
    const entries = await readdir(join(ROOT, dir), { withFileTypes: true, recursive: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length + 1));
  };
  const scripts = (await readdir(join(ROOT, "scripts"))).filter((name) => /^(build|gen)[-.]/.test(name));
  const tools = TOOLS.map((name) => `node_modules/${name}/package.json`);
  const files = [...(await walk("assembly")), ...scripts.map((name) => `scripts/${name}`), ...tools];
  return [...files, "asconfig.json", "src/sizeclasses.ts"].sort();
}

async function digest(): Promise<string> {
  const hash = createHash("sha256");
  for (const file of await inputs()) {
    const bytes = await readFile(join(ROOT, file));
    hash.update(`${file}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest("hex");
}

/** True when the outputs exist and were made from the inputs as they are now. */
export async function isFresh(): Promise<boolean> {
  try {
    const stamp = await readFile(STAMP_FILE, "utf8");
    const outputs = [...FLAVOURS.map((flavour) => join(ROOT, flavour.file)), ...INLINED_FILES, TRAMPOLINE_FILE];
    await Promise.all(outputs.map((file) => access(file)));
    return stamp === (await digest());
  } catch {
    return false;
  }
}

export async function writeStamp(): Promise<void> {
  await replaceFile(STAMP_FILE, await digest());
}
