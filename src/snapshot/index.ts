/** gomalloc/snapshot: a heap read from outside, as pages, spans and slots. For every engine; imports no wasm. */
export { SnapshotError, type SnapshotErrorKind } from "../base/errors.js";
export { type Coredump, readCoredump } from "./coredump.js";
export {
  type ClassFigures,
  classFigures,
  compareSnapshots,
  type RowChange,
  type SnapshotDiff,
  type SpanChange,
} from "./figures.js";
export { type FoundHeap, findHeaps } from "./find.js";
export {
  type PJSON,
  type RowJSON,
  RUN_KINDS,
  type RunJSON,
  type RunKind,
  type SampledBlock,
  type SkippedJSON,
  type SnapshotJSON,
  SPAN_FLAGS,
  SPAN_KINDS,
  type SpanFlag,
  type SpanJSON,
  type SpanKind,
  type TotalsJSON,
} from "./format.js";
export type { Flavour } from "./layout.js";
export type { MemorySource } from "./memory.js";
export { parseSnapshot } from "./parse.js";
export { readSnapshot, readSnapshots, type SnapshotOptions, SnapshotReader } from "./read.js";
export { HeapSnapshot, PAGE_SPAN, type PageMap, type Run, type SlotInfo } from "./snapshot.js";
export type { SpanColumns } from "./spans.js";
