/**
 * Before any test: what is stale is built, so that no test runs on an old module or an old dist/, and what is missing on
 * this machine is named once. Nothing is done and nothing printed when all is fresh and there.
 */
import { existsSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { Stamps } from "../../scripts/build-stamp.ts";
import { ROOT, runTool } from "../../scripts/build-tools.ts";
import { ALL_NEEDS } from "./needs.ts";

export default async function setup(): Promise<void> {
  if (!(await (await Stamps.read()).allFresh()) || (await distIsStale())) {
    console.log("build/ or dist/ is older than its sources: npm run build");
    await runTool("tsx/dist/cli.mjs", ["scripts/build.ts"]);
  }
  for (const { missing } of ALL_NEEDS) if (missing !== null) console.log(`some tests are skipped: ${missing}`);
}

/** True when a source of src/ is newer than what tsc last wrote into dist/, or has no output there. */
async function distIsStale(): Promise<boolean> {
  const [src, dist] = [join(ROOT, "src"), join(ROOT, "dist")];
  const sources = (await readdir(src, { recursive: true })).filter((name) => name.endsWith(".ts"));
  for (const name of sources) {
    const output = join(dist, name.replace(/\.ts$/, ".js"));
    if (!existsSync(output) || (await stat(output)).mtimeMs < (await stat(join(src, name))).mtimeMs) return true;
  }
  return false;
}
