/**
 * gomalloc serve: runs a WASI program and shows its heap in a browser as it works.
 *
 * The program runs in a worker (serveworker.ts), its memory made one that threads share, so that this thread reads the heap
 * while the program computes: it is not stopped, and it needs to call nothing. Its code is not changed for that.
 */
import { Worker } from "node:worker_threads";
import { HEAP_MAGIC } from "../base/abinumbers.js";
import { LiveError } from "../base/errors.js";
import { type LiveServer, serveHeap } from "../live/server.js";
import { layouts } from "../snapshot/layout.js";
import { link } from "../tools/link.js";
import { shareMemory } from "../wasm/edit.js";
import { ToolError, type ToolErrorCode } from "../wasm/errors.js";
import { inspect } from "../wasm/parse.js";
import { COMMON_HELP, type Command, EXIT_HELP, parse, UsageError } from "./command.js";
import { inFile, readInput } from "./files.js";
import { jsonLine, printable } from "./text.js";
import { type Ended, readWasi, swapFor, WASI_HELP, WASI_OPTIONS, type WasiOptions } from "./wasi.js";

const OPTIONS = {
  json: { type: "boolean", default: false },
  quiet: { type: "boolean", short: "q", default: false },
  port: { type: "string", default: "0" },
  host: { type: "string", default: "127.0.0.1" },
  fps: { type: "string", default: "10" },
  wait: { type: "boolean", default: false },
  exit: { type: "boolean", default: false },
  ...WASI_OPTIONS,
} as const;

export const serveCommand: Command = {
  summary: "run a WASI program and show its heap in a browser as it works",
  help: `gomalloc serve: run a WASI program and show its heap in a browser as it works

Usage: gomalloc serve [options] <file> [-- arguments of the program]

      --port N           port of the page (default: a free one)
      --host ADDRESS     address to listen at (default 127.0.0.1: this machine
                         alone). Whoever can connect can see the heap
      --fps N            frames a second at most, 1 to 60 (default 10)
      --wait             start the program when the page is open
      --exit             end with the program (default: the page stays until
                         Ctrl-C)
${WASI_HELP}
      --json             print the page's address as JSON, and errors too
  -q, --quiet            do not print the address
${COMMON_HELP}

The program is one for wasi_snapshot_preview1. If it does not have gomalloc
inside, its allocator is replaced before it runs, as gomalloc link and gomalloc
swap do. It runs in a thread of its own, and its heap is read meanwhile: a
program that computes is not stopped. The address goes to standard error. At
/metrics the heap's figures are for Prometheus.

A Node program shows its own heap by serveHeap of gomalloc/live/server.

Examples:
  gomalloc serve app.wasm -- input.txt
  gomalloc serve --port 8080 --wait --dir . app.wasm -- ./input.txt
  gomalloc serve --exit --json -q app.wasm

${EXIT_HELP}
A program that ends with another code than 0 gives its own.`,

  async run(args) {
    const { values, positionals } = parse("serve", args, OPTIONS);
    const [file, ...programArgs] = positionals;
    if (file === undefined) throw new UsageError("no file is given", "Name the .wasm file to run.");
    const port = number("port", values.port, 0, 65535);
    const fps = number("fps", values.fps, 1, 60);
    const wasi = readWasi(values);
    const wasm = await inFile(file, async () => visible(await withAllocator(await readInput(file))));
    const program = new Program(wasm, [file, ...programArgs], wasi);
    try {
      const memory = await inFile(file, () => program.memory);
      const live = await serve(memory, { port, host: values.host, fps, label: file });
      if (values.json) console.log(jsonLine({ url: live.url, host: live.host, port: live.port }));
      if (!values.quiet) console.error(printable(`gomalloc: the heap of ${file} is at ${live.url}`));
      if (values.wait) await live.seen;
      const { code, trap } = await program.run();
      const how = trap === undefined ? `the program ended with exit code ${code}` : `the program trapped: ${trap}`;
      live.note(how);
      if (!values.exit) {
        if (!values.quiet) console.error(printable(`gomalloc: ${how}; the page stays until Ctrl-C`));
        await interrupted();
      }
      await live.close();
      if (trap !== undefined) {
        throw new ToolError(
          "program",
          `the program trapped: ${trap}`,
          "Without --exit the page shows the heap after it.",
        );
      }
      process.exitCode = code;
    } finally {
      program.end();
    }
  },
};

