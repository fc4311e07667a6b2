/**
 * The ways to a shared heap: makeSharedHeap makes one, attachHeap joins one by a message. The entries (full.ts,
 * slim.ts) turn makeSharedHeap into createSharedHeap, each with its default modules. Each function has a twin that does
 * not block, for main threads of browsers that refuse to compile there.
 *
 * The thread that makes the heap has token 1 and takes a P at once, for the control block. A thread that attaches takes
 * its P at its first operation.
 */
import {
  bindExports,
  type HooksOver,
  type HostExports,
  instantiate,
  instantiateAsync,
  M_MISUSE,
  MAX_WASM_PAGES,
  MISUSE_RETURN,
  WASM_PAGE_SIZE,
} from "../base/abi.js";
import { aMemory, boolean, isShared, namesOf, readOptions, within } from "../base/check.js";
import { AttachError, HeapOverlapError, OutOfMemoryError, SharedMemoryUnavailableError } from "../base/errors.js";
import { MemoryViews } from "../base/views.js";
import { type CollectorOptions, checkCollectorOptions } from "../gc/options.js";
import { initHeap } from "../heap/claim.js";
import { type AsyncWasmSource, loadModule, loadModuleAsync, type WasmSource } from "../heap/module.js";
import { applyLimits, checkLimits, newMemory, placeHeap, setOption, throwsOnMisuse } from "../heap/options.js";
import {
  bindShared,
  LOCK_BYTES,
  M_CAN_BLOCK,
  M_LOCK_WAIT,
  MAX_LOCK_WAIT,
  MAX_PS,
  P_IDLE,
  type SharedExports,
} from "./abi.js";
import { CONTROL_BYTES, Control } from "./control.js";
import { bindCollector } from "./gcabi.js";
import { PARENT_WAIT_MS, type Seat, SharedHeap } from "./heap.js";
import { checkMessage, claimMessage, type Settings, type SharedHeapMessage } from "./message.js";
import { type DefaultModules, loadSharedModule, loadSharedModuleAsync } from "./module.js";
import { soloExports } from "./solo.js";
import { canBlock, whyUnshared } from "./support.js";
import { SharedMemoryViews } from "./views.js";
import { type Hold, holdLock } from "./watch.js";

/** Where a heap in a memory of its own begins, as in src/heap/options.ts. */
const DEFAULT_HEAP_BASE = 1024;
const MAX_HEAP_BASE = 0xffffffff;
/** Waits on a browser's main thread where nothing else is said: see Settings. */
const MAIN_LOCK_WAIT_MS = 1000;
const MAIN_TURN_WAIT_MS = 100;
/** Bytes, about, that a heap needs at first: what OutOfMemoryError names when there is no memory for it. */
const HEAP_BYTES = 2 * WASM_PAGE_SIZE;

export interface SharedHeapOptions extends Settings {
  /** Pages of 64 KiB that a memory of the heap's own has at first. Default: enough for heapBase, at least 1. */
  initialPages?: number | undefined;
  /**
   * Pages of 64 KiB that a memory of the heap's own may reach, up to 65536. Default 65536, or half of that and so on
   * when the engine cannot reserve so much.
   */
  maximumPages?: number | undefined;
  /**
   * Ps that may be made, 1 to 255: threads that can be in the allocator at once. They are made on demand. More threads
   * take turns; one that waits while no P becomes free makes another. Default 255.
   */
  procs?: number | undefined;
  /** A shared memory for the heap, of at most 65536 pages, which must not be grown elsewhere while the heap is made. */
  memory?: WebAssembly.Memory | undefined;
  /**
   * Address from which the memory belongs to the heap; it must read as zero from there. Default: 1024 in a memory of
   * the heap's own; the end of a given one.
   */
  heapBase?: number | undefined;
  /** Options of the heap's collector. Default: those of a collector that begins no cycle by itself. */
  collector?: CollectorOptions | undefined;
  /**
   * False: a heap for one thread. True: throw SharedMemoryUnavailableError rather than make such a heap. Default: a
   * shared heap where memory can be shared.
   */
  shared?: boolean | undefined;
}

export interface CreateSharedHeapOptions extends SharedHeapOptions {
  /** The shared host flavour, compiled or as bytes. Default: the module inlined in this package. */
  wasm?: WasmSource | undefined;
  /**
   * The unshared host flavour, for a heap of one thread where memory cannot be shared. Default: the one inlined here.
   */
  soloWasm?: WasmSource | undefined;
}

