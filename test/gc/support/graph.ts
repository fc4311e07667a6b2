/**
 * A random program over the host API of the collector, and a model of its object graph in JavaScript.
 *
 * The model knows of every object its layout, what each of its pointers is meant to hold and which roots there are.
 * From that follows what is reachable, byte for byte: after any step all of it must be as written, and after a whole
 * cycle exactly that must be live. Roots of all kinds, pointers into objects, typed copies and clears, frees by hand,
 * plain blocks of malloc's and pieces of cycles come in random order. Deterministic by seed.
 */
import type { Arena, Collector, GCType, Handle, RootRange, ShadowStack, WeakPointer } from "../../../src/index.ts";
import { OutOfMemoryError } from "../../../src/index.ts";
import { between, type Random, random } from "../../support/random.ts";
import { type GCHeap, liveBytes, openGC, STAT_UNCHECKED } from "./heap.ts";

/** An object of the model. */
interface Node {
  readonly id: number;
  readonly ptr: number;
  readonly bytes: number;
  /** Null: bytes without pointers, or "words". */
  readonly type: GCType<string> | null;
  /** Byte offsets of all words that may hold pointers. */
  readonly slots: readonly number[];
  /** What they hold: a node and an offset in it. */
  readonly out: Map<number, Edge>;
  /** Addresses of the indirections of its weak pointers, by their offsets. */
  readonly indirections: Map<number, number>;
  /** How often its finalizer has been called. */
  finalized: number;
  freed: boolean;
  /** The arena that it was allocated from; null: none, or it outlives that. */
  region: Region | null;
}

/** An arena and what was allocated from it. */
interface Region {
  readonly arena: Arena;
  readonly nodes: Node[];
  freed: boolean;
}

interface Edge {
  readonly to: Node;
  readonly offset: number;
}

/** A root: where it is, and what it holds. */
interface HandleRoot {
  readonly handle: Handle;
  edge: Edge | null;
}

/** Types: sizes that are and are no powers of two, on both sides of 128 bytes, and more than 128 KiB. */
const LAYOUTS: { size: number; pointers: number[] }[] = [
  { size: 4, pointers: [0] },
  { size: 8, pointers: [4] },
  { size: 12, pointers: [0, 8] },
  { size: 20, pointers: [4] },
  { size: 28, pointers: [0, 12, 24] },
  { size: 64, pointers: [0, 60] },
  { size: 124, pointers: [4, 120] },
  { size: 132, pointers: [0, 128] },
  { size: 200, pointers: [100] },
  { size: 1028, pointers: [0, 4, 512, 1024] },
  { size: 5000, pointers: [2496, 4996] },
  { size: 40_000, pointers: [0, 20_000, 39_996] },
  { size: 131_072, pointers: [8, 131_068] },
];

/** What is larger is no part of an arena's chunk. */
const MAX_IN_CHUNK = 32_768;
/** Objects of an arena at most. */
const REGION_NODES = 120;

const RANGE_WORDS = 24;
/** Objects up to this many bytes are copied and cleared, and have all of their pointers used. */
const BULK = 4000;

/** What hangs on an object of the model's. */
interface Hung {
  readonly node: Node;
  readonly kind: "cleanup" | "finalizer";
  /** What undoes it. */
  readonly stop: () => boolean;
}

/** A weak pointer of the model's. */
interface WeakTo {
  readonly weak: WeakPointer<string>;
  readonly node: Node;
  readonly offset: number;
  /** The node's `finalized` when it was made: it ends when that changes. */
  readonly born: number;
}

export interface GraphOptions {
  /** Most bytes of the heap. Out of memory is then part of the game. */
  maxBytes?: number;
  /** Largest array of pointers, bytes. */
  largest?: number;
  /** The most handles at a time. */
  roots?: number;
  /** Cleanups, finalizers and weak pointers. */
  specials?: boolean;
  /** Arenas. Not with `maxBytes`. */
  arenas?: boolean;
}

