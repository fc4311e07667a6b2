/**
 * Instances of the built flavours for tests: the one door through which tests reach wasm.
 *
 * Every address that wasm returns as an i32 comes out unsigned, every u64 as an unsigned bigint. Views of the memory
 * are made anew whenever its buffer has changed.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { BUILD_DIR } from "../../scripts/build-tools.ts";
import type {
  ControlFunctions,
  FamilyFunctions,
  HostFunctions,
  ThreadExitFunctions,
} from "../../src/base/abifunctions.ts";
import { M_PROFILE_GUARD, M_PROFILE_RATE, M_QUARANTINE, MISUSE_DOUBLE_FREE } from "../../src/base/abinumbers.ts";
import type { SharedExports } from "../../src/shared/abi.ts";
import type { SharedCollectorExports as CollectorExports } from "../../src/shared/gcabi.ts";

export const WASM_PAGE = 65536;
export const PAGE = 8192;
/** Pages of a bitmap chunk, and its bytes. */
export const CHUNK_PAGES = 64;
export const CHUNK = CHUNK_PAGES * PAGE;

export * from "../../src/base/abinumbers.ts";
export {
  MISUSE_DOUBLE_FREE as DOUBLE_FREE,
  MISUSE_FOREIGN as FOREIGN,
  MISUSE_INTERIOR as INTERIOR,
  MISUSE_TINY as TINY_BLOCK,
} from "../../src/base/abinumbers.ts";

type PlainShared = "shared" | "host-shared" | "test-shared";
type Plain = "malloc" | "host" | "test";
export type SharedFlavour = PlainShared | `${PlainShared}-profile`;
export type Flavour = Plain | `${Plain}-profile` | SharedFlavour;

export const FILES: Record<Flavour, string> = {
  malloc: "gomalloc.wasm",
  host: "gomalloc-host.wasm",
  test: "gomalloc-test.wasm",
  shared: "gomalloc-shared.wasm",
  "host-shared": "gomalloc-host-shared.wasm",
  "test-shared": "gomalloc-test-shared.wasm",
  "malloc-profile": "gomalloc-profile.wasm",
  "host-profile": "gomalloc-host-profile.wasm",
  "test-profile": "gomalloc-test-profile.wasm",
  "shared-profile": "gomalloc-shared-profile.wasm",
  "host-shared-profile": "gomalloc-host-shared-profile.wasm",
  "test-shared-profile": "gomalloc-test-shared-profile.wasm",
};

/** Wasm pages of the largest memory: what the shared flavours say of theirs. */
export const MAX_PAGES = 65536;

/** Whether a flavour is for several threads over one shared memory. */
export function isShared(flavour: Flavour): flavour is SharedFlavour {
  return flavour.includes("shared");
}

/** Exports of build/gomalloc.wasm. */
export interface MallocExports extends FamilyFunctions, ControlFunctions {}

/** Exports of build/gomalloc-host.wasm, without the collector's. */
export interface HostExports extends MallocExports, HostFunctions {}

/** Exports of build/gomalloc-test.wasm: the internals. Pages are counted from page 0 at address 0. */
export interface TestExports extends HostExports {
  findBitRange64(c: bigint, n: number): number;
  pagesInit(): void;
  pagesGrow(base: number, bytes: number): number;
  pagesAlloc(npages: number): number;
  pagesAllocScav(): number;
  pagesFree(base: number, npages: number): void;
  pagesBits(chunk: number): bigint;
  pagesScav(chunk: number): bigint;
  pagesSum(level: number, index: number): bigint;
  pagesRootLevel(): number;
  pagesSearchAddr(): number;
  pallocSumOf(bits: bigint): bigint;
  fillAligned(bits: bigint, m: number): bigint;
  candidateOf(bits: bigint, m: number, most: number): number;
  mergeSums(ptr: number, n: number, logPages: number): bigint;
  pagesSetState(chunk: number, allocBits: bigint, scavBits: bigint): void;
  pagesRebuild(): void;
  pcSet(base: number, cache: bigint, scav: bigint): void;
  pcAlloc(npages: number): number;
  pcScav(): number;
  pcFlush(): void;
  pcRefill(): number;
  pcBase(): number;
  pcCache(): bigint;
  pcScavBits(): bigint;
  runCount(): number;
  runHits(): number;
  classOfSize(size: number): number;
  classSize(c: number): number;
  classPages(c: number): number;
  classMagic(c: number): number;
  cClassOfSize(size: number): number;
  fittedPages(size: number): number;
  scratch(): number;
  /** The law that a check of the test flavours has found broken; 0: none. */
  brokenLaw(): number;
}

/** Exports of build/gomalloc-shared.wasm. */
export interface SharedMallocExports extends MallocExports, ThreadExitFunctions {}

/** The collector of a shared heap: assembly/abi/collectorshared.ts. */
export interface SharedCollectorExports extends CollectorExports {
  pins(p: number): number;
  setCheckmark(on: number): void;
  setClobberfree(on: number): void;
  gcFinish(): number;
  gcPhase(): number;
  marked(p: number): number;
}

