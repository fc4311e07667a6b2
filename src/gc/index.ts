/** The collector's part of the public API: the same from every entry of the package. */
export type { Arena } from "./arena.js";
export type { Background, BackgroundOptions } from "./background.js";
export type { Collector, StepBudget } from "./collector.js";
export type { Target } from "./core.js";
export { type Environment, optionsFromEnv, parseGODEBUG } from "./env.js";
export { type EventOptions, type TraceEvent, TraceEvents, type TraceFile } from "./events.js";
export type { Cleanup } from "./finished.js";
export { formatGCTrace, type GCCycle, type TraceFormat } from "./gctrace.js";
export type { Handle } from "./handle.js";
export type { MarkerOptions } from "./marker.js";
export type { CollectorOptions, CollectorSettings, Settings as CollectorState } from "./options.js";
export type { Pinner } from "./pinner.js";
export { parseByteCount } from "./quantity.js";
export type { RootOptions, RootRange } from "./roots.js";
export type { Frame, ShadowStack } from "./shadowstack.js";
export type { GCPhase, GCStats } from "./stats.js";
export type { GCType, GCTypeLayout } from "./types.js";
export type { WeakPointer } from "./weak.js";
