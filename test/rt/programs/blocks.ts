/** heap.alloc, realloc and free as a program uses them: sizes of all kinds, misuse, blocks that the compiler has laid out. */
export { alloc, realloc, free } from "./outside";

const held = new StaticArray<usize>(4096);

/** The sizes around every step of the allocator, and some beyond. */
function sizeAt(i: i32): usize {
  const base: usize = 1 << ((<usize>i) >> 3);
  return base + <usize>((i & 7) - 3);
}
export const SIZES: i32 = 21 << 3;

/** Least alignment of blocks of many sizes; 0: two of them overlap, or a byte of one was lost. */
export function alignment(): u32 {
  let all: usize = 0;
  for (let i = 16; i < SIZES; i++) {
    const p = heap.alloc(sizeAt(i));
    all |= p;
    memory.fill(p, <u8>i, sizeAt(i));
    held[i] = p;
  }
  let intact = true;
  for (let i = 16; i < SIZES; i++) {
    for (let j: usize = 0; j < sizeAt(i); j++) intact = intact && load<u8>(held[i] + j) == <u8>i;
    heap.free(held[i]);
  }
  return intact ? 1 << ctz(<u32>all) : 0;
}

/** n blocks of `bytes` bytes, one after the other. */
export function pairs(n: i32, bytes: usize): void {
  for (let i = 0; i < n; i++) {
    const p = heap.alloc(bytes);
    store<u8>(p, 1);
    store<u8>(p + bytes - 1, 2);
    heap.free(p);
  }
}

/** n blocks of `bytes` bytes at once, freed in another order; how many of them had lost what was in them. */
export function many(n: i32, bytes: usize): i32 {
  for (let i = 0; i < n; i++) store<i32>((held[i] = heap.alloc(bytes)), i ^ 0x5a);
  let lost = 0;
  for (let i = 0; i < n; i++) {
    const k = (i * 7) % n;
    if (load<i32>(held[k]) != (k ^ 0x5a)) lost++;
    heap.free(held[k]);
  }
  return lost;
}

/** A block that grows to `bytes` and shrinks again, in steps; how many of its bytes were lost. */
export function resized(bytes: usize): i32 {
  let size: usize = 1;
  let p = heap.alloc(1);
  store<u8>(p, 7);
  let lost = 0;
  let other: usize = 0;
  while (size < bytes) {
    const next = size + (size >> 1) + 1;
    p = heap.realloc(p, next);
    // Something to be in the way now and then.
    if (next % 3 == 0) {
      if (other) heap.free(other);
      other = heap.alloc(next);
      memory.fill(other, 0xff, next);
    }
    for (let i: usize = 0; i < size; i++) if (load<u8>(p + i) != <u8>(i * 3 + 7)) lost++;
    for (let i = size; i < next; i++) store<u8>(p + i, <u8>(i * 3 + 7));
    size = next;
  }
  while (size > 1) {
    size = size / 3 + 1;
    p = heap.realloc(p, size);
    for (let i: usize = 0; i < size; i++) if (load<u8>(p + i) != <u8>(i * 3 + 7)) lost++;
    if (size <= 2) break;
  }
  heap.free(p);
  if (other) heap.free(other);
  return lost;
}

/** The whole block of a static array of i32: what heap.realloc and heap.free take of what the compiler has laid out. */
const LAID_OUT: StaticArray<i32> = [1, 2, 3, 4, 5, 6];

/** The first word of a copy of a static block, its element 5 from there, and that the static one is as it was. */
export function copiedStatic(): bool {
  const block = changetype<usize>(LAID_OUT) - 16;
  const copy = heap.realloc(block, 64);
  heap.free(block);
  const same = load<i32>(copy + 16 + 20) == 6 && LAID_OUT[5] == 6 && copy != block && copy >= __heap_base;
  heap.free(copy);
  return same;
}

/** An object of the collector's. */
export function object(): usize {
  return changetype<usize>(new Uint8Array(40));
}

export function reset(): void {
  heap.reset();
}

/** Cycles begun, where the runtime tells. */
export function cycles(): f64 {
  if (isDefined(__gcStat)) return __gcStat(0);
  return 0;
}

export function collect(): void {
  __collect();
}
