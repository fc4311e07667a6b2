/**
 * SharedHeap.validate() and stats() when records were overwritten: they end, with InvariantError or HeapLockError, or with
 * figures. test/core/overwrite.test.ts overwrites each word for wasm's own validate and memstats; here are some words of each
 * field, by the host's door, which takes Ps and locks of its own. And figures of a heap in which others are at work.
 */
import { describe, expect, it } from "vitest";
import { hostLayout } from "../../scripts/layout.ts";
import { HeapLockError, InvariantError } from "../../src/base/errors.ts";
import type { SharedHeap } from "../../src/shared/index.ts";
import { env, random } from "../support/random.ts";
import { Records } from "../support/records.ts";
import { thrownOrNull } from "../support/thrown.ts";
import { type HostSharedExports, M_LOCK_WAIT, openOver, wasmModule } from "../support/wasm.ts";
import { create, join } from "./support/heaps.ts";

const SEED = env("OVERWRITE_SEED", 0x10ad);
const BASE = 65_536;
/** Words of each field that are overwritten. */
const WORDS = 3;
const { constants } = hostLayout(true);
const at = (name: string) => BASE + (constants[name] as number);

/** A heap with blocks and objects of several kinds, and a second thread's end of it. */
function scene(lockWait?: number) {
  const heap = create({ heapBase: BASE, maximumPages: 64, lockWait });
  const other = join(heap, { lockWait });
  const gc = heap.collector;
  const blocks = Array.from({ length: 200 }, (_, i) => heap.malloc(i * 31));
  blocks.push(heap.malloc(100_000));
  const types = [gc.defineType({ size: 16, pointers: [0, 8] }), gc.defineType({ size: 400, pointers: [396] })];
  const handles = Array.from({ length: 60 }, (_, i) => gc.new(types[i % 2]!, 1 + (i % 3)));
  gc.pin(handles[0]!);
  gc.addRoots(blocks[10]!, 64);
  for (const [i, p] of blocks.entries()) if (i % 5 === 0) other.free(p);
  return { heap, other, types: types.map(({ id }) => id) };
}

function holdsNoFigures(error: unknown): boolean {
  return error instanceof InvariantError || error instanceof HeapLockError;
}

describe(`an overwritten word, seed ${SEED}`, () => {
  it("of each field: validate() and stats() end with what is documented", () => {
    const r = random(SEED);
    let s = scene(1);
    const { memory } = s.heap;
    // Asks the questions that only wasm's own door answers; it holds no P.
    const { e } = openOver<HostSharedExports>(wasmModule("host-shared"), memory, BASE);
    e.mallopt(M_LOCK_WAIT, 1);
    const { names } = new Records(BASE, memory, true, e, [0, 0], s.types);
    const byName = new Map<string, number[]>();
    for (const [word, name] of names) byName.set(name, [...(byName.get(name) ?? []), word]);
    expect(byName.size).toBeGreaterThan(100);
    for (const [name, all] of byName) {
      for (let i = 0; i < Math.min(WORDS, all.length); i++) {
        const word = all[r() % all.length]!;
        const words = s.heap.u32;
        const old = words[word / 4]!;
        for (const now of [0, 0xffffffff, old ^ (1 << (r() % 32)), r()]) {
          words[word / 4] = now;
          const broken = thrownOrNull(() => s.heap.validate());
          const figures = thrownOrNull(() => s.heap.stats());
          words[word / 4] = old;
          const what = `${name} at ${word}: ${old.toString(16)} -> ${(now >>> 0).toString(16)}`;
          // Its own P's state says that this thread is dead: another end of the heap goes on.
          const lost = name === "P state" && [broken, figures].some((error) => String(error).includes("reported dead"));
          if (lost) {
            s = scene(1);
            continue;
          }
          expect(broken === null || broken instanceof InvariantError, `${what}: validate: ${String(broken)}`).toBe(
            true,
          );
          expect(figures === null || holdsNoFigures(figures), `${what}: stats: ${String(figures)}`).toBe(true);
        }
      }
    }
    s.heap.validate({ deep: true });
    expect(s.heap.stats().heapObjects).toBeGreaterThan(0);
  });
});

