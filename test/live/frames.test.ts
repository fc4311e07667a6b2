/**
 * Frames: whatever a program does between them, the differences applied one after the other give the snapshot itself, and
 * so does a whole frame in between. Live slots come for the pages that are looked at, and for no others.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FrameReader, FrameWriter, type PageWindow } from "../../src/snapshot/frame.ts";
import { type HeapSnapshot, readSnapshot } from "../../src/snapshot/index.ts";
import { World } from "../shared/support/core-world.ts";
import { runs } from "../support/random.ts";
import { type Flavour, type HostExports, open, wasmModule } from "../support/wasm.ts";

/** All of it at once. */
function whole<T>(work: Generator<void, T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}

/** The snapshot as a viewer with these windows is to have it. */
function seen(snapshot: HeapSnapshot, windows: readonly PageWindow[]): object {
  const { spans, ...others } = snapshot.toJSON();
  const isLooked = (page: number) => windows.some(({ from, to }) => page >= from && page < to);
  return {
    ...others,
    spans: spans.map(({ bits, ...span }) => (bits && isLooked(span.page) ? { ...span, bits } : span)),
  };
}

const bytesOf = (frame: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(frame);

/** What a program may do before a frame. */
const act = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      what: fc.constant("malloc"),
      n: fc.integer({ min: 1, max: 400 }),
      size: fc.integer({ min: 0, max: 3000 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constant("large"),
      n: fc.integer({ min: 1, max: 4 }),
      size: fc.integer({ min: 33_000, max: 900_000 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ what: fc.constant("free"), n: fc.integer({ min: 1, max: 600 }), size: fc.nat(1000) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constantFrom("reclaim", "nothing", "grow"),
      n: fc.constant(1),
      size: fc.constant(0),
    }),
  },
);
const window = fc.tuple(fc.nat(200), fc.nat(60)).map(([from, length]): PageWindow => ({ from, to: from + length }));
const rounds = fc.array(
  fc.record({ acts: fc.array(act, { maxLength: 6 }), windows: fc.array(window, { maxLength: 3 }), join: fc.boolean() }),
  { minLength: 1, maxLength: 12 },
);

describe.each(["malloc", "host", "shared"] as const)("%s", (flavour: Flavour) => {
  it("differences and whole frames give the snapshot", () => {
    fc.assert(
      fc.property(rounds, (program) => {
        const o = open(flavour, { initial: 3 });
        const e = o.e as HostExports;
        const live: number[] = [];
        const writer = new FrameWriter();
        const viewers = [new FrameReader()];
        live.push(e.malloc(10));
        for (const { acts, windows, join } of program) {
          for (const { what, n, size } of acts) {
            for (let i = 0; i < n; i++) {
              if (what === "malloc" || what === "large") live.push(e.malloc(size));
              else if (what === "free" && live.length > 1) e.free(live.splice((size * 7919 + i) % live.length, 1)[0]!);
            }
            if (what === "reclaim" && flavour === "host") e.reclaim();
            if (what === "grow") o.mem.memory.grow(1);
          }
          const snapshot = readSnapshot(o.mem.memory);
          const changes = bytesOf(whole(writer.take(snapshot, windows)));
          for (const viewer of viewers) expect(viewer.read(changes).snapshot.toJSON()).toEqual(seen(snapshot, windows));
          if (!join) continue;
          const late = new FrameReader();
          const { head, snapshot: read } = late.read(bytesOf(whole(writer.whole(windows, { note: 1 }))));
          expect(read.toJSON()).toEqual(seen(snapshot, windows));
          expect(head).toMatchObject({ full: true, more: { note: 1 } });
          viewers.push(late);
        }
      }),
      { numRuns: runs(25) },
    );
  });
});

it("a heap at rest costs the same however large it is", () => {
  const sizes = [100, 20_000].map((n) => {
    const o = open("host", { initial: 3 });
    for (let i = 0; i < n; i++) o.e.malloc(1000);
    const writer = new FrameWriter();
    const first = whole(writer.take(readSnapshot(o.mem.memory, { time: 1 }), []));
    const second = whole(writer.take(readSnapshot(o.mem.memory, { time: 1 }), []));
    return [first.length, second.length] as const;
  });
  expect(sizes[1]![0]).toBeGreaterThan(3 * sizes[0]![0]);
  // The digits of the totals differ.
  expect(Math.abs(sizes[1]![1] - sizes[0]![1])).toBeLessThan(64);
});

it("Ps of a shared heap come along", () => {
  const world = new World(wasmModule("host-shared"), 16, 4096);
  const [a, b] = [world.thread(1), world.thread(2)];
  const writer = new FrameWriter();
  const reader = new FrameReader();
  for (const t of [a, b]) t.acquire();
  for (let round = 0; round < 4; round++) {
    for (const t of [a, b]) t.mallocs(200, 300);
    b.frees([...world.blocks.keys()].slice(0, 100));
    const snapshot = readSnapshot(world.memory);
    const read = reader.read(bytesOf(whole(writer.take(snapshot, []))));
    expect(read.snapshot.toJSON()).toEqual(seen(snapshot, []));
    expect(read.head.full).toBe(round === 0);
  }
});

it("another heap begins anew", () => {
  const writer = new FrameWriter();
  const reader = new FrameReader();
  for (const base of [2, 5]) {
    const o = open("host", { initial: 8, heapBase: base * 65536 });
    o.e.malloc(100);
    const snapshot = readSnapshot(o.mem.memory);
    const { head, snapshot: read } = reader.read(bytesOf(whole(writer.take(snapshot, []))));
    expect(head.full).toBe(true);
    expect(read.toJSON()).toEqual(seen(snapshot, []));
  }
});

it("refuses what is no frame, and differences without their beginning", () => {
  const o = open("host", { initial: 3 });
  o.e.malloc(100);
  const writer = new FrameWriter();
  const first = bytesOf(whole(writer.take(readSnapshot(o.mem.memory), [])));
  const second = bytesOf(whole(writer.take(readSnapshot(o.mem.memory), [])));
  expect(() => new FrameReader().read(second)).toThrow("the frames before it are missing");
  expect(() => new FrameReader().read(first.slice(0, -4))).toThrow("its length is wrong");
  expect(() => new FrameReader().read(new Uint8Array(3))).toThrow("it is too short");
  expect(() => whole(new FrameWriter().whole([]))).toThrow("there is no frame yet");
});
