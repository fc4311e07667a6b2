/**
 * The driver's own memory, all of it below the heap: slot tables that name live blocks.
 *
 *   0x00000  nothing (a C allocator's shadow stack lies here)
 *   0x02000  WINDOW: trace events, copied in by the host piece by piece
 *   0x12000  SLOTS:  one address per slot; a trace replay in the checked build puts its sizes behind it
 *
 * The micro workloads divide the same space:
 *
 *   0x12000  addresses of up to 65536 live blocks
 *   0x52000  their sizes (written in the checked build only)
 *   0x92000  permutations and chain heads
 */

export const WINDOW: usize = 0x2000;
export const SLOTS: usize = 0x12000;
const SIZES: usize = 0x52000;
export const SPARE: usize = 0x92000;

/** Where the host puts trace events. */
export function windowAddress(): usize {
  return WINDOW;
}

/** The address kept in slot `i`. */
@inline
export function at(i: u32): usize {
  return load<u32>(SLOTS + ((<usize>i) << 2));
}

/** The size kept for slot `i`; 0 in the timed build, where nobody asks. */
@inline
export function sizeAt(i: u32): usize {
  return CHECKED ? <usize>load<u32>(SIZES + ((<usize>i) << 2)) : 0;
}

/** Puts a block into slot `i`. */
@inline
export function put(i: u32, ptr: usize, size: usize): void {
  store<u32>(SLOTS + ((<usize>i) << 2), ptr);
  if (CHECKED) store<u32>(SIZES + ((<usize>i) << 2), size);
}