/** What build/gomalloc-host-shared.wasm exports beyond the host ABI. Ps are 1..255, a result of 0 is none or no. */
export interface HostSharedExports extends HostExports, SharedMallocExports, SharedExports, SharedCollectorExports {
  numPs(): number;
}

interface PlainExports {
  malloc: MallocExports;
  host: HostExports;
  test: TestExports;
  shared: SharedMallocExports;
  "host-shared": HostSharedExports;
  "test-shared": HostSharedExports & TestExports;
}
type ExportsOf = PlainExports & { [F in keyof PlainExports as `${F}-profile`]: PlainExports[F] };

const ADDRESSES = new Set([
  ...["malloc", "calloc", "realloc", "aligned_alloc", "memalign", "malloc_usable_size", "mallocgc", "tryRealloc"],
  ...[
    "spanOf",
    "objectBase",
    "memstats",
    "validate",
    "validateDeep",
    "validateInfo",
    "reclaim",
    "scavengeOne",
    "scavengeBytes",
    "pagesAlloc",
    "pagesSearchAddr",
  ],
  ...["pcAlloc", "pcBase", "classMagic", "scratch", "stateAddress", "lockAddress"],
]);
const WORDS = new Set([
  ...[
    "pagesBits",
    "pagesScav",
    "pagesSum",
    "pallocSumOf",
    "fillAligned",
    "mergeSums",
    "pcCache",
    "pcScavBits",
    "pStat",
  ],
]);

/** The exports with unsigned results. */
export function unsigned<T>(exports: WebAssembly.Exports): T {
  const out: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(exports)) {
    if (typeof value !== "function") continue;
    const f = value as (...args: unknown[]) => unknown;
    if (ADDRESSES.has(name)) out[name] = (a: number, b: number, c: number) => (f(a, b, c) as number) >>> 0;
    else if (WORDS.has(name)) out[name] = (...args: unknown[]) => BigInt.asUintN(64, f(...args) as bigint);
    else out[name] = f;
  }
  return out as T;
}

/** Views of a memory that never go stale. */
export class Bytes {
  #u8: Uint8Array;
  #view: DataView;

  constructor(readonly memory: WebAssembly.Memory) {
    this.#u8 = new Uint8Array(memory.buffer);
    this.#view = new DataView(memory.buffer);
  }

  get u8(): Uint8Array {
    if (this.#u8.buffer !== this.memory.buffer) this.#u8 = new Uint8Array(this.memory.buffer);
    return this.#u8;
  }

  get view(): DataView {
    if (this.#view.buffer !== this.memory.buffer) this.#view = new DataView(this.memory.buffer);
    return this.#view;
  }

  /** Size of the memory in wasm pages. */
  get pages(): number {
    return this.memory.buffer.byteLength / WASM_PAGE;
  }

  u32(address: number): number {
    return this.view.getUint32(address, true);
  }
}

export interface OpenOptions {
  /** Wasm pages of the memory at the start; default 2. */
  initial?: number;
  /** Wasm pages that the memory may reach; default no maximum, in the shared flavours all that there are. */
  maximum?: number;
  /** Address for init; default the end of the initial memory. `null`: init is not called. */
  heapBase?: number | null;
}

export interface Opened<E> {
  e: E;
  mem: Bytes;
  /** Address given to init, or the end of the initial memory. */
  heapBase: number;
}

const modules = new Map<Flavour, WebAssembly.Module>();

/** Path of a flavour's module; GOMALLOC_BUILD names another directory than build/. */
export function wasmPath(flavour: Flavour): string {
  return join(process.env.GOMALLOC_BUILD ?? BUILD_DIR, FILES[flavour]);
}

export function wasmBytes(flavour: Flavour): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(wasmPath(flavour)));
}

/** The compiled module of a flavour; compiled once. */
export function wasmModule(flavour: Flavour): WebAssembly.Module {
  let module = modules.get(flavour);
  if (module === undefined) {
    module = new WebAssembly.Module(wasmBytes(flavour));
    modules.set(flavour, module);
  }
  return module;
}

/** A fresh instance over a memory of its own. */
export function open<F extends Flavour>(flavour: F, options: OpenOptions = {}): Opened<ExportsOf[F]> {
  const { initial = 2, maximum } = options;
  const memory = isShared(flavour)
    ? sharedMemory(initial, maximum)
    : new WebAssembly.Memory(maximum === undefined ? { initial } : { initial, maximum });
  return openOver(wasmModule(flavour), memory, options.heapBase);
}

/** A memory for the instances of several threads. Sizes in wasm pages. */
export function sharedMemory(initial = 2, maximum = MAX_PAGES): WebAssembly.Memory {
  return new WebAssembly.Memory({ initial, maximum, shared: true });
}

/**
 * Hooks for a flavour that samples (assembly/base/hooks.ts): each block is sampled, all from one stack, and has guarded
 * zones; damage is an error. There is no quarantine, so that freed memory is available at once, unless `quarantine` says
 * how many bytes wait there.
 */
