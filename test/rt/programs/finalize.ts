/** Objects whose deaths a program wants to hear of: the global function __finalize, and what it may do. */

class Small {
  constructor(public id: i32) {}
}
class Linked {
  next: Linked | null = null;
  constructor(public id: i32) {}
}

// Nothing of this is allocated before __finalize is compiled, which uses it.

/** Large objects, arrays of this many bytes and more, have their number at their first word. */
const LARGE: u32 = 40_000;
/** Deaths by number of object. */
let deaths: StaticArray<u8> | null = null;
let head: Linked | null = null;
let kept: string[] | null = null;
let seen = 0;
let twice = 0;

/** What __finalize does besides: nothing, allocate, collect, abort now and then. */
let manner = 0;
export const ALLOCATES = 1;
export const COLLECTS = 2;
export const ABORTS = 3;

@global
function __finalize(ptr: usize): void {
  const id = load<u32>(ptr - 8);
  let number: i32;
  if (id == idof<Small>() || id == idof<Linked>()) number = load<i32>(ptr);
  else if (id == idof<ArrayBuffer>() && load<u32>(ptr - 4) >= LARGE) number = load<i32>(ptr);
  else return;
  if (id == idof<Linked>()) number = load<i32>(ptr, offsetof<Linked>("id"));
  const all = deaths!;
  if (number >= all.length) return;
  if (unchecked(all[number])) twice++;
  unchecked((all[number] = 1));
  seen++;
  if (manner == ALLOCATES && number % 3 == 0) {
    if (kept!.length > 200) kept = [];
    kept!.push("gone " + number.toString());
  } else if (manner == COLLECTS && number % 200 == 0) {
    __collect();
  } else if (manner == ABORTS && number % 1000 == 0) {
    throw new Error("in a finalizer");
  }
}

export function begin(n: i32, how: i32): void {
  deaths = new StaticArray<u8>(n);
  head = null;
  kept = [];
  seen = 0;
  twice = 0;
  manner = how;
}

/** Objects from..to, of which each fifth stays in a list; some of them are large. */
export function make(from: i32, to: i32): void {
  for (let i = from; i < to; i++) {
    if (i % 5 == 0) {
      const linked = new Linked(i);
      linked.next = head;
      head = linked;
    } else if (i % 101 == 0) {
      store<i32>(changetype<usize>(new ArrayBuffer(LARGE + (i & 7) * 5000)), i);
    } else {
      new Small(i);
    }
  }
}

export function drop(): void {
  head = null;
}

export function finalized(): i32 {
  return seen;
}

/** Objects that were finalized twice, or while they were in the list. */
export function wrong(): i32 {
  let n = twice;
  for (let it = head; it != null; it = it!.next) if (deaths![it!.id]) n++;
  return n;
}
