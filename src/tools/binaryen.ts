/**
 * binaryen, the optional peer dependency that merges and optimises: its JavaScript API and its command-line tools. It
 * is 104 MB, so npm installs it only for those who ask for it.
 *
 * The tools run as child processes of this Node in a temporary folder that is removed whatever happens, signals
 * included (leftovers.ts). Failures are ToolError "binaryen" with the tool's own words; so is a tool that takes longer
 * than any module of its size should. Cost: 0.3 s of start a tool, then what the work takes: half a second for a small
 * program.
 */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";
import { ToolError } from "../wasm/errors.js";
import type { ModuleInfo } from "../wasm/parse.js";
import { BASELINE } from "./baseline.js";
import { atEnd, removeAtEnd } from "./leftovers.js";

export type Binaryen = typeof import("binaryen")["default"];

/** A tool's words beyond this are dropped: a validation error may print the whole module. */
const MAX_MESSAGE = 4096;

/**
 * Bytes of input up to which a tool, 10 MB of WebAssembly, runs in V8's baseline compiler alone: wasm-opt -O3 on 17 KB
 * takes 0.5 s of processor time, not 2.2 s; at 470 KB 2.8 s, not 5.2 s; at 870 KB there is no difference.
 */
const BASELINE_BYTES = 512 * 1024;

let loaded: Promise<Binaryen> | undefined;

/** The JavaScript API. Throws ToolError "binaryen-missing". */
export async function loadBinaryen(): Promise<Binaryen> {
  loaded ??= import(pathToFileURL(resolvePath("binaryen")).href).then(
    (module: { default: Binaryen }) => module.default,
    (cause: unknown) => {
      loaded = undefined;
      throw missing(cause);
    },
  );
  return loaded;
}

/** The file behind a module name of binaryen's. Throws ToolError "binaryen-missing". */
function resolvePath(name: string): string {
  let missed: unknown;
  for (const from of [import.meta.url, ...binFolders()]) {
    try {
      return createRequire(from).resolve(name);
    } catch (cause) {
      missed ??= cause;
    }
  }
  throw missing(missed);
}

/** Folders of commands in PATH that npm made: `npx -p binaryen` installs apart from gomalloc and only adds one here. */
function binFolders(): string[] {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return folders
    .filter((folder) => /[\\/]node_modules[\\/]\.bin$/.test(folder))
    .map((folder) => join(folder, "any.js"));
}

function missing(cause: unknown): ToolError {
  const wanted = `binaryen@${wantedVersion()}`;
  return new ToolError(
    "binaryen-missing",
    "this command needs the npm package binaryen (104 MB), which is not installed",
    `Add it to your project: npm install --save-dev ${wanted}. ` +
      `Or fetch it for one run: npx -p gomalloc -p ${wanted} gomalloc link app.wasm -o app.out.wasm.`,
    { cause },
  );
}

/** The range of peerDependencies, spelt without the ^ that some shells take for their own: ^132.0.0 is 132. */
function wantedVersion(): string {
  const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    peerDependencies: { binaryen: string };
  };
  return manifest.peerDependencies.binaryen.replace(/^\^(\d+)\.0\.0$/, "$1");
}

export type BinaryenTool = "wasm-merge" | "wasm-opt" | "wasm-metadce" | "wasm-as" | "wasm-dis";

/**
 * Runs one tool in a folder that holds `files`, and returns the files named in `outputs`. Throws ToolError:
 * binaryen-missing, binaryen.
 */
export async function runBinaryen<Output extends string>(
  tool: BinaryenTool,
  args: readonly string[],
  files: Readonly<Record<string, Uint8Array | string>>,
  outputs: readonly Output[],
): Promise<Record<Output, Uint8Array<ArrayBuffer>>> {
  const script = resolvePath(`binaryen/bin/${tool}`);
  const folder = join(tmpdir(), `gomalloc-${randomBytes(8).toString("hex")}`);
  // Before it is there: a signal may come at any moment.
  const stays = removeAtEnd(folder);
  try {
    makeFolder(folder);
    const contents = Object.entries(files);
    await Promise.all(contents.map(([name, data]) => writeFile(join(folder, name), data))).catch(noRoom);
    const bytes = contents.reduce((sum, [, { length }]) => sum + length, 0);
    const seconds = timeLimit(bytes);
    const command = [...(bytes <= BASELINE_BYTES ? BASELINE : []), script, ...args];
    const { status, message } = await execute(command, folder, seconds);
    if (status === "late") throw late(tool, seconds);
    if (status !== 0) throw failed(tool, message, status);
    const results = {} as Record<Output, Uint8Array<ArrayBuffer>>;
    for (const name of outputs) {
      const read = await readFile(join(folder, name)).catch(() => undefined);
      if (read === undefined) throw failed(tool, message || `it wrote no ${name}`, status);
      results[name] = new Uint8Array(read);
    }
    return results;
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    stays();
  }
}

