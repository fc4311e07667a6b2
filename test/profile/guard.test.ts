/** Guarded blocks: each kind of damage is found, with the stacks of those who had the block; what is no damage is not. */
import { describe, expect, it } from "vitest";
import {
  createHeap,
  type DamageReport,
  describeReport,
  findDamage,
  MisuseError,
  type ProfiledHeap,
  samplingFromEnv,
} from "../../src/profile.ts";
import { random } from "../support/random.ts";

interface Guarded {
  heap: ProfiledHeap;
  reports: DamageReport[];
}

function guarded(quarantine = 4096): Guarded {
  const reports: DamageReport[] = [];
  const heap = createHeap({ profile: { guard: "all", quarantine, onReport: (report) => reports.push(report) } });
  return { heap, reports };
}

const names = (stack: readonly number[], { texts }: DamageReport) =>
  stack.map((frame) => texts.get(frame)?.split("\t")[0] ?? "");

const SIZES = [1, 15, 16, 100, 2000, 40_000];

describe("a guarded block", () => {
  function allocates(heap: ProfiledHeap, size: number): number {
    return heap.malloc(size);
  }
  function frees(heap: ProfiledHeap, p: number): void {
    heap.free(p);
  }

  it.each(SIZES)("of %i bytes tells of a byte behind it when it is freed", (size) => {
    const { heap, reports } = guarded();
    const p = allocates(heap, size);
    heap.u8[p + size] = (heap.u8[p + size]! + 1) & 0xff;
    frees(heap, p);
    expect(reports).toMatchObject([{ kind: "overflow", address: p, size }]);
    expect(names(reports[0]!.allocated, reports[0]!)).toContain("allocates");
    expect(names(reports[0]!.found, reports[0]!)).toContain("frees");
    heap.validate({ deep: true });
  });

  it.each(SIZES)("of %i bytes tells of a byte before it when it is freed", (size) => {
    const { heap, reports } = guarded();
    const p = allocates(heap, size);
    heap.u8[p - 1] = (heap.u8[p - 1]! + 1) & 0xff;
    frees(heap, p);
    expect(reports).toMatchObject([{ kind: "underflow", address: p, size }]);
    heap.validate({ deep: true });
  });

  it.each(SIZES)("of %i bytes tells of a write after its free when it leaves the quarantine", (size) => {
    const { heap, reports } = guarded(1 << 17);
    const p = allocates(heap, size);
    frees(heap, p);
    heap.u8[p + size - 1] = (heap.u8[p + size - 1]! + 1) & 0xff;
    for (let i = 0; i < 20; i++) heap.free(heap.malloc(20_000));
    expect(reports).toMatchObject([{ kind: "write-after-free", address: p, size }]);
    const [report] = reports;
    expect(names(report!.allocated, report!)).toContain("allocates");
    expect(names(report!.freed!, report!)).toContain("frees");
    heap.validate({ deep: true });
  });

  it.each(SIZES)("of %i bytes that is freed twice is a misuse, with both stacks", (size) => {
    const { heap, reports } = guarded(1 << 17);
    const p = allocates(heap, size);
    frees(heap, p);
    expect(() => heap.free(p)).toThrow(MisuseError);
    expect(reports).toMatchObject([{ kind: "double-free", address: p, size }]);
    expect(names(reports[0]!.freed!, reports[0]!)).toContain("frees");
  });

  it("that lives is looked at when others are sampled, and told of once", () => {
    const { heap, reports } = guarded();
    const p = allocates(heap, 100);
    heap.u8[p + 100] = 1;
    for (let i = 0; i < 300 && reports.length === 0; i++) heap.free(heap.malloc(10));
    expect(reports).toMatchObject([{ kind: "overflow", address: p }]);
    expect(reports[0]!.freed).toBeUndefined();
    frees(heap, p);
    expect(reports).toHaveLength(1);
  });

  it("is described with the names of its stacks", () => {
    const { heap, reports } = guarded();
    const p = allocates(heap, 100);
    heap.u8[p + 100] = 1;
    frees(heap, p);
    const text = describeReport(reports[0]!);
    expect(text).toMatch(/^gomalloc: overflow of 0x[0-9a-f]+, 100 bytes: bytes behind the block were written/);
    expect(text).toMatch(/ {4}allocates .*guard\.test\.ts:\d+$/m);
    expect(text).toMatch(/ {4}frees .*guard\.test\.ts:\d+$/m);
  });

  it("may report by an exception: the heap goes on", () => {
    const heap = createHeap({
      profile: {
        guard: "all",
        onReport: () => {
          throw new Error("damaged");
        },
      },
    });
    const p = heap.malloc(100);
    heap.u8[p + 100] = 1;
    expect(() => heap.free(p)).toThrow("damaged");
    const q = heap.malloc(100);
    expect(heap.samples().live.map(({ ptr }) => ptr)).toEqual([q]);
    heap.free(q);
    heap.validate({ deep: true });
  });
});

