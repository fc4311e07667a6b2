/** How memory goes back to the system: the interface of all back ends, and that of the engine itself. */
import { ScavengeError } from "../base/errors.js";

/**
 * Gives the bytes [address, address + bytes) of the memory back to the system. Both are multiples of 64 KiB. Returns
 * true when all of them read as zero from now on; false when they could not be given back and may hold anything. It
 * must not call the heap. What it throws stops the scavenger, and the pages stay in use.
 */
export type Release = (memory: WebAssembly.Memory, address: number, bytes: number) => boolean;

/** memory.discard of the memory-control proposal, as engines that have it show it to JavaScript. */
type Discarding = WebAssembly.Memory & { discard?: (address: number, bytes: number) => void };

/** The engine's own way, by `memory.discard`; undefined in an engine without it, as all releases of 2026 are. */
export function discard(): Release | undefined {
  if (typeof (WebAssembly.Memory.prototype as Discarding).discard !== "function") return undefined;
  return (memory, address, bytes) => {
    (memory as Discarding).discard!(address, bytes);
    return true;
  };
}

/** `given`, or the engine's own way. Throws ScavengeError where there is neither. */
export function releaseOf(given: Release | undefined): Release {
  const release = given ?? discard();
  if (release !== undefined) return release;
  throw new ScavengeError(
    "unavailable",
    "this engine cannot give memory back to the system (it has no memory.discard)",
    "pass a function as the option release, in Node: await madvise() of gomalloc/scavenge; elsewhere copy what is live " +
      "into a new heap and drop this one, docs/scavenge.md shows how",
  );
}
