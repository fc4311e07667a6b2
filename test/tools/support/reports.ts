/** A report of each tool with all that it may have: a property that is added to a report has to be added here. */
import type { LinkReport, SwapReport } from "../../../src/tools/index.ts";

type Whole<T> = T extends object ? { readonly [K in keyof T]-?: Whole<NonNullable<T[K]>> } : T;

export const LINK: Whole<LinkReport> = {
  bound: [{ module: "gomalloc", name: "malloc" }],
  flavour: "malloc",
  heapBase: 1024,
  heapBaseFrom: "option",
  memory: { imported: false, shared: true, initial: 1, maximum: 2, before: { initial: 1, maximum: 1 } },
  growth: "memory.grow",
  threadEnds: ["end"],
  compares: 2,
  misuse: "trap",
  wrappers: ["wrapper"],
  pointers: [{ functions: ["malloc"], calls: 1 }],
  crowds: [{ function: "free", calls: 9 }],
  optimize: "O3",
  inline: true,
  size: { before: 1, allocator: 2, after: 3 },
  names: "kept",
  sourceMap: false,
  validated: "yes",
  warnings: ["careful"],
};

export const SWAP: Whole<SwapReport> = {
  kind: "dlmalloc",
  members: [{ role: "malloc", index: 3, name: "malloc", by: "name", exports: ["malloc"] }],
  internals: 1,
  oldCode: 100,
  stateWords: 2,
  heapBase: 1024,
  heapBaseFrom: "global",
  size: { before: 1, after: 2 },
  checked: "yes",
  link: LINK,
  warnings: ["careful"],
};
