/**
 * What the programs share: seeded numbers, a running digest of everything they see, and points where they collect.
 *
 * The digest does not depend on the runtime: addresses never enter it, and the collections are chosen by a generator
 * of their own. State is one set of globals, since an instance plays one program.
 */

let state: u32 = 1;
let collections: u32 = 1;
let hash: u64 = 0;

/** Begins a run: everything that follows is a function of the seed. */
export function reset(seed: u32): void {
  state = seed | 1;
  collections = (seed ^ 0x9e3779b9) | 1;
  hash = 0xcbf29ce484222325;
}

function xorshift(x: u32): u32 {
  x ^= x << 13;
  x ^= x >> 17;
  return x ^ (x << 5);
}

/** Uniform u32, never 0. */
export function next(): u32 {
  return (state = xorshift(state));
}

/** Uniform in [0, n). */
export function below(n: u32): u32 {
  return next() % n;
}

/** Adds 64 bits to the digest. */
export function mix(value: u64): void {
  hash = rotl(hash ^ value, 23) * 0x9e3779b97f4a7c15;
}

/** Adds a number, all NaNs being one. */
export function mixFloat(value: f64): void {
  mix(isNaN(value) ? 0x7ff8000000000000 : reinterpret<u64>(value));
}

/** Adds a string's length and its code units. */
export function mixText(text: string): void {
  const n = text.length;
  mix(<u64>n);
  let four: u64 = 0;
  for (let i = 0; i < n; i++) {
    four = (four << 16) | (<u64>text.charCodeAt(i));
    if ((i & 3) == 3) mix(four);
  }
  mix(four);
}

/** Adds a string or the fact that there is none. */
export function mixTextOrNull(text: string | null): void {
  if (text === null) mix(0x6e756c6c);
  else mixText(text);
}

/** Adds a buffer's length and bytes. */
export function mixBytes(bytes: Uint8Array): void {
  const n = bytes.length;
  mix(<u64>n);
  let h: u32 = 0;
  for (let i = 0; i < n; i++) h = (h ^ (<u32>unchecked(bytes[i]))) * 0x01000193;
  mix(h);
}

/** Adds every element of an array of numbers. */
export function mixNumbers<T>(numbers: T[]): void {
  mix(<u64>numbers.length);
  for (let i = 0; i < numbers.length; i++) {
    if (isFloat<T>()) mixFloat(<f64>numbers[i]);
    else mix(<u64>numbers[i]);
  }
}

export function digest(): u64 {
  return hash;
}

/**
 * Collects in one of `oneIn` calls, where a running program may: with a shadow stack, which the built-in incremental
 * runtime and custom ones have. Elsewhere the host collects between the steps.
 */
export function safepoint(oneIn: u32): void {
  if (ASC_RUNTIME == 2) {
    collections = xorshift(collections);
    if (collections % oneIn == 0) __collect();
  }
}

/** A word of 1 to `max` letters. */
export function word(max: u32): string {
  let text = "";
  for (let n = below(max) + 1; n > 0; n--) text += String.fromCharCode(97 + <i32>below(26));
  return text;
}
