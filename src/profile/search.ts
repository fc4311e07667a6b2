/** Binary search, for the sorted tables of this layer. */

/** The last index below `count` for which `holds`, which holds up to some index and not from there on; -1: none. */
export function lastBefore(count: number, holds: (index: number) => boolean): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
