/**
 * The scavenger over heaps of one thread and shared ones, with a back end that clears the bytes: what it releases, what it
 * leaves, its goals, its errors. What a real system does is in rss.test.ts.
 */
import { afterEach, describe, expect, it, vi } from "vitest";
import { notePages } from "../../src/heap/pages.ts";
import { createHeap, type Heap } from "../../src/index.ts";
import { type Release, ScavengeError, type Scavenger, scavenge } from "../../src/scavenge/index.ts";
import { createSharedHeap, type SharedHeap } from "../../src/shared/index.ts";
import { between, random } from "../support/random.ts";

type AnyHeap = Heap | SharedHeap;

const MiB = 2 ** 20;
const WASM_PAGE = 65_536;

const KINDS: [string, () => AnyHeap][] = [
  ["createHeap", () => createHeap()],
  ["createSharedHeap", () => createSharedHeap({ maximumPages: 8192 })],
  ["createSharedHeap, shared: false", () => createSharedHeap({ maximumPages: 8192, shared: false })],
];

/** As a system that gives pages back: they are zero after it. */
function clearing(calls: [number, number][] = []): Release {
  return (memory, address, bytes) => {
    new Uint8Array(memory.buffer, address, bytes).fill(0);
    calls.push([address, bytes]);
    return true;
  };
}

let heap: AnyHeap | undefined;
let scavenger: Scavenger | undefined;
afterEach(() => {
  scavenger?.stop();
  heap?.dispose();
  heap = undefined;
  scavenger = undefined;
  vi.useRealTimers();
});

/** `n` blocks of `size` bytes, each full of a byte of its own. */
function fill(heap: AnyHeap, n: number, size: number): number[] {
  return Array.from({ length: n }, (_, i) => {
    const ptr = heap.malloc(size);
    heap.u8.fill(1 + (i % 255), ptr, ptr + size);
    return ptr;
  });
}

function expectKept(heap: AnyHeap, blocks: number[], size: number, from = 0): void {
  for (const [i, ptr] of blocks.entries()) {
    const wrong = heap.u8.subarray(ptr, ptr + size).findIndex((byte) => byte !== 1 + ((i + from) % 255));
    expect(wrong, `byte of block ${i}`).toBe(-1);
  }
}

