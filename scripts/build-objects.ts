/**
 * Writes lib/TARGET/: gomalloc as linkers take it, for each target that programs are compiled for.
 *
 *   libgomalloc.a         what a program is linked with: -lgomalloc
 *   libgomalloc-debug.a   with the laws of the heap checked, statistics, and misuse told on standard error
 *   libgomalloc-profile.a sampled allocations: heap profiles and guarded blocks, with imports of gomalloc/profile
 *   gomalloc.o            libgomalloc.a in one object, which a linker takes whatever else it has
 *   fingerprints.json     in lib/ itself: by what link finds gomalloc in a program without names
 *   errno.o               beside gomalloc.o where there are threads of wasi-libc: LLVM cannot merge a reference to a
 *                         thread-local variable of another library
 *
 * A flavour is made an object (src/wasm/object.ts) and merged with what it asks of a program (native/object/), by npm's
 * clang: the same bytes on every machine. Cost: a few seconds, most of it for loading clang.
 */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import type { Tree } from "@yowasp/clang";
import { bytesOf, runTool } from "../bench/lib/build/clang.ts";
import { ARCHIVE_MARK, FINGERPRINTED, fingerprintOf } from "../src/tools/archived.ts";
import { toObject } from "../src/wasm/object.ts";
import { inspect } from "../src/wasm/parse.ts";
import { DEBUG_SYMBOLS, DEBUG_THREAD_SYMBOLS, OBJECT_SYMBOLS, THREAD_SYMBOLS } from "./build-symbols.ts";
import { ROOT, replaceFile } from "./build-tools.ts";
import { FLAVOURS } from "./build-wasm.ts";

interface Target {
  /** Folder below lib/, as compilers name the target. */
  readonly name: string;
  readonly triple: string;
  readonly threads: boolean;
  /** Flags for the files of native/object/. */
  readonly flags: readonly string[];
  /** More files of native/object/, each an object of its own in the archive. */
  readonly members: readonly string[];
  /** Whether misuse can be told: there is a libc to write with. */
  readonly writes: boolean;
}

const THREADS = ["-matomics", "-mbulk-memory", "-mmutable-globals", "-pthread"];

const TARGETS: readonly Target[] = [
  {
    name: "wasm32-wasip1",
    triple: "wasm32-wasip1",
    threads: false,
    flags: [],
    members: ["delete", "errno"],
    writes: true,
  },
  {
    name: "wasm32-wasip1-threads",
    triple: "wasm32-wasip1-threads",
    threads: true,
    flags: [],
    members: ["delete", "errno", "thread"],
    writes: true,
  },
  {
    name: "wasm32-unknown-unknown",
    triple: "wasm32-unknown-unknown",
    threads: false,
    flags: ["-DGOMALLOC_NO_ERRNO"],
    members: ["delete", "errno"],
    writes: false,
  },
  {
    name: "wasm32-unknown-unknown-threads",
    triple: "wasm32-unknown-unknown",
    threads: true,
    flags: ["-DGOMALLOC_NO_ERRNO"],
    members: ["delete", "errno", "nothread"],
    writes: false,
  },
  {
    name: "wasm32-emscripten",
    triple: "wasm32-unknown-unknown",
    threads: false,
    flags: ["-DGOMALLOC_EMSCRIPTEN"],
    members: ["delete", "errno", "sbrk"],
    writes: true,
  },
  {
    name: "wasm32-emscripten-threads",
    triple: "wasm32-unknown-unknown",
    threads: true,
    flags: ["-DGOMALLOC_EMSCRIPTEN"],
    members: ["delete", "errno", "sbrk", "thread"],
    writes: true,
  },
];

const FINGERPRINTS = join(ROOT, "lib", "fingerprints.json");

/** Absolute paths of what is written. */
export const OBJECT_FILES = [FINGERPRINTS].concat(
  TARGETS.flatMap((target) =>
    [
      "libgomalloc.a",
      "libgomalloc-debug.a",
      "libgomalloc-profile.a",
      "gomalloc.o",
      ...(keepsErrnoApart(target) ? ["errno.o"] : []),
    ].map((file) => join(ROOT, "lib", target.name, file)),
  ),
);

export async function writeObjects(): Promise<void> {
  // V8's baseline compiler alone: it loads clang in a second rather than five.
  setFlagsFromString("--liftoff-only");
  for (const target of TARGETS) await writeTarget(target);
  await replaceFile(FINGERPRINTS, `${JSON.stringify(await fingerprints(), null, 2)}\n`);
}

/** For gomalloc link, which finds these functions in programs without names. */
async function fingerprints(): Promise<Record<string, Record<string, string>>> {
  const found: Record<string, Record<string, string>> = {};
  for (const { name: flavour } of FLAVOURS.filter(({ object }) => object)) {
    const bytes = await readFlavour(flavour);
    const info = inspect(bytes);
    const named = new Map(info.exports.map(({ name, index }) => [index, name]));
    const prints = info.bodies.flatMap((body, i) => {
      const index = info.importedFunctions + i;
      const name = named.get(index) ?? localName(info.functionNames.get(index)!);
      return FINGERPRINTED.includes(name) ? [[name, fingerprintOf(bytes, info, body)!]] : [];
    });
    found[flavour] = Object.fromEntries(prints);
  }
  return found;
}