export class Graph {
  readonly r: Random;
  readonly o: GCHeap;
  readonly gc: Collector;
  readonly types: GCType<string>[];
  readonly handles: HandleRoot[] = [];
  readonly pins: Node[] = [];
  readonly stack: ShadowStack;
  readonly stacked: (Edge | null)[] = [];
  readonly range: RootRange;
  readonly ranged: (Edge | null)[] = Array.from({ length: RANGE_WORDS }, () => null);
  readonly blocks: number[] = [];
  readonly hung: Hung[] = [];
  readonly weak: WeakTo[] = [];
  readonly regions: Region[] = [];
  /** Arenas freed, and chunks of such that a pointer kept over a cycle. */
  regionsFreed = 0;
  quarantined = 0;
  /** Finalizers and cleanups that have run. */
  finalized = 0;
  cleaned = 0;
  readonly limited: boolean;
  readonly specials: boolean;
  readonly arenas: boolean;
  readonly largest: number;
  readonly roots: number;
  nextId = 1;
  time = 0;
  refused = 0;
  frees = 0;
  cyclesBegun = 0;

  constructor(seed: number, options: GraphOptions = {}) {
    this.r = random(seed);
    // A clock of the model's own: what is done within a budget is the same in each run.
    this.o = openGC({ clock: () => ++this.time, limiter: false, ...options });
    this.gc = this.o.gc;
    this.limited = options.maxBytes !== undefined;
    this.specials = options.specials ?? false;
    this.arenas = options.arenas ?? false;
    this.largest = options.largest ?? 1_400_000;
    this.roots = options.roots ?? 24;
    this.types = LAYOUTS.filter(({ size }) => size <= this.largest).map((layout) => this.gc.defineType<string>(layout));
    this.stack = this.gc.shadowStack(64);
    const words = this.o.heap.calloc(RANGE_WORDS, 4);
    this.range = this.gc.addRoots(words, RANGE_WORDS * 4);
  }

  chance(n: number): boolean {
    return this.r() % n === 0;
  }

  pick<T>(from: readonly T[]): T | undefined {
    return from[this.r() % Math.max(from.length, 1)];
  }

  /** Everything that the roots reach; with `kept` also what finalizers keep, but for their own objects. */
  reachable(kept = false): Set<Node> {
    const seen = new Set<Node>();
    const grey: Node[] = [];
    const visit = (edge: Edge | null): void => {
      if (edge === null || seen.has(edge.to) || isFaulted(edge)) return;
      seen.add(edge.to);
      grey.push(edge.to);
    };
    for (const { nodes } of this.regions) for (const to of nodes) visit({ to, offset: 0 });
    for (const { edge } of this.handles) visit(edge);
    for (const node of this.pins) visit({ to: node, offset: 0 });
    for (const edge of this.stacked) visit(edge);
    for (const edge of this.ranged) visit(edge);
    if (kept) {
      for (const { node, kind } of this.hung)
        if (kind === "finalizer") for (const edge of node.out.values()) visit(edge);
    }
    for (let node = grey.pop(); node !== undefined; node = grey.pop())
      for (const edge of node.out.values()) visit(edge);
    return seen;
  }

  // What the words of an object are meant to be

  pattern(node: Node, at: number): number {
    const word = Math.imul(node.id * 40503 + at, 2654435761) >>> 0;
    // Where a pointer may be, in one of the elements without slots too, a number that looks like one would keep something alive.
    const pointer = node.type === null ? node.slots.length > 0 : node.type.pointers.includes(at % node.type.size);
    return pointer ? word % 1000 : word;
  }

  /** Bytes at an object's start and end that carry a pattern, as far as they are no pointers. */
  *patterned(node: Node): Iterable<number> {
    const words = node.bytes >>> 2;
    const slots = new Set(node.slots);
    for (let word = 0; word < words; word++) {
      if (word === 24) word = Math.max(word, words - 24);
      if (!slots.has(word * 4)) yield word * 4;
    }
  }

  fill(node: Node): void {
    const { u32, u8 } = this.o.heap;
    if (node.ptr % 4 === 0) for (const at of this.patterned(node)) u32[(node.ptr + at) >>> 2] = this.pattern(node, at);
    else u8.fill(node.id & 0xff, node.ptr, node.ptr + node.bytes);
  }

