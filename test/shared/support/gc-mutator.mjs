/**
 * A program on a collected shared heap, as one thread of it sees it: a graph of objects of its own, with a shadow of it in
 * JavaScript, links to objects of other threads, objects that are freed by hand, and seeded random steps between them.
 *
 * An object's first two words are its number and a word that goes with it; its pointers lie at known places. All objects of
 * this thread that are in `nodes` are reached from its handles. `mail` carries handles between threads: an object in it is
 * kept by whoever takes it, or freed, as the sign says. Every address in a variable is good inside of the gate only.
 */

/** Places of the shared words: handles on the way, positive ones to be kept, negative ones to be freed. */
export const MAIL_WORDS = 64;

const HAS_FINALIZER = 0xffffffff;

/** Kinds of objects: bytes of an element, elements, and the byte offsets of some pointers, of all kinds of slots. */
const KINDS = [
  { size: 16, n: 1, slots: [8, 12] },
  { size: 32, n: 1, slots: [8, 12, 20, 28] },
  { size: 128, n: 1, slots: [8, 60, 124] },
  { size: 248, n: 1, slots: [8, 128, 244] },
  { size: 16, n: 60, slots: [8, 12, 24, 940, 956] },
  { size: 4000, n: 3, slots: [8, 3996, 4008, 11_996] },
  { size: 16, n: 11_000, slots: [8, 40_008, 131_080, 140_008, 175_996] },
];
const WEIGHTS = [30, 30, 12, 8, 6, 2, 1];
const TOTAL = WEIGHTS.reduce((a, b) => a + b);

const word = (id) => (Math.imul(id, 0x9e3779b1) ^ 0x5bd1e995) | 0;

/** Makes the types of KINDS, for all threads: their addresses. A pointer is what is no number. */
export function makeTypes(e, memory) {
  return KINDS.map(({ size, n, slots }) => {
    const type = e.newType(size, size) >>> 0;
    if (type === 0) throw new Error("no memory for a type");
    const view = new DataView(memory.buffer);
    // In an array every element has pointers where one of `slots` falls, which is nowhere where the first one's numbers are:
    // a number that looks like an address, and was written without a barrier, would keep what stands there, or not.
    for (const slot of slots) {
      const bit = (slot % size) >> 2;
      const at = type + 16 + (bit >> 5) * 4;
      view.setUint32(at, view.getUint32(at, true) | (1 << (bit & 31)), true);
    }
    return { type, n };
  });
}

export class Mutator {
  /** Objects by number: address, kind, edges (numbers, negative ones are other threads'), in-edges not known. */
  nodes = new Map();
  /** Handles of this thread: number of the handle -> number of the object. */
  roots = new Map();
  /** Objects that nothing but their handle points to: handle -> number. */
  loose = new Map();
  /** Cleanups and finalizers: number -> the object's number and address. */
  hung = new Map();
  /** Weak pointers: handle of the indirection -> its address, the object's number and address, whether it has ended. */
  weak = new Map();
  /** Numbers of the objects whose cleanups or finalizers were called. */
  finalized = new Set();
  steps = 0;
  ended = 0;
  taken = 0;
  freed = 0;
  #next;
  #state;

  constructor({ e, memory, types, mail, seed, index, most }) {
    Object.assign(this, { e, memory, types, mail, most });
    // Room for a million objects of 2,000 threads.
    this.#next = 1 + (index << 20);
    this.#state = seed | 1;
    this.seed = seed;
    this.view = new DataView(memory.buffer);
  }

  below(n) {
    let s = this.#state;
    s ^= s << 13;
    s ^= s >>> 17;
    s ^= s << 5;
    this.#state = s;
    return (s >>> 0) % n;
  }

  fail(what) {
    throw new Error(`seed ${this.seed}, step ${this.steps}: ${what}`);
  }

  /** A view that reaches the object at p. */
  at(p, bytes = 8) {
    if (p + bytes > this.view.byteLength) {
      if (this.memory.buffer.byteLength < p + bytes) this.memory.grow?.(0);
      this.view = new DataView(this.memory.buffer);
    }
    return this.view;
  }

  inside(play) {
    if (this.e.gcEnter() !== 1) this.fail("the gate does not open");
    const result = play();
    this.e.gcLeave();
    return result;
  }

