/** MemStats of every flavour that has them: the sum of sys holds after random work, and the profile is a part of it. */
import { describe, expect, it } from "vitest";
import { between, random } from "../support/random.ts";
import { FILES, type Flavour, type HostExports, type Opened, open, readStats, sumOfSys } from "../support/wasm.ts";

const FLAVOURS = (Object.keys(FILES) as Flavour[]).filter((name) => /^(host|test)/.test(name));

describe.each(FLAVOURS)("the statistics of %s", (flavour) => {
  const opened = () => open(flavour) as Opened<HostExports>;

  it.each([1, 2])("add up at any time, seed %d", (seed) => {
    const o = opened();
    const r = random(seed);
    const blocks: number[] = [];
    const law = () => {
      const s = readStats(o);
      expect(s.sys).toBe(sumOfSys(s));
      expect(s.heapSys).toBe(s.heapInuse + s.heapIdle);
      expect(s.mspanInuse).toBeLessThanOrEqual(s.mspanSys);
      expect(s.mcacheInuse).toBeLessThanOrEqual(s.mcacheSys);
      expect(s.heapAlloc).toBeLessThanOrEqual(s.heapInuse);
      return s;
    };
    for (let i = 0; i < 600; i++) {
      const some = r() % Math.max(blocks.length, 1);
      switch (r() % 4) {
        case 0:
          if (blocks.length > 0) o.e.free(blocks.splice(some, 1)[0]!);
          break;
        case 1:
          if (blocks.length > 0) blocks[some] = o.e.realloc(blocks[some]!, between(r, 1, 100_000));
          break;
        default:
          blocks.push(o.e.malloc(r() % 5 === 0 ? between(r, 1, 200_000) : between(r, 1, 2000)));
      }
      if (i % 20 === 0) law();
    }
    for (const ptr of blocks.splice(0)) o.e.free(ptr);
    law();
    o.e.releaseAll();
    const end = law();
    expect([end.heapAlloc, end.spansInUse, end.mspanInuse]).toEqual([0, 0, 0]);
    expect(end.mspanSys).toBeGreaterThan(0);
  });

  it("have the profile's tables where there is a profile", () => {
    const o = opened();
    o.e.malloc(100);
    const before = readStats(o).buckHashSys;
    // Each size of slots is a bucket of its own: 48 bytes and a frame.
    for (let i = 1; i <= 100; i++) o.e.malloc(i * 512);
    const after = readStats(o).buckHashSys;
    if (!flavour.includes("profile")) {
      expect([before, after]).toEqual([0, 0]);
      return;
    }
    // 256 entries of 64 bytes, 6144 heads, a page for the stack.
    expect(before).toBeGreaterThanOrEqual(256 * 64 + 6144 * 4 + 8192);
    expect(after - before).toBeGreaterThanOrEqual(20 * 48);
    expect(readStats(o).sys).toBe(sumOfSys(readStats(o)));
  });
});
