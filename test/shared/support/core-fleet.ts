/**
 * A crew of workers that play with malloc (core-worker.mjs), and the accounts of their blocks: every worker's stand in a
 * table of its own, in shared memory.
 */
import { expect } from "vitest";
import { M_QUARANTINE, type SharedFlavour, type Stats, WASM_PAGE, wasmModule } from "../../support/wasm.ts";
import { World } from "./core-world.ts";
import { Crew } from "./crew.ts";

export interface FleetOptions {
  flavour: SharedFlavour;
  seed: number;
  /** Workers that there are room for. */
  slots: number;
  /** Ps for the workers; 0: as many as they want. */
  procs?: number;
  /** The main thread has no P while the workers are at work, and none when it recovers one. */
  bare?: boolean;
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
  /** The flavour samples: workers change what is sampled, and guards. */
  sampled?: boolean;
  /** Wasm pages that the memory may reach; 0: enough for everything. */
  maximum?: number;
}

export class Fleet extends Crew {
  readonly ring = new Int32Array(new SharedArrayBuffer(4 * 512));
  readonly tables: Int32Array[];
  /** Of a million operations each. */
  protected override readonly patient = true;

  constructor(readonly options: FleetOptions) {
    const quarantine = options.sampled ? 65_536 : 0;
    const module = wasmModule(options.flavour);
    super(new World(module, 4, options.maximum || 16384, undefined, quarantine), options.seed, options.slots);
    if (options.procs) this.main.e.setProcs(options.procs + (options.bare ? 0 : 1));
    if (options.bare) this.main.e.releaseP();
    this.tables = Array.from({ length: options.slots }, () => {
      return new Int32Array(new SharedArrayBuffer(4 * ((options.blocks ?? 1000) + 64)));
    });
  }

  /** Starts a worker in a free slot. Its table is empty. */
  start(slot: number): void {
    const table = this.tables[slot]!;
    table.fill(0);
    const defaults = { blocks: 1000, bytes: 4 << 20, large: 100_000, turn: 0, stay: 4, foreign: false, maximum: 0 };
    this.launch(slot, "./core-worker.mjs", { ring: this.ring, table, options: { ...defaults, ...this.options } });
  }

  async untilOperations(n: number): Promise<void> {
    await this.until(() => this.operations() >= n || this.members.every((_, slot) => this.gone(slot)));
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
    // What waits in quarantine counts as live.
    if (options.sampled) main.e.mallopt(M_QUARANTINE, 0);
    const s = main.stats();
    const live = s.mallocs - s.frees - s.tinyAllocs;
    if (exact) expect(live, `live blocks, seed ${options.seed}`).toBe(this.known().size);
    expect(s.heapSys).toBe(s.heapInuse + s.heapIdle);
    for (let p = 1; p <= main.e.numPs(); p++) expect(main.stat(p, 3), "late double frees").toBe(0);
    return s;
  }

  /** Workers come to their end; their blocks stay in the tables. */
  override async stop(): Promise<void> {
    await super.stop();
    this.members.fill(undefined);
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
    const { main, options } = this;
    const bits = await this.bury(slot);
    if (options.bare) {
      expect(main.e.currentP(), "the P of who recovers").toBe(0);
      expect(main.e.acquireBeyond(main.token), "a P beyond the limit").not.toBe(0);
    }
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

  override resume(): void {
    if (this.options.bare) this.main.e.releaseP();
    super.resume();
  }

  /** Bytes of the memory. */
  get bytes(): number {
    return this.world.mem.pages * WASM_PAGE;
  }
}
