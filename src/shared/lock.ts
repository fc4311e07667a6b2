/**
 * HeapLock: one of the heap's locks, taken from JavaScript.
 *
 * The same word that wasm takes by compare-and-swap (assembly/base/locks.ts): 0 when free, else the owner's P, and bit
 * 31 when a thread may sleep on it. A thread that holds one must not use the heap until it has unlocked it: an
 * operation throws HeapLockError. Order: the host's own lock, then lock 0 (the heap's), then one of the others.
 *
 * The holder of a lock writes its counters, here as in wasm. Cost of lock and unlock without contention: some four
 * atomic operations, and the calls to the memory for its views.
 */
import { callable } from "../base/check.js";
import { HeapLockError, type Holder } from "../base/errors.js";
import { freeLock, LOCK_ACQUIRED, LOCK_CONTENDED, LOCK_OWNER, LOCK_WAITERS, LOCK_WAITS } from "./abi.js";
import type { Host, Ps } from "./procs.js";
import { now, type Words, waitFor, waitForAsync } from "./support.js";

/** Looks at the word before sleeping. */
const SPINS = 100;
/** One sleep, milliseconds: then the holder is looked at again. */
const NAP_MS = 20;
/** Milliseconds of trying in a thread that must not sleep, when no patience is set. */
const SPIN_MS = 1000;

/** How often a lock was taken. */
export interface LockCounters {
  readonly acquisitions: number;
  /** How often another thread held it when it was asked for. */
  readonly contended: number;
  /** How often a thread slept for it. */
  readonly waits: number;
}

/** What a lock needs of its heap. */
export interface LockHost extends Host {
  readonly ps: Ps;
  readonly counters: () => BigUint64Array<ArrayBufferLike>;
  /** Tells wasm how long this thread waits for a lock, milliseconds, 0: forever. */
  readonly setLockWait: (ms: number) => void;
}

export class HeapLock {
  readonly #host: LockHost;
  readonly #address: number;

  /** For SharedHeap.lock. `index` is -1 for the host's own lock. */
  constructor(
    host: LockHost,
    /** 0: the heap lock; else that of mcentral `index`. */
    readonly index: number,
    address: number,
  ) {
    this.#host = host;
    this.#address = address;
  }