describe.each(KINDS)("%s", (_, make) => {
  it("freeOSMemory gives back all that is free, in runs of 64 KiB, and leaves what lives", () => {
    heap = make();
    const kept = fill(heap, 50, 5000);
    const large = fill(heap, 8, MiB);
    const more = fill(heap, 50, 5000);
    for (const ptr of large) heap.free(ptr);
    const calls: [number, number][] = [];
    scavenger = scavenge(heap, { release: clearing(calls), auto: false });
    const before = scavenger.stats();
    const freed = scavenger.freeOSMemory();
    expect(freed).toBeGreaterThanOrEqual(7 * MiB);
    for (const [address, bytes] of calls) {
      expect([address % WASM_PAGE, bytes % WASM_PAGE]).toEqual([0, 0]);
      expect(bytes).toBeLessThanOrEqual(8 * WASM_PAGE);
    }
    const after = scavenger.stats();
    expect(after).toMatchObject({ forced: freed, background: 0, eager: 0 });
    // Zero pages that a cache had are counted again.
    expect(Math.abs(after.resident + freed - before.resident)).toBeLessThanOrEqual(64 * 8192);
    expect(heap.stats().heapReleased).toBe(after.released);
    expectKept(heap, kept, 5000);
    expectKept(heap, more, 5000);
    heap.validate({ deep: true });
    // Nothing is left, and nothing is given back twice.
    expect(scavenger.freeOSMemory()).toBeLessThan(freed / 8);
    // What was given back is zero without being cleared again.
    const cleared = heap.stats().zeroedBytesCleared;
    const zeroed = heap.calloc(1, 4 * MiB);
    expect(heap.u8.subarray(zeroed, zeroed + 4 * MiB).every((byte) => byte === 0)).toBe(true);
    expect(heap.stats().zeroedBytesCleared - cleared).toBeLessThan(MiB);
    heap.validate({ deep: true });
  });

  it("a turn leaves what is in use, and a tenth more", () => {
    heap = make();
    const kept = fill(heap, 40, 100_000);
    const large = fill(heap, 40, 100_000);
    scavenger = scavenge(heap, { release: clearing(), auto: false, generationMs: 10 });
    scavenger.turn();
    for (const ptr of large) heap.free(ptr);
    // The last two generations used it.
    for (let i = 0; i < 200 && scavenger.stats().generations < 4; i++) {
      scavenger.turn();
      const until = performance.now() + 11;
      while (performance.now() < until);
    }
    while (scavenger.turn());
    const { resident, background } = scavenger.stats();
    expect(background).toBeGreaterThan(3 * MiB);
    const used = heap.stats().heapInuse;
    expect(resident).toBeLessThan(1.1 * used + MiB);
    expect(resident).toBeGreaterThan(used);
    expectKept(heap, kept, 100_000);
    heap.validate({ deep: true });
  });

  it("goes below 95 % of its limit at once", () => {
    heap = make();
    const large = fill(heap, 16, MiB);
    scavenger = scavenge(heap, { release: clearing(), auto: false, memoryLimit: 10 * MiB });
    while (scavenger.turn());
    expect(scavenger.stats().eager).toBe(0);
    for (const ptr of large.slice(0, 10)) heap.free(ptr);
    while (scavenger.turn());
    const { eager, resident } = scavenger.stats();
    expect(eager).toBeGreaterThan(5 * MiB);
    expect(resident).toBeLessThanOrEqual(9.5 * MiB);
    expectKept(heap, large.slice(10), MiB, 10);
  });

  it("random work with turns, forced ones and releases that fail keeps every block", () => {
    for (const seed of [1, 2, 3]) {
      heap = make();
      const r = random(seed);
      let n = 0;
      const release: Release = (memory, address, bytes) => {
        const failed = ++n % 5 === 0;
        new Uint8Array(memory.buffer, address, bytes).fill(failed ? 0xcc : 0);
        return !failed;
      };
      scavenger = scavenge(heap, { release, auto: false, generationMs: 10, retain: 0 });
      const live: [number, number, number][] = [];
      for (let step = 0; step < 1500; step++) {
        const what = r() % 20;
        if (what < 9 || live.length === 0) {
          const size = r() % 4 === 0 ? between(r, 8000, 400_000) : between(r, 0, 8000);
          const ptr = r() % 3 === 0 ? heap.calloc(1, size) : heap.malloc(size);
          const byte = 1 + (step % 255);
          heap.u8.fill(byte, ptr, ptr + size);
          live.push([ptr, size, byte]);
        } else if (what < 18) {
          const [[ptr, size, byte]] = live.splice(r() % live.length, 1) as [[number, number, number]];
          expect(
            heap.u8.subarray(ptr, ptr + size).every((x) => x === byte),
            `seed ${seed}, step ${step}`,
          ).toBe(true);
          heap.free(ptr);
        } else if (what === 18) scavenger.turn();
        else scavenger.freeOSMemory();
        if (step % 500 === 499) heap.validate({ deep: true });
      }
      expect(scavenger.stats().forced).toBeGreaterThan(MiB);
      scavenger.stop();
      heap.dispose();
    }
  });

  it("freeOSMemory runs a whole collection where the collector is used", () => {
    heap = make();
    const gc = heap.collector;
    const type = gc.defineType({ size: 4096, pointers: [0] });
    gc.collect();
    for (let i = 0; i < 1000; i++) gc.new(type).dispose();
    const held = heap.stats().heapInuse;
    scavenger = scavenge(heap, { release: clearing(), auto: false });
    expect(scavenger.freeOSMemory()).toBeGreaterThan(2 * MiB);
    expect(heap.stats().heapInuse).toBeLessThan(held / 4);
    heap.validate({ deep: true });
  });

  it("works by itself until it is stopped or the heap ends", async () => {
    heap = make();
    const large = fill(heap, 30, MiB);
    const lines: string[] = [];
    scavenger = scavenge(heap, {
      release: clearing(),
      share: 0.5,
      generationMs: 10,
      trace: (line) => lines.push(line),
    });
    expect(scavenger.running).toBe(true);
    for (const ptr of large) heap.free(ptr);
    await vi.waitFor(() => expect(scavenger!.stats().background).toBeGreaterThan(25 * MiB), { timeout: 600_000 });
    await vi.waitFor(() => expect(lines.length).toBeGreaterThan(0), { timeout: 600_000 });
    expect(lines[0]).toMatch(/^scav \d+ KiB work \(bg\), 0 KiB work \(eager\), \d+ KiB now, \d+% util$/);
    scavenger.stop();
    scavenger.stop();
    expect(scavenger.running).toBe(false);
    const other = scavenge(heap, { release: clearing() });
    heap.dispose();
    await vi.waitFor(() => expect(other.running).toBe(false), { timeout: 600_000 });
    expect(() => other.freeOSMemory()).toThrow("disposed");
  });

  it("a back end that leaves bytes is found out, and one that throws costs nothing", () => {
    heap = make();
    for (const ptr of fill(heap, 8, MiB)) heap.free(ptr);
    const leaves: Release = () => true;
    scavenger = scavenge(heap, { release: leaves, auto: false });
    expect(() => scavenger!.freeOSMemory()).toThrow(ScavengeError);
    expect(() => scavenger!.freeOSMemory()).toThrow(/not zero; it must return true only when/);
    heap.validate({ deep: true });
    const throws = scavenge(heap, {
      release: () => {
        throw new Error("no");
      },
      auto: false,
    });
    expect(() => throws.freeOSMemory()).toThrow("no");
    const refuses = scavenge(heap, { release: () => false, auto: false });
    expect(refuses.freeOSMemory()).toBe(0);
    heap.validate({ deep: true });
    const works = scavenge(heap, { release: clearing(), auto: false });
    expect(works.freeOSMemory()).toBeGreaterThan(7 * MiB);
  });
});

