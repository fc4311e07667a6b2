/**
 * Weak references of AssemblyScript programs (rt-weak.ts) beside a model in the program: with cycles that are forced, in
 * random steps and begun by allocation, and in the little heap. Dead objects are overwritten (GOMALLOC_CLOBBERFREE) and each
 * cycle's marks are checked (GOMALLOC_CHECKMARK).
 */
import { beforeAll, describe, expect, it } from "vitest";
import { type Build, build, type Configuration, type Instance, instantiate } from "./support/compile.ts";

const ENTRY = "test/rt/programs/weak.ts";
const CHECKS = ["--use", "GOMALLOC_CLOBBERFREE=1", "--use", "GOMALLOC_CHECKMARK=1"];
const SMALL_HEAP = ["--use", "GOMALLOC_HEAP_MINIMUM=20000"];
const SEED = Number(process.env.RT_SEED ?? 7);

interface Program {
  start(seed: number): void;
  step(budget: number): number;
  collect(): void;
  operate(): number;
  check(): number;
  ghosts(): number;
  dead(): number;
  many(n: number, keep: number): number;
  statics(): number;
}

const little = ["--stackSize", "8192", "--initialMemory", "4", "--maximumMemory", "4"];
const CONFIGURATIONS: (Configuration & { stepped: boolean })[] = [
  { name: "-O1", runtime: "gomalloc", flags: ["-O1", ...CHECKS, ...SMALL_HEAP], stepped: true },
  { name: "-O3", runtime: "gomalloc", flags: ["-O3", ...SMALL_HEAP], stepped: true },
  { name: "GC_OFF", runtime: "gomalloc", flags: ["-O1", ...CHECKS, "--use", "GOMALLOC_GC_OFF=1"], stepped: true },
  { name: "little heap", runtime: "gomalloc", flags: ["-O1", ...little], stepped: false },
];

describe.each(CONFIGURATIONS)("weak references, $name", (configuration) => {
  let built: Build;
  let program: Instance<Program>["exports"];
  beforeAll(async () => {
    built = await build(ENTRY, configuration, { flags: ["--exportRuntime"] });
    program = instantiate<Program>(built).exports;
  });

  it("give what is held and nothing that was freed, in every phase", () => {
    program.start(SEED);
    let state = SEED >>> 0;
    const random = (n: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * n);
    };
    let deaths = 0;
    for (let i = 0; i < 20_000; i++) {
      expect(program.operate(), `operation ${i} of seed ${SEED}`).toBe(0);
      if (configuration.stepped && random(3) === 0) program.step(random(400));
      if (random(500) === 0) {
        expect(program.check(), `operation ${i} of seed ${SEED}`).toBe(0);
        program.collect();
        expect(program.ghosts(), `operation ${i} of seed ${SEED}`).toBe(0);
        expect(program.check(), `operation ${i} of seed ${SEED}`).toBe(0);
        deaths += program.dead();
      }
    }
    expect(deaths).toBeGreaterThan(100);
  });

  it("are many, and their table shrinks again", () => {
    for (const n of configuration.stepped ? [10, 20_000, 3, 500, 1] : [10, 500, 3])
      for (const keep of [1, 2, 7]) expect(program.many(n, keep), `${n} by ${keep}`).toBe(0);
  });

  it("hold static objects", () => {
    expect(program.statics()).toBe(0);
  });
});

it.each(["incremental", "minimal", "stub"] as const)(
  "with --runtime %s the compiler says what is missing",
  async (runtime) => {
    const compiled = build(ENTRY, { name: runtime, runtime, flags: ["-O1"] });
    await expect(compiled).rejects.toThrow(/needs gomalloc's runtime: asc --runtime/);
  },
);