  verify(node: Node): void {
    const { u32, u8 } = this.o.heap;
    const wrong = (at: number, found: number): never => {
      throw new Error(`object ${node.id} of ${node.bytes} at ${node.ptr}: ${found} at ${at}`);
    };
    for (const at of node.slots) {
      const edge = node.out.get(at);
      const found = u32[(node.ptr + at) >>> 2]!;
      if (found !== address(edge ?? null)) wrong(at, found);
    }
    if (node.ptr % 4 !== 0) {
      for (let at = 0; at < node.bytes; at++) if (u8[node.ptr + at] !== (node.id & 0xff)) wrong(at, u8[node.ptr + at]!);
      return;
    }
    for (const at of this.patterned(node)) {
      const found = u32[(node.ptr + at) >>> 2]!;
      if (found !== this.pattern(node, at)) wrong(at, found);
    }
  }

  // Objects

  /** A new object by `make`, verified to be zero and filled; null: no memory. */
  adopt(bytes: number, type: GCType<string> | null, slots: number[], make: () => number): Node | null {
    let ptr = 0;
    try {
      ptr = make();
    } catch (error) {
      this.refuse(error);
      return null;
    }
    const memory = this.o.heap.u8;
    for (let at = 0; at < bytes; at += at < 4096 ? 1 : 509) {
      if (memory[ptr + at] !== 0)
        throw new Error(`a new object of ${bytes} at ${ptr} has ${memory[ptr + at]} at ${at}`);
    }
    const node: Node = {
      id: this.nextId++,
      ptr,
      bytes,
      type,
      slots,
      out: new Map(),
      indirections: new Map(),
      finalized: 0,
      freed: false,
      region: null,
    };
    this.fill(node);
    return node;
  }

  refuse(error: unknown): void {
    if (!(error instanceof OutOfMemoryError) || !this.limited) throw error;
    this.refused++;
  }

  /** What to make: bytes, type, slots, and the ways to make it with a handle and without. */
  shape(): { bytes: number; type: GCType<string> | null; slots: number[]; new: () => Handle; bare: () => number } {
    const { r, gc } = this;
    const kind = r() % 16;
    if (kind < 2) {
      const bytes = kind === 0 ? between(r, 1, 15) : between(r, 16, this.chance(8) ? 60_000 : 600);
      return { bytes, type: null, slots: [], new: () => gc.newBytes(bytes), bare: () => gc.allocateBytes(bytes) };
    }
    if (kind < 4) {
      const bytes = 4 * between(r, 1, this.chance(10) ? 20_000 : 100);
      const slots = Array.from({ length: Math.min(bytes / 4, 40) }, (_, i) => i * 4);
      // The last words too: a piece of marking ends somewhere between.
      for (let i = 0; i < 8; i++) if (bytes - 4 - i * 4 > slots.at(-1)!) slots.push(bytes - 4 - i * 4);
      return {
        bytes,
        type: null,
        slots,
        new: () => gc.newConservative(bytes),
        bare: () => gc.allocateConservative(bytes),
      };
    }
    const small = this.types.filter(({ size }) => size <= 1100);
    const type = this.chance(12) ? this.pick(this.types)! : this.pick(small)!;
    const most = Math.max(1, Math.min(this.chance(60) ? this.largest : 2000, this.largest) / type.size);
    const count = this.chance(3) ? between(r, 1, Math.floor(most)) : 1;
    const bytes = type.size * count;
    const elements =
      bytes <= BULK
        ? range(0, count)
        : [...new Set([...range(0, Math.min(6, count)), ...range(Math.max(count - 6, 0), count)])];
    const slots = elements.flatMap((i) => type.pointers.map((at) => i * type.size + at));
    return { bytes, type, slots, new: () => gc.new(type, count), bare: () => gc.allocate(type, count) };
  }

  allocate(): void {
    const { bytes, type, slots, ...make } = this.shape();
    const place = this.r() % 12;
    const parent = place > 2 ? this.pick([...this.reachable()].filter(({ slots }) => slots.length > 0)) : undefined;
    if (place === 0 && this.stack.depth < this.stack.capacity) {
      const node = this.adopt(bytes, type, slots, make.bare);
      if (node === null) return;
      this.stack.push(node.ptr);
      this.stacked.push({ to: node, offset: 0 });
    } else if (parent !== undefined) {
      const node = this.adopt(bytes, type, slots, make.bare);
      if (node === null) return;
      // Mostly where nothing is lost by it: graphs should grow.
      const at = this.pick(parent.slots.filter((slot) => !parent.out.has(slot))) ?? this.pick(parent.slots)!;
      this.gc.writePointer(parent.ptr + at, node.ptr);
      parent.out.set(at, { to: node, offset: 0 });
    } else if (place === 2) {
      const node = this.adopt(bytes, type, slots, make.bare);
      if (node === null) return;
      const word = this.r() % RANGE_WORDS;
      this.setRange(word, { to: node, offset: 0 });
    } else {
      let handle: Handle | undefined;
      const node = this.adopt(bytes, type, slots, () => {
        handle = make.new();
        return handle.ptr;
      });
      if (node !== null) this.handles.push({ handle: handle!, edge: { to: node, offset: 0 } });
    }
  }

