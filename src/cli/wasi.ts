/**
 * WASI commands, run by node:wasi: what `gomalloc profile` and `gomalloc serve` have in common. The program has the terminal's
 * input and output, and the folders and variables that the command line names.
 */
import { resolve } from "node:path";
import { setFlagsFromString } from "node:v8";
import type { WASI } from "node:wasi";
import { type SwapOptions, type SwapResult, swap } from "../tools/swap/swap.js";
import { ToolError } from "../wasm/errors.js";
import { UsageError } from "./command.js";

/** For parseArgs. */
export const WASI_OPTIONS = {
  dir: { type: "string", multiple: true, default: [] as string[] },
  env: { type: "string", multiple: true, default: [] as string[] },
} as const;

export const WASI_HELP = `      --dir DIR          a folder that the program may use, under the same name;
                         HOST::GUEST gives it another. May be repeated
      --env NAME=VALUE   an environment variable of the program. May be repeated`;

export interface WasiOptions {
  readonly preopens: Record<string, string>;
  readonly env: Record<string, string>;
}

/** Throws UsageError. */
export function readWasi({
  dir,
  env,
}: {
  readonly dir: readonly string[];
  readonly env: readonly string[];
}): WasiOptions {
  return {
    preopens: Object.fromEntries(
      dir.map((text) => {
        const [host = "", guest = host] = text.split("::");
        return [guest, resolve(host)];
      }),
    ),
    env: Object.fromEntries(
      env.map((text) => {
        const [, name, value] = /^([^=]+)=([\s\S]*)$/.exec(text) ?? [];
        if (name === undefined) throw new UsageError(`--env ${text} has no =`, "Give it as NAME=VALUE.");
        return [name, value!];
      }),
    ),
  };
}

export async function wasiFor(options: WasiOptions & { readonly args: readonly string[] }): Promise<WASI> {
  // Node 20 crashes when wasm calls node:wasi by V8's fast calls while the memory is large.
  setFlagsFromString("--no-turbo-fast-api-calls");
  // Which says at every start that it is experimental.
  process.removeAllListeners("warning");
  const { WASI } = await import("node:wasi");
  const { args, env, preopens } = options;
  return new WASI({ version: "preview1", args: [...args], env, preopens, returnOnExit: true });
}

/** What to do about a program that is no WASI command: one with other imports, or without the exports. */
export interface Advice {
  readonly imports: string;
  readonly exports: string;
}

export interface WasiCommand {
  readonly instance: WebAssembly.Instance;
  readonly memory: WebAssembly.Memory;
}

/** Throws ToolError "program" when the program is no WASI command. */
export async function commandOf(
  wasm: Uint8Array<ArrayBuffer>,
  wasi: WASI,
  gomalloc: WebAssembly.ModuleImports,
  advice: Advice,
): Promise<WasiCommand> {
  const { wasi_snapshot_preview1: direct } = wasi.getImportObject() as Record<string, WebAssembly.ModuleImports>;
  const calls = Object.entries(direct!) as [string, (...values: unknown[]) => unknown][];
  const wrapped = Object.fromEntries(calls.map(([name, call]) => [name, (...values: unknown[]) => call(...values)]));
  const module = await WebAssembly.compile(wasm);
  const known = ["wasi_snapshot_preview1", "gomalloc"];
  const other = WebAssembly.Module.imports(module).find((entry) => !known.includes(entry.module));
  if (other !== undefined) {
    const what = `the program imports ${other.module}.${other.name}, which is not of WASI`;
    throw new ToolError("program", what, advice.imports);
  }
  const { exports } = await WebAssembly.instantiate(module, { wasi_snapshot_preview1: wrapped, gomalloc });
  const memory = exports["memory"];
  if (typeof exports["_start"] !== "function" || !(memory instanceof WebAssembly.Memory)) {
    const what = "the program has no function _start, or exports no memory: it is no WASI command";
    throw new ToolError("program", what, advice.exports);
  }
  return { instance: { exports }, memory };
}

/** How a command ended: its exit code, and the message of the trap that ended it. */
export interface Ended {
  readonly code: number;
  readonly trap: string | undefined;
}

/** Runs the program to its end. */
export function runCommand(wasi: WASI, { instance }: WasiCommand): Ended {
  try {
    return { code: wasi.start(instance), trap: undefined };
  } catch (error) {
    return { code: 1, trap: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * swap for a command that has no option --family: its advice names `command`, which has. Throws ToolError as swap does.
 */
export async function swapFor(
  command: string,
  program: Uint8Array<ArrayBuffer>,
  options?: SwapOptions,
): Promise<SwapResult> {
  try {
    return await swap(program, options);
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    const fix = error.fix.replaceAll("the option family", `--family of ${command}, whose result you run then`);
    throw new ToolError(error.code, error.message, fix, { cause: error });
  }
}
