/**
 * The runtime benchmark: every program builds with every runtime and reads back the same, the host's pace of collecting
 * is what it is said to be, an object's size is seen right, and medians, pauses and tables are. Nothing is timed.
 */
import { describe, expect, it } from "vitest";
import { text } from "../../bench/lib/table.ts";
import { OBJECTS, PAIRS, PROGRAMS } from "../../bench/rt/lib/catalog.ts";
import { Figures, leastOf, pausesOf, quantile, summarize } from "../../bench/rt/lib/figures.ts";
import { start, writtenBytes } from "../../bench/rt/lib/instance.ts";
import { measureObjects, type Sample } from "../../bench/rt/lib/measure.ts";
import { readOptions } from "../../bench/rt/lib/options.ts";
import { tablesOf } from "../../bench/rt/lib/report.ts";
import { checksums, runRounds } from "../../bench/rt/lib/rounds.ts";
import {
  compileProgram,
  INCREMENTAL,
  MINIMAL,
  missing,
  OURS,
  RUNTIMES,
  type Runtime,
} from "../../bench/rt/lib/runtimes.ts";

const NAMES = RUNTIMES.map(({ name }) => name);
const MIB = 2 ** 20;

/** Never frees: what a program allocates is how far it has got. */
const STUB: Runtime = { name: "stub", about: "", flag: "stub", hostCollects: false, sources: [] };

async function compiled(program: { file: string }) {
  return Promise.all(
    RUNTIMES.map(async (runtime) => ({
      runtime,
      module: new WebAssembly.Module(await compileProgram(program, runtime)),
    })),
  );
}

describe("programs", () => {
  it("are there for every runtime", async () => {
    expect(NAMES).toEqual([OURS, INCREMENTAL, MINIMAL]);
    expect(await Promise.all(RUNTIMES.map(missing))).toEqual([undefined, undefined, undefined]);
    expect(await missing({ ...STUB, sources: ["no-such-file.ts"] })).toContain("no-such-file.ts");
  });

  it.each(PROGRAMS)("$name reads back the same with all", async (program) => {
    const { sums, failures } = checksums(program, await compiled(program), "tiny");
    expect(failures).toEqual([]);
    expect([...sums.keys()]).toEqual(NAMES);
    expect(new Set(sums.values()).size).toBe(1);
    expect([...sums.values()][0]).not.toBe(0);
  });

  it.each(PROGRAMS)("$name allocates 1 MiB or more between the host's collections", async (program) => {
    const { memory, ...run } = start(new WebAssembly.Module(await compileProgram(program, STUB)));
    run.setup(program.sizes.tiny);
    const before = writtenBytes(memory);
    const count = run.operations();
    for (let i = 0; i < count; i++) run.operation();
    const each = (writtenBytes(memory) - before) / count;
    expect(each * run.interval()).toBeGreaterThan(0.95 * MIB);
    // What lives is little at this size: not much more than the least.
    expect(each * run.interval()).toBeLessThan(3 * MIB);
  });

  it("are left out, with the reason, where they deviate or fail", async () => {
    const program = PROGRAMS.find(({ file }) => file === "lists")!;
    const good = await compiled(program);
    const other = await compiled(PROGRAMS.find(({ file }) => file === "rings")!);
    const mixed = [other[0]!, good[1]!, good[2]!];
    const outcome = await runRounds(program, mixed, { rounds: 1, scale: "tiny" });
    expect(outcome.failures).toEqual([`${program.name} reads back something else with ${OURS}`]);
    expect(outcome.cells.map(({ runtime }) => runtime)).toEqual([INCREMENTAL, MINIMAL]);
    const broken = {
      runtime: RUNTIMES[0]!,
      module: new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])),
    };
    const { sums, failures } = checksums(program, [broken, good[1]!], "tiny");
    expect([...sums.keys()]).toEqual([INCREMENTAL]);
    expect(failures).toHaveLength(1);
    expect(failures[0]).toContain(`does not run with ${OURS}`);
  });

  it("show what an object takes, and everything is in the tables", async () => {
    const contenders = await compiled(PAIRS);
    const objects = Object.fromEntries(
      contenders.map(({ runtime, module }) => [runtime.name, measureObjects(module, OBJECTS.tiny)]),
    );
    // TLSF: a header of 4 bytes, the collector's 16, 16 of payload, in steps of 16.
    expect(objects[INCREMENTAL]!.written).toBeCloseTo(48, 0);
    expect(objects[MINIMAL]!.written).toBeCloseTo(48, 0);
    // Ours: a header of 8 bytes and 16 of payload, and less than a byte of marks and records.
    expect(objects[OURS]!.written).toBeGreaterThanOrEqual(24);
    expect(objects[OURS]!.written).toBeLessThan(26);

    const { cells, failures } = await runRounds(PAIRS, contenders, { rounds: 2, scale: "tiny" });
    expect(failures).toEqual([]);
    expect(cells.map(({ runtime }) => runtime).sort()).toEqual([...NAMES].sort());
    for (const cell of cells) {
      expect(cell.operations).toBe(PAIRS.sizes.tiny * 250);
      expect(cell.milliseconds).toHaveLength(2);
      expect(cell.bytes % 65536).toBe(0);
      expect(cell.written).toBeGreaterThan(0);
      expect(cell.written).toBeLessThanOrEqual(cell.bytes);
      expect(cell.pauses.median).toBeLessThanOrEqual(cell.pauses.p99);
      expect(cell.pauses.p99).toBeLessThanOrEqual(cell.pauses.longest);
      expect(cell.pauses.longest).toBeLessThanOrEqual(cell.met.longest);
    }
    const found = { runtimes: RUNTIMES, figures: new Figures(cells), objects, timer: 50, notes: [] };
    const tables = tablesOf(found).map(text);
    expect(tables).toHaveLength(7);
    for (const table of tables) for (const name of NAMES) expect(table).toContain(name);
    expect(tables[0]!.split("\n")[2]).toMatch(/^two f64 +( +\d+){3}( +\d+\.\d\dx){2}$/);
    expect(tables[5]!.split("\n")[2]).toMatch(/^two f64 +( +\d+(\.\d)?){3}( +\d+\.\d\dx){2}$/);
  });
});

