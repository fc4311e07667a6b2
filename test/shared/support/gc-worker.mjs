/**
 * A worker on a collected shared heap: a mutator (gc-mutator.mjs), or the marker, which does cycles one after the other.
 * Its operations in `control` (quiet.mjs) are steps or cycles.
 */
import { parentPort, workerData } from "node:worker_threads";
import { Mutator } from "./gc-mutator.mjs";
import { leave, OPS, obey, STOP, wordOf } from "./quiet.mjs";

const { module, memory, base, control, mail, types, slot, token, seed, role, most, steps } = workerData;
const ops = wordOf(slot, OPS);
const M_LOCK_WAIT = 5;

const e = new WebAssembly.Instance(module, { env: { memory } }).exports;

function mutate() {
  const mutator = new Mutator({ e, memory, types, mail, seed, index: token, most });
  while (control[STOP] === 0 && mutator.steps !== steps) {
    obey(control, slot, () => mutator.inside(() => mutator.check()));
    mutator.step();
    control[ops]++;
  }
  mutator.inside(() => mutator.check());
  mutator.drop();
  return { steps: mutator.steps, taken: mutator.taken, freed: mutator.freed };
}

/** Cycles without end, or when they are due, by small steps: a long concurrent phase. */
function mark() {
  const wake = new Int32Array(memory.buffer, e.gcWakeAddress() >>> 0, 1);
  let state = seed | 1;
  while (control[STOP] === 0) {
    obey(control, slot, () => e.gcFinish());
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    if (role === "due" && (e.gcStat(30) === 0 || (e.gcDue() & 2) === 0)) {
      Atomics.wait(wake, 0, Atomics.load(wake, 0), 5);
      continue;
    }
    const now = performance.timeOrigin + performance.now();
    e.gcBegin(role === "due" ? 0 : 1, now);
    while (control[STOP] === 0) {
      while (e.gcMark(500 + ((state >>> 8) % 4000)) > 0 && control[STOP] === 0);
      if (e.gcEnd(performance.timeOrigin + performance.now()) !== 0) break;
    }
    // Some sweep is left to the others.
    if (state & 64) e.gcSweep(1_000_000);
    else e.gcSweep(20);
    control[ops]++;
  }
  return {};
}

try {
  e.init(base);
  e.mallopt(M_LOCK_WAIT, 0);
  if ((e.acquireP(token) & 0xff) === 0) throw new Error("no P");
  const told = role === "mutator" ? mutate() : mark();
  e.releaseP();
  leave(control, slot);
  parentPort.postMessage({ done: true, ...told });
} catch (error) {
  parentPort.postMessage({ error: `${role} ${slot}, seed ${seed}: ${error.stack ?? error}` });
}
