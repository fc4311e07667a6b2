/**
 * Threads for the tests of src/shared: real workers that run host-worker.ts, which esbuild bundles once per test file
 * (Node starts no worker from TypeScript).
 */
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { DeathReport, SharedHeap, SharedHeapMessage, WorkerLike } from "../../../src/shared/index.ts";
import type { Task } from "./host-worker.ts";

const ENTRY = fileURLToPath(new URL("./host-worker.ts", import.meta.url));

let source: Promise<string> | undefined;

async function bundled(): Promise<string> {
  const { build } = await import("esbuild");
  const { outputFiles } = await build({
    entryPoints: [ENTRY],
    bundle: true,
    platform: "node",
    format: "cjs",
    write: false,
  });
  return outputFiles[0]!.text;
}

/** What a worker is given. */
export interface Job {
  readonly message: SharedHeapMessage;
  readonly task: Task;
  readonly seed: number;
  /** Rounds of work; what one is, the task knows. */
  readonly rounds: number;
  /** Shared words for signals between tests and workers. */
  readonly signal: Int32Array;
  /** What workers run, for one that starts others. */
  readonly source: string;
}

/** A worker at work. */
export interface Thread {
  readonly worker: Worker;
  /** What the task returned; rejects with the error that it threw. */
  readonly result: Promise<unknown>;
}

/** Shared words, all 0. */
export function signals(count = 4): Int32Array {
  return new Int32Array(new SharedArrayBuffer(4 * count));
}

/** Starts a task in a worker of its own. */
export async function startThread(
  job: Partial<Job> & Pick<Job, "message" | "task">,
  watch?: (worker: Worker) => void,
): Promise<Thread> {
  source ??= bundled();
  const code = await source;
  const workerData: Job = { seed: 1, rounds: 1, signal: signals(), source: code, ...job };
  const worker = new Worker(code, { eval: true, workerData });
  watch?.(worker);
  const result = new Promise<unknown>((resolve, reject) => {
    worker.once("message", ({ value, error }: { value?: unknown; error?: string }) => {
      if (error === undefined) resolve(value);
      else reject(new Error(error));
    });
    worker.once("error", reject);
    worker.once("exit", () => reject(new Error("the worker ended without a result")));
  });
  // Tests that end a worker do not wait for its result.
  result.catch(() => {});
  return { worker, result };
}

/** Lets a task that waits for its second signal go on. */
export function letGo(signal: Int32Array): void {
  Atomics.store(signal, 1, 1);
  Atomics.notify(signal, 1);
}

/** Starts a task, and waits until its first signal says that it is at work. */
export async function startAtWork(
  job: Partial<Job> & Pick<Job, "message" | "task">,
  watch?: (worker: Worker) => void,
): Promise<Thread & { signal: Int32Array }> {
  const signal = job.signal ?? signals();
  const thread = await startThread({ ...job, signal }, watch);
  await reached(signal, 0, 1);
  return { ...thread, signal };
}

/** `watch` has the heap watch the worker that got the message; `death` is what that reports. */
export function deathOf(heap: SharedHeap, message: SharedHeapMessage) {
  let report: (report: DeathReport) => void = () => {};
  const death = new Promise<DeathReport>((resolve) => {
    report = resolve;
  });
  return { death, watch: (worker: WorkerLike) => void heap.watch(worker, message, report) };
}

/** A worker at work that its heap watches. */
export interface Watched extends Thread {
  readonly message: SharedHeapMessage;
  readonly signal: Int32Array;
  /** What the watch reports. */
  readonly death: Promise<DeathReport>;
}

/** Starts a task in a worker that the heap watches, and waits until it is at work. */
export async function startWatched(heap: SharedHeap, task: Task, given: Partial<Job> = {}): Promise<Watched> {
  const message = heap.share();
  const { death, watch } = deathOf(heap, message);
  return { message, death, ...(await startAtWork({ ...given, message, task }, watch)) };
}

/** Waits, without blocking, until a signal has the value. */
export async function reached(signal: Int32Array, index: number, value: number): Promise<void> {
  while (Atomics.load(signal, index) < value) await new Promise((resolve) => setTimeout(resolve, 1));
}
