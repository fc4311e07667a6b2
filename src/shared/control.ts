/**
 * The control block: what the JavaScript of all threads of one heap shares, 1 KiB in a block of the heap's own.
 *
 *   word 0   lock record of the host's own lock (16 words, as wasm's): taken before any lock of wasm's
 *       16   version of this layout
 *       17   TOKENS   the last token given
 *       18   TURN     counts Ps that became free; threads that wait for a P sleep here
 *       19   TAKEN    counts waits for a P that are over; threads that have yielded sleep here
 *       20   WANTED   counts waits that began; idle holders of a P listen here
 *       21   NEXT     where the last request to stop began to look for a P
 *       32   WAITING  tokens of the threads that wait for a P, 0 for a free entry
 *
 * All words are read and written by Atomics alone, by any thread. An entry of WAITING belongs to the thread whose token
 * is in it; when that thread is dead, to the thread that reaps it. Cost: one atomic operation each, but walks of
 * WAITING.
 */
import { AttachError } from "../base/errors.js";
import { LOCK_BYTES, MAX_TOKEN } from "./abi.js";
import { type Words, waitFor, waitForAsync } from "./support.js";

/** Bytes of the block; it lies at a multiple of LOCK_BYTES. */
export const CONTROL_BYTES = 1024;
const CONTROL_VERSION = 1;

const VERSION = 16;
const TOKENS = 17;
const TURN = 18;
const TAKEN = 19;
const WANTED = 20;
const NEXT = 21;
const WAITING = 32;
const MAX_WAITING = CONTROL_BYTES / 4 - WAITING;

export class Control {
  /** Address of the block, which is that of the host's own lock. */
  readonly address: number;
  readonly #first: number;
  readonly #words: () => Words;

  /** `words` gives the heap's memory as it is now. */
  constructor(address: number, words: () => Words) {
    this.address = address;
    this.#first = address >>> 2;
    this.#words = words;
  }

  /** Makes a fresh block, given as zeros, a control block. By the heap's creator, before any other thread sees it. */
  format(): void {
    Atomics.store(this.#words(), this.#first + VERSION, CONTROL_VERSION);
  }

  /** Throws AttachError unless the block is one that this version knows. */
  check(): void {
    if (this.address % LOCK_BYTES === 0 && (this.address + CONTROL_BYTES) / 4 <= this.#words().length) {
      if (this.#load(VERSION) === CONTROL_VERSION) return;
    }
    throw new AttachError(
      "the message does not fit the memory in it: no control block of this version is there; pass it as share() gave it",
    );
  }

  /** A token that no thread has had. */
  newToken(): number {
    const token = this.#add(TOKENS) + 1;
    if (token > MAX_TOKEN) throw new AttachError(`all ${MAX_TOKEN} tokens of this heap are used up: make a new heap`);
    return token;
  }

  // Turns

  /** The word that changes when a P becomes free. Read it before looking for one. */
  turns(): number {
    return this.#load(TURN);
  }

  /** A P became free: wakes one thread that waits. */
  free(): void {
    this.#add(TURN);
    Atomics.notify(this.#words(), this.#first + TURN, 1);
  }

  waitForTurn(seen: number, ms: number, maySleep: boolean): void {
    waitFor(this.#words(), this.#first + TURN, seen, ms, maySleep);
  }

  waitForTurnAsync(seen: number, ms: number): Promise<void> {
    return waitForAsync(this.#words(), this.#first + TURN, seen, ms);
  }

  /** The word that changes when a thread's wait for a P is over. */
  takes(): number {
    return this.#load(TAKEN);
  }

  waitForTake(seen: number, ms: number, maySleep: boolean): void {
    waitFor(this.#words(), this.#first + TAKEN, seen, ms, maySleep);
  }

  waitForTakeAsync(seen: number, ms: number): Promise<void> {
    return waitForAsync(this.#words(), this.#first + TAKEN, seen, ms);
  }

  // Threads that wait

  /** Enters a thread in the list of those that wait, and tells the holders. Its entry; -1: the list is full. */
  join(token: number): number {
    const words = this.#words();
    let entry = -1;
    for (let i = 0; i < MAX_WAITING && entry < 0; i++) {
      if (Atomics.compareExchange(words, this.#first + WAITING + i, 0, token) === 0) entry = i;
    }
    this.#add(WANTED);
    this.wakeListeners();
    return entry;
  }

  /** Ends the wait that join() began. */
  leave(entry: number): void {
    const words = this.#words();
    if (entry >= 0) Atomics.store(words, this.#first + WAITING + entry, 0);
    this.#add(TAKEN);
    Atomics.notify(words, this.#first + TAKEN);
  }

  /** Removes a dead thread from those that wait. */
  forget(token: number): void {
    const words = this.#words();
    for (let i = 0; i < MAX_WAITING; i++) Atomics.compareExchange(words, this.#first + WAITING + i, token, 0);
  }

  /** How many threads wait for a P. */
  waiters(): number {
    const words = this.#words();
    let count = 0;
    for (let i = 0; i < MAX_WAITING; i++) if (Atomics.load(words, this.#first + WAITING + i) !== 0) count++;
    return count;
  }

  /** The word that changes when a thread begins to wait, and where it is. */
  wanted(): { words: Words; index: number; value: number } {
    const words = this.#words();
    const index = this.#first + WANTED;
    return { words, index, value: Atomics.load(words, index) };
  }

  wakeListeners(): void {
    Atomics.notify(this.#words(), this.#first + WANTED);
  }

  /** A number that goes up, to ask another P each time. */
  next(): number {
    return this.#add(NEXT) >>> 0;
  }

  #load(word: number): number {
    return Atomics.load(this.#words(), this.#first + word);
  }

  #add(word: number): number {
    return Atomics.add(this.#words(), this.#first + word, 1);
  }
}
