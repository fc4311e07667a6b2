/** Node's WASI, as it can be used under programs with much memory. */

import type { WASI } from "node:wasi";

/**
 * The imports of a WASI command, each behind a function of JavaScript. When wasm calls Node's WASI directly it may come in by V8's fast
 * way for C++ functions, in which no garbage may be collected; but WASI allocates, and when much memory is in use that
 * starts a collection, which then finds pointers that it knows nothing of (seen with Node 20: aborts in fd_write).
 */
export function indirectImports(wasi: WASI): WebAssembly.Imports {
  const { wasi_snapshot_preview1: direct } = wasi.getImportObject() as WebAssembly.Imports;
  const functions = Object.entries(direct as Record<string, (...values: unknown[]) => number>);
  const wrapped = functions.map(([name, call]) => [name, (...values: unknown[]) => call(...values)]);
  return { wasi_snapshot_preview1: Object.fromEntries(wrapped) };
}
