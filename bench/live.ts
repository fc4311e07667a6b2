/**
 * What the live view costs a program: frames a second, the longest stop, and the program's slowdown, for a heap of a given
 * size whose program allocates all the time. `npx tsx bench/live.ts [MiB]`; docs/live.md has the figures.
 *
 * The program runs in this thread, a millisecond of mallocs and frees in each turn of the event loop; the viewer is a
 * process of its own, which applies the frames as the page does. Rounds with and without a viewer take turns.
 *
 * On a busy machine a slice is as long as other programs let it be. So slices are also measured one by one by the
 * processor time of the process, which is more than the thread's own.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { createHeap } from "../src/index.ts";
import { LiveReader } from "../src/live/reader.ts";
import { serveHeap } from "../src/live/server.ts";
import { LiveSource } from "../src/live/source.ts";
import { FRAME, type FrameExtras, MessageSplitter } from "../src/map/wire.ts";
import { FrameReader } from "../src/snapshot/frame.ts";

const [ROUNDS, ROUND_MS, WARM_MS, SLICED_FRAMES] = [5, 4000, 1500, 400] as const;

/** The viewer: prints a line of JSON when it is told to. */
async function view(url: string): Promise<void> {
  let frames = 0;
  let bytes = 0;
  let longest = 0;
  let cost = 0;
  let slices = 0;
  createInterface(process.stdin).on("line", () => {
    console.log(JSON.stringify({ frames, bytes, longest, cost, slices }));
    [frames, bytes, longest, cost, slices] = [0, 0, 0, 0, 0];
  });
  const reader = new FrameReader();
  const splitter = new MessageSplitter();
  const { body } = await fetch(`${url}frames`);
  for await (const chunk of body!) {
    for (const message of splitter.push(chunk)) {
      if (message[0] !== FRAME) continue;
      const { read } = reader.read(message.subarray(1)).head.more as FrameExtras;
      frames++;
      bytes += message.length;
      longest = Math.max(longest, read.longest);
      cost += read.ms;
      slices += read.slices;
    }
  }
}

/** Milliseconds of processor time of the process so far: of this thread, and of what the engine does beside it. */
function running(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

interface Seen {
  readonly frames: number;
  readonly bytes: number;
  readonly longest: number;
  readonly cost: number;
  readonly slices: number;
}

async function measure(mib: number): Promise<void> {
  const heap = createHeap();
  const blocks: number[] = [];
  let seed = 1;
  const random = () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed >>> 8;
  };
  while (heap.memory.buffer.byteLength < mib * 2 ** 20) {
    for (let i = 0; i < 1000; i++) blocks.push(heap.malloc(16 + (random() % 112)));
  }
  const live = await serveHeap(heap);
  const viewer = spawn(process.execPath, [...process.execArgv, fileURLToPath(import.meta.url), "--view", live.url], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface(viewer.stdout)[Symbol.asyncIterator]();
  const ask = async () => {
    viewer.stdin.write("\n");
    return JSON.parse(((await lines.next()) as IteratorResult<string>).value) as Seen;
  };

  /** Frees and allocates for some time: calls, and the longest time between two turns beside the program's own. */
  async function work(ms: number): Promise<{ calls: number; stop: number }> {
    let calls = 0;
    let stop = 0;
    let left = performance.now();
    const end = left + ms;
    while (left < end) {
      await new Promise((done) => setImmediate(done));
      const now = performance.now();
      stop = Math.max(stop, now - left);
      do {
        for (let i = 0; i < 100; i++) {
          const k = random() % blocks.length;
          heap.free(blocks[k]!);
          blocks[k] = heap.malloc(16 + (random() % 112));
        }
        calls += 100;
        left = performance.now();
      } while (left < now + 1);
    }
    return { calls: calls / ms, stop };
  }

  const results: (Seen & { seen: number; alone: number; stop: number; pause: number; fps: number })[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    while (live.viewers === 0) await work(50);
    await work(WARM_MS);
    await ask();
    const from = performance.now();
    const seen = await work(ROUND_MS);
    const said = await ask();
    const fps = (said.frames * 1000) / (performance.now() - from);
    viewer.kill("SIGSTOP");
    await work(WARM_MS);
    const alone = await work(ROUND_MS);
    viewer.kill("SIGCONT");
    results.push({ ...said, seen: seen.calls, alone: alone.calls, stop: seen.stop, pause: alone.stop, fps });
  }
  viewer.kill();
  await once(viewer, "exit");
  await live.close();
  // Slices one by one, in their own frames.
  const reader = new LiveReader(new LiveSource(heap), undefined);
  const slices: number[] = [];
  for (let frame = 0; frame < SLICED_FRAMES; frame++) {
    reader.begin({ changes: true, whole: frame === 0, windows: [] });
    for (let done = false; !done; ) {
      const from = running();
      done = reader.step(5) !== undefined;
      slices.push(running() - from);
      await work(5);
    }
  }
  slices.sort((a, b) => a - b);
  const median = (of: (one: (typeof results)[number]) => number) =>
    results.map(of).sort((a, b) => a - b)[Math.floor(results.length / 2)]!;
  const { length } = heap.u8;
  console.log(`heap                          ${Math.round(length / 2 ** 20)} MiB, ${blocks.length} blocks`);
  console.log(`frames a second               ${median(({ fps }) => fps).toFixed(1)}`);
  console.log(`slices a frame                ${median(({ slices, frames }) => slices / frames).toFixed(1)}`);
  console.log(`milliseconds a frame          ${median(({ cost, frames }) => cost / frames).toFixed(1)}`);
  console.log(`longest slice, ms             ${Math.max(...results.map(({ longest }) => longest)).toFixed(1)}`);
  console.log(`slices one by one             ${slices.length}`);
  console.log(`  processor ms a frame        ${(slices.reduce((a, b) => a + b, 0) / SLICED_FRAMES).toFixed(1)}`);
  console.log(`  longest, processor ms       ${slices.at(-1)!.toFixed(1)}`);
  console.log(`  99 of 100 are below, ms     ${slices[Math.floor(slices.length * 0.99)]!.toFixed(1)}`);
  console.log(`  longer than 5 ms            ${slices.filter((ms) => ms > 5).length}`);
  console.log(`longest turn, viewer, ms      ${Math.max(...results.map(({ stop }) => stop)).toFixed(1)}`);
  console.log(`longest turn, no viewer, ms   ${Math.max(...results.map(({ pause }) => pause)).toFixed(1)}`);
  console.log(`kB a frame                    ${median(({ bytes, frames }) => bytes / frames / 1000).toFixed(0)}`);
  console.log(`program's speed with a viewer ${(median(({ seen, alone }) => seen / alone) * 100).toFixed(0)} %`);
}

const [first, url] = process.argv.slice(2);
if (first === "--view") await view(url!);
else await measure(Number(first ?? 256));
