/** Good arguments for every member of the collector's classes, for the tests that make hostile ones of them. */
import type { Collector, GCType, Handle } from "../../src/index.ts";
import type { Rows } from "./hostile.ts";

export const DISPOSE = Symbol.dispose ?? Symbol.for("Symbol.dispose");
export const SETTINGS = {
  gcPercent: 100,
  memoryLimit: 0,
  heapMinimum: 4096,
  auto: false,
  limiter: false,
  clobberfree: false,
};

/** What the rows are about: a block of 1000 bytes, an array of four objects with pointers at 0 and 8, an inner address. */
export interface CollectorScene {
  gc: Collector;
  block: number;
  type: GCType<string>;
  object: Handle<string>;
  inner: number;
}

export function collectorRows({ type, object, block, inner }: CollectorScene): Rows {
  return {
    defineType: [{ size: 8, pointers: [4] }],
    typeFrom: [type.id],
    new: [type, 2],
    newBytes: [10],
    newConservative: [10],
    allocate: [type, 2],
    allocateBytes: [10, true],
    allocateConservative: [10],
    free: [null],
    isObject: [object.ptr],
    objectOf: [object.ptr],
    inside: [() => 1],
    handle: [object, type],
    handleFrom: [object.id, type],
    wrap: [object, type],
    pin: [object],
    unpin: [object],
    pins: [object],
    addRoots: [block + 128, 64, { pointer: block + 128 }],
    removeRoots: [block + 128],
    shadowStack: [4],
    onCollect: [object, () => {}, "held"],
    setFinalizer: [object, () => {}],
    runFinished: [],
    weak: [object, type],
    weakFrom: [object, type],
    pinner: [],
    arena: [],
    pool: [{ new: () => 1, drop: () => {} }],
    writePointer: [object.ptr, object],
    readPointer: [object.ptr],
    copy: [type, object, object.ptr + 16, 1],
    clear: [type, inner, 1],
    phase: [],
    collect: [],
    start: [],
    step: [{ budgetMs: 1, bytes: 1000 }],
    sweep: [1],
    background: [{ budgetMs: 1, intervalMs: 1, idleMs: 1, forcePeriodMs: 1, schedule: () => () => {} }],
    runMarker: [{ signal: AbortSignal.abort(), cycles: 0 }],
    setOptions: [{ ...SETTINGS, onCycle: null, trace: null, traceUnit: "KB", events: null }],
    settings: [],
    now: [],
    stats: [],
  };
}

export function handleRows(object: Handle<string>): Rows {
  return {
    id: [],
    ptr: [],
    disposed: [],
    wrapped: [],
    byteLength: [],
    set: [object],
    slot: ["next", 1],
    load: ["next", 1],
    store: ["next", object, 1],
    dispose: [],
    [DISPOSE]: [],
  };
}
