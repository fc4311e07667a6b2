/**
 * The command line of bench/main.ts.
 */

import type { Calls } from "./build/merge.ts";
import type { Clock } from "./clock.ts";
import { CLOCK_FLAG, COMMON_HELP, clockOf, namesIn, readFlags, roundsOf } from "./flags.ts";
import { resultFolder } from "./results.ts";

/** What a run is asked to do. */
export interface Options {
  /** Rounds of each measurement. */
  readonly rounds: number;
  /** The same for textbook and bump allocators. */
  readonly naiveRounds: number;
  /** Time limit of one measurement in milliseconds, for gomalloc and its peers / for the textbook allocators. */
  readonly budget: { readonly peers: number; readonly naive: number };
  /** Milliseconds after which workloads get fewer rounds, so that a slow machine ends too. */
  readonly limit: number;
  /** Seconds that benchmark.js spends on one JavaScript case. */
  readonly jsSeconds: number;
  readonly clock: Clock;
  readonly calls: Calls;
  /** True for the newest Node that has been fetched, false for the one that runs this. */
  readonly newest: boolean;
  /** The result's name: one for each kind of calls and engine. */
  readonly name: string;
  /** Stamp and verify contents instead of timing. */
  readonly checked: boolean;
  /** Which workloads and allocators take part. */
  wantsWorkload(name: string): boolean;
  /** With `onRequest` only if --allocators or --only name it. */
  wantsAllocator(name: string, onRequest?: boolean): boolean;
  readonly json: string | undefined;
  readonly svg: string | undefined;
  /** The folder that the result is published to, if it is. */
  readonly results: string | undefined;
}

/** What the quick mode spends on measuring; building and the rest take half a minute. */
const QUICK_LIMIT = 60_000;

const HELP = `usage: tsx bench/main.ts [options]

  --quick               5 rounds, fewer on a slow machine: ends within two minutes (default)
  --full                11 rounds, slow allocators get more time
  --only <w>[/<a>]      only workloads that match the regular expression w, allocators that match a
                        ("javascript" stands for the calls from JavaScript)
  --allocators <a,b>    only these allocators, by name
  --checked             stamp and verify the contents of every block instead of timing
  --rounds <n>          rounds of each measurement
  --clock wall|cpu      wall time (default), or processor time for a machine that is busy otherwise
  --calls inlined|called
                        driver and allocator optimised together (default), or each by itself, so that every call of
                        the malloc family is a call
  --engine this|newest  the Node that runs this (default), or the newest one, which npm run bench:engine fetches
  --json <file>         where the figures go (default bench/results/local/NAME.json; NAME is bench, with -called or
                        -newest behind it)
  --svg <file>          where the chart goes (default beside it)
${COMMON_HELP}`;

const FLAGS = {
  ...CLOCK_FLAG,
  full: { type: "boolean", default: false },
  only: { type: "string" },
  allocators: { type: "string" },
  checked: { type: "boolean", default: false },
  calls: { type: "string", default: "inlined" },
  engine: { type: "string", default: "this" },
  svg: { type: "string" },
} as const;

/** Reads the command line; undefined if help was asked for (and has been printed). Throws an Error on nonsense. */
export function readOptions(argv: readonly string[]): Options | undefined {
  const values = readFlags(argv, FLAGS, HELP);
  if (values === undefined) return undefined;
  if (values.full && values.quick) throw new Error("--quick and --full exclude each other");
  const rounds = roundsOf(values.rounds, values.full ? 11 : 5);
  const [workloads, allocators] = (values.only ?? "").split("/", 2);
  const workload = new RegExp(workloads ?? "", "i");
  const allocator = new RegExp(allocators ?? "", "i");
  const { calls, engine } = values;
  if (calls !== "inlined" && calls !== "called") throw new Error("--calls takes inlined or called");
  if (engine !== "this" && engine !== "newest") throw new Error("--engine takes this or newest");
  const names = values.allocators === undefined ? undefined : namesIn(values.allocators);
  return {
    rounds,
    naiveRounds: values.full ? Math.ceil(rounds / 2) : 1,
    limit: values.full ? Number.POSITIVE_INFINITY : QUICK_LIMIT,
    budget: values.full ? { peers: 20_000, naive: 4_000 } : { peers: 5_000, naive: 100 },
    jsSeconds: values.full ? 1 : 0.3,
    clock: clockOf(values.clock),
    calls,
    newest: engine === "newest",
    name: ["bench", ...(calls === "called" ? [calls] : []), ...(engine === "newest" ? [engine] : [])].join("-"),
    checked: values.checked,
    wantsWorkload: (name) => workload.test(name),
    wantsAllocator: (name, onRequest = false) =>
      allocator.test(name) && (names?.includes(name) ?? (!onRequest || Boolean(allocators))),
    json: values.json,
    svg: values.svg,
    results: resultFolder(values, values.full && !values.checked ? undefined : "add --full"),
  };
}
