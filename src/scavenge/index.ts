/** gomalloc/scavenge: free memory of a heap goes back to the system. Needs no wasm of its own. */
export { ScavengeError, type ScavengeErrorKind } from "../base/errors.js";
export { madvise } from "./madvise.js";
export { discard, type Release } from "./release.js";
export {
  type ScavengedHeap,
  type ScavengeOptions,
  type Scavenger,
  type ScavengeStats,
  scavenge,
} from "./scavenger.js";