export interface CreateSharedHeapAsyncOptions extends SharedHeapOptions {
  /** The shared host flavour: compiled, bytes, a URL, or a Response. Default: the module inlined in this package. */
  wasm?: AsyncWasmSource | undefined;
  /**
   * The unshared host flavour, for a heap of one thread where memory cannot be shared. Default: the one inlined here.
   */
  soloWasm?: AsyncWasmSource | undefined;
}

/** Settings of a thread that attaches, in place of those in the message. */
export type AttachOptions = Settings;

/** createSharedHeap of the entries, each with its default modules: see full.ts. */
export function makeSharedHeap(options: CreateSharedHeapOptions, otherwise: DefaultModules): SharedHeap {
  const read = readOptions(options, OPTIONS, "createSharedHeap");
  const checked = checkOptions(read);
  if (!wantsShared(read)) return startSolo(loadModule(read.soloWasm, otherwise.solo), read, checked, otherwise);
  const module = loadSharedModule(read.wasm, otherwise.shared);
  const place = placeShared(read);
  return start(instantiate(module, place.memory, otherwise.hooks), module, place, read, checked);
}

/** The same without blocking. */
export async function makeSharedHeapAsync(
  options: CreateSharedHeapAsyncOptions,
  otherwise: DefaultModules,
): Promise<SharedHeap> {
  const read = readOptions(options, OPTIONS, "createSharedHeapAsync");
  const checked = checkOptions(read);
  if (!wantsShared(read))
    return startSolo(await loadModuleAsync(read.soloWasm, otherwise.solo), read, checked, otherwise);
  const module = await loadSharedModuleAsync(read.wasm, otherwise.shared);
  const place = placeShared(read);
  return start(await instantiateAsync(module, place.memory, otherwise.hooks), module, place, read, checked);
}

/**
 * Joins the heap that `message` comes from; see SharedHeap.share. Each message is for one thread. Throws AttachError
 * for a message that is none, of another version, or used before; RangeError for bad options.
 */
export function attachHeap(message: SharedHeapMessage, options: AttachOptions = {}): SharedHeap {
  return attachWith(message, options, undefined);
}

/** attachHeap of an entry, with what its modules import besides memory. */
export function attachWith(message: SharedHeapMessage, options: AttachOptions, hooks?: HooksOver): SharedHeap {
  const seen = checkMessage(message);
  const checked = attachSettings(seen, options, "attachHeap");
  claimMessage(seen);
  return join(instantiate(seen.module, seen.memory, hooks), seen, checked, holdLock(seen));
}

/** The settings of a thread that attaches: the message's, replaced where `options` has others. */
function attachSettings(message: SharedHeapMessage, options: AttachOptions, call: string): Checked {
  const own = readOptions(options, SETTINGS, call);
  try {
    checkSettings(readOptions(message.options, SETTINGS, "the message"), false);
  } catch (cause) {
    throw new AttachError(
      `the message was damaged on its way: ${(cause as Error).message}; pass it as share() gave it`,
      { cause },
    );
  }
  return checkSettings({ ...message.options, ...own }, false);
}

/**
 * attachHeap without blocking. In a browser it also waits for the Web Lock that tells others of this thread's end, so
 * workers there should use this one. Rejects with what attachHeap throws.
 */
export async function attachHeapAsync(message: SharedHeapMessage, options: AttachOptions = {}): Promise<SharedHeap> {
  return attachWithAsync(message, options, undefined);
}

/** attachHeapAsync of an entry. */
export async function attachWithAsync(
  message: SharedHeapMessage,
  options: AttachOptions,
  hooks?: HooksOver,
): Promise<SharedHeap> {
  const seen = checkMessage(message);
  const checked = attachSettings(seen, options, "attachHeapAsync");
  claimMessage(seen);
  const instance = await instantiateAsync(seen.module, seen.memory, hooks);
  const hold = holdLock(seen);
  await hold.settled;
  return join(instance, seen, checked, hold);
}

const SETTINGS = namesOf<Settings>({ onMisuse: 0, lockWait: 0, turnWait: 0, maxBytes: 0, softLimit: 0, reserve: 0 });
const OPTIONS = [
  ...SETTINGS,
  ...namesOf<Omit<CreateSharedHeapOptions, keyof Settings>>({
    ...{ initialPages: 0, maximumPages: 0, procs: 0, memory: 0, heapBase: 0, collector: 0 },
    ...{ shared: 0, wasm: 0, soloWasm: 0 },
  }),
] as const;

/** Settings with everything filled in for this thread. */
interface Checked {
  readonly settings: Settings;
  readonly throwOnMisuse: boolean;
  readonly lockWait: number;
  readonly turnWait: number;
}

