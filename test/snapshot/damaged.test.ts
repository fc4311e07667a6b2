/**
 * Damaged memories: whatever words of a heap's records are overwritten, reading ends, with a snapshot or a SnapshotError
 * and nothing else, and a snapshot describes each page at most once. SNAPSHOT_SEED chooses other words, SNAPSHOT_DAMAGES
 * how many memories of each flavour; a failure prints the seed.
 */
import { describe, expect, it } from "vitest";
import { parseSnapshot, readSnapshot, readSnapshots, SnapshotError } from "../../src/snapshot/index.ts";
import { World } from "../shared/support/core-world.ts";
import { LONG } from "../support/long.ts";
import { between, env, type Random, random } from "../support/random.ts";
import { type HostExports, open, WASM_PAGE, wasmModule } from "../support/wasm.ts";

const SEED = env("SNAPSHOT_SEED", 0x5a9);
const DAMAGES = env("SNAPSHOT_DAMAGES", LONG ? 20_000 : 200);

function fill(r: Random, e: Pick<HostExports, "malloc" | "free">): void {
  const live: number[] = [];
  for (let i = 0; i < 3000; i++) {
    live.push(e.malloc(between(r, 1, i % 9 === 0 ? 60_000 : 900)));
    if (r() % 3 === 0) e.free(live.splice(r() % live.length, 1)[0]!);
  }
}

function memoryOf(flavour: "malloc" | "host" | "host-shared"): Uint8Array<ArrayBuffer> {
  const r = random(SEED);
  if (flavour !== "host-shared") {
    const o = open(flavour, { initial: 3, heapBase: WASM_PAGE });
    fill(r, o.e as HostExports);
    return o.mem.u8.slice();
  }
  const world = new World(wasmModule(flavour), 16, 4096);
  const [a, b] = [world.thread(1), world.thread(2)];
  for (const t of [a, b]) t.acquire();
  for (const t of [a, b]) fill(r, t.e);
  return new Uint8Array(world.mem.u8);
}

/** Values that a damaged word may have: any, small ones, addresses. */
function value(r: Random, length: number): number {
  const kind = r() % 5;
  if (kind === 0) return r();
  if (kind === 1) return r() % 300;
  if (kind === 2) return 0xffffffff;
  return (r() % (length * 1.1)) & (kind === 3 ? ~15 : ~8191);
}

/** Reads what may be damaged. True: there was a snapshot. */
function survives(r: Random, bytes: Uint8Array, heap: number | undefined): boolean {
  try {
    const snapshot = readSnapshot(bytes, heap === undefined ? {} : { heap });
    const pages = [...snapshot.spans(), ...snapshot.runs].sort((a, b) => a.page - b.page);
    let next = snapshot.start;
    for (const { page, pages: n } of pages) {
      if (page < next || n < 1) throw new Error(`page ${page} is described twice`);
      next = page + n;
    }
    if (next > snapshot.end) throw new Error("pages behind the end");
    if (r() % 8 === 0) parseSnapshot(JSON.parse(JSON.stringify(snapshot)));
    return true;
  } catch (error) {
    if (error instanceof SnapshotError && error.kind !== "format") return false;
    throw error;
  }
}

describe(`seed ${SEED}`, () => {
  it.each(["malloc", "host", "host-shared"] as const)("words of the records of %s", (flavour) => {
    const whole = memoryOf(flavour);
    const snapshot = readSnapshot(whole);
    const { address } = snapshot;
    // Where records lie: the heap's own, and pages of records.
    const places = snapshot.runs.filter(({ kind }) => kind === 4).map(({ page, pages }) => [page * 8192, pages * 8192]);
    places.push([address, 2000], [address, 128]);
    const r = random(SEED + 1);
    let survived = 0;
    let skipped = 0;
    for (let i = 0; i < DAMAGES; i++) {
      const bytes = whole.slice();
      const words = new Uint32Array(bytes.buffer);
      const n = between(r, 1, r() % 3 === 0 ? 4000 : 4);
      for (let k = 0; k < n; k++) {
        const [from, size] = places[r() % places.length]!;
        words[Math.floor(Math.max(from!, address) / 4) + (r() % (size! >>> 2))] = value(r, bytes.length);
      }
      try {
        if (survives(r, bytes, r() % 2 === 0 ? address : undefined)) survived++;
        skipped += readSnapshots(bytes).reduce((sum, one) => sum + one.skipped.count, 0);
      } catch (error) {
        if (!(error instanceof SnapshotError)) throw new Error(`memory ${i} of seed ${SEED}`, { cause: error });
      }
    }
    expect(survived).toBeGreaterThan(DAMAGES / 4);
    // How many depends on where the heap's record lies among the words: enough to have seen the reader skip.
    expect(skipped).toBeGreaterThan(DAMAGES / 10);
  });

  it("memories that end early, or hold random bytes alone", () => {
    const whole = memoryOf("host");
    const r = random(SEED + 2);
    for (let i = 0; i < 100; i++) survives(r, whole.subarray(0, r() % whole.length), undefined);
    const { address } = readSnapshot(whole);
    for (let i = 0; i < 30; i++) {
      const bytes = whole.slice();
      const from = address + 240;
      for (let at = from; at < bytes.length; at += 1 + (r() % 64)) bytes[at] = r();
      survives(r, bytes, address);
    }
  });
});