  /** A place in a reachable object, or null. */
  someEdge(nodes: readonly Node[]): Edge | null {
    const to = this.pick(nodes);
    if (to === undefined || this.chance(6)) return null;
    return { to, offset: this.chance(3) ? this.r() % to.bytes : 0 };
  }

  setRange(word: number, edge: Edge | null): void {
    this.ranged[word] = edge;
    const slot = this.range.start + word * 4;
    // With the barrier or without: a registered range needs none. What is no pointer is nothing to the collector.
    if (edge === null && this.chance(2)) this.o.heap.u32[slot >>> 2] = this.r() % 1000;
    else if (this.chance(2)) this.gc.writePointer(slot, address(edge));
    else this.o.heap.u32[slot >>> 2] = address(edge);
  }

  // Mutation

  link(): void {
    const nodes = [...this.reachable()];
    const from = this.pick(nodes.filter((node) => node.slots.length > 0));
    if (from === undefined) return;
    const at = this.pick(from.slots)!;
    const edge = this.someEdge(nodes);
    this.gc.writePointer(from.ptr + at, address(edge));
    if (edge === null) from.out.delete(at);
    else from.out.set(at, edge);
  }

  /** Moves a pointer to another object or to a root: what it points to is hidden, if the marking has been there. */
  move(): void {
    const nodes = [...this.reachable()];
    const from = this.pick(nodes.filter(({ out }) => out.size > 0));
    if (from === undefined) return;
    const [at, edge] = this.pick([...from.out])!;
    const into = this.pick(nodes.filter((node) => node.slots.length > 0))!;
    const place = this.r() % 8;
    if (place === 0 && this.stack.depth < this.stack.capacity) {
      this.stack.push(address(edge));
      this.stacked.push(edge);
    } else if (place === 1) {
      this.setRange(this.r() % RANGE_WORDS, edge);
    } else if (place === 2 && this.handles.length > 0 && !isFaulted(edge)) {
      const held = this.pick(this.handles)!;
      held.handle.set(address(edge));
      held.edge = edge;
    } else {
      const slot = this.pick(into.slots)!;
      this.gc.writePointer(into.ptr + slot, address(edge));
      into.out.set(slot, edge);
      if (into === from && slot === at) return;
    }
    this.gc.writePointer(from.ptr + at, 0);
    from.out.delete(at);
  }

  /** Copies or clears elements within an object, or from one to another of the type. */
  bulk(): void {
    const nodes = [...this.reachable()].filter((node) => node.type !== null && node.bytes <= BULK);
    const to = this.pick(nodes);
    if (to === undefined) return;
    const type = to.type!;
    const elements = to.bytes / type.size;
    const first = this.r() % elements;
    if (this.chance(3)) {
      const n = between(this.r, 1, elements - first);
      this.gc.clear(type, to.ptr + first * type.size, n);
      for (const at of to.slots) if (inside(at, first, n, type.size)) to.out.delete(at);
      this.repattern(to, first, n);
      return;
    }
    const from = this.pick(nodes.filter((node) => node.type === type && (node === to || this.chance(2)))) ?? to;
    const source = this.r() % (from.bytes / type.size);
    const n = between(this.r, 1, Math.min(elements - first, from.bytes / type.size - source));
    this.gc.copy(type, to.ptr + first * type.size, from.ptr + source * type.size, n);
    const moved = new Map<number, Edge | undefined>();
    for (let i = 0; i < n; i++) {
      for (const offset of type.pointers) {
        moved.set((first + i) * type.size + offset, from.out.get((source + i) * type.size + offset));
      }
    }
    for (const [at, edge] of moved) {
      if (edge === undefined) to.out.delete(at);
      else to.out.set(at, edge);
    }
    this.repattern(to, first, n);
  }

