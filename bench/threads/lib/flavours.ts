/**
 * One thread: the shared flavour's time over the unshared one's, on every micro workload of the main benchmark.
 *
 * The main benchmark's own driver (bench/assembly/driver) is compiled over an imported memory, shared and not, merged
 * with either flavour under the settings of this benchmark, and run in a worker as bench/lib/measure.ts runs it.
 */

import { compileAssembly } from "../../lib/build/assemblyscript.ts";
import { merge } from "../../lib/build/merge.ts";
import type { Clock } from "../../lib/clock.ts";
import { heapBase, initialPages } from "../../lib/layout.ts";
import { benchFile } from "../../lib/paths.ts";
import { median, spread } from "../../lib/statistics.ts";
import { MICROS, type Micro } from "../../lib/workloads.ts";
import { ALLOWED, assemble } from "./build.ts";
import { built } from "./contenders.ts";
import type { Pool } from "./pool.ts";
import type { RoundSettings } from "./rounds.ts";

/** wasm pages that a 32-bit memory has at most. */
const MOST_PAGES = 65536;

/** One micro workload on both flavours. */
export interface FlavourRow {
  readonly workload: string;
  /** Medians, nanoseconds per operation. */
  readonly plain: number;
  readonly shared: number;
  /** The median of the rounds' ratios, and how much they differed. */
  readonly ratio: number;
  readonly spread: number;
}

/** The two flavours, compiled. */
export interface Flavours {
  readonly plain: WebAssembly.Module;
  readonly shared: WebAssembly.Module;
}

/** Builds both; undefined if one of them has not been built. */
export async function buildFlavours(): Promise<Record<keyof Flavours, Uint8Array<ArrayBuffer>> | undefined> {
  const [plain, shared] = [
    await flavour("gomalloc.debug.wasm", false),
    await flavour("gomalloc-shared.debug.wasm", true),
  ];
  return plain && shared && { plain, shared };
}

async function flavour(file: string, shared: boolean): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const bytes = await built(file);
  if (!bytes) return undefined;
  const name = shared ? "shared" : "plain";
  const limits = `${initialPages("timed")} ${MOST_PAGES}`;
  const memory = await assemble(
    `(module (import "host" "memory" (memory ${limits} ${shared ? "shared" : ""})) (export "memory" (memory 0)))`,
  );
  const driver = await compileAssembly({
    label: `threads-micros-${name}`,
    entry: benchFile("assembly", "driver", "index.ts"),
    flags: [
      ...["--runtime", "stub", "--use", "CHECKED=0", "--importMemory", "--noExportMemory"],
      ...["--initialMemory", String(initialPages("timed")), "--maximumMemory", String(MOST_PAGES)],
      ...(shared ? ["--enable", "threads", "--sharedMemory"] : []),
    ],
  });
  const others = [
    { name: "driver", bytes: driver },
    { name: "alloc", bytes },
  ];
  const exports = WebAssembly.Module.exports(new WebAssembly.Module(driver)).map((entry) => entry.name);
  const keep = ["init", ...exports];
  return merge(`threads-micros-${name}-merged`, [{ name: "env", bytes: memory }, ...others], keep, ALLOWED);
}

/** Measures every micro workload whose name matches, both flavours in turns. */
export async function measureFlavours(
  pool: Pool,
  flavours: Flavours,
  matches: (name: string) => boolean,
  { rounds, clock, progress }: RoundSettings,
): Promise<FlavourRow[]> {
  const rows: FlavourRow[] = [];
  for (const micro of MICROS.filter(({ name }) => matches(name))) {
    const times = { plain: [] as number[], shared: [] as number[] };
    for (let round = 0; round < rounds; round++) {
      progress?.(`flavours: ${micro.name}, round ${round + 1} of ${rounds}`);
      const order = round % 2 ? (["shared", "plain"] as const) : (["plain", "shared"] as const);
      for (const one of order) times[one].push(await timeMicro(pool, flavours[one], one === "shared", micro, clock));
    }
    const ratios = times.shared.map((time, i) => time / times.plain[i]!);
    rows.push({
      workload: micro.name,
      plain: median(times.plain),
      shared: median(times.shared),
      ratio: median(ratios),
      spread: spread(ratios),
    });
  }
  return rows;
}

/** Nanoseconds per operation in a fresh heap that has reached its steady state. */
async function timeMicro(
  pool: Pool,
  module: WebAssembly.Module,
  shared: boolean,
  micro: Micro,
  clock: Clock,
): Promise<number> {
  const { setup, run, slice, calls, warm = 1 } = micro;
  const heap = await pool.openPlain(module, shared, 1, initialPages("timed"));
  await heap.call(0, "init", heapBase("timed"));
  await heap.call(0, "setHeapBase", heapBase("timed"));
  await heap.call(0, "seed", 1);
  if (setup) await heap.call(0, setup, 0);
  await heap.tell(0, "time", { name: run, argument: slice, times: warm, clock });
  const before = await heap.call(0, "operationCount");
  const elapsed = await heap.tell(0, "time", { name: run, argument: slice, times: calls, clock });
  const operations = (await heap.call(0, "operationCount")) - before;
  await heap.close();
  return (elapsed * 1e6) / operations;
}
