/** The examples of docs/collector.md, as one script, and the README's run as printed and print what their comments say. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { expect, it } from "vitest";

const INDEX = fileURLToPath(new URL("../../src/index.ts", import.meta.url));

it.each([
  { file: "docs/collector.md", from: "", to: undefined, least: 11 },
  { file: "README.md", from: "## Start: collected objects", to: "## Start: C, C++", least: 2 },
])("$file", async ({ file, from, to, least }) => {
  const text = await readFile(new URL(`../../${file}`, import.meta.url), "utf8");
  const page = text.slice(text.indexOf(from), to === undefined ? undefined : text.indexOf(to));
  const script = [...page.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code!).join("\n");
  // "16016: 1001 objects" prints 16016.
  const expected = script
    .split("\n")
    .map((line) => /(?:console\.log\(.*\)|collect\(\)); \/\/ ([^:]*)/.exec(line)?.[1])
    .filter((text) => text !== undefined);
  expect(expected.length).toBeGreaterThanOrEqual(least);
  const folder = await mkdtemp(join(tmpdir(), "gomalloc-docs-"));
  try {
    const bundle = await build({
      stdin: { contents: script, resolveDir: folder },
      bundle: true,
      platform: "node",
      format: "esm",
      // `using` is newer than the engine.
      target: "es2022",
      alias: { gomalloc: INDEX },
      write: false,
    });
    await writeFile(join(folder, "main.mjs"), bundle.outputFiles[0]!.text);
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [join(folder, "main.mjs")]);
    expect(stderr).toBe("");
    expect(stdout.trim().split("\n")).toEqual(expected);
  } finally {
    await rm(folder, { recursive: true });
  }
});
