/**
 * The command line of bench/programs/main.ts.
 */

import { parseArgs } from "node:util";
import { RESULT_FLAGS, RESULT_HELP, resultFolder } from "../../lib/results.ts";
import type { Allocator } from "./allocators.ts";
import type { Scale } from "./catalog.ts";

/** What a run is asked to do. */
export interface Options {
  readonly scale: Scale;
  readonly rounds: number;
  wantsProgram(name: string): boolean;
  wantsWorkload(name: string): boolean;
  wantsAllocator(name: string): boolean;
  readonly json: string | undefined;
  /** The folder that the result is published to, if it is. */
  readonly results: string | undefined;
}

const HELP = `usage: tsx bench/programs/main.ts [options]

  --quick               one round of little work: shows that everything builds and runs alike
  --full                more work, 9 rounds
  --programs <a,b>      only these programs
  --workloads <regexp>  only workloads that match
  --allocators <a,b>    only these allocators and what they are measured against
  --inlining            dlmalloc and gomalloc also under wasm-opt's strong inlining (slow to build)
  --rounds <n>          rounds of each measurement (default 5)
  --json <file>         where the figures go (default bench/results/local/programs.json)
${RESULT_HELP}
  --help                this text
`;

const FLAGS = {
  quick: { type: "boolean", default: false },
  full: { type: "boolean", default: false },
  programs: { type: "string" },
  workloads: { type: "string" },
  allocators: { type: "string" },
  inlining: { type: "boolean", default: false },
  rounds: { type: "string" },
  json: { type: "string" },
  ...RESULT_FLAGS,
  help: { type: "boolean", default: false },
} as const;

const ROUNDS: Record<Scale, number> = { quick: 1, normal: 5, full: 9 };

/** Reads the command line; undefined if help was asked for (and has been printed). Throws an Error on nonsense. */
export function readOptions(argv: readonly string[], known: Names): Options | undefined {
  const { values } = parseArgs({ args: [...argv], options: FLAGS, strict: true });
  if (values.help) {
    console.log(HELP);
    return undefined;
  }
  if (values.full && values.quick) throw new Error("--quick and --full exclude each other");
  const scale = values.quick ? "quick" : values.full ? "full" : "normal";
  const rounds = values.rounds === undefined ? ROUNDS[scale] : Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error("--rounds takes a positive whole number");
  const programs = chosen("--programs", values.programs, known.programs);
  const usual = known.allocators.filter(({ inlining }) => values.inlining || !inlining).map(({ name }) => name);
  const all = known.allocators.map(({ name }) => name);
  const allocators = values.allocators === undefined ? new Set(usual) : chosen("--allocators", values.allocators, all);
  // What something is measured against takes part too, and the stock build always does: outputs are compared with it.
  const references = known.allocators.filter(({ name }) => allocators.has(name)).map(({ reference }) => reference);
  const needed = new Set([...allocators, ...references, known.stock]);
  const workload = new RegExp(values.workloads ?? "", "i");
  return {
    scale,
    rounds,
    wantsProgram: (name) => programs.has(name),
    wantsWorkload: (name) => workload.test(name),
    wantsAllocator: (name) => needed.has(name),
    json: values.json,
    results: resultFolder(values, values.quick ? "leave out --quick" : undefined),
  };
}

/** The names that may be given. */
export interface Names {
  readonly programs: readonly string[];
  readonly allocators: readonly Pick<Allocator, "name" | "reference" | "inlining">[];
  readonly stock: string;
}

function chosen(flag: string, list: string | undefined, known: readonly string[]): ReadonlySet<string> {
  if (list === undefined) return new Set(known);
  const names = list.split(",").map((name) => name.trim());
  const stranger = names.find((name) => !known.includes(name));
  if (stranger !== undefined) throw new Error(`${flag}: no ${stranger}; there are ${known.join(", ")}`);
  return new Set(names);
}
