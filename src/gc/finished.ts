/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Finished objects: the callbacks of cleanups and finalizers, and when they are called.
 *
 * The heap keeps a numbered record for each, and puts it into a queue when a sweep finds the object dead. The callback
 * is found here by the number. Callbacks run in a task of their own, one after another, in the order in which the sweep
 * has found the objects: soon after a call that has swept, and else when this thread next looks, LOOK_MS at most while
 * it has any. The timer keeps no process alive.
 *
 * Law: a callback runs at most once, in the thread that registered it. The record is gone before the callback runs, so
 * that one that throws, or collects, is not called again. What a callback throws is an error of that task, and the
 * others run all the same.
 *
 * Owner: one thread. Cost: one wasm call and a Map entry each; a heap without callbacks has no timer.
 */
import { DISPOSE, runAll } from "../base/dispose.js";
import { AttachError, FinalizerError, HeapLockError, OutOfMemoryError } from "../base/errors.js";
import { HAS_FINALIZER, SPECIAL_CLEANUP, SPECIAL_FINALIZER, STAT_FINISHED } from "../base/gcabi.js";
import { cancel, later } from "../base/timer.js";
import type { Core } from "./core.js";
import type { Handle, Handles } from "./handle.js";
import type { GCType } from "./types.js";

/** Bytes of a record in the heap. */
const SPECIAL_BYTES = 16;
/** Longest time between an object's sweep and the look at the queue, milliseconds. */
const LOOK_MS = 200;
/** What dropFinished takes for the calling thread. */
const OWN = 0;

/** What to call when the object at or around `ptr` is dead. */
type Entry =
  | { readonly ptr: number; readonly run: () => void }
  | { readonly ptr: number; readonly type: GCType<string> | null; readonly finalize: (object: Handle<string>) => void };

/** A callback for the end of an object, until it has run or was stopped. Made by Collector.onCollect. */
export class Cleanup implements Disposable {
  #stop: (() => boolean) | null;

  /** For Finished. */
  constructor(stop: () => boolean) {
    this.#stop = stop;
  }

  /**
   * The callback will not be called. False: it was called, was stopped before, or is about to be called because the
   * object was found dead. For the thread that made it. Throws HeapLockError on a shared heap: then nothing has changed.
   */
  stop(): boolean {
    const stopped = this.#stop?.() ?? false;
    this.#stop = null;
    return stopped;
  }

  [DISPOSE](): void {
    this.stop();
  }
}

export class Finished {
  readonly #core: Core;
  readonly #handles: Handles;
  readonly #entries = new Map<number, Entry>();
  /** Numbers of the finalizers, by their objects. */
  readonly #finalizers = new Map<number, number>();
  /** Tokens of dead threads whose callbacks are not forgotten yet. */
  readonly #gone: number[] = [];
  /** Objects that `root` has made roots. */
  #roots = 0;
  #soon: unknown = null;
  #timer: unknown = null;

  constructor(core: Core, handles: Handles) {
    this.#core = core;
    this.#handles = handles;
  }

