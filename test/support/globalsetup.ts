/**
 * Before any test: what is stale is built, so that no test runs on an old module or an old dist/, and what is missing on
 * this machine is named once. Nothing is done and nothing printed when all is fresh and there.
 */
import { join } from "node:path";
import { Stamps } from "../../scripts/build-stamp.ts";
import { ROOT, runTool } from "../../scripts/build-tools.ts";
import { ALL_NEEDS } from "./needs.ts";
import { isStale } from "./stale.ts";

export default async function setup(): Promise<void> {
  if (!(await (await Stamps.read()).allFresh()) || (await isStale(join(ROOT, "src"), join(ROOT, "dist")))) {
    console.log("build/ or dist/ is older than its sources: npm run build");
    await runTool("tsx/dist/cli.mjs", ["scripts/build.ts"]);
  }
  for (const { missing } of ALL_NEEDS) if (missing !== null) console.log(`some tests are skipped: ${missing}`);
}
