/**
 * Several instances over one shared memory in one thread, each standing for a thread of its own, and the blocks that
 * all of them hold: every block is filled with a byte of its own, and is checked when it is freed and on demand.
 *
 * A call that is under way is noted (`flight`), so that a test which kills an instance in the middle of it knows what
 * became uncertain: the block of that call, and nothing else.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect } from "vitest";
import { P_IDLE, P_UNUSED } from "../../../src/base/abinumbers.ts";
import { lagImports, SEEN } from "../../support/lagging.ts";
import {
  Bytes,
  type HostSharedExports,
  indexOfOther,
  M_LOCK_WAIT,
  M_QUARANTINE,
  readStats,
  type SharedFlavour,
  type Stats,
  samplingAll,
  sumOfSys,
  unsigned,
  WASM_PAGE,
  wasmModule,
} from "../../support/wasm.ts";
import { COUNTDOWN } from "./core-instrument.ts";

/** Node's garbage collector. */
const collect = (() => {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
})();

/** States of a P, counters of pStat, bits of recoverP. */
export {
  HELD_CENTRAL,
  HELD_HEAP,
  P_BLOCKED as BLOCKED,
  P_DEAD as DEAD,
  P_IDLE as IDLE,
  P_RUNNING as RUNNING,
  P_STARTING as STARTING,
  P_STOPPING as STOPPING,
  P_UNUSED as UNUSED,
  PSTAT_GROUPS_PUSHED as GROUPS_PUSHED,
  PSTAT_GROUPS_TAKEN as GROUPS_TAKEN,
  PSTAT_LATE_DOUBLE_FREES as LATE_DOUBLE_FREES,
  PSTAT_PAGES_OWNED as PAGES_OWNED,
  PSTAT_REMOTE_FREES as REMOTE_FREES,
  PSTAT_SPANS_GIVEN as SPANS_GIVEN,
  PSTAT_SPANS_TAKEN as SPANS_TAKEN,
  RECOVERED as DONE,
} from "../../../src/base/abinumbers.ts";

/** Byte offsets in a small span's record, and the bytes of a group and of its remote words. */
export const SPAN_START = 8;
export const SPAN_NGROUPS = 26;
export const SPAN_GROUPS = 32;
export const GROUP_BYTES = 16;
/** Bytes of a page of the heap's. */
const HEAP_PAGE = 8192;

/** Milliseconds that a thread waits for a lock. Instances of one thread never wait for each other. */
export const PATIENCE = 20;

export interface Block {
  p: number;
  size: number;
  fill: number;
}

/** One instance: what a worker would be. */
export class Thread {
  readonly e: HostSharedExports;
  readonly countdown: WebAssembly.Global | undefined;
  /** Of a lagging module: the pages that the instance sees. */
  readonly seen: WebAssembly.Global | undefined;

  constructor(
    readonly world: World,
    readonly token: number,
  ) {
    const { memory, module } = world;
    const gomalloc = samplingAll(memory, world.quarantine);
    const { exports } = new WebAssembly.Instance(module, { env: { memory }, gomalloc, ...lagImports(memory) });
    this.countdown = exports[COUNTDOWN] as WebAssembly.Global | undefined;
    this.seen = exports[SEEN] as WebAssembly.Global | undefined;
    this.e = unsigned<HostSharedExports>(exports);
    this.e.init(world.heapBase);
    // A lock that nobody gives back fails a test instead of hanging it.
    this.e.mallopt(M_LOCK_WAIT, PATIENCE);
  }

  /** Takes a P under the thread's token; its number. */
  acquire(): number {
    return this.e.acquireP(this.token);
  }

  malloc(size: number): number {
    return this.world.adopt(this.e.malloc(size), size);
  }

  mallocs(n: number, size: number): number[] {
    return Array.from({ length: n }, () => this.malloc(size));
  }

  calloc(size: number): number {
    return this.zeroed(this.e.calloc(1, size), size, "calloc");
  }

  /** An object with pointers, which is zero. */
  typed(size: number): number {
    return this.zeroed(this.e.mallocgc(size, 1, 1), size, "mallocgc");
  }

  zeroed(p: number, size: number, what: string): number {
    if (p !== 0 && indexOfOther(this.world.mem.u8.subarray(p, p + size), 0) >= 0)
      throw new Error(`${what} is not zero`);
    return this.world.adopt(p, size);
  }

  aligned(align: number, size: number): number {
    const p = this.world.adopt(this.e.aligned_alloc(align, size), size);
    if (p % align !== 0) throw new Error(`${p} is no multiple of ${align}`);
    return p;
  }

  free(p: number): void {
    this.world.depart(p);
    const kind = this.e.tryFree(p);
    if (kind !== 0) throw new Error(`the free of live block ${p.toString(16)} is refused as ${kind}`);
    this.world.flight = undefined;
  }

