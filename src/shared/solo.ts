/**
 * A heap of one thread with the methods of a shared one: where memory cannot be shared, the same program runs alone.
 *
 * This supplies, over the unshared host flavour, the exports that only the shared one has. There is one P, number 1,
 * and one lock, number 0; both have their words in a block of the heap.
 */
import type { HostExports } from "../base/abi.js";
import { OutOfMemoryError } from "../base/errors.js";
import { LOCK_BYTES, MAX_PS, P_BLOCKED, P_IDLE, P_RUNNING, type SharedExports, stateWord } from "./abi.js";
import type { Words } from "./support.js";

const THE_P = 1;
/** The state words, of which all but one stay 0; then the lock. */
const STATE_BYTES = 4 * (MAX_PS + 1);
const BYTES = STATE_BYTES + LOCK_BYTES;

/** Takes a block of the heap, which must be initialised. Throws OutOfMemoryError. */
export function soloExports(exports: HostExports, words: () => Words): SharedExports {
  const block = exports.memalign(LOCK_BYTES, BYTES) >>> 0;
  if (block === 0) throw new OutOfMemoryError(BYTES);
  const state = (block >>> 2) + THE_P;
  words().fill(0, block >>> 2, (block + BYTES) >>> 2);
  words()[state] = P_IDLE;
  const is = (wanted: number): boolean => ((words()[state] ?? 0) & 0xff) === wanted;
  let own = 0;
  const become = (next: number): number => {
    words()[state] = stateWord(own, next);
    return 1;
  };
  const acquireP = (token: number): number => {
    own = token;
    become(P_RUNNING);
    return THE_P;
  };
  return {
    setToken() {},
    acquireP,
    acquireBeyond: acquireP,
    releaseP() {
      own = 0;
      become(P_IDLE);
    },
    abandonP() {},
    currentP: () => (is(P_IDLE) ? 0 : THE_P),
    blockP: () => (is(P_RUNNING) ? become(P_BLOCKED) : 0),
    unblockP: () => (is(P_BLOCKED) ? become(P_RUNNING) : 0),
    setProcs() {},
    procs: () => 1,
    flushP(id) {
      if (id !== THE_P || !is(P_IDLE)) return 0;
      exports.releaseAll();
      return 1;
    },
    recoverP: () => 0,
    stateAddress: (id) => block + 4 * id,
    claimAddress: () => 0,
    endAddress: () => 0,
    gomalloc_sync() {},
    lockAddress: () => block + STATE_BYTES,
    lockCount: () => 1,
    lastStuck: () => 0,
    pStat: () => 0n,
  };
}
