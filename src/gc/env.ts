/**
 * A collector's settings from the environment: GOGC, GOMEMLIMIT and GODEBUG, as a Go program takes them.
 *
 *   GOGC        a percentage, or off
 *   GOMEMLIMIT  bytes, with a unit or without (64MiB), or off
 *   GODEBUG     gctrace=1,gccheckmark=1,clobberfree=1    0 is off; of a name that comes twice the last one holds
 *               memprofilerate=N                         of heaps that sample: samplingFromEnv
 *
 * An empty variable counts as none. Names in GODEBUG that are not among these are ignored, as Go does: the variable is
 * shared with Go programs. Unlike Go, a value that cannot be read is an error and not a default. Pure but for the
 * default environment, that of a Node process; pages have none.
 */
import { MAX_PROFILE_RATE } from "../base/abinumbers.js";
import { callable, object, reading, show, text, within } from "../base/check.js";
import type { SamplingOptions } from "../sampling/hooks.js";
import type { CollectorSettings } from "./options.js";
import { parseInt32, parseLimit, parsePercent } from "./quantity.js";

/** Variables by name: process.env, or any record of strings. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Go's name of the rate of heap profiles. */
const RATE = "memprofilerate";

/** Prints to standard error, or to a page's console. */
function complain(line: string): void {
  console.error(line);
}

/** What each switch of GODEBUG sets. `print` is where gctrace's lines go. */
const SWITCHES: Record<string, (value: number, print: (line: string) => void) => CollectorSettings> = {
  gctrace: (value, print) => ({ trace: value > 0 ? print : null }),
  gccheckmark: (value) => ({ checkmark: value > 0 }),
  clobberfree: (value) => ({ clobberfree: value !== 0 }),
};

/**
 * The settings that a string like Go's GODEBUG asks for: those that it names and no others. Lines of gctrace go to
 * `print`, by default console.error. Throws RangeError for a known name without a whole number.
 */
export function parseGODEBUG(given: string, print: (line: string) => void = complain): CollectorSettings {
  const settings: CollectorSettings = {};
  callable(print, "print");
  for (const [name, value] of fieldsOf(given, Object.keys(SWITCHES))) {
    Object.assign(settings, SWITCHES[name]!(value, print));
  }
  return settings;
}

/** The fields of a GODEBUG with one of these names, in their order. Throws RangeError for one without a whole number. */
function fieldsOf(given: string, names: readonly string[]): [name: string, value: number][] {
  return text(given, "GODEBUG")
    .split(",")
    .flatMap((field) => {
      const at = field.indexOf("=");
      const name = at < 0 ? field : field.slice(0, at);
      if (!names.includes(name)) return [];
      const value = at < 0 ? null : parseInt32(field.slice(at + 1));
      if (value === null) {
        throw new RangeError(`GODEBUG: ${name} must be a whole number, as in ${name}=1: ${show(field)}`);
      }
      return [[name, value]];
    });
}

/**
 * What GODEBUG=memprofilerate=N in `env` (by default process.env) asks for, as in a Go program: the rate of samples, 0 for
 * none, 1 for every block. For the option `profile` of createHeap in gomalloc/profile and for profileImports; without the
 * field nothing is set. Throws RangeError for a rate that is no whole number from 0 to 0x70000000.
 */
export function samplingFromEnv(env: Environment = processEnv()): Pick<SamplingOptions, "rate"> {
  object(env, "env");
  const rate = fieldsOf(variable(env, "GODEBUG") ?? "", [RATE]).at(-1)?.[1];
  return rate === undefined ? {} : { rate: within(rate, 0, MAX_PROFILE_RATE, `GODEBUG: ${RATE}`) };
}

/** The environment of this process, where there is one. */
function processEnv(): Environment {
  const { process } = globalThis as { process?: { env?: Environment } };
  return process?.env ?? {};
}

/** The variable `name` of `env`; undefined when it is missing or empty. Throws TypeError. */
function variable(env: Environment, name: string): string | undefined {
  const value = reading(name, () => env[name]);
  return value === undefined || value === "" ? undefined : text(value, name);
}

/**
 * What GOGC, GOMEMLIMIT and GODEBUG in `env` (by default process.env) ask for, and no other setting: for the option
 * `collector` of createHeap and createSharedHeap, or for Collector.setOptions. They tune cycles, and `auto` says whether
 * any begin by themselves: `{ auto: true, ...optionsFromEnv() }` is what a Go program does. Lines of gctrace go to
 * `print`, by default console.error. Throws RangeError for a value that cannot be read.
 */
export function optionsFromEnv(
  env: Environment = processEnv(),
  print: (line: string) => void = complain,
): CollectorSettings {
  object(env, "env");
  const settings = parseGODEBUG(variable(env, "GODEBUG") ?? "", print);
  const percent = variable(env, "GOGC");
  if (percent !== undefined) {
    const gcPercent = parsePercent(percent);
    if (gcPercent === null) throw new RangeError(`GOGC must be a percentage, as in GOGC=50, or off: ${show(percent)}`);
    settings.gcPercent = gcPercent;
  }
  const limit = variable(env, "GOMEMLIMIT");
  if (limit !== undefined) {
    const memoryLimit = parseLimit(limit);
    if (memoryLimit === null) {
      throw new RangeError(
        `GOMEMLIMIT must be bytes, with B, KiB, MiB, GiB or TiB or without, as in 64MiB, or off: ${show(limit)}`,
      );
    }
    settings.memoryLimit = memoryLimit;
  }
  return settings;
}
