/**
 * Damaged modules: whatever the bytes, inspect, link and swap end in time, and give a result that is valid or a ToolError
 * with its remedy. A fault is printed with the module and the seed; GOMALLOC_SEED=seed GOMALLOC_MUTANTS=1 tries it again.
 *
 * GOMALLOC_MUTANTS is the number of mutants (2,000; 10,000 with GOMALLOC_LONG=1), GOMALLOC_SEED the first seed,
 * GOMALLOC_WHOLE of how many mutants one goes through binaryen too, if the tools come that far and the module is small
 * (100): that costs seconds, all before it some milliseconds.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { LONG } from "../support/long.ts";
import { env } from "../support/random.ts";
import { tryAll } from "./support/mutants/pool.ts";
import { readSubjects, type Source } from "./support/mutants/subjects.ts";
import type { Job } from "./support/mutants/worker.ts";

const COUNT = env("GOMALLOC_MUTANTS", LONG ? 10_000 : 2_000);
const FIRST = env("GOMALLOC_SEED", 1);
const WHOLE = env("GOMALLOC_WHOLE", 100);
/** Bytes of a module that takes binaryen long. */
const LARGE = 20_000;
/** Fewer mutants say nothing of how the outcomes are spread. */
const MANY = 1000;
/** Milliseconds: a bound for a hang of the test itself, not for a busy machine. */
const TIMEOUT = Math.max(3_600_000, COUNT * 500);

let folder: string;
let subjects: Source[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gomalloc-mutants-"));
  subjects = await readSubjects();
}, TIMEOUT);

afterAll(() => rm(folder, { recursive: true, force: true }));

/** In turns, as often as their shares say. All of a job comes from its seed; every module has its turn to be whole. */
function* jobs(): Generator<Job> {
  const turns = subjects.flatMap(({ share }, subject) => Array<number>(share).fill(subject));
  for (let seed = FIRST; seed < FIRST + COUNT; seed++) {
    const subject = turns[(seed * 37) % turns.length]!;
    const chosen = (seed + Math.floor(seed / turns.length)) % WHOLE === 0;
    yield { subject, seed, whole: chosen && subjects[subject]!.bytes.length < LARGE };
  }
}

it(
  `${COUNT} mutants from seed ${FIRST}`,
  async () => {
    const files = await Promise.all(
      subjects.map(async ({ bytes }, i) => {
        const path = join(folder, `${i}.wasm`);
        await writeFile(path, bytes);
        return path;
      }),
    );
    const answers = await tryAll(files, jobs());
    const faults = answers.flatMap(({ subject, seed, kinds, fault }) =>
      fault === undefined ? [] : [`${subjects[subject]!.name}, seed ${seed} (${kinds.join(", ")}): ${fault}`],
    );
    expect(faults).toEqual([]);
    expect(answers).toHaveLength(COUNT);

    // The damage is of use: much is refused for many reasons, and much gets as far as binaryen, and through it.
    const outcomes = new Map<string, number>();
    for (const { outcome } of answers) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    console.log(Object.fromEntries(outcomes));
    if (COUNT < MANY) return;
    for (const outcome of ["malformed", "truncated", "stopped"]) {
      expect(outcomes.get(outcome) ?? 0, outcome).toBeGreaterThan(COUNT / 100);
    }
    expect(outcomes.get("result") ?? 0).toBeGreaterThan(0);
  },
  TIMEOUT,
);
