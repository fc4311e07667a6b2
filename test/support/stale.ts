/** Whether what tsc writes is older than its sources. By dates: O(files). */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

/** What is made of a source: its own module, or of those in map/ the one page. */
function outputOf(name: string): string {
  return /^map[\\/]/.test(name) ? join("map", "page.html") : name.replace(/\.ts$/, ".js");
}

/** True when a .ts of `src` is newer than what is made of it in `dist`, or that is not there. */
export async function isStale(src: string, dist: string): Promise<boolean> {
  const sources = (await readdir(src, { recursive: true })).filter((name) => name.endsWith(".ts"));
  for (const name of sources) {
    const written = await stat(join(dist, outputOf(name))).catch(() => undefined);
    if (written === undefined || written.mtimeMs < (await stat(join(src, name))).mtimeMs) return true;
  }
  return false;
}
