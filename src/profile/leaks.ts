/**
 * Blocks that have lived longer than they should, by the stack that allocated them: where to look for a leak. Only
 * sampled blocks are known; the numbers of a stack are estimates for all of its blocks (scale.ts).
 */
import { show } from "../base/check.js";
import { isAllocator } from "./allocators.js";
import { Locations, type ProfileOptions } from "./profile.js";
import { scaleFactor } from "./scale.js";
import type { HeapRecord, Location } from "./types.js";

/** One sampled block that is alive, as the heap tells it. */
export interface LiveBlock {
  /** Address. */
  readonly ptr: number;
  /** Bytes that it takes. */
  readonly size: number;
  /** Index of its bucket in the record. */
  readonly bucket: number;
  /** When it was allocated, in milliseconds of any clock. */
  readonly time: number;
  /** Cycles of the collector that had ended by then. */
  readonly cycle: number;
}

export interface LeakOptions extends ProfileOptions {
  /** Now, on the clock of the blocks' times. */
  readonly time: number;
  /** Cycles that have ended by now. */
  readonly cycle?: number | undefined;
  /** Blocks count from this age on, in milliseconds. */
  readonly olderThan?: number | undefined;
  /** Blocks count that have outlived so many cycles. */
  readonly cycles?: number | undefined;
}

/** Old blocks of one stack. */
export interface Leak {
  /** Leaf first, without the allocator's functions. */
  readonly stack: readonly Location[];
  /** Estimates for all such blocks, sampled or not. */
  readonly objects: number;
  readonly bytes: number;
  /** Those that were sampled, oldest first. */
  readonly blocks: readonly LiveBlock[];
  /** Milliseconds since the oldest and the youngest were allocated. */
  readonly oldest: number;
  readonly youngest: number;
}

/**
 * The stacks with blocks that are older than asked for, most bytes first. With both limits a block has to pass both;
 * with none all live blocks count. Throws RangeError when `cycles` is asked for without `cycle`, TypeError for what is no
 * number.
 */
export function findLeaks(record: HeapRecord, blocks: readonly LiveBlock[], options: LeakOptions): Leak[] {
  const { time, cycle, olderThan = 0, cycles = 0 } = options;
  aNumber(time, "time");
  aNumber(olderThan, "olderThan");
  aNumber(cycles, "cycles");
  if (cycle !== undefined) aNumber(cycle, "cycle");
  if (cycles > 0 && cycle === undefined) {
    throw new RangeError("cycles needs to know how many have ended: pass cycle, the heap's number of cycles");
  }
  const isOld = (block: LiveBlock) =>
    time - block.time >= olderThan && (cycle === undefined || cycle - block.cycle >= cycles);
  const old = blocks.filter(isOld);
  const locations = new Locations(record.texts, options.symbols, options.isRuntime ?? isAllocator);
  const groups = new Map<string, { stack: readonly Location[]; blocks: LiveBlock[] }>();
  for (const block of old) {
    const stack = locations.stackOf(record.buckets[block.bucket]?.stack ?? []);
    const key = stack.map(({ number }) => number).join(" ");
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { stack, blocks: [block] });
    else group.blocks.push(block);
  }
  const rateOf = ({ bucket }: LiveBlock) =>
    options.unscaled === true ? 1 : (record.buckets[bucket]?.rate ?? record.rate);
  return [...groups.values()]
    .map(({ stack, blocks: found }): Leak => {
      found.sort((a, b) => a.time - b.time);
      const factors = found.map((block) => scaleFactor(block.size, rateOf(block)));
      return {
        stack,
        objects: Math.round(factors.reduce((sum, factor) => sum + factor, 0)),
        bytes: Math.round(factors.reduce((sum, factor, i) => sum + factor * found[i]!.size, 0)),
        blocks: found,
        oldest: time - found[0]!.time,
        youngest: time - found.at(-1)!.time,
      };
    })
    .sort((a, b) => b.bytes - a.bytes);
}

function aNumber(value: number, name: string): void {
  if (typeof value !== "number") throw new TypeError(`${name} must be a number: ${show(value)}`);
}
