/**
 * A thread dies at a chosen step of the allocator: at every step of every scenario in turn, by an instrumented module
 * that traps before its n-th write. Another thread then recovers what the dead one held, and the heap must be as sound as
 * before: all invariants, every block of every thread intact and free-able, memory for the living, and at the end nothing
 * lost but what the dead thread's call was about.
 *
 * CRASH_STRIDE tries every n-th step only (default 17, 1 with GOMALLOC_LONG=1), CRASH_FIRST says how many to leave out before.
 * The recovering thread is killed as well: at every CRASH_RECOVERY_STRIDE-th step after every CRASH_TWICE_STRIDE-th death.
 * Scenarios of few steps (`every`) are tried at each of them. All are played again where each block is sampled and guarded,
 * with strides of their own (CRASH_SAMPLED_STRIDE, CRASH_SAMPLED_TWICE_STRIDE).
 */
import { describe, expect, it } from "vitest";
import { LONG } from "../support/long.ts";
import { env } from "../support/random.ts";
import { type SharedFlavour, type Stats, WASM_PAGE } from "../support/wasm.ts";
import { COUNTDOWN, instrumented } from "./support/core-instrument.ts";
import { type Kept, SCENARIOS, type Scenario } from "./support/core-scenarios.ts";
import { type Snapshot, type Thread, World } from "./support/core-world.ts";

const STRIDE = env("CRASH_STRIDE", LONG ? 1 : 17);
const FIRST = env("CRASH_FIRST", 0);
/** Steps between those of the first and the second death. Primes, so that the pairs differ. */
const TWICE_STRIDE = env("CRASH_TWICE_STRIDE", LONG ? 97 : 797);
const RECOVERY_STRIDE = env("CRASH_RECOVERY_STRIDE", LONG ? 31 : 61);

/** Steps between those at which a thread without a P dies, and after it the one that recovers, at each step of its own. */
const FEW_STRIDE = LONG ? 1 : 5;

/** The same where each block is sampled and guarded, which takes many more steps. */
const SAMPLED_STRIDE = env("CRASH_SAMPLED_STRIDE", LONG ? 7 : 499);
const SAMPLED_TWICE_STRIDE = env("CRASH_SAMPLED_TWICE_STRIDE", LONG ? 997 : 20_011);
/** Bytes in quarantine there: some blocks wait, and leave it as the script goes on. */
const QUARANTINE = 4096;

/** Tokens of the threads. */
const A = 1;
const B = 2;
const C = 3;
const D = 4;

interface Stage {
  /** Each block is sampled and guarded. */
  sampled: boolean;
  scenario: Scenario;
  world: World;
  kept: Kept;
  snapshot: Snapshot;
}

/** Plays the setup of a scenario; all Ps are idle after it. */
function prepare(module: WebAssembly.Module, scenario: Scenario, sampled: boolean): Stage {
  // What samples needs records, too.
  const world = sampled
    ? new World(module, scenario.pages + 8, undefined, undefined, QUARANTINE)
    : new World(module, scenario.pages);
  const [a, b, c, d] = [A, B, C, D].map((token) => world.thread(token)) as [Thread, Thread, Thread, Thread];
  expect(a.acquire()).toBe(1);
  if (scenario.without !== true) {
    expect(b.acquire()).toBe(2);
    expect(c.acquire()).toBe(3);
    expect(d.acquire()).toBe(4);
  }
  const kept = scenario.setup(a, b, c);
  for (const t of [a, b, c, d]) t.e.releaseP();
  a.valid("after setup");
  return { scenario, sampled, world, kept, snapshot: world.snapshot() };
}

