/**
 * The command line of bench/programs/main.ts.
 */

import { COMMON_HELP, chosen, readFlags, roundsOf } from "../../lib/flags.ts";
import { resultFolder } from "../../lib/results.ts";
import type { Allocator } from "./allocators.ts";
import type { Scale } from "./catalog.ts";

/** What a run is asked to do. */
export interface Options {
  readonly scale: Scale;
  readonly rounds: number;
  wantsProgram(name: string): boolean;
  wantsWorkload(name: string): boolean;
  wantsAllocator(name: string): boolean;
  /** The run compares the ways to put gomalloc under a program. */
  readonly archive: boolean;
  /** The run measures what sampling costs. */
  readonly profile: boolean;
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
  --archive             the ways to put gomalloc under a program: libgomalloc.a alone, with wasm-opt, gomalloc link
  --profile             what heap profiles cost: gomalloc link --profile over gomalloc link
  --rounds <n>          rounds of each measurement (default 5)
  --json <file>         where the figures go (default bench/results/local/programs.json)
${COMMON_HELP}`;

const FLAGS = {
  full: { type: "boolean", default: false },
  programs: { type: "string" },
  workloads: { type: "string" },
  allocators: { type: "string" },
  inlining: { type: "boolean", default: false },
  archive: { type: "boolean", default: false },
  profile: { type: "boolean", default: false },
} as const;

const ROUNDS: Record<Scale, number> = { quick: 1, normal: 5, full: 9 };

/** Reads the command line; undefined if help was asked for (and has been printed). Throws an Error on nonsense. */
export function readOptions(argv: readonly string[], known: Names): Options | undefined {
  const values = readFlags(argv, FLAGS, HELP);
  if (values === undefined) return undefined;
  if (values.full && values.quick) throw new Error("--quick and --full exclude each other");
  if (values.archive && values.profile) throw new Error("--archive and --profile exclude each other");
  const scale = values.quick ? "quick" : values.full ? "full" : "normal";
  const rounds = roundsOf(values.rounds, ROUNDS[scale]);
  const programs = chosen("--programs", values.programs, known.programs);
  const usual = known.allocators
    .filter(({ onRequest, stranger }) =>
      onRequest ? values[onRequest] : !(stranger && (values.archive || values.profile)),
    )
    .map(({ name }) => name);
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
    archive: values.archive,
    profile: values.profile,
    json: values.json,
    results: resultFolder(values, values.quick ? "leave out --quick" : undefined),
  };
}

/** The names that may be given. */
export interface Names {
  readonly programs: readonly string[];
  readonly allocators: readonly Pick<Allocator, "name" | "reference" | "onRequest" | "stranger">[];
  readonly stock: string;
}
