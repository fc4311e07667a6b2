/**
 * The memory that driver and allocator share, the same for every allocator:
 *
 *   0         .. heapBase     the driver's tables (bench/assembly/driver/slots.ts), a C allocator's shadow stack
 *   heapBase  .. memory.size  the allocator's: its static state first, if it has one, then its heap
 *
 * A memory starts with one page above heapBase. Nobody but the allocator grows it, and a wasm memory never
 * shrinks, so (memory.size - heapBase) at the end is exactly the allocator's peak footprint.
 */

export const WASM_PAGE = 65536;

/** The two builds of the driver. */
export type Mode = "timed" | "checked";

/** Pages below the heap. A checked replay keeps a size beside each slot. */
const LOW_PAGES: Readonly<Record<Mode, number>> = { timed: 17, checked: 32 };

/** The address at which the allocator's memory begins. */
export function heapBase(mode: Mode): number {
  return LOW_PAGES[mode] * WASM_PAGE;
}

/** The memory's first size in wasm pages. */
export function initialPages(mode: Mode): number {
  return LOW_PAGES[mode] + 1;
}
