/**
 * The main job: every trace and micro workload through every allocator. See --help for its options and
 * bench/lib for its parts:
 *
 *   catalog, build/*     the allocators; compiling, merging with the driver
 *   workloads, trace     what is replayed
 *   instance, measure    one heap, one measurement
 *   rounds               interleaved rounds
 *   checked, inspect     contents verified; the heap from inside
 *   jscalls              calls from JavaScript (benchmark.js)
 *   summary, targets     medians and ratios; what they are held against
 *   report, tables, chart  JSON, text, SVG
 */

import { Listr } from "listr2";
import { fetchedNode } from "./lib/build/nodes.ts";
import { ALLOCATORS, type Allocator, benchModule, floorModules, GOMALLOC } from "./lib/catalog.ts";
import { check, type Verdict } from "./lib/checked.ts";
import { useClock } from "./lib/clock.ts";
import { optimizeAtOnce, ranElsewhere } from "./lib/engine.ts";
import { floor } from "./lib/floor.ts";
import { inspect, inspectionModules } from "./lib/inspect.ts";
import { measureJsCalls } from "./lib/jscalls.ts";
import type { Mode } from "./lib/layout.ts";
import { type Options, readOptions } from "./lib/options.ts";
import { checkedReport, type Findings, timedReport } from "./lib/report.ts";
import { type Contender, contender, runRounds } from "./lib/rounds.ts";
import { firstPass, summarize } from "./lib/summary.ts";
import { reduced, selectWorkloads, suits, type Workload } from "./lib/workloads.ts";

/** Shows what is going on, where a display can: in a log it would be a thousand lines. */
function note(task: { output: string }, text: string): void {
  if (process.stdout.isTTY) task.output = text;
}

/** The allocator whose checked run tells how many bytes a micro workload asks for. */
const REFERENCE = "dlmalloc";

type Bytes = Uint8Array<ArrayBuffer>;

/** Builds what is asked for; says which allocators are missing. */
async function build(
  options: Options,
  mode: Mode,
  progress: (text: string) => void,
): Promise<{ built: { allocator: Allocator; bytes: Bytes }[]; missing: string[] }> {
  const built: { allocator: Allocator; bytes: Bytes }[] = [];
  const missing: string[] = [];
  for (const allocator of ALLOCATORS) {
    if (!options.wantsAllocator(allocator.name, allocator.onRequest)) continue;
    progress(allocator.name);
    const bytes = await benchModule(allocator, mode, options.calls);
    if (bytes) built.push({ allocator, bytes });
    else missing.push(`${allocator.name} left out: what it is built from is not here (run ${allocator.remedy})`);
  }
  return { built, missing };
}

