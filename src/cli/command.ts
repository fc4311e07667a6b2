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
  /** Throws UsageError and ToolError. */
  run(args: string[]): Promise<void>;
}

/** Options of all commands that main.ts carries out. */
const COMMON_OPTIONS = {
  help: { type: "boolean", short: "h" },
  version: { type: "boolean", short: "v" },
} as const satisfies ParseArgsConfig["options"];

/** The end of the list of options in each command's help. */
export const COMMON_HELP = `  -h, --help             print this
  -v, --version          print the version of gomalloc`;

/** The end of each help. */
export const EXIT_HELP = `Exit codes:
  0  done
  1  the file or a tool is at fault
  2  the command line is at fault`;

type Parsed<Options extends NonNullable<ParseArgsConfig["options"]>> = ReturnType<
  typeof parseArgs<{ args: string[]; options: Options & typeof COMMON_OPTIONS; allowPositionals: true }>
>;

/** As parseArgs; what is wrong is a UsageError that names the option, and the one that may have been meant. */
export function parse<Options extends NonNullable<ParseArgsConfig["options"]>>(
  command: string,
  args: string[],
  options: Options,
): Parsed<Options> {
  const help = `gomalloc help ${command} lists the options.`;
  const all = { ...options, ...COMMON_OPTIONS };
  try {
    const parsed = parseArgs({ args, options: all, allowPositionals: true, tokens: true });
    for (const token of parsed.tokens) {
      if (token.kind !== "option-terminator") checkValue(token.kind === "option" ? token.rawName : "file", token.value);
    }
    return parsed;
  } catch (error) {
    const { code, message } = error as { code?: unknown; message: string };
    if (typeof code !== "string" || !code.startsWith("ERR_PARSE_ARGS")) throw error;
    const quoted = /'(-[^'<]*?)(?: <value>)?'/.exec(message)?.[1] ?? "an option";
    if (code === "ERR_PARSE_ARGS_UNKNOWN_OPTION") {
      const meant = closest(
        quoted,
        Object.keys(all).map((name) => `--${name}`),
      );
      throw new UsageError(`there is no option ${quoted}`, meant === undefined ? help : `Was ${meant} meant? ${help}`);
    }
    if (/does not take an argument/.test(message)) {
      throw new UsageError(`${quoted} takes no value`, `Give ${quoted} alone.`);
    }
    const dash = /ambiguous/.test(message) ? " One that begins with - is given after =: --output=-out.wasm." : "";
    throw new UsageError(`${quoted} needs a value`, `Give it after the option, or leave the option out.${dash}`);
  }
}

/** Refuses what scripts give when a variable is not set, and -o=FILE, which would be a file of the name "=FILE". */
function checkValue(name: string, value: string | undefined): void {
  if (value === "") throw new UsageError(`${name}: the name or value is empty`, "Is a variable of the script not set?");
  if (/^-[^-]$/.test(name) && value?.startsWith("=")) {
    throw new UsageError(`${name}${value}: short options take no =`, `Write ${name} ${value.slice(1)}.`);
  }
}

/** What the words of a command line ask for beside the command's work: known even if the rest of it is wrong. */
export interface Asked {
  readonly help: boolean;
  readonly version: boolean;
  readonly json: boolean;
  readonly quiet: boolean;
  /** The module goes to standard output, and what is said about it to standard error. */
  readonly moduleToStdout: boolean;
}

export function asked(words: readonly string[]): Asked {
  const end = words.indexOf("--");
  const options = end < 0 ? words : words.slice(0, end);
  const has = (...names: string[]) => names.some((name) => options.includes(name));
  return {
    help: has("--help") || options.some((word) => /^-[qhv]*h[qhv]*$/.test(word)),
    version: has("--version", "-V") || options.some((word) => /^-[qv]*v[qv]*$/.test(word)),
    json: has("--json"),
    quiet: has("--quiet", "-q"),
    moduleToStdout: options.some((word, i) => {
      return /^(-\w*o|--output=)-$/.test(word) || (/^(-\w*o|--output)$/.test(word) && options[i + 1] === "-");
    }),
  };
}

/** The command line is wrong: exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly code = "usage";

  constructor(
    message: string,
    readonly fix: string,
  ) {
    super(message);
  }
}

/** How a command reports, for parseArgs. */
export const REPORT_OPTIONS = {
  json: { type: "boolean", default: false },
  quiet: { type: "boolean", short: "q", default: false },
} as const satisfies ParseArgsConfig["options"];

