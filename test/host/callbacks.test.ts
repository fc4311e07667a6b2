/**
 * Functions of the user's that the heap and its collector call: each throws, and each uses the heap while it runs. The
 * heap is whole afterwards, or disposed of when that is what the function did.
 */
import { describe, expect, it } from "vitest";
import { type CollectorOptions, createHeap, type Heap, HeapDisposedError, TraceEvents } from "../../src/index.ts";

const THROWN = new Error("thrown by a callback");

/** What a callback does. The heap is there once createHeap has returned. */
const ACTIONS: Record<string, (heap: Heap) => unknown> = {
  throws: () => {
    throw THROWN;
  },
  "throws no Error": () => {
    throw Symbol("no error");
  },
  "allocates and frees": (heap) => heap.free(heap.malloc(1000)),
  "grows the memory": (heap) => heap.free(heap.malloc(3 << 20)),
  "makes objects": (heap) => heap.collector.newBytes(64).dispose(),
  collects: (heap) => heap.collector.collect(),
  "begins and ends a cycle by steps": (heap) => {
    heap.collector.start();
    while (heap.collector.step({ bytes: 65536 }));
  },
  sweeps: (heap) => heap.collector.sweep(),
  "asks for figures": (heap) => [heap.stats(), heap.collector.stats()],
  validates: (heap) => heap.validate({ deep: true }),
  "changes settings": (heap) => heap.collector.setOptions({ auto: true, gcPercent: 50, limiter: false }),
  "takes the hooks away": (heap) => heap.collector.setOptions({ onCycle: null, trace: null, events: null }),
  "ends the background": (heap) => heap.collector.background().stop(),
  "disposes of the heap": (heap) => heap.dispose(),
};

class Events extends TraceEvents {
  readonly #act: () => unknown;
  constructor(act: () => unknown) {
    super();
    this.#act = act;
  }
  override cycle(record: Parameters<TraceEvents["cycle"]>[0]): void {
    super.cycle(record);
    this.#act();
  }
  override mark(...args: Parameters<TraceEvents["mark"]>): void {
    super.mark(...args);
    this.#act();
  }
  override sweep(...args: Parameters<TraceEvents["sweep"]>): void {
    super.sweep(...args);
    this.#act();
  }
}

/** How a callback comes to be the heap's. */
const HOOKS: Record<string, (act: () => unknown) => CollectorOptions> = {
  onCycle: (onCycle) => ({ onCycle }),
  trace: (trace) => ({ trace }),
  events: (act) => ({ events: new Events(act) }),
  clock: (act) => {
    let time = 0;
    return {
      clock: () => {
        act();
        time += 0.25;
        return time;
      },
    };
  },
};

/** Runs `use`; what the callback has thrown may come out of it, and that the heap is gone. */
function attempt(use: () => unknown, heap: Heap): void {
  try {
    use();
  } catch (error) {
    if (error === THROWN || typeof error === "symbol") return;
    if (error instanceof HeapDisposedError && isDisposed(heap)) return;
    throw error;
  }
}

function isDisposed(heap: Heap): boolean {
  try {
    return heap.memory === null;
  } catch (error) {
    expect(error).toBeInstanceOf(HeapDisposedError);
    return true;
  }
}

/** The heap works and is in order, or is gone as a whole. */
function expectWhole(heap: Heap, quiet: () => void): void {
  quiet();
  if (isDisposed(heap)) {
    const uses = [() => heap.malloc(8), () => heap.u8, () => heap.stats(), () => heap.collector, () => heap.validate()];
    for (const use of uses) expect(use).toThrow(HeapDisposedError);
  } else {
    const { collector } = heap;
    collector.setOptions({ onCycle: null, trace: null, events: null });
    heap.validate({ deep: true });
    const kept = collector.newBytes(4000);
    // What was left half-way is ended first.
    collector.collect();
    const { numGC } = collector.stats();
    collector.collect();
    expect(collector.phase).toBe("off");
    expect(collector.stats().numGC).toBe(numGC + 1);
    expect(collector.isObject(kept.ptr)).toBe(true);
    const block = heap.malloc(100_000);
    heap.free(block);
    heap.validate({ deep: true });
  }
  heap.dispose();
  heap.dispose();
}

