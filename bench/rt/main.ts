/**
 * The runtime benchmark: AssemblyScript programs with gomalloc as their runtime and with the compiler's own incremental
 * and minimal ones. See --help for its options, docs/rt-benchmark.md for what is measured, and bench/rt/lib for its
 * parts:
 *
 *   catalog, runtimes   the programs (bench/assembly/rt) and what they are compiled with
 *   instance, measure   one instance, one run; the size of an object
 *   wrappers            what V8 is told before it starts
 *   rounds, figures     contents compared, interleaved rounds; medians, ratios, pauses
 *   report              tables, JSON
 */

import "./lib/wrappers.ts";
import { useClock } from "../lib/clock.ts";
import { optimizeAtOnce, ranElsewhere } from "../lib/engine.ts";
import { OBJECTS, PAIRS, PROGRAMS, type Program } from "./lib/catalog.ts";
import { type Cell, Figures } from "./lib/figures.ts";
import { measureObjects, type ObjectSize, timerOverhead } from "./lib/measure.ts";
import { type Options, readOptions } from "./lib/options.ts";
import { report } from "./lib/report.ts";
import { type Contender, runRounds } from "./lib/rounds.ts";
import { compileProgram, missing, RUNTIMES, type Runtime } from "./lib/runtimes.ts";

/** Shows what is going on, where a display can: in a log it would be a hundred lines. */
function note(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

async function main(options: Options): Promise<void> {
  useClock(options.clock);
  const notes: string[] = [];
  const runtimes: Runtime[] = [];
  for (const runtime of RUNTIMES) {
    if (!options.wantsRuntime(runtime.name)) continue;
    const reason = await missing(runtime);
    if (reason === undefined) runtimes.push(runtime);
    else notes.push(reason);
  }
  const programs = PROGRAMS.filter(({ name }) => options.wantsProgram(name));
  if (!programs.length) throw new Error("no program matches --only");
  const built: { program: Program; runtime: Runtime; bytes: Uint8Array<ArrayBuffer> }[] = [];
  for (const program of programs) {
    for (const runtime of runtimes) {
      note(`compiling ${program.name} with ${runtime.name}`);
      built.push({ program, runtime, bytes: await compileProgram(program, runtime, options.constants) });
    }
  }

  // From here on V8 optimises at once: no large tool may start after this.
  optimizeAtOnce();
  const modules = built.map(({ program, runtime, bytes }) => ({
    program,
    runtime,
    module: new WebAssembly.Module(bytes),
  }));
  const cells: Cell[] = [];
  for (const program of programs) {
    const contenders: Contender[] = modules.filter((one) => one.program === program);
    const outcome = await runRounds(program, contenders, { ...options, progress: note });
    cells.push(...outcome.cells);
    notes.push(...outcome.failures);
    if (outcome.failures.length) process.exitCode = 1;
  }
  const objects: Record<string, ObjectSize> = {};
  for (const { program, runtime, module } of modules) {
    if (program === PAIRS) objects[runtime.name] = measureObjects(module, OBJECTS[options.scale]);
  }
  note("");
  await report({ runtimes, figures: new Figures(cells), objects, timer: timerOverhead(), notes }, options);
}

const options = readOptions(
  process.argv.slice(2),
  RUNTIMES.map(({ name }) => name),
);
if (options && !(await ranElsewhere())) await main(options);
