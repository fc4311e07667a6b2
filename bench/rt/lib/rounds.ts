/**
 * Interleaved rounds: for each program every runtime once per round in a fresh instance, each round beginning with
 * another one. Before that each runs the program at a smaller size: what does not read back the same is not timed.
 */

import { collectGarbage } from "../../lib/engine.ts";
import type { Program, Scale } from "./catalog.ts";
import { type Cell, summarize } from "./figures.ts";
import { measure, type Sample } from "./measure.ts";
import { INCREMENTAL, MINIMAL, OURS, type Runtime } from "./runtimes.ts";

/** A program compiled with one runtime. */
export interface Contender {
  readonly runtime: Pick<Runtime, "name" | "hostCollects">;
  readonly module: WebAssembly.Module;
}

/** Settings of a run. */
export interface RoundSettings {
  readonly rounds: number;
  readonly scale: Scale;
  /** Called before each measurement. */
  progress?(text: string): void;
}

/** What became of a program: figures of the runtimes that ran it, and why the others did not. */
export interface Outcome {
  readonly cells: readonly Cell[];
  readonly failures: readonly string[];
}

/** The size at which contents are compared, one below that of the measurement. */
const SMALLER: Readonly<Record<Scale, Scale>> = { full: "quick", quick: "tiny", tiny: "tiny" };

/**
 * The checksum of a program with each runtime. One with which it does not run, or reads back something else than with
 * the first reference that runs, is in `failures` and has no checksum.
 */
export function checksums(program: Program, contenders: readonly Contender[], scale: Scale) {
  const sums = new Map<string, number>();
  const failures: string[] = [];
  for (const { runtime, module } of contenders) {
    try {
      sums.set(runtime.name, measure(module, program.sizes[scale], runtime.hostCollects).checksum);
    } catch (error) {
      failures.push(failure(program, runtime.name, error));
    }
    collectGarbage();
  }
  for (const name of deviating(sums)) {
    sums.delete(name);
    failures.push(`${program.name} reads back something else with ${name}`);
  }
  return { sums, failures };
}

function failure(program: Program, runtime: string, error: unknown): string {
  return `${program.name} does not run with ${runtime}: ${error instanceof Error ? error.message : error}`;
}

/** Whose sum is not that of the reference: the compiler's own runtimes, ours only where it is alone. */
function deviating(sums: ReadonlyMap<string, number>): string[] {
  const reference = sums.get(INCREMENTAL) ?? sums.get(MINIMAL) ?? sums.get(OURS);
  return [...sums].filter(([, sum]) => sum !== reference).map(([name]) => name);
}

/** Measures one program with all runtimes; one that fails or deviates in any round has no figures. */
export async function runRounds(
  program: Program,
  contenders: readonly Contender[],
  { rounds, scale, progress }: RoundSettings,
): Promise<Outcome> {
  progress?.(`${program.name}: contents`);
  const { sums, failures } = checksums(program, contenders, SMALLER[scale]);
  const samples = new Map<string, Sample[]>([...sums.keys()].map((name) => [name, []]));
  const able = contenders.filter(({ runtime }) => samples.has(runtime.name));
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < able.length; i++) {
      const { runtime, module } = able[(i + round) % able.length]!;
      const taken = samples.get(runtime.name);
      if (!taken) continue;
      progress?.(`${program.name}, round ${round + 1} of ${rounds}: ${runtime.name}`);
      try {
        taken.push(measure(module, program.sizes[scale], runtime.hostCollects));
      } catch (error) {
        failures.push(failure(program, runtime.name, error));
        samples.delete(runtime.name);
      }
      collectGarbage();
      // Lets the memories of past rounds be released.
      await new Promise((resolve) => setImmediate(resolve));
    }
    const last = new Map([...samples].map(([name, taken]) => [name, taken.at(-1)!.checksum]));
    for (const name of deviating(last)) {
      failures.push(`${program.name} reads back something else with ${name}`);
      samples.delete(name);
    }
  }
  return { cells: [...samples].map(([name, taken]) => summarize(program.name, name, taken)), failures };
}
