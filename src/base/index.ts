/** What every entry of the package exports of the base. */
export {
  ArenaFreedError,
  CheckmarkError,
  CollectorUnavailableError,
  FinalizerError,
  GomallocError,
  HandleDisposedError,
  HeapDisposedError,
  HeapOverlapError,
  InvariantError,
  MisuseError,
  type MisuseKind,
  ModuleLoadError,
  NotAnObjectError,
  OutOfMemoryError,
  PinError,
  ShadowStackError,
  SnapshotError,
  type SnapshotErrorKind,
} from "./errors.js";
export type { HeapType } from "./types.js";
export type { HeapView, ViewConstructor, ViewOver } from "./views.js";
