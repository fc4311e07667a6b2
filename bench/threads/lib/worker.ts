/**
 * One thread of the benchmark: at most one instance of driver + allocator at a time, told what to do by messages, each
 * of which is answered. Everything that is timed happens inside one call of an export; the clock is read by the driver.
 */

import v8 from "node:v8";
import vm from "node:vm";
import { parentPort } from "node:worker_threads";
import type { Clock } from "../../lib/clock.ts";
import { ABORT, Field, MAXIMUM_PAGES, RECORD_SIZE, RECORDS } from "./layout.ts";

/** What a worker is told, and the answer to it. */
export interface Commands {
  /** A new instance. Without a memory it makes an unshared one of so many pages. */
  open: { ask: { module: WebAssembly.Module; memory: WebAssembly.Memory | undefined; pages: number }; answer: null };
  /** Calls an export. */
  call: { ask: { name: string; args: readonly number[] }; answer: number };
  /** Calls an export `times` times; the answer is the time of all in milliseconds, by either clock. */
  time: { ask: { name: string; argument: number; times: number; clock: Clock }; answer: number };
  /** Writes words into the memory. */
  write: { ask: { at: number; words: Uint32Array }; answer: null };
  /** The record of worker `index`. */
  record: { ask: { index: number }; answer: WorkerRecord };
  /** The counters of the shared host flavour, over all locks and Ps. */
  counters: { ask: null; answer: Counters };
  /** Forgets the instance and collects garbage. */
  close: { ask: null; answer: null };
}

/** A worker's record: struct worker in bench/threads/native/bench.h. */
export type WorkerRecord = { readonly [name in keyof typeof Field]: number };

/** Counters since the heap began. */
export interface Counters {
  /** Of the heap lock; waits are times that somebody slept. */
  readonly heap: LockCounters;
  /** Of all mcentral locks together. */
  readonly central: LockCounters;
  /** Blocks freed by another P than the owner of their span, one atomic each. */
  readonly remote: number;
  /** Groups of which the owner was told, and groups that owners took over. */
  readonly pushed: number;
  readonly taken: number;
}

export interface LockCounters {
  readonly acquisitions: number;
  readonly contended: number;
  readonly waits: number;
}

/** A message to a worker; answers come in the same order. */
export type Message = { [Name in keyof Commands]: { name: Name; ask: Commands[Name]["ask"] } }[keyof Commands];

/** The answer to a message. */
export type Answer = { readonly ok: unknown } | { readonly error: string };

type Exports = Record<string, (...args: number[]) => number>;

let instance: WebAssembly.Instance | undefined;
let memory: WebAssembly.Memory | undefined;

/** Milliseconds since some moment that is the same for all threads of the process. */
const offset = Number(process.hrtime.bigint()) / 1e6 - performance.now();
const now = () => performance.now() + offset;

/** Milliseconds of processor time of the whole process. */
function cpu(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

v8.setFlagsFromString("--expose-gc");
const collect = vm.runInNewContext("gc") as () => void;

function named(name: string): (...args: number[]) => number {
  const entry = (instance!.exports as unknown as Exports)[name];
  if (!entry) throw new Error(`the module exports no ${name}`);
  return entry;
}

function record(index: number): WorkerRecord {
  const view = new DataView(memory!.buffer, RECORDS + index * RECORD_SIZE, RECORD_SIZE);
  const { operations, began, ended, checksum, failures, failure, stalls, cpuBegan, cpuEnded } = Field;
  return {
    operations: Number(view.getBigUint64(operations, true)),
    began: view.getFloat64(began, true),
    ended: view.getFloat64(ended, true),
    checksum: view.getUint32(checksum, true),
    failures: view.getUint32(failures, true),
    failure: view.getUint32(failure, true),
    stalls: view.getUint32(stalls, true),
    cpuBegan: view.getFloat64(cpuBegan, true),
    cpuEnded: view.getFloat64(cpuEnded, true),
  };
}

function lockCounters(from: number, to: number): LockCounters {
  const sums = [0, 0, 0];
  for (let i = from; i < to; i++) {
    const words = new BigUint64Array(memory!.buffer, (named("lockAddress")(i) >>> 0) + 8, 3);
    words.forEach((value, k) => {
      sums[k]! += Number(value);
    });
  }
  return { acquisitions: sums[0]!, contended: sums[1]!, waits: sums[2]! };
}

function counters(): Counters {
  const stat = instance!.exports["pStat"] as unknown as (id: number, i: number) => bigint;
  const ps = named("numPs")();
  const overPs = (i: number) => {
    let sum = 0;
    for (let id = 1; id <= ps; id++) sum += Number(stat(id, i));
    return sum;
  };
  return {
    heap: lockCounters(0, 1),
    central: lockCounters(1, named("lockCount")()),
    remote: overPs(0),
    pushed: overPs(1),
    taken: overPs(2),
  };
}

function execute({ name, ask }: Message): unknown {
  switch (name) {
    case "open":
      memory = ask.memory ?? new WebAssembly.Memory({ initial: ask.pages, maximum: MAXIMUM_PAGES });
      instance = new WebAssembly.Instance(ask.module, { host: { memory, now, cpu } });
      return null;
    case "call":
      return named(ask.name)(...ask.args);
    case "time": {
      const entry = named(ask.name);
      const clock = ask.clock === "wall" ? now : cpu;
      const start = clock();
      for (let i = 0; i < ask.times; i++) entry(ask.argument);
      return clock() - start;
    }
    case "write":
      new Uint32Array(memory!.buffer).set(ask.words, ask.at / 4);
      return null;
    case "record":
      return record(ask.index);
    case "counters":
      return counters();
    case "close":
      instance = undefined;
      memory = undefined;
      collect();
      return null;
  }
}

/** The others may be waiting for what will not come. */
function abandon(): void {
  if (memory) Atomics.store(new Int32Array(memory.buffer), ABORT / 4, 1);
}

parentPort!.on("message", (message: Message) => {
  let answer: Answer;
  try {
    answer = { ok: execute(message) };
  } catch (error) {
    abandon();
    answer = { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  parentPort!.postMessage(answer);
});
