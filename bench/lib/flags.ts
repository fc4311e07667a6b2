/**
 * What the command lines of all benchmarks have in common: their options, and how a value is read. What they throw
 * names the option and what it takes.
 */

import { parseArgs } from "node:util";
import type { Clock } from "./clock.ts";
import { RESULT_FLAGS, RESULT_HELP } from "./results.ts";

/** The options of every benchmark. */
const COMMON_FLAGS = {
  quick: { type: "boolean", default: false },
  rounds: { type: "string" },
  json: { type: "string" },
  ...RESULT_FLAGS,
  help: { type: "boolean", default: false },
} as const;

/** The end of every help: about the last of them. */
export const COMMON_HELP = `${RESULT_HELP}
  --help                this text
`;

/** The option of those that can take processor time instead of wall time. */
export const CLOCK_FLAG = { clock: { type: "string", default: "wall" } } as const;

type Flags = NonNullable<NonNullable<Parameters<typeof parseArgs>[0]>["options"]>;

/**
 * The values given of the options of every benchmark and its own; undefined if help was asked for (and has been
 * printed). Throws an Error on nonsense.
 */
export function readFlags<F extends Flags>(argv: readonly string[], own: F, help: string) {
  const options: typeof COMMON_FLAGS & F = { ...COMMON_FLAGS, ...own };
  const { values } = parseArgs({ args: [...argv], options, strict: true });
  if (!(values as { help?: boolean }).help) return values;
  console.log(help);
  return undefined;
}

/** --rounds, or as many as usual. */
export function roundsOf(given: string | undefined, usual: number): number {
  const rounds = given === undefined ? usual : Number(given);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error("--rounds takes a positive whole number");
  return rounds;
}

/** --clock. */
export function clockOf(given: string): Clock {
  if (given !== "wall" && given !== "cpu") throw new Error("--clock takes wall or cpu");
  return given;
}

/** The names in a list with commas. */
export function namesIn(list: string): string[] {
  return list.split(",").map((name) => name.trim());
}

/** The names in a list with commas, of those that are known; all of these without a list. */
export function chosen(flag: string, list: string | undefined, known: readonly string[]): ReadonlySet<string> {
  if (list === undefined) return new Set(known);
  const names = namesIn(list);
  for (const name of names) expectKnown(flag, name, known);
  return new Set(names);
}

/** Throws unless the name is one of those that are known. */
export function expectKnown(flag: string, name: string, known: readonly string[]): void {
  if (!known.includes(name)) throw new Error(`${flag}: no ${name}; there are ${known.join(", ")}`);
}
