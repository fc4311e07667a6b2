/**
 * Arrays of references of every size class, and beyond: what only they hold lives. Their elements are replaced a few at a
 * time, so that each array is old when its newest elements are young.
 */
import { below, mix, safepoint } from "./lib";

/** Words of the longest array: its object is a large one. */
const LONGEST: i32 = 8400;

class Item {
  constructor(public id: u32) {}
}

let arrays: StaticArray<StaticArray<Item>> = [];
let created: u32 = 0;

export function start(): void {
  let count = 0;
  for (let n = 1; n <= LONGEST; n += 1 + n / 12) count++;
  arrays = new StaticArray<StaticArray<Item>>(count);
  let i = 0;
  for (let n = 1; n <= LONGEST; n += 1 + n / 12) {
    const items = new StaticArray<Item>(n);
    for (let j = 0; j < n; j++) items[j] = new Item(++created);
    arrays[i++] = items;
  }
}

export function step(_: i32): void {
  for (let i = 0; i < arrays.length; i++) {
    const items = arrays[i];
    for (let k = min(items.length, 60); k > 0; k--) {
      items[<i32>below(items.length)] = new Item(++created);
      mix(items[<i32>below(items.length)].id);
    }
    safepoint(200);
  }
}

export function finish(): void {
  for (let i = 0; i < arrays.length; i++) {
    const items = arrays[i];
    for (let j = 0; j < items.length; j++) mix(items[j].id);
  }
}
