/**
 * Strings: an operation makes a line of FIELDS numbers and words by concatenation, number to string and join, takes it
 * apart again by split, and reads the numbers back. The last SLOTS lines stay.
 */

import { below, seed } from "../driver/prng";
import { mix } from "../driver/tally";
import { hash } from "./text";

export { checksum } from "../driver/tally";

const FIELDS: i32 = 24;
const SLOTS: i32 = 2048;
const WORDS: StaticArray<string> = ["amber", "birch", "cedar", "dune", "elm", "fern", "grove", "heath"];

let size: i32 = 0;
let turn: i32 = 0;
const slots = new StaticArray<string>(SLOTS);

/** Makes the first lines; operations are `n` times 1000. */
export function setup(n: i32): void {
  size = n;
  seed(1);
  for (let i = 0; i < SLOTS; i++) slots[i] = line();
}

export function operations(): i32 {
  return size * 1000;
}

/** About 1 MiB of lines lives, and an operation makes some 6.5 KiB of strings. */
export function interval(): i32 {
  return 160;
}

/** A name by concatenation, one character after the other at its end. */
function name(): string {
  let text = WORDS[below(WORDS.length)] + "-" + WORDS[below(WORDS.length)];
  for (let i = 0; i < 4; i++) text += String.fromCharCode(97 + <i32>below(26));
  return text;
}

function line(): string {
  const fields = new Array<string>(FIELDS);
  for (let i = 0; i < FIELDS; i += 3) {
    fields[i] = below(1_000_000).toString();
    fields[i + 1] = (<f64>below(100_000) / 64).toString();
    fields[i + 2] = name();
  }
  return fields.join(",");
}

export function operation(): void {
  const text = line();
  const fields = text.split(",");
  let whole: u32 = 0;
  let real: f64 = 0;
  for (let i = 0; i < FIELDS; i += 3) {
    whole += <u32>I32.parseInt(fields[i]);
    real += F64.parseFloat(fields[i + 1]);
    mix(hash(fields[i + 2].toUpperCase()));
  }
  mix(whole + <u32>(real * 64));
  const slot = turn++ % SLOTS;
  mix(hash(slots[slot]));
  slots[slot] = text;
}

/** Folds the lines that are left into the checksum. */
export function finish(): void {
  for (let i = 0; i < SLOTS; i++) mix(hash(slots[i]));
}
