/**
 * Packages of npm that are written in AssemblyScript, under the built-in runtime and under gomalloc: their own tests
 * where the package ships them, work on their documented API where it does not. The outcome must be the same to the
 * last test and digest.
 */
import { describe, expect, it } from "vitest";
import { env } from "../support/random.ts";
import {
  Abort,
  AUTOMATIC,
  type BuildOptions,
  build,
  configuration,
  type Instance,
  instantiate,
  MiB,
  type Runtime,
  text,
} from "./support/compile.ts";

const SEED = env("RT_SEED", 0x60a110c) >>> 0;

/** A package with tests for as-pect. */
interface Tested {
  readonly name: string;
  /** Relative to node_modules. */
  readonly files: readonly string[];
  /** Tests there are, so that none is lost. */
  readonly tests: number;
  /** Tests that fail under the built-in runtime of this compiler. */
  readonly failing: readonly string[];
  readonly patches?: BuildOptions["patches"];
}

const REGEX_TESTS = [
  ...["alterations", "boundary-assertions", "capture-group", "character-classes", "character-sets", "quantifiers"],
  ...["range-quantifiers", "regex"],
].map((name) => `assemblyscript-regex/assembly/__tests__/${name}.spec.ts`);

const TESTED: readonly Tested[] = [
  {
    // safe_u128.spec.ts is left out: this compiler refuses what it tests.
    name: "as-bignum",
    files: ["i128", "u128", "u256", "safe_u256"].map((name) => `as-bignum/assembly/__tests__/${name}.spec.ts`),
    tests: 292,
    failing: [],
  },
  {
    name: "assemblyscript-regex",
    files: [...REGEX_TESTS, "assemblyscript-regex/assembly/__spec_tests__/generated.spec.ts"],
    tests: 506,
    failing: [],
    patches: {
      "assemblyscript-regex/assembly/nfa/matcher.ts": [
        ["static _flags: Flags;", "static _flags: Flags = changetype<Flags>(0);"],
      ],
      "assemblyscript-regex/assembly/regexp.ts": [
        ["private flags: Flags;", "private flags!: Flags;"],
        ["private groupMarkers: ", "private groupMarkers!: "],
      ],
    },
  },
  {
    name: "as-string-sink",
    files: ["as-string-sink/assembly/__tests__/general.spec.ts"],
    tests: 20,
    failing: [],
  },
  {
    name: "as-variant",
    files: ["as-variant/assembly/__tests__/basic.spec.ts"],
    tests: 12,
    failing: [],
  },
];

/** How each test ended: "passed" or why it failed. */
type Results = Map<string, string>;

interface TableExports {
  table: WebAssembly.Table;
}

/** Runs all tests of a package, several times over in one instance: the first rounds are the later ones' garbage. */
async function runTests({ files, patches }: Tested, runtime: Runtime, rounds: number): Promise<Results[]> {
  const built = await build(
    files.map((file) => `node_modules/${file}`),
    configuration(runtime),
    { flags: ["--lib", "test/rt/programs/aspect", "--exportTable", "--disableWarning"], ...(patches && { patches }) },
  );
  const tests = new Map<string, () => void>();
  const call = ({ exports }: Instance<TableExports>, index: number) => exports.table.get(index) as () => void;
  const instance = instantiate<TableExports>(built, (it) => ({
    runTest(name: number, index: number) {
      tests.set(`${tests.size} ${text(it.exports.memory, name)}`, call(it, index));
    },
    returns: (index: number) => (ends(call(it, index)) === "passed" ? 1 : 0),
  }));
  return Array.from({ length: rounds }, () => {
    const results = new Map([...tests].map(([name, test]) => [name, ends(test)]));
    instance.exports.__collect();
    return results;
  });
}

function ends(test: () => void): string {
  try {
    test();
    return "passed";
  } catch (error) {
    if (error instanceof Abort || error instanceof WebAssembly.RuntimeError) return error.message;
    throw error;
  }
}

describe.each(TESTED)("tests of $name", (tested) => {
  it.each(AUTOMATIC)("%s", async (runtime) => {
    const [first, ...more] = await runTests(tested, runtime, 4);
    expect(first!.size).toBe(tested.tests);
    expect([...first!].filter(([, result]) => result !== "passed").map(([name]) => name)).toEqual(tested.failing);
    for (const results of more) expect(results).toEqual(first);
    if (runtime === "gomalloc") expect(first).toEqual((await runTests(tested, "incremental", 1))[0]);
  });
});

interface JsonExports {
  start(seed: number): void;
  step(round: number): void;
  finish(): bigint;
  allocated(): number;
  sample(): number;
}

const JSON_ROUNDS = 40;

async function playJson(runtime: Runtime) {
  const flags = ["--transform", "json-as/transform", "--enable", "simd"];
  const built = await build("test/rt/programs/json.ts", configuration(runtime), { flags });
  const { exports, memorySize } = instantiate<JsonExports>(built);
  const before = memorySize();
  exports.start(SEED);
  for (let round = 0; round < JSON_ROUNDS; round++) exports.step(round);
  return {
    digest: exports.finish(),
    sample: text(exports.memory, exports.sample()),
    growth: memorySize() - before,
    exports,
  };
}

describe("work on json-as", () => {
  it("writes what other parsers read", async () => {
    const { exports, sample } = await playJson("stub");
    expect(exports.allocated() >>> 0).toBeGreaterThan(16 * MiB);
    expect(Object.keys(JSON.parse(sample))).toEqual(expect.arrayContaining(["number", "customer", "lines", "matrix"]));
  });

  it.each(AUTOMATIC)("%s", async (runtime) => {
    const { digest, sample, growth } = await playJson(runtime);
    const truth = await playJson("stub");
    expect(digest, `seed ${SEED}`).toBe(truth.digest);
    expect(sample).toBe(truth.sample);
    expect(growth).toBeLessThan((truth.exports.allocated() >>> 0) / 2);
  });
});
