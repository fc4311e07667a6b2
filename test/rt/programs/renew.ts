/** __renew between all sizes, in memory that is full of what was there before. */

let other: ArrayBuffer | null = null;
/** What __renew is asked to change, held for the collector. */
let held: ArrayBuffer | null = null;

/** Bytes that are not what they should be after an object of `from` bytes has become one of `to`. */
export function renewed(from: usize, to: usize): i32 {
  // Dirt where the objects will be.
  for (let i = 0; i < 3; i++) memory.fill(changetype<usize>(new ArrayBuffer(<i32>max(from, to))), 0xcc, max(from, to));
  held = new ArrayBuffer(<i32>from);
  const old = changetype<usize>(held);
  for (let i: usize = 0; i < from; i++) store<u8>(old + i, <u8>(i * 7 + 1));
  if (to & 1) other = new ArrayBuffer(100);
  const p = __renew(old, to);
  let wrong = load<u32>(p - 4) == to ? 0 : 1;
  for (let i: usize = 0; i < min(from, to); i++) if (load<u8>(p + i) != <u8>(i * 7 + 1)) wrong++;
  // What the compiler's runtimes find in a block's last bytes is what was there: zero is promised of a new block only.
  if (p != old || ASC_RUNTIME != 2 || isDefined(__gcStat)) for (let i = from; i < to; i++) if (load<u8>(p + i)) wrong++;
  return wrong;
}

/**
 * Bytes that are not zero where an object of 30 pages has grown by `more` pages: into those of a dead object, after one
 * of `size` bytes has got fresh pages. -1: it was moved.
 */
export function grownIntoDead(more: usize, size: i32): i32 {
  const page: usize = 8192;
  held = new ArrayBuffer(<i32>(30 * page - 16));
  const old = changetype<usize>(held);
  const dead = changetype<usize>(new ArrayBuffer(<i32>(20 * page - 16)));
  memory.fill(dead, 0xcc, 20 * page - 16);
  const wall = new ArrayBuffer(<i32>(10 * page));
  __collect();
  other = new ArrayBuffer(size);
  const p = __renew(old, (30 + more) * page - 16);
  let wrong = p == old && wall.byteLength > 0 ? 0 : -1;
  for (let i = 30 * page - 16; i < (30 + more) * page - 16; i++) if (wrong >= 0 && load<u8>(p + i)) wrong++;
  return wrong;
}

/** Elements of arrays that grow by push and by length which are not what they should be. */
export function pushed(n: i32): i32 {
  const numbers: u64[] = [];
  const holes: Array<string | null> = [];
  let wrong = 0;
  for (let i = 0; i < n; i++) {
    numbers.push(<u64>i * 0x9e3779b97f4a7c15);
    if (i % 1000 == 0) {
      holes.length = i + 1;
      if (i > 0 && holes[i - 1] !== null) wrong++;
      holes[i] = "text";
    }
  }
  for (let i = 0; i < n; i++) if (numbers[i] != <u64>i * 0x9e3779b97f4a7c15) wrong++;
  for (let i = 0; i < holes.length; i++) if ((holes[i] !== null) != (i % 1000 == 0)) wrong++;
  return wrong;
}
