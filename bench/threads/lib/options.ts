/**
 * The command line of bench/threads/main.ts.
 */

import type { Clock } from "../../lib/clock.ts";
import { CLOCK_FLAG, COMMON_HELP, chosen, clockOf, readFlags, roundsOf } from "../../lib/flags.ts";
import { resultFolder } from "../../lib/results.ts";

/** What a run is asked to do. */
export interface Options {
  readonly rounds: number;
  /** Milliseconds of one run of a micro workload. */
  readonly milliseconds: number;
  readonly clock: Clock;
  wantsWorkload(name: string): boolean;
  wantsAllocator(name: string): boolean;
  /** Compare the flavours on one thread too. */
  readonly flavours: boolean;
  readonly json: string | undefined;
  /** The folder that the result is published to, if it is. */
  readonly results: string | undefined;
}

const HELP = `usage: tsx bench/threads/main.ts [options]

  --quick               3 rounds of short runs: about a minute (default: 7 rounds)
  --rounds <n>          rounds of each measurement
  --workloads <regexp>  only workloads that match
  --allocators <a,b>    only these allocators, by name
  --clock wall|cpu      wall time (default), or the process's processor time for a machine that is busy otherwise:
                        shows how two threads disturb each other, but not how long one sleeps before a lock
  --no-flavours         leave out the comparison of the flavours on one thread
  --json <file>         where the figures go (default bench/results/local/threads.json)
${COMMON_HELP}`;

const FLAGS = {
  ...CLOCK_FLAG,
  workloads: { type: "string" },
  allocators: { type: "string" },
  "no-flavours": { type: "boolean", default: false },
} as const;

const USUAL = { rounds: 7, milliseconds: 100 };
const QUICK = { rounds: 3, milliseconds: 30 };

/**
 * Reads the command line; undefined if help was asked for (and has been printed). `known` are the allocators' names.
 * Throws an Error on nonsense.
 */
export function readOptions(argv: readonly string[], known: readonly string[]): Options | undefined {
  const values = readFlags(argv, FLAGS, HELP);
  if (values === undefined) return undefined;
  const preset = values.quick ? QUICK : USUAL;
  const rounds = roundsOf(values.rounds, preset.rounds);
  const clock = clockOf(values.clock);
  const allocators = chosen("--allocators", values.allocators, known);
  const workload = new RegExp(values.workloads ?? "", "i");
  return {
    rounds,
    milliseconds: preset.milliseconds,
    clock,
    wantsWorkload: (name) => workload.test(name),
    wantsAllocator: (name) => allocators.has(name),
    flavours: !values["no-flavours"],
    json: values.json,
    results: resultFolder(values, values.quick ? "leave out --quick" : undefined),
  };
}