describe.each(Object.keys(HOOKS))("%s", (hook) => {
  it.each(Object.keys(ACTIONS))("that %s leaves the heap whole", async (action) => {
    let armed = false;
    let heap: Heap | null = null;
    let calls = 0;
    const act = (): void => {
      if (!armed || heap === null) return;
      calls++;
      ACTIONS[action]!(heap);
    };
    heap = createHeap({ collector: { limiter: false, ...HOOKS[hook]!(act) } });
    const { collector } = heap;
    const list = collector.defineType({ size: 16, pointers: [0] });
    const head = collector.new(list, 5000);
    armed = true;
    const uses: (() => unknown)[] = [
      () => collector.collect(),
      () => collector.start(),
      () => collector.step({ bytes: 65536 }),
      () => collector.step(),
      () => collector.sweep(),
      () => collector.stats(),
      () => heap.stats(),
      () => collector.setOptions({ auto: true, heapMinimum: 65536 }),
      () => {
        for (let i = 0; i < 3000; i++) collector.allocateBytes(100);
      },
      () => collector.collect(),
      () => head.store(0, collector.allocate(list), 1),
    ];
    for (const use of uses) attempt(use, heap);
    // The hooks of an allocation run in a microtask, whose error would be the process's.
    armed = false;
    await null;
    expect(calls).toBeGreaterThan(0);
    expectWhole(heap, () => {
      armed = false;
    });
  });
});

describe("a hook", () => {
  it("that throws takes no other hook's call away", () => {
    const seen: number[] = [];
    const heap = createHeap({
      collector: {
        trace: () => {
          throw THROWN;
        },
        onCycle: ({ number }) => seen.push(number),
      },
    });
    expect(() => heap.collector.collect()).toThrow(THROWN);
    expect(() => heap.collector.collect()).toThrow(THROWN);
    expect(seen).toEqual([1, 2]);
  });

  it("that collects is not called by its own collection, but by the next", () => {
    const seen: number[] = [];
    const heap = createHeap({
      collector: {
        onCycle: ({ number }) => {
          seen.push(number);
          if (number < 3) heap.collector.collect();
        },
      },
    });
    heap.collector.collect();
    expect(seen).toEqual([1]);
    heap.collector.collect();
    expect(seen).toEqual([1, 2, 3]);
  });
});

describe("a clock", () => {
  it.each([undefined, "1", Number.NaN, Number.POSITIVE_INFINITY, 1n, Symbol("time"), {}])(
    "that returns %o is a TypeError, and the heap goes on",
    (value) => {
      let answer: unknown = 0;
      const heap = createHeap({ collector: { clock: () => answer as number } });
      answer = value;
      expect(() => heap.collector.collect()).toThrow(/clock must return milliseconds/);
      answer = 1;
      expectWhole(heap, () => {});
    },
  );
});

