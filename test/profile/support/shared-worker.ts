/** A thread of the test of shared heaps that sample: allocates in functions of its own, and says where. */
import { parentPort, workerData } from "node:worker_threads";
import { attachHeap } from "../../../src/profile-shared.ts";

const { message, count } = workerData as { message: Parameters<typeof attachHeap>[0]; count: number };
const heap = attachHeap(message);

function keepsInWorker(): number[] {
  return Array.from({ length: count }, () => heap.malloc(100));
}
function dropsInWorker(): void {
  for (let i = 0; i < count; i++) heap.free(heap.malloc(200));
}

dropsInWorker();
parentPort!.postMessage(keepsInWorker());
heap.detach();
