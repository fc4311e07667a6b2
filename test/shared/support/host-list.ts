/** A linked list through the collector's API, for tests and their workers. Bundled into those: it imports types alone. */
import type { GCType, Handle, SharedHeap } from "../../../src/shared/index.ts";

/** A list of `n` objects of `type`, whose first word points to the next one, and its handle. */
export function list<F extends string>({ collector: gc }: SharedHeap, type: GCType<F>, n: number): Handle<F> {
  return gc.inside(() => {
    const handle = gc.new(type);
    let last = handle.ptr;
    for (let i = 1; i < n; i++) {
      const next = gc.allocate(type);
      gc.writePointer(last, next);
      last = next;
    }
    return handle;
  });
}
