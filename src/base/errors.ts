/**
 * The errors of the host API. Each has a `code` that survives minification and several copies of the package in one
 * program. A size, alignment or option out of range is a plain RangeError; everything else is a GomallocError.
 */
import { MISUSE_PINNED } from "./abinumbers.js";

/** Base of every error that is about the heap rather than about an argument's range. */
export abstract class GomallocError extends Error {
  abstract readonly code: string;
}

/** What went wrong and what to do about it, also apart from the message. `K`: the kinds of it. */
export abstract class RemediedError<K extends string> extends GomallocError {
  constructor(
    readonly kind: K,
    /** What is wrong. */
    readonly problem: string,
    /** What to do about it. */
    readonly remedy: string,
    options?: ErrorOptions,
  ) {
    super(`${problem}; ${remedy}`, options);
  }
}

/** The heap could not obtain the memory: the memory's maximum, the option maxBytes or the 4 GiB are reached. */
export class OutOfMemoryError extends GomallocError {
  override readonly name = "OutOfMemoryError";
  readonly code = "ERR_OUT_OF_MEMORY";

  constructor(
    /** The bytes asked for; for calloc the product, which may be above 2^32. */
    readonly size: number,
    options?: ErrorOptions,
  ) {
    super(`out of memory: ${size} bytes asked for; free something, or raise the memory's maximum or maxBytes`, options);
  }
}

/** What is wrong with a pointer given to free or realloc. */
export type MisuseKind =
  /** The block is free already, or its slot was never given out. */
  | "double-free"
  /** No block of this heap lies there. */
  | "foreign-pointer"
  /** The pointer points into a block, not at its start. */
  | "interior-pointer"
  /** A small pointer-free object of mallocgc, which shares its block with others and cannot be freed alone. */
  | "tiny-block";

const MISUSE_KINDS: readonly MisuseKind[] = ["double-free", "foreign-pointer", "interior-pointer", "tiny-block"];

const MISUSE_TEXT: Record<MisuseKind, string> = {
  "double-free": "the block is free already or was never given out",
  "foreign-pointer": "no block of this heap lies there; pass an address that this heap gave and nobody has freed",
  "interior-pointer": "the address is inside a block, not at its start; pass the start, which objectBase() gives",
  "tiny-block": "the object shares a 16-byte block with others and cannot be freed by hand; leave it to the collector",
};

/** A pointer that cannot be freed or reallocated. The call changed nothing; the heap is intact. */
export class MisuseError extends GomallocError {
  override readonly name = "MisuseError";
  readonly code = "ERR_MISUSE";

  constructor(
    readonly kind: MisuseKind,
    /** The address given, unsigned. */
    readonly address: number,
    /** The call that was misused. */
    readonly operation: "free" | "realloc",
  ) {
    super(`${operation}(${hex(address)}): ${MISUSE_TEXT[kind]}`);
  }
}

/** The error for what wasm refuses by a number: 1 to 4, a misuse; 6, a pinned object. */
export function refusal(kind: number, ptr: number, operation: "free" | "realloc"): MisuseError | PinError {
  if (kind === MISUSE_PINNED) return new PinError("pinned", ptr, operation);
  const name = MISUSE_KINDS[kind - 1];
  if (name === undefined) throw new ModuleLoadError(`the module reports misuse of unknown kind ${kind}`);
  return new MisuseError(name, ptr, operation);
}

/**
 * validate() found an invariant of the heap broken: memory of the heap's own was overwritten, or the heap has a bug.
 */
export class InvariantError extends GomallocError {
  override readonly name = "InvariantError";
  readonly code = "ERR_INVARIANT";

  constructor(
    /** Number of the invariant in INVARIANTS. */
    readonly invariant: number,
    /** What should have held. */
    readonly description: string,
    /** The address concerned, of a span, a page or a group; for rows and accounts the number in question. */
    readonly address: number,
  ) {
    super(
      `invariant ${invariant} broken at ${hex(address)}: ${description}; look for a write beyond a block or after ` +
        "its free, and go on in a new heap",
    );
  }
}

