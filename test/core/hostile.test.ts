/**
 * The C API, called with hostile values: sizes near 2^32, alignments that are none, addresses of nobody, result addresses
 * outside of the memory. A shadow model says what each call may do. A refused call changes no byte of the memory, no call
 * traps but one that the docs say traps, and nothing is lost: in the host flavours the live blocks are those of the model,
 * in the others a second run finds as much room as the first did.
 *
 * HOSTILE_SEED and HOSTILE_CALLS (per flavour) choose another run; a failure prints the seed.
 */
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { between, env, type Random, random } from "../support/random.ts";
import {
  EINVAL,
  ENOMEM,
  type HostExports,
  isShared,
  M_CAN_BLOCK,
  M_LOCK_WAIT,
  M_MAX_BYTES,
  M_MISUSE,
  M_RESERVE,
  M_SOFT_LIMIT,
  type MallocExports,
  type Opened,
  openOver,
  sharedMemory,
  WASM_PAGE,
  wasmPath,
} from "../support/wasm.ts";

const SEED = env("HOSTILE_SEED", 0xbadca11);
const CALLS = env("HOSTILE_CALLS", 1500);
/** Wasm pages of the memory: small, so that it is often full. */
const MAX_MEMORY = 24;
/** Memory of the test's own, below the heap. */
const HEAP_BASE = 4096;
const U32 = 2 ** 32;