async function writeTarget(target: Target): Promise<void> {
  const folder = join(ROOT, "lib", target.name);
  await mkdir(folder, { recursive: true });
  const [core, checked, sampling] = await Promise.all(["", "-debug", "-profile"].map((kind) => coreOf(target, kind)));
  const members: Record<string, Uint8Array> = {};
  for (const name of target.members) members[`${name}.o`] = await compile(target, `native/object/${name}.c`, []);
  const program = await compile(target, "native/object/program.c", []);
  const object = await merge({ "core.o": core!, "program.o": program });
  const files: Record<string, Uint8Array> = { "libgomalloc.a": await archive({ "gomalloc.o": object, ...members }) };

  const { "errno.o": errno, ...others } = members;
  const apart = keepsErrnoApart(target);
  files["gomalloc.o"] = await merge({ "gomalloc.o": object, ...(apart ? others : members) });
  if (apart) files["errno.o"] = errno!;

  const report = target.writes ? { "report.o": await compileReport(target) } : undefined;
  const quiet = report && (await compile(target, "native/object/program.c", ["-DGOMALLOC_NO_HOOK"]));
  const debug = await merge({ "core.o": checked!, "program.o": quiet ?? program });
  files["libgomalloc-debug.a"] = await archive({ "gomalloc.o": debug, ...members, ...report });
  const hooks = await compile(target, "native/object/profile.c", []);
  const profile = await merge({ "core.o": sampling!, "program.o": program, "profile.o": hooks });
  files["libgomalloc-profile.a"] = await archive({ "gomalloc.o": profile, ...members });
  for (const [name, bytes] of Object.entries(files)) await replaceFile(join(folder, name), bytes);
}

/** Whether errno is thread-local, and so cannot be merged. */
function keepsErrnoApart({ triple }: Target): boolean {
  return triple === "wasm32-wasip1-threads";
}

/** A flavour as an object file, with missing symbols. */
async function coreOf({ threads }: Target, kind: string): Promise<Uint8Array> {
  return toObject(await readFlavour(`object${threads ? "-shared" : ""}${kind}`), {
    names: { ...OBJECT_SYMBOLS, ...THREAD_SYMBOLS, ...DEBUG_SYMBOLS, ...DEBUG_THREAD_SYMBOLS },
    mark: ARCHIVE_MARK,
    local: localName,
    features: ["bulk-memory", "mutable-globals", "sign-ext", ...(threads ? ["atomics"] : [])],
  });
}

/** The module of a flavour, with the names of its functions. */
async function readFlavour(name: string): Promise<Uint8Array> {
  const { file } = FLAVOURS.find((flavour) => flavour.name === name)!;
  return new Uint8Array(await readFile(join(ROOT, file.replace(/\.wasm$/, ".debug.wasm"))));
}

/** What a function of assembly/ is called in an object. */
function localName(name: string): string {
  return name.replace(/^assembly\//, "gomalloc/");
}

async function compile(target: Target, file: string, flags: readonly string[]): Promise<Uint8Array> {
  const args = [`--target=${target.triple}`, ...target.flags, ...flags, "-ffreestanding"];
  return clang(target, args, { "source.c": await readFile(join(ROOT, file)) });
}

/** What writes to standard error, for all libcs with wasi-libc's headers: they agree on what it uses. */
async function compileReport(target: Target): Promise<Uint8Array> {
  const [source, header, arena] = await Promise.all(
    ["gomalloc_debug.c", "gomalloc.h", "gomalloc_arena.h"].map((name) => readFile(join(ROOT, "native", name))),
  );
  const files = { "source.c": source!, "gomalloc.h": header!, "gomalloc_arena.h": arena! };
  return clang(target, ["--target=wasm32-wasip1"], files);
}

function clang(target: Target, args: readonly string[], files: Tree): Promise<Uint8Array> {
  const common = ["-O2", "-Wall", "-Wextra", "-Werror", ...(target.threads ? THREADS : [])];
  return llvm(["clang", ...args, ...common, "-c", "source.c", "-o", "out"], files);
}

/** One object of several. */
function merge(objects: Tree): Promise<Uint8Array> {
  return llvm(["wasm-ld", "--relocatable", ...Object.keys(objects), "-o", "out"], objects);
}

/** An archive with an index, the same bytes for the same objects. */
function archive(objects: Tree): Promise<Uint8Array> {
  return llvm(["llvm-ar", "rcsD", "out", ...Object.keys(objects)], objects);
}

/** Runs a tool of LLVM that writes the file out. Throws an Error with its messages when it fails. */
async function llvm(args: readonly string[], files: Tree): Promise<Uint8Array> {
  return bytesOf(await runTool("runLLVM", args, files), "out");
}
