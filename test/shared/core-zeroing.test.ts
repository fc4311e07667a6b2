/**
 * Zeroing of large blocks on a shared heap: nobody waits for it, and a thread that dies in the middle loses nothing.
 *
 * The instrumented module dies before its n-th write. Each piece that is cleared is one write, so every piece is met.
 */
import { describe, expect, it } from "vitest";
import { instrumented } from "./support/core-instrument.ts";
import { type Thread, World } from "./support/core-world.ts";

const MIB = 1 << 20;
const PIECE = 256 << 10;

/** A world with a free run of `bytes` bytes that are not zero. */
function dirty(bytes: number, { module } = instrumented("test-shared")): { world: World; a: Thread; b: Thread } {
  const world = new World(module, 200);
  const [a, b] = [world.thread(1), world.thread(2)];
  expect([a.acquire(), b.acquire()]).toEqual([1, 2]);
  const p = b.e.malloc(bytes) >>> 0;
  expect(p).not.toBe(0);
  new Uint8Array(world.memory.buffer, p, bytes).fill(0xa5);
  expect(b.e.tryFree(p)).toBe(0);
  b.e.releaseAll();
  return { world, a, b };
}

describe("zeroing outside of the heap's lock", () => {
  it("gives zeroed blocks, clearing what may be dirty alone", () => {
    const { world, b } = dirty(4 * MIB);
    // Partly dirty, partly grown for it.
    for (const bytes of [PIECE - 8192, PIECE, 3 * MIB, 6 * MIB]) {
      const p = b.e.calloc(1, bytes) >>> 0;
      expect(p).not.toBe(0);
      const view = new Uint8Array(world.memory.buffer, p, bytes);
      expect(view.every((byte) => byte === 0)).toBe(true);
      view.fill(0x5a);
      if (bytes < MIB) expect(b.e.tryFree(p)).toBe(0);
    }
    b.valid();
  });

  it("holds no lock, and a death in it gives the block back", () => {
    /** Deaths without the lock, in order: whether the block was given back. */
    const given: boolean[] = [];
    const instance = instrumented("test-shared");
    for (let k = 1, over = false; !over; k++) {
      const { world, a, b } = dirty(2 * MIB, instance);
      const before = a.stats();
      b.countdown!.value = k;
      try {
        b.e.calloc(1, 2 * MIB);
        over = true;
      } catch (error) {
        expect(error).toBeInstanceOf(WebAssembly.RuntimeError);
      }
      b.countdown!.value = 0;
      const held = world.lockWord(a, 0) !== 0;
      if (!held) {
        // The others go on before anybody knows of the death.
        const p = a.malloc(3 * MIB);
        expect(p).not.toBe(0);
        a.free(p);
      }
      world.recoverAll(a, 2);
      a.valid(`after a death at step ${k}`);
      a.e.releaseAll();
      const { heapInuse } = a.stats();
      expect([before.heapInuse, before.heapInuse + 2 * MIB]).toContain(heapInuse);
      if (!held && !over) given.push(heapInuse === before.heapInuse);
    }
    // Once all is cleared the block is the caller's, who is dead.
    const first = given.indexOf(false);
    expect(given.slice(first)).toEqual(given.slice(first).map(() => false));
    expect(first).toBeGreaterThanOrEqual((2 * MIB) / PIECE);
    expect(given.length - first).toBeLessThan(10);
  });

  it("is for the collector's objects as well", () => {
    const { world, a, b } = dirty(4 * MIB);
    expect(b.e.gcBegin(1, 0)).toBe(1);
    const objects = [b.e.mallocgc(3 * MIB, 1, 1), b.e.mallocgc(MIB, 0, 1)].map((p) => p >>> 0);
    for (const p of objects) expect(new Uint8Array(world.memory.buffer, p, MIB).every((byte) => byte === 0)).toBe(true);
    // They are born in a cycle that marks, and live through it.
    expect(a.e.gcFinish()).toBe(1);
    expect(objects.map((p) => a.e.isObject(p))).toEqual([1, 1]);
    expect(a.e.gc()).toBe(1);
    expect(objects.map((p) => a.e.isObject(p))).toEqual([0, 0]);
    a.valid();
  });
});
