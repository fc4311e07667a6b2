/**
 * Random mutation of a graph whose twin is kept in JavaScript. Now and then everything reachable is compared, edges and
 * payloads; after a collection exactly the reachable must be left, which all tell by finalizing and gomalloc by the bytes
 * that its cycle has marked, too.
 *
 * RT_SEED and RT_FUZZ_OPS choose another run; a failure prints the seed and the operation.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { SIZE_CLASSES } from "../../src/base/sizeclasses.ts";
import { between, env, type Random, random } from "../support/random.ts";
import { type Build, build, type Configuration, type Instance, instantiate, oursOr } from "./support/compile.ts";

const SEED = env("RT_SEED", 0x60a110c) >>> 0;
const OPS = env("RT_FUZZ_OPS", 20_000);
const ENTRY = "test/rt/programs/mutator.ts";

const CONFIGURATIONS: Configuration[] = [
  { name: "incremental", runtime: "incremental", flags: ["-O1"] },
  { name: "minimal", runtime: "minimal", flags: ["-O1"] },
  ...oursOr<Configuration>(
    { name: "gomalloc", runtime: "gomalloc", flags: ["-O3", "--converge"] },
    { name: "gomalloc, cycles without pause", runtime: "gomalloc", flags: ["--debug", "--use", "GOMALLOC_GOGC=10"] },
  ),
];

interface MutatorExports {
  open(slots: number): void;
  create(slot: number, kind: number, id: number, bytes: number): void;
  link(slot: number, i: number, other: number): void;
  unlink(slot: number, i: number): void;
  follow(slot: number, from: number, i: number): void;
  pluck(slot: number, from: number, i: number): void;
  clear(slot: number): void;
  swap(a: number, b: number): void;
  repay(slot: number, bytes: number): void;
  garbage(n: number, bytes: number): void;
  address(slot: number): number;
  adopt(slot: number, ptr: number): void;
  advance(budget: number): void;
  marked(): number;
  beginWalk(): void;
  alsoFrom(ptr: number): void;
  walk(): number;
  reported(): number;
  takeDeaths(): number;
  deathList(): number;
}

const SLOTS = 48;
const KINDS = ["pair", "list", "values", "keys", "fixed"] as const;
const KEYS = 3;
const LONGEST_LIST = 40;

interface Twin {
  readonly id: number;
  readonly kind: number;
  bytes: number;
  readonly edges: (Twin | null)[];
}

interface Pinned {
  readonly node: Twin;
  readonly ptr: number;
  count: number;
}

/** Bytes of the slot or the pages that gomalloc gives an object of `size` bytes behind its header of 8; none has no byte. */
function slotSize(size: number): number {
  const all = Math.max(size, 1) + 8;
  return SIZE_CLASSES.find((c) => c.size >= all)?.size ?? Math.ceil(all / 8192) * 8192;
}

class Fuzz {
  private readonly r: Random;
  private readonly instance: Instance<MutatorExports>;
  private readonly slots: (Twin | null)[] = new Array(SLOTS).fill(null);
  private readonly pins: Pinned[] = [];
  /** Numbers of the nodes that are not known to be dead. */
  private readonly living = new Set<number>();
  private made = 0;
  /** Bytes that are marked when there is no node. */
  private readonly base: number;
  private readonly ours: boolean;
  readonly seen = { nodes: 0, walks: 0, deaths: 0, longest: 0 };

  constructor(built: Build, configuration: Configuration, seed: number) {
    this.r = random(seed);
    this.ours = configuration.runtime === "gomalloc";
    this.instance = instantiate<MutatorExports>(built);
    const { exports } = this.instance;
    exports.open(SLOTS);
    this.walk();
    exports.__collect();
    this.base = exports.marked();
  }

  /** One operation. Throws where the program does. */
  step(): void {
    const { exports } = this.instance;
    const a = this.below(SLOTS);
    const b = this.below(SLOTS);
    const x = this.slots[a] ?? null;
    const y = this.slots[b] ?? null;
    const op = this.below(100);
    if (!x || op < 10) this.create(a);
    else if (op < 55) {
      const i = this.edge(x, y);
      if (i < 0) return;
      exports.link(a, i, b);
      // A node is a key once: at the new place.
      if (x.kind === KEYS && y) for (let j = 0; j < x.edges.length; j++) if (x.edges[j] === y) x.edges[j] = null;
      x.edges[i] = y;
    } else if (op < 58 && x.edges.length) {
      const i = this.below(x.edges.length);
      exports.unlink(a, i);
      x.edges[i] = null;
    } else if (op < 68 && x.edges.length) {
      const i = this.below(x.edges.length);
      exports.follow(b, a, i);
      this.slots[b] = x.edges[i]!;
    } else if (op < 76 && x.edges.length) {
      const i = this.below(x.edges.length);
      exports.pluck(b, a, i);
      this.slots[b] = x.edges[i]!;
      x.edges[i] = null;
    } else if (op < 80) {
      exports.clear(a);
      this.slots[a] = null;
    } else if (op < 84) {
      exports.swap(a, b);
      this.slots[a] = y;
      this.slots[b] = x;
    } else if (op < 88) {
      x.bytes = this.payload();
      exports.repay(a, x.bytes);
    } else if (op < 91) exports.garbage(between(this.r, 1, 60), this.payload() >> 3);
    else if (op < 94) this.pin(a, x);
    else if (op < 97) this.unpin(b);
    else exports.advance(between(this.r, 1, 4000));
  }

