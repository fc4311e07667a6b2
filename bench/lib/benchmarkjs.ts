/**
 * The one adapter over benchmark.js.
 *
 * It serves what it was made for: calibrating and timing short JavaScript functions, here calls from JavaScript
 * into wasm. It runs one case to its end before the next, so it cannot interleave, it wants to call its function
 * many times in the same heap, and it knows no fresh instances: the traces and micro workloads therefore have
 * their own runner (rounds.ts). benchmark.js is archived; if it must be replaced, this file is the place.
 */

import Benchmark from "benchmark";
import { median } from "./statistics.ts";

/** One case: a function that does `operations` calls of an allocator. */
export interface Case {
  readonly name: string;
  readonly operations: number;
  run(): void;
}

/** Nanoseconds per operation, the median over benchmark.js's samples. Rejects with what `run` throws. */
export function timeCase(subject: Case, seconds: number): Promise<number> {
  return new Promise((resolve, reject) => {
    new Benchmark(subject.name, () => subject.run(), {
      maxTime: seconds,
      async: true,
      onComplete(this: Benchmark) {
        const { error, stats } = this as Benchmark & { error?: Error };
        if (error) reject(error);
        else resolve((median(stats.sample) * 1e9) / subject.operations);
      },
    }).run({ async: true });
  });
}
