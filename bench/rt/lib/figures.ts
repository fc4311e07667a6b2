/**
 * From runs to figures: medians over rounds, ratios within rounds, pauses.
 *
 * The same operation does the same work in every round: programs and runtimes are deterministic, every run starts from
 * an empty memory. So an operation's time is taken to be the least of its rounds. What exceeds it in other rounds was
 * the machine: another process, an interrupt. `met` says what the rounds were like with that left in.
 */

import { geometricMean, median, spread } from "../../lib/statistics.ts";
import type { Sample } from "./measure.ts";

/** Microseconds: the operation in the middle, the one that 99 in 100 do not exceed, the longest. */
export interface Pauses {
  readonly median: number;
  readonly p99: number;
  readonly longest: number;
}

/** One program with one runtime. */
export interface Cell {
  readonly program: string;
  readonly runtime: string;
  readonly operations: number;
  /** Of each round. */
  readonly milliseconds: readonly number[];
  readonly spread: number;
  readonly bytes: number;
  readonly written: number;
  readonly share: number;
  /** Of the operations, each with the least time of its rounds. */
  readonly pauses: Pauses;
  /** Number of the longest of these. */
  readonly longestAt: number;
  /** Of the operations as they came, median of the rounds. */
  readonly met: Pauses;
}

/** The value that the part `q` of all does not exceed (nearest rank). `sorted` ascends; 0 < q <= 1. */
export function quantile(sorted: Float64Array, q: number): number {
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN;
}

/** The pauses of operations that took so many microseconds. */
export function pausesOf(durations: Float64Array): Pauses {
  const sorted = durations.slice().sort();
  return { median: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), longest: quantile(sorted, 1) };
}

/** The least of each operation over all rounds. Throws if rounds had different numbers of operations. */
export function leastOf(rounds: readonly Float64Array[]): Float64Array {
  const least = rounds[0]!.slice();
  for (const durations of rounds.slice(1)) {
    if (durations.length !== least.length) throw new Error("rounds differ in their number of operations");
    for (let i = 0; i < least.length; i++) least[i] = Math.min(least[i]!, durations[i]!);
  }
  return least;
}

/** Sums up the rounds of one program with one runtime; at least one. */
export function summarize(program: string, runtime: string, samples: readonly Sample[]): Cell {
  const milliseconds = samples.map((sample) => sample.milliseconds);
  const rounds = samples.map(({ durations }) => durations);
  const least = leastOf(rounds);
  const pauses = pausesOf(least);
  const met = rounds.map(pausesOf);
  const middle = (field: keyof Pauses) => median(met.map((pauses) => pauses[field]));
  return {
    program,
    runtime,
    operations: rounds[0]!.length,
    milliseconds,
    spread: spread(milliseconds),
    bytes: median(samples.map(({ bytes }) => bytes)),
    written: median(samples.map(({ written }) => written)),
    share: median(samples.map(({ share }) => share)),
    pauses,
    longestAt: least.indexOf(pauses.longest),
    met: { median: middle("median"), p99: middle("p99"), longest: middle("longest") },
  };
}

/** What is compared. */
export type Measure = "time" | "bytes" | "written" | "median" | "p99" | "longest";

/** The figures of a run. */
export class Figures {
  constructor(readonly cells: readonly Cell[]) {}

  get programs(): string[] {
    return [...new Set(this.cells.map(({ program }) => program))];
  }

  find(program: string, runtime: string): Cell | undefined {
    return this.cells.find((cell) => cell.program === program && cell.runtime === runtime);
  }

  /** Milliseconds, bytes or microseconds; undefined if it was not measured. */
  value(program: string, runtime: string, what: Measure): number | undefined {
    const cell = this.find(program, runtime);
    if (!cell) return undefined;
    if (what === "time") return median(cell.milliseconds);
    return what === "bytes" || what === "written" ? cell[what] : cell.pauses[what];
  }

  /** One runtime's figure over another's; of time the median of the rounds' ratios. */
  ratio(program: string, above: string, below: string, what: Measure): number | undefined {
    const [a, b] = [this.find(program, above), this.find(program, below)];
    if (!a || !b) return undefined;
    if (what === "time") return median(a.milliseconds.map((time, round) => time / b.milliseconds[round]!));
    return this.value(program, above, what)! / this.value(program, below, what)!;
  }

  /** The geometric mean of the ratios of all programs that both ran; undefined if there is none. */
  mean(above: string, below: string, what: Measure): number | undefined {
    const ratios = this.programs
      .map((program) => this.ratio(program, above, below, what))
      .filter((ratio) => ratio !== undefined);
    return ratios.length ? geometricMean(ratios) : undefined;
  }
}
