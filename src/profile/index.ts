/**
 * gomalloc/profile: stacks, names and files of heap profiles. Runs in browsers and in Node; docs/profile.md.
 */
export { isAllocator } from "./allocators.js";
export { Capturer, type NumberedText } from "./capture.js";
export { diffProfiles } from "./diff.js";
export { type FlameGraphOptions, flameGraph } from "./flamegraph.js";
export { findLeaks, type Leak, type LeakOptions, type LiveBlock } from "./leaks.js";
export { sourceMapOf } from "./linemap.js";
export { encodePprof, type PprofOptions, pprofFile, SAMPLE_TYPES, type SampleType } from "./pprof.js";
export { buildProfile, type ProfileOptions } from "./profile.js";
export { formatRecord, type RecordTextOptions } from "./record.js";
export { scaleFactor, unsample } from "./scale.js";
export { type SymbolKind, type SymbolOptions, Symbols } from "./symbols.js";
export {
  formatBytes,
  formatStack,
  formatStacks,
  formatTop,
  type StackTotal,
  type TableOptions,
  type Top,
  type TopRow,
  topRows,
  topStacks,
} from "./table.js";
export { FIRST_TEXT, frameText, parseFrameText, textNumber } from "./text.js";
export type {
  Bucket,
  HeapRecord,
  Location,
  Profile,
  ProgramFile,
  Sample,
  SourceFrame,
  SymbolSource,
  Values,
} from "./types.js";
