/** The example of docs/shared-api.md and of the README runs as printed and prints what it says. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { expect, it } from "vitest";

const INDEX = fileURLToPath(new URL("../../src/shared/index.ts", import.meta.url));

it.each(["docs/shared-api.md", "README.md"])("%s", async (file) => {
  const page = await readFile(new URL(`../../${file}`, import.meta.url), "utf8");
  const files = [...page.matchAll(/^`(\w+\.mjs)`:\n\n```js\n(.*?)^```$/gms)].map(([, name, text]) => ({ name, text }));
  expect(files.map(({ name }) => name)).toEqual(["main.mjs", "worker.mjs"]);
  const [, output] = /^It prints.*?```text\n(.*?)```$/ms.exec(page)!;
  const folder = await mkdtemp(join(tmpdir(), "gomalloc-docs-"));
  try {
    for (const { name, text } of files) {
      const bundle = await build({
        stdin: { contents: text!, resolveDir: folder },
        bundle: true,
        platform: "node",
        format: "esm",
        alias: { "gomalloc/shared": INDEX },
        write: false,
      });
      await writeFile(join(folder, name!), bundle.outputFiles[0]!.text);
    }
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [join(folder, "main.mjs")]);
    expect(stderr).toBe("");
    expect(stdout).toBe(output);
  } finally {
    await rm(folder, { recursive: true });
  }
});