describe("a lock that nobody gives back", () => {
  /** Ends of a heap, each with a P, whose waits are forever where nothing bounds them. */
  function patient() {
    const { heap, other } = scene();
    other.malloc(8);
    return { heap, other, words: heap.u32, lock: at("HEAP_LOCKS") / 4 };
  }

  it.each([false, true])("ends stats() with an error that says whose it is; without a P: %s", (released) => {
    const { heap, words, lock } = patient();
    const { control } = heap.share();
    for (const [word, holder, remedy] of [
      [lock, 2, /the heap lock .* held by P 2 .*call reap\(\)/],
      [lock, 77, /the heap lock .* held by P 77 .*the word was overwritten: validate\(\)/],
      [control / 4, 2, /a lock .* held by P 2 .*call reap\(\)/],
      [control / 4, 0x7fffffff, /a lock .*the word was overwritten: validate\(\)/],
    ] as const) {
      if (released) heap.release();
      words[word] = holder;
      const error = thrownOrNull(() => heap.stats());
      const line = String(heap);
      words[word] = 0;
      expect(error).toBeInstanceOf(HeapLockError);
      expect(String(error)).toMatch(remedy);
      expect(line).toMatch(/^SharedHeap \{ .* was not available for/);
      expect(heap.stats().heapObjects).toBeGreaterThan(0);
    }
  });

  it("is told by validate() at once when nobody has such a P, and stats() says so when there is no holder", () => {
    const { heap, words, lock } = patient();
    for (const holder of [77, 0x80000000, 257, 0x7fffffff]) {
      heap.release();
      words[lock] = holder;
      expect(() => heap.validate()).toThrow(/invariant 67 broken/);
      words[lock] = 0;
    }
    words[lock] = 0x80000000;
    expect(() => heap.stats()).toThrow(/invariant 67 broken/);
    words[lock] = 0;
    heap.validate({ deep: true });
  });
});

describe("figures", () => {
  /** Address of a word of the row of P `p` whose mcache has a span. */
  function rowOf({ u32 }: SharedHeap, p: number): { span: number; group: number } {
    const record = u32[(at("HEAP_P_RECORDS") + p * 4) / 4]!;
    for (let row = 1; row < constants["NUM_ROWS"]!; row++) {
      const address = record + constants["HEAP_ROWS"]! + row * 32;
      if (u32[address / 4 + 3] !== 0) return { group: address, span: address + 12 };
    }
    throw new Error("no row has a span");
  }

  it("are had while another thread is in the middle of changing its mcache", () => {
    const { heap, other } = scene();
    other.malloc(40);
    const before = heap.stats();
    const { group, span } = rowOf(heap, 2);
    for (const word of [group, span]) {
      const old = heap.u32[word / 4]!;
      // As it is between two stores of the other's: a span without a group, a group without a span.
      heap.u32[word / 4] = word === span ? 0 : heap.u32[(span - 12) / 4]!;
      expect(heap.stats().heapObjects).toBe(before.heapObjects);
      heap.u32[word / 4] = old;
    }
  });

  it("count a large block as freed that waits for the heap lock, and leave it where it waits", () => {
    const { heap, other } = scene();
    const big = heap.malloc(200_000);
    const before = heap.stats();
    const bytes = heap.usableSize(big);
    heap.lock(0).with(() => other.free(big));
    const notes = at("HEAP_DEFERRED");
    expect(heap.u32[notes / 4]).not.toBe(0);
    const after = heap.stats();
    expect(after.heapAlloc).toBe(before.heapAlloc - bytes);
    expect(after.heapObjects).toBe(before.heapObjects - 1);
    heap.validate({ deep: true });
    // The note of it is overwritten: nobody goes by it before the heap lock is had for more than figures.
    for (const now of [0xfffffff0, 16, 0]) {
      const old = heap.u32[notes / 4]!;
      heap.u32[notes / 4] = now;
      expect(() => heap.validate()).toThrow(InvariantError);
      expect(heap.stats().heapObjects).toBe(after.heapObjects);
      heap.u32[notes / 4] = old;
    }
    heap.free(heap.malloc(300_000));
    heap.validate({ deep: true });
    expect(heap.stats().heapAlloc).toBe(after.heapAlloc);
  });
});
