/** Loads the addon with four workers, which run this file too, and has it count in all of them at once. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { isMainThread, parentPort, Worker } from "node:worker_threads";

// The packages are those of the folder in which this is run.
const require = createRequire(resolve("main.mjs"));
const { instantiateNapiModuleSync, MessageHandler } = require("@emnapi/core");

if (isMainThread) {
  const { getDefaultContext } = require("@emnapi/runtime");
  const memory = new WebAssembly.Memory({ initial: 256, maximum: 32_768, shared: true });
  const workers = [];
  const { napiModule } = instantiateNapiModuleSync(readFileSync("words.wasm"), {
    context: getDefaultContext(),
    asyncWorkPoolSize: 4,
    onCreateWorker() {
      const worker = new Worker(new URL(import.meta.url));
      workers.push(worker);
      return worker;
    },
    overwriteImports(imports) {
      imports.env.memory = memory;
    },
  });
  const { words } = napiModule.exports;
  // Text i has 1000, 2000, ... 10000 different words, and so on from the beginning.
  const texts = Array.from({ length: 40 }, (_, i) => {
    return Array.from({ length: 20_000 }, (_, n) => `${(n * 11) % (1000 * (1 + (i % 10)))}`).join(" ");
  });
  const counts = await Promise.all(texts.map((text) => words(text)));
  console.log(`different words: ${counts.slice(0, 10).join(" ")}`);
  console.log(`workers: ${workers.length}`);
  for (const worker of workers) worker.terminate();
} else {
  globalThis.postMessage = (message) => parentPort.postMessage(message); // as in a browser's worker
  const handler = new MessageHandler({
    onLoad({ wasmModule, wasmMemory }) {
      return instantiateNapiModuleSync(wasmModule, {
        childThread: true,
        overwriteImports(imports) {
          imports.env.memory = wasmMemory;
        },
      });
    },
  });
  parentPort.on("message", (data) => handler.handle({ data }));
}
