/**
 * Runs before each test file. Those whose time goes to compilers that are WebAssembly, in their own process, have V8's
 * baseline compiler alone: clang takes 1.7 s of processor time for a small program then, not 5.5 s. Their heaps have
 * little to do; all other tests, those of AssemblyScript programs too, run their modules as V8 likes.
 */
import { setFlagsFromString } from "node:v8";
import { expect } from "vitest";

const COMPILERS = /\/test\/(native|tools)\//;

if (COMPILERS.test(expect.getState().testPath!.replaceAll("\\", "/"))) setFlagsFromString("--liftoff-only");
