/** Test runner: every *.test.ts under test/, in forked processes so that a test's memories die with its file. */
import { defineConfig } from "vitest/config";

/**
 * Only a test that hangs is to reach a limit of time: the slowest take half a minute on a quiet machine, and a machine with
 * eight other jobs makes ten of that. Tests set no shorter limit of their own.
 */
const HANGS_MS = 30 * 60_000;

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/support/globalsetup.ts"],
    setupFiles: ["test/support/baseline.ts"],
    pool: "forks",
    // node:wasi and others say at every start that they are experimental.
    execArgv: ["--disable-warning=ExperimentalWarning"],
    maxWorkers: 2,
    testTimeout: HANGS_MS,
    hookTimeout: HANGS_MS,
    teardownTimeout: HANGS_MS,
  },
});
