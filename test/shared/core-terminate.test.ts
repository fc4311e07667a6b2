/**
 * Workers are terminated at any moment while they and others pound the heap. After each death the main thread recovers
 * the P, and with the others quiet the heap must be sound, their blocks intact; then a new worker takes the dead one's
 * place. Where the axe falls is the machine's choice; core-crash.test.ts chooses it step by step.
 *
 * Once with a P for each thread; and once with fewer Ps than threads, when those that have none wait, in the middle of a
 * call too, for what the dead one held, and the thread that recovers has no P either.
 *
 * TERMINATIONS says how many (default 25; 1,000 with GOMALLOC_LONG=1), TERMINATE_SEED chooses another run.
 */
import { afterEach, expect, it } from "vitest";
import { LONG } from "../support/long.ts";
import { between, env, random } from "../support/random.ts";
import { Fleet } from "./support/core-fleet.ts";

const DEATHS = env("TERMINATIONS", LONG ? 1000 : 25);
const SEED = env("TERMINATE_SEED", 0xdead);
const WORKERS = 3;
/** Slots that a dead worker may take along: those of its call, a window, what it was about to hand over. Bytes. */
const LOSS = 64 * 128 + 300_000;

/** Blocks of the main thread, which nobody touches. */
const BALLAST = 4000;

let fleet: Fleet | undefined;
afterEach(() => fleet?.dispose());

it.each([
  { name: "a P for each thread", slots: WORKERS, most: WORKERS + 2 },
  { name: "two Ps for five threads", slots: 4, procs: 2, bare: true, turn: 500, dwell: true, most: 5 },
])(`${DEATHS} random terminations, $name, seed ${SEED}`, async (run) => {
  const { name, most, ...options } = run;
  const r = random(SEED);
  fleet = new Fleet({
    flavour: "host-shared",
    seed: SEED,
    ops: -1,
    blocks: 300,
    bytes: 2 << 20,
    stay: 1,
    ...options,
  });
  const { world, main } = fleet;
  // Many spans: a walk over them under the heap lock takes a while.
  const ballast = main.mallocs(BALLAST, 8192);
  if (options.bare) main.e.releaseP();
  for (let slot = 0; slot < options.slots; slot++) fleet.start(slot);
  const seen = { none: 0, heapLock: 0, centralLock: 0, pagesMoving: 0, freePending: 0 };
  for (let n = 0; n < DEATHS; n++) {
    const slot = r() % options.slots;
    // It is at work again by then.
    const ops = fleet.operationsOf(slot) + between(r, 1, 60);
    await fleet.until(() => fleet!.operationsOf(slot) >= ops);
    const bits = await fleet.kill(slot, () => {
      fleet!.check(false);
    });
    if (bits <= 1) seen.none++;
    if (bits & 2) seen.heapLock++;
    if (bits & 4) seen.centralLock++;
    if (bits & 8) seen.pagesMoving++;
    if (bits & 16) seen.freePending++;
    fleet.start(slot);
    fleet.resume();
  }
  console.log(`${DEATHS} terminations, ${name}: ${JSON.stringify(seen)}`);
  await fleet.pause();
  if (options.bare) expect(main.e.acquireBeyond(main.token)).not.toBe(0);
  await fleet.stop();
  world.checkAll();
  main.frees(ballast);
  const s = fleet.freeAll();
  expect(s.heapAlloc).toBeLessThanOrEqual(DEATHS * LOSS);
  for (let i = 0; i < main.e.lockCount(); i++) expect(world.lockWord(main, i), `lock ${i}`).toBe(0);
  // Ps are taken over, not piled up.
  expect(main.e.numPs()).toBeLessThanOrEqual(most);
});
