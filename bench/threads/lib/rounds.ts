/**
 * Interleaved rounds: for each workload every allocator once per round, on one thread and then on two, each round
 * beginning with another allocator. Ratios are taken within a round, where both sides met the same machine, and the
 * median of the rounds' ratios is the figure.
 */

import { median, spread } from "../../lib/statistics.ts";
import { fixed, measure, type Sample, type Way } from "./measure.ts";
import type { Pool, Ready } from "./pool.ts";
import type { Threads, Workload } from "./workloads.ts";

/** The samples of one allocator on one workload, one for each round. */
export interface Series {
  readonly workload: string;
  readonly allocator: string;
  readonly threads: Threads;
  readonly samples: readonly Sample[];
}

/** Settings of a run. */
export interface RoundSettings extends Way {
  readonly rounds: number;
  /** Called before each measurement. */
  progress?(text: string): void;
}

/** The numbers of threads that an allocator is run with. */
export function threadCounts({ contender }: Ready): Threads[] {
  return contender.shared ? [1, 2] : [1];
}

/** Part of the slices that the untimed check of a micro workload does: enough for larson to hand blocks on. */
const CHECKED_PART = 0.3;

/**
 * Runs a workload at fixed length through all allocators that keep contents: for each number of threads all must read
 * back the same. Throws if one does not.
 */
export async function agree(pool: Pool, workload: Workload, ready: readonly Ready[]): Promise<void> {
  const sums = new Map<Threads, { checksum: number; allocator: string }>();
  for (const one of ready) {
    if (!one.contender.keepsContents) continue;
    for (const threads of threadCounts(one)) {
      const { name } = one.contender;
      const heap = await pool.open(one, threads);
      const { checksum, failure } = await fixed(heap, workload, CHECKED_PART);
      await heap.close();
      const where = `${workload.name}, ${name}, threads: ${threads}`;
      if (failure !== undefined) throw new Error(`${where}: ${failure}`);
      const first = sums.get(threads) ?? { checksum, allocator: name };
      sums.set(threads, first);
      if (first.checksum !== checksum) throw new Error(`${where}: contents differ from those with ${first.allocator}`);
    }
  }
}

/** Measures one workload with all allocators. */
export async function runRounds(
  pool: Pool,
  workload: Workload,
  ready: readonly Ready[],
  { rounds, progress, ...way }: RoundSettings,
): Promise<Series[]> {
  const series = ready.flatMap((one) =>
    threadCounts(one).map((threads) => ({ one, threads, samples: [] as Sample[] })),
  );
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < series.length; i++) {
      const { one, threads, samples } = series[(i + round * 2) % series.length]!;
      progress?.(`${workload.name}, round ${round + 1} of ${rounds}: ${one.contender.name}, threads: ${threads}`);
      const heap = await pool.open(one, threads);
      samples.push(await measure(heap, workload, way));
      await heap.close();
    }
  }
  return series.map(({ one, threads, samples }) => ({
    workload: workload.name,
    allocator: one.contender.name,
    threads,
    samples,
  }));
}

/** The figures of a run, by workload, allocator and threads. */
export class Figures {
  constructor(readonly series: readonly Series[]) {}

  get workloads(): string[] {
    return [...new Set(this.series.map(({ workload }) => workload))];
  }

  find(workload: string, allocator: string, threads: Threads): Series | undefined {
    return this.series.find(
      (one) => one.workload === workload && one.allocator === allocator && one.threads === threads,
    );
  }

  /** The median of one field of the samples; undefined if it was not measured. */
  value(
    workload: string,
    allocator: string,
    threads: Threads,
    field: keyof Sample = "nanoseconds",
  ): number | undefined {
    const samples = this.find(workload, allocator, threads)?.samples ?? [];
    const values = samples.map((sample) => sample[field]).filter((value) => value !== undefined);
    return values.length ? median(values) : undefined;
  }

  /** How much the rounds differed: half the distance of the quartiles over the median. */
  spread(workload: string, allocator: string, threads: Threads): number | undefined {
    const samples = this.find(workload, allocator, threads)?.samples;
    return samples && spread(samples.map(({ nanoseconds }) => nanoseconds));
  }

  /** The median over the rounds of one allocator's time over another's. */
  ratio(workload: string, ours: [string, Threads], theirs: [string, Threads]): number | undefined {
    const [above, below] = [this.find(workload, ...ours), this.find(workload, ...theirs)];
    if (!above || !below) return undefined;
    return median(above.samples.map(({ nanoseconds }, i) => nanoseconds / below.samples[i]!.nanoseconds));
  }

  /** Throughput of two threads over that of one. */
  scaling(workload: string, allocator: string): number | undefined {
    return this.ratio(workload, [allocator, 1], [allocator, 2]);
  }
}