  /** The number of an intact object at p. */
  number(p, what) {
    const view = this.at(p);
    const id = view.getInt32(p, true);
    if (id === 0 || view.getInt32(p + 4, true) !== word(id)) {
      this.fail(`${what} at ${p.toString(16)} is ${id} ${view.getInt32(p + 4, true).toString(16)}: no object`);
    }
    return id;
  }

  /** A new object with a handle of its own. Inside of the gate. */
  #make() {
    let kind = 0;
    for (let r = this.below(TOTAL); r >= WEIGHTS[kind]; kind++) r -= WEIGHTS[kind];
    const { type, n } = this.types[kind];
    const p = this.e.newObject(type, n) >>> 0;
    if (p === 0) return undefined;
    const { size, slots } = KINDS[kind];
    const view = this.at(p, size * n);
    for (const slot of [0, 4, ...slots]) {
      if (view.getInt32(p + slot, true) !== 0) this.fail(`a new object's word ${slot} at ${p.toString(16)} is not 0`);
    }
    const id = this.#next++;
    view.setInt32(p, id, true);
    view.setInt32(p + 4, word(id), true);
    const handle = this.e.handleNew(p);
    if (handle === 0) return undefined;
    const node = { id, p, kind, edges: slots.map(() => 0) };
    this.nodes.set(id, node);
    return { node, handle };
  }

  #any() {
    const n = this.roots.size;
    if (n === 0) return undefined;
    // Some steps from a random root.
    const keys = [...this.roots.values()];
    let node = this.nodes.get(keys[this.below(n)]);
    for (let i = this.below(4); i > 0; i--) {
      const next = node.edges[this.below(node.edges.length)];
      if (next > 0) node = this.nodes.get(next);
    }
    return node;
  }

  /** Points slot i of a node to another, or nowhere. */
  #link(node, i, to) {
    this.e.writePointer(node.p + KINDS[node.kind].slots[i], to === undefined ? 0 : to.p);
    node.edges[i] = to === undefined ? 0 : to.id;
  }

  #create() {
    const made = this.#make();
    if (made === undefined) return;
    const { node, handle } = made;
    const kind = this.below(4);
    if (kind === 0) this.loose.set(handle, node.id);
    else if (kind === 1 || this.roots.size === 0) this.roots.set(handle, node.id);
    else {
      // It hangs on another from now on.
      const owner = this.#any();
      this.#link(owner, this.below(owner.edges.length), node);
      if (this.below(2) === 0) this.#link(node, 0, this.#any());
      this.e.handleFree(handle);
    }
  }

  /** The children of one node move to another, and one is lost: the stores that lose objects without a barrier. */
  #move() {
    const from = this.#any();
    const to = this.#any();
    if (from === undefined) return;
    const i = this.below(from.edges.length);
    const child = from.edges[i];
    if (child < 0) return;
    const j = this.below(to.edges.length);
    const node = child > 0 ? this.nodes.get(child) : undefined;
    if (this.below(2) === 0) {
      this.#link(from, i, undefined);
      this.#link(to, j, node);
    } else {
      this.#link(to, j, node);
      if (from !== to || i !== j) this.#link(from, i, undefined);
    }
  }

  #root() {
    const node = this.#any();
    if (node === undefined) return;
    const kind = this.below(3);
    const handles = [...this.roots.keys()];
    const handle = handles[this.below(handles.length)];
    if (kind === 0 && handles.length < 40) {
      const h = this.e.handleNew(node.p);
      if (h !== 0) this.roots.set(h, node.id);
    } else if (kind === 1) {
      if (this.e.handleSet(handle, node.p) !== 1) this.fail(`handle ${handle} is none`);
      this.roots.set(handle, node.id);
    } else if (handles.length > 4) {
      if (this.e.handleFree(handle) !== 1) this.fail(`handle ${handle} is none`);
      this.roots.delete(handle);
    }
  }

  /** A cleanup, a finalizer, a weak pointer; what has come of those before. */
  #special() {
    const node = this.#any();
    const kind = this.below(6);
    if (kind < 2 && node !== undefined && this.hung.size < 60) {
      const id = this.e.specialNew(1 + kind, node.p) >>> 0;
      if (id !== 0 && id !== HAS_FINALIZER) this.hung.set(id, { id: node.id, p: node.p, finalizer: kind === 1 });
    } else if (kind === 2 && node !== undefined && this.weak.size < 30) {
      const weak = this.e.weakNew(node.p) >>> 0;
      const handle = weak === 0 ? 0 : this.e.handleNew(weak);
      if (handle !== 0) this.weak.set(handle, { weak, id: node.id, p: node.p, ended: false });
    } else if (kind === 3) {
      for (const [handle, entry] of this.weak) {
        this.#strengthen(entry);
        if (this.below(4) > 0) continue;
        this.weak.delete(handle);
        this.e.handleFree(handle);
      }
    } else if (kind === 4) this.finish();
    else if (kind === 5) {
      const [first] = this.hung;
      if (first === undefined || this.below(3) > 0) return;
      const [id, { p, finalizer }] = first;
      if (this.e.specialFree(finalizer ? 2 : 1, p, id) !== 0) this.hung.delete(id);
    }
  }

  /** What a weak pointer says: its object while that is reached, or nothing; never anything else. */
  #strengthen(entry) {
    const p = this.e.weakGet(entry.weak) >>> 0;
    if (p === 0) {
      this.prune();
      if (this.nodes.has(entry.id) && !this.finalized.has(entry.id)) this.fail(`no object ${entry.id}, which lives`);
      entry.ended = true;
    } else if (entry.ended || this.number(p, "a weak pointer's object") !== entry.id) {
      this.fail(`a weak pointer to object ${entry.id} leads to another, or has ended`);
    }
  }

  /** Takes what was found dead: once, and nothing that is reached. Inside of the gate. */
  finish() {
    this.prune();
    for (let id = this.e.finishedId() >>> 0; id !== 0; id = this.e.finishedId() >>> 0) {
      const entry = this.hung.get(id);
      if (entry === undefined) this.fail(`special ${id} is not this thread's, or was called before`);
      this.hung.delete(id);
      const p = this.e.finishedObject() >>> 0;
      if (p !== 0 && (!entry.finalizer || p !== entry.p)) this.fail(`special ${id} of object ${entry.id} has ${p}`);
      if (this.nodes.has(entry.id)) this.fail(`object ${entry.id} is reached, and was found dead`);
      if (p !== 0 && this.number(p, "a finalizer's object") !== entry.id) this.fail(`object ${entry.id} is another`);
      this.finalized.add(entry.id);
      this.ended++;
      this.e.finishedDone();
    }
  }

  #freeLoose() {
    const [first] = this.loose;
    if (first === undefined) return;
    const [handle, id] = first;
    this.loose.delete(handle);
    const { p } = this.nodes.get(id);
    if (this.e.handleGet(handle) >>> 0 !== p) this.fail(`handle ${handle} has another object`);
    this.e.handleFree(handle);
    this.nodes.delete(id);
    const kind = this.e.freeObject(p);
    if (kind !== 0) this.fail(`the free of ${p.toString(16)} is refused as ${kind}`);
    this.freed++;
  }

  /** A handle to another thread: of an object to keep, or of one to free. */
  #send() {
    const place = this.below(MAIL_WORDS);
    if (Atomics.load(this.mail, place) !== 0) return;
    const [loose] = this.loose;
    let message = 0;
    if (loose !== undefined && this.below(2) === 0) {
      message = -loose[0];
      this.loose.delete(loose[0]);
      this.nodes.delete(loose[1]);
    } else {
      const node = this.#any();
      if (node === undefined) return;
      message = this.e.handleNew(node.p);
    }
    if (message === 0) return;
    if (Atomics.compareExchange(this.mail, place, 0, message) === 0) return;
    // Another was faster. What was to be freed is lost for good.
    this.e.handleFree(Math.abs(message));
  }

  #receive() {
    const message = Atomics.exchange(this.mail, this.below(MAIL_WORDS), 0);
    if (message === 0) return;
    const handle = Math.abs(message);
    const p = this.e.handleGet(handle) >>> 0;
    const id = this.number(p, "an object from another thread");
    if (message < 0) {
      this.e.handleFree(handle);
      const kind = this.e.freeObject(p);
      if (kind !== 0) this.fail(`the free of another's ${p.toString(16)} is refused as ${kind}`);
      this.freed++;
      return;
    }
    const node = this.#any();
    if (node !== undefined) {
      const i = this.below(node.edges.length);
      this.e.writePointer(node.p + KINDS[node.kind].slots[i], p);
      node.edges[i] = -id;
      this.taken++;
    }
    this.e.handleFree(handle);
  }

  /** Half of the roots go. */
  #forget() {
    for (const handle of [...this.roots.keys()].filter((_, i) => i % 2 === 0)) {
      this.e.handleFree(handle);
      this.roots.delete(handle);
    }
    this.prune();
  }

  /** The shadow keeps what is reached from the roots. */
  prune() {
    const seen = new Set();
    const stack = [...this.roots.values(), ...this.loose.values()];
    while (stack.length > 0) {
      const id = stack.pop();
      if (seen.has(id)) continue;
      seen.add(id);
      for (const next of this.nodes.get(id).edges) if (next > 0) stack.push(next);
    }
    for (const id of this.nodes.keys()) if (!seen.has(id)) this.nodes.delete(id);
  }

  step() {
    this.steps++;
    const kind = this.below(100);
    if (kind < 40) {
      if (this.nodes.size < this.most) this.inside(() => this.#create());
      else this.inside(() => this.#forget());
    } else if (kind < 66) this.inside(() => this.#move());
    else if (kind < 74) this.inside(() => this.#root());
    else if (kind < 80) this.inside(() => this.#special());
    else if (kind < 85) this.inside(() => this.#freeLoose());
    else if (kind < 92) this.inside(() => this.#send());
    else if (kind < 98) this.inside(() => this.#receive());
    else if (kind === 98) this.inside(() => this.check());
    // Manual blocks between them, and objects that nobody wants, outside of the gate: these may begin and end cycles.
    else {
      this.manual();
      const { type } = this.types[this.below(4)];
      for (let i = this.below(60); i > 0; i--) this.e.newObject(type, 1);
    }
  }

  manual() {
    const blocks = Array.from({ length: 1 + this.below(20) }, () => this.e.malloc(8 + this.below(3000)) >>> 0);
    for (const p of blocks) if (p !== 0 && this.e.tryFree(p) !== 0) this.fail("the free of a block is refused");
  }

  /** All of the shadow is there, and points where it should. Inside of the gate. */
  check() {
    this.prune();
    for (const [handle, id] of [...this.roots, ...this.loose]) {
      if (this.e.handleGet(handle) >>> 0 !== this.nodes.get(id).p) this.fail(`handle ${handle} is not object ${id}'s`);
    }
    for (const { id, p, kind, edges } of this.nodes.values()) {
      if (this.number(p, `object ${id}`) !== id) this.fail(`object ${id} at ${p.toString(16)} is another`);
      const { size, n, slots } = KINDS[kind];
      const view = this.at(p, size * n);
      for (let i = 0; i < slots.length; i++) {
        const q = view.getUint32(p + slots[i], true);
        const to = edges[i];
        if (to >= 0) {
          const wanted = to === 0 ? 0 : this.nodes.get(to).p;
          if (q !== wanted) this.fail(`edge ${i} of object ${id} is ${q.toString(16)}, not ${wanted.toString(16)}`);
        } else if (this.number(q, `edge ${i} of object ${id}, another thread's`) !== -to) {
          this.fail(`edge ${i} of object ${id} leads to another object`);
        }
      }
    }
  }

  /** Lets go of everything. */
  drop() {
    for (const handle of [...this.roots.keys(), ...this.loose.keys()]) this.e.handleFree(handle);
    for (const handle of this.weak.keys()) this.e.handleFree(handle);
    this.roots.clear();
    this.loose.clear();
    this.weak.clear();
    this.nodes.clear();
    this.hung.clear();
    this.e.dropFinished(0);
  }
}

/** What a mutator knows, apart from its instance: to go on with it over a copy of the memory. */
export function remember(mutator) {
  const { nodes, roots, loose, hung, weak, finalized } = mutator;
  return structuredClone({ nodes, roots, loose, hung, weak, finalized });
}

/** A mutator that knows what another did; its numbers are its own. */
export function recall(options, memory) {
  return Object.assign(new Mutator(options), structuredClone(memory));
}