  frees(blocks: Iterable<number>): void {
    for (const p of blocks) this.free(p);
  }

  realloc(p: number, size: number): number {
    const { world } = this;
    const block = world.depart(p);
    const q = this.e.tryRealloc(p, size);
    world.flight = undefined;
    if (q === 0) {
      world.blocks.set(p, block);
      return 0;
    }
    const kept = Math.min(size, block.size);
    if (indexOfOther(world.mem.u8.subarray(q, q + kept), block.fill) >= 0) throw new Error("realloc lost contents");
    return world.adopt(q, size);
  }

  valid(what = "validate"): void {
    const code = this.e.validateDeep();
    if (code !== 0) throw new Error(`${what}: validate says ${code} at ${this.e.validateInfo().toString(16)}`);
  }

  stats(): Stats {
    const stats = readStats({ e: this.e, mem: this.world.mem, heapBase: this.world.heapBase });
    expect(stats.sys, "sys").toBe(sumOfSys(stats));
    return stats;
  }

  stat(id: number, i: number): number {
    return Number(this.e.pStat(id, i));
  }
}

/** What a world was at a moment. */
export interface Snapshot {
  bytes: Uint8Array;
  blocks: Map<number, Block>;
  initial: number;
}

export class World {
  memory: WebAssembly.Memory;
  mem: Bytes;
  blocks = new Map<number, Block>();
  /** All that were made since the last restore. */
  threads: Thread[] = [];
  /** The block of the call that is under way. */
  flight: Block | undefined;
  #fill = 0;
  #fresh = 0;

  constructor(
    readonly module: WebAssembly.Module,
    readonly initial = 16,
    readonly maximum = 1024,
    readonly heapBase = WASM_PAGE,
    /** Of a flavour that samples: bytes in quarantine. Each block is sampled and guarded. */
    readonly quarantine = 0,
  ) {
    this.memory = new WebAssembly.Memory({ initial, maximum, shared: true });
    this.mem = new Bytes(this.memory);
  }

  thread(token: number): Thread {
    const thread = new Thread(this, token);
    this.threads.push(thread);
    return thread;
  }

