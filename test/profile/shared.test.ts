/** Shared heaps that sample: stacks of every thread, frees by another thread, and what a thread that has ended sampled. */
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { build } from "esbuild";
import { beforeAll, describe, expect, it } from "vitest";
import { type DamageReport, leaksOf, profileOf, readSamples } from "../../src/profile.ts";
import { createSharedHeap } from "../../src/profile-shared.ts";
import { attachHeap as attachPlain } from "../../src/shared/index.ts";

const WORKER = fileURLToPath(new URL("./support/shared-worker.ts", import.meta.url));
let code = "";
beforeAll(async () => {
  const options = { bundle: true, platform: "node", format: "cjs", write: false } as const;
  code = (await build({ ...options, entryPoints: [WORKER] })).outputFiles[0]!.text;
});

/** Blocks that a worker has kept; it has ended by then. */
async function runWorker(heap: ReturnType<typeof createSharedHeap>, count: number): Promise<number[]> {
  const worker = new Worker(code, { eval: true, workerData: { message: heap.share(), count } });
  const ended = new Promise((resolve, reject) => worker.once("exit", resolve).once("error", reject));
  const [blocks] = await Promise.all([new Promise<number[]>((resolve) => worker.once("message", resolve)), ended]);
  return blocks;
}

/** Objects allocated and in use by stacks with the function. */
function counted(heap: ReturnType<typeof createSharedHeap>, name: string): [allocs: number, inuse: number] {
  const own = profileOf(heap).samples.filter(({ stack }) =>
    stack.some(({ frames }) => frames.some((frame) => frame.function.endsWith(name))),
  );
  return [own.reduce((n, s) => n + s.allocObjects, 0), own.reduce((n, s) => n + s.inuseObjects, 0)];
}

describe("a shared heap that samples", () => {
  function keepsInMain(heap: ReturnType<typeof createSharedHeap>): void {
    for (let i = 0; i < 20; i++) heap.malloc(100);
  }

  it("has the stacks of all threads, and sees one thread free what another has allocated", async () => {
    const heap = createSharedHeap({ profile: { rate: 1 } });
    keepsInMain(heap);
    const [blocks, more] = await Promise.all([runWorker(heap, 300), runWorker(heap, 200)]);
    expect(counted(heap, "keepsInMain")).toEqual([20, 20]);
    expect(counted(heap, "keepsInWorker")).toEqual([500, 500]);
    expect(counted(heap, "dropsInWorker")).toEqual([500, 0]);
    for (const p of blocks) heap.free(p);
    expect(counted(heap, "keepsInWorker")).toEqual([500, 200]);
    const [leak] = leaksOf(heap);
    expect(leak).toMatchObject({ objects: 200 });
    for (const p of more) heap.free(p);
    expect(counted(heap, "keepsInWorker")).toEqual([500, 0]);
    heap.validate({ deep: true });
    heap.dispose();
  });

  it("guards blocks whichever thread frees them", async () => {
    const reports: DamageReport[] = [];
    const onReport = (report: DamageReport) => void reports.push(report);
    const heap = createSharedHeap({ profile: { guard: "all", quarantine: 0, onReport } });
    const blocks = await runWorker(heap, 10);
    heap.u8[blocks[3]! + 100] = (heap.u8[blocks[3]! + 100]! + 1) & 0xff;
    for (const p of blocks) heap.free(p);
    expect(reports).toMatchObject([{ kind: "overflow", address: blocks[3], size: 100 }]);
    const [report] = reports;
    const names = report!.allocated.map((frame) => report!.texts.get(frame)?.split("\t")[0] ?? "");
    expect(names).toContain("keepsInWorker");
    heap.validate({ deep: true });
    heap.dispose();
  });

  it("is for one thread where memory is not to be shared", () => {
    const heap = createSharedHeap({ shared: false, profile: { rate: 1 } });
    keepsInMain(heap);
    expect(counted(heap, "keepsInMain")).toEqual([20, 20]);
    expect(readSamples(heap.memory).lost).toBe(0);
    heap.dispose();
  });

  it("is joined by its own entry: the error of the other names it", () => {
    const heap = createSharedHeap({ profile: { rate: 1 } });
    expect(() => attachPlain(heap.share())).toThrow(/gomalloc\/profile\/shared/);
    heap.dispose();
  });
});
