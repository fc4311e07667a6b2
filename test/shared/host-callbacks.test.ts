/**
 * Functions of the user's that a shared heap calls: each throws, and each uses the heap while it runs. Afterwards the
 * heap's other end allocates, collects and locks, and the heap is whole, or disposed of when the function did that.
 */
import { afterEach, describe, expect, it } from "vitest";
import {
  attachHeap,
  createSharedHeap,
  HeapDisposedError,
  HeapLockError,
  type SharedHeap,
} from "../../src/shared/index.ts";

const THROWN = new Error("thrown by a callback");

const ACTIONS: Record<string, (heap: SharedHeap) => unknown> = {
  throws: () => {
    throw THROWN;
  },
  "allocates and frees": (heap) => heap.free(heap.malloc(1000)),
  "makes an object": ({ collector: gc }) => gc.new(gc.defineType({ size: 16, pointers: [0] })),
  "asks for figures": (heap) => [heap.stats(), heap.collector.stats(), heap.ps.list()],
  "takes the lock": (heap) => heap.lock(0).with(() => undefined),
  "takes a turn": ({ ps }) => ps.turn(() => undefined),
  "goes inside": ({ collector: gc }) => gc.inside(() => undefined),
  "blocks, and throws in there": ({ ps }) =>
    ps.block(() => {
      throw THROWN;
    }),
  "reports a death": (heap) => heap.reap(0x7fffff),
  "disposes of the heap": (heap) => heap.dispose(),
};

/** Calls `act` by way of the heap; resolves when that is over. */
const CALLERS: Record<string, (heap: SharedHeap, act: () => unknown) => unknown> = {
  "inside()": ({ collector: gc }, act) => gc.inside(act),
  "inside() of inside()": ({ collector: gc }, act) => gc.inside(() => gc.inside(act)),
  "turn()": ({ ps }, act) => ps.turn(act),
  "turnAsync()": ({ ps }, act) => ps.turnAsync(act),
  "block()": ({ ps }, act) => ps.block(act),
  "blockAsync()": ({ ps }, act) => ps.blockAsync(act),
  "lock.with()": (heap, act) => heap.lock(0).with(act),
  onCycle: ({ collector: gc }, onCycle) => {
    const type = gc.defineType({ size: 65536, pointers: [0] });
    gc.setOptions({ auto: true, onCycle: () => void onCycle() });
    while (gc.stats().heapLive < gc.stats().trigger) gc.inside(() => gc.allocate(type));
    return gc.runMarker({ cycles: 1 }).finally(() => gc.setOptions({ onCycle: null }));
  },
  onDeath: (heap, act) => {
    const worker = new EventTarget();
    let failed: { error: unknown } | null = null;
    const listened = {
      addEventListener: (type: string, tell: () => void) =>
        worker.addEventListener(type, () => {
          try {
            tell();
          } catch (error) {
            failed = { error };
          }
        }),
    };
    const message = heap.share();
    attachHeap(message).malloc(8);
    heap.watch(listened, message, act);
    worker.dispatchEvent(new Event("close"));
    if (failed !== null) throw (failed as { error: unknown }).error;
  },
  "worker.on()": (heap, act) => heap.watch({ on: act, off: () => undefined }, heap.share()),
  "worker.off()": (heap, act) => heap.watch({ on: () => undefined, off: act }, heap.share())(),
};

const heaps: SharedHeap[] = [];
afterEach(() => {
  for (const heap of heaps.splice(0).reverse()) heap.dispose();
});
function opened(): [SharedHeap, SharedHeap] {
  const heap = createSharedHeap({ procs: 4, maximumPages: 256 });
  const other = attachHeap(heap.share(), { lockWait: 2000, turnWait: 2000 });
  heaps.push(heap, other);
  return [heap, other];
}

describe.each(Object.entries(CALLERS))("%s calls what", (caller, call) => {
  // Who holds the lock cannot use the heap: HeapLockError. Taking it twice is host-lock.test.ts's.
  const locked = caller === "lock.with()";
  const actions = Object.entries(ACTIONS).filter(([action]) => !locked || action !== "takes the lock");
  it.each(actions)("%s", async (_, action) => {
    const [heap, other] = opened();
    let calls = 0;
    try {
      await call(heap, () => {
        calls++;
        return action(heap);
      });
    } catch (error) {
      const refused = error instanceof HeapDisposedError || (locked && error instanceof HeapLockError);
      if (error !== THROWN && !refused) throw error;
    }
    expect(calls).toBe(1);
    other.free(other.malloc(1000));
    other.lock(0).with(() => undefined);
    other.collector.collect();
    other.validate({ deep: true });
    if (action !== ACTIONS["disposes of the heap"]) heap.collector.collect();
    else expect(() => heap.malloc(8)).toThrow(HeapDisposedError);
  });
});

describe("watches", () => {
  it("all end when the heap is disposed of, whatever their workers throw", () => {
    const [heap] = opened();
    const ended: number[] = [];
    for (const n of [1, 2, 3]) {
      const off = () => {
        ended.push(n);
        if (n < 3) throw THROWN;
      };
      heap.watch({ on: () => undefined, off }, heap.share());
    }
    expect(() => heap.dispose()).toThrow(AggregateError);
    expect(ended).toEqual([1, 2, 3]);
    expect(() => heap.malloc(8)).toThrow(HeapDisposedError);
    heap.dispose();
  });

  it("recover a thread whose worker throws when it is left", () => {
    const [heap] = opened();
    const message = heap.share();
    const dead = attachHeap(message);
    dead.malloc(8);
    let tell = (): void => undefined;
    const reports: boolean[] = [];
    const worker = {
      on: (_: string, listener: () => void) => {
        tell = listener;
      },
      off: () => {
        throw THROWN;
      },
    };
    heap.watch(worker, message, ({ ok }) => reports.push(ok));
    expect(tell).toThrow(THROWN);
    expect(reports).toEqual([true]);
    heap.collector.collect();
  });

  it("of a worker that has ended already are told at once, and listen no more", () => {
    const [heap] = opened();
    const calls: string[] = [];
    const worker = { on: (_: string, listener: () => void) => listener(), off: () => calls.push("off") };
    heap.watch(worker, heap.share(), ({ ok }) => calls.push(`ok: ${ok}`))();
    expect(calls).toEqual(["off", "ok: true"]);
  });
});