  /** Calls `callback` once the object that `ptr` points to or into is dead. Throws NotAnObjectError, OutOfMemoryError. */
  addCleanup(ptr: number, callback: () => void): Cleanup {
    const id = this.#core.atomic(() => {
      this.#core.objectAt(ptr, "onCollect");
      return this.#make(SPECIAL_CLEANUP, ptr);
    });
    this.#add(id, { ptr, run: callback });
    return new Cleanup(() => this.#remove(SPECIAL_CLEANUP, id));
  }

  /**
   * Calls `callback` with the object that begins at `ptr` when nothing reaches it any more. Throws NotAnObjectError,
   * FinalizerError, OutOfMemoryError.
   */
  setFinalizer<F extends string>(ptr: number, type: GCType<F> | null, callback: (object: Handle<F>) => void): void {
    const id = this.#core.atomic(() => {
      if (this.#core.objectAt(ptr, "setFinalizer") !== ptr) throw new FinalizerError("not-start", ptr);
      const id = this.#make(SPECIAL_FINALIZER, ptr);
      if (id === HAS_FINALIZER) throw new FinalizerError("has-finalizer", ptr);
      return id;
    });
    this.#finalizers.set(ptr, id);
    this.#add(id, { ptr, type, finalize: callback as (object: Handle<string>) => void });
  }

  /** Takes the finalizer off the object that begins at `ptr`. False: this thread has set none, or it is about to run. */
  removeFinalizer(ptr: number): boolean {
    const id = this.#finalizers.get(ptr);
    if (id === undefined || !this.#remove(SPECIAL_FINALIZER, id)) return false;
    this.#finalizers.delete(ptr);
    return true;
  }

  /**
   * Makes the object that begins at `ptr` and points to itself a root, until unroot or until this thread is gone: a
   * finalizer that never runs. Returns its number. Throws OutOfMemoryError.
   */
  root(ptr: number): number {
    const id = this.#make(SPECIAL_FINALIZER, ptr);
    this.#roots++;
    return id;
  }

  /** Undoes root. */
  unroot(ptr: number, id: number): void {
    this.#core.exports.specialFree(SPECIAL_FINALIZER, ptr, id);
    this.#roots--;
  }

  /** How many callbacks wait for the end of their objects. */
  get size(): number {
    return this.#entries.size;
  }

  /** A call has swept, or may have: looks at the queue in a task of its own. */
  soon(): void {
    if (this.#soon !== null || this.#entries.size === 0 || this.#core.exports.gcStat(STAT_FINISHED) === 0) return;
    this.#soon = later(() => {
      this.#soon = null;
      this.run();
    }, 0);
  }

  /**
   * Runs what is in the queue for this thread. How many. Throws what a callback has thrown, when all have run; of several
   * an AggregateError.
   */
  run(): number {
    let n = 0;
    runAll(this.#steps(() => n++));
    return n;
  }

  /** A thread of a shared heap was found dead: what it has registered is forgotten, now or when that is possible. */
  threadGone(token: number): void {
    this.#gone.push(token);
    this.#forgetGone();
  }

  #forgetGone(): void {
    this.#unlessLocked(() => {
      for (; this.#gone.length > 0; this.#gone.pop()) this.#core.exports.dropFinished(this.#gone.at(-1)!);
    });
  }

  /** The thread is about to leave its heap: forgets its callbacks there, unless it cannot have a P or a lock. */
  leave(): void {
    if (this.#entries.size + this.#roots > 0) this.#unlessLocked(() => this.#core.exports.dropFinished(OWN));
    this.close();
  }

  /** The heap ends, or this thread's part of it: no callback runs any more. */
  close(): void {
    cancel(this.#soon);
    cancel(this.#timer);
    this.#entries.clear();
    this.#finalizers.clear();
  }

  *#steps(count: () => void): Generator<() => void> {
    for (let id = this.#next(); id !== 0; id = this.#next()) {
      const entry = this.#entries.get(id);
      const object = this.#core.exports.finishedObject() >>> 0;
      let call: (() => void) | null = null;
      try {
        if (entry !== undefined) call = "run" in entry ? entry.run : this.#finalization(object, entry);
      } catch (error) {
        // No memory for a handle: the object stays in the queue, and the next run tries again.
        yield () => {
          throw error;
        };
        return;
      }
      this.#entries.delete(id);
      this.#core.exports.finishedDone();
      if (call === null) continue;
      count();
      yield call;
    }
  }

  /** The call of a finalizer, with a handle of its object; null when the object was freed by hand. */
  #finalization(object: number, { ptr, type, finalize }: Extract<Entry, { finalize: unknown }>): (() => void) | null {
    this.#finalizers.delete(ptr);
    if (object === 0) return null;
    const handle = this.#handles.make(object, object, type, -1);
    return () => runAll([() => finalize(handle), () => handle.dispose()]);
  }

  /** The number of the first in the queue, 0 when there is none, or when the heap was disposed of by a callback. */
  #next(): number {
    return this.#core.closed ? 0 : this.#core.exports.finishedId() >>> 0;
  }

  /** The number of a new record. Throws OutOfMemoryError. */
  #make(kind: number, ptr: number): number {
    const id = this.#core.exports.specialNew(kind, ptr) >>> 0;
    if (id === 0) throw new OutOfMemoryError(SPECIAL_BYTES);
    return id;
  }

  #add(id: number, entry: Entry): void {
    this.#entries.set(id, entry);
    this.#timer ??= later(() => this.#look(), LOOK_MS);
  }

  #remove(kind: number, id: number): boolean {
    const entry = this.#entries.get(id);
    if (entry === undefined || this.#core.exports.specialFree(kind, entry.ptr, id) === 0) return false;
    this.#entries.delete(id);
    return true;
  }

  /** The timer's turn. */
  #look(): void {
    this.#timer = null;
    if (this.#core.closed || this.#entries.size === 0) return;
    this.#timer = later(() => this.#look(), LOOK_MS);
    this.#forgetGone();
    this.#unlessLocked(() => void this.run());
  }

  /** A lock or a P that cannot be had now is no reason to fail: the next turn tries again. */
  #unlessLocked(fn: () => void): void {
    try {
      fn();
    } catch (error) {
      if (!(error instanceof HeapLockError || error instanceof AttachError)) throw error;
    }
  }
}
