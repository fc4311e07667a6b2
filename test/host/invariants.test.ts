/**
 * Laws of records that core/overwrite.test.ts breaks one word at a time, broken here one by one by the host API's own
 * heap: each is an InvariantError with the law's number and its words, and gone when what was overwritten is put back.
 */
import { describe, expect, it } from "vitest";
import { hostLayout } from "../../scripts/layout.ts";
import { createHeap, type Heap, INVARIANTS, InvariantError } from "../../src/index.ts";
import { attachHeap, createSharedHeap, type SharedHeap } from "../../src/shared/index.ts";

const BASE = 1024;
const NONE = 2n ** 64n - 1n;

/** Overwrites `size` bytes at `at`, expects validate() to name `law`, and puts back what was there. */
function expectBroken(heap: Pick<Heap, "validate" | "memory">, at: number, value: number | bigint, law: number): void {
  const view = new DataView(heap.memory.buffer);
  const old = typeof value === "bigint" ? view.getBigUint64(at, true) : view.getUint32(at, true);
  const put = (word: number | bigint): void => {
    if (typeof word === "bigint") view.setBigUint64(at, word, true);
    else view.setUint32(at, word, true);
  };
  heap.validate({ deep: true });
  put(value);
  let thrown: unknown;
  try {
    heap.validate();
  } catch (error) {
    thrown = error;
  }
  put(old);
  expect(thrown).toBeInstanceOf(InvariantError);
  expect(thrown).toMatchObject({ invariant: law, description: INVARIANTS[law] });
  heap.validate({ deep: true });
}

/** Address of a field in a record of the heap's at `offset`, by the names of the sources. */
function fieldAt(shared: boolean, heapBase: number, record: string, offset: string, field: string): number {
  const { constants, records } = hostLayout(shared);
  const at = records.get(record)?.find(({ name }) => name === field)?.offset;
  if (at === undefined || constants[offset] === undefined) throw new Error(`no ${record}.${field} at ${offset}`);
  return heapBase + constants[offset] + at;
}

describe("types (77)", () => {
  /** Three types, and objects of two sizes of them that keep a word each for their type. */
  function scene() {
    const heap = createHeap({ heapBase: BASE });
    const gc = heap.collector;
    const types = [8, 24, 4000].map((size) => gc.defineType({ size, pointers: [0, size - 4] }));
    const objects = [gc.new(types[1]!, 20), gc.new(types[2]!, 100)];
    const field = (name: string) => fieldAt(false, BASE, "GcState", "HEAP_GC", name);
    const last = heap.u32[field("lastType") / 4]!;
    return { heap, objects, field, last };
  }

  it.each([
    ["its size", 0, 8],
    ["a size that no type has", 0, 6],
    ["the bytes up to its last pointer", 4, 8],
    ["the type before it, which is none", 8, 4096],
    ["the type before it: the list ends too early", 8, 0],
    ["what tells it from other addresses", 12, 0],
    // 1000 words: the mask's last word has 8 bits.
    ["a pointer behind its last one", 16 + 31 * 4, 0x180],
  ])("a type's record: %s", (_, offset, value) => {
    const { heap, last } = scene();
    expectBroken(heap, last + offset, value, 77);
  });

  it("the list of types: a circle, an address of nothing, a wrong number of them", () => {
    const { heap, field, last } = scene();
    expectBroken(heap, last + 8, last, 77);
    expectBroken(heap, field("lastType"), 0xfffffff0, 77);
    expectBroken(heap, field("lastType"), last + 16, 77);
    expectBroken(heap, field("types"), 2, 77);
    expectBroken(heap, field("types"), 4, 77);
  });

  it("an object's type, of a small object and of a large one", () => {
    const { heap, last } = scene();
    const { u32 } = heap;
    // What names the last type are the words for its object, which is large, and nothing else but the list's head.
    const words = [...u32.keys()].filter((i) => u32[i] === last).map((i) => i * 4);
    const previous = u32[last / 4 + 2]!;
    const others = [...u32.keys()].filter((i) => u32[i] === previous && i * 4 !== last + 8).map((i) => i * 4);
    expect([words.length, others.length]).toEqual([2, 1]);
    const large = words.find((at) => at > last)!;
    for (const value of [4096, last + 16, 0xfffffff0]) {
      expectBroken(heap, large, value, value === last + 16 ? 77 : 76);
      expectBroken(heap, others[0]!, value, 77);
    }
  });
});