/**
 * Another heap has part of the memory that a heap was to get: both would give out the same blocks. Nothing was changed.
 */
export class HeapOverlapError extends GomallocError {
  override readonly name = "HeapOverlapError";
  readonly code = "ERR_HEAP_OVERLAP";

  constructor(
    /** The address from which on the memory was to be the new heap's. */
    readonly heapBase: number,
    remedy: string,
  ) {
    super(
      `another heap has a part of this memory from heapBase ${hex(heapBase)} on: ${remedy}, or pass an address ` +
        "behind what it has",
    );
  }
}

/** The heap was disposed of. */
export class HeapDisposedError extends GomallocError {
  override readonly name = "HeapDisposedError";
  readonly code = "ERR_HEAP_DISPOSED";

  constructor() {
    super("the heap was disposed of: make a new one, or attach to the shared one by a new message");
  }
}

/** The wasm given to createHeap or createHeapAsync could not be loaded, or is not gomalloc's host flavour. */
export class ModuleLoadError extends GomallocError {
  override readonly name = "ModuleLoadError";
  readonly code = "ERR_MODULE_LOAD";
}

// The collector's

/** An address that is no live object of the collector's was given where one is needed. Nothing was changed. */
export class NotAnObjectError extends GomallocError {
  override readonly name = "NotAnObjectError";
  readonly code = "ERR_NOT_AN_OBJECT";

  constructor(
    /** The address given, unsigned. */
    readonly address: number,
    /** The call. */
    readonly operation: string,
  ) {
    super(
      `${operation}(${hex(address)}): no live object of the collector's is there; pass the address of one that a ` +
        "root has kept alive",
    );
  }
}

/** An object that is not pinned was unpinned, or a pinned one freed or reallocated. Nothing was changed. */
export class PinError extends GomallocError {
  override readonly name = "PinError";
  readonly code = "ERR_PIN";

  constructor(
    readonly kind: "not-pinned" | "pinned",
    /** The address given, unsigned. */
    readonly address: number,
    /** The call. */
    readonly operation: "free" | "realloc" | "unpin",
  ) {
    const why =
      kind === "pinned" ? "the object is pinned: unpin it first" : "it is not pinned: call unpin once for each pin";
    super(`${operation}(${hex(address)}): ${why}`);
  }
}

/** A finalizer was set on an object that has one, or on an address inside an object. Nothing was changed. */
export class FinalizerError extends GomallocError {
  override readonly name = "FinalizerError";
  readonly code = "ERR_FINALIZER";

  constructor(
    readonly kind: "has-finalizer" | "not-start",
    /** The address given, unsigned. */
    readonly address: number,
  ) {
    const why =
      kind === "has-finalizer"
        ? "the object has a finalizer: take it off first with null, or use onCollect, of which it can have several"
        : "a finalizer needs the object's start: pass what objectOf gives, or use onCollect";
    super(`setFinalizer(${hex(address)}): ${why}`);
  }
}

/**
 * `checkmark` has found an object that is in use but was not marked by the cycle: a pointer was stored without the
 * write barrier. The object and what it points to were kept; the heap is intact.
 */
export class CheckmarkError extends GomallocError {
  override readonly name = "CheckmarkError";
  readonly code = "ERR_CHECKMARK";

  constructor(
    /** The first such object, unsigned. */
    readonly address: number,
  ) {
    super(
      `the object at ${hex(address)} is in use, but the cycle had not marked it: a pointer to it was stored without ` +
        "the write barrier; store pointers by writePointer, copy, clear, or the store of a handle",
    );
  }
}

/** The handle was disposed of. */
export class HandleDisposedError extends GomallocError {
  override readonly name = "HandleDisposedError";
  readonly code = "ERR_HANDLE_DISPOSED";

  constructor() {
    super("the handle was disposed of: make a new one");
  }
}

