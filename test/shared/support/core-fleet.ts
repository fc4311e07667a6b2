/**
 * Workers over one shared heap, and the main thread that watches them: starts them, makes them quiet, checks the heap and
 * the accounts, buries the dead.
 *
 * The main thread holds a P of its own from the start. Every worker's blocks stand in a table of its own, in shared memory.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { expect } from "vitest";
import { M_LOCK_WAIT, type SharedFlavour, type Stats, WASM_PAGE, wasmModule } from "../../support/wasm.ts";
import { type Thread, World } from "./core-world.ts";
import { ask, askToStop, clearWords, hasLeft, isQuiet, makeControl, OPS, release, wordOf } from "./quiet.mjs";

/** Milliseconds without an operation of anybody after which a wait is a hang. */
const HANGS = 100_000;

/** The token of the main thread; workers have higher ones. */
const MAIN = 1;

export interface FleetOptions {
  flavour: SharedFlavour;
  seed: number;
  /** Workers that there are room for. */
  slots: number;
  /** Ps for the workers; 0: as many as they want. */
  procs?: number;
  /** Operations of a worker; -1: until it is stopped. */
  ops: number;
  /** Blocks and bytes that a worker keeps at most. */
  blocks?: number;
  bytes?: number;
  /** Bytes by which a large block is larger than the largest small one, at most. */
  large?: number;
  /** Operations after which a worker gives its P up for a moment; 0: never. */
  turn?: number;
  /** One chance in so many, of some, to give the P up for good. */
  stay?: number;
  /** Workers grow the memory for themselves now and then. */
  foreign?: boolean;
  /** Workers spend most of their time inside the allocator, under its locks. */
  dwell?: boolean;
  /** Wasm pages that the memory may reach; 0: enough for everything. */
  maximum?: number;
}

interface Member {
  worker: Worker;
  token: number;
  exited: Promise<number>;
}

export class Fleet {
  readonly world: World;
  readonly main: Thread;
  readonly control: Int32Array;
  readonly ring = new Int32Array(new SharedArrayBuffer(4 * 512));
  readonly tables: Int32Array[];
  readonly members: (Member | undefined)[];
  readonly errors: string[] = [];
  #tokens = MAIN;
  #module: WebAssembly.Module;

  constructor(readonly options: FleetOptions) {
    this.#module = wasmModule(options.flavour);
    this.world = new World(this.#module, 4, options.maximum || 16384);
    this.main = this.world.thread(MAIN);
    expect(this.main.acquire()).toBe(1);
    // Nobody waits that long for a lock whose holder lives.
    this.main.e.mallopt(M_LOCK_WAIT, 20_000);
    if (options.procs) this.main.e.setProcs(options.procs + 1);
    this.control = makeControl(options.slots);
    this.tables = Array.from({ length: options.slots }, () => {
      return new Int32Array(new SharedArrayBuffer(4 * ((options.blocks ?? 1000) + 64)));
    });
    this.members = Array.from({ length: options.slots }, () => undefined);
  }

  /** Starts a worker in a free slot. Its table is empty. */
  start(slot: number): void {
    const { world, control, ring, options } = this;
    const token = ++this.#tokens;
    const table = this.tables[slot]!;
    table.fill(0);
    clearWords(control, slot);
    const seed = Math.imul(options.seed * 1000 + token, 0x9e3779b1) >>> 0;
    const worker = new Worker(new URL("./core-worker.mjs", import.meta.url), {
      workerData: {
        ...{
          module: this.#module,
          memory: world.memory,
          base: world.heapBase,
          control,
          ring,
          table,
          slot,
          token,
          seed,
        },
        options: {
          blocks: 1000,
          bytes: 4 << 20,
          large: 100_000,
          turn: 0,
          stay: 4,
          foreign: false,
          maximum: 0,
          ...options,
        },
      },
    });
    worker.on("message", (m: { error?: string }) => {
      if (m.error !== undefined) this.errors.push(m.error);
    });
    worker.on("error", (error) => this.errors.push(String(error.stack)));
    const exited = new Promise<number>((resolve) => worker.on("exit", resolve));
    this.members[slot] = { worker, token, exited };
  }

  /** Fails with what the workers have complained of. */
  expectNoErrors(): void {
    if (this.errors.length > 0) throw new Error(`seed ${this.options.seed}: ${this.errors.slice(0, 3).join("\n")}`);
  }

  /** Operations of a worker. */
  operationsOf(slot: number): number {
    return this.control[wordOf(slot, OPS)]!;
  }

  /** Operations of all workers that are there. */
  operations(): number {
    return this.members.reduce((n, _, slot) => n + this.operationsOf(slot), 0);
  }

  /** Until `done`, or a worker complains, or nobody does anything for so long that something hangs. */
  async until(done: () => boolean): Promise<void> {
    let seen = -1;
    let end = 0;
    while (!done()) {
      this.expectNoErrors();
      if (this.operations() !== seen) {
        seen = this.operations();
        end = Date.now() + HANGS;
      } else if (Date.now() > end) throw new Error(`seed ${this.options.seed} hangs: ${this.#where()}`);
      await sleep(1);
    }
    this.expectNoErrors();
  }

  /** Where everybody is: words of control, holders of locks, states of the Ps. */
  #where(): string {
    const { world, main, control } = this;
    const locks: string[] = [];
    for (let i = 0; i < main.e.lockCount(); i++) {
      const word = world.lockWord(main, i);
      if (word !== 0) locks.push(`${i}: ${(word >>> 0).toString(16)}`);
    }
    const states: string[] = [];
    for (let id = 1; id <= main.e.numPs(); id++) states.push(world.stateWord(main, id).toString(16));
    const tokens = this.members.map((m) => m?.token);
    return `control [${control}], locks taken [${locks.join(", ")}], Ps [${states}], tokens [${tokens}]`;
  }

