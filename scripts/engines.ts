/**
 * The core part of the tests in the other Nodes that gomalloc supports: `npm run test:engines`, or with major versions,
 * `npm run test:engines -- 22 26`. A Node that is not in build/sources yet is fetched from npm, 200 MB each. The Node
 * that runs this is left out unless it is named, because npm test runs everything in it. Exit code 1 if a test failed.
 *
 * The modules are those in build/, the same for all engines. What depends on the engine is what they and src/ do: threads,
 * memories, views, traps. Compilers, linkers and the package do not, so their tests are left out.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fetchedNode, fetchNode, type Wanted } from "../bench/lib/build/nodes.ts";
import { ROOT } from "./build-tools.ts";

/** The versions that are supported: CONTRIBUTING.md says what differs. */
const MAJORS = ["20", "22", "24", "26"] as const;

const CORE = [
  "test/core/",
  "test/host/",
  "test/gc/",
  "test/shared/",
  "test/rt/fuzz",
  "test/tools/handover",
  "test/profile/capture",
  "test/profile/fuzz",
  "test/profile/guard",
  "test/profile/heap",
  "test/profile/hostile",
  "test/profile/shared",
];

/** Tests that search for long or wait for time to pass, and those that run a browser. */
const LEFT_OUT = [
  "shared/*-crash",
  "shared/host-overwrite",
  "shared/host-browser",
  "core/overwrite",
  "core/memory2g",
  "core/chromium",
];

/** Shorter than in npm test. */
const SHORT = {
  ...{ FUZZ_OPS: "3000000", FUZZ_SHADOW_OPS: "30000", HOSTILE_CALLS: "300", HANDOVERS: "10" },
  ...{ SAMPLING_OPS: "400000", GC_SEEDS: "4", TERMINATIONS: "10", GC_TERMINATIONS: "10", DEATHS: "10" },
};

/** Runs the tests in a Node, with its output here. Whether all have passed. */
async function passes(program: string): Promise<boolean> {
  const vitest = join(ROOT, "node_modules", "vitest", "vitest.mjs");
  const env = { ...SHORT, ...process.env };
  const excluded = LEFT_OUT.map((path) => `--exclude=test/${path}.test.ts`);
  const tests = spawn(program, [vitest, "run", ...CORE, ...excluded], { cwd: ROOT, env, stdio: "inherit" });
  const [code] = (await once(tests, "close")) as [number | null];
  return code === 0;
}

const installed = process.versions.node.split(".")[0];
const named = process.argv.slice(2);
const majors = named.length > 0 ? named : MAJORS.filter((major) => major !== installed);
for (const major of majors) {
  if (!/^\d+$/.test(major)) throw new Error(`name major versions of Node, such as ${MAJORS.join(" ")}: ${major}`);
  const program = (await fetchedNode(major as Wanted)) ?? (await fetchNode(major as Wanted));
  console.log(`\nNode ${major}: ${program}`);
  if (!(await passes(program))) process.exitCode = 1;
}
