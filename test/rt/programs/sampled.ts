/** Allocation sites, each with its name in a comment at its line's end. */
class Node {
  next: Node | null = null;
  value: f64 = 0;
}

const kept = new Array<Node>();
const blocks = new Array<usize>();
let last: ArrayBuffer | null = null;

export function keep(n: i32): void {
  for (let i = 0; i < n; i++) kept.push(new Node()); // site: kept
}

/** The last one stays on the shadow stack no longer than the call. */
export function drop(n: i32): void {
  for (let i = 0; i < n; i++) new Node().value = 1; // site: dropped
}

/** Address of an object that nobody has, of eight words. */
export function dropOne(): usize {
  return changetype<usize>(new StaticArray<i32>(8));
}

export function forget(n: i32): void {
  kept.length -= n;
}

export function large(): void {
  last = new ArrayBuffer(100_000); // site: large
}

export function take(n: i32, size: usize): void {
  for (let i = 0; i < n; i++) blocks.push(heap.alloc(size)); // site: raw
}

export function give(n: i32): void {
  for (let i = 0; i < n; i++) heap.free(blocks.pop());
}

export function grow(i: i32, size: usize): void {
  blocks[i] = heap.realloc(blocks[i], size); // site: grown
}
