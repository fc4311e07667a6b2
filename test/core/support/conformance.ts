/**
 * What every flavour's malloc family must do, as one suite: call it with a name and a way to open a fresh instance. The
 * shared flavours have no heap before init, and two options more.
 */
import { describe, expect, it } from "vitest";
import { SIZE_CLASSES } from "../../../src/base/sizeclasses.ts";
import { between, random } from "../../support/random.ts";
import {
  EINVAL,
  ENOMEM,
  indexOfOther,
  M_MISUSE,
  type MallocExports,
  type Opened,
  type OpenOptions,
  WASM_PAGE,
} from "../../support/wasm.ts";

type Open = (options?: OpenOptions) => Opened<MallocExports>;

/** Every size up to 2 KiB, then every class and page size with its neighbours. */
const SIZES = (() => {
  const sizes = new Set<number>();
  for (let n = 0; n <= 2048; n++) sizes.add(n);
  for (const { size } of SIZE_CLASSES) for (const d of [-1, 0, 1]) if (size + d > 0) sizes.add(size + d);
  for (const pages of [5, 7, 8, 15, 16, 17, 64, 65]) for (const d of [-1, 0, 1]) sizes.add(pages * 8192 + d);
  return [...sizes].sort((a, b) => a - b);
})();

const FILL = 0x5a;

/** A byte that goes with an address, so that blocks differ. */
const mark = (p: number) => (p >>> 4) & 0xff;

/** Fails unless all bytes are `value`; a loop over expect would cost seconds. */
function expectAll(bytes: Uint8Array, value: number, what: string): void {
  const at = indexOfOther(bytes, value);
  if (at >= 0) expect.fail(`${what}: byte ${at} of ${bytes.length} is ${bytes[at]}, not ${value}`);
}

/** Every way to the first block. */
const FIRST_CALLS: ((e: MallocExports) => number)[] = [
  (e) => e.malloc(10),
  (e) => e.malloc(100_000),
  (e) => e.calloc(10, 10),
  (e) => e.realloc(0, 5000),
  (e) => e.aligned_alloc(64, 100),
  (e) => e.memalign(65536, 100),
];

/** Without init a heap of one thread stands on memory that it grows itself. */
function withoutInit(open: Open): void {
  it("owns no memory that it did not grow, without init", () => {
    const { e, mem } = open({ initial: 3, heapBase: null });
    mem.u8.fill(FILL);
    const before = mem.pages * WASM_PAGE;
    const blocks = SIZES.map((size) => e.malloc(size));
    for (const p of blocks) expect(p).toBeGreaterThanOrEqual(before);
    expectAll(mem.u8.subarray(0, before), FILL, "memory of others");
    for (const p of blocks) e.free(p);
  });

  it("starts with any entry point, without init", () => {
    for (const call of [...FIRST_CALLS, (e: MallocExports) => e.posix_memalign(8, 16, 100) + 1]) {
      const { e } = open({ heapBase: null });
      e.free(0);
      expect(e.malloc_usable_size(1024)).toBe(0);
      expect(call(e)).not.toBe(0);
      expect(e.malloc(40)).not.toBe(0);
    }
  });
}

/** A shared heap stands where init says, for all threads to find it: before, there is no memory. */
function withMandatoryInit(open: Open): void {
  it("has no memory before init, touches nothing, and starts with any entry point after it", () => {
    for (const call of FIRST_CALLS) {
      const o = open({ initial: 3, heapBase: null });
      o.mem.u8.fill(FILL, 0, 2 * WASM_PAGE);
      o.e.free(0);
      expect(o.e.malloc_usable_size(1024)).toBe(0);
      expect(o.e.malloc_trim(0)).toBe(0);
      expect(call(o.e), "before init").toBe(0);
      expect(o.e.posix_memalign(8, 16, 100)).toBe(ENOMEM);
      expect(o.mem.pages).toBe(3);
      expectAll(o.mem.u8.subarray(0, 2 * WASM_PAGE), FILL, "memory of others");
      o.e.init(2 * WASM_PAGE);
      expect(call(o.e), "after init").toBeGreaterThanOrEqual(2 * WASM_PAGE);
      expectAll(o.mem.u8.subarray(0, 2 * WASM_PAGE), FILL, "memory of others");
    }
  });
}