/** Plays `play` by a thread that dies at step k. The stack at its death, or undefined when it came to the end. */
function killAt(t: Thread, k: number, play: () => void): string | undefined {
  const countdown = t.countdown as WebAssembly.Global;
  countdown.value = k;
  try {
    play();
  } catch (error) {
    if (!(error instanceof WebAssembly.RuntimeError) || error.message !== "unreachable" || countdown.value !== 0)
      throw error;
    return (error.stack ?? "")
      .replaceAll(/wasm:\/\/\S+|assembly\//g, "")
      .split("\n")
      .slice(2, 7)
      .join(" <")
      .trim();
  }
  countdown.value = 0;
  return undefined;
}

/** What came of one recovery: the bits of all Ps that the dead threads held, which are free now, and of those without one. */
function recoverAll(world: World, t: Thread, tokens: number[]): number {
  let bits = tokens.some((token) => world.heldBy(t, token).length === 0) ? t.e.recoverP(0) : 0;
  for (let round = 0; ; round++) {
    const ids = tokens.flatMap((token) => world.heldBy(t, token));
    if (ids.length === 0) return bits;
    if (round === 4)
      throw new Error(
        `P ${ids.join(", ")} cannot be recovered: ${ids.map((id) => world.stateWord(t, id).toString(16))}`,
      );
    for (const id of ids) bits |= t.e.recoverP(id);
  }
}

/** What the heap must be after the death of a thread, seen by `t`. */
function survive({ world, sampled }: Stage, t: Thread, name: string): void {
  t.valid(`after ${name}`);
  world.checkAll();
  const { flight } = world;
  if (flight !== undefined) {
    // The block whose free or realloc was under way is live, or it is free: nothing between. A sampled one may be lost
    // with its sample gone: its address lies inside a slot then.
    const states = sampled ? [0, 1, 2, 3] : [0, 1, 2];
    expect(states, "free of the block of the last call").toContain(t.e.tryFree(flight.p));
    world.flight = undefined;
    t.valid("after the free of the block of the last call");
  }
  // The living go on: with blocks of all kinds, and with those of the dead.
  const some = [...world.blocks.keys()].filter((_, i) => i % 2 === 0);
  expect(t.malloc(8), "memory for the living").not.toBe(0);
  for (const size of [16, 48, 64, 100, 500, 700, 1024, 5000, 8192, 20_000, 40_000, 100_000]) t.mallocs(4, size);
  t.frees(some);
  const next = world.thread(D + 1);
  expect(next.acquire(), "a P for the next thread").not.toBe(0);
  next.mallocs(80, 64);
  next.mallocs(5, 8192);
  next.mallocs(2, 60_000);
  next.frees([...world.blocks.keys()].filter((_, i) => i % 3 === 0));
  world.checkAll();
  next.e.releaseP();
}

/** What is missing when all known blocks were freed and all caches flushed, bytes. */
interface Loss {
  /** In slots and large blocks that count as live. */
  live: number;
  /** In records of the allocator, what lies between them, and memory that was grown and not entered. */
  other: number;
}

/** Bytes from the heap's base on that are neither pages for spans nor span records. */
function otherBytes(world: World, s: Stats): number {
  return world.memory.buffer.byteLength - world.heapBase - s.heapSys - s.mspanInuse;
}

function losses(world: World, t: Thread, before: number): Loss {
  const s = world.drain(t);
  expect(world.pending(t), "freed, and never taken over").toEqual([]);
  if (s.heapAlloc === 0) expect(s.spansInUse, "spans without a live slot").toBe(0);
  return { live: s.heapAlloc, other: otherBytes(world, s) - before };
}

interface Death {
  /** Stack of the trap. */
  where: string;
  /** Result of the recoveries. */
  bits: number;
  loss: Loss;
  /** Bytes by which the victim's calls grew the memory. */
  grown: number;
}

/** One death. Undefined when the script came to its end before step k. */
function crash(stage: Stage, k: number): Death | undefined {
  const { a, where, before, grown } = die(stage, k);
  const { world } = stage;
  try {
    const bits = where === undefined ? 0 : recoverAll(world, a, [B]);
    survive(stage, a, where === undefined ? "the whole script" : "recovery");
    const loss = losses(world, a, before);
    return where === undefined ? undefined : { where, bits, loss, grown };
  } catch (error) {
    throw new Error(`step ${k}, ${where}: ${(error as Error).message}`, { cause: error });
  }
}

interface Dead {
  /** The threads that live: the one that recovers, and another. */
  a: Thread;
  d: Thread;
  where: string | undefined;
  /** otherBytes before the script, and by how much it grew the memory. */
  before: number;
  grown: number;
}

/** The victim plays its script and dies at step k, or does not. */
function die({ scenario, world, kept, snapshot }: Stage, k: number): Dead {
  world.restore(snapshot, scenario.grows === true);
  const a = world.thread(A);
  const b = world.thread(B);
  expect(a.acquire()).toBe(1);
  const d = world.thread(D);
  if (scenario.without !== true) {
    const c = world.thread(C);
    expect([b.acquire(), c.acquire(), d.acquire()]).toEqual([2, 3, 4]);
    c.e.releaseP();
    if (scenario.bare === true) b.e.releaseP();
  }
  const before = otherBytes(world, a.stats());
  const { pages } = world.mem;
  const where = killAt(b, k, () => scenario.script(b, kept));
  if (where === undefined) b.e.releaseP();
  return { a, d, where, before, grown: (world.mem.pages - pages) * WASM_PAGE };
}

/**
 * The victim dies at step k, and the thread that recovers it dies at step j of that; a third one recovers both. False
 * when the recovery came to its end before step j.
 */
function crashTwice(stage: Stage, k: number, j: number): boolean {
  const { a, d, where, before } = die(stage, k);

  const { world } = stage;
  if (where === undefined) return false;
  // It may get none while the dead thread holds the heap's lock: then it recovers without one.
  if (stage.scenario.without === true) d.acquire();
  const second = killAt(a, j, () => recoverAll(world, a, [B]));
  try {
    if (second === undefined) return false;
    recoverAll(world, d, [A, B]);
    expect(d.acquire(), "a P after the recoveries").not.toBe(0);
    survive(stage, d, "two recoveries");
    losses(world, d, before);
    return true;
  } catch (error) {
    throw new Error(`step ${k}, ${where}; then ${j}, ${second}: ${(error as Error).message}`, { cause: error });
  }
}

/** `stride`, or half of the scenario's steps where it is over before: the recovery from its first may take no step. */
function shortStride(stage: Stage, stride: number): number {
  let [alive, over] = [1, 1 + stride];
  if (die(stage, over).where !== undefined) return stride;
  while (over - alive > 1) {
    const k = (alive + over) >> 1;
    if (die(stage, k).where === undefined) over = k;
    else alive = k;
  }
  return alive >> 1;
}

/** Collects what fails, up to a number that tells enough. */
class Failures {
  readonly #all: string[] = [];

  /** Result of `play`, or undefined when it failed. */
  of<T>(play: () => T): T | undefined {
    try {
      return play();
    } catch (error) {
      this.#all.push((error as Error).message);
      return undefined;
    }
  }

  get full(): boolean {
    return this.#all.length >= 100;
  }

  get none(): boolean {
    return this.#all.length === 0;
  }

  expectNone(): void {
    if (!this.none) expect.fail(`${this.#all.length} failures\n${this.#all.slice(0, 12).join("\n")}`);
  }
}

/** The largest guarded block of the scenarios, with its zones: it is lost where the victim dies between sample and block. */
const SAMPLED_LOSES = 57_344;

/**
 * Bytes of blocks that may be lost with the victim. Where blocks are sampled each has zones around it, and a free may
 * also be about the oldest block in quarantine.
 */
function losesOf({ loses }: Scenario, sampled: boolean): number {
  return sampled ? Math.max(loses, SAMPLED_LOSES) + QUARANTINE : loses;
}

/** Pages that may be taken for records in a run, whether somebody dies in it or not, bytes. */
const MAX_RECORDS = 24 * 8192;

const FLAVOURS: SharedFlavour[] = ["test-shared", "test-shared-profile"];

describe.each<SharedFlavour>(LONG ? ["host-shared", ...FLAVOURS] : FLAVOURS)("%s: death at any step", (flavour) => {
  const { module, writes } = instrumented(flavour);
  const sampled = flavour.endsWith("-profile");

  it("is possible at every write", () => {
    expect(writes).toBeGreaterThan(300);
    expect(WebAssembly.Module.exports(module).map((x) => x.name)).toContain(COUNTDOWN);
  });

  it.each(SCENARIOS)("$name", (scenario) => {
    const stage = prepare(module, scenario, sampled);
    const failures = new Failures();
    let bits = 0;
    let deaths = 0;
    const stride = sampled ? (scenario.bare === true ? 11 : SAMPLED_STRIDE) : scenario.every === true ? 1 : STRIDE;
    for (let k = 1 + FIRST; !failures.full; k += stride) {
      const done = failures.of(() => crash(stage, k) ?? "over");
      if (done === "over") break;
      if (done === undefined) continue;
      deaths++;
      bits |= done.bits;
      failures.of(() => {
        const what = `step ${k}, ${done.where}`;
        expect(done.loss.live, `live bytes, ${what}`).toBeLessThanOrEqual(losesOf(scenario, sampled));
        expect(done.loss.other, `other bytes, ${what}`).toBeLessThanOrEqual(MAX_RECORDS + done.grown);
      });
    }
    failures.expectNone();
    expect(deaths).toBeGreaterThan(0);
    if (!sampled && stride <= 5 && FIRST === 0) expect(bits, "kinds of recoveries seen").toBe(scenario.finds);
  });

  it.each(LONG ? SCENARIOS : SCENARIOS.filter((s) => s.twice))("$name, and in its recovery", (scenario) => {
    const stage = prepare(module, scenario, sampled);
    const failures = new Failures();
    let deaths = 0;
    // The recovery of a thread without a P takes few steps, too.
    const few = scenario.bare === true;
    // Where blocks are sampled a free takes a P, and its recovery many steps.
    const [fewFirst, fewSecond] = sampled ? [101, 13] : [FEW_STRIDE, 1];
    const wanted = few ? fewFirst : sampled ? SAMPLED_TWICE_STRIDE : TWICE_STRIDE;
    const first = shortStride(stage, wanted);
    const second = few ? fewSecond : RECOVERY_STRIDE;
    for (let k = 1 + FIRST; !failures.full; k += first) {
      if (die(stage, k).where === undefined) break;
      for (let j = 1 + (k % second); !failures.full; j += second) {
        if (failures.of(() => crashTwice(stage, k, j)) === false) break;
        deaths++;
      }
    }
    failures.expectNone();
    expect(deaths).toBeGreaterThan(0);
  });
});
