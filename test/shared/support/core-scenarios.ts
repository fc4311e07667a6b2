/**
 * What threads do in the crash test: each scenario sets a world up with its threads, then one of them, the victim, plays
 * a script in which it is killed at every step in turn.
 *
 * Threads of a setup: a (P 1), b (P 2, the victim) and c (P 3). All Ps are idle between setup and script, with what
 * they cache, so that threads made later take the same ones. A scenario without P 3 in play need not touch c.
 */
import type { Thread } from "./core-world.ts";

/** Blocks that a setup leaves for the script, by name. */
export type Kept = Record<string, number[]>;

export interface Scenario {
  name: string;
  /** Wasm pages of the memory at the start. */
  pages: number;
  /** The script grows the memory: it needs a fresh one each time. */
  grows?: boolean;
  /** The victim has no P when its script begins. */
  without?: boolean;
  /** The victim never has a P. */
  bare?: boolean;
  /** Bytes of blocks that may be lost with the victim: what its call was about. */
  loses: number;
  /** Bits of recoverP that the deaths must have shown, all together. */
  finds: number;
  /** Short runs let the recovering thread die too. */
  twice?: boolean;
  /** It has few steps: short runs try each of them. */
  every?: boolean;
  setup(a: Thread, b: Thread, c: Thread): Kept;
  script(b: Thread, kept: Kept): void;
}

const SMALL = [8, 16, 24, 40, 64, 100, 200, 500, 1000, 2000, 5000, 9000, 20_000, 32_000];

