/** Whether what tsc writes is older than its sources. By dates: O(files). */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

/** True when a .ts of `src` is newer than its .js in `dist`, or has none there. */
export async function isStale(src: string, dist: string): Promise<boolean> {
  const sources = (await readdir(src, { recursive: true })).filter((name) => name.endsWith(".ts"));
  for (const name of sources) {
    const written = await stat(join(dist, name.replace(/\.ts$/, ".js"))).catch(() => undefined);
    if (written === undefined || written.mtimeMs < (await stat(join(src, name))).mtimeMs) return true;
  }
  return false;
}
