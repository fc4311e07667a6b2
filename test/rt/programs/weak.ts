/** Weak references beside a model: see test/rt/weak.test.ts. Each function answers 0, or the number of what was wrong. */
import { WeakRef } from "../../../rt-weak";

class Node {
  next: Node | null = null;
  constructor(public key: i32) {}
}

class Other {
  constructor(public node: Node) {}
}

const SLOTS = 300;
/** Of each slot: the object while it is held, its WeakRef, its key. Whether it may still be alive when it is not held. */
const held = new StaticArray<Node | null>(SLOTS);
const refs = new StaticArray<WeakRef<Node> | null>(SLOTS);
const keys = new StaticArray<i32>(SLOTS);
let seed: u32 = 1;
let made: i32 = 0;

function random(n: i32): i32 {
  seed ^= seed << 13;
  seed ^= seed >> 17;
  seed ^= seed << 5;
  return <i32>(seed % <u32>n);
}

export function start(n: u32): void {
  seed = n;
}

/** Mark for about so many bytes. */
export function step(budget: u32): u32 {
  return __gcStep(budget);
}

export function collect(): void {
  __collect();
}

function garbage(n: i32): void {
  for (let i = 0; i < n; i++) new Node(-1).next = new Node(-2);
}

function put(i: i32): void {
  const node = new Node(++made);
  held[i] = node;
  keys[i] = made;
  refs[i] = new WeakRef<Node>(node);
}

/** One random operation on one slot. */
export function operate(): i32 {
  const i = random(SLOTS);
  const ref = refs[i];
  const node = held[i];
  switch (random(6)) {
    case 0:
      put(i);
      break;
    case 1:
      // The strong reference goes, the weak one stays.
      held[i] = null;
      break;
    case 2:
      refs[i] = null;
      break;
    case 3: {
      // What deref gives is held again, whatever the collector has found out so far.
      if (ref === null) break;
      const again = ref.deref();
      if (node !== null && again !== node) return 1;
      if (again === null) break;
      if (again.key != keys[i]) return 2;
      held[i] = again;
      break;
    }
    case 4:
      if (node === null) break;
      const one = new WeakRef<Node>(node);
      if (ref !== null && one !== ref) return 3;
      if (one !== new WeakRef<Node>(node)) return 4;
      refs[i] = one;
      break;
    default:
      garbage(random(50));
  }
  return 0;
}

/** All that is held is found, and what is found has its key. */
export function check(): i32 {
  for (let i = 0; i < SLOTS; i++) {
    const ref = refs[i];
    const node = held[i];
    if (node !== null && node.key != keys[i]) return 10;
    if (ref === null) continue;
    const found = ref.deref();
    if (node !== null && found !== node) return 11;
    if (found !== null && found.key != keys[i]) return 12;
  }
  return 0;
}

/** Slots with a WeakRef whose object nothing else holds, and that still gives it. */
export function ghosts(): i32 {
  let n = 0;
  for (let i = 0; i < SLOTS; i++) {
    const ref = refs[i];
    if (held[i] === null && ref !== null && ref.deref() !== null) n++;
  }
  return n;
}

/** WeakRefs of dead objects. */
export function dead(): i32 {
  let n = 0;
  for (let i = 0; i < SLOTS; i++) {
    const ref = refs[i];
    if (ref !== null && ref.deref() === null) n++;
  }
  return n;
}

let long: StaticArray<WeakRef<Other> | null> | null = null;

/** n WeakRefs at once; the objects of every `keep`-th live on. */
let kept: Other[] = [];
function make(all: StaticArray<WeakRef<Other> | null>, n: i32, keep: i32): void {
  for (let i = 0; i < n; i++) {
    const other = new Other(new Node(i));
    if (i % keep == 0) kept.push(other);
    all[i] = new WeakRef<Other>(other);
  }
}

export function many(n: i32, keep: i32): i32 {
  const all = new StaticArray<WeakRef<Other> | null>(n);
  long = all;
  kept = [];
  // A function of its own: its locals are off the shadow stack when the cycle runs.
  make(all, n, keep);
  __collect();
  for (let i = 0; i < n; i++) {
    const ref = all[i];
    if (ref === null) return 20;
    const other = ref.deref();
    if ((other !== null) != (i % keep == 0)) return 21;
    if (other !== null && other.node.key != i) return 22;
  }
  long = null;
  return 0;
}

const text = "static";
/** What lies in the program's data lives forever. */
export function statics(): i32 {
  const ref = new WeakRef<string>(text);
  __collect();
  return ref.deref() === text ? 0 : 30;
}
