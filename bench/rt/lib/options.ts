/**
 * The command line of bench/rt/main.ts.
 */

import { parseArgs } from "node:util";
import type { Clock } from "../../lib/clock.ts";
import { RESULT_FLAGS, RESULT_HELP, resultFolder } from "../../lib/results.ts";
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
${RESULT_HELP}
  --help                this text
`;

const FLAGS = {
  quick: { type: "boolean", default: false },
  rounds: { type: "string" },
  only: { type: "string" },
  runtimes: { type: "string" },
  use: { type: "string", multiple: true, default: [] as string[] },
  clock: { type: "string", default: "wall" },
  json: { type: "string" },
  ...RESULT_FLAGS,
  help: { type: "boolean", default: false },
} as const;

/**
 * Reads the command line; undefined if help was asked for (and has been printed). `known` are the runtimes' names.
 * Throws an Error on nonsense.
 */
export function readOptions(argv: readonly string[], known: readonly string[]): Options | undefined {
  const { values } = parseArgs({ args: [...argv], options: FLAGS, strict: true });
  if (values.help) {
    console.log(HELP);
    return undefined;
  }
  const rounds = values.rounds === undefined ? (values.quick ? 3 : 5) : Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error("--rounds takes a positive whole number");
  if (values.clock !== "wall" && values.clock !== "cpu") throw new Error("--clock takes wall or cpu");
  const names = values.runtimes?.split(",").map((name) => name.trim());
  for (const name of names ?? []) expectKnown("--runtimes", name, known);
  const only = new RegExp(values.only ?? "", "i");
  return {
    scale: values.quick ? "quick" : "full",
    rounds,
    clock: values.clock,
    wantsProgram: (name) => only.test(name),
    wantsRuntime: (name) => names?.includes(name) ?? true,
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

function expectKnown(flag: string, name: string, known: readonly string[]): void {
  if (!known.includes(name)) throw new Error(`${flag}: no ${name}; there are ${known.join(", ")}`);
}
