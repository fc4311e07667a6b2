/**
 * Blocks that one thread of a linked program hands to another, which works on them at once: by memory.fill, memory.copy
 * and atomics, which V8 checks against a size of the memory that it keeps per thread (src/tools/memorysize.ts). Real
 * threads, in the Node that runs the test; npm run test:engines runs it in others. HANDOVERS is the number of runs of
 * each kind.
 */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import binaryen from "binaryen";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { link } from "../../src/tools/link.ts";
import { env } from "../support/random.ts";
import { assemble, COMMON, programText } from "./support/programs.ts";

const RUNS = env("HANDOVERS", 40);
const BLOCKS = 6;
/** Bytes of a block: about as much as a growth brings. */
const SIZE = 300_000;
const MAXIMUM = 1000;

const MAILBOX = 1040;
const FAILED = 1048;

/** What is done with the block at $p. */
const WORK = Object.entries({
  "memory.fill": "(memory.fill (local.get $p) (i32.const 7) (local.get $size))",
  "memory.copy to it": "(memory.copy (local.get $p) (i32.const 1024) (i32.const 64))",
  "memory.copy from it": "(memory.copy (i32.const 1056) (local.get $p) (i32.const 8))",
  "memory.init": "(memory.init $data (local.get $p) (i32.const 0) (i32.const 4))",
  "an atomic store": "(i32.atomic.store8 offset=100 (local.get $p) (i32.const 1))",
  "an atomic load": "(drop (i64.atomic.load offset=64 (local.get $p)))",
  "an atomic addition": "(drop (i32.atomic.rmw.add (local.get $p) (i32.const 1)))",
  "a compare-exchange": "(drop (i64.atomic.rmw.cmpxchg offset=8 (local.get $p) (i64.const 0) (i64.const 1)))",
  "memory.atomic.notify": "(drop (memory.atomic.notify (local.get $p) (i32.const 1)))",
  "memory.atomic.wait32": "(drop (memory.atomic.wait32 (local.get $p) (i32.const 1) (i64.const 0)))",
});

function programOf(): Uint8Array {
  const wait = (until: string) => `
    (loop $again
      (br_if $done (i32.atomic.load (i32.const ${FAILED})))
      (br_if $again ${until}))`;
  const next = "(br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1))))";
  const take = ([_, work]: [string, string], i: number) => `
    (func (export "take${i}") (param $n i32) (param $size i32) (result i32) (local $p i32) (local $taken i32)
      (block $done
        (loop $next
          ${wait(`(i32.eqz (local.tee $p (i32.atomic.load (i32.const ${MAILBOX}))))`)}
          ${work}
          (local.set $taken (i32.add (local.get $taken) (i32.const 1)))
          (i32.atomic.store (i32.const ${MAILBOX}) (i32.const 0))
          ${next}))
      (local.get $taken))`;
  const text = programText({
    memory: "",
    imports: `(import "env" "memory" (memory $memory 2 ${MAXIMUM} shared))`,
    rest: `
      (global (export "FAILED") i32 (i32.const ${FAILED}))
      (data $data "abcd")
      (func (export "give") (param $n i32) (param $size i32) (result i32) (local $p i32)
        (block $done
          (loop $next
            (local.set $p (call $malloc (local.get $size)))
            (i32.atomic.store (i32.const ${MAILBOX}) (local.get $p))
            ${wait(`(i32.atomic.load (i32.const ${MAILBOX}))`)}
            ${next}))
        (local.get $n))
      ${WORK.map(take).join("\n")}`,
  });
  return assemble(text.replace(/\(data \(i32.const 1024\).*/, ""), false, COMMON | binaryen.Features.Atomics);
}

/** Has a thread play a part of a run; what it came to. */
type Play = (role: string, memory: WebAssembly.Memory, run: number) => Promise<unknown>;

describe.each(["O0", "O3"] as const)("linked with -%s, a thread works at once on a block of another's", (optimize) => {
  const workers: Worker[] = [];
  const [giver, taker]: Play[] = [0, 1].map((i) => async (role, memory, run) => {
    workers[i]!.postMessage({ role, memory, run });
    return (await once(workers[i]!, "message"))[0];
  }) as [Play, Play];

  beforeAll(async () => {
    const { wasm, report } = await link(programOf(), { optimize });
    // All but those of the mailbox, whose addresses are constant.
    expect(report.compares).toBe(WORK.length);
    const workerData = { wasm, blocks: BLOCKS, size: SIZE };
    for (let i = 0; i < 2; i++) {
      workers.push(new Worker(new URL("./support/handover.mjs", import.meta.url), { workerData }));
    }
  });
  afterAll(() => Promise.all(workers.map((worker) => worker.terminate())));

  it.each(WORK.map(([name], i) => ({ name, i })))("$name", async ({ i }) => {
    for (let run = 0; run < RUNS; run++) {
      const memory = new WebAssembly.Memory({ initial: 2, maximum: MAXIMUM, shared: true });
      const [, taken] = await Promise.all([giver!("give", memory, run), taker!(`take${i}`, memory, run)]);
      expect(taken, `run ${run}`).toBe(BLOCKS);
    }
  });
});
