/** What the page of host-browser.test.ts does, on its main thread and, by the same script, in its workers. */
import {
  attachHeap,
  attachHeapAsync,
  createSharedHeapAsync,
  type DeathReport,
  type SharedHeap,
  type SharedHeapMessage,
} from "../../../src/shared/index.ts";
import { random } from "../../support/random.ts";

interface Job {
  readonly message: SharedHeapMessage;
  readonly seed: number;
  /** Operations; 0: until terminated. */
  readonly rounds: number;
}

/** Allocates, marks, checks and frees; `rest` is awaited between operations. */
async function churn(heap: SharedHeap, seed: number, rounds: number, rest: (i: number) => Promise<void> | void) {
  const next = random(seed);
  const blocks: { ptr: number; size: number; mark: number }[] = [];
  const drop = ({ ptr, size, mark }: (typeof blocks)[number]): void => {
    if (!heap.u8.subarray(ptr, ptr + size).every((byte) => byte === mark)) throw new Error(`block ${ptr} was changed`);
    heap.free(ptr);
  };
  for (let i = 0; rounds === 0 || i < rounds; i++) {
    const pause = rest(i);
    if (pause !== undefined) await pause;
    if (blocks.length > 0 && next() % 2 === 0) {
      drop(blocks.splice(next() % blocks.length, 1)[0]!);
    } else {
      const size = next() % 500;
      const ptr = heap.malloc(size);
      const mark = next() & 0xff;
      heap.u8.fill(mark, ptr, ptr + size);
      blocks.push({ ptr, size, mark });
    }
  }
  for (const block of blocks) drop(block);
}

function start(job: Job): Worker {
  const worker = new Worker("/page.js", { type: "module" });
  worker.postMessage(job);
  return worker;
}

const told = (worker: Worker): Promise<unknown> =>
  new Promise((resolve, reject) => {
    worker.addEventListener("message", ({ data }) => resolve(data), { once: true });
    worker.addEventListener("error", ({ message }) => reject(new Error(message)), { once: true });
  });

const nameOf = (call: () => unknown): string => {
  try {
    call();
    return "nothing";
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message}`;
  }
};

async function page(): Promise<unknown> {
  const heap = await createSharedHeapAsync({ procs: 2 });
  if (!heap.shared) {
    heap.free(heap.malloc(100));
    heap.validate({ deep: true });
    return { shared: false, share: nameOf(() => heap.share()) };
  }
  const workers = [1, 2, 3].map((seed) => start({ message: heap.share(), seed, rounds: 5000 }));
  const results = Promise.all(workers.map(told));
  // More threads than Ps: the main thread takes turns, and never sleeps.
  await churn(heap, 4, 300, () => heap.ps.acquireAsync().then(() => {}));
  const churned = await results;
  heap.validate({ deep: true });
  for (const worker of workers) worker.terminate();

  const message = heap.share();
  const victim = start({ message, seed: 5, rounds: 0 });
  await told(victim);
  const death = new Promise<DeathReport>((resolve) => {
    heap.watch(victim, message, resolve);
  });
  victim.terminate();
  const { ok, left, token } = await death;
  await heap.ps.acquireAsync();
  heap.validate({ deep: true });

  // Both Ps in hands that do not come back to an operation.
  const last = await createSharedHeapAsync({ procs: 2 });
  const others = [last, attachHeap(last.share()), attachHeap(last.share(), { turnWait: 20 })] as const;
  others[1].malloc(8);
  const busy = nameOf(() => others[2].malloc(8));
  return { shared: true, churned, death: { ok, left, named: token === message.token }, busy };
}

async function worker({ message, seed, rounds }: Job): Promise<void> {
  const heap = await attachHeapAsync(message);
  if (rounds === 0) {
    heap.free(heap.malloc(10));
    postMessage("at work");
  }
  await churn(heap, seed, rounds, () => {});
  heap.detach();
  postMessage("done");
}

if (typeof document === "undefined") {
  addEventListener("message", ({ data }) => void worker(data as Job), { once: true });
} else {
  (globalThis as { result?: Promise<unknown> }).result = page().catch((error: Error) => ({
    error: String(error.stack),
  }));
}
