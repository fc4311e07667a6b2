/**
 * One workload with every allocator, in interleaved rounds: each round once with each, beginning with another one.
 */

import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BUILD } from "../../lib/paths.ts";
import { median, medianError, spread } from "../../lib/statistics.ts";
import { onOneProcessor } from "./affinity.ts";
import { REFERENCE } from "./allocators.ts";
import type { Program, Scale, Workload } from "./catalog.ts";
import { execute, type Sample } from "./run.ts";

/** A program with one allocator in it, compiled. */
export interface Contender {
  readonly allocator: string;
  /** The allocator it is measured against. */
  readonly reference: string;
  /** It samples, one in so many bytes. */
  readonly rate?: number | undefined;
  readonly module: WebAssembly.Module;
}

/** What one allocator needed. */
export interface Cell {
  /** Milliseconds of processor time: the median of the rounds, and the fastest. */
  readonly milliseconds: number;
  readonly fastest: number;
  /** Half the distance between the quartiles over the median. */
  readonly spread: number;
  /** Bytes of memory at the end. */
  readonly peak: number;
  /** Time over the reference's: the median of the rounds' own ratios. */
  readonly time: number;
  /** Standard error of that median, as a part of it. */
  readonly error: number;
  /** The ratio of the two fastest rounds. */
  readonly fastestTime: number;
  /** Peak over the reference's. */
  readonly memory: number;
  /** Allocations that a run has sampled, the median, if the program samples. */
  readonly samples?: number;
}

/** One line of the table. */
export interface Row {
  readonly program: string;
  readonly workload: string;
  readonly rounds: number;
  /** Part of the reference's time that its allocator takes: what the best of allocators would save. */
  readonly share: number;
  /** SHA-256 of what every allocator's run wrote. */
  readonly digest: string;
  /** Its length. */
  readonly bytes: number;
  readonly cells: Readonly<Record<string, Cell>>;
}

/** Runs of the stock build that are sampled: of a short one alone the share may be twice or half of the next's. */
const SAMPLED = 5;

/** Measures; throws an Error when a run fails or writes anything else than the reference's. */
export async function measure(
  program: Program,
  workload: Workload,
  contenders: readonly Contender[],
  { scale, rounds, progress }: { scale: Scale; rounds: number; progress(allocator: string, round: number): void },
): Promise<Row> {
  const folder = join(BUILD, "programs", `${program.name}-${workload.name}-${process.pid}`);
  try {
    await mkdir(folder, { recursive: true });
    const files = (await workload.files?.(scale)) ?? {};
    for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
    const samples = new Map<string, Sample[]>(contenders.map(({ allocator }) => [allocator, []]));
    const run = async ({ allocator, module, rate }: Contender, sample: boolean): Promise<Sample> => {
      const job = {
        module,
        name: program.name,
        args: workload.args(scale),
        folder,
        stdin: workload.stdin === undefined ? undefined : join(folder, workload.stdin),
        stdout: join(folder, "stdout"),
        sample,
        rate,
      };
      const taken = await execute(job, workload.output);
      if (taken.status === 0) return taken;
      const what = taken.error ?? `exit status ${taken.status}: ${taken.tail}`;
      throw new Error(`${program.name}, ${workload.name}, ${allocator}: ${what}`);
    };
    for (let round = 0; round < rounds; round++) {
      for (let i = 0; i < contenders.length; i++) {
        const contender = contenders[(i + round) % contenders.length]!;
        progress(contender.allocator, round);
        samples.get(contender.allocator)!.push(await run(contender, false));
      }
    }
    const stock = contenders.find(({ allocator }) => allocator === REFERENCE)!;
    const shares = await onOneProcessor(async () => {
      const taken: number[] = [];
      while (taken.length < Math.min(rounds, SAMPLED)) taken.push((await run(stock, true)).share!);
      return taken;
    });
    return row(program, workload, contenders, samples, median(shares));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function row(
  program: Program,
  workload: Workload,
  contenders: readonly Contender[],
  samples: Map<string, Sample[]>,
  share: number,
): Row {
  const { digest, bytes } = samples.get(REFERENCE)![0]!;
  const peak = (taken: readonly Sample[]) => Math.max(...taken.map((sample) => sample.peak));
  const cells = contenders.map(({ allocator, reference }): [string, Cell] => {
    const taken = samples.get(allocator)!;
    const others = samples.get(reference)!;
    if (taken.some((sample) => sample.digest !== digest)) {
      throw new Error(`${program.name}, ${workload.name}: ${allocator} wrote something else than ${REFERENCE}`);
    }
    const times = taken.map(({ cpu }) => cpu);
    const ratios = taken.map(({ cpu }, round) => cpu / others[round]!.cpu);
    const counts = taken.flatMap(({ samples }) => samples ?? []);
    const cell = {
      milliseconds: median(times),
      fastest: Math.min(...times),
      spread: spread(times),
      peak: peak(taken),
      time: median(ratios),
      error: medianError(ratios),
      fastestTime: Math.min(...times) / Math.min(...others.map(({ cpu }) => cpu)),
      memory: peak(taken) / peak(others),
      ...(counts.length > 0 ? { samples: median(counts) } : {}),
    };
    return [allocator, cell];
  });
  const rounds = samples.get(REFERENCE)!.length;
  return {
    program: program.name,
    workload: workload.name,
    rounds,
    share,
    digest,
    bytes,
    cells: Object.fromEntries(cells),
  };
}
