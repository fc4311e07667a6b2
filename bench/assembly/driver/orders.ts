/**
 * Ten thousand blocks of 64 bytes, or of 16 to 143 bytes, allocated, then freed: last first, first first, or in random
 * order.
 * The random orders are permutations made beforehand, a different one for each batch in a cycle of ORDERS.
 */

import { obtain, release } from "./blocks";
import { below, between } from "./prng";
import { SPARE, at, put, sizeAt } from "./slots";
import { count } from "./tally";

const LIVE: u32 = 10000;
const SIZE: usize = 64;
const ORDERS: u32 = 8;

let turn: u32 = 0;

@inline
function fill(): void {
  for (let i: u32 = 0; i < LIVE; i++) put(i, obtain(SIZE), SIZE);
}

/** Sizes drawn anew for each block. */
@inline
function fillMixed(): void {
  for (let i: u32 = 0; i < LIVE; i++) {
    const size: usize = between(16, 143);
    put(i, obtain(size), size);
  }
}

/** Allocates LIVE blocks and frees them last in, first out; `n` times. */
export function lifo(n: u32): void {
  for (let k: u32 = 0; k < n; k++) {
    fill();
    for (let i = LIVE; i > 0; i--) release(at(i - 1), SIZE);
  }
  count(n * LIVE * 2);
}

/** The same with blocks of 16 to 143 bytes. */
export function lifoMixed(n: u32): void {
  for (let k: u32 = 0; k < n; k++) {
    fillMixed();
    for (let i = LIVE; i > 0; i--) release(at(i - 1), sizeAt(i - 1));
  }
  count(n * LIVE * 2);
}

/** Allocates LIVE blocks and frees them first in, first out; `n` times. */
export function fifo(n: u32): void {
  for (let k: u32 = 0; k < n; k++) {
    fill();
    for (let i: u32 = 0; i < LIVE; i++) release(at(i), SIZE);
  }
  count(n * LIVE * 2);
}

/** Makes the permutations (u16 entries). */
export function shuffledSetup(): void {
  for (let k: u32 = 0; k < ORDERS; k++) {
    const order = SPARE + k * LIVE * 2;
    for (let i: u32 = 0; i < LIVE; i++) store<u16>(order + i * 2, <u16>i);
    for (let i = LIVE - 1; i > 0; i--) {
      const j = below(i + 1);
      const x = load<u16>(order + i * 2);
      store<u16>(order + i * 2, load<u16>(order + j * 2));
      store<u16>(order + j * 2, x);
    }
  }
}

/** The permutation whose turn it is. */
@inline
function nextOrder(): usize {
  const order = SPARE + turn * LIVE * 2;
  turn = turn + 1 == ORDERS ? 0 : turn + 1;
  return order;
}

/** Allocates LIVE blocks and frees them in random order; `n` times. */
export function shuffled(n: u32): void {
  for (let k: u32 = 0; k < n; k++) {
    fill();
    const order = nextOrder();
    for (let i: u32 = 0; i < LIVE; i++) release(at(load<u16>(order + i * 2)), SIZE);
  }
  count(n * LIVE * 2);
}

/** The same with blocks of 16 to 143 bytes. */
export function shuffledMixed(n: u32): void {
  for (let k: u32 = 0; k < n; k++) {
    fillMixed();
    const order = nextOrder();
    for (let i: u32 = 0; i < LIVE; i++) {
      const which = load<u16>(order + i * 2);
      release(at(which), sizeAt(which));
    }
  }
  count(n * LIVE * 2);
}
