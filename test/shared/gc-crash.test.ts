/**
 * A thread dies at a chosen step of the collector: while it begins a cycle, marks, ends or sweeps it, in a write barrier, in
 * an allocation. Another recovers its P, and the heap must be as sound as before: all invariants, every object of every living
 * thread intact, the next cycle right (a second marking checks it), and at the end nothing left but what the dead one held.
 *
 * GC_CRASH_STRIDE tries every n-th step only (default 199, 1 with GOMALLOC_LONG=1). The recovering thread is killed as well: at
 * every GC_CRASH_RECOVERY_STRIDE-th step after every GC_CRASH_TWICE_STRIDE-th death.
 */
import { describe, expect, it } from "vitest";
import { SPECIAL_CLEANUP, SPECIAL_FINALIZER } from "../../src/base/gcabi.ts";
import { LONG } from "../support/long.ts";
import { env } from "../support/random.ts";
import { instrumented } from "./support/core-instrument.ts";
import { type Snapshot, type Thread, World } from "./support/core-world.ts";
import { MAIL_WORDS, type Memory, Mutator, makeTypes, recall, remember } from "./support/gc-mutator.mjs";
import { endCycle, makeList } from "./support/gc-world.ts";

const STRIDE = env("GC_CRASH_STRIDE", LONG ? 1 : 199);
const TWICE_STRIDE = env("GC_CRASH_TWICE_STRIDE", LONG ? 97 : 4001);
const RECOVERY_STRIDE = env("GC_CRASH_RECOVERY_STRIDE", LONG ? 31 : 97);
/** Bytes that a dead thread's handles, its window of slots and its tables may keep. */
const LOSS = 1 << 20;

/** Tokens, which are the numbers of the Ps too: who recovers, the victim, who lives on, who recovers both. */
const [A, B, C, D] = [1, 2, 3, 4];

interface Stage {
  world: World;
  snapshot: Snapshot;
  types: ReturnType<typeof makeTypes>;
  mail: Int32Array;
  kept: Memory;
  list: { handle: number; nodes: number[] };
}

/** The graph of C, a list of B's, and the rest of what is in the world when a script begins. */
function prepare(module: WebAssembly.Module): Stage {
  const world = new World(module, 24, 1024);
  const [a, b, c, d] = [A, B, C, D].map((token) => world.thread(token!)) as [Thread, Thread, Thread, Thread];
  for (const [i, t] of [a, b, c, d].entries()) expect(t.acquire()).toBe(i + 1);
  const types = makeTypes(a.e, world.memory);
  const mail = new Int32Array(new SharedArrayBuffer(4 * MAIL_WORDS));
  const mutator = new Mutator({
    e: c.e,
    memory: world.memory,
    types,
    mail: mail.slice(),
    seed: 5,
    index: 3,
    most: 120,
  });
  while (mutator.steps < 700) mutator.step();
  const list = makeList(b, types[0]!.type, 150);
  a.e.gc();
  makeList(b, types[1]!.type, 60);
  for (const t of [a, b, c, d]) t.e.releaseP();
  a.valid("after setup");
  return { world, snapshot: world.snapshot(), types, mail, kept: remember(mutator), list };
}

/** What stands on a stage for one death. */
interface Scene {
  a: Thread;
  b: Thread;
  d: Thread;
  mutator: Mutator;
}

function open({ world, snapshot, types, mail, kept }: Stage, play: number): Scene {
  world.restore(snapshot, false);
  mail.fill(0);
  const [a, b, c, d] = [A, B, C, D].map((token) => world.thread(token!)) as [Thread, Thread, Thread, Thread];
  for (const [i, t] of [a, b, c, d].entries()) expect(t.acquire()).toBe(i + 1);
  const options = { e: c.e, memory: world.memory, types, mail, seed: 77 + play, index: 40, most: 150 };
  return { a, b, d, mutator: recall(options, kept) };
}

