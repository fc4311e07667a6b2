/**
 * Where the naive allocators get memory: [heapBase, memory.size) at init, then memory.grow by what is needed,
 * but at least RESERVE: a call of memory.grow costs microseconds. Others may grow the memory too: a new piece need not follow the last one.
 */

const PAGE: u64 = 65536;
const RESERVE: u64 = 4 * PAGE;

/** End of the piece that grow() obtained last; its start is what grow() returned. */
export let pieceEnd: usize = 0;

/** The end of memory, at most 4 GiB - 16 so that it fits a u32 and stays aligned. */
export function memoryEnd(): usize {
  return <usize>min<u64>(<u64>(<u32>memory.size()) * PAGE, 0xffff_fff0);
}

/** At least `bytes` more; 0 if the memory cannot grow. */
export function grow(bytes: usize): usize {
  const pages = <i32>((max<u64>(bytes, RESERVE) + PAGE - 1) / PAGE);
  let before = memory.grow(pages);
  if (before < 0) before = memory.grow(<i32>((<u64>bytes + PAGE - 1) / PAGE));
  if (before < 0) return 0;
  pieceEnd = memoryEnd();
  return <usize>(<u64>before * PAGE);
}
