/**
 * Weak references for AssemblyScript programs with gomalloc's runtime: `import { WeakRef } from "gomalloc/rt-weak"`.
 * Go's weak package is the model.
 *
 *   WeakRef   8 header | 8 the object's address u32, 0: it is dead
 *   table     two halves of `slots` words, in one block of heap.alloc: addresses of WeakRefs, 0: free; one half is in use
 *
 * A WeakRef is its own indirection: an object without references. The table finds it by its object, so that there is one
 * for each object (and class of WeakRef). The table keeps neither of the two alive. When all marks are made and before
 * anything is swept, the collector calls __gcMarked: it clears the WeakRefs of dead objects, and copies the entries that
 * stay into the other half. So a WeakRef never names an object that the sweep will free, and deref has nothing to ask.
 *
 * A program that does not import this file has none of it.
 *
 * Owner: the one thread. Cost: O(1) for a WeakRef and for deref; O(slots) at the end of each cycle, in one step.
 */

if (!isDefined(__isMarked))
  ERROR("gomalloc/rt-weak needs gomalloc's runtime: asc --runtime ./node_modules/gomalloc/rt");

/** Fewest slots of a table; always a power of two. */
@inline const LEAST: u32 = 64;

/** The half of the table in use, the other half, slots of a half, and entries. */
let table: u32 = 0;
let other: u32 = 0;
let slots: u32 = 0;
let used: u32 = 0;

/** The slot of the WeakRef of `p` with the class `id`, or the free one where it belongs. There is a free one. */
function slotOf(half: u32, p: u32, id: u32): u32 {
  let i = ((p >> 3) * 0x9e3779b1) >> (<u32>clz(slots) + 1);
  let ref = load<u32>(half + (i << 2));
  while (ref != 0 && (load<u32>(ref) != p || load<u32>(ref - 8) != id)) {
    i = (i + 1) & (slots - 1);
    ref = load<u32>(half + (i << 2));
  }
  return half + (i << 2);
}

/** Copy the entries of the half at `from`, of `n` slots, into the empty half at `to`: those that stay. */
function refill(from: u32, n: u32, to: u32, ending: bool): void {
  used = 0;
  for (let end = from + (n << 2); from < end; from += 4) {
    const ref = load<u32>(from);
    if (ref == 0) continue;
    const p = load<u32>(ref);
    if (ending) {
      const alive = __isMarked(p);
      if (!alive) store<u32>(ref, 0);
      if (!alive || !__isMarked(ref)) continue;
    }
    store<u32>(slotOf(to, p, load<u32>(ref - 8)), ref);
    used++;
  }
}

/** Make room for one more entry: half of the slots stay free. Aborts with `out of memory`, and nothing has changed. */
function reserve(): void {
  const most = slots >> 1;
  if (used < most && (slots == LEAST || used >= most >> 3)) return;
  let n = LEAST;
  while (n <= used << 2) n <<= 1;
  if (n == slots) return;
  const block = <u32>heap.alloc(n << 3);
  memory.fill(block, 0, n << 2);
  // The allocation may have run a cycle: all is read only now. It takes entries away, never adds some.
  const old = table;
  const half = old < other ? old : other;
  const before = slots;
  slots = n;
  refill(old, before, block, false);
  table = block;
  other = block + (n << 2);
  if (half) heap.free(half);
}

/** The WeakRef of the object at `p` with the class `id` and `size` bytes. */
function weakFor(p: u32, id: u32, size: u32): usize {
  reserve();
  let at = slotOf(table, p, id);
  let ref = load<u32>(at);
  if (ref == 0) {
    // May run a cycle, and a __finalize of the program that makes WeakRefs.
    do {
      reserve();
      ref = <u32>__new(size, id);
    } while (used >= slots >> 1);
    at = slotOf(table, p, id);
    const first = load<u32>(at);
    if (first == 0) {
      store<u32>(ref, p);
      store<u32>(at, ref);
      used++;
      return ref;
    }
    ref = first;
  }
  // Nothing but the table may have known it: if marking runs, it is kept.
  __link(ref, ref, false);
  return ref;
}

/** The collector's: all marks are made, nothing is swept. */
@global
function __gcMarked(): void {
  if (used == 0) return;
  memory.fill(other, 0, slots << 2);
  const from = table;
  table = other;
  other = from;
  refill(from, slots, table, true);
}

/**
 * A reference that knows an object and does not keep it alive. There is one for each object: `new WeakRef<T>(x)` of the
 * same x is the same WeakRef, as long as one is held.
 */
@final
export class WeakRef<T> {
  private target: usize;

  /** O(1). Aborts with `out of memory`. Not for an object that is being finalized: it is dead already. */
  constructor(target: T) {
    if (!isManaged<T>()) ERROR("WeakRef<T> needs a class T that the collector manages");
    return changetype<WeakRef<T>>(weakFor(<u32>changetype<usize>(target), idof<WeakRef<T>>(), offsetof<WeakRef<T>>()));
  }

  /** The object, from now on held as any other; null from the end of the cycle on that found it dead. O(1). */
  deref(): T | null {
    const p = this.target;
    if (p) __link(p, p, false);
    return changetype<T | null>(p);
  }
}
