/**
 * What a command of the command line is, and the options that link and swap share.
 */
import { type ParseArgsConfig, parseArgs } from "node:util";
import type { LinkOptions } from "../tools/link.js";
import { closest } from "./closest.js";

export interface Command {
  /** Half a line for the list of commands. */
  readonly summary: string;
  readonly help: string;
  /** Throws UsageError, ToolError, or what parseArgs throws. */
  run(args: string[]): Promise<void>;
}

/** Of all commands. */
const COMMON_OPTIONS = { help: { type: "boolean", short: "h" } } as const;

/** As parseArgs; what is wrong is a UsageError that names the option, and the one that may have been meant. */
export function parse<Options extends NonNullable<ParseArgsConfig["options"]>>(
  command: string,
  args: string[],
  options: Options,
): ReturnType<typeof parseArgs<{ args: string[]; options: Options; allowPositionals: true }>> {
  const help = `gomalloc help ${command} lists the options.`;
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    const { code, message } = error as { code?: unknown; message: string };
    if (typeof code !== "string" || !code.startsWith("ERR_PARSE_ARGS")) throw error;
    const unknown = /^Unknown option '(-[^']*)'/.exec(message)?.[1];
    if (code !== "ERR_PARSE_ARGS_UNKNOWN_OPTION" || unknown === undefined) {
      throw new UsageError(message.split(". ")[0]!, help);
    }
    const names = Object.keys({ ...options, ...COMMON_OPTIONS }).map((name) => `--${name}`);
    const meant = closest(unknown, names);
    throw new UsageError(`there is no option ${unknown}`, meant === undefined ? help : `Was ${meant} meant? ${help}`);
  }
}

/** The command line is wrong: exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";

  constructor(
    message: string,
    readonly fix: string,
  ) {
    super(message);
  }
}

/** Options of both commands that write a module, for parseArgs. */
export const WRITE_OPTIONS = {
  output: { type: "string", short: "o" },
  "in-place": { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  quiet: { type: "boolean", short: "q", default: false },
  progress: { type: "boolean", default: false },
  "heap-base": { type: "string" },
  flavour: { type: "string" },
  optimize: { type: "string", short: "O" },
  inline: { type: "boolean", default: false },
  "no-inline": { type: "boolean", default: false },
  names: { type: "boolean", default: false },
  "no-names": { type: "boolean", default: false },
  "source-map": { type: "string" },
  "no-source-map": { type: "boolean", default: false },
  "export-family": { type: "boolean", default: false },
  growth: { type: "string" },
} as const satisfies ParseArgsConfig["options"];

export const WRITE_HELP = `  -o, --output FILE      where the result goes; its source map goes to FILE.map; - is standard output
      --in-place         replace the input file
      --json             print the report as JSON
  -q, --quiet            print warnings only
      --progress         say on standard error what is done, a line a step, when it takes longer than
                         two seconds (on a terminal that is so without the option)

  -O LEVEL               wasm-opt's level for the whole program: 0 1 2 3 4 s z (default 3)
      --inline, --no-inline
                         inline malloc and free into their callers, and behind their
                         pointers (default: at -O2 and above)
      --heap-base N      first address of the heap (default: the program's global __heap_base)
      --flavour NAME     malloc or host (default: the smallest that has what is imported)
      --export-family    export malloc, free and the others, for JavaScript
      --growth HOW       auto, memory.grow, emscripten or notify (default auto)
      --names, --no-names
                         keep function names (default: as in the input)
      --source-map FILE  the input's source map (default: what its sourceMappingURL names, if it is a file beside it)
      --no-source-map    write none`;

export interface WriteValues {
  readonly output?: string | undefined;
  readonly "in-place": boolean;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly progress: boolean;
  readonly "heap-base"?: string | undefined;
  readonly flavour?: string | undefined;
  readonly optimize?: string | undefined;
  readonly inline: boolean;
  readonly "no-inline": boolean;
  readonly names: boolean;
  readonly "no-names": boolean;
  readonly "source-map"?: string | undefined;
  readonly "no-source-map": boolean;
  readonly "export-family": boolean;
  readonly growth?: string | undefined;
}

/** The one file that a command line names. Throws UsageError. */
export function onlyFile(positionals: readonly string[]): string {
  const [file, ...more] = positionals;
  if (file === undefined)
    throw new UsageError("no file is given", "Name the .wasm file to work on, or - for standard input.");
  if (more.length > 0) throw new UsageError(`one file too many: ${more.join(" ")}`, "Name one .wasm file.");
  return file;
}

/** The options of link that the command line gives, files aside. Throws UsageError. */
export function linkOptions(values: WriteValues): LinkOptions {
  return {
    heapBase: address(values["heap-base"]),
    flavour: oneOf("flavour", values.flavour, ["malloc", "host"]),
    optimize: values.optimize === undefined ? undefined : level(values.optimize),
    inline: eitherOr("inline", values.inline, values["no-inline"]),
    names: eitherOr("names", values.names, values["no-names"]),
    exportFamily: values["export-family"],
    growth: oneOf("growth", values.growth, ["auto", "memory.grow", "emscripten", "notify"]),
  };
}

function level(text: string): NonNullable<LinkOptions["optimize"]> {
  const known = oneOf("optimize", text.replace(/^O/, ""), ["0", "1", "2", "3", "4", "s", "z"])!;
  return `O${known}`;
}

function oneOf<T extends string>(name: string, text: string | undefined, known: readonly T[]): T | undefined {
  if (text === undefined) return undefined;
  const found = known.find((candidate) => candidate === text);
  if (found === undefined) throw new UsageError(`--${name} ${text} is unknown`, `Give one of ${known.join(", ")}.`);
  return found;
}

function eitherOr(name: string, yes: boolean, no: boolean): boolean | undefined {
  if (yes && no) throw new UsageError(`--${name} and --no-${name} exclude each other`, "Give one of them or neither.");
  return yes ? true : no ? false : undefined;
}

/** Decimal or 0x. */
function address(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = /^(0x[0-9a-f]+|[0-9]+)$/i.test(text) ? Number(text) : Number.NaN;
  if (!(value < 2 ** 32)) {
    throw new UsageError(`--heap-base ${text} is no address`, "Give a number below 2^32, decimal or with 0x.");
  }
  return value;
}