describe("schedule", () => {
  type Turn = (mostMs?: number) => void;

  it.each([
    ["throws", () => () => void ACTIONS["throws"]!(null as never)],
    ["is no function", () => undefined as never],
  ])("whose way of calling off %s does not keep the heap", (_, schedule) => {
    const heap = createHeap();
    const gc = heap.collector;
    try {
      gc.background({ schedule });
      expect(() => heap.dispose()).toThrow(THROWN);
    } catch (error) {
      expect(error).toBeInstanceOf(TypeError);
      heap.dispose();
    }
    for (const use of [() => heap.malloc(8), () => heap.u8, () => gc.allocateBytes(32), () => gc.collect()]) {
      expect(use).toThrow(HeapDisposedError);
    }
    heap.dispose();
  });

  it("that throws is no background, and the one before goes on", () => {
    const heap = createHeap();
    const gc = heap.collector;
    const turns: Turn[] = [];
    const before = gc.background({
      schedule: (turn) => {
        turns.push(turn);
        return () => {};
      },
    });
    for (const schedule of [
      () => ACTIONS["throws"]!(heap) as never,
      () => 5 as never,
      () => null as never,
      5 as never,
      "later" as never,
    ]) {
      expect(() => gc.background({ schedule })).toThrow();
      expect(before.running).toBe(true);
    }
    turns.pop()!();
    expect(before.turns).toBe(1);
    heap.dispose();
    expect(before.running).toBe(false);
  });

  it("that throws later has stopped the background, and says so", () => {
    const heap = createHeap();
    let turn: Turn = () => {};
    let fails = false;
    const background = heap.collector.background({
      schedule: (next) => {
        if (fails) throw THROWN;
        turn = next;
        return () => {};
      },
    });
    turn();
    expect(background.turns).toBe(1);
    fails = true;
    expect(() => turn()).toThrow(THROWN);
    expect(background.running).toBe(false);
    expectWhole(heap, () => {});
  });

  it("may call each turn once, and not at once", () => {
    const heap = createHeap();
    const turns: Turn[] = [];
    const background = heap.collector.background({
      schedule: (turn) => {
        turn();
        turns.push(turn);
        return () => {};
      },
    });
    expect(background.turns).toBe(0);
    const [first] = turns;
    first!();
    first!();
    expect(background.turns).toBe(1);
    expect(turns).toHaveLength(2);
    for (const most of [0, -1, Number.NaN, "1", 1n, Symbol("ms")]) {
      expect(() => turns.at(-1)!(most as never)).toThrow(RangeError);
    }
    expect(background.running).toBe(true);
    heap.dispose();
    turns.at(-1)!();
    expect(background.running).toBe(false);
  });

  it("may dispose of the heap", () => {
    const heap = createHeap();
    let calledOff = 0;
    const schedule = () => {
      heap.dispose();
      return () => calledOff++;
    };
    expect(() => heap.collector.background({ schedule })).toThrow(HeapDisposedError);
    expect(calledOff).toBe(1);
    expectWhole(heap, () => {});
  });
});

describe("options", () => {
  it("are read once, before anything is done", () => {
    const heap = createHeap();
    let reads = 0;
    const limits = {
      get maxBytes() {
        reads++;
        return reads > 1 ? Number.NaN : 2 ** 20;
      },
    };
    heap.setLimits(limits);
    expect(reads).toBe(1);
    expect(heap.tryMalloc(2 ** 20)).toBe(0);
  });

  it("whose getters throw or use the heap leave it as it was", () => {
    const heap = createHeap();
    const throwing = {
      get softLimit(): number {
        throw THROWN;
      },
    };
    expect(() => heap.setLimits({ maxBytes: 8192, ...Object.create(null) })).not.toThrow();
    heap.setLimits({ maxBytes: 0 });
    const before = heap.stats();
    expect(() => heap.setLimits(throwing)).toThrow(
      /the option softLimit of setLimits cannot be read: thrown by a callb/,
    );
    expect(() => heap.setLimits(throwing)).toThrow(expect.objectContaining({ cause: THROWN }));
    expect(heap.stats()).toEqual(before);
    const disposing = {
      get maxBytes(): number {
        heap.dispose();
        return 0;
      },
    };
    expect(() => heap.setLimits(disposing)).toThrow(HeapDisposedError);
    expectWhole(heap, () => {});
  });

  it("that a target's getter disposes of are stored nowhere", () => {
    const heap = createHeap();
    const gc = heap.collector;
    const type = gc.defineType({ size: 16, pointers: [0] });
    const object = gc.new(type);
    const { ptr } = object;
    const freeing = {
      get ptr(): number {
        if (!object.disposed) gc.free(object);
        return 0;
      },
    };
    expect(() => object.store(0, freeing)).toThrow(expect.objectContaining({ code: "ERR_HANDLE_DISPOSED" }));
    expect(() => gc.writePointer(ptr, freeing)).toThrow(RangeError);
    expect(() => gc.clear(type, ptr)).toThrow(RangeError);
    heap.validate({ deep: true });
  });
});