describe("options", () => {
  it("default to everything, five rounds", () => {
    const options = readOptions([], NAMES)!;
    expect(options).toMatchObject({ scale: "full", rounds: 5, clock: "wall", results: undefined, constants: [] });
    expect(PROGRAMS.every(({ name }) => options.wantsProgram(name))).toBe(true);
    expect(NAMES.every((name) => options.wantsRuntime(name))).toBe(true);
  });

  it("select programs and runtimes, and take constants", () => {
    const options = readOptions(
      ["--quick", "--only", "^map", "--runtimes", "gomalloc, minimal", "--use", "A=50", "--use", "minimal:B=-1"],
      NAMES,
    )!;
    expect(options).toMatchObject({ scale: "quick", rounds: 3 });
    expect(PROGRAMS.filter(({ name }) => options.wantsProgram(name)).map(({ file }) => file)).toEqual([
      "integer-map",
      "string-map",
    ]);
    expect(NAMES.filter((name) => options.wantsRuntime(name))).toEqual([OURS, MINIMAL]);
    expect(options.constants).toEqual([
      { runtime: OURS, text: "A=50" },
      { runtime: MINIMAL, text: "B=-1" },
    ]);
  });

  it("refuse nonsense", () => {
    expect(() => readOptions(["--rounds", "1.5"], NAMES)).toThrow("whole number");
    expect(() => readOptions(["--clock", "sun"], NAMES)).toThrow("wall or cpu");
    expect(() => readOptions(["--runtimes", "stub"], NAMES)).toThrow("no stub");
    expect(() => readOptions(["--use", "GOGC"], NAMES)).toThrow("NAME=VALUE");
    expect(() => readOptions(["--use", "boehm:A=1"], NAMES)).toThrow("no boehm");
  });
});

function sample(milliseconds: number, durations: number[], extra: Partial<Sample> = {}): Sample {
  const rest = { bytes: 2 * MIB, written: MIB, checksum: 1, share: 1, ...extra };
  return { milliseconds, durations: Float64Array.from(durations), ...rest };
}

describe("figures", () => {
  it("take quantiles by nearest rank", () => {
    const sorted = Float64Array.from({ length: 200 }, (_, i) => i + 1);
    expect(quantile(sorted, 0.5)).toBe(100);
    expect(quantile(sorted, 0.99)).toBe(198);
    expect(quantile(sorted, 1)).toBe(200);
    expect(quantile(sorted.subarray(0, 1), 0.01)).toBe(1);
    expect(quantile(new Float64Array(0), 0.5)).toBeNaN();
    expect(pausesOf(Float64Array.of(30, 10, 20))).toEqual({ median: 20, p99: 30, longest: 30 });
  });

  it("take each operation's least time, and keep what the rounds met", () => {
    const rounds = [sample(10, [1, 900, 3]), sample(30, [700, 2, 5]), sample(20, [2, 4, 4])];
    expect([...leastOf(rounds.map(({ durations }) => durations))]).toEqual([1, 2, 3]);
    expect(summarize("p", "r", rounds)).toMatchObject({
      operations: 3,
      milliseconds: [10, 30, 20],
      pauses: { median: 2, p99: 3, longest: 3 },
      longestAt: 2,
      met: { median: 4, p99: 700, longest: 700 },
    });
    expect(() => leastOf([Float64Array.of(1), Float64Array.of(1, 2)])).toThrow("number of operations");
  });

  it("compare within rounds, and average over the programs that both ran", () => {
    const figures = new Figures([
      summarize("a", OURS, [sample(10, [1]), sample(30, [1]), sample(5, [1])]),
      summarize("a", INCREMENTAL, [sample(20, [4]), sample(20, [4]), sample(20, [4], { bytes: 9 * MIB })]),
      summarize("b", OURS, [sample(8, [1])]),
      summarize("b", INCREMENTAL, [sample(4, [1])]),
      summarize("c", INCREMENTAL, [sample(4, [1])]),
    ]);
    expect(figures.programs).toEqual(["a", "b", "c"]);
    expect(figures.value("a", OURS, "time")).toBe(10);
    expect(figures.value("a", INCREMENTAL, "bytes")).toBe(2 * MIB);
    expect(figures.ratio("a", OURS, INCREMENTAL, "time")).toBe(0.5);
    expect(figures.ratio("a", OURS, INCREMENTAL, "longest")).toBe(0.25);
    expect(figures.ratio("c", OURS, INCREMENTAL, "time")).toBeUndefined();
    expect(figures.mean(OURS, INCREMENTAL, "time")).toBeCloseTo(1, 12);
    expect(figures.mean(OURS, MINIMAL, "time")).toBeUndefined();
  });
});

it("written memory is counted by pages", () => {
  const memory = new WebAssembly.Memory({ initial: 1 });
  expect(writtenBytes(memory)).toBe(0);
  const bytes = new Uint8Array(memory.buffer);
  bytes[0] = bytes[4095] = bytes[3 * 4096] = 1;
  expect(writtenBytes(memory)).toBe(2 * 4096);
});