describe("without damage", () => {
  it.each([1, 2, 3])("nothing is reported in random traffic, seed %i", (seed) => {
    const { heap, reports } = guarded(1 << 16);
    const r = random(seed);
    const next = (below: number) => r() % below;
    const live: { p: number; size: number }[] = [];
    const fill = ({ p, size }: { p: number; size: number }) => heap.u8.fill(p & 0xff, p, p + size);
    const check = ({ p, size }: { p: number; size: number }) => {
      const { u8 } = heap;
      for (const at of [p, p + (size >> 1), p + size - 1])
        if (size > 0 && u8[at] !== (p & 0xff)) throw new Error(`${seed}`);
    };
    for (let i = 0; i < 20_000; i++) {
      const what = next(10);
      if (live.length > 300 || (what < 4 && live.length > 0)) {
        const [block] = live.splice(next(live.length), 1);
        check(block!);
        heap.free(block!.p);
      } else if (what === 4 && live.length > 0) {
        const block = live[next(live.length)]!;
        check(block);
        const size = 1 + next(3000);
        block.p = heap.realloc(block.p, size);
        block.size = size;
        fill(block);
      } else {
        const size = next(20) === 0 ? next(100_000) : next(600);
        const kind = next(3);
        const p =
          kind === 0 ? heap.calloc(1, size) : kind === 1 ? heap.alignedAlloc(1 << next(9), size) : heap.malloc(size);
        if (kind === 0 && heap.u8.subarray(p, p + size).some((byte) => byte !== 0))
          throw new Error(`${seed}: not zero`);
        const block = { p, size };
        fill(block);
        live.push(block);
      }
    }
    expect(reports).toEqual([]);
    expect(heap.samples().live).toHaveLength(live.length);
    heap.validate({ deep: true });
  });
});

describe("findDamage", () => {
  it("tells of what no call has found yet, as the heap would when it looks", () => {
    const { heap, reports } = guarded(1 << 20);
    const blocks = SIZES.flatMap((size) => [1, 2, 3, 4].map(() => ({ size, p: heap.malloc(size) })));
    const written = (i: number, at: number) => {
      heap.u8[at] = (heap.u8[at]! + 1) & 0xff;
      return blocks[i]!.p;
    };
    const over = blocks.flatMap(({ p, size }, i) => (i % 4 === 0 ? [written(i, p + size)] : []));
    const under = blocks.flatMap(({ p }, i) => (i % 4 === 1 ? [written(i, p - 1)] : []));
    const freed = blocks.flatMap(({ p, size }, i) => {
      if (i % 4 !== 2) return [];
      heap.free(p);
      return [written(i, p + size - 1)];
    });
    const before = reports.length;
    const found = findDamage(heap.memory);
    const of = (kind: string) => found.filter((one) => one.kind === kind).map(({ address }) => address);
    // Allocation looks at a few blocks itself: none has been allocated since.
    expect(before).toBe(0);
    expect(of("overflow").sort((a, b) => a - b)).toEqual(over.sort((a, b) => a - b));
    expect(of("underflow").sort((a, b) => a - b)).toEqual(under.sort((a, b) => a - b));
    expect(of("write-after-free").sort((a, b) => a - b)).toEqual(freed.sort((a, b) => a - b));
    expect(found.every((one) => one.found.length === 0 && one.allocated.length > 0)).toBe(true);
    expect(describeReport(found[0]!)).not.toContain("found by");
    // What the heap has told of is not told again.
    heap.setSampling({ quarantine: 0 });
    for (const { p } of blocks.filter((_, i) => i % 4 !== 2)) heap.free(p);
    expect(reports.map(({ address }) => address).sort((a, b) => a - b)).toEqual(
      found.map(({ address }) => address).sort((a, b) => a - b),
    );
    expect(findDamage(heap.memory)).toEqual([]);
  });
});

it('"all" with a rate from the environment says which option is too many', () => {
  const rate = samplingFromEnv({ GODEBUG: "memprofilerate=0" });
  expect(() => createHeap({ profile: { guard: "all", ...rate } })).toThrow(
    /guard "all" guards every block, which is rate 1, and rate is 0: leave rate out \(samplingFromEnv/,
  );
  expect(createHeap({ profile: { ...rate, guard: true } }).samples().rate).toBe(0);
});