function checkSettings(options: Settings, maker: boolean): Checked {
  const { onMisuse = "throw", lockWait, turnWait, maxBytes, softLimit, reserve } = options;
  const throwOnMisuse = throwsOnMisuse({ onMisuse });
  checkLimits({ maxBytes, softLimit, reserve });
  const usual = (main: number): number => (canBlock() ? (maker ? PARENT_WAIT_MS : 0) : main);
  return {
    settings: { onMisuse, lockWait, turnWait, maxBytes, softLimit, reserve },
    throwOnMisuse,
    lockWait: within(lockWait ?? usual(MAIN_LOCK_WAIT_MS), 0, MAX_LOCK_WAIT, "lockWait"),
    turnWait: within(turnWait ?? usual(MAIN_TURN_WAIT_MS), 0, MAX_LOCK_WAIT, "turnWait"),
  };
}

function checkOptions(options: SharedHeapOptions): Checked {
  if (options.procs !== undefined) within(options.procs, 1, MAX_PS, "procs");
  if (options.shared !== undefined) boolean(options.shared, "shared");
  if (options.collector !== undefined) options.collector = checkCollectorOptions(options.collector);
  return checkSettings(options, true);
}

function wantsShared({ shared, memory }: SharedHeapOptions): boolean {
  if (shared === false) return false;
  const why = whyUnshared();
  if (why === null) return true;
  if (shared === true || memory !== undefined) throw new SharedMemoryUnavailableError(why);
  return false;
}

interface SharedPlace {
  readonly memory: WebAssembly.Memory;
  readonly heapBase: number;
}

function placeShared({ memory, initialPages, maximumPages, heapBase }: SharedHeapOptions): SharedPlace {
  if (memory === undefined) {
    const base = within(heapBase ?? DEFAULT_HEAP_BASE, 1, MAX_HEAP_BASE, "heapBase");
    const needed = Math.ceil(base / WASM_PAGE_SIZE);
    const initial = within(initialPages ?? needed, needed, MAX_WASM_PAGES, "initialPages");
    return { memory: ownMemory(initial, maximumPages), heapBase: base };
  }
  if (initialPages !== undefined || maximumPages !== undefined) {
    throw new TypeError("initialPages and maximumPages are for a memory of the heap's own; a given memory has its own");
  }
  if (!isShared(aMemory(memory).buffer)) {
    throw new TypeError("memory is not shared: make it with shared: true, or pass shared: false for one thread");
  }
  const end = memory.buffer.byteLength;
  if (heapBase !== undefined)
    return { memory, heapBase: within(heapBase, 1, Math.min(end, MAX_HEAP_BASE), "heapBase") };
  if (end > MAX_HEAP_BASE) throw new OutOfMemoryError(HEAP_BYTES);
  return { memory, heapBase: Math.max(end, DEFAULT_HEAP_BASE) };
}

function ownMemory(initial: number, maximum: number | undefined): WebAssembly.Memory {
  if (maximum !== undefined) {
    within(maximum, initial, MAX_WASM_PAGES, "maximumPages");
    return newMemory({ initial, maximum, shared: true });
  }
  // A shared memory reserves its maximum, which phones do not always grant.
  for (let pages = MAX_WASM_PAGES; ; pages = Math.max(initial, pages >>> 1)) {
    try {
      return newMemory({ initial, maximum: pages, shared: true });
    } catch (error) {
      if (!(error instanceof OutOfMemoryError) || pages === initial) throw error;
    }
  }
}

/** Sets the options that belong to an instance. */
function configure(exports: HostExports, { settings, lockWait }: Checked, shared: boolean): void {
  setOption(exports, M_MISUSE, MISUSE_RETURN);
  applyLimits(exports, settings);
  if (!shared) return;
  setOption(exports, M_CAN_BLOCK, canBlock() ? 1 : 0);
  setOption(exports, M_LOCK_WAIT, lockWait);
}

function start(
  instance: WebAssembly.Instance,
  module: WebAssembly.Module,
  { memory, heapBase }: SharedPlace,
  { procs = MAX_PS, collector }: SharedHeapOptions,
  checked: Checked,
): SharedHeap {
  const exports = bindExports(instance);
  const shared = bindShared(instance);
  configure(exports, checked, true);
  const views = new SharedMemoryViews(memory);
  exports.init(heapBase);
  if (shared.procs() === 0) throw noHeap(views, heapBase);
  views.follow(shared.endAddress());
  const disown = own(shared, views, heapBase);
  try {
    shared.setProcs(procs);
    const ground = { memory, heapBase, module, views, collector: bindCollector(instance), disown };
    return made(exports, shared, ground, checked, collector);
  } catch (error) {
    disown();
    throw error;
  }
}