  /** The words of elements that are no pointers carry the object's own pattern again. */
  repattern(node: Node, first: number, n: number): void {
    const { u32 } = this.o.heap;
    for (const at of this.patterned(node)) {
      if (inside(at, first, n, node.type!.size)) u32[(node.ptr + at) >>> 2] = this.pattern(node, at);
    }
  }

  // Roots

  root(): void {
    const { gc, stack, stacked, handles, pins } = this;
    const nodes = [...this.reachable()];
    const edge = this.someEdge(nodes);
    switch (this.r() % 9) {
      case 0:
      case 1: {
        const i = this.r() % Math.max(handles.length, 1);
        handles.splice(i, 1)[0]?.handle.dispose();
        break;
      }
      case 2: {
        const held = this.pick(handles);
        if (held === undefined) break;
        held.handle.set(address(edge));
        held.edge = edge;
        break;
      }
      case 3:
        if (edge !== null) {
          try {
            handles.push({ handle: gc.handle(address(edge)), edge });
          } catch (error) {
            this.refuse(error);
          }
        }
        break;
      case 4:
        if (edge !== null && pins.length < 20) {
          try {
            gc.pin(address(edge));
            pins.push(edge.to);
          } catch (error) {
            this.refuse(error);
          }
        }
        break;
      case 5: {
        const [node] = pins.splice(this.r() % Math.max(pins.length, 1), 1);
        if (node !== undefined) gc.unpin(node.ptr + (this.r() % node.bytes));
        break;
      }
      case 6:
        if (stack.depth < stack.capacity) {
          stack.push(address(edge));
          stacked.push(edge);
        }
        break;
      case 7:
        for (let n = this.r() % 4; n > 0 && stacked.length > 0; n--) {
          if (stack.pop() !== address(stacked.pop()!)) throw new Error("the stack popped something else");
        }
        break;
      default:
        this.setRange(this.r() % RANGE_WORDS, edge);
    }
  }

  /** A few handles less: most objects are reachable through others alone. */
  unroot(): void {
    for (let n = this.r() % this.roots; n > 0; n--) {
      this.handles.splice(this.r() % this.handles.length, 1)[0]!.handle.dispose();
    }
  }

  /** Frees a reachable object by hand, when all that points to it has been told. */
  free(): void {
    const nodes = [...this.reachable()];
    const node = this.pick(nodes.filter(({ bytes, slots, region }) => !region && (slots.length > 0 || bytes >= 16)));
    if (node === undefined || this.pins.includes(node)) return;
    // What only a finalizer keeps may point to it, and is not told.
    const kept = [...this.reachable(true), ...this.hung.map((entry) => entry.node)];
    for (const from of kept) {
      if (!nodes.includes(from) && [...from.out.values()].some(({ to }) => to === node)) return;
    }
    for (const from of nodes) {
      for (const [at, { to }] of from.out) {
        if (to !== node) continue;
        this.gc.writePointer(from.ptr + at, 0);
        from.out.delete(at);
      }
    }
    for (const [word, edge] of this.ranged.entries()) if (edge?.to === node) this.setRange(word, null);
    const top = this.stack.pointer;
    for (const [depth, edge] of this.stacked.entries()) {
      if (edge?.to !== node) continue;
      const low = this.o.heap.u32[top >>> 2]!;
      this.stack.set(low + (this.stacked.length - 1 - depth) * 4, 0);
      this.stacked[depth] = null;
    }
    for (const held of this.handles) {
      if (held.edge?.to !== node) continue;
      held.handle.set(null);
      held.edge = null;
    }
    if (this.chance(2)) this.gc.free(node.ptr);
    else this.o.heap.free(node.ptr);
    node.freed = true;
    const finalizer = this.finalizerOf(node);
    if (finalizer !== undefined) this.hung.splice(this.hung.indexOf(finalizer), 1);
    this.frees++;
  }