export const SCENARIOS: readonly Scenario[] = [
  {
    name: "first spans of many classes, windows that run dry",
    loses: 1_024,
    finds: 11,
    pages: 24,
    setup: () => ({}),
    script(b) {
      for (const size of SMALL) b.malloc(size);
      b.mallocs(70, 128);
      const blocks = b.mallocs(20, 1024);
      b.frees(blocks);
      b.mallocs(20, 1024);
    },
  },
  {
    name: "spans that run empty: retained, then given back",
    loses: 0,
    finds: 11,
    twice: true,
    pages: 40,
    setup: (_, b) => ({ big: b.mallocs(48, 8192), mixed: [...b.mallocs(10, 20_000), ...b.mallocs(200, 512)] }),
    script(b, { big, mixed }) {
      b.frees(mixed!);
      b.frees(big!);
      b.malloc(12_000);
    },
  },
  {
    name: "the page cache is filled, used up and flushed",
    loses: 0,
    finds: 15,
    pages: 40,
    setup(a, b) {
      const large = a.mallocs(12, 50_000);
      const between = b.mallocs(12, 8192);
      a.frees(large.filter((_, i) => i % 2 === 0));
      return { between };
    },
    script(b, { between }) {
      b.mallocs(12, 8192);
      b.mallocs(5, 6000);
      b.e.malloc_trim(0);
      b.frees(between!.slice(0, 6));
      b.e.releaseAll();
      b.mallocs(3, 3000);
    },
  },
  {
    name: "the memory grows, over the first arena's end",
    loses: 2_007_040,
    finds: 11,
    pages: 60,
    grows: true,
    setup: (a) => ({ old: a.mallocs(6, 100_000) }),
    script(b) {
      b.malloc(300_000);
      b.mallocs(40, 8192);
      b.malloc(400_000);
      b.mallocs(3, 2_000_000);
      b.mallocs(3, 24);
    },
  },
  {
    name: "large blocks: made, aligned, grown and shrunk in place, moved, freed",
    loses: 303_104,
    finds: 27,
    pages: 60,
    grows: true,
    setup(a, b) {
      const walls = a.mallocs(8, 40_000);
      a.frees([walls[1]!, walls[3]!, walls[4]!]);
      return { mine: b.mallocs(3, 60_000) };
    },
    script(b, { mine }) {
      // In place, unless blocks are sampled.
      const p = b.realloc(b.malloc(100_000), 50_000);
      b.realloc(p, 90_000);
      b.aligned(65_536, 70_000);
      const last = b.malloc(200_000);
      b.realloc(last, 500_000);
      b.realloc(mine![0]!, 300_000);
      b.realloc(mine![1]!, 1000);
      b.free(mine![2]!);
      b.calloc(100_000);
    },
  },
  {
    name: "small blocks: calloc, realloc, alignment, typed and tiny objects",
    loses: 41_136,
    finds: 11,
    pages: 24,
    setup: (_, b) => ({ dirty: b.mallocs(30, 200) }),
    script(b, { dirty }) {
      b.frees(dirty!);
      for (let i = 0; i < 10; i++) b.calloc(200);
      const p = b.malloc(100);
      const q = b.realloc(p, 500);
      b.realloc(q, 40);
      b.aligned(256, 700);
      b.aligned(4096, 5000);
      for (let i = 0; i < 20; i++) b.e.mallocgc(1 + (i % 15), 0, 0);
      b.typed(300);
      b.typed(40_000);
    },
  },
  {
    name: "remote frees: full groups, cached ones, the last blocks of spans, large blocks",
    loses: 1_024,
    finds: 27,
    twice: true,
    every: true,
    pages: 40,
    setup: (a) => ({
      full: a.mallocs(130, 64),
      few: a.mallocs(5, 300),
      medium: a.mallocs(9, 9000),
      large: a.mallocs(2, 50_000),
    }),
    script(b, { full, few, medium, large }) {
      b.frees(full!.slice(0, 40));
      b.frees(full!.slice(100, 110));
      b.frees(few!);
      b.frees(medium!);
      b.frees(large!);
      b.realloc(full![60]!, 1000);
    },
  },
  {
    name: "frees by a thread without a P: owned spans, nobody's, the collector's, large blocks",
    loses: 0,
    finds: 17,
    twice: true,
    every: true,
    bare: true,
    pages: 40,
    setup(a, b, c) {
      const nobodys = [...c.mallocs(70, 64), ...c.mallocs(3, 9000)];
      c.e.releaseP();
      if (a.e.flushP(3) !== 1) throw new Error("P 3 is not idle");
      const objects = Array.from({ length: 5 }, () => b.typed(300));
      return {
        few: [...a.mallocs(70, 64), ...a.mallocs(5, 300)],
        medium: a.mallocs(4, 9000),
        large: a.mallocs(2, 50_000),
        nobodys,
        objects,
      };
    },
    script(b, { few, medium, large, nobodys, objects }) {
      b.frees(few!.slice(0, 3));
      b.frees(few!.slice(62));
      b.frees(medium!);
      b.frees(large!);
      b.frees(nobodys!.slice(60));
      b.frees(objects!);
    },
  },
  {
    name: "take-over of what others have freed",
    loses: 8_192,
    finds: 27,
    pages: 40,
    setup(a, b) {
      const full = b.mallocs(140, 64);
      const medium = b.mallocs(60, 8192);
      const some = b.mallocs(30, 500);
      a.frees(full.filter((_, i) => i % 3 !== 0));
      a.frees(medium);
      a.frees(some.slice(0, 20));
      return {};
    },
    script(b) {
      b.mallocs(140, 64);
      b.mallocs(20, 8192);
      b.mallocs(40, 500);
    },
  },
  {
    name: "a take-over in one free: a cached group, full ones, whole spans; in one malloc: nobody's spans",
    loses: 3_072,
    finds: 31,
    twice: true,
    every: true,
    pages: 40,
    setup(a, b, c) {
      const cached = b.mallocs(30, 500);
      const full = b.mallocs(130, 64);
      const spans = b.mallocs(3, 9000);
      a.frees([...cached.slice(0, 10), ...full.slice(0, 5), ...full.slice(66, 70), ...spans]);
      const gone = c.mallocs(12, 3000);
      a.frees(gone.slice(0, 2));
      c.e.releaseP();
      if (a.e.flushP(3) !== 1) throw new Error("P 3 is not idle");
      a.frees(gone.slice(4));
      return { mine: cached.slice(29) };
    },
    script(b, { mine }) {
      b.frees(mine!);
      b.malloc(3000);
    },
  },
  {
    name: "short windows: their groups stay noted, get a slot back or not, and are made full",
    loses: 64,
    finds: 27,
    twice: true,
    pages: 24,
    setup(a, b) {
      // Five spans of two groups. Each group has a free slot, that of the last span by another thread's free.
      const blocks = b.mallocs(5 * 128, 64);
      const others = blocks.filter((_, i) => i % 64 === 9);
      b.frees(others.slice(0, 8));
      a.frees(others.slice(8));
      return { blocks: blocks.filter((_, i) => i % 64 !== 9) };
    },
    script(b, { blocks }) {
      b.mallocs(8, 64);
      // The first span: into one of its groups, which has no slot but is noted. The second: all of it.
      b.free(blocks![0]!);
      b.frees(blocks!.slice(126, 2 * 126));
      // The windows that are left, then a look at each noted group, then a new span.
      b.mallocs(200, 64);
      b.frees(blocks!.slice(2 * 126, 2 * 126 + 3));
    },
  },
  {
    name: "an idle P is flushed",
    loses: 112,
    finds: 15,
    twice: true,
    pages: 40,
    setup(a, _, c) {
      const blocks = c.mallocs(100, 100);
      const medium = c.mallocs(20, 9000);
      c.mallocs(2, 40_000);
      const gone = c.mallocs(25, 2000);
      c.frees(gone);
      c.frees(blocks.filter((_b, i) => i % 2 === 0));
      a.frees(blocks.filter((_b, i) => i % 4 === 1));
      a.frees(medium.slice(0, 10));
      return {};
    },
    script(b) {
      b.e.flushP(3);
      b.mallocs(5, 100);
    },
  },
  {
    name: "nobody's spans are taken, what was freed in them is settled",
    loses: 704,
    finds: 31,
    twice: true,
    pages: 40,
    setup(a, b, c) {
      const small = c.mallocs(200, 48);
      const medium = c.mallocs(20, 8192);
      const partial = c.mallocs(60, 700);
      c.frees(partial.slice(0, 30));
      c.e.releaseP();
      if (a.e.flushP(3) !== 1) throw new Error("P 3 is not idle");
      a.frees(small.slice(0, 100));
      b.frees(medium);
      return { partial: partial.slice(30), small: small.slice(100) };
    },
    script(b, { partial, small }) {
      b.mallocs(60, 700);
      b.mallocs(130, 48);
      b.frees(partial!);
      b.frees(small!);
      b.mallocs(10, 48);
    },
  },
  {
    name: "free pages are given back to the system",
    loses: 155_648,
    finds: 11,
    twice: true,
    pages: 60,
    setup: (a, b) => ({ held: a.mallocs(4, 200_000), mixed: [...b.mallocs(6, 150_000), ...b.mallocs(20, 8192)] }),
    script(b, { mixed }) {
      b.frees(mixed!);
      b.e.scavengeBegin();
      let below = 0;
      for (let i = 0; i < 3; i++) {
        below = b.e.scavengeOne(below, 65_536 << i, 1);
        if (below === 0) break;
        b.world.mem.u8.fill(i === 1 ? 7 : 0, below, below + b.e.scavengeBytes());
        b.e.scavengeEnd(i === 1 ? 0 : 1);
      }
      b.frees(b.mallocs(3, 150_000));
    },
  },
  {
    name: "a P is made",
    loses: 0,
    finds: 11,
    pages: 40,
    without: true,
    setup(a) {
      // All Ps that stand are taken when the script begins.
      return { old: a.mallocs(10, 1000) };
    },
    script(b) {
      b.acquire();
      b.mallocs(3, 100);
      b.e.blockP();
      b.e.unblockP();
      b.malloc(4000);
      b.e.releaseP();
    },
  },
  {
    name: "everything is given back, counted and given up",
    loses: 0,
    finds: 15,
    pages: 40,
    setup(a, b) {
      const blocks = b.mallocs(100, 150);
      b.frees(blocks.filter((_, i) => i % 2 === 0));
      a.frees(blocks.filter((_, i) => i % 4 === 1));
      const spans = b.mallocs(30, 8192);
      b.frees(spans);
      return {};
    },
    script(b) {
      b.e.memstats();
      b.e.reclaim();
      b.e.releaseAll();
      b.mallocs(3, 150);
      b.e.releaseP();
    },
  },
];
