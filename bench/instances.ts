/**
 * `npx tsx bench/instances.ts [--rounds N] [--clock cpu] [--write | --results FOLDER]`: what a pair of malloc and free costs from inside a program
 * that is merged with gomalloc, and from one that stands beside it (instantiateWith), with its memory imported and with
 * its own. One program in three forms, taking turns; medians.
 */
import { parseArgs } from "node:util";
import binaryen from "binaryen";
import { instantiateWith } from "../src/index.ts";
import { link } from "../src/tools/index.ts";
import { now, useClock } from "./lib/clock.ts";
import { CLOCK_FLAG, clockOf, roundsOf } from "./lib/flags.ts";
import { describeMachine } from "./lib/machine.ts";
import { publish, RESULT_FLAGS, resultFolder } from "./lib/results.ts";
import { median, spread } from "./lib/statistics.ts";
import { type Table, text } from "./lib/table.ts";

const PAIRS = 4_000_000;

/** Two blocks at a time are live, so that no group of slots runs empty at every free. */
function program(memory: "own" | "imported"): Uint8Array<ArrayBuffer> {
  const module = binaryen.parseText(`(module
    ${memory === "imported" ? '(import "env" "memory" (memory 4))' : ""}
    (import "gomalloc" "malloc" (func $malloc (param i32) (result i32)))
    (import "gomalloc" "free" (func $free (param i32)))
    ${memory === "own" ? '(memory (export "memory") 4)' : ""}
    (global (export "__heap_base") i32 (i32.const 1024))
    (func (export "run") (param $n i32) (local $p i32) (local $q i32)
      (loop $again
        (local.set $p (call $malloc (i32.const 64)))
        (local.set $q (call $malloc (i32.const 40)))
        (i32.store (local.get $p) (local.get $n))
        (call $free (local.get $p))
        (call $free (local.get $q))
        (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 2)))))))`);
  try {
    module.setFeatures(binaryen.Features.MutableGlobals);
    return new Uint8Array(module.emitBinary());
  } finally {
    module.dispose();
  }
}

async function instances(): Promise<Map<string, WebAssembly.Exports>> {
  const { wasm } = await link(program("own"));
  const merged = await WebAssembly.instantiate(wasm, {});
  const imported = await instantiateWith(program("imported"));
  const own = await instantiateWith(program("own"));
  return new Map([
    ["merged (gomalloc link)", merged.instance.exports],
    ["beside it, memory imported", imported.instance.exports],
    ["beside it, memory of its own", own.instance.exports],
  ]);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string" },
      ...CLOCK_FLAG,
      ...RESULT_FLAGS,
    },
  });
  const folder = resultFolder(values, undefined);
  const rounds = roundsOf(values.rounds, 15);
  useClock(clockOf(values.clock));

  const forms = await instances();
  const times = new Map([...forms.keys()].map((name) => [name, [] as number[]]));
  // The first round warms up: V8's first tier is still at work in it.
  for (let round = -1; round < rounds; round++) {
    for (const [name, exports] of forms) {
      const start = now();
      (exports["run"] as (n: number) => void)(PAIRS);
      if (round >= 0) times.get(name)!.push(((now() - start) * 1e6) / PAIRS);
    }
  }
  const base = median(times.get("merged (gomalloc link)")!);
  const table: Table = {
    columns: [
      { name: "a pair of malloc and free" },
      { name: "ns", digits: 1 },
      { name: "over merged", digits: 2, unit: "x" },
      { name: "spread", digits: 0, unit: " %" },
    ],
    rows: [...times].map(([name, all]) => [name, median(all), median(all) / base, spread(all) * 100]),
  };
  console.log(text(table));
  const conditions = `medians of ${rounds} interleaved rounds, ${values.clock} time`;
  const found = { machine: describeMachine({ binaryen: "binaryen" }), conditions, tables: [table], notes: [] };
  if (folder) await publish(folder, "instances", "npx tsx bench/instances.ts", found);
}

await main();