  /** Plain blocks beside the objects, with numbers in them that look like pointers. */
  plain(): void {
    const { heap } = this.o;
    if (this.blocks.length > 20 || (this.blocks.length > 0 && this.chance(2))) {
      heap.free(this.blocks.splice(this.r() % this.blocks.length, 1)[0]!);
      return;
    }
    const size = this.chance(5) ? between(this.r, 1, 100_000) : between(this.r, 1, 300);
    const block = heap.tryMalloc(size);
    if (block === 0) {
      this.refuse(new OutOfMemoryError(size));
      return;
    }
    this.blocks.push(block);
    const node = this.pick(this.handles)?.edge?.to;
    if (size >= 4 && node !== undefined) heap.u32[block >>> 2] = node.ptr;
  }

  /** A cleanup, a finalizer or a weak pointer, or the end of one. */
  special(): void {
    const nodes = [...this.reachable()].filter(({ region }) => region === null);
    const node = this.pick(nodes);
    if (node === undefined) return;
    try {
      const kind = this.r() % 8;
      if (kind < 3) this.newWeak(node, this.chance(2) ? 0 : this.r() % node.bytes);
      else if (kind < 5) this.newCleanup(node);
      else if (kind === 5) this.newFinalizer(node);
      else if (kind === 6) this.weak.splice(this.r() % Math.max(this.weak.length, 1), 1)[0]?.weak.dispose();
      else this.stop(this.pick(this.hung.filter((entry) => nodes.includes(entry.node))));
    } catch (error) {
      this.refuse(error);
    }
  }

  newWeak(node: Node, offset: number): void {
    // Its block may outlive it, and the indirection with it.
    if (isTiny(node)) return;
    const weak = this.gc.weak(node.ptr + offset);
    this.weak.push({ weak, node, offset, born: node.finalized });
    node.indirections.set(offset, weak.indirection.ptr);
  }

  newCleanup(node: Node): void {
    const cleanup = this.gc.onCollect(node.ptr + (this.r() % node.bytes), () => this.clean(entry));
    const entry: Hung = { node, kind: "cleanup", stop: () => cleanup.stop() };
    this.hung.push(entry);
  }

  newFinalizer(node: Node): void {
    if (isTiny(node) || this.finalizerOf(node) !== undefined) return;
    this.gc.setFinalizer(node.ptr, ({ ptr }) => this.finalize(entry, ptr));
    const entry: Hung = { node, kind: "finalizer", stop: () => this.gc.setFinalizer(node.ptr, null) };
    this.hung.push(entry);
  }

  finalizerOf(node: Node): Hung | undefined {
    return this.hung.find((entry) => entry.node === node && entry.kind === "finalizer");
  }

  stop(entry: Hung | undefined): void {
    if (entry === undefined) return;
    if (!entry.stop()) throw new Error(`the ${entry.kind} of ${entry.node.id} was not there`);
    this.hung.splice(this.hung.indexOf(entry), 1);
  }

  /** Runs the callbacks of what was found dead. How many. */
  runFinished(): number {
    const before = this.finalized + this.cleaned;
    try {
      this.gc.runFinished();
    } catch (error) {
      this.refuse(error);
    }
    return this.finalized + this.cleaned - before;
  }

  /** A callback runs: once, and not for what is reachable. */
  ran(entry: Hung): void {
    const what = `the ${entry.kind} of ${entry.node.id}`;
    if (!this.hung.includes(entry)) throw new Error(`${what} ran twice`);
    if (this.reachable(true).has(entry.node)) throw new Error(`${what} ran, which is reachable`);
    this.hung.splice(this.hung.indexOf(entry), 1);
  }

  clean(entry: Hung): void {
    this.ran(entry);
    this.cleaned++;
  }

  /** The object and all it points to is as written. */
  finalize(entry: Hung, ptr: number): void {
    this.ran(entry);
    const { node } = entry;
    if (ptr !== node.ptr) throw new Error(`the finalizer of ${node.id} got ${ptr}`);
    this.verify(node);
    this.finalized++;
    node.finalized++;
    node.indirections.clear();
    if (!this.chance(4)) return;
    // It comes back to life.
    try {
      this.handles.push({ handle: this.gc.handle(ptr), edge: { to: node, offset: 0 } });
    } catch (error) {
      this.refuse(error);
    }
  }

