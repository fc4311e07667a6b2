/**
 * Ps: what a thread must hold to allocate, and how the threads of one heap share them.
 *
 * A thread takes a P at its first operation and keeps it. Ps are made on demand: with the default limit of 255 every
 * thread has its own, and nothing below is ever needed. With a lower limit (the option `procs`) threads take turns. A
 * thread without a P waits, in the control block's list, which tells the others. A holder that is idle in its event
 * loop gives its P up as soon as it hears of that. One that computes is asked after a tick of 10 ms (its state becomes
 * P_STOPPING) and gives its P up at its next operation. One that has lent its P while it waits for something else
 * (P_BLOCKED) loses it without being asked.
 *
 * Why turns are kept: a P costs 24 KiB and the spans that it fills. 32 threads that share 4 Ps take 0.4 of the memory
 * that they take with a P each, and no more time (figures in docs/shared-protocol.md).
 *
 * A holder may also be dead, and perhaps only the event loop of the waiting thread can bring the news. So nobody waits
 * for Ps that do not move: when none has become free for STALL_MS, the thread makes one beyond the limit. Frees and
 * questions about blocks need no P at all (`look`), nor does the recovery of a dead thread's P.
 *
 * One object per attached heap, for the heap's own thread alone. Invariant: `word[index] === running` exactly while
 * this thread has its P, nobody wants it back, and this thread holds no lock through the host. An operation checks only
 * this: one read of a typed array. Cost of the rest: a call of wasm and a walk of at most 255 state words.
 */
import { callable, within } from "../base/check.js";
import {
  AttachError,
  HeapDisposedError,
  HeapLockError,
  type Holder,
  OutOfMemoryError,
  ProcsBusyError,
} from "../base/errors.js";
import {
  disposedShared,
  freeLock,
  LOCK_OWNER,
  MAX_PS,
  P_BLOCKED,
  P_IDLE,
  P_RUNNING,
  P_STOPPING,
  type SharedExports,
  stateOf,
  stateWord,
  tokenOf,
} from "./abi.js";
import type { Control } from "./control.js";
import { Monitor, type MonitorOptions } from "./monitor.js";
import { every, nativeWaitAsync, now, type Words } from "./support.js";

/** Milliseconds that a holder is left alone before it is asked for its P. */
const TICK_MS = 10;
/** Milliseconds in which no P has become free, after which a thread that sleeps for one makes another. */
const STALL_MS = 200;
/** Milliseconds between looks for waiting threads where Atomics.waitAsync is missing. */
const LISTEN_MS = 20;
/** Bytes of a P's record: what OutOfMemoryError names when there is no memory for one. */
const P_BYTES = 24576;
/** Never in a state word: there is no state 255. */
const NEVER = -1;

/** What Ps and locks need of the heap that they belong to. */
export interface Host {
  readonly shared: SharedExports;
  readonly control: Control;
  /** This thread's name among the heap's threads, 1 to 0xffffff. */
  readonly token: number;
  /** The memory as it is now. */
  readonly words: () => Words;
  /** Whether this thread may sleep. */
  readonly maySleep: boolean;
  readonly waits: Waits;
  /** The error of an operation that gave up waiting for P `p`; `why` follows the name of what that P holds. */
  readonly blame: (p: number, why: string) => HeapLockError;
}

/** Milliseconds that a synchronous call of this thread waits, 0: forever. */
export interface Waits {
  /** For a lock, or for the world to go on. */
  lock: number;
  /** For a P. */
  turn: number;
}

export class Ps {
  // Read by every operation of the heap; see `check`.
  #word: Words = new Int32Array(1);
  #index = 0;
  #running = NEVER;

  readonly #host: Host;
  #shared: SharedExports;
  /** Index of the state word of P 0, which is none. */
  readonly #states: number;
  /** Locks that this thread holds through the host, or is about to take. */
  #pins = 0;
  /** Word indices of those that it holds. */
  readonly #held = new Set<number>();
  #blocked = false;
  /** This thread gave its P up because others wait: they come first. */
  #yielded = false;
  #turns = 0;
  #stopListening: (() => void) | null = null;
  readonly #monitors = new Set<Monitor>();
  #closed = false;
  /** This thread was reported dead, and its P recovered. */
  #lost = false;

  /** For SharedHeap, whose `ps` it is. */
  constructor(host: Host) {
    this.#host = host;
    this.#shared = host.shared;
    this.#states = (host.shared.stateAddress(1) >>> 2) - 1;
    host.shared.setToken(host.token);
    // The thread that made the heap has one.
    if (host.shared.currentP() !== 0) this.#bind();
  }

  // What users call

