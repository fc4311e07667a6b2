/**
 * Freshness of the wasm part of the build.
 *
 * A stamp is a SHA-256 over everything that decides the bytes of the flavours: every file of assembly/,
 * asconfig.json, the size-class generator, these scripts, and the versions of the compiler and of binaryen.
 * build/FLAVOUR.stamp is that of one flavour's last build, build/stamp that of what is made from all of them. An
 * output is fresh when its stamp agrees and it exists. A stamp is written after its output, so a build that failed
 * half-way is never fresh. Cost: reads some hundred kilobytes.
 */
import { createHash } from "node:crypto";
import { access, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { INLINED_FILES } from "./build-inline.ts";
import { OBJECT_FILES } from "./build-objects.ts";
import { BUILD_DIR, ROOT, replaceFile } from "./build-tools.ts";
import { TRAMPOLINE_FILE } from "./build-trampoline.ts";
import { FLAVOURS, type Flavour } from "./build-wasm.ts";

const STAMP_FILE = join(BUILD_DIR, "stamp");
/** Packages whose version decides the output. */
const TOOLS = ["assemblyscript", "binaryen", "@yowasp/clang"];

/** Paths, relative to the repository, of every file that decides the output; sorted. */
async function inputs(): Promise<string[]> {
  const walk = async (dir: string): Promise<string[]> => {
    const entries = await readdir(join(ROOT, dir), { withFileTypes: true, recursive: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length + 1));
  };
  const scripts = (await readdir(join(ROOT, "scripts"))).filter((name) => /^(abi|build|gen)[-.]/.test(name));
  const tools = TOOLS.map((name) => `node_modules/${name}/package.json`);
  const files = [
    ...(await walk("assembly")),
    ...(await walk("native/object")),
    ...(await walk("src/wasm")),
    ...scripts.map((name) => `scripts/${name}`),
    ...tools,
  ];
  return [
    ...files,
    "asconfig.json",
    "src/base/sizeclasses.ts",
    "src/tools/archived.ts",
    "native/gomalloc_debug.c",
    "native/gomalloc.h",
    "native/gomalloc_arena.h",
  ].sort();
}

async function digest(): Promise<string> {
  const hash = createHash("sha256");
  for (const file of await inputs()) {
    const bytes = await readFile(join(ROOT, file));
    hash.update(`${file}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest("hex");
}

/** What to compare and to write: one digest of the inputs serves all flavours of a build. */
export class Stamps {
  private constructor(private readonly digest: string) {}

  static async read(): Promise<Stamps> {
    return new Stamps(await digest());
  }

  /** True when the flavour's module was made from the inputs as they are now. */
  async isFresh(flavour: Flavour): Promise<boolean> {
    return this.agrees(stampOf(flavour), [join(ROOT, flavour.file)]);
  }

  /** True when all flavours, and what is made from them, are as the inputs are now. */
  async allFresh(): Promise<boolean> {
    const flavours = await Promise.all(FLAVOURS.map((flavour) => this.isFresh(flavour)));
    return flavours.every(Boolean) && this.agrees(STAMP_FILE, [...INLINED_FILES, TRAMPOLINE_FILE, ...OBJECT_FILES]);
  }

  async write(flavour: Flavour): Promise<void> {
    await replaceFile(stampOf(flavour), this.digest);
  }

  async writeAll(): Promise<void> {
    await replaceFile(STAMP_FILE, this.digest);
  }

  private async agrees(stamp: string, outputs: readonly string[]): Promise<boolean> {
    try {
      const [text] = await Promise.all([readFile(stamp, "utf8"), ...outputs.map((file) => access(file))]);
      return text === this.digest;
    } catch {
      return false;
    }
  }
}

function stampOf(flavour: Flavour): string {
  return join(BUILD_DIR, `${flavour.name}.stamp`);
}
