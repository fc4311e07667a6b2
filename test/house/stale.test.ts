/** No test runs on an old build: what decides that dist/ is older than src/. */
import { mkdir, mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { isStale } from "../support/stale.ts";

it("an output that is missing, or older than its source, is stale", async () => {
  const folder = await mkdtemp(join(tmpdir(), "gomalloc-stale-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const [src, dist] = [join(folder, "src"), join(folder, "dist")];
  const write = async (file: string, seconds: number) => {
    await writeFile(file, "");
    await utimes(file, seconds, seconds);
  };
  for (const root of [src, dist]) await mkdir(join(root, "inner"), { recursive: true });
  await write(join(src, "inner", "a.ts"), 1000);
  expect(await isStale(src, dist)).toBe(true);
  await write(join(dist, "inner", "a.js"), 1001);
  expect(await isStale(src, dist)).toBe(false);
  await write(join(src, "inner", "a.ts"), 1002);
  expect(await isStale(src, dist)).toBe(true);
});
