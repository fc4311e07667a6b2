/** The benchmark's command runs itself again in the Node that is asked for, and ends as that one ends. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { benchFile, ROOT } from "../../bench/lib/paths.ts";

const run = promisify(execFile);

function bench(...words: string[]) {
  return run(process.execPath, ["--import", "tsx", benchFile("main.ts"), ...words], { cwd: ROOT });
}

it("gives its command line to the one that runs", async () => {
  const { stdout } = await bench("--checked", "--only", "pairs 64/dlmalloc");
  const rows = stdout.split("\n").filter((line) => line.includes("contents kept"));
  expect(rows).toHaveLength(1);
  expect(rows[0]).toMatch(/^pairs 64 B +dlmalloc/);
});

it("fails when that one fails", async () => {
  await expect(bench("--only", "no such workload/dlmalloc")).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining("no workload matches --only"),
  });
});