/** At once, so that no signal comes between. */
function makeFolder(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (cause) {
    noRoom(cause);
  }
}

function noRoom(cause: unknown): never {
  throw new ToolError(
    "file",
    `cannot write to the temporary folder ${tmpdir()}: ${(cause as Error).message}`,
    "Make room there, or name another folder in the environment variable TMPDIR.",
    { cause },
  );
}

/** Seconds that a tool may take for so many bytes: more than a hundred times what real modules of that size need. */
function timeLimit(bytes: number): number {
  return 600 + bytes / 1024;
}

function late(tool: BinaryenTool, seconds: number): ToolError {
  return new ToolError(
    "binaryen",
    `${tool} was stopped: it had not finished after ${Math.round(seconds)} seconds`,
    "Optimise less (-O1, or -O0), or look for a function of enormous size in the module.",
  );
}

/** Runs Node with `command`, the first of which that is no option is the script. */
function execute(
  command: readonly string[],
  cwd: string,
  seconds: number,
): Promise<{ status: number | "late"; message: string }> {
  return new Promise((resolve, reject) => {
    // Standard output, on some errors the whole module as text, helps nobody.
    const child = spawn(process.execPath, command, { cwd, stdio: ["ignore", "ignore", "pipe"] });
    const stop = () => child.kill("SIGKILL");
    const ended = atEnd(stop);
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      stop();
    }, seconds * 1000);
    let message = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      if (message.length < MAX_MESSAGE) message += text.slice(0, MAX_MESSAGE - message.length);
    });
    const finish = () => {
      clearTimeout(timer);
      ended();
    };
    child.on("error", (cause) => {
      finish();
      reject(
        new ToolError(
          "binaryen",
          `cannot start ${command.join(" ")}: ${cause.message}`,
          "Close other programs, and try again.",
          {
            cause,
          },
        ),
      );
    });
    child.on("close", (status, signal) => {
      finish();
      const words = inShort(message);
      resolve({ status: isLate ? "late" : (status ?? 1), message: signal ? `${words} killed by ${signal}` : words });
    });
  });
}

/** A tool's words without the stack and the source that Node prints when one crashes. */
function inShort(message: string): string {
  const lines = message
    .split("\n")
    .filter((line) => !/^\s+at |^\s*\^+\s*$|^(file:\/\/|Node\.js v)/.test(line) && line.length < 500);
  return lines
    .filter((line) => line.trim() !== "")
    .slice(0, 6)
    .join("\n")
    .trim();
}

function failed(tool: BinaryenTool, message: string, status: number): ToolError {
  return new ToolError(
    "binaryen",
    `${tool} failed with status ${status}: ${message || "it said nothing"}`,
    "The module may have a damaged custom section (wasm-strip removes them all), or use a WebAssembly feature that this " +
      "binaryen does not know: compile the program without it, or update gomalloc and binaryen.",
  );
}

/** What gomalloc itself is made of; every engine since 2020 runs it. */
export const OWN_FEATURES: readonly string[] = [
  "mutable-globals",
  "nontrapping-float-to-int",
  "bulk-memory",
  "bulk-memory-opt",
  "sign-ext",
];
/** What a module may use that does not say what it uses, and Node 20 runs. None of it is brought in by binaryen. */
export const COMMON_FEATURES: readonly string[] = [
  ...["simd", "multivalue", "reference-types", "call-indirect-overlong", "exception-handling", "tail-call", "threads"],
];
/** Features that would let binaryen write what few engines read, or that change what its input means. */
const NEVER = ["custom-descriptors", "compact-imports", "strings", "stack-switching", "shared-everything", "memory64"];

/**
 * Feature flags to try for a module, the narrowest first. A target_features section, which binaryen reads itself, makes
 * the first one enough; modules without it get what engines commonly have, then everything.
 */
export function featureFlags(info: ModuleInfo): string[][] {
  const enable = (features: readonly string[]) => ["--mvp-features", ...features.map((name) => `--enable-${name}`)];
  const gc = info.gc ? ["gc", "reference-types"] : [];
  const threads = info.memories.some(({ shared }) => shared) ? ["threads"] : [];
  const own = enable([...OWN_FEATURES, ...gc, ...threads]);
  const common = enable([...OWN_FEATURES, ...COMMON_FEATURES, ...gc]);
  const all = ["--all-features", ...NEVER.map((name) => `--disable-${name}`)];
  return info.targetFeatures === undefined ? [common, all] : [own, common, all];
}
