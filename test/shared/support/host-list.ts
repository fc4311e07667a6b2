/** A linked list through the collector's API, for tests and their workers. Bundled into those: it imports types alone. */
import type { SharedHeap } from "../../../src/shared/index.ts";

/** A list of `n` objects of `type`, two words each, and its handle. */
export function list({ gc }: SharedHeap, type: number, n: number): number {
  return gc.inside(() => {
    const handle = gc.handle(gc.newObject(type));
    let last = gc.get(handle);
    for (let i = 1; i < n; i++) {
      const next = gc.newObject(type);
      gc.writePointer(last, next);
      last = next;
    }
    return handle;
  });
}