it.each([true, false])("a run that no lock lets go is freed later as what it is: given back %s", (released) => {
  const ends: number[] = [];
  let runs = [WASM_PAGE];
  const fake = {
    memory: new WebAssembly.Memory({ initial: 4 }),
    collector: { collect: () => {} },
    releaseAll: () => {},
  };
  notePages(fake, () => ({
    scavengeBegin: () => 1,
    scavengeOne: () => runs.pop() ?? 0,
    scavengeBytes: () => WASM_PAGE,
    // The first two times the lock is another thread's.
    scavengeEnd: (zero) => (ends.push(zero) > 2 ? 1 : 0),
    idlePages: () => 0,
    collector: null,
  }));
  const clear = clearing();
  scavenger = scavenge(fake, { release: (...run) => released && clear(...run), auto: false });
  scavenger.freeOSMemory();
  runs = [2 * WASM_PAGE];
  scavenger.freeOSMemory();
  const zero = released ? 1 : 0;
  // Freed in the first call, tried again in it, then done; the next run comes only after that.
  expect(ends).toEqual([zero, zero, zero, zero]);
});

describe("options", () => {
  it("that are wrong are refused", () => {
    heap = createHeap();
    const release = clearing();
    const bad = (options: object) => () => scavenge(heap!, { release, ...options });
    expect(bad({ retain: -1 })).toThrow(RangeError);
    expect(bad({ share: 0 })).toThrow(RangeError);
    expect(bad({ share: 0.6 })).toThrow(RangeError);
    expect(bad({ generationMs: 1 })).toThrow(RangeError);
    expect(bad({ memoryLimit: Number.NaN })).toThrow(RangeError);
    expect(bad({ auto: 1 })).toThrow(TypeError);
    expect(bad({ release: 1 })).toThrow(TypeError);
    expect(bad({ trace: 1 })).toThrow(TypeError);
    expect(bad({ retains: 1 })).toThrow(TypeError);
    expect(() => scavenge({} as Heap, { release })).toThrow("createHeap or createSharedHeap");
  });

  it("without a back end and an engine that has none, the error says what to do", () => {
    heap = createHeap();
    expect(() => scavenge(heap!)).toThrow(ScavengeError);
    expect(() => scavenge(heap!)).toThrow(/pass a function as the option release, in Node: await madvise\(\)/);
  });

  it("memory.discard is used where an engine has it", () => {
    heap = createHeap();
    const proto = WebAssembly.Memory.prototype as { discard?: (address: number, bytes: number) => void };
    proto.discard = function (this: WebAssembly.Memory, address, bytes) {
      new Uint8Array(this.buffer, address, bytes).fill(0);
    };
    try {
      for (const ptr of fill(heap, 4, MiB)) heap.free(ptr);
      scavenger = scavenge(heap, { auto: false });
      expect(scavenger.freeOSMemory()).toBeGreaterThan(3 * MiB);
      heap.validate({ deep: true });
    } finally {
      delete proto.discard;
    }
  });
});
