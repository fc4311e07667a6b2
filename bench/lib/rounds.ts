/**
 * Interleaved rounds: for each workload every allocator once per round, each round beginning with another one.
 * What disturbs the machine for a while then disturbs all of them, and no allocator always runs first.
 */

import type { Allocator } from "./catalog.ts";
import { collectGarbage } from "./engine.ts";
import { Heap } from "./instance.ts";
import { measure, type Sample } from "./measure.ts";
import { suits, type Workload } from "./workloads.ts";

/** An allocator ready to run. */
export interface Contender {
  readonly allocator: Pick<Allocator, "name" | "kind" | "aligns">;
  /** A fresh heap. */
  open(workload: Workload): Heap;
}

/** A contender from its merged module, of which every heap is a new instance. */
export function contender(allocator: Allocator, bytes: Uint8Array<ArrayBuffer>): Contender {
  const module = new WebAssembly.Module(bytes);
  return { allocator, open: () => new Heap(module, "timed") };
}

/** What became of one allocator on one workload. */
export interface Outcome {
  readonly allocator: string;
  readonly workload: string;
  readonly samples: readonly Sample[];
  /** Why there are no samples: the trap, usually "out of memory". */
  readonly error?: string;
}

/** Rounds that are not cut off. */
export const LEAST_ROUNDS = 3;

/** Settings of a run. */
export interface RoundSettings {
  readonly rounds: number;
  /** Textbook and bump allocators take part in the first of them only. */
  readonly naiveRounds: number;
  /** No round begins after this (performance.now()), except the first LEAST_ROUNDS: a median needs three. */
  readonly until: number;
  /** Time limit of one measurement in milliseconds. */
  budget(allocator: Contender["allocator"]): number;
  /** Called before each measurement. */
  progress?(allocator: string, round: number): void;
}

/** Measures one workload with all contenders that it suits. */
export async function runRounds(
  workload: Workload,
  all: readonly Contender[],
  settings: RoundSettings,
): Promise<Outcome[]> {
  const contenders = all.filter(({ allocator }) => suits(allocator, workload));
  const samples = new Map<string, Sample[]>(contenders.map(({ allocator }) => [allocator.name, []]));
  const errors = new Map<string, string>();
  for (let round = 0; round < settings.rounds; round++) {
    if (round >= LEAST_ROUNDS && performance.now() > settings.until) break;
    for (let i = 0; i < contenders.length; i++) {
      const { allocator, open } = contenders[(i + round) % contenders.length]!;
      const taken = samples.get(allocator.name)!;
      if (round >= settings.naiveRounds && (allocator.kind === "naive" || allocator.kind === "bump")) continue;
      // One that did not end within its time will not end next time either.
      if (errors.has(allocator.name) || taken.some((sample) => !sample.complete)) continue;
      settings.progress?.(allocator.name, round);
      try {
        taken.push(measure(open(workload), allocator.kind !== "bump", workload, settings.budget(allocator)));
      } catch (error) {
        errors.set(allocator.name, error instanceof WebAssembly.RuntimeError ? `trap: ${error.message}` : `${error}`);
      }
      collectGarbage();
      // Lets the progress display draw and the memories of past rounds be released.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  return contenders.map(({ allocator: { name } }) => {
    const outcome = { allocator: name, workload: workload.name, samples: samples.get(name)! };
    const error = errors.get(name);
    return error === undefined ? outcome : { ...outcome, error };
  });
}