  /** Takes a new block up, or nothing: 0. */
  adopt(p: number, size: number): number {
    if (p === 0) return 0;
    if (p < this.heapBase || p + size > this.memory.buffer.byteLength) throw new Error(`${p} lies outside of the heap`);
    if (this.blocks.has(p)) throw new Error(`${p.toString(16)} is given out twice`);
    this.#fill = (this.#fill % 255) + 1;
    this.mem.u8.fill(this.#fill, p, p + size);
    this.blocks.set(p, { p, size, fill: this.#fill });
    return p;
  }

  /** A block is about to be freed or moved. */
  depart(p: number): Block {
    const block = this.blocks.get(p);
    if (block === undefined) throw new Error(`${p} is no block`);
    this.check(block);
    this.blocks.delete(p);
    this.flight = block;
    return block;
  }

  check({ p, size, fill }: Block): void {
    const at = indexOfOther(this.mem.u8.subarray(p, p + size), fill);
    if (at >= 0) throw new Error(`byte ${at} of ${size} at ${p.toString(16)} is ${this.mem.u8[p + at]}, not ${fill}`);
  }

  checkAll(): void {
    for (const block of this.blocks.values()) this.check(block);
  }

  /** Address of the remote word of group `i` of a span: the remote words of all groups follow the groups. */
  remoteWord(span: number, i: number): number {
    return span + SPAN_GROUPS + (this.mem.u8[span + SPAN_NGROUPS]! + i) * GROUP_BYTES;
  }

  /** Groups, by span and number, with slots that somebody has freed and no owner has taken over yet. */
  pending(t: Thread): string[] {
    const found: string[] = [];
    for (let p = this.heapBase; p < this.memory.buffer.byteLength; p += HEAP_PAGE) {
      const span = t.e.spanOf(p);
      // Each span at the page that it starts on.
      if (span === 0 || this.mem.u32(span + SPAN_START) !== (p & -HEAP_PAGE) >>> 0) continue;
      for (let i = 0; i < this.mem.u8[span + SPAN_NGROUPS]!; i++) {
        const bits = this.mem.view.getBigUint64(this.remoteWord(span, i), true);
        if (bits !== 0n) found.push(`span ${span.toString(16)}, group ${i}: ${bits.toString(16)}`);
      }
    }
    return found;
  }

  /** The word of lock `i`, as any thread sees it. */
  lockWord(t: Thread, i: number): number {
    return Atomics.load(new Int32Array(this.memory.buffer), t.e.lockAddress(i) >>> 2);
  }

  setLockWord(t: Thread, i: number, word: number): void {
    Atomics.store(new Int32Array(this.memory.buffer), t.e.lockAddress(i) >>> 2, word);
  }

  lockCounters(t: Thread, i: number): { acquired: number; contended: number; waits: number } {
    const at = t.e.lockAddress(i);
    const [acquired, contended, waits] = [8, 16, 24].map((d) => Number(this.mem.view.getBigUint64(at + d, true)));
    return { acquired: acquired!, contended: contended!, waits: waits! };
  }

  stateWord(t: Thread, id: number): number {
    return Atomics.load(new Int32Array(this.memory.buffer), t.e.stateAddress(id) >>> 2) >>> 0;
  }

  /** Ps in the hands of the thread `token`. */
  heldBy(t: Thread, token: number): number[] {
    const ids: number[] = [];
    for (let id = 1; id <= 255; id++) {
      const word = this.stateWord(t, id);
      if (word >>> 8 === token && (word & 0xff) !== P_IDLE && (word & 0xff) !== P_UNUSED) ids.push(id);
    }
    return ids;
  }

  /** `t` recovers the Ps of a thread that is gone, none of which it may miss. The bits that recoverP gave. */
  recoverAll(t: Thread, token: number): number {
    let bits = 0;
    for (const id of this.heldBy(t, token)) {
      let found = t.e.recoverP(id);
      let stuck = t.e.lastStuck();
      // A holder that lives has not had its turn for a second: the machine is busy.
      for (let tries = 1; (found & 1) === 0 && stuck !== 0 && tries < 10; tries++) {
        found |= t.e.recoverP(id);
        stuck = t.e.lastStuck();
      }
      const state = this.stateWord(t, id);
      expect(found & 1, `P ${id} recovered (stuck: ${stuck}, state ${state.toString(16)})`).toBe(1);
      // Idle, unless one of the living has taken it since.
      if ((state & 0xff) !== P_IDLE) expect(state >>> 8).not.toBe(token);
      bits |= found;
    }
    return bits;
  }

  /** `t` gives all back that it and the idle Ps cache; no lock is held then. */
  flush(t: Thread): void {
    t.e.mallopt(M_QUARANTINE, 0);
    for (let round = 0; round < 2; round++) {
      for (let id = 1; id <= t.e.numPs(); id++) if ((this.stateWord(t, id) & 0xff) === P_IDLE) t.e.flushP(id);
      t.e.releaseAll();
    }
    for (let i = 0; i < t.e.lockCount(); i++) expect(this.lockWord(t, i), `lock ${i}`).toBe(0);
  }

  /** Frees every block by `t`, checked, and flushes. */
  drain(t: Thread): Stats {
    t.frees([...this.blocks.keys()]);
    this.flush(t);
    t.valid("after everything was freed");
    return t.stats();
  }

  snapshot(): Snapshot {
    return { bytes: this.mem.u8.slice(), blocks: new Map(this.blocks), initial: this.mem.pages };
  }

  /** Back to a snapshot; instances that stood over the memory are dead by it. `fresh`: the memory has its size too. */
  restore(s: Snapshot, fresh: boolean): void {
    if (fresh) {
      // Each one takes address space until it is collected, which nothing else makes haste with.
      if (++this.#fresh % 16 === 0) collect();
      this.memory = new WebAssembly.Memory({ initial: s.initial, maximum: this.maximum, shared: true });
      this.mem = new Bytes(this.memory);
    }
    const { u8 } = this.mem;
    u8.set(s.bytes);
    u8.fill(0, s.bytes.length);
    this.blocks = new Map(s.blocks);
    this.threads = [];
    this.flight = undefined;
  }
}

/** A world of a flavour with the threads 1..n, which hold P 1..n. */
function startThreads(flavour: SharedFlavour, n: number, pages = 16, maximum = 1024): [World, ...Thread[]] {
  const world = new World(wasmModule(flavour), pages, maximum);
  const threads = Array.from({ length: n }, (_, i) => {
    const t = world.thread(i + 1);
    expect(t.acquire()).toBe(i + 1);
    return t;
  });
  return [world, ...threads];
}

/** What startThreads does, for one flavour. */
type Start = (n: number, pages?: number, maximum?: number) => [World, ...Thread[]];

/** Tests that both flavours for threads pass, each under its name. */
export function describeFlavours(body: (flavour: SharedFlavour, start: Start) => void): void {
  describe.each<SharedFlavour>(["host-shared", "test-shared"])("%s", (flavour) => {
    body(flavour, (n, pages, maximum) => startThreads(flavour, n, pages, maximum));
  });
}

/** All is freed, given up and flushed by `t`: nothing is live, nothing in use. */
export function expectNothingLeft(world: World, t: Thread): void {
  for (const other of world.threads) if (other !== t) other.e.releaseP();
  const s = world.drain(t);
  expect([s.heapAlloc, s.spansInUse, s.heapInuse]).toEqual([0, 0, 0]);
  expect(s.mallocs - s.frees).toBe(s.tinyAllocs);
}
