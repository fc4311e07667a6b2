/** The thread in which `gomalloc serve` runs its program: it tells of the memory, waits to be told to run, and says how it ended. */
import { parentPort, workerData } from "node:worker_threads";
import { profileImports } from "../sampling/hooks.js";
import { ToolError } from "../wasm/errors.js";
import type { FromWorker, WorkerData } from "./serve.js";
import { type Advice, commandOf, runCommand, wasiFor } from "./wasi.js";

const ADVICE: Advice = {
  imports: "Show it in its own host by serveHeap of gomalloc/live/server.",
  exports:
    "Build it as a command with a main function, or show it in its own host by serveHeap (gomalloc/live/server).",
};

function say(what: FromWorker): void {
  parentPort!.postMessage(what);
}

const { wasm, ...options } = workerData as WorkerData;
try {
  const wasi = await wasiFor(options);
  let memory: WebAssembly.Memory | undefined;
  // Of a program that samples.
  const gomalloc = profileImports(() => memory);
  const command = await commandOf(wasm, wasi, gomalloc, ADVICE);
  memory = command.memory;
  // A handler keeps the thread alive until the message.
  parentPort!.once("message", () => {
    say({ ended: runCommand(wasi, command) });
    parentPort!.close();
  });
  say({ memory: command.memory });
} catch (error) {
  if (error instanceof ToolError) say({ error: { code: error.code, message: error.message, fix: error.fix } });
  else throw error;
}
