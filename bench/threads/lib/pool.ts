/**
 * The threads: as many workers as a measurement needs, kept for all of them, and an open heap among some of them.
 */

import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { Contender } from "./contenders.ts";
import { HEAP_BASE, INITIAL_PAGES, MAXIMUM_PAGES } from "./layout.ts";
import type { Answer, Commands, WorkerRecord } from "./worker.ts";

const WORKER = fileURLToPath(new URL("./worker.ts", import.meta.url));

let source: Promise<string> | undefined;

/** The worker's JavaScript: Node starts no worker from TypeScript, and one without a loader starts sooner. */
function workerSource(): Promise<string> {
  source ??= import("esbuild")
    .then(({ build }) => build({ entryPoints: [WORKER], platform: "node", format: "cjs", bundle: true, write: false }))
    .then((built) => built.outputFiles[0]!.text);
  return source;
}

/** One thread and the questions it has not answered yet. */
class Thread {
  readonly #worker: Worker;
  readonly #waiting: { resolve(value: unknown): void; reject(error: Error): void }[] = [];

  constructor(code: string) {
    this.#worker = new Worker(code, { eval: true, execArgv: ["--no-warnings"] });
    this.#worker.on("message", (answer: Answer) => {
      const { resolve, reject } = this.#waiting.shift()!;
      if ("error" in answer) reject(new Error(answer.error));
      else resolve(answer.ok);
    });
    this.#worker.on("error", (error) => this.#waiting.shift()?.reject(error));
  }

  tell<Name extends keyof Commands>(name: Name, ask: Commands[Name]["ask"]): Promise<Commands[Name]["answer"]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve: resolve as (value: unknown) => void, reject });
      this.#worker.postMessage({ name, ask });
    });
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }
}

/** A merged module, compiled. */
export interface Ready {
  readonly contender: Contender;
  readonly module: WebAssembly.Module;
}

/** Threads to measure with; one measurement at a time. */
export class Pool {
  readonly #threads: readonly Thread[];

  private constructor(threads: readonly Thread[]) {
    this.#threads = threads;
  }

  static async start(threads: number): Promise<Pool> {
    const code = await workerSource();
    return new Pool(Array.from({ length: threads }, () => new Thread(code)));
  }

  /** A fresh heap with one instance in each of `threads` threads; `pages` and `base` as bench/threads/lib/layout.ts. */
  async open({ contender, module }: Ready, threads: number): Promise<Heap> {
    if (threads > 1 && !contender.shared) throw new Error(`${contender.name} has no shared memory`);
    const heap = await this.openPlain(module, contender.shared, threads, INITIAL_PAGES);
    for (let i = 0; i < threads; i++) await heap.call(i, "enter", i, threads);
    if (WebAssembly.Module.exports(module).some(({ name }) => name === "init")) {
      for (let i = 0; i < threads; i++) await heap.call(i, "init", HEAP_BASE);
    }
    return heap;
  }

  /** The same for any module over host.memory; nothing is called. */
  async openPlain(module: WebAssembly.Module, shared: boolean, threads: number, pages: number): Promise<Heap> {
    const memory = shared ? new WebAssembly.Memory({ initial: pages, maximum: MAXIMUM_PAGES, shared }) : undefined;
    const taken = this.#threads.slice(0, threads);
    await Promise.all(taken.map((thread) => thread.tell("open", { module, memory, pages })));
    return new Heap(taken);
  }

  async end(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.end()));
  }
}

/** Milliseconds after which a run counts as stuck: a lock that nobody will open. */
const PATIENCE = 120_000;

async function within<T>(milliseconds: number, work: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} has not ended after ${milliseconds / 1000} s`)), milliseconds);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** One heap, open in one or more threads. */
export class Heap {
  readonly #threads: readonly Thread[];

  constructor(threads: readonly Thread[]) {
    this.#threads = threads;
  }

  get threads(): number {
    return this.#threads.length;
  }

  /** Tells one thread something. */
  tell<Name extends keyof Commands>(index: number, name: Name, ask: Commands[Name]["ask"]) {
    return this.#threads[index]!.tell(name, ask);
  }

  /** Calls an export in one thread. */
  call(index: number, name: string, ...args: number[]): Promise<number> {
    return this.tell(index, "call", { name, args });
  }

  /** Runs an export in all threads at once, with arguments by the thread's index, and gives their records. */
  async run(name: string, args: (index: number) => number[]): Promise<WorkerRecord[]> {
    await this.call(0, "prepare");
    const calls = Promise.all(this.#threads.map((_, index) => this.call(index, name, ...args(index))));
    await within(PATIENCE, calls, `${name} on ${this.threads} threads`);
    return Promise.all(this.#threads.map((_, index) => this.tell(index, "record", { index })));
  }

  /** Pages of the memory; what any instance sees now that all are quiet. */
  async pages(): Promise<number> {
    return Math.max(...(await Promise.all(this.#threads.map((_, index) => this.call(index, "pages")))));
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.tell("close", null)));
  }
}