export const JSON_HELP = `      --json             print the report as JSON, and errors too; the package's
                         docs/cli.md lists the fields`;

/** Options of both commands that write a module, for parseArgs. */
export const WRITE_OPTIONS = {
  output: { type: "string", short: "o" },
  "in-place": { type: "boolean", default: false },
  ...REPORT_OPTIONS,
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
  profile: { type: "boolean", default: false },
  "export-family": { type: "boolean", default: false },
  growth: { type: "string" },
} as const satisfies ParseArgsConfig["options"];

export const WRITE_HELP: string = `  -o, --output FILE      where the result goes, and its source map to FILE.map;
                         - is standard output, and the report then goes to
                         standard error
      --in-place         replace the input file
${JSON_HELP}
  -q, --quiet            no report; warnings go to standard error. With --json:
                         the JSON alone
      --progress         print each step on standard error, a line a step, when
                         the whole takes longer than two seconds; on a terminal
                         the step is shown without the option

  -O, --optimize LEVEL   wasm-opt's level for the whole program: 0 1 2 3 4 s z
                         (default 3)
      --inline, --no-inline
                         inline malloc and free into their callers, and behind
                         their pointers (default: at -O2 and above)
      --heap-base N      first address of the heap (default: the program's
                         global __heap_base)
      --flavour NAME     malloc or host (default: the smallest that has what is
                         imported)
      --profile          sample allocations, for heap profiles and guarded
                         blocks: the result imports functions of module gomalloc
                         that the package's entry gomalloc/profile gives.
                         Where malloc is inlined its calls have no lines of
                         their own: with --no-inline each call has its line
      --export-family    export malloc, free and the others, for JavaScript
      --growth HOW       auto, memory.grow, emscripten or notify (default auto)
      --names, --no-names
                         keep function names (default: as in the input)
      --source-map FILE  the input's source map (default: the file beside the
                         input that its sourceMappingURL names; without one,
                         a map is made of the input's DWARF)
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
  readonly profile: boolean;
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
    heapBase: address("heap-base", values["heap-base"]),
    flavour: oneOf("flavour", values.flavour, ["malloc", "host"]),
    optimize: values.optimize === undefined ? undefined : level(values.optimize),
    inline: eitherOr("inline", values.inline, values["no-inline"]),
    names: eitherOr("names", values.names, values["no-names"]),
    profile: values.profile,
    exportFamily: values["export-family"],
    growth: oneOf("growth", values.growth, ["auto", "memory.grow", "emscripten", "notify"]),
  };
}

function level(text: string): NonNullable<LinkOptions["optimize"]> {
  const known = oneOf("optimize", text.replace(/^O/, ""), ["0", "1", "2", "3", "4", "s", "z"])!;
  return `O${known}`;
}

/** The word that an option gives, one of `known`. Throws UsageError. */
export function oneOf<T extends string>(name: string, text: string | undefined, known: readonly T[]): T | undefined {
  if (text === undefined) return undefined;
  const found = known.find((candidate) => candidate === text);
  if (found === undefined) throw new UsageError(`--${name} ${text} is unknown`, `Give one of ${known.join(", ")}.`);
  return found;
}

function eitherOr(name: string, yes: boolean, no: boolean): boolean | undefined {
  if (yes && no) throw new UsageError(`--${name} and --no-${name} exclude each other`, "Give one of them or neither.");
  return yes ? true : no ? false : undefined;
}

/** The whole number that an option gives, from `least` to `most`. Throws UsageError, which calls it `what`. */
export function count(
  name: string,
  text: string,
  [least, most]: readonly [number, number],
  what: readonly [kind: string, fix: string] = [`number from ${least} to ${most}`, "a whole number, decimal"],
): number {
  const value = /^[0-9]+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new UsageError(`--${name} ${text} is no ${what[0]}`, `Give ${what[1]}.`);
}

/** The address that an option gives, decimal or 0x. Throws UsageError. */
export function address(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = /^(0x[0-9a-f]+|[0-9]+)$/i.test(text) ? Number(text) : Number.NaN;
  if (!(value < 2 ** 32)) {
    throw new UsageError(`--${name} ${text} is no address`, "Give a number below 2^32, decimal or with 0x.");
  }
  return value;
}