/** A freed arena, or an object in one, was used. Nothing was changed. */
export class ArenaFreedError extends GomallocError {
  override readonly name = "ArenaFreedError";
  readonly code = "ERR_ARENA_FREED";

  constructor(
    /** The address in the arena, unsigned; 0: the arena itself was used. */
    readonly address: number,
    /** The call. */
    readonly operation: string,
  ) {
    const what = address === 0 ? `${operation}: the arena` : `${operation}(${hex(address)}): the arena of this object`;
    super(`${what} was freed: copy what is to live longer out of it first, or free it later`);
  }
}

/** A shadow stack is full or empty, or not used as a stack. Nothing was changed. */
export class ShadowStackError extends GomallocError {
  override readonly name = "ShadowStackError";
  readonly code = "ERR_SHADOW_STACK";

  constructor(
    readonly kind: "overflow" | "underflow" | "frame" | "slot" | "disposed",
    why: string,
  ) {
    super(`shadow stack: ${why}`);
  }
}

/** The heap has no collector, or its collector does not have what was asked for. The message names the remedy. */
export class CollectorUnavailableError extends GomallocError {
  override readonly name = "CollectorUnavailableError";
  readonly code = "ERR_COLLECTOR_UNAVAILABLE";
}

// Snapshots

/** What is wrong with a memory or a file that a snapshot is to come from. */
export type SnapshotErrorKind =
  /** No heap was found. */
  | "no-heap"
  /** There are several, and none was chosen. */
  | "several-heaps"
  /** The heap is of another version of gomalloc. */
  | "version"
  /** The heap's own record is damaged, or no heap is at the address given. */
  | "damaged"
  /** The file or value is no snapshot. */
  | "format"
  /** The core dump cannot be read, or has no memory. */
  | "coredump"
  /** The bytes were taken away during the work. */
  | "detached";

/** A heap cannot be read from outside. Nothing was changed: reading never does. */
export class SnapshotError extends RemediedError<SnapshotErrorKind> {
  override readonly name = "SnapshotError";
  readonly code = "ERR_SNAPSHOT";
}

/** What a profile cannot be had for: "flavour": the heap does not sample. */
export type ProfileErrorKind = "flavour";

/** A heap has no profile. The message names the remedy. */
export class ProfileError extends GomallocError {
  override readonly name = "ProfileError";
  readonly code = "ERR_PROFILE";

