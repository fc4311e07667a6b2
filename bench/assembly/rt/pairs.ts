/**
 * Objects of two f64: points that never change, as in a program that does its geometry with them. An operation moves
 * MOVED of the n times 1000 points that live: three new objects each, of which one stays.
 *
 * `fill` holds as many such objects as it is told, for measuring what one takes.
 */

import { mix } from "../driver/tally";

export { checksum } from "../driver/tally";

const MOVED: i32 = 100;
const CHUNK: i32 = 1000;

class Pair {
  constructor(
    public x: f64,
    public y: f64,
  ) {}

  plus(other: Pair): Pair {
    return new Pair(this.x + other.x, this.y + other.y);
  }

  times(factor: f64): Pair {
    return new Pair(this.x * factor, this.y * factor);
  }
}

let size: i32 = 0;
let at: i32 = 0;
let wind: Pair = new Pair(1, 2);
let chunks: StaticArray<StaticArray<Pair>> = [];

/** Makes the points. */
export function setup(n: i32): void {
  size = n;
  chunks = new StaticArray<StaticArray<Pair>>(n);
  for (let i = 0; i < n; i++) {
    const points = new StaticArray<Pair>(CHUNK);
    for (let j = 0; j < CHUNK; j++) points[j] = new Pair(<f64>i, <f64>j);
    chunks[i] = points;
  }
}

export function operations(): i32 {
  return size * 250;
}

/** Three objects a point moved: as many as live. The least interval is for 1 MiB. */
export function interval(): i32 {
  return max((size * CHUNK) / (MOVED * 3), 75);
}

export function operation(): void {
  const points = chunks[at / CHUNK];
  const first = at % CHUNK;
  for (let i = first; i < first + MOVED; i++) {
    const point = points[i];
    points[i] = point.plus(wind.plus(point.times(-0.5)));
  }
  const last = points[first];
  mix(<u32>(last.x * 4) + <u32>(last.y * 4));
  at = (at + MOVED) % (size * CHUNK);
}

/** Folds all points into the checksum. */
export function finish(): void {
  for (let i = 0; i < size; i++) {
    const points = chunks[i];
    for (let j = 0; j < CHUNK; j++) mix(<u32>(points[j].x * 4) + <u32>(points[j].y * 4));
  }
}

let held: StaticArray<Pair> = [];

/** Makes room for `count` references, all to one object: their bytes are written by then. */
export function reserve(count: i32): void {
  held = new StaticArray<Pair>(count);
  for (let i = 0; i < count; i++) held[i] = wind;
}

/** Fills the room: as many new objects, with no zero in them. */
export function fill(): void {
  for (let i = 0; i < held.length; i++) held[i] = new Pair(<f64>i + 0.5, <f64>i + 0.25);
}

/** Adds the contents up. */
export function sum(): f64 {
  let total: f64 = 0;
  for (let i = 0; i < held.length; i++) total += held[i].x - held[i].y;
  return total;
}
