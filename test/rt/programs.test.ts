/**
 * The programs of this folder under every runtime. What each computes must be what it computes under the stub runtime,
 * which frees nothing; and it must stay in a fraction of the memory that it takes there, so that collections did happen.
 *
 * RT_SEED chooses another run; a failure prints the seed.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { env, random } from "../support/random.ts";
import {
  Abort,
  type Build,
  build,
  type Configuration,
  type Instance,
  instantiate,
  MiB,
  oursOr,
} from "./support/compile.ts";

const SEED = env("RT_SEED", 0x60a110c) >>> 0;
const ENTRY = "test/rt/programs/index.ts";

interface Plan {
  rounds: number;
  /** The heap must stay below all that is allocated, divided by this. */
  ratio: number;
}

/** Rounds give each program 10 to 250 MB to allocate. */
const PROGRAMS: Record<string, Plan> = {
  strings: { rounds: 120, ratio: 8 },
  arrays: { rounds: 250, ratio: 8 },
  buffers: { rounds: 160, ratio: 3 },
  maps: { rounds: 250, ratio: 8 },
  objects: { rounds: 200, ratio: 8 },
  functions: { rounds: 80, ratio: 8 },
  statics: { rounds: 200, ratio: 8 },
  recursion: { rounds: 60, ratio: 4 },
  // A million nodes live, and built-in runtimes that double their memory.
  lists: { rounds: 10, ratio: 1.5 },
  graphs: { rounds: 140, ratio: 2 },
  locals: { rounds: 60, ratio: 6 },
  pins: { rounds: 200, ratio: 8 },
  growth: { rounds: 50, ratio: 6 },
  lisp: { rounds: 30, ratio: 4 },
  aborts: { rounds: 200, ratio: 8 },
  sizes: { rounds: 120, ratio: 2 },
};
const NAMES = Object.keys(PROGRAMS);

const TRUTH: Configuration = { name: "stub", runtime: "stub", flags: [] };
const CONFIGURATIONS: Configuration[] = [
  { name: "incremental", runtime: "incremental", flags: ["-O1"] },
  { name: "minimal", runtime: "minimal", flags: [] },
  ...oursOr<Configuration>(
    { name: "gomalloc -O3", runtime: "gomalloc", flags: ["-O3"] },
    { name: "gomalloc, cycles without pause", runtime: "gomalloc", flags: ["-O1", "--use", "GOMALLOC_GOGC=10"] },
    { name: "gomalloc, marks checked", runtime: "gomalloc", flags: ["--debug", "--use", "GOMALLOC_CHECKMARK=1"] },
  ),
];

interface ProgramExports {
  count(): number;
  nameOf(program: number): number;
  start(program: number, seed: number): void;
  step(program: number, round: number): void;
  finish(program: number): bigint;
  allocated(): number;
  kinds(): number;
  provoke(kind: number): void;
}

interface Outcome {
  digest: bigint;
  /** Bytes that memory has grown by: the heap at its largest. */
  growth: number;
  instance: Instance<ProgramExports>;
}

/**
 * Plays a program. The host collects after some rounds, which is when a runtime without a shadow stack may; the
 * callback follows each round.
 */
function play(built: Build, name: string, seed: number, afterRound?: (exports: ProgramExports, round: number) => void) {
  const instance = instantiate<ProgramExports>(built);
  const { exports } = instance;
  const before = instance.memorySize();
  const program = NAMES.indexOf(name);
  const r = random(seed);
  exports.start(program, seed);
  for (let round = 0; round < PROGRAMS[name]!.rounds; round++) {
    exports.step(program, round);
    if (r() % 4) exports.__collect();
    afterRound?.(exports, round);
  }
  const digest = BigInt.asUintN(64, exports.finish(program));
  return { digest, growth: instance.memorySize() - before, instance } satisfies Outcome;
}

/** Ends a call in each of the ways there are, one every few rounds. */
function provoking(messages: string[]) {
  return (exports: ProgramExports, round: number) => {
    const kind = Math.floor(round / 3);
    if (round % 3 || kind >= exports.kinds()) return;
    try {
      exports.provoke(kind);
      messages.push(`${kind}: came back`);
    } catch (error) {
      if (!(error instanceof Abort || error instanceof WebAssembly.RuntimeError || error instanceof RangeError))
        throw error;
      messages.push(`${kind}: ${error instanceof Abort ? error.message : error.constructor.name}`);
    }
  };
}

let stub: Build;
const truths = new Map<string, { digest: bigint; allocated: number }>();

/** What a program computes and allocates when nothing is ever freed. */
function truth(name: string): { digest: bigint; allocated: number } {
  let known = truths.get(name);
  if (!known) {
    const { digest, instance } = play(stub, name, SEED);
    known = { digest, allocated: instance.exports.allocated() >>> 0 };
    truths.set(name, known);
  }
  return known;
}

beforeAll(async () => {
  stub = await build(ENTRY, TRUTH);
});

describe("the programs themselves", () => {
  it("are those of the module", () => {
    const { exports } = instantiate<ProgramExports>(stub);
    expect(exports.count()).toBe(NAMES.length);
  });

  it.each(NAMES)("%s depends on its seed and allocates much", (name) => {
    const { digest, allocated } = truth(name);
    expect(play(stub, name, SEED + 2).digest, `seed ${SEED}`).not.toBe(digest);
    expect(allocated).toBeGreaterThan(12 * MiB);
  });
});

describe.each(CONFIGURATIONS)("$name", (configuration) => {
  let built: Build;
  beforeAll(async () => {
    built = await build(ENTRY, configuration);
  });

  it.each(NAMES)("%s", (name) => {
    const { digest, growth } = play(built, name, SEED);
    const expected = truth(name);
    expect(digest, `seed ${SEED}`).toBe(expected.digest);
    expect(growth, `of ${expected.allocated} bytes allocated, seed ${SEED}`).toBeLessThan(
      expected.allocated / PROGRAMS[name]!.ratio,
    );
  });

  it("goes on after calls that trapped or aborted", () => {
    const expected: string[] = [];
    const messages: string[] = [];
    const { digest } = play(stub, "aborts", SEED, provoking(expected));
    expect(play(built, "aborts", SEED, provoking(messages)).digest, `seed ${SEED}`).toBe(digest);
    expect(messages).toEqual(expected);
    expect(messages.filter((message) => message.endsWith("came back"))).toEqual([]);
  });
});
