/**
 * One of two threads of a linked program, over and over: `give` allocates blocks, for which the memory grows, and puts
 * their addresses into a mailbox; the other's export works on them by an instruction that the engine checks against the
 * memory's size. Each run has a memory of its own, so that nobody has heard of any growth, and a module that is new to
 * the engine, so that its code is in the baseline tier: V8 knows a module by its bytes. Posts what each run came to.
 */
import { parentPort, workerData } from "node:worker_threads";

const { wasm, blocks, size } = workerData;

/** The module with a custom section that no other run's module has. */
function renewed(run) {
  const contents = new TextEncoder().encode(`\x03run${run}`);
  return new Uint8Array([...wasm, 0, contents.length, ...contents]);
}

parentPort.on("message", ({ role, memory, run }) => {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(renewed(`${role} ${run}`)), { env: { memory } });
  try {
    parentPort.postMessage(exports[role](blocks, size));
  } catch (error) {
    // The other one waits for an answer.
    new Int32Array(memory.buffer)[exports.FAILED.value >>> 2] = 1;
    parentPort.postMessage(`${error}`);
  }
});