  /** What weak pointers say: the address while the object is reachable, never that of one that has ended. */
  checkWeak(): void {
    const alive = this.reachable(true);
    for (const { weak, node, offset, born } of this.weak) {
      const { ptr } = weak;
      const what = `a weak pointer to ${node.id} at ${node.ptr} + ${offset} says ${ptr}`;
      if (ptr === 0 ? alive.has(node) && node.finalized === born : ptr !== node.ptr + offset) throw new Error(what);
      if (ptr !== 0 && (node.freed || node.finalized !== born)) throw new Error(`${what} and has ended`);
    }
  }

  /** Some objects of an arena, or the end of one. */
  region(): void {
    const { gc, regions } = this;
    if (regions.length === 0 || (regions.length < 4 && this.chance(20))) {
      regions.push({ arena: gc.arena(), nodes: [], freed: false });
    }
    const region = this.pick(regions)!;
    if (this.chance(25) || region.nodes.length > REGION_NODES) {
      this.freeRegion(region);
      return;
    }
    const { arena, nodes } = region;
    for (let n = between(this.r, 1, 8); n > 0; n--) {
      const { bytes, type, slots } = this.shape();
      // Arenas have no conservative objects.
      if (type === null && slots.length > 0) continue;
      let handle: Handle | undefined;
      const node = this.adopt(bytes, type, slots, () => {
        if (!this.chance(8)) return type ? arena.allocate(type, bytes / type.size) : arena.allocateBytes(bytes);
        handle = type ? (arena.new(type, bytes / type.size) as Handle) : arena.newBytes(bytes);
        return handle.ptr;
      })!;
      node.region = region;
      nodes.push(node);
      if (handle !== undefined) this.handles.push({ handle, edge: { to: node, offset: 0 } });
      const parent = this.pick(this.pick(regions)!.nodes.filter((other) => other.slots.length > 0));
      if (parent === undefined) continue;
      const at = this.pick(parent.slots)!;
      gc.writePointer(parent.ptr + at, node.ptr);
      parent.out.set(at, { to: node, offset: 0 });
    }
  }

  freeRegion(region: Region): void {
    region.arena.free();
    region.freed = true;
    this.regions.splice(this.regions.indexOf(region), 1);
    for (const node of region.nodes) if (node.bytes > MAX_IN_CHUNK) node.region = null;
    this.regionsFreed++;
  }

  /** Chunks of freed arenas that something reachable points into. */
  faulted(): Set<number> {
    const chunks = new Set<number>();
    const add = (edge: Edge | null): void => {
      if (edge === null || !isFaulted(edge)) return;
      const chunk = this.o.heap.objectBase(edge.to.ptr);
      if (chunk === 0) throw new Error(`the chunk of ${edge.to.id} at ${edge.to.ptr} was freed, and is in use`);
      chunks.add(chunk);
    };
    for (const { edge } of this.handles) add(edge);
    for (const to of this.pins) add({ to, offset: 0 });
    for (const edge of [...this.stacked, ...this.ranged]) add(edge);
    for (const { out } of this.reachable(true)) for (const edge of out.values()) add(edge);
    for (const { node, kind } of this.hung) {
      if (kind === "finalizer") for (const edge of node.out.values()) add(edge);
    }
    return chunks;
  }

  /** A piece of a cycle. */
  cycle(): void {
    const { gc, r } = this;
    switch (r() % 8) {
      case 0:
        if (gc.start()) this.cyclesBegun++;
        break;
      case 1:
        gc.sweep(1);
        break;
      case 2:
        gc.step({ budgetMs: 1 });
        break;
      case 3:
        gc.setOptions({ auto: this.chance(2), heapMinimum: 65536 });
        break;
      case 4:
        if (this.chance(2)) this.o.heap.releaseAll();
        else this.o.heap.reclaim();
        break;
      default:
        gc.step({ bytes: between(r, 1, 3000) });
    }
  }

  step(): void {
    if (this.arenas && this.chance(5)) {
      this.region();
      return;
    }
    const kind = this.r() % (this.specials ? 112 : 100);
    if (kind >= 110) this.runFinished();
    else if (kind >= 100) this.special();
    else if (kind < 35) this.allocate();
    else if (kind < 47) this.link();
    else if (kind < 57) this.move();
    else if (kind < 64) this.bulk();
    else if (kind < 84) this.root();
    else if (kind < 87) this.free();
    else if (kind < 91) this.plain();
    else this.cycle();
    if (this.handles.length > this.roots) this.unroot();
  }

