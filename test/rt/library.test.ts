/**
 * The standard library and the language under every runtime: what AssemblyScript's own tests of std and rt cover, as
 * programs that print. Each line that a program prints under the compiler's incremental runtime must come under gomalloc
 * too, at every level of optimisation, with cycles all the time, in a little heap, and with a second marking as a check.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { type Build, build, type Configuration, instantiate, oursOr } from "./support/compile.ts";

const ENTRY = "test/rt/programs/library/index.ts";
const PARTS = ["arrays", "buffers", "collections", "objects", "strings"];

const TRUTH: Configuration = { name: "incremental", runtime: "incremental", flags: ["--debug"] };
const TRACE = ["--use", "ASC_RTRACE=1"];
const CONFIGURATIONS: Configuration[] = [
  { name: "incremental -O3", runtime: "incremental", flags: ["-O3"] },
  ...oursOr<Configuration>(
    { name: "gomalloc --debug", runtime: "gomalloc", flags: ["--debug", "--use", "GOMALLOC_CHECKMARK=1"] },
    { name: "gomalloc -O3 --converge", runtime: "gomalloc", flags: ["-O3", "--converge"] },
    { name: "gomalloc -Osize --noAssert", runtime: "gomalloc", flags: ["-Osize", "--noAssert"] },
    { name: "gomalloc, cycles without pause", runtime: "gomalloc", flags: ["-O1", "--use", "GOMALLOC_GOGC=1"] },
    { name: "gomalloc, the little heap", runtime: "gomalloc", flags: ["-O1", ...TRACE] },
  ),
];

interface LibraryExports {
  PARTS: WebAssembly.Global;
  run(part: number): void;
}

/** Hooks of ASC_RTRACE that see nothing. */
const rtrace = new Proxy({}, { get: (_, name) => (name === "onvisit" ? () => 1 : (ptr: number) => ptr) });

function lines(built: Build, part: number): string[] {
  const instance = instantiate<LibraryExports>(built, undefined, { rtrace });
  expect(instance.exports.PARTS.value).toBe(PARTS.length);
  instance.exports.run(part);
  return instance.lines;
}

/** A compilation takes seconds, and longer on a machine that has other things to do. */
const COMPILATION = 600_000;

let truth: Build;
beforeAll(async () => {
  truth = await build(ENTRY, TRUTH);
}, COMPILATION);

it.each(PARTS)("%s says something", (name) => {
  const said = lines(truth, PARTS.indexOf(name));
  expect(said.length).toBeGreaterThan(30);
  // Each of the four rounds says the same, but for what counts them.
  expect(new Set(said).size).toBeLessThan(said.length / 2);
});

describe.each(CONFIGURATIONS)("$name", (configuration) => {
  let built: Build;
  beforeAll(async () => {
    built = await build(ENTRY, configuration);
  }, COMPILATION);

  it.each(PARTS)("%s", (name) => {
    const part = PARTS.indexOf(name);
    expect(lines(built, part)).toEqual(lines(truth, part));
  });
});