  private create(slot: number): void {
    const kind = this.below(KINDS.length);
    const bytes = this.payload();
    const id = ++this.made;
    this.instance.exports.create(slot, kind, id, bytes);
    const count = [2, 0, 6, 6, 6][kind]!;
    this.slots[slot] = { id, kind, bytes, edges: new Array(count).fill(null) };
    this.living.add(id);
  }

  /** A place for an edge to y in x, -1: none. A list takes one more at its end. */
  private edge(x: Twin, y: Twin | null): number {
    const n = x.edges.length;
    if (KINDS[x.kind] === "list") return n < LONGEST_LIST && this.below(4) ? n : this.below(Math.max(n, 1));
    return x.kind === KEYS && !y ? -1 : this.below(x.edges.length);
  }

  /** Built-in runtimes have one pin an object, gomalloc counts them. */
  private pin(slot: number, node: Twin): void {
    const pinned = this.pins.find((p) => p.node === node);
    if (pinned && !this.ours) return;
    const ptr = this.instance.exports.__pin(this.instance.exports.address(slot));
    if (pinned) pinned.count++;
    else this.pins.push({ node, ptr, count: 1 });
    if (this.below(2)) {
      this.instance.exports.clear(slot);
      this.slots[slot] = null;
    }
  }

  private unpin(slot: number): void {
    if (this.pins.length === 0) return;
    const at = this.below(this.pins.length);
    const pinned = this.pins[at]!;
    if (this.below(2)) {
      this.instance.exports.adopt(slot, pinned.ptr);
      this.slots[slot] = pinned.node;
    }
    this.instance.exports.__unpin(pinned.ptr);
    if (--pinned.count === 0) this.pins.splice(at, 1);
  }

  /** Mostly small, now and then beyond the largest size class. */
  private payload(): number {
    return this.below(1 << this.below(this.below(20) ? 9 : 17));
  }

  private below(n: number): number {
    return this.r() % n;
  }

  /** Compares all that is reachable with the twins. Returns the reachable nodes and the bytes they take in gomalloc. */
  verify(): { reachable: Set<number>; bytes: number } {
    const report = this.walk();
    const reachable = new Set<number>();
    const expected: number[] = [];
    const found: number[] = [];
    const queue: Twin[] = [];
    const reach = (node: Twin | null): number => {
      if (node && !reachable.has(node.id)) {
        reachable.add(node.id);
        queue.push(node);
      }
      return node?.id ?? 0;
    };
    for (const node of this.slots) reach(node);
    for (const { node } of this.pins) reach(node);
    for (const node of queue) expected.push(node.id, 1, node.bytes, node.edges.length, ...node.edges.map(reach));
    let bytes = 0;
    for (let at = 0; at < report.length; ) {
      const edges = report[at + 3]!;
      found.push(...report.subarray(at, at + 4 + edges));
      at += 4 + edges;
      const parts = report[at++]!;
      for (const size of report.subarray(at, at + parts)) bytes += slotSize(size);
      at += parts;
    }
    expect(found).toEqual(expected);
    this.seen.nodes = Math.max(this.seen.nodes, reachable.size);
    this.seen.longest = Math.max(this.seen.longest, ...queue.map((node) => node.edges.length));
    this.seen.walks++;
    this.buried(reachable);
    return { reachable, bytes };
  }

  private walk(): Uint32Array {
    const { exports } = this.instance;
    exports.beginWalk();
    for (const { ptr } of this.pins) exports.alsoFrom(ptr);
    const words = exports.walk();
    return new Uint32Array(exports.memory.buffer, exports.reported() >>> 0, words).slice();
  }

  /** Takes the numbers of the dead off the living: none of them may be reachable, none may die twice. */
  private buried(reachable: ReadonlySet<number>): void {
    const { exports } = this.instance;
    const n = exports.takeDeaths();
    for (const id of new Uint32Array(exports.memory.buffer, exports.deathList() >>> 0, n)) {
      expect(reachable.has(id), `node ${id} was freed while reachable`).toBe(false);
      expect(this.living.delete(id), `node ${id} was freed twice`).toBe(true);
      this.seen.deaths++;
    }
  }

  /** Collects: what is left must be what is reachable. */
  collect(): void {
    this.verify();
    const { exports } = this.instance;
    exports.__collect();
    // Before the next walk, whose allocations may begin a cycle.
    const marked = exports.marked() - this.base;
    const { reachable, bytes } = this.verify();
    if (this.ours) expect(marked).toBe(bytes);
    expect([...this.living].filter((id) => !reachable.has(id))).toEqual([]);
  }

  /** Lets everything go. */
  end(): void {
    const { exports } = this.instance;
    for (let i = 0; i < SLOTS; i++) exports.clear(i);
    this.slots.fill(null);
    for (const { ptr, count } of this.pins.splice(0)) for (let i = 0; i < count; i++) exports.__unpin(ptr);
    this.collect();
  }
}

describe.each(CONFIGURATIONS)("$name", (configuration) => {
  let built: Build;
  beforeAll(async () => {
    built = await build(ENTRY, configuration);
  });

  it.each([0, 1])("keeps what is reachable and nothing else, run %i", (run) => {
    const seed = SEED + run * 7919;
    const fuzz = new Fuzz(built, configuration, seed);
    let op = 0;
    try {
      for (; op < OPS; op++) {
        fuzz.step();
        if (op % 400 === 399) fuzz.verify();
        if (op % 1600 === 1599) fuzz.collect();
      }
      fuzz.end();
    } catch (error) {
      throw new Error(`RT_SEED=${seed - run * 7919}, run ${run}, operation ${op}`, { cause: error });
    }
    // The run was one worth the name.
    expect(fuzz.seen.nodes).toBeGreaterThan(100);
    expect(fuzz.seen.longest).toBeGreaterThan(8);
  });
});
