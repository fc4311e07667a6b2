/**
 * gomalloc profile: runs a WASI program and leaves a heap profile of it.
 *
 * A program that samples already is run as it is. Any other is first given an allocator that does, in memory: by link when
 * it imports the malloc family, else by swap. It runs in this process, by node:wasi, with the terminal's input and output
 * and the folders that --dir names.
 */
import { writeFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { MAX_PROFILE_RATE } from "../base/abinumbers.js";
import { many } from "../base/plural.js";
import { isAllocator } from "../profile/allocators.js";
import { flameGraph } from "../profile/flamegraph.js";
import { sourceMapOf } from "../profile/linemap.js";
import { encodePprof, SAMPLE_TYPES, type SampleType } from "../profile/pprof.js";
import { buildProfile, type ProfileOptions } from "../profile/profile.js";
import { type SymbolKind, Symbols } from "../profile/symbols.js";
import { formatTop, topRows } from "../profile/table.js";
import { isText } from "../profile/text.js";
import type { Profile, SourceFrame } from "../profile/types.js";
import { sampledBlocks } from "../sampling/blocks.js";
import { findDamage } from "../sampling/damage.js";
import { DEFAULT_RATE, profileImports } from "../sampling/hooks.js";
import { readSamples, type SampledHeap } from "../sampling/read.js";
import { type DamageReport, describeReport } from "../sampling/report.js";
import { readSnapshot } from "../snapshot/read.js";
import type { HeapSnapshot } from "../snapshot/snapshot.js";
import { link } from "../tools/link.js";
import { ToolError } from "../wasm/errors.js";
import { inspect } from "../wasm/parse.js";
import {
  COMMON_HELP,
  type Command,
  count,
  EXIT_HELP,
  JSON_HELP,
  parse,
  REPORT_OPTIONS,
  UsageError,
} from "./command.js";
import { inFile, mapBeside, readInput, writeOutput } from "./files.js";
import { jsonLine, jsonText, printable } from "./text.js";
import {
  type Advice,
  commandOf,
  readWasi,
  runCommand,
  swapFor,
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
  svg: { type: "string" },
  snapshot: { type: "string" },
  peak: { type: "boolean", default: false },
  top: { type: "string", default: "10" },
  type: { type: "string" },
  allocator: { type: "string" },
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
      --svg FILE         also write the profile as a picture, a flame graph
      --snapshot FILE    also write a snapshot of the heap, with the sampled blocks
                         in it, for gomalloc map
      --peak             profile and snapshot show the heap at the first sample
                         after the memory last grew (default: at the end)
      --top N            rows of the table (default 10)
      --type TYPE        what the table shows: inuse_space, inuse_objects,
                         alloc_space or alloc_objects (default: inuse_space if
                         anything is in use at the end, else alloc_space)
      --allocator RE     functions whose whole name matches this regular expression
                         count as parts of the allocator, as malloc does: stacks
                         begin at their caller
      --guard            guard sampled blocks: writes outside of blocks and into
                         freed ones are told on standard error, at the latest
                         when the program has ended; the exit code is then 1
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
  gomalloc profile --svg heap.svg --snapshot heap.json app.wasm
  gomalloc profile --guard-all app.wasm
  go tool pprof -top heap.pb.gz

${EXIT_HELP}
A program that ends with another code than 0 gives its own.`,

  async run(args) {
    const { values, positionals } = parse("profile", args, OPTIONS);
    const [file, ...programArgs] = positionals;
    if (file === undefined) throw new UsageError("no file is given", "Name the .wasm file to run.");
    const options = readOptions(values);
    for (const name of ["svg", "snapshot"] as const) {
      if (values[name] !== "-") continue;
      const fix = `Give it a file: --${name} FILE.`;
      throw new UsageError(`--${name} - would go where the program writes`, fix);
    }
    const program = await inFile(file, async () => sampling(await readInput(file), file));
    const ran = await inFile(file, () => runProgram(program, file, programArgs, options));
    const profile = buildProfile(ran.samples, {
      symbols: ran.symbols,
      program: { name: file },
      isRuntime: options.isRuntime,
    });
    const bytes = gzipSync(encodePprof(profile));
    await inFile(values.output, () => writeFile(values.output, bytes));
    const type =
      options.type ?? (profile.samples.some(({ inuseBytes }) => inuseBytes > 0) ? "inuse_space" : "alloc_space");
    if (values.svg !== undefined) await writeOutput(values.svg, flameGraph(profile, { sampleType: type }));
    if (values.snapshot !== undefined) await writeOutput(values.snapshot, jsonLine(ran.snapshot));
    if (values.json) console.log(jsonText(plain(profile, ran, values.output, type, options.top)));
    else if (!values.quiet) {
      console.log(printable(formatTop(profile, { sampleType: type, count: options.top }).trimEnd()));
      if (profile.samples.length === 0 && options.rate > 1) console.log(NO_SAMPLE);
      console.log(printable(`${values.output}: ${many(profile.samples.length, "stack")}; ${ADVICE[ran.symbols.kind]}`));
    }
    if (ran.trap !== undefined) {
      throw new ToolError("program", `the program trapped: ${ran.trap}`, "The profile shows the heap at that moment.");
    }
    // Damage that was found fails a run that says nothing of it itself.
    process.exitCode = ran.code || (ran.reports.length > 0 ? 1 : 0);
  },
};

const NO_SAMPLE = "nothing was sampled: a program that allocates little needs a smaller rate, --rate 1 is every block";

const ADVICE: Record<SymbolKind, string> = {
  dwarf: "go tool pprof reads it",
  "source-map": "go tool pprof reads it",
  names: "for lines compile with -g, and without an optimiser behind the linker",
  numbers: "for names keep the name section, for lines compile with -g",
};

interface Options extends WasiOptions {
  readonly rate: number;
  readonly guard: boolean | "all";
  readonly peak: boolean;
  readonly top: number;
  readonly type: SampleType | undefined;
  readonly isRuntime: (frame: SourceFrame) => boolean;
}

/** Throws UsageError. */
function readOptions(values: {
  readonly rate?: string | undefined;
  readonly guard: boolean;
  readonly "guard-all": boolean;
  readonly peak: boolean;
  readonly top: string;
  readonly type?: string | undefined;
  readonly allocator?: string | undefined;
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
    rate: values["guard-all"] ? 1 : rate === undefined ? DEFAULT_RATE : count("rate", rate, [1, MAX_PROFILE_RATE]),
    guard: values["guard-all"] ? "all" : values.guard,
    peak: values.peak,
    top: count("top", values.top, [1, 1e6]),
    type: type as SampleType | undefined,
    isRuntime: runtime(values.allocator),
    ...readWasi(values),
  };
}

/** Which functions are the allocator's. Throws UsageError. */
function runtime(expression: string | undefined): (frame: SourceFrame) => boolean {
  if (expression === undefined) return isAllocator;
  let names: RegExp;
  try {
    names = new RegExp(`^(?:${expression})$`);
  } catch {
    throw new UsageError(
      `--allocator ${expression} is no regular expression`,
      "Give one of JavaScript: 'my_alloc|xm.*'.",
    );
  }
  return (frame) => isAllocator(frame) || names.test(frame.function);
}

/** Not optimised: a function that were inlined would be missing in the stacks. */
const AS_WRITTEN = { profile: true, optimize: "O0", names: true } as const;

/** What runs, and the file that names and lines are of: the same, or a source map of it. */
interface Program {
  readonly wasm: Uint8Array<ArrayBuffer>;
  readonly map?: string | Uint8Array | undefined;
}

/** The program with an allocator that samples. Throws ToolError as link and swap do. */
async function sampling(bytes: Uint8Array<ArrayBuffer>, file: string): Promise<Program> {
  const { imports } = inspect(bytes);
  const from = (module: string, names: readonly string[]) =>
    imports.some((entry) => entry.kind === "function" && entry.module === module && names.includes(entry.name));
  if (from("gomalloc", ["stack"])) {
    const warnings: string[] = [];
    const map = await mapBeside(file, bytes, warnings);
    for (const warning of warnings) console.error(printable(`gomalloc: warning: ${warning}`));
    return { wasm: bytes, map };
  }
  const map = sourceMapOf(bytes);
  const imported = imports.some(({ kind, module }) => kind === "function" && module === "gomalloc");
  if (imported || from("env", ["malloc", "free"])) {
    const { wasm, sourceMap } = await link(bytes, { ...AS_WRITTEN, sourceMap: map });
    return { wasm, map: sourceMap };
  }
  const { wasm, sourceMap } = await swapFor("gomalloc swap --profile", bytes, { ...AS_WRITTEN, sourceMap: map });
  return { wasm, map: sourceMap };
}

interface Ran {
  readonly samples: SampledHeap;
  readonly symbols: Symbols;
  /** The program's exit code, and the message of the trap that ended it. */
  readonly code: number;
  readonly trap: string | undefined;
  readonly reports: readonly DamageReport[];
  /** The heap when the samples were read. */
  readonly snapshot: HeapSnapshot;
}

async function runProgram(program: Program, name: string, args: readonly string[], options: Options): Promise<Ran> {
  const { preopens, env, rate, guard, peak, isRuntime } = options;
  const wasi = await wasiFor({ args: [name, ...args], env, preopens });
  const symbols = new Symbols(program.wasm, { sourceMap: program.map });
  const reports: DamageReport[] = [];
  const onReport = (report: DamageReport): void => {
    reports.push(report);
    const { allocated, freed, found } = report;
    const own = { allocated: ofProgram(allocated), found: ofProgram(found) };
    const shown = { ...report, ...own, ...(freed === undefined ? {} : { freed: ofProgram(freed) }) };
    console.error(printable(describeReport(shown, symbols)));
  };
  let memory: WebAssembly.Memory | undefined;
  const look = (at: WebAssembly.Memory) => lookAt(at, name, { symbols, isRuntime });
  let seen: ReturnType<typeof look> | undefined;
  const gomalloc = profileImports(() => memory, {
    ...(guard === "all" ? {} : { rate }),
    guard,
    ...(peak ? { onGrowth: (grown: WebAssembly.Memory) => (seen = look(grown)) } : {}),
    onReport,
  });
  const command = await commandOf(program.wasm, wasi, gomalloc, PROFILED);
  memory = command.memory;
  const { code, trap } = runCommand(wasi, command);
  // What the program has not freed, and what is in quarantine: nothing looks at that any more.
  if (guard !== false) for (const report of findDamage(memory)) onReport(report);
  return { ...(seen ?? look(memory)), symbols, code, trap, reports };
}

/** The heap as it is now. */
function lookAt(
  memory: WebAssembly.Memory,
  label: string,
  names: Pick<ProfileOptions, "symbols" | "isRuntime">,
): Pick<Ran, "samples" | "snapshot"> {
  const read = readSamples(memory);
  const buckets = read.buckets.map((bucket) => ({ ...bucket, stack: ofProgram(bucket.stack) }));
  const samples = { ...read, buckets };
  return { samples, snapshot: readSnapshot(memory, { label, samples: sampledBlocks(samples, names) }) };
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
