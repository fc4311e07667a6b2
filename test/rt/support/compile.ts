/**
 * AssemblyScript programs under a runtime, for the tests of this folder: compiles by the API of asc, instantiates with
 * imports that record and throw, keeps what was compiled for as long as the process lives.
 *
 * Programs under different runtimes are compiled with the same flags and asconfig.json of this folder; the one thing
 * that differs is --runtime. A compilation of the programs takes seconds, an instance milliseconds.
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import asc from "assemblyscript/asc";
import { ROOT } from "../../../scripts/build-tools.ts";

/** asc's own runtimes, and gomalloc as one. */
export type Runtime = "incremental" | "minimal" | "stub" | "gomalloc";

/** What --runtime gets, relative to the repository; a path counts as an incremental runtime for the compiler. */
const RUNTIME_FLAG: Record<Runtime, string> = {
  incremental: "incremental",
  minimal: "minimal",
  stub: "stub",
  gomalloc: "./node_modules/gomalloc/rt",
};

/** Where a program that has installed the package finds its files; here they are those of the repository. */
const INSTALLED = /^(\.\/)?node_modules\/gomalloc\//;

/** Whether rt.ts is there. Every suite plays gomalloc beside the built-in runtimes once it is. */
export const HAS_GOMALLOC = existsSync(join(ROOT, "rt.ts"));

/** The runtimes that collect, gomalloc last. */
export const COLLECTING: readonly Runtime[] = ["incremental", "minimal", ...oursOr<Runtime>("gomalloc")];
/** Those of them that collect on their own while a program runs. */
export const AUTOMATIC: readonly Runtime[] = COLLECTING.filter((runtime) => runtime !== "minimal");

/** The arguments while gomalloc is there, else nothing. */
export function oursOr<T>(...values: readonly T[]): readonly T[] {
  return HAS_GOMALLOC ? values : [];
}

/** A way to compile: a runtime and flags. */
export interface Configuration {
  readonly name: string;
  readonly runtime: Runtime;
  readonly flags: readonly string[];
}

/** A runtime with flags; without any, -O1. */
export function configuration(runtime: Runtime, ...flags: string[]): Configuration {
  return { name: runtime, runtime, flags: flags.length > 0 ? flags : ["-O1"] };
}

export interface BuildOptions {
  /** Beside those of the configuration. */
  readonly flags?: readonly string[];
  /** The module starts as it is instantiated: for bindings and loaders. Without, instantiate() starts it. */
  readonly selfStarting?: boolean;
  /** Text to replace in sources, by the end of their path: for packages that an older compiler took as they are. */
  readonly patches?: Readonly<Record<string, readonly (readonly [from: string, to: string])[]>>;
}

/** What a compilation wrote. */
export interface Build {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly module: WebAssembly.Module;
  /** The JavaScript of --bindings, else empty. */
  readonly glue: string;
  /** The source map of --sourceMap, else empty. */
  readonly map: string;
}

const CONFIG = "test/rt/asconfig.json";
const builds = new Map<string, Promise<Build>>();
let compiling: Promise<unknown> = Promise.resolve();

/**
 * Compiles entry files (relative to the repository) under a configuration; the same request is compiled once. Rejects
 * with the compiler's diagnostics.
 */
export function build(
  entries: string | readonly string[],
  configuration: Configuration,
  options: BuildOptions = {},
): Promise<Build> {
  const args = [
    ...[entries].flat(),
    ...["--config", CONFIG, "--runtime", RUNTIME_FLAG[configuration.runtime]],
    ...(options.selfStarting ? [] : ["--exportStart", "_start"]),
    ...configuration.flags,
    ...(options.flags ?? []),
  ];
  const patches = options.patches ?? {};
  const key = JSON.stringify([args, patches]);
  let built = builds.get(key);
  if (!built) {
    // One after the other: the compiler's back end has one state for all.
    built = compiling.then(() => compile(args, patches));
    compiling = built.catch(() => {});
    builds.set(key, built);
  }
  return built;
}

async function compile(args: readonly string[], patches: NonNullable<BuildOptions["patches"]>): Promise<Build> {
  let bytes: Uint8Array<ArrayBuffer> | undefined;
  let glue = "";
  let map = "";
  const patched = Object.entries(patches);
  const { error, stderr } = await asc.main([...args, "--baseDir", ROOT, "--outFile", "build/rt-program.wasm"], {
    async readFile(name: string, baseDir: string) {
      let source = await readFile(resolve(baseDir, name.replace(INSTALLED, "")), "utf8").catch(() => null);
      const [, edits] = patched.find(([path]) => name.endsWith(path)) ?? [];
      for (const [from, to] of source === null ? [] : (edits ?? [])) {
        if (!source!.includes(from)) throw new Error(`${name} has no "${from}"`);
        source = source!.replace(from, to);
      }
      return source;
    },
    writeFile(name: string, contents: Uint8Array | string) {
      if (typeof contents !== "string") bytes = new Uint8Array(contents);
      else if (name.endsWith(".js")) glue = contents;
      else if (name.endsWith(".map")) map = contents;
    },
  });
  if (error || !bytes) throw new Error(`asc ${args.join(" ")}\n${error?.message ?? "wrote nothing"}\n${stderr}`);
  return { bytes, module: new WebAssembly.Module(bytes), glue, map };
}

/** What --exportRuntime adds to a program's exports. */
export interface RuntimeExports {
  readonly memory: WebAssembly.Memory;
  __new(size: number, id: number): number;
  __pin(ptr: number): number;
  __unpin(ptr: number): void;
  __collect(): void;
  _start?(): void;
}

/** A call that the program ended by env.abort. */
export class Abort extends Error {
  override readonly name = "Abort";
}

/** An instance and what it said. */
export interface Instance<Exports> {
  readonly exports: Exports & RuntimeExports;
  /** Lines of console.log and trace. */
  readonly lines: string[];
  /** Bytes of memory, which only grows. */
  memorySize(): number;
}

/** A string of the program by its address; the byte length precedes it. */
export function text(memory: WebAssembly.Memory, ptr: number): string {
  if (!ptr) return "";
  const length = new DataView(memory.buffer).getUint32((ptr >>> 0) - 4, true);
  return Buffer.from(memory.buffer, ptr >>> 0, length).toString("utf16le");
}

/**
 * A new instance, started. Imports of the caller go before those of this module; the instance exists at their calls.
 * `others` are modules of imports besides env.
 */
export function instantiate<Exports>(
  built: Build,
  imports: (instance: Instance<Exports>) => WebAssembly.ModuleImports = () => ({}),
  others: WebAssembly.Imports = {},
): Instance<Exports> {
  const lines: string[] = [];
  const instance = {
    get exports() {
      return exports;
    },
    lines,
    memorySize: () => exports.memory.buffer.byteLength,
  };
  const said = (ptr: number) => lines.push(text(exports.memory, ptr));
  const env: WebAssembly.ModuleImports = {
    abort(message: number, file: number, line: number, column: number) {
      const at = `${text(exports.memory, file)}:${line}:${column}`;
      throw new Abort(`${text(exports.memory, message) || "abort"} at ${at}`);
    },
    trace(message: number, count: number, ...values: number[]) {
      lines.push([text(exports.memory, message), ...values.slice(0, count)].join(" "));
    },
    seed: () => 0x60a110c,
    "console.log": said,
    "console.error": said,
    ...imports(instance),
  };
  const exports = new WebAssembly.Instance(built.module, { ...others, env }).exports as unknown as Exports &
    RuntimeExports;
  exports._start?.();
  return instance;
}

export const MiB = 2 ** 20;
