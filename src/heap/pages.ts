/**
 * The free pages of a heap, for the scavenger of gomalloc/scavenge: every heap notes how to reach its exports when it is
 * made. So a program that imports no scavenger carries none. Cost: O(1).
 */
import type { HostExports } from "../base/abi.js";
import { PAGE_SHIFT } from "../snapshot/layout.js";

/** What the scavenger calls. Addresses and sizes are signed 32-bit numbers. */
export type PageExports = Pick<
  HostExports,
  "scavengeBegin" | "scavengeOne" | "scavengeBytes" | "scavengeEnd" | "idlePages" | "collector"
>;

/** Bytes of free pages in the page heap that are scavenged, or with `dirty` of the others. O(chunks). */
export function idleBytes({ idlePages }: Pick<PageExports, "idlePages">, dirty: boolean): number {
  return (idlePages(dirty ? 1 : 0) >>> 0) * 2 ** PAGE_SHIFT;
}

const doors = new WeakMap<object, () => PageExports>();

/** The exports of `heap` are what `exports` gives; after its disposal they throw. */
export function notePages(heap: object, exports: () => PageExports): void {
  doors.set(heap, exports);
}

/** How to reach the exports of a heap; undefined for what is none. */
export function pagesOf(heap: object): (() => PageExports) | undefined {
  return doors.get(heap);
}
