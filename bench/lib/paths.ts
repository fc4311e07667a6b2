/**
 * Where things lie. The only place in bench/ that knows the package's folders.
 */

import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);

/** The package's top folder. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** What `npm run build` leaves. */
export const BUILD = join(ROOT, "build");

/** Merged modules, by content hash; may be deleted at any time. */
export const CACHE = join(BUILD, "bench");

/** The recorded traces. */
export const TRACES = join(ROOT, "bench", "traces");

/** JSON and SVG of runs on this machine (not committed). */
export const RESULTS = join(ROOT, "bench", "results", "local");

/** A file below bench/. */
export function benchFile(...parts: string[]): string {
  return join(ROOT, "bench", ...parts);
}

/** A script of the installed binaryen package, to be run with node. */
export function binaryenTool(name: string): string {
  return join(dirname(require.resolve("binaryen")), "bin", name);
}

/** The version of an installed package, for reports and cache keys. */
export function packageVersion(name: string): string {
  for (const base of require.resolve.paths(name) ?? []) {
    try {
      return (require(join(base, name, "package.json")) as { version: string }).version;
    } catch {
      // Not in this node_modules; the next one up.
    }
  }
  return "?";
}
