/**
 * The threads benchmark: the shared heap alone and on two threads, against dlmalloc under one lock. See --help for its
 * options, docs/threads-benchmark.md for what is measured, and bench/threads/lib for its parts:
 *
 *   contenders, build     the allocators; compiling, merging with the driver (bench/threads/native)
 *   workloads, trace      what is run
 *   pool, worker          the threads and the heap that is open among them
 *   measure, rounds       one measurement; interleaved rounds
 *   flavours              one thread: shared over unshared, on the main benchmark's micro workloads
 *   counts                locks and atomics, from the host flavour
 *   model (beside this)   how many threads the locks carry
 *   targets, report       what is held against what; tables, JSON
 */

import { optimizeAtOnce, ranElsewhere } from "../lib/engine.ts";
import { CONTENDERS, COUNTED, OURS, threadsModule } from "./lib/contenders.ts";
import { type CountRow, countAll } from "./lib/counts.ts";
import { buildFlavours, type FlavourRow, measureFlavours } from "./lib/flavours.ts";
import { model } from "./lib/modelled.ts";
import { type Options, readOptions } from "./lib/options.ts";
import { Pool, type Ready } from "./lib/pool.ts";
import { report } from "./lib/report.ts";
import { agree, Figures, runRounds, type Series } from "./lib/rounds.ts";
import { LARGE, selectWorkloads } from "./lib/workloads.ts";

/** Workers: as many as the largest measurement needs. */
const WORKERS = 2;

/** Shows what is going on, where a display can: in a log it would be a thousand lines. */
function note(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

async function main(options: Options): Promise<void> {
  const missing: string[] = [];
  const bytes: { contender: Ready["contender"]; bytes: Uint8Array<ArrayBuffer> }[] = [];
  for (const contender of [...CONTENDERS, COUNTED]) {
    const asked = contender === COUNTED ? OURS : contender.name;
    if (!options.wantsAllocator(asked)) continue;
    note(`building ${contender.name}`);
    const merged = await threadsModule(contender, "timed");
    if (merged) bytes.push({ contender, bytes: merged });
    else
      missing.push(
        `${contender.name} left out: ${contender.about} has not been built (${contender.remedy ?? "npm run build"})`,
      );
  }
  const wantsFlavours = options.flavours && options.wantsAllocator(OURS);
  const flavourBytes = wantsFlavours ? await buildFlavours() : undefined;
  const workloads = await selectWorkloads(options.wantsWorkload);

  // From here on V8 optimises at once: no large tool may start after this.
  optimizeAtOnce();
  note("compiling");
  const compiled = bytes.map((one) => ({ contender: one.contender, module: new WebAssembly.Module(one.bytes) }));
  const ready = compiled.filter(({ contender }) => contender !== COUNTED);
  const counted = compiled.find(({ contender }) => contender === COUNTED);
  const direct = ready.filter(({ contender }) => contender.name === OURS);
  const settings = { rounds: options.rounds, milliseconds: options.milliseconds, clock: options.clock, progress: note };

  const pool = await Pool.start(WORKERS);
  const series: Series[] = [];
  const flavours: FlavourRow[] = [];
  const counts: CountRow[] = [];
  try {
    for (const workload of workloads) {
      note(`${workload.name}: contents`);
      await agree(pool, workload, ready);
      series.push(...(await runRounds(pool, workload, ready, settings)));
    }
    const large = workloads.length ? await runRounds(pool, LARGE, direct, settings) : [];
    if (flavourBytes) {
      const modules = {
        plain: new WebAssembly.Module(flavourBytes.plain),
        shared: new WebAssembly.Module(flavourBytes.shared),
      };
      flavours.push(...(await measureFlavours(pool, modules, options.wantsWorkload, settings)));
    }
    if (counted && workloads.length) counts.push(...(await countAll(pool, counted, [...workloads, LARGE], note)));
    note("");
    const figures = new Figures(series);
    const found = { contenders: ready.map(({ contender }) => contender), missing, figures, flavours, counts };
    await report({ ...found, model: model(new Figures([...series, ...large]), counts) }, options);
  } finally {
    await pool.end();
  }
}

const options = readOptions(
  process.argv.slice(2),
  CONTENDERS.map(({ name }) => name),
);
if (options && !(await ranElsewhere())) await main(options);
