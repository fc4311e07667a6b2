/// <reference lib="esnext.disposable" preserve="true" />
/**
 * SharedHeap: one thread's end of a heap that several threads use at once.
 *
 * An instance of the shared host flavour over the memory of all threads; each thread has its own SharedHeap and calls
 * no other. Blocks belong to the heap, not to a thread: any thread may read, write, free or reallocate any block, as
 * long as the program makes sure that no two do so at once. What Heap says holds here too; in addition every operation
 * takes a P when the thread has none (procs.ts) and may throw ProcsBusyError, HeapLockError or AttachError, which
 * change nothing.
 *
 * Where memory cannot be shared it is a heap of one thread with the same methods (solo.ts).
 *
 * Cost beside Heap's: one read of a typed array per operation; some 15 to 50 ns per access to a view (views.ts).
 */
import type { HostExports } from "../base/abi.js";
import { callable, readOptions, within } from "../base/check.js";
import { runAll } from "../base/dispose.js";
import { HeapLockError, OutOfMemoryError, SharedMemoryUnavailableError, UnrepairedHeapError } from "../base/errors.js";
import { STAT_SPECIALS } from "../base/gcabi.js";
import type { HeapType } from "../base/types.js";
import type { MemoryViews } from "../base/views.js";
import { Collector } from "../gc/collector.js";
import type { CollectorOptions } from "../gc/options.js";
import { Heap, type HeapSnapshotOptions, SNAPSHOT_OPTIONS, summary } from "../heap/heap.js";
import { type HeapLimits, readLimits, setOption } from "../heap/options.js";
import { notePlace } from "../heap/place.js";
import { heapOfClaim } from "../snapshot/find.js";
import { HEAP_ZEROBASE } from "../snapshot/layout.js";
import { readSnapshot } from "../snapshot/read.js";
import type { HeapSnapshot } from "../snapshot/snapshot.js";
import { disposedShared, M_LOCK_WAIT, MAX_TOKEN, type SharedExports } from "./abi.js";
import { type CollectorHost, SharedCollector } from "./collector.js";
import { Control } from "./control.js";
import type { SharedCollectorExports } from "./gcabi.js";
import { HeapLock, type LockHost } from "./lock.js";
import {
  CLAIM_FRESH,
  CLAIM_OVER,
  MESSAGE_KIND,
  MESSAGE_VERSION,
  raiseClaim,
  type Settings,
  type SharedHeapMessage,
  threadOf,
} from "./message.js";
import { Ps } from "./procs.js";
import { type DeathReport, recover } from "./recover.js";
import { readPStats, type SharedMemStats } from "./stats.js";
import { canBlock, whyUnshared } from "./support.js";
import { guardAll } from "./trap.js";
import { onEnd, type WorkerLike } from "./watch.js";

/** Milliseconds between tries to repair what a dead thread left, and the number of tries. */
const RETRY_MS = 100;
const RETRIES = 20;
/** Milliseconds that a thread which may have to hear of a death waits for a lock or a P, by default. */
export const PARENT_WAIT_MS = 2000;
/** Milliseconds that a question about the heap waits for a lock or a P, by default. */
const QUESTION_WAIT_MS = 1000;
/** Tries of an operation that gives up each time, while the lock that it waited for is free by then. */
const MAX_TRIES = 3;

/** What create.ts has made ready for a SharedHeap. */
export interface Seat {
  readonly exports: HostExports;
  readonly shared: SharedExports;
  /** The collector's exports; null in a heap of one thread, whose `exports` have them. */
  readonly collector: SharedCollectorExports | null;
  /** For the thread that made the heap. */
  readonly collectorOptions?: CollectorOptions | undefined;
  readonly memory: WebAssembly.Memory;
  /** Null in a heap of one thread. */
  readonly module: WebAssembly.Module | null;
  readonly views: MemoryViews<SharedArrayBuffer>;
  readonly heapBase: number;
  readonly token: number;
  /** Address of the control block. */
  readonly control: number;
  /** The message by which this thread joined; null for the thread that made the heap. */
  readonly message: SharedHeapMessage | null;
  /** Ends the sign that this thread lives. */
  readonly letGo: () => void;
  /** Allows another heap in this one's place, because no thread has this one any more. */
  readonly disown: () => void;
  /** What the messages of this heap pass on. */
  readonly settings: Settings;
  /** In force here. */
  readonly throwOnMisuse: boolean;
  readonly lockWait: number;
  readonly turnWait: number;
}

