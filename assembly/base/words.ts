/**
 * Words that the threads of a shared heap write without a lock: atomic there, plain with one thread.
 *
 * Any thread, no lock. Cost: one access.
 */

import { SHARED } from "./config";

/** Add `n` to the word at `at`, more `offset` bytes on. */
@inline
export function addWord<T>(at: usize, n: T, offset: usize = 0): void {
  if (SHARED) atomic.add<T>(at + offset, n);
  else store<T>(at + offset, load<T>(at + offset) + n);
}

/** Set the bits `bits` of the word at `at`. */
@inline
export function setBits<T>(at: usize, bits: T): void {
  if (SHARED) atomic.or<T>(at, bits);
  else store<T>(at, load<T>(at) | bits);
}

/** Write a word that other threads read without a lock: a thread that reads it sees everything written before it. */
@inline
export function publish<T>(at: usize, value: T): void {
  if (SHARED) atomic.store<T>(at, value);
  else store<T>(at, value);
}
