/**
 * One run of a program, from a fresh memory to its end: the whole time, each operation's time, the memory.
 *
 * The clock is read before and after every operation, by JavaScript; the host's collecting, where the runtime does not
 * collect by itself, belongs to the operation that it follows. Making what lives belongs to the whole time, but is no
 * operation.
 */

import { now } from "../../lib/clock.ts";
import { median } from "../../lib/statistics.ts";
import { start, writtenBytes } from "./instance.ts";

/** What one run tells. */
export interface Sample {
  /** setup and all operations. */
  readonly milliseconds: number;
  /** Microseconds of each operation, in their order. Wall time, whatever the clock. */
  readonly durations: Float64Array;
  /** Size of the memory after the last operation: its peak, as it never shrinks. */
  readonly bytes: number;
  /** The part of it that was ever written to, by pages of 4 KiB that are not all zero. */
  readonly written: number;
  readonly checksum: number;
  /** Processor time of the process over wall time: well below 1 if others had the processor. */
  readonly share: number;
}

/** Runs a program of the given size; `hostCollects` as in Runtime. Throws what the program throws. */
export function measure(module: WebAssembly.Module, size: number, hostCollects: boolean): Sample {
  const program = start(module);
  const began = now();
  const [wall, cpu] = [performance.now(), process.cpuUsage()];
  program.setup(size);
  const count = program.operations();
  const interval = hostCollects ? program.interval() : Infinity;
  const durations = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const from = performance.now();
    program.operation();
    if ((i + 1) % interval === 0) program.__collect();
    durations[i] = (performance.now() - from) * 1000;
  }
  const milliseconds = now() - began;
  const { user, system } = process.cpuUsage(cpu);
  const share = (user + system) / 1000 / (performance.now() - wall);
  const bytes = program.memory.buffer.byteLength;
  const written = writtenBytes(program.memory);
  program.finish();
  return { milliseconds, durations, bytes, written, checksum: program.checksum() >>> 0, share };
}

/** What objects of two f64 take. */
export interface ObjectSize {
  readonly count: number;
  /** Bytes written to for each of them, references to them not counted. */
  readonly written: number;
  /** Size of the whole memory over their number, references included. */
  readonly memory: number;
}

/**
 * Makes `count` objects of two f64 in the program of pairs and sees how much memory has been written to since before.
 * A full collection comes first, so that what the collector needs for them is written too.
 */
export function measureObjects(module: WebAssembly.Module, count: number): ObjectSize {
  const { memory, reserve, fill, sum, __collect: collect } = start(module);
  if (!reserve || !fill || !sum) throw new Error("the module is not the program of pairs");
  reserve(count);
  collect();
  const before = writtenBytes(memory);
  fill();
  collect();
  const written = (writtenBytes(memory) - before) / count;
  if (sum() !== count / 4) throw new Error("objects have lost their contents");
  return { count, written, memory: memory.buffer.byteLength / count };
}

/** Nanoseconds that reading the clock adds to an operation: the median of many readings one after the other. */
export function timerOverhead(readings = 100_000): number {
  const taken = new Float64Array(readings);
  for (let i = 0; i < readings; i++) {
    const from = performance.now();
    taken[i] = (performance.now() - from) * 1e6;
  }
  return median([...taken]);
}