/**
 * Its arrays lie on a SharedArrayBuffer, as their types say: what takes none, such as TextDecoder in browsers, is given
 * a copy. In a heap of one thread they lie on an ArrayBuffer, under the same types, so that a program that compiles
 * runs in both.
 */
export class SharedHeap extends Heap<SharedArrayBuffer> {
  /** The Ps of the heap, and this thread's. */
  readonly ps: Ps;
  /** This thread's name among the heap's, 1 to 0xffffff; the thread that made the heap has 1. */
  readonly token: number;
  readonly #seat: Seat;
  readonly #control: Control;
  readonly #host: LockHost;
  readonly #hostLock: HeapLock;
  /** How many specials the heap's objects have. */
  readonly #specials: () => number;
  readonly #watches = new Set<() => void>();
  /** Dead threads whose Ps could not be recovered yet. */
  readonly #unrepaired = new Set<number>();
  /** The gate of this thread; null in a heap of one thread. */
  readonly #gate: SharedCollector | null;
  #shared: SharedExports;
  #limits: HeapLimits;

  /** For createSharedHeap and attachHeap, which see that everything belongs together. */
  constructor(seat: Seat) {
    const trapped = (error: WebAssembly.RuntimeError) => this.#trapped(error);
    const { mallocgc, tryFree, releaseAll } = seat.exports;
    const sure = guardAll({ mallocgc, tryFree, releaseAll }, trapped);
    // If the heap lock is the reason for having no figures, the error says so.
    const memstats = () => seat.exports.memstats() || this.#again(seat.exports.memstats);
    const gate =
      seat.collector === null
        ? null
        : new SharedCollector(guardAll(seat.collector, trapped), () => this.#collectorHost());
    const collector = gate === null ? seat.exports.collector : gate.exports;
    super(
      { ...seat.exports, ...sure, memstats, collector, threads: gate },
      seat.memory,
      seat.throwOnMisuse,
      seat.views,
      seat.collectorOptions,
    );
    const { shared, views, token } = seat;
    const words = () => views.current.i32;
    this.#seat = seat;
    this.#shared = shared;
    notePlace(this, () => this.#place());
    this.#gate = gate;
    this.#limits = seat.settings;
    this.#control = new Control(seat.control, words);
    this.token = token;
    const maySleep = seat.module !== null && canBlock();
    const waits = { lock: seat.lockWait, turn: seat.turnWait };
    const blame = (p: number, why: string) => this.#blame(p, why);
    const host = { shared, control: this.#control, token, words, maySleep, waits, blame };
    this.ps = new Ps(host);
    this.#specials = () => seat.collector?.gcStat(STAT_SPECIALS) ?? 0;
    const setLockWait = (ms: number): void => {
      // A heap of one thread waits for no locks, and has no such option.
      if (this.shared) setOption(seat.exports, M_LOCK_WAIT, ms);
    };
    this.#host = { ...host, ps: this.ps, counters: () => views.current.u64, setLockWait };
    this.#hostLock = new HeapLock(this.#host, -1, seat.control);
    // Its settings are in force from now on.
    if (seat.collectorOptions !== undefined) void this.collector;
  }

  #collectorHost(): CollectorHost {
    const { words, blame } = this.#host;
    return { ps: this.ps, words, blame, lastStuck: () => this.#shared.lastStuck() >>> 0 };
  }

  // Allocation: as Heap's, with a P, and an error that names a lock which was not available

  override tryMalloc(size: number): number {
    this.ps.check();
    return super.tryMalloc(size) || this.#again(() => super.tryMalloc(size));
  }

  override tryCalloc(count: number, size: number): number {
    this.ps.check();
    return super.tryCalloc(count, size) || this.#again(() => super.tryCalloc(count, size));
  }

  override tryAlignedAlloc(alignment: number, size: number): number {
    this.ps.check();
    return super.tryAlignedAlloc(alignment, size) || this.#again(() => super.tryAlignedAlloc(alignment, size));
  }

  override realloc(ptr: number, size: number): number {
    this.ps.check();
    return this.#persist(() => super.realloc(ptr, size));
  }

  override tryRealloc(ptr: number, size: number): number {
    this.ps.check();
    return super.tryRealloc(ptr, size) || this.#again(() => super.tryRealloc(ptr, size));
  }

  override mallocgc(size: number, type: HeapType | null, needzero: boolean): number {
    this.ps.check();
    return this.#persist(() => super.mallocgc(size, type, needzero));
  }

  /** As Heap.free. Waits for nobody: it needs neither a P nor a lock. */
  override free(ptr: number): void {
    this.ps.look();
    super.free(ptr);
  }

  // Questions

  override usableSize(ptr: number): number {
    this.ps.look();
    return super.usableSize(ptr);
  }

  override objectBase(ptr: number): number {
    this.ps.look();
    return super.objectBase(ptr);
  }

  /**
   * The heap's statistics over all Ps, with the counters of each P and of each lock. What other threads do meanwhile
   * may or may not be counted. Each wait ends after a second, or after `lockWait` and `turnWait` if they are set, with
   * HeapLockError or ProcsBusyError. Throws InvariantError when the heap's records are damaged.
   */
  override stats(): SharedMemStats {
    const base = this.#bounded(() => {
      this.ps.check();
      return this.#hostLock.with(() => super.stats());
    });
    const shared = this.#shared;
    const locks = Array.from({ length: shared.lockCount() }, (_, index) => ({
      index,
      ...this.#lockAt(index).counters(),
    }));
    return {
      ...base,
      locks: locks.filter(({ index, acquisitions }) => index === 0 || acquisitions > 0),
      ps: this.ps.list().map((holder) => readPStats(shared, holder)),
    };
  }

  /**
   * As Heap.snapshot. Needs no P and waits for nobody: what other threads do meanwhile may or may not be in it, and a
   * record that one of them is just writing is left out and counted in `skipped`.
   */
  override snapshot(options: HeapSnapshotOptions = {}): HeapSnapshot {
    const given = readOptions(options, SNAPSHOT_OPTIONS, "snapshot");
    this.ps.look();
    return readSnapshot(this.memory, { ...given, heap: this.#place() });
  }

  /** Address of the heap's record. */
  #place(): number {
    const claim = this.#shared.claimAddress() >>> 0;
    return claim === 0 ? this.mallocgc(0, null, false) - HEAP_ZEROBASE : heapOfClaim(this.memory, claim);
  }

  override toString(): string {
    return summary("SharedHeap", this);
  }

  /**
   * As Heap.validate. The program must make sure that no other thread is inside the allocator meanwhile. Needs no P and
   * waits for nobody.
   */
  override validate(options: { deep?: boolean | undefined } = {}): void {
    this.ps.look();
    super.validate(options);
  }

  // Policy

  /**
   * As Heap.setLimits, for this thread and for those that attach by messages made here from now on: the thread that is
   * about to grow the memory checks its own limits.
   */
  override setLimits(limits: HeapLimits): void {
    const checked = readLimits(limits);
    super.setLimits(checked);
    this.#limits = { ...this.#limits, ...checked };
  }

  /** As Heap.reclaim, for what this thread's P holds. Throws HeapLockError. */
  override reclaim(): number {
    this.ps.check();
    return super.reclaim() || this.#again(() => super.reclaim());
  }

  /** As Heap.releaseAll, for what this thread's P caches; see ps.flush for idle ones. Throws HeapLockError. */
  override releaseAll(): void {
    let tries = 0;
    do {
      this.ps.check();
      super.releaseAll();
    } while (this.#gaveUp(++tries));
  }

  // Threads

  /** True when other threads can attach. */
  get shared(): boolean {
    return this.#seat.module !== null;
  }

  /**
   * A message for one other thread, to be posted as it is; attachHeap takes it there. From now on this thread's waits
   * are bounded, unless an option says otherwise, because it may have to hear of the other's death. Throws
   * SharedMemoryUnavailableError where memory cannot be shared; the message says what is missing.
   */
  share(): SharedHeapMessage {
    const { module, heapBase, control, settings } = this.#seat;
    const memory = this.memory;
    if (module === null) {
      throw new SharedMemoryUnavailableError(
        `this heap is for one thread: ${whyUnshared() ?? "it was made with the option shared: false"}`,
      );
    }
    this.#mayHear();
    const token = this.#control.newToken();
    const claim = new SharedArrayBuffer(4);
    Atomics.store(new Int32Array(claim), 0, CLAIM_FRESH);
    return {
      kind: MESSAGE_KIND,
      version: MESSAGE_VERSION,
      memory,
      module,
      heapBase,
      control,
      token,
      claim,
      lockName: `gomalloc:${Math.random().toString(36).slice(2)}:${token}`,
      procs: this.ps.limit,
      options: { ...settings, ...this.#limits },
    };
  }

  /**
   * Call before code in this thread that gomalloc does not see, such as another instance over the memory, works on a
   * block from another thread: from then on its memory.fill, memory.copy and atomics reach all of the heap. Without,
   * they may trap in Node and Chromium when the other thread has grown the memory. This heap's own methods and views need
   * no call. Some 20 ns when there is nothing to do.
   */
  sync(): void {
    this.#shared.gomalloc_sync();
    void this.#seat.views.current;
  }

  /** ps.release(): gives this thread's P up until its next operation. */
  release(): void {
    this.ps.release();
  }

  /**
   * Leaves the heap: gives back the locks that this thread holds, the gate when it is called inside `collector.inside`,
   * and the P. The heap lives on in the other threads. The same as dispose.
   */
  detach(): void {
    this.dispose();
  }

  override dispose(): void {
    if (this.#shared !== this.#seat.shared) return;
    const watches = [...this.#watches];
    this.#watches.clear();
    this.#gate?.leaveAll();
    if (this.#specials() > 0) Collector.leave(this.collector);
    this.ps.close();
    if (this.ps.list().every(({ state }) => state === "idle")) this.#seat.disown();
    this.#shared = disposedShared();
    const { message } = this.#seat;
    if (message !== null) raiseClaim(message.claim, CLAIM_OVER);
    this.#seat.letGo();
    // The workers' own code, which may throw, comes last.
    runAll([() => super.dispose(), ...watches]);
  }

  /** Lock `index` of the heap: 0 is the heap lock, 1 and more those of the mcentrals. Throws RangeError. */
  lock(index = 0): HeapLock {
    return this.#lockAt(within(index, 0, this.#shared.lockCount() - 1, "index"));
  }

  // Death

  /**
   * Waits for the end of the worker that was given `message`, and then recovers what it had. `onDeath` gets the report;
   * without it, what cannot be repaired is an uncaught UnrepairedHeapError. Returns a function that ends the watch.
   *
   * It hears of the end of a Node or Bun worker, and in browsers, by a Web Lock, of a worker whose attachHeapAsync has
   * resolved, or which has been in its event loop since attachHeap. A browser's "error" event is not the end of a
   * worker. Where nothing reports the end, call reap() after terminate().
   */
  watch(worker: WorkerLike, message: SharedHeapMessage, onDeath?: (report: DeathReport) => void): () => void {
    const thread = threadOf(message);
    if (onDeath !== undefined) callable(onDeath, "onDeath");
    // Nothing of a heap that is gone.
    this.#shared.procs();
    this.#mayHear();
    const tell = (report: DeathReport): void => {
      if (onDeath !== undefined) onDeath(report);
      else if (report.left !== null) throw new UnrepairedHeapError(report.left);
    };
    let heard = false;
    let stop = (): void => undefined;
    const end = (): void => {
      this.#watches.delete(end);
      stop();
    };
    const tryTo = (tries: number): void => {
      const report = this.#reap(thread.token, thread.claim);
      if (report.ok || tries >= RETRIES) {
        this.#watches.delete(end);
        tell(report);
        return;
      }
      // The holder of the heap lock may be dead, too, and that not yet known.
      const timer = setTimeout(() => tryTo(tries + 1), RETRY_MS);
      stop = () => clearTimeout(timer);
    };
    this.#watches.add(end);
    try {
      const off = onEnd(worker, thread, () => {
        heard = true;
        if (this.#watches.has(end)) tryTo(1);
      });
      if (!heard) stop = off;
    } catch (error) {
      end();
      throw error;
    }
    // The worker's own code has disposed of the heap.
    if (!this.#watches.has(end)) stop();
    return end;
  }

  /**
   * Recovers what a dead thread had, named by its token or its message. The thread must be dead: recovering the P of a
   * living one breaks the heap. It needs no P, and nothing that the dead thread held. A report that is not `ok` says
   * that a lock was not available, because its holder lives, or is dead and not yet reaped: call again later. Dead
   * threads that could not be recovered before are tried again, too. Throws RangeError for this thread's own token.
   */
  reap(dead: number | SharedHeapMessage): DeathReport {
    const { token, claim } = typeof dead === "object" ? threadOf(dead) : { token: dead, claim: null };
    return this.#reap(within(token, 1, MAX_TOKEN, "token"), claim);
  }

  #reap(token: number, claim: SharedArrayBuffer | null): DeathReport {
    if (token === this.token)
      throw new RangeError("this thread is not dead: pass the token or the message of another thread");
    // Nothing of a heap that is gone.
    this.#shared.procs();
    if (claim !== null) raiseClaim(claim, CLAIM_OVER);
    const report = this.#recover(token);
    if (report.ok) for (const other of this.#unrepaired) this.#recover(other);
    return report;
  }

  /** The same as reap(). */
  workerDied(dead: number | SharedHeapMessage): DeathReport {
    return this.reap(dead);
  }

  #recover(token: number): DeathReport {
    const report = recover(this.#host, this.#hostLock, token);
    if (report.ok) this.#unrepaired.delete(token);
    else this.#unrepaired.add(token);
    if (this.#specials() > 0) Collector.threadGone(this.collector, token);
    return report;
  }

  #lockAt(index: number): HeapLock {
    return new HeapLock(this.#host, index, this.#shared.lockAddress(index) >>> 0);
  }

  /** The error for having waited in vain for P `p`: it names the lock that this P holds. */
  #blame(p: number, why: string): HeapLockError {
    const count = this.#shared.lockCount();
    for (let index = 0; index < count; index++) {
      const owner = this.#lockAt(index).owner();
      if (owner?.p === p) return new HeapLockError(index, owner, why);
    }
    // It was inside its gate, or had the world stopped.
    return new HeapLockError(-1, this.ps.holder(p), why);
  }

  /** Undoes a call that has trapped. The error for its caller. */
  #trapped(error: WebAssembly.RuntimeError): Error {
    if (!this.shared) return error;
    const p = this.#shared.lastStuck() >>> 0;
    const why = p === 0 ? error : this.#blame(p, `was not available for ${this.#host.waits.lock} ms`);
    this.#gate?.forget();
    this.ps.abandon(p !== 0);
    return why;
  }

  /** Runs `fn` with all its waits bounded: in a damaged heap a lock may never be given back. */
  #bounded<T>(fn: () => T): T {
    const { waits } = this.#host;
    const { lock, turn } = waits;
    const set = (lock: number, turn: number): void => {
      waits.lock = lock;
      waits.turn = turn;
      this.#host.setLockWait(lock);
    };
    set(lock || QUESTION_WAIT_MS, turn || QUESTION_WAIT_MS);
    try {
      return fn();
    } finally {
      set(lock, turn);
    }
  }

  /** Bounds waits that have no bound by default, because what ends them may have to come through this event loop. */
  #mayHear(): void {
    const { settings } = this.#seat;
    const { waits } = this.#host;
    if (settings.lockWait === undefined && waits.lock === 0) {
      waits.lock = PARENT_WAIT_MS;
      this.#host.setLockWait(waits.lock);
    }
    if (settings.turnWait === undefined && waits.turn === 0) waits.turn = PARENT_WAIT_MS;
  }

  /**
   * After the `tries`-th failure of an operation: false when the reason was not a lock, true when the lock may be free
   * by now, so another try makes sense. Throws HeapLockError when the lock is still held, or after several tries.
   */
  #gaveUp(tries: number): boolean {
    const p = this.#shared.lastStuck() >>> 0;
    if (p === 0) return false;
    const error = this.#blame(p, `was not available for ${this.#host.waits.lock} ms`);
    if (error.lock >= 0 || tries >= MAX_TRIES) throw error;
    return true;
  }

  /** Repeats `op`, which has given 0, as long as the reason is a lock. */
  #again(op: () => number): number {
    for (let tries = 1; this.#gaveUp(tries); tries++) {
      const result = op();
      if (result !== 0) return result;
    }
    return 0;
  }

  /** Repeats `op` as long as a lock is the reason for its OutOfMemoryError. */
  #persist<T>(op: () => T): T {
    for (let tries = 1; ; tries++) {
      try {
        return op();
      } catch (error) {
        if (!(error instanceof OutOfMemoryError) || !this.#gaveUp(tries)) throw error;
      }
    }
  }
}
