/**
 * Where the record of a heap lies in its memory, for readers that would have to search for it otherwise. The heaps whose
 * entries have such readers note it when they are made. Cost: O(1).
 */
const places = new WeakMap<object, () => number>();

/** The heap's record is at the address that `find` gives; it may throw, as the heap's methods do. */
export function notePlace(heap: object, find: () => number): void {
  places.set(heap, find);
}

/** Address of the heap's record; undefined for what has noted none. Throws what the heap's methods throw. */
export function placeOf(heap: object): number | undefined {
  return places.get(heap)?.();
}
