/**
 * Compiles one flavour: asc by its target of asconfig.json, wasm-opt, check (build-check.ts).
 *
 * asc runs with --debug, which keeps the function names and changes no code; NAME.debug.wasm keeps them, for
 * profilers and stack traces, and NAME.wasm is the same code without.
 */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { UNTYPED } from "./abi.ts";
import { checkModule, checkNames } from "./build-check.ts";
import { DEBUG_SYMBOLS, DEBUG_THREAD_SYMBOLS, OBJECT_SYMBOLS, THREAD_SYMBOLS } from "./build-symbols.ts";
import { ROOT, replaceFile, runTool } from "./build-tools.ts";
import { namesOf } from "./gen-abi.ts";

const LIBC = namesOf("family", "control");
const HOST = [...LIBC, ...namesOf("host", "hostOnly", "collector", "soloCycle"), ...UNTYPED.solo];
const SHARED = [...LIBC, ...namesOf("threadExit")];
const HOST_SHARED = [
  ...SHARED,
  ...namesOf("host", "hostOnly", "collector", "sharedCycle", "procs", "procsOnly"),
  ...UNTYPED.shared,
];

export interface Flavour {
  /** Target of asconfig.json. */
  readonly name: string;
  /** Entry file, relative to the repository. */
  readonly entry: string;
  /** The module, relative to the repository. */
  readonly file: string;
  /** What the module must export. */
  readonly exports: readonly string[];
  /** True when it must export nothing else. */
  readonly exact: boolean;
  /** True when its memory is shared. */
  readonly shared: boolean;
  /** True when it samples, and imports the hooks of assembly/base/hooks.ts. */
  readonly profile?: true;
  /** True when it is made for build-objects.ts alone: what it imports are symbols of a linker. */
  readonly object?: true;
}

const OBJECT = Object.keys(OBJECT_SYMBOLS);
const OBJECT_DEBUG = [...OBJECT, ...Object.keys(DEBUG_SYMBOLS)];

/** The same flavour with sampled allocations. */
function profiling({ name, file, ...flavour }: Flavour): Flavour {
  return { ...flavour, name: `${name}-profile`, file: file.replace(/\.wasm$/, "-profile.wasm"), profile: true };
}

const PLAIN: readonly Flavour[] = [
  {
    name: "malloc",
    entry: "assembly/abi/libc.ts",
    file: "build/gomalloc.wasm",
    exports: LIBC,
    exact: true,
    shared: false,
  },
  {
    name: "host",
    entry: "assembly/abi/hostgc.ts",
    file: "build/gomalloc-host.wasm",
    exports: HOST,
    exact: true,
    shared: false,
  },
  {
    name: "test",
    entry: "assembly/abi/testinggc.ts",
    file: "build/gomalloc-test.wasm",
    exports: HOST,
    exact: false,
    shared: false,
  },
  {
    name: "shared",
    entry: "assembly/abi/shared.ts",
    file: "build/gomalloc-shared.wasm",
    exports: SHARED,
    exact: true,
    shared: true,
  },
  {
    name: "host-shared",
    entry: "assembly/abi/hostshared.ts",
    file: "build/gomalloc-host-shared.wasm",
    exports: HOST_SHARED,
    exact: true,
    shared: true,
  },
  {
    name: "test-shared",
    entry: "assembly/abi/testingshared.ts",
    file: "build/gomalloc-test-shared.wasm",
    exports: HOST_SHARED,
    exact: false,
    shared: true,
  },
  {
    name: "object",
    entry: "assembly/abi/object.ts",
    file: "build/gomalloc-object.wasm",
    exports: OBJECT,
    exact: true,
    shared: false,
    object: true,
  },
  {
    name: "object-debug",
    entry: "assembly/abi/objectdebug.ts",
    file: "build/gomalloc-object-debug.wasm",
    exports: OBJECT_DEBUG,
    exact: true,
    shared: false,
    object: true,
  },
  {
    name: "object-shared",
    entry: "assembly/abi/objectshared.ts",
    file: "build/gomalloc-object-shared.wasm",
    exports: [...OBJECT, ...Object.keys(THREAD_SYMBOLS)],
    exact: true,
    shared: true,
    object: true,
  },
  {
    name: "object-shared-debug",
    entry: "assembly/abi/objectshareddebug.ts",
    file: "build/gomalloc-object-shared-debug.wasm",
    exports: [...OBJECT_DEBUG, ...Object.keys(THREAD_SYMBOLS), ...Object.keys(DEBUG_THREAD_SYMBOLS)],
    exact: true,
    shared: true,
    object: true,
  },
];

export const FLAVOURS: readonly Flavour[] = [
  ...PLAIN,
  ...PLAIN.filter(({ name }) => !name.endsWith("-debug")).map(profiling),
];

/** The features that asc enables by default, as wasm-opt calls them. */
const FEATURES = ["bulk-memory", "mutable-globals", "nontrapping-float-to-int", "sign-ext"].map((f) => `--enable-${f}`);
/**
 * What is to be inlined for speed is so in the source (@inline). Beyond that, functions of up to 8 nodes rather than
 * wasm-opt's 20: a hundred bytes and more, all in slow paths. -O4 would be 40 bytes more and no faster.
 */
const OPTIMISE = ["-O3", "--converge", "--flexible-inline-max-function-size=8"];

/** Builds NAME.wasm and NAME.debug.wasm and returns the bytes of the first. Throws when a tool or the check fails. */
export async function buildFlavour(flavour: Flavour): Promise<number> {
  const stem = flavour.file.replace(/\.wasm$/, "");
  const raw = `${stem}.raw.${process.pid}.wasm`;
  const debug = `${stem}.debug.${process.pid}.wasm`;
  const stripped = `${stem}.${process.pid}.wasm`;
  try {
    await runTool("assemblyscript/bin/asc.js", [flavour.entry, "--target", flavour.name, "--outFile", raw]);
    const features = flavour.shared ? [...FEATURES, "--enable-threads"] : FEATURES;
    await runTool("binaryen/bin/wasm-opt", [raw, ...features, ...OPTIMISE, "-g", "-o", debug]);
    const strip = ["--strip-debug", "--strip-producers", "--strip-target-features"];
    await runTool("binaryen/bin/wasm-opt", [debug, ...features, ...strip, "-o", stripped]);
    const bytes = await readFile(join(ROOT, stripped));
    checkModule(bytes, flavour);
    const named = await readFile(join(ROOT, debug));
    checkNames(named, `${stem}.debug.wasm`);
    await replaceFile(join(ROOT, `${stem}.debug.wasm`), named);
    await replaceFile(join(ROOT, flavour.file), bytes);
    return bytes.length;
  } finally {
    await Promise.all([raw, debug, stripped].map((file) => rm(join(ROOT, file), { force: true })));
  }
}
