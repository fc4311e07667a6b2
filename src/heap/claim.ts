/**
 * Which heaps of this thread live in which memory: so that no two take the same part of it, and give out the same
 * blocks.
 *
 * A heap that is given a base owns all from there to the end of the memory as it is then. Nothing of another heap may
 * lie there. Heaps that take only what they grow themselves do not conflict.
 *
 * One table for all copies of this package in a realm. A heap leaves it when it is disposed of, or collected as
 * garbage. Cost: a walk of the memory's heaps for each that is made. Heaps of several threads have a word of their own
 * for this (src/shared/create.ts).
 */
import type { HostExports } from "../base/abi.js";
import { HeapOverlapError } from "../base/errors.js";

/** What makes an instance known, and where the heap in it ends. */
type Claim = Pick<HostExports, "init" | "heapLast">;

const KEY = Symbol.for("gomalloc.heaps");

function claimsOn(memory: WebAssembly.Memory): Set<WeakRef<Claim>> {
  const realm = globalThis as { [KEY]?: WeakMap<WebAssembly.Memory, Set<WeakRef<Claim>>> };
  realm[KEY] ??= new WeakMap();
  const claims = realm[KEY].get(memory) ?? new Set();
  realm[KEY].set(memory, claims);
  return claims;
}

/**
 * init(heapBase) of an instance over `memory`. Throws HeapOverlapError when another heap has something from there on.
 */
export function initHeap(exports: HostExports, memory: WebAssembly.Memory, heapBase: number): void {
  const claims = claimsOn(memory);
  for (const claim of claims) {
    const other = claim.deref();
    if (other === undefined) claims.delete(claim);
    else if (other.init !== exports.init && other.heapLast() >>> 0 >= heapBase) {
      throw new HeapOverlapError(heapBase, "dispose() of it first");
    }
  }
  exports.init(heapBase);
  claims.add(new WeakRef(exports));
}

/** The heap of an instance over `memory` is used no more. */
export function leaveMemory(exports: HostExports, memory: WebAssembly.Memory): void {
  const claims = claimsOn(memory);
  for (const claim of claims) if (claim.deref()?.init === exports.init) claims.delete(claim);
}
