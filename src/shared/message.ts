/**
 * The message by which a thread joins a shared heap: plain data that structured cloning carries, so any postMessage,
 * workerData or BroadcastChannel between threads that may share memory will do.
 *
 * One message is for one thread. Its `claim`, one shared word, says how far that thread is: fresh, attached, attached
 * with a Web Lock that reports the thread's end, or over. The word only goes up.
 */
import { isMemory, isModule, isShared, object, reading, show, text, within } from "../base/check.js";
import { AttachError } from "../base/errors.js";
import type { HeapLimits } from "../heap/options.js";
import { checkSharedModule, MAX_TOKEN } from "./abi.js";
import { whyUnshared } from "./support.js";

export const MESSAGE_KIND = "gomalloc-shared-heap";
/** Version of the message, of the control block and of wasm's records together. */
export const MESSAGE_VERSION = 1;

export const CLAIM_FRESH = 0;
const CLAIM_ATTACHED = 1;
export const CLAIM_LOCKED = 2;
export const CLAIM_OVER = 3;
/** Bytes of a claim: one word. */
const CLAIM_BYTES = 4;

/** Settings of a thread; each thread of a heap can have its own. */
export interface Settings extends HeapLimits {
  /**
   * What free and realloc do with a pointer that they refuse: throw MisuseError, or return without effect. Default
   * "throw".
   */
  onMisuse?: "throw" | "ignore" | undefined;
  /**
   * Milliseconds, 0 to 3600000, that an operation waits for a lock of the heap before it throws HeapLockError; 0:
   * forever. Default: 2000 in threads that others depend on, so that they get back to their event loop and hear of a
   * death: the one that made the heap, and those that have called share or watch; 1000 on a browser's main thread; else
   * 0.
   */
  lockWait?: number | undefined;
  /**
   * Milliseconds, 0 to 3600000, that an operation waits for a P before it throws ProcsBusyError; 0: forever. Before
   * that, when no P has become free for 200 ms, it makes one beyond `procs`, as long as fewer than 255 exist. Default:
   * as lockWait, but 100 on a browser's main thread.
   */
  turnWait?: number | undefined;
}

/** What SharedHeap.share gives and attachHeap takes. */
export interface SharedHeapMessage {
  readonly kind: typeof MESSAGE_KIND;
  readonly version: number;
  readonly memory: WebAssembly.Memory;
  readonly module: WebAssembly.Module;
  /** Address given to init. */
  readonly heapBase: number;
  /** Address of the control block. */
  readonly control: number;
  /** Name of the thread that attaches, 1 to 0xffffff. */
  readonly token: number;
  /** One word: see above. */
  readonly claim: SharedArrayBuffer;
  /** Name of the Web Lock that the thread holds while it lives, where the engine has such locks. */
  readonly lockName: string;
  /** The limit of Ps when the message was made. */
  readonly procs: number;
  readonly options: Settings;
}

/** `value` when it is a message of this version with all its parts. Throws AttachError. */
export function checkMessage(value: unknown): SharedHeapMessage {
  const message = copyOf(value);
  if (message.kind !== MESSAGE_KIND) throw notAMessage();
  if (message.version !== MESSAGE_VERSION) {
    throw new AttachError(
      `the message has version ${show(message.version)}, this package ${MESSAGE_VERSION}: both threads need the same`,
    );
  }
  const why = whyUnshared();
  if (why !== null) throw new AttachError(`this thread cannot share memory: ${why}`);
  const { memory, module, claim, token = 0, control = 0, heapBase = 0 } = message;
  if (
    !isMemory(memory) ||
    !isShared(memory.buffer) ||
    !isModule(module) ||
    !isShared(claim) ||
    claim?.byteLength !== CLAIM_BYTES
  ) {
    throw new AttachError("the message has lost its memory or its module on the way: pass it by postMessage, as it is");
  }
  try {
    checkSharedModule(module);
    within(token, 1, MAX_TOKEN, "token");
    within(control, 1, memory.buffer.byteLength, "control");
    within(heapBase, 1, memory.buffer.byteLength, "heapBase");
    text(message.lockName as string, "lockName");
    object(message.options, "options");
  } catch (cause) {
    throw new AttachError(`the message was damaged on its way: ${(cause as Error).message}; pass it as it is`, {
      cause,
    });
  }
  return message as SharedHeapMessage;
}

/** A message's parts, each read once. Throws AttachError for what is no object. */
function copyOf(value: unknown): Partial<SharedHeapMessage> {
  if (typeof value !== "object" || value === null) throw notAMessage();
  try {
    return { ...value };
  } catch (cause) {
    throw notAMessage({ cause });
  }
}

function notAMessage(options?: ErrorOptions): AttachError {
  return new AttachError("not a message of SharedHeap.share(): pass what it gave, as it is", options);
}

/**
 * The thread that a message is for, and its claim. Throws TypeError for what is no message, RangeError for no token.
 */
export function threadOf(message: SharedHeapMessage): Pick<SharedHeapMessage, "token" | "claim" | "lockName"> {
  object(message, "message");
  const { token, claim, lockName } = reading("message", () => ({ ...message }));
  within(token, 1, MAX_TOKEN, "message.token");
  if (!isShared(claim) || claim.byteLength !== CLAIM_BYTES) {
    throw new TypeError("message must be what share() gave, as it is: its claim is missing");
  }
  return { token, claim, lockName: text(lockName, "message.lockName") };
}

/** Takes the message for this thread. Throws AttachError when another has. */
export function claimMessage({ claim, token }: SharedHeapMessage): void {
  if (Atomics.compareExchange(new Int32Array(claim), 0, CLAIM_FRESH, CLAIM_ATTACHED) !== CLAIM_FRESH) {
    throw new AttachError(`message ${token} was used before: call share() once for each thread`);
  }
}

/** Raises the claim's word and wakes the threads that wait for that. */
export function raiseClaim(claim: SharedArrayBuffer, to: number): void {
  const words = new Int32Array(claim);
  for (;;) {
    const seen = Atomics.load(words, 0);
    if (seen >= to || Atomics.compareExchange(words, 0, seen, to) === seen) break;
  }
  Atomics.notify(words, 0);
}