  /** The Ps that exist, as they are at the time of the call. */
  list(): Holder[] {
    const words = this.#host.words();
    const list: Holder[] = [];
    for (let p = 1; p <= MAX_PS; p++) {
      const word = Atomics.load(words, this.#states + p);
      if (word !== 0) list.push({ p, token: tokenOf(word), state: stateOf(word) });
    }
    return list;
  }

  /** Id of this thread's P, 0: none. */
  get current(): number {
    return this.#running === NEVER && this.#pins === 0 ? 0 : this.#shared.currentP();
  }

  /** How many Ps may be made, 1 to 255, for all threads. Ps beyond a lower limit stay. */
  get limit(): number {
    return this.#shared.procs();
  }

  set limit(procs: number) {
    this.#shared.setProcs(within(procs, 1, MAX_PS, "procs"));
    this.#host.control.free();
  }

  /**
   * Takes a P if this thread has none, and waits for one if all are taken; when none becomes free, makes one beyond the
   * limit. The P's id. Heap operations do this by themselves. Throws OutOfMemoryError, HeapLockError, and
   * ProcsBusyError when `turnWait` is over before that, or 255 are taken.
   */
  acquire(): number {
    this.check();
    return this.#shared.currentP();
  }

  /** acquire() without blocking the thread: it waits as long as it takes, and makes no P beyond the limit. */
  async acquireAsync(): Promise<number> {
    if (!this.#ready()) await this.#waitAsync();
    return this.#shared.currentP();
  }

  /**
   * Gives this thread's P up, with what it caches, for others to take; the next operation takes one again. Call it
   * before long work without the heap. Throws HeapLockError while this thread holds a HeapLock.
   */
  release(): void {
    if (this.#closed) return;
    if (this.#pins > 0) throw this.#holding("which cannot give up its P meanwhile");
    this.#drop();
  }

  /**
   * Runs `fn`, which waits for something without using the heap, and lends this thread's P to others meanwhile. If one
   * takes it, this thread takes another at its next operation.
   */
  block<T>(fn: () => T): T {
    callable(fn, "fn");
    const lent = this.#lend();
    try {
      return fn();
    } finally {
      if (lent) this.#takeBack();
    }
  }

  /** block() for a promise. */
  async blockAsync<T>(fn: () => PromiseLike<T> | T): Promise<T> {
    callable(fn, "fn");
    const lent = this.#lend();
    try {
      return await fn();
    } finally {
      if (lent) this.#takeBack();
    }
  }

  /** Takes a P, runs `fn`, gives the P up. Turns within turns are one. Throws as acquire() does. */
  turn<T>(fn: () => T): T {
    callable(fn, "fn");
    this.acquire();
    this.#turns++;
    try {
      return fn();
    } finally {
      if (--this.#turns === 0 && this.#pins === 0) this.release();
    }
  }

  /** turn() that awaits its P and what `fn` returns. */
  async turnAsync<T>(fn: () => PromiseLike<T> | T): Promise<T> {
    callable(fn, "fn");
    // Counted from here on, so that the P is not given away between being taken and being used.
    this.#turns++;
    try {
      await this.acquireAsync();
      return await fn();
    } finally {
      if (--this.#turns === 0 && this.#pins === 0) this.release();
    }
  }

  /** Makes an idle P give back what it caches. False when it is not idle. Throws HeapLockError. Needs no P. */
  flush(p: number): boolean {
    within(p, 1, MAX_PS, "p");
    this.look();
    this.#shared.lastStuck();
    if (this.#shared.flushP(p) === 1) return true;
    const stuck = this.#shared.lastStuck();
    if (stuck !== 0) throw this.#host.blame(stuck, "was not available to flush a P");
    return false;
  }

  /** Starts a timer that flushes Ps which stay idle; see MonitorOptions. */
  monitor(options: MonitorOptions = {}): Monitor {
    this.#alive();
    const monitor = new Monitor(this, options, () => this.#monitors.delete(monitor));
    this.#monitors.add(monitor);
    return monitor;
  }

  /**
   * Asks the holder of one P to give it up, each time another one. False when there is none to ask. A thread that waits
   * for a P does this by itself after a tick.
   */
  requestStop(): boolean {
    const words = this.#host.words();
    const first = this.#host.control.next();
    for (let i = 0; i < MAX_PS; i++) {
      const at = this.#states + 1 + ((first + i) % MAX_PS);
      const word = Atomics.load(words, at);
      const token = tokenOf(word);
      // A thread without a token is a C program's, which cannot be asked.
      if ((word & 0xff) !== P_RUNNING || token === 0 || token === this.#host.token) continue;
      if (Atomics.compareExchange(words, at, word, stateWord(token, P_STOPPING)) === word) return true;
    }
    return false;
  }

  // What SharedHeap and HeapLock call

  /** Before every operation: makes sure that this thread has a P, if need be by waiting for its turn. */
  check(): void {
    if (this.#word[this.#index] !== this.#running) this.#enter();
  }

  /**
   * Before an operation that needs no P but may use this thread's: gives it up if others wait for it. The operation
   * works without one, and never waits.
   */
  look(): void {
    if (this.#word[this.#index] !== this.#running) this.#ready();
  }

  /** True while this thread holds a lock through the host. */
  get pinned(): boolean {
    return this.#pins > 0;
  }

  /** What the state word of P `p` says. */
  holder(p: number): Holder {
    const word = p >= 1 && p <= MAX_PS ? Atomics.load(this.#host.words(), this.#states + p) : 0;
    return { p, token: tokenOf(word), state: stateOf(word) };
  }

  /** check(); then the P stays with this thread until unpin(), and the thread can do nothing else. The P's id. */
  pin(): number {
    if (this.#pins === 0) this.check();
    this.#pins++;
    this.#running = NEVER;
    return this.#shared.currentP();
  }

  unpin(): void {
    if (--this.#pins === 0 && !this.#closed) this.#bind();
  }

  /** For a pinned thread that has taken the lock whose word is at `index`. */
  hold(index: number): void {
    this.#held.add(index);
  }

  /** For a pinned thread that has given that lock back. */
  letGo(index: number): void {
    this.#held.delete(index);
    this.unpin();
  }

  /** Takes a P if one is free. True when this thread has one. */
  tryAcquire(): boolean {
    return this.#ready() || this.#take();
  }

  /**
   * After a trap in the middle of a call: undoes what the call was doing as if the thread had died there, at once or,
   * if it was stuck, by the next recovery of a dead thread.
   */
  abandon(stuck: boolean): void {
    const p = this.#shared.currentP();
    if (p === 0) return;
    this.#running = NEVER;
    this.#pins = 0;
    this.#held.clear();
    this.#shared.abandonP();
    if (!stuck) this.#shared.recoverP(p);
    this.#shared.lastStuck();
    this.#host.control.free();
  }

  /** Gives the P up for good, and before it the locks that this thread holds. */
  close(): void {
    if (this.#closed) return;
    for (const monitor of this.#monitors) monitor.stop();
    this.#stopListening?.();
    const words = this.#host.words();
    const p = this.#shared.currentP();
    // The P of a thread that was reported dead may belong to another thread by now, and so may the locks.
    const own = p !== 0 && tokenOf(Atomics.load(words, this.#states + p)) === this.#host.token;
    for (const index of this.#held) {
      if (own && (Atomics.load(words, index) & LOCK_OWNER) === p) freeLock(words, index);
    }
    this.#held.clear();
    this.#pins = 0;
    this.#drop();
    this.#closed = true;
    this.#shared = disposedShared();
  }

  // The rest

  #alive(): void {
    if (this.#closed) throw new HeapDisposedError();
  }

  #holding(meanwhile: string): HeapLockError {
    return new HeapLockError(-1, null, `is held by this thread, ${meanwhile}`, "call unlock() first");
  }

  /** The slow half of check(). */
  #enter(): void {
    if (!this.#ready()) this.#wait();
  }

  /** True when this thread has a P that it may go on with. */
  #ready(): boolean {
    this.#alive();
    if (this.#pins > 0) throw this.#holding("which cannot use the heap meanwhile");
    if (this.#lost) {
      throw new AttachError("this thread was reported dead and its P recovered; attach again with a new message");
    }
    if (this.#blocked) {
      this.#blocked = false;
      if (this.#shared.unblockP() === 1) return this.#bind();
      return false;
    }
    const id = this.#shared.currentP();
    if (id === 0) return false;
    const words = this.#host.words();
    const word = Atomics.load(words, this.#states + id);
    const running = stateWord(this.#host.token, P_RUNNING);
    if (word === running) return this.#bind();
    const stopping = stateWord(this.#host.token, P_STOPPING);
    if (word === stopping) {
      // The threads that asked may have got one meanwhile.
      if (this.#host.control.waiters() === 0) {
        if (Atomics.compareExchange(words, this.#states + id, stopping, running) === stopping) return this.#bind();
      }
      this.#drop();
      this.#yielded = true;
      return false;
    }
    this.#lost = true;
    this.#drop();
    return this.#ready();
  }

  /** Remembers the state word that check() compares. */
  #bind(): boolean {
    const id = this.#shared.currentP();
    this.#word = this.#host.words();
    this.#index = this.#states + id;
    this.#running = stateWord(this.#host.token, P_RUNNING);
    this.#listen();
    return true;
  }

  /** Gives up this thread's P, if it has one, and wakes a thread that waits. */
  #drop(): void {
    if (this.#closed) return;
    this.#running = NEVER;
    // A lent P that nobody has taken is P_IDLE after this, too; one that was taken stays taken.
    this.#blocked = false;
    if (this.#shared.currentP() === 0) return;
    this.#shared.releaseP();
    this.#host.control.free();
  }

  #lend(): boolean {
    this.#alive();
    if (this.#pins > 0) throw this.#holding("which cannot lend its P meanwhile");
    if (this.#running === NEVER || this.#blocked) return false;
    this.#running = NEVER;
    if (this.#shared.blockP() === 1) {
      this.#blocked = true;
      this.#host.control.free();
      return true;
    }
    // It was asked to stop, so give it up.
    this.#drop();
    return false;
  }

  #takeBack(): void {
    // An operation in between has taken it back.
    if (!this.#blocked || this.#closed) return;
    this.#blocked = false;
    if (this.#shared.unblockP() === 1) this.#bind();
  }

  /** One try to take a P. Throws when it failed for another reason than that all are taken. */
  #take(beyond = false): boolean {
    this.#alive();
    const { token, blame } = this.#host;
    this.#shared.lastStuck();
    if ((beyond ? this.#shared.acquireBeyond(token) : this.#shared.acquireP(token)) !== 0) {
      this.#yielded = false;
      return this.#bind();
    }
    const stuck = this.#shared.lastStuck();
    if (stuck !== 0) throw blame(stuck, "was not available to make a P");
    const exist = this.list().length;
    if (exist === 0 || (beyond && exist < MAX_PS)) throw new OutOfMemoryError(P_BYTES);
    return false;
  }

  #wait(): void {
    const { control, token, maySleep, waits } = this.#host;
    const began = now();
    if (this.#yielded && control.waiters() > 0) control.waitForTake(control.takes(), maySleep ? TICK_MS : 1, maySleep);
    this.#yielded = false;
    if (this.#take()) return;
    const entry = control.join(token);
    try {
      let asked = began;
      let moved = began;
      for (let last = control.turns(); ; ) {
        const seen = control.turns();
        if (this.#take()) return;
        const time = now();
        if (waits.turn > 0 && time - began >= waits.turn) throw new ProcsBusyError(this.list(), time - began);
        if (seen !== last) moved = time;
        last = seen;
        if (time - moved >= STALL_MS) {
          if (this.#take(true)) return;
          moved = time;
        }
        if (time - asked >= TICK_MS) {
          asked = time;
          this.requestStop();
        }
        const left = waits.turn > 0 ? began + waits.turn - time : TICK_MS;
        control.waitForTurn(seen, Math.min(TICK_MS, left), maySleep);
      }
    } finally {
      control.leave(entry);
    }
  }

  async #waitAsync(): Promise<void> {
    const { control, token } = this.#host;
    if (this.#yielded && control.waiters() > 0) await control.waitForTakeAsync(control.takes(), TICK_MS);
    this.#yielded = false;
    if (this.tryAcquire()) return;
    const entry = control.join(token);
    try {
      for (let asked = now(); ; ) {
        const seen = control.turns();
        // A call in between may have taken one.
        if (this.tryAcquire()) return;
        if (now() - asked >= TICK_MS) {
          asked = now();
          this.requestStop();
        }
        await control.waitForTurnAsync(seen, TICK_MS);
      }
    } finally {
      control.leave(entry);
    }
  }

  /** From the first P on: listens, whenever this thread has nothing else to do, for threads that wait for one. */
  #listen(): void {
    if (this.#stopListening !== null) return;
    const waitAsync = nativeWaitAsync();
    const { control } = this.#host;
    const { buffer } = this.#host.words();
    // A heap of one thread has no others to listen to.
    if (buffer instanceof ArrayBuffer) {
      this.#stopListening = () => {};
      return;
    }
    if (waitAsync === undefined) {
      this.#stopListening = every(LISTEN_MS, () => this.#giveWay());
      return;
    }
    this.#stopListening = () => control.wakeListeners();
    const listen = async (): Promise<void> => {
      // Not in the middle of the operation that took the P.
      await null;
      while (!this.#closed) {
        const { words, index, value } = control.wanted();
        this.#giveWay();
        await waitAsync(words, index, value).value;
      }
    };
    void listen();
  }

  /** Between two turns of the event loop: gives the P up when more threads wait than there are Ps to take. */
  #giveWay(): void {
    if (this.#closed || this.#running === NEVER || this.#pins > 0 || this.#turns > 0) return;
    const waiters = this.#host.control.waiters();
    if (waiters === 0) return;
    const words = this.#host.words();
    let free = 0;
    for (let p = 1; p <= MAX_PS; p++) {
      const state = Atomics.load(words, this.#states + p) & 0xff;
      if (state === P_IDLE || state === P_BLOCKED) free++;
    }
    if (waiters <= free) return;
    this.#drop();
    this.#yielded = true;
  }
}
