/**
 * The command line of bench/rt/main.ts.
 */

import type { Clock } from "../../lib/clock.ts";
import { CLOCK_FLAG, COMMON_HELP, chosen, clockOf, expectKnown, readFlags, roundsOf } from "../../lib/flags.ts";
import { resultFolder } from "../../lib/results.ts";
import type { Scale } from "./catalog.ts";
import { type Constant, OURS } from "./runtimes.ts";

/** What a run is asked to do. */
export interface Options {
  readonly scale: Scale;
  readonly rounds: number;
  readonly clock: Clock;
  wantsProgram(name: string): boolean;
  wantsRuntime(name: string): boolean;
  /** Constants for the compiler, beside those of a usual run. */
  readonly constants: readonly Constant[];
  readonly json: string | undefined;
  /** The folder that the result is published to, if it is. */
  readonly results: string | undefined;
}

const HELP = `usage: tsx bench/rt/main.ts [options]

  --quick               3 rounds of small programs: half a minute (default: 5 rounds of the full size)
  --rounds <n>          rounds of each measurement
  --only <regexp>       only programs whose name matches
  --runtimes <a,b>      only these runtimes, by name
  --use [r:]NAME=VALUE  a constant for the compiler, for runtime r (default ${OURS}); may be repeated
  --clock wall|cpu      of the total time: wall (default), or processor time for a machine that is busy otherwise
  --json <file>         where the figures go (default bench/results/local/rt.json)
${COMMON_HELP}`;

const FLAGS = {
  ...CLOCK_FLAG,
  only: { type: "string" },
  runtimes: { type: "string" },
  use: { type: "string", multiple: true, default: [] as string[] },
} as const;

/**
 * Reads the command line; undefined if help was asked for (and has been printed). `known` are the runtimes' names.
 * Throws an Error on nonsense.
 */
export function readOptions(argv: readonly string[], known: readonly string[]): Options | undefined {
  const values = readFlags(argv, FLAGS, HELP);
  if (values === undefined) return undefined;
  const rounds = roundsOf(values.rounds, values.quick ? 3 : 5);
  const clock = clockOf(values.clock);
  const runtimes = chosen("--runtimes", values.runtimes, known);
  const only = new RegExp(values.only ?? "", "i");
  return {
    scale: values.quick ? "quick" : "full",
    rounds,
    clock,
    wantsProgram: (name) => only.test(name),
    wantsRuntime: (name) => runtimes.has(name),
    constants: values.use.map((text) => constant(text, known)),
    json: values.json,
    results: resultFolder(values, values.quick ? "leave out --quick" : undefined),
  };
}

function constant(text: string, known: readonly string[]): Constant {
  const match = /^(?:([^:=]+):)?([A-Za-z_]\w*=\S+)$/.exec(text);
  if (!match) throw new Error("--use takes NAME=VALUE or runtime:NAME=VALUE");
  const runtime = match[1] ?? OURS;
  expectKnown("--use", runtime, known);
  return { runtime, text: match[2]! };
}