/** Plays `play` by a thread that dies at step k. Where; undefined when it came to the end. */
function killAt(t: Thread, k: number, play: () => void): string | undefined {
  const countdown = t.countdown!;
  countdown.value = k;
  try {
    play();
  } catch (error) {
    if (!(error instanceof WebAssembly.RuntimeError) || error.message !== "unreachable" || countdown.value !== 0) {
      throw error;
    }
    const lines = (error.stack ?? "").replaceAll(/wasm:\/\/\S+|assembly\//g, "").split("\n");
    return lines.slice(2, 8).join(" <");
  }
  countdown.value = 0;
  return undefined;
}

function recoverAll(world: World, t: Thread, tokens: number[]): void {
  for (let round = 0; round < 5; round++) {
    const ids = tokens.flatMap((token) => world.heldBy(t, token));
    if (ids.length === 0) return;
    for (const id of ids) t.e.recoverP(id);
  }
  const left = tokens.flatMap((token) => world.heldBy(t, token));
  if (left.length > 0) throw new Error(`P ${left.join(", ")} cannot be recovered, stuck ${t.e.lastStuck()}`);
}

/** What must hold after a death, seen by `t`. */
function survive(world: World, t: Thread, mutator: Mutator): void {
  expect(t.acquire()).not.toBe(0);
  t.valid("after recovery");
  for (const token of [A, B]) if (token !== t.token) t.e.dropFinished(token!);
  t.valid("after the dead's callbacks were dropped");
  mutator.inside(() => mutator.check());
  t.e.setCheckmark(1);
  // Whatever runs is brought to its end, with the living at work.
  for (let i = 0; i < 30; i++) {
    mutator.step();
    if (i % 10 === 0) t.e.gcMark(300);
  }
  if (t.e.gcPhase() !== 0) expect(endCycle(t), "the end of the cycle").toBe(1);
  mutator.inside(() => mutator.check());
  expect(t.e.gc(), "a whole cycle").toBe(1);
  mutator.inside(() => mutator.check());
  t.valid("after the next cycle");
  for (let i = 0; i < 60; i++) mutator.step();
  t.mallocs(20, 500);
  expect(t.e.gc(), "another cycle").toBe(1);
  mutator.inside(() => mutator.check());
  mutator.inside(() => mutator.finish());
  mutator.drop();
  expect(t.e.gc()).toBe(1);
  t.frees([...world.blocks.keys()]);
  for (const other of world.threads) if (other !== t && world.heldBy(t, other.token).length > 0) other.e.releaseP();
  world.flush(t);
  t.valid("at the end");
  expect(world.pending(t), "freed, and never taken over").toEqual([]);
  expect(t.e.gcStat(26), "cycles without a check").toBe(0);
  expect(t.stats().heapAlloc, "bytes left").toBeLessThan(LOSS);
  expect(t.e.gcStat(24), "pages of queues left").toBeLessThan(4);
}

/** What the victim does; `a` is there to mark beside it. */
const SCRIPTS: readonly { name: string; first?(scene: Scene): void; script(scene: Scene, stage: Stage): void }[] = [
  {
    name: "a cycle step by step: begun, marked, ended, swept",
    script({ b }) {
      b.e.gcBegin(1, 0);
      b.e.gcMark(3000);
      endCycle(b);
      b.e.gcSweep(1000);
    },
  },
  {
    name: "whole cycles, one after the other",
    script({ b }, { list }) {
      b.e.gc();
      b.e.handleFree(list.handle);
      b.e.gc();
    },
  },
  {
    name: "allocation, barriers, handles, pins and frees while another marks",
    first({ a }) {
      a.e.gcBegin(1, 0);
      a.e.gcMark(500);
    },
    script({ b, a }, { list, types }) {
      const more = makeList(b, types[1]!.type, 70);
      for (let i = 0; i < 40; i++) b.e.writePointer(list.nodes[i]! + 12, more.nodes[i]!);
      b.e.typedMove(types[0]!.type, list.nodes[50]!, list.nodes[60]!, 1);
      b.e.typedClear(types[0]!.type, list.nodes[70]!, 1);
      for (const node of more.nodes.slice(0, 10)) b.e.pin(node);
      for (const node of list.nodes.slice(100, 150)) b.e.handleNew(node);
      a.e.gcMark(500);
      b.e.newObject(types[6]!.type, 4000);
      for (const node of list.nodes.slice(80, 90)) a.e.freeObject(node);
      for (const node of list.nodes.slice(90, 99)) b.e.freeObject(node);
      for (let i = 0; i < 40; i++) b.e.mallocgc(1 + (i % 30), 0, 1);
    },
  },
  {
    name: "allocation that begins cycles, pays for them and sweeps",
    first({ a }) {
      a.e.setHeapMinimum(1024);
      a.e.setCollecting(1);
    },
    script({ b }, { types }) {
      for (let i = 0; i < 700; i++) b.e.newObject(types[i % 4]!.type, 1);
      for (let i = 0; i < 6; i++) b.e.newObject(types[0]!.type, 5000);
      b.e.setCollecting(0);
    },
  },
  {
    name: "tables that grow, with a cycle half done",
    first({ a }) {
      a.e.gcBegin(1, 0);
    },
    script({ b }, { list }) {
      for (let i = 0; i < 2100; i++) b.e.handleNew(list.nodes[i % 150]!);
      for (const node of list.nodes) b.e.pin(node);
      for (const node of list.nodes) b.e.unpin(node);
      b.e.addRoots(list.nodes[0]!, 8, 0);
      b.e.removeRoots(list.nodes[0]!);
      b.e.releaseAll();
      b.e.gcFinish();
    },
  },
  {
    name: "cleanups, finalizers and weak pointers: made, found dead, taken",
    first({ a }) {
      a.e.gc();
    },
    script({ b, a }, { list }) {
      const weak: number[] = [];
      // More than a table has room for.
      for (const [i, node] of list.nodes.entries()) {
        for (let n = 0; n < 4; n++) b.e.specialNew(SPECIAL_CLEANUP, node);
        if (i % 2) b.e.specialNew(SPECIAL_FINALIZER, node);
        weak.push(b.e.handleNew(b.e.weakNew(node)));
      }
      for (let i = 0; i < 20; i++) b.e.freeObject(list.nodes[i]!);
      b.e.gcBegin(1, 0);
      b.e.gcMark(500);
      for (const handle of weak.slice(30, 60)) b.e.handleNew(b.e.weakGet(b.e.handleGet(handle)));
      b.e.handleFree(list.handle);
      b.e.gcFinish();
      a.e.gcSweep(2);
      b.e.gc();
      while (b.e.finishedId() !== 0) {
        const object = b.e.finishedObject();
        if (object !== 0) b.e.handleFree(b.e.handleNew(object));
        b.e.finishedDone();
      }
      b.e.gc();
      b.e.dropFinished(0);
    },
  },
  {
    name: "an arena: its root's record, chunks faulted while a cycle marks and between cycles",
    first({ a }) {
      a.e.gc();
    },
    script({ b, a }, { list, types }) {
      const fault = b.e.newType(131_072, 0);
      const { type } = types[0]!;
      for (const marking of [true, false]) {
        const root = b.e.newObject(type, 4);
        b.e.writePointer(root, root);
        const id = b.e.specialNew(SPECIAL_FINALIZER, root);
        const chunks = [b.e.newObject(type, 2000), b.e.newObject(type, 300)];
        for (const [i, chunk] of chunks.entries()) {
          b.e.writePointer(root + 8 + i * 4, chunk);
          b.e.writePointer(chunk + 8, list.nodes[i]!);
        }
        if (marking) b.e.gcBegin(1, 0);
        b.e.gcMark(500);
        for (const chunk of chunks) b.e.faultObject(chunk, fault);
        b.e.specialFree(SPECIAL_FINALIZER, root, id);
        a.e.gcMark(500);
        b.e.gcFinish();
        b.e.gc();
      }
      b.e.dropFinished(0);
    },
  },
  {
    name: "frees by another, settled by refills, and a P that is given up",
    first({ a }) {
      a.e.gc();
    },
    script({ b, a }, { list, types }) {
      for (const node of list.nodes.slice(1)) a.e.freeObject(node);
      const more = makeList(b, types[0]!.type, 600);
      for (const node of more.nodes.slice(1, 520)) b.e.freeObject(node);
      b.e.gcSweep(3);
      b.e.releaseAll();
      makeList(b, types[0]!.type, 30);
      b.e.releaseP();
    },
  },
];

/** Collects what fails, up to a number that tells enough. */
function collectFailures(): { of<T>(play: () => T): T | undefined; full(): boolean; expectNone(): void } {
  const all: string[] = [];
  return {
    of(play) {
      try {
        return play();
      } catch (error) {
        all.push((error as Error).message);
        return undefined;
      }
    },
    full: () => all.length >= 40,
    expectNone() {
      if (all.length > 0) expect.fail(`${all.length} failures\n${all.slice(0, 10).join("\n")}`);
    },
  };
}

describe("death at any step of the collector", () => {
  const { module } = instrumented("test-shared");

  it.each(SCRIPTS)("$name", ({ script, first }) => {
    const stage = prepare(module);
    const failures = collectFailures();
    let deaths = 0;
    for (let k = 1; !failures.full(); k += STRIDE) {
      const scene = open(stage, k);
      first?.(scene);
      const where = killAt(scene.b, k, () => script(scene, stage));
      failures.of(() => {
        try {
          recoverAll(stage.world, scene.a, [B!]);
          survive(stage.world, scene.a, scene.mutator);
        } catch (error) {
          throw new Error(`step ${k}, ${where}: ${(error as Error).message}`, { cause: error });
        }
      });
      if (where === undefined) break;
      deaths++;
    }
    failures.expectNone();
    expect(deaths).toBeGreaterThan(5);
  });

  it("an object whose slot is taken and its type not written, where another class's pointer bits were", () => {
    const stage = prepare(module);
    const failures = collectFailures();
    const [bits, words] = [stage.types[2]!.type, stage.types[3]!.type];
    for (let made = 0; made < 160 && !failures.full(); made += 5) {
      const { a, b, mutator } = open(stage, made);
      for (let i = 0; i < 1000; i++) b.e.newObject(bits, 1);
      // Their spans go, and the records with their tables are for spans with as many groups.
      expect(b.e.gc()).toBe(1);
      for (let i = 0; i < made; i++) b.e.newObject(words, 1);
      expect(a.e.gcBegin(1, 0)).toBe(1);
      // Between the two: it clears the slot.
      const where = killAt(b, 20, () => b.e.newObject(words, 1));
      if (made > 0) expect(where).toContain("clearWords");
      failures.of(() => {
        recoverAll(stage.world, a, [B!]);
        survive(stage.world, a, mutator);
      });
    }
    failures.expectNone();
  });

  it.each(SCRIPTS)("$name, and in its recovery", ({ script, first }) => {
    const stage = prepare(module);
    const failures = collectFailures();
    for (let k = 1 + RECOVERY_STRIDE; !failures.full(); k += TWICE_STRIDE) {
      let over = false;
      for (let j = 1 + (k % RECOVERY_STRIDE); !failures.full(); j += RECOVERY_STRIDE) {
        const scene = open(stage, k);
        first?.(scene);
        const where = killAt(scene.b, k, () => script(scene, stage));
        over = where === undefined;
        const second = over ? undefined : killAt(scene.a, j, () => recoverAll(stage.world, scene.a, [B!]));
        if (second === undefined) break;
        failures.of(() => {
          try {
            recoverAll(stage.world, scene.d, [A!, B!]);
            survive(stage.world, scene.d, scene.mutator);
          } catch (error) {
            throw new Error(`step ${k}, ${where}; then ${j}, ${second}: ${(error as Error).message}`, { cause: error });
          }
        });
      }
      if (over) break;
    }
    failures.expectNone();
  });
});