  /** All that is reachable is as written. */
  check(): void {
    for (const node of this.reachable(true)) this.verify(node);
    if (this.chance(2)) this.checkWeak();
    this.o.heap.validate({ deep: true });
  }

  /** A whole cycle; then nothing but the reachable is live. */
  collect(): void {
    this.gc.collect();
    // What a finalizer has brought back, or let go; and then the indirections of the dead.
    while (this.runFinished() > 0) this.gc.collect();
    if (this.specials) this.gc.collect();
    this.check();
    const live = liveBytes(this.o);
    const wanted = this.expected();
    if (live !== wanted) throw new Error(`${live} bytes are live, ${wanted} are reachable`);
    if (!this.limited && this.o.raw.gcStat(STAT_UNCHECKED) !== 0) throw new Error("a cycle was not checked");
  }

  /** Bytes of slots that what is reachable takes, and the blocks of malloc's. */
  expected(): number {
    const { heap } = this.o;
    let bytes = heap.usableSize(this.stack.pointer) + heap.usableSize(this.range.start);
    for (const block of this.blocks) bytes += heap.usableSize(block);
    const tiny = new Set<number>();
    const indirections = new Set(this.weak.map(({ weak }) => weak.indirection.ptr));
    for (const { arena, nodes } of this.regions) {
      const kept = new Set(nodes.map(({ ptr }) => heap.objectBase(ptr)));
      // Its root, and a link for each chunk and each large object.
      bytes += arena.byteLength + 8 + 8 * kept.size;
    }
    const faulted = this.faulted();
    this.quarantined += faulted.size;
    for (const chunk of faulted) bytes += heap.usableSize(chunk);
    for (const node of this.reachable(true)) {
      if (node.region !== null) continue;
      if (isTiny(node)) tiny.add(node.ptr - (node.ptr % 16));
      else bytes += heap.usableSize(node.ptr);
      for (const ptr of node.indirections.values()) indirections.add(ptr);
    }
    return bytes + tiny.size * 16 + indirections.size * 16;
  }

  /** Lets everything go: nothing is left. */
  drain(): void {
    for (const region of [...this.regions]) this.freeRegion(region);
    for (const { handle } of this.handles.splice(0)) handle.dispose();
    for (const node of this.pins.splice(0)) this.gc.unpin(node.ptr);
    while (this.stacked.length > 0) {
      this.stack.pop();
      this.stacked.pop();
    }
    for (let word = 0; word < RANGE_WORDS; word++) this.setRange(word, null);
    for (const { weak } of this.weak.splice(0)) weak.dispose();
    this.runFinished();
    // A cycle of objects with a finalizer is never freed.
    for (const entry of [...this.hung]) if (entry.kind === "finalizer") this.stop(entry);
    for (const { handle } of this.handles.splice(0)) handle.dispose();
    this.collect();
    if (this.hung.length > 0) throw new Error(`${this.hung.length} callbacks have not run`);
    const left = this.o.heap.stats().heapObjects;
    // The stack, the range, and malloc's blocks.
    if (left !== 2 + this.blocks.length) throw new Error(`${left} objects are left`);
  }
}

/** Whether an edge leads into a freed arena. */
function isFaulted({ to }: Edge): boolean {
  return to.region?.freed ?? false;
}

function isTiny({ slots, bytes }: Node): boolean {
  return slots.length === 0 && bytes < 16;
}

function address(edge: Edge | null): number {
  return edge === null ? 0 : edge.to.ptr + edge.offset;
}

function inside(at: number, first: number, n: number, size: number): boolean {
  return at >= first * size && at < (first + n) * size;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

/** Plays `steps` steps; an error names the seed and the step. */
export function playGraph(seed: number, steps: number, options: GraphOptions = {}): Graph {
  const graph = new Graph(seed, options);
  let i = 0;
  try {
    for (; i < steps; i++) {
      graph.step();
      if (i % 50 === 49) graph.check();
      if (i % 500 === 499) graph.collect();
    }
    graph.collect();
    graph.drain();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`seed ${seed}, step ${i} of ${steps}: ${why}`, { cause: error });
  }
  return graph;
}