describe("the pacer (78)", () => {
  function scene() {
    const heap = createHeap({ heapBase: BASE, collector: { auto: true, heapMinimum: 65_536 } });
    const gc = heap.collector;
    for (let i = 0; i < 100; i++) gc.pin(gc.allocateBytes(100));
    for (let i = 0; i < 4000; i++) gc.newBytes(100).dispose();
    gc.collect();
    const view = new DataView(heap.memory.buffer);
    const field = (name: string) => fieldAt(false, BASE, "Pacer", "HEAP_PACER", name);
    expect(view.getBigUint64(field("heapMarked"), true)).toBeGreaterThan(0n);
    return { heap, gc, field, u64: (name: string) => view.getBigUint64(field(name), true) };
  }
  const ORDER = ["heapMarked", "minTrigger", "trigger", "maxTrigger", "goal"];

  it.each(ORDER.slice(1).map((name, i) => [ORDER[i]!, name]))("%s is no more than %s", (less, more) => {
    const { heap, field, u64 } = scene();
    expectBroken(heap, field(less), u64(more) + 1n, 78);
    expectBroken(heap, field(more), u64(less) - 1n, 78);
  });

  it.each([
    ["gcPercent", 0xfffffffe],
    ["untimed", 2],
    ["workRatio", 0n],
    ["workRatio", 0x7ff8000000000000n],
    ["baseMinimum", 2n ** 37n + 1n],
    ["percentGoal", 0n],
    ["percentGoal", NONE],
    ["consMark", 0xbff0000000000000n],
    ["sweepPagesPerByte", 0x7ff8000000000000n],
    ["assistWorkPerByte", 0xbff0000000000000n],
    ["assistBytesPerWork", 0x7ff8000000000000n],
    ["remainingWork", 0xbff0000000000000n],
    ["remainingHeap", 0xbff0000000000000n],
    ["triggered", 1n],
  ] as const)("%s is not %s", (name, value) => {
    const { heap, field } = scene();
    expectBroken(heap, field(name), value, 78);
  });

  it("a cycle that marks has begun", () => {
    const { heap, gc, field } = scene();
    gc.start();
    expectBroken(heap, field("triggered"), NONE, 78);
  });
});

describe("who holds what in a shared heap (67)", () => {
  const SHARED_BASE = 65_536;
  const field = (record: string, offset: string, name: string) => fieldAt(true, SHARED_BASE, record, offset, name);
  const { constants } = hostLayout(true);
  const at = (name: string) => SHARED_BASE + (constants[name] as number);

  it("locks, gates and the stop are a thread's, and nothing is under way", () => {
    const heap = createSharedHeap({ heapBase: SHARED_BASE });
    heap.free(heap.malloc(8));
    const record = heap.u32[(at("HEAP_P_RECORDS") + 4) / 4]!;
    const p = (name: string) => field("PRecord", "HEAP_P", name) - SHARED_BASE + record;
    for (let i = 0; i < (constants["NUM_LOCKS"] as number); i++) {
      for (const holder of [3, 255, 257, 0x80000000, 0x80000003])
        expectBroken(heap, at("HEAP_LOCKS") + i * 64, holder, 67);
    }
    for (const holder of [3, 257, 0x80000000]) expectBroken(heap, record + (constants["P_GATE"] as number), holder, 67);
    expectBroken(heap, field("SharedGc", "HEAP_GC", "stopped") + 768, 3, 67);
    expectBroken(heap, at("HEAP_SETUP"), 0, 67);
    expectBroken(heap, p("moving"), 1n, 67);
    heap.dispose();
  });
});

describe("what others have freed in a shared heap (45)", () => {
  const SHARED_BASE = 65_536;
  const { constants } = hostLayout(true);
  const c = (name: string) => constants[name] as number;
  /** Words of the notes that lead to the page of `ptr`: page bits, chunk bits, flags. */
  function notesOf(heap: SharedHeap, notes: number, ptr: number): number[] {
    const page = ptr >>> 13;
    const arena = heap.u32[(SHARED_BASE + c("HEAP_ARENA_MAP") + (page >>> 9) * 4) / 4]!;
    const bit = (n: number) => (n >>> 5) * 4;
    return [arena + c("ARENA_NOTED") + bit(page & 511), notes + c("NOTES_CHUNKS") + bit((page >>> 6) & 511), notes];
  }

  it("is noted: small blocks for the owner, large ones that wait for the heap lock for all", () => {
    const heap = createSharedHeap({ heapBase: SHARED_BASE });
    const other = attachHeap(heap.share());
    other.free(other.malloc(8));
    const [small, large] = [heap.malloc(64), heap.malloc(100_000)];
    other.free(small);
    heap.lock(0).with(() => other.free(large));
    const owner = heap.u32[(SHARED_BASE + c("HEAP_P_RECORDS") + 4) / 4]!;
    const [forOwner, forAll] = [owner + c("HEAP_P"), SHARED_BASE + c("HEAP_DEFERRED")];
    for (const at of [...notesOf(heap, forOwner, small), ...notesOf(heap, forAll, large)])
      expectBroken(heap, at, 0, 45);
    // Flags that there are none of.
    for (const notes of [forOwner, forAll]) expectBroken(heap, notes, heap.u32[notes / 4]! | 1, 45);
    heap.free(heap.malloc(64));
    heap.free(heap.malloc(100_000));
    for (const notes of [forOwner, forAll]) expect(heap.u32[notes / 4]).toBe(0);
    for (const one of [other, heap]) one.dispose();
  });
});
