/**
 * The benchmark driver: every workload as an export, compiled once timed and once checked, merged with one
 * allocator at a time. It owns the memory (exported), keeps its own tables below the heap and has no data
 * section, so the address of the heap is the same for every allocator.
 */

export { setHeapBase } from "./blocks";
export { fragmentation } from "./holes";
export { million, millionFinish } from "./million";
export { fifo, lifo, lifoMixed, shuffled, shuffledMixed, shuffledSetup } from "./orders";
export { pairs16, pairs256, pairs64, pairsMixed } from "./pairs";
export { seed } from "./prng";
export {
  allocTest,
  allocTestSetup,
  coldLarson,
  coldMedium,
  headed,
  headedSetup,
  large,
  largeSetup,
  larson,
  larsonSetup,
  mediumFew,
  mediumFewSetup,
  mediumMany,
  mediumManySetup,
  mixed,
  mixedSetup,
  smallAndLarge,
  smallAndLargeSetup,
  trimmed,
  trimmedSetup,
  zeroed,
  zeroedSetup,
} from "./replacement";
export { replay } from "./replay";
export { windowAddress } from "./slots";
export { checksum, failureCount, failureKind, operationCount, peakLiveBytes } from "./tally";
export { trees, treesFinish, treesSetup } from "./trees";
export { doubling, doublingSetup, strings, stringsSetup, vectors, vectorsSetup } from "./vectors";
