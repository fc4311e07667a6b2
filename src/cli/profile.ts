/**
 * gomalloc profile: runs a WASI program and leaves a heap profile of it.
 *
 * A program that samples already is run as it is. Any other is first given an allocator that does, in memory: by link when
 * it imports the malloc family, else by swap. It runs in this process, by node:wasi, with the terminal's input and output
 * and the folders that --dir names.
 */
import { writeFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { sourceMapOf } from "../profile/linemap.js";
import { encodePprof, SAMPLE_TYPES, type SampleType } from "../profile/pprof.js";
import { buildProfile } from "../profile/profile.js";
import { type SymbolKind, Symbols } from "../profile/symbols.js";
import { formatTop, topRows } from "../profile/table.js";
import { isText } from "../profile/text.js";
import type { Profile } from "../profile/types.js";
import { DEFAULT_RATE, profileImports } from "../sampling/hooks.js";
import { readSamples, type SampledHeap } from "../sampling/read.js";
import { type DamageReport, describeReport } from "../sampling/report.js";
import { link } from "../tools/link.js";
import { swap } from "../tools/swap/swap.js";
import { ToolError } from "../wasm/errors.js";
import { inspect } from "../wasm/parse.js";
import { COMMON_HELP, type Command, EXIT_HELP, JSON_HELP, parse, REPORT_OPTIONS, UsageError } from "./command.js";
import { inFile, readInput } from "./files.js";
import { jsonText, printable } from "./text.js";
import {
  type Advice,
  commandOf,
  readWasi,
  runCommand,
  WASI_HELP,
  WASI_OPTIONS,
  type WasiOptions,
  wasiFor,
} from "./wasi.js";

const OPTIONS = {
  ...REPORT_OPTIONS,
  output: { type: "string", short: "o", default: "heap.pb.gz" },
  rate: { type: "string" },
  guard: { type: "boolean", default: false },
  "guard-all": { type: "boolean", default: false },
  top: { type: "string", default: "10" },
  type: { type: "string" },
  ...WASI_OPTIONS,
} as const;

export const profileCommand: Command = {
  summary: "run a WASI program and write a heap profile of it",
  help: `gomalloc profile: run a WASI program and write a heap profile of it

Usage: gomalloc profile [options] <file> [-- arguments of the program]

  -o, --output FILE      where the profile goes, for go tool pprof, speedscope and
                         other viewers (default heap.pb.gz)
      --rate BYTES       mean bytes allocated between two samples (default
                         524288); 1 samples every block
      --top N            rows of the table (default 10)
      --type TYPE        what the table shows: inuse_space, inuse_objects,
                         alloc_space or alloc_objects (default: inuse_space if
                         anything is in use at the end, else alloc_space)
      --guard            guard sampled blocks: writes outside of blocks and into
                         freed ones are told on standard error
      --guard-all        guard every block, which is --rate 1 --guard
${WASI_HELP}
${JSON_HELP}
  -q, --quiet            no table
${COMMON_HELP}

The program is one for wasi_snapshot_preview1. If it was not made with
gomalloc link --profile or libgomalloc-profile.a, its allocator is replaced
before it runs, as gomalloc link and gomalloc swap do. Function names need a
name section, lines need DWARF (-g) or a source map.

Examples:
  gomalloc profile app.wasm -- input.txt
  gomalloc profile --rate 65536 --dir . app.wasm -- ./input.txt
  gomalloc profile --guard-all app.wasm
  go tool pprof -top heap.pb.gz

${EXIT_HELP}
A program that ends with another code than 0 gives its own.`,

  async run(args) {
    const { values, positionals } = parse("profile", args, OPTIONS);
    const [file, ...programArgs] = positionals;
    if (file === undefined) throw new UsageError("no file is given", "Name the .wasm file to run.");
    const options = readOptions(values);
    const program = await inFile(file, async () => sampling(await readInput(file)));
    const ran = await inFile(file, () => runProgram(program, file, programArgs, options));
    const profile = buildProfile(ran.samples, { symbols: ran.symbols, program: { name: file } });
    const bytes = gzipSync(encodePprof(profile));
    await inFile(values.output, () => writeFile(values.output, bytes));
    const type =
      options.type ?? (profile.samples.some(({ inuseBytes }) => inuseBytes > 0) ? "inuse_space" : "alloc_space");
    if (values.json) console.log(jsonText(plain(profile, ran, values.output, type, options.top)));
    else if (!values.quiet) {
      console.log(printable(formatTop(profile, { sampleType: type, count: options.top }).trimEnd()));
      console.log(printable(`${values.output}: ${profile.samples.length} stacks; ${ADVICE[ran.symbols.kind]}`));
    }
    if (ran.trap !== undefined) {
      throw new ToolError("program", `the program trapped: ${ran.trap}`, "The profile shows the heap at that moment.");
    }
    process.exitCode = ran.code;
  },
};

const ADVICE: Record<SymbolKind, string> = {
  dwarf: "go tool pprof reads it",
  "source-map": "go tool pprof reads it",
  names: "for lines compile with -g, and without an optimiser behind the linker",
  numbers: "for names keep the name section, for lines compile with -g",
};

interface Options extends WasiOptions {
  readonly rate: number;
  readonly guard: boolean | "all";
  readonly top: number;
  readonly type: SampleType | undefined;
}

/** Throws UsageError. */
function readOptions(values: {
  readonly rate?: string | undefined;
  readonly guard: boolean;
  readonly "guard-all": boolean;
  readonly top: string;
  readonly type?: string | undefined;
  readonly dir: readonly string[];
  readonly env: readonly string[];
}): Options {
  const { rate, type } = values;
  if (values["guard-all"] && rate !== undefined && rate !== "1") {
    throw new UsageError("--guard-all samples every block", "Leave --rate out, or take --guard.");
  }
  if (type !== undefined && !(SAMPLE_TYPES as readonly string[]).includes(type)) {
    throw new UsageError(`--type is no ${type}`, `Give one of ${SAMPLE_TYPES.join(", ")}.`);
  }
  return {
    rate: values["guard-all"] ? 1 : rate === undefined ? DEFAULT_RATE : count("rate", rate, 0x70000000),
    guard: values["guard-all"] ? "all" : values.guard,
    top: count("top", values.top, 1e6),
    type: type as SampleType | undefined,
    ...readWasi(values),
  };
}

function count(name: string, text: string, most: number): number {
  const value = /^[0-9]+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= 1 && value <= most) return value;
  throw new UsageError(`--${name} ${text} is no number from 1 to ${most}`, "Give a whole number, decimal.");
}

