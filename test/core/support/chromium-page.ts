/**
 * What the page of chromium.test.ts does: test files of Node's run in the browser, by vitest's own runner. The files come
 * in as functions that import them (chromium.test.ts bundles them), and run when it is their turn.
 */
import { startTests } from "vitest/internal/browser";

/** What came of a file: the tests that passed, and of others the name and the reason. */
export interface FileResult {
  readonly passed: number;
  readonly skipped: number;
  readonly failed: readonly string[];
}

type Runner = Parameters<typeof startTests>[1];
type Task = Awaited<ReturnType<typeof startTests>>[number]["tasks"][number];

const LIMIT_MS = 30 * 60_000;
const CONFIG: Runner["config"] = {
  ...{ root: "/", setupFiles: [], name: undefined, passWithNoTests: false, testNamePattern: undefined },
  ...{ allowOnly: false, chaiConfig: undefined, maxConcurrency: 1, testTimeout: LIMIT_MS, hookTimeout: LIMIT_MS },
  ...{ retry: 0, includeTaskLocation: false, tags: [], tagsFilter: undefined, strictTags: false },
  sequence: { seed: 1, hooks: "stack", setupFiles: "list" },
};

/** Runs the test file at `path`. */
export async function runFile(path: string, load: () => Promise<unknown>): Promise<FileResult> {
  const [file] = await startTests([{ filepath: path }], {
    config: CONFIG,
    pool: "browser",
    importFile: () => load(),
  });
  const result = { passed: 0, skipped: 0, failed: (file!.result?.errors ?? []).map(({ message }) => message) };
  const visit = (task: Task): void => {
    const errors = task.result?.errors ?? [];
    if (errors.length > 0) result.failed.push(`${task.name}: ${errors.map(({ message }) => message).join("; ")}`);
    if (task.type === "suite") task.tasks.forEach(visit);
    else if (task.result?.state === "pass") result.passed++;
    else if (task.mode === "skip") result.skipped++;
  };
  file!.tasks.forEach(visit);
  return result;
}