  /**
   * Takes the lock if it is free. Takes a P first if this thread has none. Throws HeapLockError when this thread holds
   * a lock already.
   */
  tryLock(): boolean {
    const p = this.#host.ps.pin();
    if (Atomics.compareExchange(this.#words(), this.#at, 0, p) === 0) {
      this.#had();
      return true;
    }
    this.#host.ps.unpin();
    return false;
  }

  /**
   * Takes the lock; sleeps until it is free, or keeps looking on a browser's main thread. Throws HeapLockError with the
   * owner after the heap's `lockWait`, and on a browser's main thread after a second if that is 0.
   */
  lock(): void {
    const { ps, maySleep, waits: limits } = this.#host;
    const p = ps.pin();
    const words = this.#words();
    if (Atomics.compareExchange(words, this.#at, 0, p) === 0) {
      this.#had();
      return;
    }
    const patience = limits.lock > 0 ? limits.lock : maySleep ? Number.POSITIVE_INFINITY : SPIN_MS;
    const began = now();
    let waits = 0;
    for (let looks = 1; ; looks++) {
      const word = Atomics.load(words, this.#at);
      if (word === 0) {
        // Other threads may sleep, too, so a lock that was slept for says so.
        if (Atomics.compareExchange(words, this.#at, 0, waits > 0 ? p | LOCK_WAITERS : p) === 0) break;
        continue;
      }
      if (looks < SPINS) continue;
      const waited = now() - began;
      if (waited >= patience || (word & LOCK_OWNER) === p) {
        ps.unpin();
        throw this.#error(word, waited);
      }
      if (!maySleep) continue;
      if (!this.#mark(words, word)) continue;
      waitFor(words, this.#at, word | LOCK_WAITERS, Math.min(NAP_MS, patience - waited), true);
      waits++;
    }
    this.#had();
    this.#count(LOCK_CONTENDED, 1);
    this.#count(LOCK_WAITS, waits);
  }

  /** lock() that does not block the thread: by Atomics.waitAsync, or by timers where that is missing. */
  async lockAsync(): Promise<void> {
    const patience = this.#host.waits.lock || Number.POSITIVE_INFINITY;
    const began = now();
    let waits = 0;
    for (;;) {
      if (!this.#host.ps.pinned) await this.#host.ps.acquireAsync();
      if (this.tryLock()) break;
      const words = this.#words();
      const word = Atomics.load(words, this.#at);
      if (word === 0) continue;
      if (now() - began >= patience) throw this.#error(word, now() - began);
      if (!this.#mark(words, word)) continue;
      await waitForAsync(words, this.#at, word | LOCK_WAITERS, NAP_MS);
      waits++;
    }
    if (waits === 0) return;
    // Other threads may sleep, too.
    Atomics.or(this.#words(), this.#at, LOCK_WAITERS);
    this.#count(LOCK_CONTENDED, 1);
    this.#count(LOCK_WAITS, waits);
  }

  /**
   * Gives the lock back and wakes a thread that sleeps for it. Throws HeapLockError when this thread does not hold it.
   */
  unlock(): void {
    const words = this.#words();
    const word = Atomics.load(words, this.#at);
    const p = this.#host.shared.currentP();
    if (p === 0 || (word & LOCK_OWNER) !== p) {
      throw new HeapLockError(this.index, this.owner(), "is not held by this thread", "call lock() before unlock()");
    }
    freeLock(words, this.#at);
    this.#host.ps.letGo(this.#at);
  }

  /** Runs `fn` with the lock held. If `fn` detaches the heap, that has given the lock back. */
  with<T>(fn: () => T): T {
    callable(fn, "fn");
    this.lock();
    try {
      return fn();
    } finally {
      if (this.#host.ps.pinned) this.unlock();
    }
  }

  /** Who holds it now; null when it is free. */
  owner(): Holder | null {
    const p = Atomics.load(this.#words(), this.#at) & LOCK_OWNER;
    return p === 0 ? null : this.#host.ps.holder(p);
  }

  counters(): LockCounters {
    const counters = this.#host.counters();
    const read = (offset: number): number => Number(Atomics.load(counters, (this.#address + offset) >>> 3));
    return { acquisitions: read(LOCK_ACQUIRED), contended: read(LOCK_CONTENDED), waits: read(LOCK_WAITS) };
  }

  /** Frees the lock if P `p` holds it, whose thread is dead. True: it did. */
  free(p: number): boolean {
    const words = this.#words();
    for (;;) {
      const word = Atomics.load(words, this.#at);
      if ((word & LOCK_OWNER) !== p) return false;
      if (Atomics.compareExchange(words, this.#at, word, 0) !== word) continue;
      Atomics.notify(words, this.#at);
      return true;
    }
  }

  get #at(): number {
    return this.#address >>> 2;
  }

  /** This thread has the lock now. */
  #had(): void {
    this.#host.ps.hold(this.#at);
    this.#count(LOCK_ACQUIRED, 1);
  }

  #words(): Words {
    return this.#host.words();
  }

  /** Sets the bit for threads that sleep. False when the word has changed meanwhile. */
  #mark(words: Words, word: number): boolean {
    return word < 0 || Atomics.compareExchange(words, this.#at, word, word | LOCK_WAITERS) === word;
  }

  /** For the holder of the lock, the only thread that writes its counters. */
  #count(offset: number, n: number): void {
    const counters = this.#host.counters();
    const at = (this.#address + offset) >>> 3;
    Atomics.store(counters, at, Atomics.load(counters, at) + BigInt(n));
  }

  #error(word: number, waited: number): HeapLockError {
    const why = `was not available for ${Math.round(waited)} ms`;
    return new HeapLockError(this.index, this.#host.ps.holder(word & LOCK_OWNER), why);
  }
}
