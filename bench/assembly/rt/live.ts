/**
 * A large live heap: n times 1024 records of three small objects, 64 bytes without what the runtime adds, n / 16 MiB
 * in all. An operation replaces BATCH of them, drawn at random, so the live heap keeps its size while all of it is
 * replaced twice.
 *
 * Records are held by chunks of CHUNK references: one array of all would be one object for the collector.
 */

import { below, seed } from "../driver/prng";
import { mix } from "../driver/tally";

export { checksum } from "../driver/tally";

const CHUNK: i32 = 1024;
const BATCH: i32 = 64;
/** How often every record is replaced, on average. */
const TURNS: i32 = 2;

class Point {
  constructor(
    public x: f64,
    public y: f64,
  ) {}
}

class Item {
  weight: f64 = 1;
  score: f64 = 0;
  from: Point;
  to: Point;

  constructor(
    public id: u32,
    public turn: u32,
  ) {
    this.from = new Point(<f64>id, <f64>turn);
    this.to = new Point(<f64>turn, <f64>id);
  }

  sum(): u32 {
    return this.id * 31 + this.turn + <u32>(this.from.x + this.to.x * 3 + this.weight);
  }
}

let size: i32 = 0;
let turn: u32 = 0;
let chunks: StaticArray<StaticArray<Item>> = [];

function chunk(index: i32): StaticArray<Item> {
  const items = new StaticArray<Item>(CHUNK);
  for (let i = 0; i < CHUNK; i++) items[i] = new Item(index * CHUNK + i, 0);
  return items;
}

/** Makes all records: 1024 is 64 MiB. */
export function setup(n: i32): void {
  seed(1);
  size = n;
  chunks = new StaticArray<StaticArray<Item>>(n);
  for (let i = 0; i < n; i++) chunks[i] = chunk(i);
}

export function operations(): i32 {
  return (size * CHUNK * TURNS) / BATCH;
}

/** As many records as live. The least interval is for 1 MiB. */
export function interval(): i32 {
  return max((size * CHUNK) / BATCH, 110);
}

export function operation(): void {
  for (let i = 0; i < BATCH; i++) {
    const id = below(size * CHUNK);
    const items = chunks[id / CHUNK];
    mix(items[id % CHUNK].sum());
    items[id % CHUNK] = new Item(id, ++turn);
  }
}

/** Folds all records into the checksum. */
export function finish(): void {
  for (let i = 0; i < size; i++) {
    const items = chunks[i];
    for (let j = 0; j < CHUNK; j++) mix(items[j].sum());
  }
}
