/** Figures by class, differences of two snapshots, and core dumps. */
import { describe, expect, it } from "vitest";
import {
  classFigures,
  compareSnapshots,
  parseSnapshot,
  readCoredump,
  readSnapshot,
  SnapshotError,
} from "../../src/snapshot/index.ts";
import { open } from "../support/wasm.ts";
import { coredump, series } from "./support/heaps.ts";

const { memory, snapshots } = series();

describe("classFigures", () => {
  it("accounts for every byte of the spans", () => {
    for (const snapshot of snapshots) {
      const figures = classFigures(snapshot);
      const sum = (of: (one: (typeof figures)[number]) => number) => figures.reduce((n, one) => n + of(one), 0);
      expect(sum(({ bytes }) => bytes)).toBe(snapshot.totals.heapInuse);
      expect(sum(({ liveBytes }) => liveBytes)).toBe(snapshot.totals.heapAlloc);
      for (const { bytes, liveBytes, freeBytes, tailBytes, used, excessBytes, slots, size, row } of figures) {
        expect(liveBytes + freeBytes + tailBytes).toBe(bytes);
        expect(used).toBe(liveBytes / bytes);
        expect(excessBytes).toBeLessThanOrEqual(bytes);
        if (row !== 0) expect(tailBytes).toBe(bytes - slots * size);
      }
      const free = figures.map(({ freeBytes }) => freeBytes);
      expect(free).toEqual([...free].sort((a, b) => b - a));
    }
  });

  it("excess is what live slots in fewer spans would leave", () => {
    const { e, mem } = open("malloc");
    const blocks = Array.from({ length: 8 * 512 }, () => e.malloc(16));
    // Every other block of eight spans: four spans could hold them.
    blocks.forEach((p, i) => {
      if (i % 2 === 0) e.free(p);
    });
    const [figures] = classFigures(readSnapshot(mem.memory));
    expect(figures).toMatchObject({ kind: "malloc", size: 16, spans: 8, live: 2048, used: 0.5, tailBytes: 0 });
    expect(figures!.excessBytes).toBe(4 * 8192);
  });
});

describe("compareSnapshots", () => {
  it("finds blocks that came and went, and nothing between equal ones", () => {
    const { e, mem } = open("malloc");
    const blocks = Array.from({ length: 1000 }, () => e.malloc(64));
    const before = readSnapshot(mem.memory);
    expect(compareSnapshots(before, before)).toMatchObject({ rows: [], spans: [] });
    for (const p of blocks.slice(100, 150)) e.free(p);
    const large = e.malloc(100_000);
    const after = readSnapshot(mem.memory);
    const { totals, rows, spans } = compareSnapshots(before, after);
    expect(totals.heapObjects).toEqual([1000, 951]);
    expect(rows.map(({ kind, size, live }) => [kind, size, live])).toEqual([
      ["large", 0, [0, 1]],
      ["malloc", 64, [1000, 950]],
    ]);
    const changed = spans.filter(({ what }) => what === "changed");
    expect(changed.reduce((n, { gone }) => n + gone, 0)).toBe(50);
    expect(spans.find(({ what }) => what === "new")).toMatchObject({
      page: large / 8192,
      pages: 13,
      appeared: 1,
      gone: 0,
    });
    const back = compareSnapshots(after, before);
    expect(back.spans.map(({ what, appeared, gone }) => [what, gone, appeared])).toEqual(
      spans.map(({ what, appeared, gone }) => [what === "new" ? "gone" : what, appeared, gone]),
    );
  });

  it("sums up to the change of each row", () => {
    for (const strip of [false, true]) {
      const [a, b] = [snapshots[1]!, snapshots[3]!].map((one) => {
        const json = JSON.parse(JSON.stringify(one)) as { spans: { bits?: string }[] };
        if (strip) for (const span of json.spans) delete span.bits;
        return parseSnapshot(json);
      });
      const { rows, spans } = compareSnapshots(a!, b!);
      for (const { row, size, live } of rows) {
        const own = spans.filter((one) => one.row === row && (row === 0 || one.size === size));
        expect(own.reduce((n, { appeared, gone }) => n + appeared - gone, 0)).toBe(live[1] - live[0]);
      }
    }
  });
});

describe("readCoredump", () => {
  const refusal = (bytes: Uint8Array) => {
    try {
      readCoredump(bytes);
    } catch (error) {
      expect(error).toBeInstanceOf(SnapshotError);
      expect(error).toMatchObject({ kind: "coredump" });
      return (error as Error).message;
    }
    throw new Error("it was taken");
  };
  const whole = coredump(memory, "x.wasm");

  it("gives the memory, whose heap is the program's", () => {
    const { executable, memories } = readCoredump(whole);
    expect(executable).toBe("x.wasm");
    expect(memories).toHaveLength(1);
    expect(Buffer.compare(memories[0]!, memory)).toBe(0);
    const read = readSnapshot(memories[0]!, { time: 0 });
    expect(JSON.stringify(read)).toBe(JSON.stringify(readSnapshot(memory, { time: 0 })));
  });

  it("refuses what is none, and says why", () => {
    expect(refusal(memory)).toMatch(/no core dump: it does not begin as a WebAssembly file; give the file that/);
    expect(refusal(Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]))).toMatch(/no section `core`/);
    expect(refusal(whole.subarray(0, whole.length - 10))).toMatch(/the core dump ends in the middle of something/);
    const core = [0, 8, 4, ...Buffer.from("core"), 0, 1, 0x78];
    expect(refusal(Uint8Array.from([...whole.subarray(0, 8), ...core]))).toMatch(/the core dump has no memory/);
  });

  it("ends with a dump or an error, wherever it is cut or changed", () => {
    const small = coredump(memory.subarray(0, 65536 * 4));
    for (let i = 0; i < 200; i++) {
      const bytes = small.slice(0, 8 + ((i * 7919) % (small.length - 8)));
      try {
        readCoredump(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(SnapshotError);
      }
      const changed = small.slice();
      changed[8 + (i % 60)] = (i * 37) & 0xff;
      try {
        readCoredump(changed);
      } catch (error) {
        expect(error).toBeInstanceOf(SnapshotError);
      }
    }
  });
});