const FLAVOURS = ["malloc", "host", "shared", "host-shared"] as const;
const BUILDS = FLAVOURS.flatMap((flavour) =>
  [wasmPath(flavour), wasmPath(flavour).replace(/\.wasm$/, ".debug.wasm")]
    .filter((path) => existsSync(path))
    .map((path) => ({ flavour, path, name: path.replace(/^.*\//, "") })),
);

const NUMBERS = [
  ...[0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 24, 32, 48, 63, 64, 128, 1000, 1024, 4096, 8191, 8192, 8193, 32768],
  ...[32769, 65535, 65536, 100_000, 1 << 20, 1 << 24, 2 ** 30, 2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, 3 * 2 ** 30],
  ...[U32 - 131072, U32 - 65537, U32 - 65536, U32 - 65535, U32 - 8192, U32 - 4096, U32 - 16, U32 - 4, U32 - 2, U32 - 1],
];

function open(
  path: string,
  flavour: (typeof FLAVOURS)[number],
  base: number | null = HEAP_BASE,
): Opened<MallocExports> {
  const memory = isShared(flavour)
    ? sharedMemory(2, MAX_MEMORY)
    : new WebAssembly.Memory({ initial: 2, maximum: MAX_MEMORY });
  return openOver<MallocExports>(new WebAssembly.Module(readFileSync(path)), memory, base);
}

/** What a call came to: its result, or that it trapped. */
function attempt(call: () => number | undefined): number | "trap" {
  try {
    return call() ?? 0;
  } catch (error) {
    expect(error).toBeInstanceOf(WebAssembly.RuntimeError);
    return "trap";
  }
}

const isPowerOfTwo = (n: number) => n > 0 && Number.isInteger(Math.log2(n));

class Model {
  readonly live = new Map<number, { size: number; fill: number }>();
  readonly e: MallocExports;
  /** Misuse traps, as against returning without effect. */
  traps = true;
  #fill = 0;

  constructor(
    readonly o: Opened<MallocExports>,
    readonly r: Random,
  ) {
    this.e = o.e;
  }

  get bytes(): Uint8Array {
    return new Uint8Array(this.o.mem.memory.buffer);
  }

  /** A new block: where a block may be, over no other one, filled with a byte of its own. */
  add(p: number, size: number, align: number, what: string): void {
    expect(p % align, what).toBe(0);
    expect(p, what).toBeGreaterThanOrEqual(HEAP_BASE);
    expect(p + size, what).toBeLessThanOrEqual(this.bytes.length);
    for (const [q, block] of this.live) {
      if (p < q + Math.max(block.size, 1) && q < p + Math.max(size, 1)) expect.fail(`${what}: over the block at ${q}`);
    }
    this.#fill = (this.#fill + 1) & 0xff;
    this.bytes.fill(this.#fill, p, p + size);
    this.live.set(p, { size, fill: this.#fill });
  }

  expectKept(p: number, size: number, fill: number, what: string): void {
    const bytes = this.bytes;
    for (let i = p; i < p + size; i++) if (bytes[i] !== fill) expect.fail(`${what}: contents of ${p} lost`);
  }

  remove(p: number, what: string): void {
    const { size, fill } = this.live.get(p) as { size: number; fill: number };
    this.expectKept(p, size, fill, what);
    this.live.delete(p);
  }

  /** A live block, 0 when there is none. */
  someBlock(): number {
    const blocks = [...this.live.keys()];
    return blocks.length === 0 ? 0 : (blocks[this.r() % blocks.length] as number);
  }

  /** An address that is no live block's start. */
  foreign(): number {
    const p = this.someBlock();
    const end = this.bytes.length;
    const near = [1, 2, 4, 8, 15, 16, 24, 64, 4096, 8192];
    const step = near[this.r() % near.length] as number;
    const choices = [p + step, p - step, this.r(), this.r() % end, this.r() % HEAP_BASE, end - step, end + step - 1];
    const all = [...choices, HEAP_BASE, U32 - step, 2 ** 31, 2 ** 31 - step, 2 ** 22 - step, (this.r() % end) & ~15];
    const address = (all[this.r() % all.length] as number) >>> 0;
    return address === 0 || this.live.has(address) ? 4 : address;
  }

  /** A call that must be refused with `result`: nothing of the memory changes. */
  refused(what: string, results: (number | "trap")[], call: () => number | undefined): void {
    const before = this.bytes.slice();
    const got = attempt(call);
    if (!results.includes(got)) expect.fail(`${what} gives ${got}, not ${results.join(" or ")}`);
    const now = this.bytes;
    expect(now.length, what).toBe(before.length);
    if (Buffer.compare(now, before) === 0) return;
    // Host flavours count misuses, shared ones taken locks: words that are one more than before. Nothing else may differ.
    const [was, is] = [new BigUint64Array(before.buffer), new BigUint64Array(now.slice().buffer)];
    const changed: number[] = [];
    for (let i = 0; i < was.length; i++) if (was[i] !== is[i]) changed.push(i);
    const counts = "memstats" in this.e || "gomalloc_thread_exit" in this.e;
    const isCounted = counts && changed.every((i) => is[i] === (was[i] as bigint) + 1n);
    if (!isCounted) expect.fail(`${what} changed the words at ${changed.slice(0, 8).map((i) => i * 8)}`);
  }

  /** One call. */
  step(): void {
    const { e, r } = this;
    const n = NUMBERS[r() % NUMBERS.length] as number;
    const m = NUMBERS[r() % NUMBERS.length] as number;
    const size = r() % 3 === 0 ? n : between(r, 0, 3000);
    const misused: (number | "trap")[] = [this.traps ? "trap" : 0];
    switch (r() % 14) {
      case 0:
        this.allocated(`malloc(${size})`, () => e.malloc(size), size, 8);
        return;
      case 1: {
        const what = `calloc(${n}, ${m})`;
        if (n * m >= U32) {
          this.refused(what, [0], () => e.calloc(n, m));
          return;
        }
        this.allocated(what, () => e.calloc(n, m), n * m, 8, true);
        return;
      }
      case 2:
      case 3: {
        const name = r() % 2 ? "aligned_alloc" : "memalign";
        const what = `${name}(${n}, ${size})`;
        if (!isPowerOfTwo(n)) {
          this.refused(what, [0], () => e[name](n, size));
          return;
        }
        this.allocated(what, () => e[name](n, size), size, n);
        return;
      }
      case 4:
      case 5:
        this.posixMemalign(n, size);
        return;
      case 6:
      case 7: {
        const p = this.someBlock();
        if (p === 0) return;
        this.remove(p, `free(${p})`);
        const what = `free(${p})`;
        expect(
          attempt(() => e.free(p) as undefined),
          what,
        ).toBe(0);
        this.refused(`${what} again`, misused, () => e.free(p) as undefined);
        return;
      }
      case 8: {
        const p = this.foreign();
        this.refused(`free(${p})`, misused, () => e.free(p) as undefined);
        return;
      }
      case 9: {
        const p = this.foreign();
        this.refused(`realloc(${p}, ${n})`, misused, () => e.realloc(p, n));
        return;
      }
      case 10:
        this.reallocate(size);
        return;
      case 11: {
        const p = this.someBlock();
        if (p !== 0 && n > e.malloc_usable_size(p)) {
          this.refused(`free_sized(${p}, ${n})`, misused, () => e.free_sized(p, n) as undefined);
          return;
        }
        const q = this.foreign();
        this.refused(`free_sized(${q}, ${n})`, misused, () => e.free_sized(q, n) as undefined);
        return;
      }
      case 12: {
        const p = this.foreign();
        const before = this.bytes.slice();
        const usable = attempt(() => e.malloc_usable_size(p));
        if (usable === "trap" || usable > 32768) expect.fail(`malloc_usable_size(${p}) gives ${usable}`);
        expect(Buffer.compare(this.bytes, before), `malloc_usable_size(${p})`).toBe(0);
        return;
      }
      default:
        this.settings(n, m);
        return;
    }
  }

  allocated(what: string, call: () => number, size: number, align: number, zero = false): void {
    const p = attempt(call);
    if (p === "trap") expect.fail(`${what} traps`);
    if (p === 0) {
      // A small one must be had while there is room for a megabyte.
      expect(size > 4096 || align > 4096 || this.used() > WASM_PAGE * 4, what).toBe(true);
      return;
    }
    if (zero) this.expectKept(p, size, 0, what);
    this.add(p, size, size >= 16 ? Math.max(align, 16) : align, what);
  }

  used(): number {
    return [...this.live.values()].reduce((sum, { size }) => sum + size, 0);
  }

  posixMemalign(align: number, size: number): void {
    const { e, r } = this;
    const end = this.bytes.length;
    const outs = [
      16,
      17,
      HEAP_BASE - 4,
      HEAP_BASE - 5,
      end - 3,
      end - 1,
      end,
      end + 5,
      2 ** 31,
      U32 - 4,
      U32 - 3,
      U32 - 1,
    ];
    const out = outs[r() % outs.length] as number;
    const what = `posix_memalign(${out}, ${align}, ${size})`;
    if (!isPowerOfTwo(align) || align < 4) {
      this.refused(what, [EINVAL], () => e.posix_memalign(out, align, size));
    } else if (out + 4 > end) {
      this.refused(what, ["trap"], () => e.posix_memalign(out, align, size));
    } else {
      const code = attempt(() => e.posix_memalign(out, align, size));
      if (code === ENOMEM) return;
      expect(code, what).toBe(0);
      this.add(new DataView(this.bytes.buffer).getUint32(out, true), size, align, what);
    }
  }

  reallocate(size: number): void {
    const { e } = this;
    const p = this.someBlock();
    if (p === 0) return;
    const what = `realloc(${p}, ${size})`;
    const old = this.live.get(p) as { size: number; fill: number };
    const q = attempt(() => e.realloc(p, size));
    if (q === "trap") expect.fail(`${what} traps`);
    if (q === 0) {
      this.expectKept(p, old.size, old.fill, what);
      return;
    }
    this.expectKept(q, Math.min(size, old.size), old.fill, what);
    this.live.delete(p);
    this.add(q, size, 8, what);
  }

  /** Options of any number and value, a second init, trims, the end of the thread: none traps, and all go on. */
  settings(n: number, m: number): void {
    const { e, r } = this;
    switch (r() % 5) {
      case 0:
        this.refused(`init(${n})`, [0], () => e.init(n) as undefined);
        return;
      case 1:
        expect([0, 1], `malloc_trim(${n})`).toContain(attempt(() => e.malloc_trim(n)));
        return;
      case 2:
        if (!("gomalloc_thread_exit" in e)) return;
        expect(attempt(e.gomalloc_thread_exit as () => undefined)).toBe(0);
        e.malloc_trim(0);
        return;
      default: {
        const param = r() % 3 === 0 ? n : between(r, 0, 8);
        const taken = attempt(() => e.mallopt(param, m));
        expect([0, 1], `mallopt(${param}, ${m})`).toContain(taken);
        if (taken === 1 && param === M_MISUSE) this.traps = m === 0;
        // What stays set would refuse all that follows.
        if (param === M_MAX_BYTES || param === M_SOFT_LIMIT || param === M_LOCK_WAIT) e.mallopt(param, 0);
        if (param === M_RESERVE) e.mallopt(param, 1 << 20);
        if (param === M_CAN_BLOCK) e.mallopt(param, 1);
      }
    }
  }

  expectWhole(what: string): void {
    for (const [p, { size, fill }] of this.live) this.expectKept(p, size, fill, what);
    if (!("memstats" in this.e)) return;
    const e = this.e as HostExports;
    expect(e.validateDeep(), `${what}: validate`).toBe(0);
    const at = e.memstats();
    const word = (i: number) => Number(this.o.mem.view.getBigUint64(at + i * 8, true));
    expect(word(7) - word(8), `${what}: live blocks`).toBe(this.live.size);
  }

  freeAll(): void {
    for (const p of [...this.live.keys()]) {
      this.remove(p, "at the end");
      this.e.free(p);
    }
    this.e.malloc_trim(0);
  }

  /** How many blocks of 1000 bytes fit. */
  room(): number {
    const blocks: number[] = [];
    for (let p = this.e.malloc(1000); p !== 0; p = this.e.malloc(1000)) blocks.push(p);
    for (const p of blocks) this.e.free(p);
    this.e.malloc_trim(0);
    return blocks.length;
  }
}

describe("the C API under hostile values", () => {
  it.each(BUILDS)("$name: nothing is broken and nothing lost", ({ path, flavour }) => {
    const o = open(path, flavour);
    const rooms = [0, 1].map(() => {
      // The same calls twice: what the first run had to place for good is there for the second.
      const model = new Model(o, random(SEED));
      o.e.mallopt(M_MISUSE, 0);
      // In a shared heap it takes a P, which a refused call might otherwise have to do.
      o.e.malloc_trim(0);
      for (let i = 0; i < CALLS; i++) {
        model.step();
        if (i % 500 === 499) model.expectWhole(`seed ${SEED}, call ${i}`);
      }
      model.freeAll();
      model.expectWhole(`seed ${SEED}, all freed`);
      return model.room();
    });
    expect(rooms[0]).toBeGreaterThan(1000);
    expect(rooms[1]).toBeGreaterThanOrEqual((rooms[0] as number) - 8);
  });

  it.each(BUILDS)(
    "$name: init with any base never traps, and the heap works or says that there is no memory",
    (build) => {
      for (const base of [
        ...NUMBERS,
        WASM_PAGE * MAX_MEMORY,
        WASM_PAGE * MAX_MEMORY - 1,
        WASM_PAGE * (MAX_MEMORY - 1),
      ]) {
        const { e, mem } = open(build.path, build.flavour, null);
        expect(
          attempt(() => e.init(base) as undefined),
          `init(${base})`,
        ).toBe(0);
        const p = attempt(() => e.malloc(100));
        if (p === "trap") expect.fail(`init(${base}), malloc(100) traps`);
        if (p === 0) continue;
        expect(p + 100).toBeLessThanOrEqual(mem.memory.buffer.byteLength);
        expect(
          attempt(() => e.free(p) as undefined),
          `init(${base})`,
        ).toBe(0);
      }
    },
  );
});
