/**
 * Bit arithmetic over 64-bit words.
 *
 * Shift counts of wasm are modulo the width: `x << 64` is x. Each function here says what it does at 64.
 *
 * Pure functions, no memory, no locks; any thread. Cost: O(log) steps at most.
 */

/** The low `n` bits set, 1 <= n <= 64. */
@inline
export function lowBits(n: u32): u64 {
  return ~(<u64>0) >> (64 - n);
}

/** Bits [from, from + n) set; 1 <= n, from + n <= 64. */
@inline
export function bitRange(from: u32, n: u32): u64 {
  return lowBits(n) << from;
}

/**
 * Index of the first run of at least `n` consecutive ones in `c`, 1 <= n <= 64; 64 if there is none.
 *
 * Every run of ones is shortened at its upper end by n - 1 positions: AND with copies shifted right, doubling the
 * distance, because after a step of k every surviving run represents one that is longer by k. O(log n). The method is
 * that of Go's findBitRange64.
 */
export function findBitRange64(c: u64, n: u32): u32 {
  let left = n - 1;
  let k: u32 = 1;
  while (left > 0) {
    if (left <= k) {
      c &= c >> left;
      break;
    }
    c &= c >> k;
    if (c == 0) return 64;
    left -= k;
    k <<= 1;
  }
  return <u32>ctz(c);
}

/** Length of the longest run of ones in `c`. O(log n) steps of one shift and one AND each. */
export function longestRun(c: u64): u32 {
  if (c == 0) return 0;
  if (c == ~(<u64>0)) return 64;
  // Double the distance while runs of that length survive, then add the distances back from the largest down.
  let c2 = c & (c >> 1);
  if (c2 == 0) return 1;
  let c4 = c2 & (c2 >> 2);
  let n: u32 = 2;
  let r = c2;
  if (c4 != 0) {
    n = 4;
    r = c4;
    const c8 = c4 & (c4 >> 4);
    if (c8 != 0) {
      n = 8;
      r = c8;
      const c16 = c8 & (c8 >> 8);
      if (c16 != 0) {
        n = 16;
        r = c16;
        const c32 = c16 & (c16 >> 16);
        if (c32 != 0) {
          n = 32;
          r = c32;
          // A bit b of r says that b..b+31 are ones; extend by the runs found on the way down.
          const t = r & (c16 >> 32);
          if (t != 0) {
            r = t;
            n += 16;
          }
        }
        const t = r & (c8 >> n);
        if (t != 0) {
          r = t;
          n += 8;
        }
      }
      const t = r & (c4 >> n);
      if (t != 0) {
        r = t;
        n += 4;
      }
    }
    const t = r & (c2 >> n);
    if (t != 0) {
      r = t;
      n += 2;
    }
  }
  if ((r & (c >> n)) != 0) n += 1;
  return n;
}