  constructor(
    readonly kind: ProfileErrorKind,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

// The live view

/** Why a heap cannot be served. */
export type LiveErrorKind =
  /** Another program listens at the port. */
  | "port-in-use"
  /** The system does not let this program listen there. */
  | "denied"
  /** The host is no address of this machine. */
  | "host"
  /** Anything else; `cause` is the system's error. */
  | "listen";

/** The server of a live view cannot listen. The message names the remedy. */
export class LiveError extends RemediedError<LiveErrorKind> {
  override readonly name = "LiveError";
  readonly code = "ERR_LIVE";
}

/** Why memory cannot be given back to the system. */
export type ScavengeErrorKind =
  /** Nothing in this engine or on this system can do it. */
  | "unavailable"
  /** The optional package koffi is missing. */
  | "koffi"
  /** What `release` gave back does not read as zero. */
  | "not-zero";

/** Free memory cannot be given back to the system. The heap is intact. The message names the remedy. */
export class ScavengeError extends RemediedError<ScavengeErrorKind> {
  override readonly name = "ScavengeError";
  readonly code = "ERR_SCAVENGE";
}

// The shared heap's

/** What a P does, as its state word says it. See docs/shared-api.md. */
export type PState = "unused" | "idle" | "running" | "blocked" | "stopping" | "dead" | "starting";

/** Who holds something in a shared heap: a P, and the thread that had it when this was asked. */
export interface Holder {
  /** Id of the P, 1 to 255. */
  readonly p: number;
  /** Token of the thread, 1 to 0xffffff; 0: a thread without a name, or none. */
  readonly token: number;
  readonly state: PState;
}

/** What to do about a thread that holds something for too long. */
const WAITED_REMEDY =
  "if that thread is dead, return to the event loop so that watch() hears of it, or call reap() with its message or " +
  "token; if it lives, it must give it back";
/** The same where the holder does not exist. */
const OVERWRITTEN_REMEDY =
  "there is no such P, so the word was overwritten: validate() tells more; look for a write beyond a block, and go " +
  "on in a new heap";

/**
 * A lock of a shared heap was not available in time. Nothing was changed. If its holder is dead, tell the heap
 * (SharedHeap.reap), and the lock becomes free.
 */
export class HeapLockError extends GomallocError {
  override readonly name = "HeapLockError";
  readonly code = "ERR_HEAP_LOCK";

  constructor(
    /**
     * Number of the lock: 0 is the heap's, others the mcentrals', 221 and 222 the collector's; -1: none of these, or
     * given back.
     */
    readonly lock: number,
    /** Who held it; null when it was given back meanwhile. */
    readonly owner: Holder | null,
    why: string,
    remedy = owner === null ? "try again" : owner.state === "unused" ? OVERWRITTEN_REMEDY : WAITED_REMEDY,
  ) {
    const by = owner === null ? "" : `: held by ${holder(owner)}`;
    super(`${lock < 0 ? "a lock" : lockName(lock)} ${why}${by}; ${remedy}`);
  }
}

/** All Ps of a shared heap are taken, and this thread did not get a turn in time. Nothing was changed. */
export class ProcsBusyError extends GomallocError {
  override readonly name = "ProcsBusyError";
  readonly code = "ERR_PROCS_BUSY";

  constructor(
    /** The Ps and the threads that have them. */
    readonly holders: readonly Holder[],
    /** Milliseconds waited. */
    readonly waited: number,
  ) {
    super(
      `no P became free in ${Math.round(waited)} ms: ${holders.map(holder).join(", ")}; raise the option procs or ` +
        "turnWait, let threads that do other work call heap.release(), or wait with ps.acquireAsync(); of dead " +
        "threads, return to the event loop so that watch() hears, or call reap()",
    );
  }
}

/** The engine or the page has no memory to share between threads. The message names what is missing. */
export class SharedMemoryUnavailableError extends GomallocError {
  override readonly name = "SharedMemoryUnavailableError";
  readonly code = "ERR_SHARED_MEMORY_UNAVAILABLE";
}

/** A thread cannot join a shared heap, or was reported dead and is no longer one of its threads. */
export class AttachError extends GomallocError {
  override readonly name = "AttachError";
  readonly code = "ERR_ATTACH";
}

/** What a dead thread left in the heap could not be repaired. Thrown when no callback takes the report. */
export class UnrepairedHeapError extends GomallocError {
  override readonly name = "UnrepairedHeapError";
  readonly code = "ERR_UNREPAIRED_HEAP";

  constructor(
    /** The dead thread's P, and the state that it is left in. */
    readonly left: Holder,
  ) {
    super(
      `what a dead thread left cannot be repaired yet: ${holder(left)}; reap() the other dead threads, one of which ` +
        "holds a lock, and this one again",
    );
  }
}

/** Numbers of the collector's two locks, as assembly/base/layout.ts has them. */
const GC_LOCK = 221;
const MARK_LOCK = 222;

function lockName(lock: number): string {
  if (lock === 0) return "the heap lock";
  if (lock === GC_LOCK) return "the lock of the collector's tables";
  return lock === MARK_LOCK ? "the marker's lock" : `the lock of mcentral ${lock}`;
}

function holder({ p, token, state }: Holder): string {
  return `P ${p} (${token === 0 ? "no token" : `token ${token}`}, ${state})`;
}

/** An address as people write it. */
export function hex(address: number): string {
  return `0x${address.toString(16)}`;
}