export function conformance(name: string, open: Open, shared = false): void {
  describe(`${name}: malloc and free`, () => {
    it("gives every size a block of its own, aligned and large enough", () => {
      const { e, mem } = open();
      const blocks = SIZES.map((size) => ({ size, p: e.malloc(size), usable: 0 }));
      for (const b of blocks) {
        expect(b.p, `malloc(${b.size})`).not.toBe(0);
        expect(b.p % (b.size >= 16 ? 16 : 8), `alignment of ${b.size} bytes`).toBe(0);
        b.usable = e.malloc_usable_size(b.p);
        expect(b.usable, `usable bytes of ${b.size}`).toBeGreaterThanOrEqual(b.size);
        mem.u8.fill(mark(b.p), b.p, b.p + b.usable);
      }
      const sorted = [...blocks].sort((a, b) => a.p - b.p);
      sorted.forEach((b, i) => {
        const after = sorted[i + 1];
        if (after !== undefined) expect(b.p + b.usable, `${b.size} bytes`).toBeLessThanOrEqual(after.p);
      });
      for (const b of blocks) expectAll(mem.u8.subarray(b.p, b.p + b.usable), mark(b.p), `${b.size} bytes`);
      for (const b of blocks) e.free(b.p);
    });

    it("gives malloc(0) different blocks", () => {
      const { e } = open();
      const blocks = Array.from({ length: 100 }, () => e.malloc(0));
      expect(new Set(blocks).size).toBe(100);
      expect(blocks).not.toContain(0);
      for (const p of blocks) e.free(p);
    });

    it("takes null for nothing", () => {
      const { e } = open();
      e.free(0);
      expect(e.malloc_usable_size(0)).toBe(0);
    });

    it("takes memory back: a workload that is repeated needs hardly more than its first time", () => {
      const { e, mem } = open();
      const play = () => {
        const r = random(7);
        const blocks: number[] = [];
        for (let i = 0; i < 3000; i++) {
          blocks.push(e.malloc(between(r, 0, r() % 50 === 0 ? 200_000 : 3000)));
          if (blocks.length > 500) e.free(blocks.splice(r() % blocks.length, 1)[0] ?? 0);
        }
        expect(blocks).not.toContain(0);
        for (const p of blocks) e.free(p);
      };
      play();
      const pages = mem.pages;
      for (let i = 0; i < 30; i++) play();
      // A little more than the first time, because a page can only go back when all of its blocks are free.
      expect(mem.pages).toBeLessThanOrEqual(pages * 1.2);
    });

    it.each([
      ["in order", (a: number[]) => a],
      ["in reverse", (a: number[]) => [...a].reverse()],
      ["every other first", (a: number[]) => [...a.filter((_, i) => i % 2 === 0), ...a.filter((_, i) => i % 2)]],
    ])("reuses what was freed %s", (_, order) => {
      const { e, mem } = open();
      for (const size of [8, 24, 64, 100, 1000, 5000, 33_000]) {
        let pages = 0;
        for (let round = 0; round < 16; round++) {
          const blocks = Array.from({ length: 300 }, () => e.malloc(size));
          expect(new Set(blocks).size).toBe(300);
          for (const p of order(blocks)) e.free(p);
          // By then as much is retained, and waits in quarantine, as will ever be.
          if (round === 9) pages = mem.pages;
        }
        expect(mem.pages, `${size} bytes`).toBe(pages);
      }
    });

    it("touches nothing below the heap", () => {
      const o = open({ initial: 3, heapBase: null });
      const heapBase = 2 * WASM_PAGE + 4321;
      o.mem.u8.fill(FILL, 0, heapBase);
      o.e.init(heapBase);
      const blocks = SIZES.map((size) => o.e.malloc(size));
      for (const p of blocks) {
        expect(p).toBeGreaterThanOrEqual(heapBase);
        o.e.free(p);
      }
      expectAll(o.mem.u8.subarray(0, heapBase), FILL, "below the heap");
    });

    if (shared) withMandatoryInit(open);
    else withoutInit(open);

    it("takes a second init for nothing", () => {
      const o = open({ initial: 4, heapBase: WASM_PAGE });
      const p = o.e.malloc(100);
      o.mem.u8.fill(FILL, p, p + 100);
      o.e.init(2 * WASM_PAGE);
      o.e.init(0);
      expectAll(o.mem.u8.subarray(p, p + 100), FILL, "a block from before");
      expect(o.e.malloc(100)).toBeGreaterThan(p);
      o.e.free(p);
    });
  });

  describe(`${name}: calloc`, () => {
    it("gives zeros where others have been", () => {
      const { e, mem } = open();
      for (const size of SIZES.filter((n) => n > 0 && (n < 300 || n > 1000))) {
        const dirty = [e.malloc(size), e.malloc(size), e.malloc(size)];
        for (const p of dirty) mem.u8.fill(0xff, p, p + e.malloc_usable_size(p));
        for (const p of dirty) e.free(p);
        const got = [e.calloc(1, size), e.calloc(size, 1), e.calloc(1, size)];
        for (const p of got) {
          expectAll(mem.u8.subarray(p, p + size), 0, `calloc of ${size}`);
          mem.u8.fill(0xff, p, p + e.malloc_usable_size(p));
          e.free(p);
        }
      }
    });

    it("clears nothing but the block, of every size up to 300 bytes", () => {
      const { e, mem } = open();
      for (let size = 0; size <= 300; size++) {
        const blocks = Array.from({ length: 9 }, () => e.malloc(size));
        for (const p of blocks) mem.u8.fill(FILL, p, p + e.malloc_usable_size(p));
        const kept = blocks.filter((_, i) => i % 2 === 0);
        for (const p of blocks) if (!kept.includes(p)) e.free(p);
        const got = kept.slice(1).map(() => e.calloc(1, size));
        for (const p of got) expectAll(mem.u8.subarray(p, p + size), 0, `calloc of ${size}`);
        for (const p of kept) {
          expectAll(mem.u8.subarray(p, p + e.malloc_usable_size(p)), FILL, `a neighbour, ${size}`);
        }
        for (const p of [...kept, ...got]) e.free(p);
      }
    });

    it("gives zeros where a part has been used and the rest is fresh", () => {
      for (const used of [8000, 16_000, 40_000, 64_000, 100_000]) {
        for (const size of [used + 100, used + 8192, used + 30_000, used * 2, 300_000]) {
          // A heap of its own, whose memory above the first block was never handed out.
          const { e, mem } = open({ initial: 16, heapBase: 1024 });
          const p = e.malloc(used);
          mem.u8.fill(0xff, p, p + e.malloc_usable_size(p));
          e.free(p);
          const q = e.calloc(1, size);
          expectAll(mem.u8.subarray(q, q + size), 0, `calloc of ${size} where ${used} were used`);
          mem.u8.fill(0xff, q, q + size);
          e.free(q);
          const r = e.calloc(1, size + 8192);
          expectAll(mem.u8.subarray(r, r + size + 8192), 0, `calloc of ${size + 8192} where ${size} were used`);
        }
      }
    });

    it("refuses products beyond 2^32 - 1", () => {
      const { e } = open();
      const pairs: [number, number][] = [
        [65536, 65536],
        [2 ** 31, 2],
        [2, 2 ** 31],
        [2 ** 32 - 1, 2 ** 32 - 1],
        [0x10001, 0xffff0001],
        [3, 0x55555556],
      ];
      for (const [count, size] of pairs) expect(e.calloc(count, size), `${count} of ${size}`).toBe(0);
      expect(e.malloc(16)).not.toBe(0);
    });

    it("gives nothing a block too", () => {
      const { e } = open();
      const blocks = [e.calloc(0, 0), e.calloc(0, 2 ** 32 - 1), e.calloc(2 ** 32 - 1, 0), e.calloc(1, 0)];
      expect(new Set(blocks).size).toBe(4);
      expect(blocks).not.toContain(0);
      for (const p of blocks) e.free(p);
    });
  });

  describe(`${name}: realloc`, () => {
    it("keeps the contents up to the lesser size, from every size to every other", () => {
      const { e, mem } = open();
      const sizes = [0, 1, 8, 15, 16, 17, 24, 100, 1000, 1024, 1025, 4096, 20_000, 32_768, 32_769, 65_536, 300_000];
      for (const from of sizes) {
        for (const to of sizes) {
          const p = e.malloc(from);
          for (let i = 0; i < from; i++) mem.u8[p + i] = i * 31 + from;
          const q = e.realloc(p, to);
          expect(q, `${from} to ${to}`).not.toBe(0);
          expect(q % (to >= 16 ? 16 : 8)).toBe(0);
          expect(e.malloc_usable_size(q)).toBeGreaterThanOrEqual(to);
          let kept = 0;
          while (kept < Math.min(from, to) && mem.u8[q + kept] === ((kept * 31 + from) & 0xff)) kept++;
          expect(kept, `bytes kept, ${from} to ${to}`).toBe(Math.min(from, to));
          e.free(q);
        }
      }
    });

    it("of null is malloc", () => {
      const { e } = open();
      const p = e.realloc(0, 100);
      expect(e.malloc_usable_size(p)).toBeGreaterThanOrEqual(100);
      expect(e.realloc(0, 0)).not.toBe(0);
    });

    it("to what cannot be had leaves the block", () => {
      const { e, mem } = open({ initial: 8, maximum: 16, heapBase: 1024 });
      for (const size of [40, 5000, 40_000]) {
        const p = e.malloc(size);
        mem.u8.fill(FILL, p, p + size);
        for (const to of [2_000_000, 2 ** 31, 2 ** 32 - 1]) expect(e.realloc(p, to)).toBe(0);
        expectAll(mem.u8.subarray(p, p + size), FILL, `${size} bytes`);
        expect(e.malloc_usable_size(p)).toBeGreaterThanOrEqual(size);
        e.free(p);
      }
    });

    it("grows and shrinks one large block step by step", () => {
      const { e, mem } = open();
      let p = e.malloc(40_000);
      mem.u8.fill(FILL, p, p + 40_000);
      for (let size = 40_000; size < 4_000_000; size += 123_456) {
        p = e.realloc(p, size);
        expect(p).not.toBe(0);
        expectAll(mem.u8.subarray(p, p + 40_000), FILL, `grown to ${size}`);
      }
      for (let size = 4_000_000; size > 50_000; size -= 234_567) {
        const q = e.realloc(p, size);
        expect(q, "a large block shrinks in place").toBe(p);
        expectAll(mem.u8.subarray(p, p + 40_000), FILL, `shrunk to ${size}`);
      }
      e.free(p);
    });
  });

  describe(`${name}: aligned blocks`, () => {
    const ALIGNMENTS = Array.from({ length: 22 }, (_, i) => 2 ** i);

    it("lie at multiples of every power of two up to 2 MiB", () => {
      const { e, mem } = open();
      for (const f of [e.aligned_alloc, e.memalign]) {
        for (const align of ALIGNMENTS) {
          const sizes = [0, 1, 17, 100, align, align + 1, 5000, 40_000];
          const blocks = sizes.map((size) => ({ size, p: f(align, size) }));
          for (const { size, p } of blocks) {
            expect(p, `${size} bytes at ${align}`).not.toBe(0);
            expect(p % align, `${size} bytes at ${align}`).toBe(0);
            const usable = e.malloc_usable_size(p);
            expect(usable).toBeGreaterThanOrEqual(size);
            mem.u8.fill(mark(p), p, p + usable);
          }
          for (const { size, p } of blocks) {
            const usable = e.malloc_usable_size(p);
            expectAll(mem.u8.subarray(p, p + usable), mark(p), `${size} bytes at ${align}`);
            e.free(p);
          }
        }
      }
    });

    it("do not exist at what is no power of two", () => {
      const { e } = open();
      for (const align of [0, 3, 5, 6, 12, 24, 48, 100, 4097, 2 ** 32 - 1]) {
        expect(e.aligned_alloc(align, 64), `alignment ${align}`).toBe(0);
        expect(e.memalign(align, 64), `alignment ${align}`).toBe(0);
      }
    });

    it("are refused where address space ends", () => {
      const { e } = open({ initial: 2, maximum: 64 });
      for (const align of [16, 4096, 2 ** 20, 2 ** 31]) {
        for (const size of [2 ** 31, 2 ** 32 - 8192, 2 ** 32 - 1]) {
          expect(e.aligned_alloc(align, size), `${size} bytes at ${align}`).toBe(0);
        }
      }
      expect(e.aligned_alloc(2 ** 31, 16)).toBe(0);
      expect(e.malloc(16)).not.toBe(0);
    });

    it("of posix_memalign come through a pointer, errors as numbers", () => {
      const { e, mem } = open({ initial: 2, maximum: 64 });
      const out = 64;
      for (const align of [0, 1, 2, 3, 6, 12, 40, 2 ** 32 - 1]) {
        mem.view.setUint32(out, 0x1234567, true);
        expect(e.posix_memalign(out, align, 64), `alignment ${align}`).toBe(EINVAL);
        expect(mem.u32(out), "untouched").toBe(0x1234567);
      }
      for (const align of [4, 8, 16, 64, 4096, 65536]) {
        expect(e.posix_memalign(out, align, 100)).toBe(0);
        expect(mem.u32(out) % align).toBe(0);
        expect(e.malloc_usable_size(mem.u32(out))).toBeGreaterThanOrEqual(100);
        e.free(mem.u32(out));
      }
      mem.view.setUint32(out, 0x1234567, true);
      expect(e.posix_memalign(out, 16, 2 ** 31)).toBe(12);
      expect(mem.u32(out), "untouched").toBe(0x1234567);
    });

    it("can be resized, keeping their contents", () => {
      const { e, mem } = open();
      const p = e.aligned_alloc(1024, 3000);
      mem.u8.fill(FILL, p, p + 3000);
      const q = e.realloc(p, 100_000);
      expectAll(mem.u8.subarray(q, q + 3000), FILL, "an aligned block, grown");
      e.free(q);
    });
  });

  describe(`${name}: extreme sizes`, () => {
    const HUGE = [2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, 2 ** 32 - 65537, 2 ** 32 - 8192, 2 ** 32 - 8, 2 ** 32 - 1];

    it("are refused by a memory that has a maximum", () => {
      const { e } = open({ initial: 2, maximum: 100 });
      for (const size of HUGE) {
        expect(e.malloc(size), `malloc(${size})`).toBe(0);
        expect(e.calloc(1, size), `calloc(1, ${size})`).toBe(0);
        expect(e.realloc(0, size), `realloc(0, ${size})`).toBe(0);
      }
      for (const size of [0, 1]) expect(e.malloc(size)).not.toBe(0);
    });

    it("never give a block that wraps around", () => {
      const { e } = open();
      for (const size of HUGE) {
        const p = e.malloc(size);
        if (p === 0) continue;
        expect(p + e.malloc_usable_size(p)).toBeLessThanOrEqual(2 ** 32);
        expect(e.malloc_usable_size(p)).toBeGreaterThanOrEqual(size);
        e.free(p);
      }
      expect(e.malloc(2 ** 32 - 1)).toBe(0);
      expect(e.malloc(100)).not.toBe(0);
    });
  });

  describe(`${name}: options and misuse`, () => {
    it("takes the options it knows, before and after init", () => {
      const o = open({ initial: 3, heapBase: null });
      const taken: [number, number][] = [
        [1, 0],
        [1, 1],
        [2, 0],
        [2, 1 << 20],
        [3, 0],
        [3, 1 << 20],
        [4, 0],
        [4, 1 << 16],
      ];
      if (shared) taken.push([5, 1000], [5, 0], [6, 0], [6, 1]);
      const refused: [number, number][] = [[0, 0], shared ? [10, 0] : [5, 0], [-1, 0], [1, 2], [4, 2 ** 32 - 1]];
      for (let round = 0; round < 2; round++) {
        for (const [param, value] of taken) expect(o.e.mallopt(param, value), `mallopt(${param}, ${value})`).toBe(1);
        for (const [param, value] of refused) expect(o.e.mallopt(param, value), `mallopt(${param}, ${value})`).toBe(0);
        o.e.init(2 * WASM_PAGE);
      }
    });

    it("does nothing for a misused call when it is to return", () => {
      const { e, mem } = open();
      expect(e.mallopt(M_MISUSE, 1)).toBe(1);
      const blocks = [20, 200, 20_000, 200_000].map((size) => ({ size, p: e.malloc(size) }));
      for (const b of blocks) mem.u8.fill(mark(b.p), b.p, b.p + b.size);
      const gone = e.malloc(200);
      const slot = e.malloc_usable_size(gone);
      e.free(gone);
      const bad = [...blocks.flatMap(({ p, size }) => [p + 1, p + 8, p + size - 1]), gone, 4, 1024, 0xfffffff0];
      for (const p of bad) {
        e.free(p);
        expect(e.realloc(p, 10), `realloc of ${p}`).toBe(0);
        // Of a free slot some flavours give the bytes.
        expect(p === gone ? [0, slot] : [0], `usable bytes of ${p}`).toContain(e.malloc_usable_size(p));
      }
      for (const b of blocks) {
        expectAll(mem.u8.subarray(b.p, b.p + b.size), mark(b.p), `${b.size} bytes`);
        e.free(b.p);
      }
      const again = Array.from({ length: 1000 }, () => e.malloc(200));
      expect(new Set(again).size).toBe(1000);
    });
  });
}