/** Why init has made no heap. */
function noHeap(views: SharedMemoryViews, heapBase: number): Error {
  const { u8 } = views.current;
  if (u8.subarray(heapBase, heapBase + WASM_PAGE_SIZE).every((byte) => byte === 0))
    return new OutOfMemoryError(HEAP_BYTES);
  return new RangeError(
    `the memory does not read as zero from heapBase ${heapBase} on: pass an address behind what is in use there`,
  );
}

/**
 * Claims the heap at `heapBase` for its maker; returns a function that undoes that. Throws HeapOverlapError when
 * another thread has claimed it: two makers would both be its thread 1.
 */
function own(shared: SharedExports, views: SharedMemoryViews, heapBase: number): () => void {
  const words = (): Int32Array<ArrayBufferLike> => views.current.i32;
  const claim = shared.claimAddress() >>> 2;
  const first = shared.stateAddress(1) >>> 2;
  const states = words().subarray(first, first + MAX_PS);
  const busy = states.some((_, i) => (Atomics.load(states, i) & 0xff) > P_IDLE);
  if (busy || Atomics.compareExchange(words(), claim, 0, 1) !== 0) {
    throw new HeapOverlapError(heapBase, "join it by attachHeap(heap.share()), or dispose of it in all threads");
  }
  return () => void Atomics.store(words(), claim, 0);
}

/** A heap of one thread, because memory cannot be shared or the program does not want to. */
function startSolo(
  module: WebAssembly.Module,
  options: SharedHeapOptions,
  checked: Checked,
  { hooks }: DefaultModules,
): SharedHeap {
  const { memory: given, heapBase, initialPages: initial, maximumPages: maximum } = options;
  const place = placeHeap({ memory: given, heapBase, initial, maximum });
  const { memory } = place;
  const exports = bindExports(instantiate(module, memory, hooks));
  configure(exports, checked, false);
  if (place.heapBase !== null) initHeap(exports, memory, place.heapBase);
  exports.memstats();
  // Of an ArrayBuffer: see SharedHeap.
  const views = new MemoryViews<SharedArrayBuffer>(memory);
  const shared = soloExports(exports, () => views.current.i32);
  const ground = { memory, heapBase: place.heapBase ?? 0, module: null, views, collector: null, disown() {} };
  return made(exports, shared, ground, checked, options.collector);
}

type Ground = Pick<Seat, "memory" | "heapBase" | "module" | "views" | "collector" | "disown">;

/** The heap of the thread that made it. */
function made(
  exports: HostExports,
  shared: SharedExports,
  ground: Ground,
  checked: Checked,
  collectorOptions: CollectorOptions | undefined,
): SharedHeap {
  const token = 1;
  if (shared.acquireP(token) === 0) throw new OutOfMemoryError(HEAP_BYTES);
  const control = exports.memalign(LOCK_BYTES, CONTROL_BYTES) >>> 0;
  if (control === 0) throw new OutOfMemoryError(CONTROL_BYTES);
  const words = (): Int32Array<ArrayBufferLike> => ground.views.current.i32;
  words().fill(0, control >>> 2, (control + CONTROL_BYTES) >>> 2);
  const block = new Control(control, words);
  block.format();
  block.newToken();
  const seat = { exports, shared, ...ground, token, control, message: null, letGo() {}, collectorOptions };
  return new SharedHeap({ ...seat, ...checked });
}

/** The heap of a thread that has claimed its message. */
function join(instance: WebAssembly.Instance, message: SharedHeapMessage, checked: Checked, hold: Hold): SharedHeap {
  try {
    const exports = bindExports(instance);
    const shared = bindShared(instance);
    const { memory, module, heapBase, control, token } = message;
    const views = new SharedMemoryViews(memory);
    new Control(control, () => views.current.i32).check();
    configure(exports, checked, true);
    exports.init(heapBase);
    if (shared.procs() === 0) {
      throw new AttachError("there is no heap at the message's address: take a new message from share()");
    }
    views.follow(shared.endAddress());
    const claim = shared.claimAddress() >>> 2;
    Atomics.store(views.current.i32, claim, 1);
    const ground = {
      exports,
      shared,
      memory,
      module,
      views,
      heapBase,
      token,
      control,
      collector: bindCollector(instance),
      disown: () => void Atomics.store(views.current.i32, claim, 0),
    };
    return new SharedHeap({ ...ground, message, letGo: hold.release, ...checked });
  } catch (error) {
    hold.release();
    throw error;
  }
}