export function samplingAll(memory: WebAssembly.Memory, quarantine = 0): WebAssembly.ModuleImports {
  const options = new Map([
    [M_PROFILE_RATE, 1],
    [M_PROFILE_GUARD, 1],
    [M_QUARANTINE, quarantine],
  ]);
  return {
    option: (param: number) => options.get(param) ?? 0,
    stack: (buffer: number) => {
      const view = new DataView(memory.buffer);
      view.setFloat64(buffer, 0, true);
      view.setUint32(buffer + 8, 0, true);
      view.setUint32(buffer + 16, 1, true);
      return 1;
    },
    report: (kind: number, sample: number) => {
      const ptr = new DataView(memory.buffer).getUint32(sample + 4, true);
      if (kind !== MISUSE_DOUBLE_FREE) throw new Error(`damage of kind ${kind} to the block at ${ptr}`);
    },
  };
}

/** A fresh instance of `module` over `memory`. */
export function openOver<E>(module: WebAssembly.Module, memory: WebAssembly.Memory, base?: number | null): Opened<E> {
  const instance = new WebAssembly.Instance(module, { env: { memory }, gomalloc: samplingAll(memory) });
  const e = unsigned<E & MallocExports>(instance.exports);
  const mem = new Bytes(memory);
  const heapBase = base ?? mem.pages * WASM_PAGE;
  if (base !== null) e.init(heapBase);
  return { e, mem, heapBase };
}

const BLOCK = 65536;

/** Index of the first byte that is not `value`, -1 if there is none; at the speed of memory. */
export function indexOfOther(bytes: Uint8Array, value: number): number {
  const wanted = Buffer.alloc(Math.min(BLOCK, bytes.length), value);
  for (let at = 0; at < bytes.length; at += BLOCK) {
    const part = bytes.subarray(at, at + BLOCK);
    if (Buffer.compare(part, wanted.subarray(0, part.length)) !== 0) return at + part.findIndex((b) => b !== value);
  }
  return -1;
}

/** MemStats of the host ABI, version 1, by name; sums of bytes and counts stay below 2^53. */
export interface Stats {
  sys: number;
  heapSys: number;
  heapInuse: number;
  heapIdle: number;
  heapAlloc: number;
  totalAlloc: number;
  mallocs: number;
  frees: number;
  tinyAllocs: number;
  largeMallocs: number;
  largeFrees: number;
  largeLiveBytes: number;
  mspanInuse: number;
  otherSys: number;
  refills: number;
  groupRefills: number;
  spanRefills: number;
  centralHits: number;
  centralGrows: number;
  pageCacheHits: number;
  pageCacheRefills: number;
  pageAllocs: number;
  sysGrows: number;
  sysGrowFailures: number;
  reclaims: number;
  reallocInPlace: number;
  reallocMoves: number;
  zeroedBytesSkipped: number;
  zeroedBytesCleared: number;
  misuses: number;
  spansInUse: number;
  tinyBlocks: number;
  heapRetained: number;
  stackInuse: number;
  mspanSys: number;
  mcacheInuse: number;
  mcacheSys: number;
  buckHashSys: number;
  gcSys: number;
  bySize: { size: number; mallocs: number; frees: number; spans: number }[];
}

const STAT_NAMES = [
  ...["sys", "heapSys", "heapInuse", "heapIdle", "heapAlloc", "totalAlloc", "mallocs", "frees", "tinyAllocs"],
  ...["largeMallocs", "largeFrees", "largeLiveBytes", "mspanInuse", "otherSys", "refills", "groupRefills"],
  ...["spanRefills", "centralHits", "centralGrows", "pageCacheHits", "pageCacheRefills", "pageAllocs", "sysGrows"],
  ...["sysGrowFailures", "reclaims", "reallocInPlace", "reallocMoves", "zeroedBytesSkipped", "zeroedBytesCleared"],
  ...["misuses", "spansInUse", "tinyBlocks", "heapRetained", "stackInuse", "mspanSys", "mcacheInuse", "mcacheSys"],
  ...["buckHashSys", "gcSys"],
] as const;

/** What `sys` is the sum of. */
export function sumOfSys(s: Stats): number {
  return s.heapSys + s.stackInuse + s.mspanSys + s.mcacheSys + s.buckHashSys + s.gcSys + s.otherSys;
}

const BY_SIZE_START = 40;
const BY_SIZE_WORDS = 4;
const CLASSES = 68;

/** Reads the MemStats record. */
export function readStats({ e, mem }: Opened<HostExports>): Stats {
  const at = e.memstats();
  if (at === 0) throw new Error("no memory for MemStats");
  const word = (i: number) => Number(mem.view.getBigUint64(at + i * 8, true));
  if (word(0) !== 1) throw new Error(`MemStats version ${word(0)}`);
  const stats: Record<string, unknown> = {};
  STAT_NAMES.forEach((name, i) => {
    stats[name] = word(i + 1);
  });
  stats.bySize = Array.from({ length: CLASSES }, (_, c) => {
    const w = BY_SIZE_START + c * BY_SIZE_WORDS;
    return { size: word(w), mallocs: word(w + 1), frees: word(w + 2), spans: word(w + 3) };
  });
  return stats as unknown as Stats;
}
