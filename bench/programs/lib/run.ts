/**
 * One run of one program: a new instance in a new worker, its output in a file.
 *
 * The module is compiled before, in the tier that long runs end up in, and shared by all runs: what is timed is the
 * program from its start to its exit.
 */

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import v8 from "node:v8";
import { Worker } from "node:worker_threads";

/** What a worker is told. */
export interface Job {
  readonly module: WebAssembly.Module;
  /** The program's argv[0]. */
  readonly name: string;
  readonly args: readonly string[];
  /** The program's root folder. */
  readonly folder: string;
  /** File read as standard input; nothing if left out. */
  readonly stdin: string | undefined;
  /** File that takes standard output and standard error. */
  readonly stdout: string;
  /** Sample it, for `share`: costs some time. */
  readonly sample: boolean;
  /** The program samples its allocations, one in so many bytes; undefined: it was linked without. */
  readonly rate: number | undefined;
}

/** What a worker tells. */
export interface Outcome {
  /** The program's exit status; -1 when it trapped. */
  readonly status: number;
  /** The trap, with its stack. */
  readonly error: string | undefined;
  /** Milliseconds of processor time, user and system, of the whole process. */
  readonly cpu: number;
  /** Milliseconds. */
  readonly wall: number;
  /** Bytes of memory at the end: wasm's never shrinks. */
  readonly peak: number;
  /** Part of the time that was spent in the allocator, if it was sampled. */
  readonly share: number | undefined;
  /** Allocations that the program has sampled, if it samples. */
  readonly samples: number | undefined;
}

/** A run and what it wrote. */
export interface Sample extends Outcome {
  /** SHA-256 of the output file. */
  readonly digest: string;
  /** Bytes of the output file. */
  readonly bytes: number;
  /** The end of what went to standard output and standard error. */
  readonly tail: string;
}

const WORKER = fileURLToPath(new URL("./worker.ts", import.meta.url));

let source: string | undefined;

/** The worker's JavaScript: Node starts no worker from TypeScript, and one without a loader starts sooner. */
async function workerSource(): Promise<string> {
  if (source === undefined) {
    const { build } = await import("esbuild");
    const built = await build({ entryPoints: [WORKER], platform: "node", format: "cjs", bundle: true, write: false });
    source = built.outputFiles[0]!.text;
  }
  return source;
}

// Nor may optimised JavaScript call WASI in the way that worker.ts avoids.
v8.setFlagsFromString("--no-turbo-fast-api-calls");

/** Runs the job; `output` is the file below its folder that is compared, standard output if left out. */
export async function execute(job: Job, output: string | undefined): Promise<Sample> {
  const code = await workerSource();
  const outcome = await new Promise<Outcome>((resolve, reject) => {
    const worker = new Worker(code, { eval: true, workerData: job, execArgv: ["--no-warnings"] });
    let told: Outcome | undefined;
    worker.once("message", (message: Outcome) => {
      told = message;
    });
    worker.once("error", reject);
    // Waited for: the next run then has the process for itself.
    worker.once("exit", () => (told ? resolve(told) : reject(new Error("the worker ended without a result"))));
  });
  const console = await readFile(job.stdout);
  const compared = output === undefined ? console : await readFile(join(job.folder, output));
  return {
    ...outcome,
    digest: createHash("sha256").update(compared).digest("hex"),
    bytes: compared.length,
    tail: console.subarray(-500).toString(),
  };
}
