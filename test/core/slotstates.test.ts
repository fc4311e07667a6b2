/**
 * The states of a slot, each reached by calls alone and read from the words of its group: where a free slot may be, a
 * second free of it is refused as what it is, changes nothing, and the slot is given out once.
 */
import { beforeEach, describe, expect, it } from "vitest";
import { hostLayout } from "../../scripts/layout.ts";
import { DOUBLE_FREE, FOREIGN, type Opened, open, PAGE, type TestExports } from "../support/wasm.ts";

/** A class with a span of 170 slots: two whole groups, and 42 slots of a third. */
const SIZE = 48;
const SLOTS = Math.floor(PAGE / SIZE);
const GROUP = 64;
const FULL = 2n ** 64n - 1n;
const EMPTY = 2;

const SPAN = new Map(
  hostLayout(false)
    .records.get("MSpan")
    ?.map(({ name, offset }) => [name, offset]),
);

describe.each(["test", "test-shared"] as const)("%s flavour", (flavour) => {
  let heap: Opened<TestExports>;
  /** The live slots of the span at hand, by number; and its record. */
  let blocks: number[];
  let span: number;

  const view = () => new DataView(heap.mem.memory.buffer);
  const field = (name: string) => span + (SPAN.get(name) as number);
  const u16 = (name: string) => view().getUint16(field(name), true);
  const flags = () => view().getUint8(field("flags"));

  /** What the words say of a slot: where it is free, and what is known of its group. */
  function stateOf(slot: number): string {
    const group = span + 32 + 16 * Math.floor(slot / GROUP);
    const [cache, freed] = [view().getBigUint64(group, true), view().getBigUint64(group + 8, true)];
    const noted = (u16("partialMask") >> Math.floor(slot / GROUP)) & 1;
    if (!noted && freed === FULL) return "full";
    const bit = 1n << BigInt(slot % GROUP);
    const where = cache & bit ? "allocCache" : freed & bit ? "freed" : "live";
    return `${where}, ${noted ? "noted" : "cached"}`;
  }

  /** A second free of the slot at `p`, which is free, is refused as `kind`; then all free slots are given out, once. */
  function expectRefused(p: number, kind = DOUBLE_FREE): void {
    expect(heap.e.validate()).toBe(0);
    expect(heap.e.tryFree(p)).toBe(kind);
    expect(heap.e.validate()).toBe(0);
    const given = Array.from({ length: 3 * SLOTS }, () => heap.e.malloc(SIZE));
    expect(new Set([...given, ...blocks.filter((q) => q !== 0)]).size).toBe(
      given.length + blocks.filter((q) => q !== 0).length,
    );
    expect(heap.e.validate()).toBe(0);
  }

  const at = (slot: number) => blocks[slot] as number;
  function free(slot: number): number {
    const p = at(slot);
    expect(heap.e.tryFree(p)).toBe(0);
    blocks[slot] = 0;
    return p;
  }
  /** Takes `n` slots, which must be of the span. */
  function take(n: number): void {
    for (let i = 0; i < n; i++) {
      const p = heap.e.malloc(SIZE);
      expect(heap.e.spanOf(p)).toBe(span);
      blocks[(p - view().getUint32(field("startAddr"), true)) / SIZE] = p;
    }
  }

  /** Frees all slots of the span, which no row has any more. Returns one that was among them. */
  function emptied(): number {
    take(SLOTS - 1);
    // Another span is the row's from now on.
    heap.e.malloc(SIZE);
    const p = at(77);
    for (let slot = 0; slot < SLOTS; slot++) free(slot);
    return p;
  }

  beforeEach(() => {
    heap = open(flavour, { initial: 4, maximum: 40 }) as Opened<TestExports>;
    if (flavour === "test-shared") (heap.e as unknown as { acquireP(token: number): number }).acquireP(1);
    // Opens the class: the first blocks of a size come from a coarse one.
    let last = 0;
    for (let i = 0; i < 4 * SLOTS; i++) last = heap.e.malloc(SIZE);
    const before = heap.e.spanOf(last);
    while (heap.e.spanOf(last) === before) last = heap.e.malloc(SIZE);
    // A new span, of which one slot is in use.
    span = heap.e.spanOf(last);
    blocks = [last];
    expect(u16("nelems")).toBe(SLOTS);
  });

  it("never given out, in the window", () => {
    expect(stateOf(1)).toBe("allocCache, cached");
    expectRefused(at(0) + SIZE);
  });

  it("never given out, in a group that no row has", () => {
    expect(stateOf(GROUP)).toBe("allocCache, noted");
    expectRefused(at(0) + GROUP * SIZE);
  });

  it("freed while the row has its group", () => {
    take(9);
    const p = free(5);
    expect(stateOf(5)).toBe("freed, cached");
    expectRefused(p);
  });

  it("freed while the row has its group, and back in the window", () => {
    take(GROUP - 1);
    const p = free(5);
    free(7);
    take(1);
    expect([stateOf(5), stateOf(7)].sort()).toEqual(["allocCache, cached", "live, cached"]);
    expectRefused(stateOf(5) === "live, cached" ? p + 2 * SIZE : p);
  });

  it("freed as the first of a full group", () => {
    take(GROUP);
    expect(stateOf(5)).toBe("full");
    const p = free(5);
    expect(stateOf(5)).toBe("freed, noted");
    expectRefused(p);
  });

  it("freed as the second of a group that was full", () => {
    take(GROUP);
    free(5);
    const p = free(6);
    expect(stateOf(6)).toBe("freed, noted");
    expectRefused(p);
  });

  it("freed in a group that was full, and in the window again", () => {
    take(SLOTS - 1);
    free(5);
    const p = free(6);
    take(1);
    expect(stateOf(6)).toBe("allocCache, cached");
    expectRefused(p);
  });

  it("freed in a group that stays noted because its window was short", () => {
    take(SLOTS - 1);
    free(5);
    free(70);
    // The window of group 0 has one slot; when that of group 1 is loaded, group 0 has none, and stays noted.
    take(2);
    expect(stateOf(5)).toBe("live, noted");
    const p = free(9);
    expect(stateOf(9)).toBe("freed, noted");
    expectRefused(p);
  });

  it("live in a group without a free slot, full when its turn has come", () => {
    take(SLOTS - 1);
    free(5);
    free(70);
    take(2);
    expect(stateOf(5)).toBe("live, noted");
    // Nothing was freed there in the meantime: the next refill makes it full.
    heap.e.malloc(SIZE);
    expect(stateOf(5)).toBe("full");
    expectRefused(free(5));
  });

  it("in an empty span that is retained", () => {
    const p = emptied();
    expect(flags() & EMPTY).toBe(EMPTY);
    expectRefused(p);
  });

  it("in a span whose pages have been freed", () => {
    const p = emptied();
    heap.e.releaseAll();
    expect(heap.e.spanOf(p)).toBe(0);
    expectRefused(p, FOREIGN);
  });
});