  async untilOperations(n: number): Promise<void> {
    await this.until(() => this.operations() >= n || this.members.every((_, slot) => this.gone(slot)));
  }

  /** Whether the worker of a slot has come to its end by itself. */
  gone(slot: number): boolean {
    return this.members[slot] === undefined || hasLeft(this.control, slot);
  }

  /** All workers between two operations, their blocks checked by themselves. */
  async pause(): Promise<void> {
    ask(this.control);
    await this.until(() => this.members.every((m, slot) => m === undefined || isQuiet(this.control, slot)));
  }

  resume(): void {
    release(this.control);
  }

  /** Addresses of all blocks that are known: in tables and in the ring. */
  known(): Set<number> {
    const all = new Set<number>();
    for (const words of [this.ring, ...this.tables]) for (const p of words) if (p !== 0) all.add(p >>> 0);
    return all;
  }

  /** The heap is sound and, unless somebody died, its accounts are exact. All are quiet. */
  check(exact: boolean): Stats {
    const { main, options } = this;
    main.valid(`seed ${options.seed}`);
    const s = main.stats();
    const live = s.mallocs - s.frees - s.tinyAllocs;
    if (exact) expect(live, `live blocks, seed ${options.seed}`).toBe(this.known().size);
    expect(s.heapSys).toBe(s.heapInuse + s.heapIdle);
    for (let p = 1; p <= main.e.numPs(); p++) expect(main.stat(p, 3), "late double frees").toBe(0);
    return s;
  }

  /** Workers come to their end; their blocks stay in the tables. */
  async stop(): Promise<void> {
    askToStop(this.control);
    await this.until(() => this.members.every((_, slot) => this.gone(slot)));
    await Promise.all(this.members.map((m) => m?.exited));
    this.members.fill(undefined);
    this.expectNoErrors();
  }

  /** Whatever happened, no worker stays. */
  async dispose(): Promise<void> {
    await Promise.all(this.members.map((m) => m?.worker.terminate()));
  }

  /** The main thread frees all that is known and flushes; what is left then. */
  freeAll(): Stats {
    const { main, world } = this;
    for (const p of this.known()) expect(main.e.tryFree(p), `free of ${p.toString(16)}`).toBe(0);
    this.ring.fill(0);
    for (const table of this.tables) table.fill(0);
    world.flush(main);
    main.valid(`seed ${this.options.seed}, after everything was freed`);
    return main.stats();
  }

  /**
   * Terminates the worker of a slot, whatever it is doing, and recovers its P. The bits that recoverP gave. Its blocks
   * are freed by the main thread when `then` has looked at the heap with all others quiet.
   */
  async kill(slot: number, then: () => void): Promise<number> {
    const { world, main } = this;
    const { worker, token, exited } = this.members[slot]!;
    await worker.terminate();
    await exited;
    this.members[slot] = undefined;
    const bits = world.recoverAll(main, token);
    await this.pause();
    then();
    // A block in the table twice was about to leave it.
    const table = this.tables[slot]!;
    const others = new Set<number>();
    for (const words of [this.ring, ...this.tables.filter((t) => t !== table)]) for (const p of words) others.add(p);
    for (const p of new Set(table)) {
      if (p !== 0 && !others.has(p))
        expect(main.e.tryFree(p), `free of a dead worker's ${(p >>> 0).toString(16)}`).toBe(0);
    }
    table.fill(0);
    return bits;
  }

  /** Bytes of the memory. */
  get bytes(): number {
    return this.world.mem.pages * WASM_PAGE;
  }
}
