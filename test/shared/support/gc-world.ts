/**
 * A world of threads (core-world.ts) with a collected graph in it: instances over one memory in one thread, of which `main`
 * only marks and looks, and the others make objects.
 */
import { expect } from "vitest";
import { type Thread, World } from "./core-world.ts";
import { MAIL_WORDS, Mutator, makeTypes } from "./gc-mutator.mjs";

/** Objects of 16 bytes in a list, each pointing to the next. */
export interface List {
  handle: number;
  nodes: number[];
  type: number;
  /** How many of them are objects that live. */
  alive(): number;
}

/** What a thread of a graph can do besides. */
export type GraphThread = Thread & { endCycle(): number };

export interface Graph {
  world: World;
  main: GraphThread;
  a: Thread;
  b: Thread;
  threads: Thread[];
  mutators: Mutator[];
  list(t: Thread, n: number): List;
  /** All mutators look at all they have and let it go; nothing is left in the heap then. */
  finish(): void;
}

/** Marks and ends the running cycle. 1, or what gcEnd says else. */
export function endCycle(t: Thread): number {
  for (;;) {
    while (t.e.gcMark(1 << 20) > 0);
    const done = t.e.gcEnd(0);
    if (done !== 0) return done;
  }
}

/** A linked list of `n` objects of the thread's, kept by a handle. */
export function makeList(t: Thread, type: number, n: number): List {
  expect(t.e.gcEnter()).toBe(1);
  const nodes: number[] = [];
  let handle = 0;
  for (let i = 0; i < n; i++) {
    const p = t.e.newObject(type, 1) >>> 0;
    expect(p).not.toBe(0);
    if (i === 0) handle = t.e.handleNew(p);
    else t.e.writePointer(nodes[i - 1]! + 8, p);
    nodes.push(p);
  }
  t.e.gcLeave();
  return { handle, nodes, type, alive: () => nodes.filter((p) => t.e.objectOf(p) >>> 0 === p).length };
}

/** `n` threads and main, which has the highest token. */
export function startGraph(
  module: WebAssembly.Module,
  n: number,
  seed: number,
  { pages = 16, maximum = 2048, most = 300 } = {},
): Graph {
  const world = new World(module, pages, maximum);
  const threads = Array.from({ length: n }, (_, i) => world.thread(i + 1));
  const main = Object.assign(world.thread(n + 1), { endCycle: () => endCycle(main) }) as GraphThread;
  for (const [i, t] of [...threads, main].entries()) expect(t.acquire()).toBe(i + 1);
  main.e.setCheckmark(1);
  const types = makeTypes(main.e, world.memory);
  const mail = new Int32Array(new SharedArrayBuffer(4 * MAIL_WORDS));
  const mutators = threads.map(
    ({ e }, index) => new Mutator({ e, memory: world.memory, types, mail, seed: seed * 64 + index + 1, index, most }),
  );
  return {
    ...{ world, main, threads, mutators, a: threads[0]!, b: threads[1]! },
    list: (t, count) => makeList(t, types[0]!.type, count),
    finish() {
      for (const mutator of mutators) mutator.inside(() => mutator.check());
      expect(main.e.gc()).toBe(1);
      main.valid("after the last cycle with objects");
      for (const mutator of mutators) mutator.inside(() => mutator.check());
      for (const mutator of mutators) mutator.drop();
      for (let i = 0; i < MAIL_WORDS; i++) if (mail[i] !== 0) main.e.handleFree(Math.abs(mail[i]!));
      expect(main.e.gcStat(10), "handles").toBe(0);
      expect(main.e.gc()).toBe(1);
      for (const t of threads) t.e.releaseP();
      world.flush(main);
      expect(main.e.gc()).toBe(1);
      world.flush(main);
      main.valid("when nothing is left");
      const s = main.stats();
      expect([s.heapAlloc, s.heapInuse], "bytes left").toEqual([0, 0]);
      expect(main.e.gcStat(26), "cycles without a check").toBe(0);
      expect(main.e.gcStat(24), "pages of queues").toBe(0);
    },
  };
}
