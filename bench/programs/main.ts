/**
 * Real programs with their own allocator and with gomalloc: the same work, the same output, time and memory. See
 * --help for its options, docs/programs-benchmark.md for what is measured, and bench/programs/lib for its parts:
 *
 *   catalog, inputs     the programs, what they are made to do, what they read
 *   sources, clang      fetching, compiling
 *   allocators, optimize  the columns: linking a program with each allocator
 *   measure, run, worker  interleaved rounds; one run
 *   report              tables, JSON
 */

import { Listr } from "listr2";
import { Unavailable } from "../lib/build/sources.ts";
import { optimizeAtOnce, ranElsewhere } from "../lib/engine.ts";
import { ALLOCATORS, type Allocator, REFERENCE } from "./lib/allocators.ts";
import { PROGRAMS, type Program } from "./lib/catalog.ts";
import { type Contender, measure, type Row } from "./lib/measure.ts";
import { type Options, readOptions } from "./lib/options.ts";
import { report } from "./lib/report.ts";

/** A program with every allocator that could be had. */
interface Built {
  readonly program: Program;
  readonly modules: readonly { allocator: Allocator; bytes: Uint8Array<ArrayBuffer> }[];
}

/** Builds one program with every allocator asked for; an allocator or program without sources is noted in `skipped`. */
async function build(
  program: Program,
  options: Options,
  skipped: Set<string>,
  progress: (text: string) => void,
): Promise<Built> {
  const modules: { allocator: Allocator; bytes: Uint8Array<ArrayBuffer> }[] = [];
  for (const allocator of ALLOCATORS) {
    if (!options.wantsAllocator(allocator.name)) continue;
    progress(allocator.name);
    try {
      modules.push({ allocator, bytes: await allocator.build(program) });
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      skipped.add(`${error.what} left out: ${error.message}`);
    }
  }
  return { program, modules };
}

/** Bytes without the custom sections: function names are no part of a program. */
function codeSize(bytes: Uint8Array<ArrayBuffer>): number {
  const sections = WebAssembly.Module.customSections(new WebAssembly.Module(bytes), "name");
  return sections.reduce((size, section) => size - section.byteLength, bytes.length);
}

function note(task: { output: string }, text: string): void {
  if (process.stdout.isTTY) task.output = text;
}

async function main(options: Options): Promise<void> {
  const programs = PROGRAMS.filter(({ name }) => options.wantsProgram(name));
  const skipped = new Set<string>();
  const built: Built[] = [];
  const rows: Row[] = [];
  const tasks = new Listr(
    [
      {
        title: "Build",
        task: (_context, task) =>
          task.newListr(
            programs.map((program) => ({
              title: program.about,
              task: async (_inner, line) => {
                built.push(await build(program, options, skipped, (text) => note(line, text)));
              },
            })),
            { concurrent: false },
          ),
      },
      {
        title: "Measure",
        task: (_context, task) => {
          // From here on V8 optimises at once: no large tool may start after this.
          optimizeAtOnce();
          return task.newListr(
            built
              .filter(({ modules }) => modules.some(({ allocator }) => allocator.name === REFERENCE))
              .map(({ program, modules }) => ({
                title: program.name,
                task: async (_inner, line) => {
                  const contenders: Contender[] = modules.map(({ allocator, bytes }) => ({
                    allocator: allocator.name,
                    reference: allocator.reference,
                    rate: allocator.rate,
                    module: new WebAssembly.Module(bytes),
                  }));
                  for (const workload of program.workloads) {
                    if (!options.wantsWorkload(workload.name)) continue;
                    const progress = (allocator: string, round: number) =>
                      note(line, `${workload.name}, round ${round + 1} of ${options.rounds}: ${allocator}`);
                    rows.push(await measure(program, workload, contenders, { ...options, progress }));
                  }
                },
              })),
            { concurrent: false },
          );
        },
      },
    ],
    { concurrent: false, rendererOptions: { collapseSubtasks: false } },
  );
  await tasks.run();
  const sizes = Object.fromEntries(
    built
      .filter(({ modules }) => modules.length)
      .map(({ program, modules }) => [
        program.name,
        Object.fromEntries(modules.map(({ allocator, bytes }) => [allocator.name, codeSize(bytes)])),
      ]),
  );
  const allocators = ALLOCATORS.filter(({ name }) => options.wantsAllocator(name));
  await report({ scale: options.scale, allocators, programs, rows, sizes, skipped: [...skipped] }, options);
}

const options = readOptions(process.argv.slice(2), {
  programs: PROGRAMS.map(({ name }) => name),
  allocators: ALLOCATORS,
  stock: REFERENCE,
});
if (options && !(await ranElsewhere())) await main(options);
