/** What the entries weigh: docs/install.md says it, slim entries have no wasm inside, and types carry no base64. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import { describe, expect, it } from "vitest";
import { ROOT } from "../../scripts/build-tools.ts";
import { measureSizes, readSizes, SIZES_PAGE } from "../../scripts/sizes.ts";

it("docs/install.md has the sizes, within 5 %", async () => {
  const said = readSizes(await readFile(SIZES_PAGE, "utf8"));
  const measured = await measureSizes();
  expect(said.map(({ name }) => name)).toEqual(measured.map(({ name }) => name));
  for (const [i, { name, bytes, gzip }] of measured.entries()) {
    const hint = `${name}: npm run sizes -- --write`;
    expect(Math.abs(said[i]!.bytes / bytes - 1), hint).toBeLessThan(0.05);
    expect(Math.abs(said[i]!.gzip / gzip - 1), hint).toBeLessThan(0.05);
  }
});

describe("slim entries", () => {
  it.each(["dist/slim.js", "dist/shared/slim.js"])("%s has none of the inlined modules", async (file) => {
    const entryPoints = [join(ROOT, file)];
    const { metafile } = await build({ entryPoints, bundle: true, format: "esm", write: false, metafile: true });
    const generated = Object.keys(metafile.inputs).filter((input) => input.includes("generated"));
    expect(generated.filter((input) => !input.endsWith("wasm-trampoline.js"))).toEqual([]);
  });
});

it("no declaration carries wasm", async () => {
  for (const name of await readdir(join(ROOT, "dist"), { recursive: true })) {
    if (!name.endsWith(".d.ts")) continue;
    const longest = Math.max(...(await readFile(join(ROOT, "dist", name), "utf8")).split("\n").map((l) => l.length));
    expect(longest, name).toBeLessThan(2000);
  }
});
