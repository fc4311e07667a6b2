/**
 * The driver's random numbers: a 64-bit linear congruential generator (Knuth's MMIX constants) of which the
 * high bits are used. One multiplication per number; the state is a wasm global, loaded into a local by loops
 * that need it often.
 *
 * Every allocator sees the same sequence: nothing here depends on an address.
 */

let state: u64 = 1;

/** Starts the sequence again from `value`. */
export function seed(value: u32): void {
  state = (<u64>value + 1) * 0x9e3779b97f4a7c15;
}

/** The next 32 random bits. */
@inline
export function random(): u32 {
  state = state * 6364136223846793005 + 1442695040888963407;
  return <u32>(state >> 32);
}

/** A random number in [0, limit), limit <= 2^32 - 1, by multiplication instead of a division. */
@inline
export function below(limit: u32): u32 {
  return <u32>((<u64>random() * limit) >> 32);
}

/** A random number in [low, high], both included. */
@inline
export function between(low: u32, high: u32): u32 {
  return low + below(high - low + 1);
}