/** Not optimised: a function that were inlined would be missing in the stacks. */
const AS_WRITTEN = { profile: true, optimize: "O0", names: true } as const;

/** What runs, and the file that names and lines are of: the same, or a source map of it. */
interface Program {
  readonly wasm: Uint8Array<ArrayBuffer>;
  readonly map?: string | undefined;
}

/** The program with an allocator that samples. Throws ToolError as link and swap do. */
async function sampling(bytes: Uint8Array<ArrayBuffer>): Promise<Program> {
  const { imports } = inspect(bytes);
  const from = (module: string, names: readonly string[]) =>
    imports.some((entry) => entry.kind === "function" && entry.module === module && names.includes(entry.name));
  if (from("gomalloc", ["stack"])) return { wasm: bytes };
  const map = sourceMapOf(bytes);
  const imported = imports.some(({ kind, module }) => kind === "function" && module === "gomalloc");
  if (imported || from("env", ["malloc", "free"])) {
    const { wasm, sourceMap } = await link(bytes, { ...AS_WRITTEN, sourceMap: map });
    return { wasm, map: sourceMap };
  }
  // Its lines are lost: swap carries none.
  const { wasm } = await swap(bytes, AS_WRITTEN);
  return { wasm };
}

interface Ran {
  readonly samples: SampledHeap;
  readonly symbols: Symbols;
  /** The program's exit code, and the message of the trap that ended it. */
  readonly code: number;
  readonly trap: string | undefined;
  readonly reports: readonly DamageReport[];
}

async function runProgram(program: Program, name: string, args: readonly string[], options: Options): Promise<Ran> {
  const { preopens, env, rate, guard } = options;
  const wasi = await wasiFor({ args: [name, ...args], env, preopens });
  const symbols = new Symbols(program.wasm, { sourceMap: program.map });
  const reports: DamageReport[] = [];
  let memory: WebAssembly.Memory | undefined;
  const gomalloc = profileImports(() => memory, {
    ...(guard === "all" ? {} : { rate }),
    guard,
    onReport(report) {
      reports.push(report);
      const { allocated, freed, found } = report;
      const own = { allocated: ofProgram(allocated), found: ofProgram(found) };
      const shown = { ...report, ...own, ...(freed === undefined ? {} : { freed: ofProgram(freed) }) };
      console.error(printable(describeReport(shown, symbols)));
    },
  });
  const command = await commandOf(program.wasm, wasi, gomalloc, PROFILED);
  memory = command.memory;
  const { code, trap } = runCommand(wasi, command);
  const samples = readSamples(memory);
  const buckets = samples.buckets.map((bucket) => ({ ...bucket, stack: ofProgram(bucket.stack) }));
  return { samples: { ...samples, buckets }, symbols, code, trap, reports };
}

/** What to do with a program that is no WASI command. */
const PROFILED: Advice = {
  imports:
    "Run it in its own host with the imports of profileImports (gomalloc/profile); gomalloc link --profile prepares it.",
  exports: "Build it as a command with a main function, or profile it in its own host by profileImports.",
};

/** A stack without what called the program: node:wasi and this command. */
function ofProgram(stack: readonly number[]): readonly number[] {
  let end = stack.length;
  while (end > 0 && isText(stack[end - 1]!)) end--;
  return stack.slice(0, end);
}

/** What --json prints, as docs/cli.md lists it. */
function plain(profile: Profile, ran: Ran, output: string, type: SampleType, top: number): unknown {
  const sum = (value: "allocObjects" | "allocBytes" | "inuseObjects" | "inuseBytes") =>
    profile.samples.reduce((total, sample) => total + sample[value], 0);
  const { rows } = topRows(profile, { sampleType: type, count: top });
  return {
    output,
    rate: profile.rate,
    stacks: profile.samples.length,
    lines: ran.symbols.kind,
    exitCode: ran.code,
    trap: ran.trap,
    allocObjects: sum("allocObjects"),
    allocBytes: sum("allocBytes"),
    inuseObjects: sum("inuseObjects"),
    inuseBytes: sum("inuseBytes"),
    type,
    top: rows.map((row) => ({ function: row.function, place: row.place, flat: row.flat, cum: row.cum })),
    reports: ran.reports.map(({ kind, address, size }) => ({ kind, address, size })),
  };
}
