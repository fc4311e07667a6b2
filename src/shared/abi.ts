/**
 * The contract with build/gomalloc-host-shared.wasm: what it exports beyond the unshared host flavour, the state words
 * of Ps and the records of locks.
 *
 * One instance per thread, all over one memory. Every function may be called by the instance's own thread alone.
 * Numbers come signed out of wasm; the callers turn addresses back with `>>> 0`.
 */
import { functionsOf } from "../base/abi.js";
import { HeapDisposedError, ModuleLoadError, type PState } from "../base/errors.js";
import { COLLECTOR_NAMES } from "./gcabi.js";

/** Parameters of mallopt that only shared flavours know. */
export const M_LOCK_WAIT = 5;
export const M_CAN_BLOCK = 6;

/** Ps are numbered 1 to 255. */
export const MAX_PROCS = 255;
/** Tokens have 24 bits; 0 is no thread's. */
export const MAX_TOKEN = 0xffffff;

/** The low 8 bits of a P's state word; the 24 above are its holder's token. */
export const IDLE = 1;
export const RUNNING = 2;
export const BLOCKED = 3;
export const STOPPING = 4;
const STATES: readonly PState[] = ["unused", "idle", "running", "blocked", "stopping", "dead", "starting"];

/**
 * A lock's record, at a multiple of 64: the word (0 free, else the owner's P, and bit 31 when a thread may sleep on
 * it), then three u64 counters, which the holder writes.
 */
export const LOCK_BYTES = 64;
export const LOCK_ACQUIRED = 8;
export const LOCK_CONTENDED = 16;
export const LOCK_WAITS = 24;
export const LOCK_WAITERS = 0x80000000 | 0;
export const LOCK_OWNER = 0x7fffffff;

/** Gives a lock back by its word, and wakes one thread that sleeps for it. For its holder. */
export function freeLock(words: Int32Array<ArrayBufferLike>, index: number): void {
  if (Atomics.exchange(words, index, 0) < 0) Atomics.notify(words, index, 1);
}

/** Instead of a P's id in recoverP: the thread that died had none. */
export const NOBODY = 0;

/** Bits that recoverP returns. */
export const REPAIR_DONE = 1;
export const REPAIR_HEAP_LOCK = 2;
export const REPAIR_MCENTRAL = 4;
export const REPAIR_PAGES = 8;
export const REPAIR_REMOTE_FREE = 16;

/** What the shared host flavour exports beyond HostExports, as far as the host calls it. */
export interface SharedExports {
  setToken(token: number): void;
  acquireP(token: number): number;
  acquireBeyond(token: number): number;
  releaseP(): void;
  abandonP(): void;
  currentP(): number;
  blockP(): number;
  unblockP(): number;
  setProcs(n: number): void;
  procs(): number;
  flushP(id: number): number;
  recoverP(id: number): number;
  stateAddress(id: number): number;
  claimAddress(): number;
  lockAddress(i: number): number;
  lockCount(): number;
  lastStuck(): number;
  pStat(id: number, i: number): bigint;
}

/** The names of SharedExports; the compiler keeps the two in step. */
const NAMES = Object.keys({
  setToken: 0,
  acquireP: 0,
  acquireBeyond: 0,
  releaseP: 0,
  abandonP: 0,
  currentP: 0,
  blockP: 0,
  unblockP: 0,
  setProcs: 0,
  procs: 0,
  flushP: 0,
  recoverP: 0,
  stateAddress: 0,
  claimAddress: 0,
  lockAddress: 0,
  lockCount: 0,
  lastStuck: 0,
  pStat: 0,
} satisfies Record<keyof SharedExports, 0>) as (keyof SharedExports)[];

/** Throws ModuleLoadError unless the module, a checked host flavour, is the shared one. */
export function checkSharedModule(module: WebAssembly.Module): void {
  const present = functionsOf(module);
  const missing = [...NAMES, ...COLLECTOR_NAMES].filter((name) => !present.has(name));
  if (missing.length > 0) {
    throw new ModuleLoadError(`the module does not export ${missing.join(", ")}; pass gomalloc-host-shared.wasm`);
  }
}

/** The exports of an instance of a checked module as one plain object. */
export function bindShared({ exports }: Pick<WebAssembly.Instance, "exports">): SharedExports {
  return Object.fromEntries(NAMES.map((name) => [name, exports[name]])) as unknown as SharedExports;
}

/** Replaces the exports of a disposed heap: every function throws. */
export function disposedShared(): SharedExports {
  const refuse = (): never => {
    throw new HeapDisposedError();
  };
  return Object.fromEntries(NAMES.map((name) => [name, refuse])) as unknown as SharedExports;
}

/** The state word of a P that a thread has. A signed number, as an Int32Array reads it. */
export function stateWord(token: number, state: number): number {
  return (token << 8) | state;
}

export function stateOf(word: number): PState {
  return STATES[word & 0xff] ?? "dead";
}

export function tokenOf(word: number): number {
  return word >>> 8;
}
