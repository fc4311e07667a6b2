/**
 * How a fleet's main thread makes its workers quiet: words of shared memory that core-fleet.ts, gc-fleet.ts and their
 * workers share.
 *
 *   control   0 the round, 1 stop, and from 16 on 8 words a worker: the round in which it is quiet, operations, left
 *
 * The round is odd while quiet is asked for. A worker says which round it is quiet in and sleeps on that round's number, so
 * one that falls asleep late, when the next round has begun, wakes at once and says so.
 */

const ROUND = 0;
export const STOP = 1;
export const OPS = 1;
const LEFT = 2;

const WORKERS = 16;
const WORDS = 8;

/** Control words of a fleet with `slots` workers. */
export function makeControl(slots) {
  return new Int32Array(new SharedArrayBuffer(4 * (WORKERS + WORDS * slots)));
}

/** Index of word `i` of a worker: for others than this file, OPS. */
export function wordOf(slot, i) {
  return WORKERS + WORDS * slot + i;
}

/** A new worker's words. */
export function clearWords(control, slot) {
  control.fill(0, wordOf(slot, 0), wordOf(slot + 1, 0));
}

/** Main thread: a round of quiet begins, unless one has. */
export function ask(control) {
  if ((control[ROUND] & 1) === 0) Atomics.add(control, ROUND, 1);
}

/** Main thread: it is over. */
export function release(control) {
  if ((control[ROUND] & 1) !== 0) Atomics.add(control, ROUND, 1);
  Atomics.notify(control, ROUND);
}

/** Main thread: all come to their end. */
export function askToStop(control) {
  Atomics.store(control, STOP, 1);
  release(control);
  Atomics.notify(control, STOP);
}

/** Whether a worker touches nothing until the round is over. */
export function isQuiet(control, slot) {
  return hasLeft(control, slot) || Atomics.load(control, wordOf(slot, 0)) === control[ROUND];
}

export function hasLeft(control, slot) {
  return Atomics.load(control, wordOf(slot, LEFT)) === 1;
}

/** Worker: the round in which it is to be quiet, 0: none. */
function askedRound(control) {
  const round = Atomics.load(control, ROUND);
  return (round & 1) !== 0 && control[STOP] === 0 ? round : 0;
}

/** Worker: quiet while it is asked to be. `look` is called first, in every round. */
export function obey(control, slot, look) {
  for (let round = askedRound(control); round !== 0; round = askedRound(control)) {
    look();
    Atomics.store(control, wordOf(slot, 0), round);
    Atomics.wait(control, ROUND, round);
  }
}

/** Worker: it touches nothing any more. */
export function leave(control, slot) {
  Atomics.store(control, wordOf(slot, LEFT), 1);
}