/** Times everything and prints the report. */
async function timedRun(options: Options): Promise<void> {
  const found: Findings = { allocators: [], missing: [], rows: [], inspections: [], js: [], size: undefined };
  let contenders: Contender[] = [];
  let workloads: Workload[] = [];
  let reference: WebAssembly.Module | undefined;
  let inside: { module: WebAssembly.Module; bare: WebAssembly.Module } | undefined;
  const wantsJs = options.wantsWorkload("javascript");
  const wantsOurs = options.wantsAllocator(GOMALLOC.name);

  const tasks = new Listr(
    [
      {
        title: "Build and merge",
        task: async (_context, task) => {
          const progress = (text: string) => note(task, text);
          const { built, missing } = await build(options, "timed", progress);
          progress("checked driver");
          const checked = await benchModule(ALLOCATORS.find(({ name }) => name === REFERENCE)!, "checked");
          const inspected = wantsOurs ? await inspectionModules((host) => benchModule(host, "timed")) : undefined;
          progress("driver alone");
          const alone = await floorModules(options.calls);
          found.missing.push(...missing);
          found.size = wantsOurs ? (await GOMALLOC.module("timed"))?.length : undefined;
          // From here on V8 optimises at once: no large tool may start after this.
          optimizeAtOnce();
          progress("compile");
          contenders = [...built.map(({ allocator, bytes }) => contender(allocator, bytes)), floor(alone)];
          found.allocators.push(...built.map(({ allocator }) => allocator));
          reference = checked && new WebAssembly.Module(checked);
          inside = inspected?.();
        },
      },
      {
        title: "Read traces",
        task: async () => {
          workloads = await selectWorkloads((name) => options.wantsWorkload(name));
          if (!workloads.length && !wantsJs) throw new Error("no workload matches --only");
        },
      },
      {
        title: "Measure",
        enabled: () => workloads.length > 0,
        task: (_context, task) => {
          const end = performance.now() + options.limit;
          return task.newListr(
            workloads.map((workload, i) => ({
              title: workload.name,
              task: async (_inner, line) => {
                const start = performance.now();
                const outcomes = await runRounds(workload, contenders, {
                  rounds: options.rounds,
                  naiveRounds: options.naiveRounds,
                  // An equal share of what is left; what one workload does not use goes to the others.
                  until: start + (end - start) / (workloads.length - i),
                  budget: ({ kind }) =>
                    kind === "naive" || kind === "bump" ? options.budget.naive : options.budget.peers,
                  progress: (allocator, round) => note(line, `round ${round + 1} of ${options.rounds}: ${allocator}`),
                });
                const peak =
                  workload.kind === "trace" ? workload.peak : reference && check(reference, workload).peakLive;
                found.rows.push(summarize(workload, peak, outcomes));
                if (workload.kind === "trace") found.rows.push(firstPass(workload, outcomes));
              },
            })),
            { concurrent: false },
          );
        },
      },
      {
        title: "Look inside gomalloc's heap",
        skip: () => (inside ? false : "no build/gomalloc-host.wasm"),
        enabled: () => wantsOurs && workloads.some(({ kind }) => kind === "trace"),
        task: () => {
          for (const workload of workloads) {
            if (workload.kind === "trace") found.inspections.push(inspect(inside!.module, inside!.bare, workload));
          }
        },
      },
      {
        title: "Calls from JavaScript",
        enabled: () => wantsJs,
        task: async () => {
          found.js.push(...(await measureJsCalls(options.wantsAllocator, options.jsSeconds)));
        },
      },
    ],
    { concurrent: false, rendererOptions: { collapseSubtasks: false } },
  );
  await tasks.run();
  await timedReport(found, options);
}

/** Replays everything with contents stamped and verified; exit code 1 if anything was wrong. */
async function checkedRun(options: Options): Promise<void> {
  const verdicts: { workload: string; allocator: Allocator; verdict: Verdict | string }[] = [];
  const { built, missing } = await build(options, "checked", () => {});
  const modules = built.map(({ allocator, bytes }) => ({ allocator, module: new WebAssembly.Module(bytes) }));
  const workloads = await selectWorkloads((name) => options.wantsWorkload(name));
  const tasks = new Listr(
    workloads.map((workload) => ({
      title: workload.name,
      task: async (_context, line) => {
        for (const { allocator, module } of modules.filter((one) => suits(one.allocator, workload))) {
          note(line, allocator.name);
          // Lets the display draw.
          await new Promise((resolve) => setImmediate(resolve));
          const verdict = checkWithin(module, allocator.reduced ? reduced(workload) : workload);
          verdicts.push({ workload: workload.name, allocator, verdict });
        }
      },
    })),
    { concurrent: false },
  );
  await tasks.run();
  if (!checkedReport(verdicts, missing)) process.exitCode = 1;
}

function checkWithin(module: WebAssembly.Module, workload: Workload): Verdict | string {
  try {
    return check(module, workload);
  } catch (error) {
    if (!(error instanceof WebAssembly.RuntimeError)) throw error;
    return `trap: ${error.message}`;
  }
}

/** The Node that is asked for. */
async function nodeOf({ newest }: Options): Promise<string> {
  const program = newest ? await fetchedNode("latest") : process.execPath;
  if (program === undefined) throw new Error("the newest Node is not here: npm run bench:engine");
  return program;
}

const options = readOptions(process.argv.slice(2));
if (options && !(await ranElsewhere(await nodeOf(options)))) {
  useClock(options.clock);
  await (options.checked ? checkedRun(options) : timedRun(options));
}
