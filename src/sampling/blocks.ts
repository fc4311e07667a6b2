/**
 * Sampled blocks as a heap's map shows them: what readSnapshot takes as `samples`. Cost: a look-up of names for every
 * different frame.
 */
import { isAllocator } from "../profile/allocators.js";
import { Locations, type ProfileOptions } from "../profile/profile.js";
import { lineOf } from "../profile/table.js";
import type { SampledBlock } from "../snapshot/format.js";
import type { SampledHeap } from "./read.js";

/**
 * The live sampled blocks with age and stack:
 *
 *   const samples = sampledBlocks(readSamples(memory), { symbols: new Symbols(bytes) });
 *   const snapshot = readSnapshot(memory, { samples });
 *
 * `time` is now, milliseconds of Unix time.
 */
export function sampledBlocks(
  samples: SampledHeap,
  options: Pick<ProfileOptions, "symbols" | "isRuntime"> & { readonly time?: number } = {},
): SampledBlock[] {
  const { symbols, isRuntime = isAllocator, time = Date.now() } = options;
  const locations = new Locations(samples.texts, symbols, isRuntime);
  const linesOf = (stack: readonly number[]) =>
    locations
      .stackOf(stack)
      .flatMap(({ frames }) => frames)
      .map(lineOf);
  // Blocks of one bucket have one stack.
  const stacks = new Map<number, readonly string[]>();
  return samples.live.map((block) => {
    let stack = stacks.get(block.bucket);
    if (stack === undefined) {
      stack = linesOf(samples.buckets[block.bucket]?.stack ?? []);
      stacks.set(block.bucket, stack);
    }
    return { address: block.ptr, size: block.asked, age: Math.max(0, time - block.time), stack };
  });
}
