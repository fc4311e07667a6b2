/**
 * The contract with build/gomalloc-host-shared.wasm: what it exports beyond the unshared host flavour, the state words of
 * Ps and the records of locks.
 *
 * One instance per thread, all over one memory. Every function may be called by the instance's own thread alone. Numbers
 * come signed out of wasm; the callers turn addresses back with `>>> 0`.
 */
import { functionsOf } from "../base/abi.js";
import {
  PROCS_NAMES,
  PROCS_ONLY_NAMES,
  type ProcsFunctions,
  type ProcsOnlyFunctions,
  type ThreadExitFunctions,
} from "../base/abifunctions.js";
import { LOCK_SHIFT } from "../base/abinumbers.js";
import { HeapDisposedError, ModuleLoadError, type PState } from "../base/errors.js";
import { COLLECTOR_NAMES } from "./gcabi.js";

export * from "../base/abinumbers.js";

const STATES: readonly PState[] = ["unused", "idle", "running", "blocked", "stopping", "dead", "starting"];

/** Bytes of a lock's record, which begins at a multiple of that. */
export const LOCK_BYTES = 1 << LOCK_SHIFT;
/** In a lock's word: the bit of those that may sleep on it, and the owner. */
export const LOCK_WAITERS = 0x80000000 | 0;
export const LOCK_OWNER = 0x7fffffff;

/** Gives a lock back by its word, and wakes one thread that sleeps on it. For its holder. */
export function freeLock(words: Int32Array<ArrayBufferLike>, index: number): void {
  if (Atomics.exchange(words, index, 0) < 0) Atomics.notify(words, index, 1);
}

/** Instead of a P's id in recoverP: the thread that died had none. */
export const NOBODY = 0;

/** What the shared host flavour exports beyond HostExports, as far as the host calls it. */
export interface SharedExports
  extends Omit<ProcsFunctions, "numPs">,
    ProcsOnlyFunctions,
    Pick<ThreadExitFunctions, "gomalloc_sync"> {}

const NAMES = [...PROCS_NAMES.filter((name) => name !== "numPs"), ...PROCS_ONLY_NAMES, "gomalloc_sync"];

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

/** What takes the place of the exports in a disposed heap: every function throws. */
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