function number(name: string, text: string, low: number, high: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= low && value <= high) return value;
  throw new UsageError(`--${name} ${text} is no number from ${low} to ${high}`, "Give a whole number, decimal.");
}

/** Throws ToolError "server". */
async function serve(memory: WebAssembly.Memory, options: Parameters<typeof serveHeap>[1]): Promise<LiveServer> {
  try {
    return await serveHeap(memory, options);
  } catch (cause) {
    if (!(cause instanceof LiveError)) throw cause;
    const { problem, remedy } = cause;
    throw new ToolError("server", problem, `${remedy[0]!.toUpperCase()}${remedy.slice(1)}.`, { cause });
  }
}

/** Resolves at Ctrl-C. */
function interrupted(): Promise<void> {
  return new Promise((resolve) => process.once("SIGINT", () => resolve()));
}

/** The program with gomalloc inside: as it is, linked, or swapped. Throws ToolError as link and swap do. */
async function withAllocator(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  if (hasAllocator(bytes)) return bytes;
  const imported = inspect(bytes).imports.some(
    ({ kind, module, name }) =>
      kind === "function" && (module === "gomalloc" || (module === "env" && (name === "malloc" || name === "free"))),
  );
  const { wasm } = imported ? await link(bytes) : await swapFor("gomalloc swap", bytes);
  return wasm;
}

/** Whether the code has the constant that marks a heap's record. */
function hasAllocator(bytes: Uint8Array): boolean {
  const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return layouts().some(({ LAYOUT }) => whole.includes(constant((BigInt(LAYOUT) << 32n) | BigInt(HEAP_MAGIC))));
}

/** i64.const with that value. */
function constant(value: bigint): Buffer {
  const bytes = [0x42];
  for (let left = value; ; left >>= 7n) {
    const isLast = left < 64n;
    bytes.push(Number(left & 127n) | (isLast ? 0 : 128));
    if (isLast) return Buffer.from(bytes);
  }
}

/** The program with a memory that another thread can read. Throws ToolError "program". */
function visible(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const [memory, ...others] = inspect(bytes).memories;
  if (memory === undefined || others.length > 0 || memory.is64 || memory.pageSize !== 65536) {
    const what = "the program has no memory, several, or one with other addresses or pages than those of 32 bits";
    throw new ToolError("program", what, "Show it in its own host by serveHeap of gomalloc/live/server.");
  }
  return new Uint8Array(shareMemory(bytes, 0).bytes);
}

/** What the worker is given, and what it says. */
export interface WorkerData extends WasiOptions {
  readonly wasm: Uint8Array<ArrayBuffer>;
  readonly args: readonly string[];
}

export type FromWorker =
  | { readonly memory: WebAssembly.Memory }
  | { readonly ended: Ended }
  | { readonly error: { readonly code: ToolErrorCode; readonly message: string; readonly fix: string } };

/** The program in its thread. */
class Program {
  readonly #worker: Worker;
  /** Resolves when it is instantiated. Rejects with ToolError "program". */
  readonly memory: Promise<WebAssembly.Memory>;
  readonly #ended: Promise<Ended>;

  constructor(wasm: Uint8Array<ArrayBuffer>, args: readonly string[], wasi: WasiOptions) {
    const workerData: WorkerData = { wasm, args, ...wasi };
    this.#worker = new Worker(new URL("./serveworker.js", import.meta.url), { workerData });
    const worker = this.#worker;
    const failed = new Promise<never>((_, reject) => {
      worker.once("error", reject);
      worker.on("message", (said: FromWorker) => {
        if ("error" in said) reject(new ToolError(said.error.code, said.error.message, said.error.fix));
      });
    });
    const heard = <T>(pick: (said: FromWorker) => T | undefined) =>
      Promise.race([
        failed,
        new Promise<T>((resolve) => {
          worker.on("message", (said: FromWorker) => {
            const value = pick(said);
            if (value !== undefined) resolve(value);
          });
        }),
      ]);
    this.memory = heard((said) => ("memory" in said ? said.memory : undefined));
    this.#ended = heard((said) => ("ended" in said ? said.ended : undefined));
    // Whoever waits for the memory is told.
    this.#ended.catch(() => {});
  }

  /** Runs the program to its end. */
  run(): Promise<Ended> {
    this.#worker.postMessage("run");
    return this.#ended;
  }

  end(): void {
    void this.#worker.terminate();
  }
}
