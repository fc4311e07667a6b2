/** The parts of this folder, by number. */
import * as arrays from "./arrays";
import * as buffers from "./buffers";
import * as collections from "./collections";
import * as objects from "./objects";
import * as strings from "./strings";

export const PARTS: i32 = 5;

/** Runs a part, several times: the heap of the later ones has holes. */
export function run(part: i32): void {
  for (let i = 0; i < 4; i++) {
    if (part == 0) arrays.run();
    else if (part == 1) buffers.run();
    else if (part == 2) collections.run();
    else if (part == 3) objects.run();
    else strings.run();
  }
}
