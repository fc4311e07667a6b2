/** How the tools run binaryen: nothing is left behind, and it is said when it is missing. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { featureFlags, runBinaryen } from "../../src/tools/binaryen.ts";
import { link } from "../../src/tools/link.ts";
import { addCustomSection } from "../../src/wasm/edit.ts";
import { inspect } from "../../src/wasm/parse.ts";
import { assemble, programText, refusal } from "./support/programs.ts";

const PROGRAM = assemble(programText());
let installed = true;

vi.mock("node:module", async (original) => {
  const actual = await original<typeof import("node:module")>();
  const missing = {
    resolve: () => {
      throw new Error("Cannot find module");
    },
  };
  return { ...actual, createRequire: (url: string) => (installed ? actual.createRequire(url) : missing) };
});

let folder: string;
const before = process.env["TMPDIR"];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gomalloc-test-"));
  process.env["TMPDIR"] = folder;
});

afterEach(async () => {
  installed = true;
  if (before === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = before;
  await rm(folder, { recursive: true });
});

describe("binaryen's tools", () => {
  it("give the files asked for and leave no folder, whether they work or fail", async () => {
    const files = { "a.wasm": PROGRAM };
    const made = await runBinaryen("wasm-opt", ["a.wasm", "-o", "b.wasm", "--enable-bulk-memory"], files, ["b.wasm"]);
    expect(inspect(made["b.wasm"]).exports.length).toBeGreaterThan(5);
    const failed = await refusal(
      () => runBinaryen("wasm-opt", ["a.wasm", "--no-such-pass", "-o", "b.wasm"], files, ["b.wasm"]),
      "binaryen",
    );
    expect(failed.message).toMatch(/^wasm-opt failed with status [1-9]\d*: .*no-such-pass/);
    await refusal(() => runBinaryen("wasm-opt", ["a.wasm", "--enable-bulk-memory"], files, ["never.wasm"]), "binaryen");
    expect(await readdir(folder)).toEqual([]);
  });

  it("write the same whether V8 optimises them, for much input, or not", async () => {
    const args = ["a.wasm", "-o", "b.wasm", "-O3", "--enable-bulk-memory"];
    const [small, large] = (await Promise.all(
      [0, 1 << 20].map((more) =>
        runBinaryen("wasm-opt", args, { "a.wasm": PROGRAM, more: "x".repeat(more) }, ["b.wasm"]),
      ),
    )) as [{ "b.wasm": Uint8Array }, { "b.wasm": Uint8Array }];
    expect(large["b.wasm"]).toEqual(small["b.wasm"]);
  });

  it("leave no folder after a link that fails in the middle", async () => {
    // Engines pass over a section that they do not know; binaryen reads this one.
    const broken = addCustomSection(PROGRAM, "binaryen.inline", Uint8Array.of(255, 255)).bytes;
    await refusal(() => link(broken), "binaryen");
    expect(await readdir(folder)).toEqual([]);
  });

  it("missing: the fix is to install it, or to have npx fetch it", async () => {
    installed = false;
    const error = await refusal(() => link(PROGRAM), "binaryen-missing");
    expect(error.fix).toMatch(/npm install --save-dev binaryen@\d+\. /);
    expect(error.fix).toMatch(/npx -p gomalloc -p binaryen@\d+ gomalloc link/);
  });
});

describe("featureFlags", () => {
  const info = inspect(PROGRAM);

  it("a module that says what it uses gets that and what the allocator uses, first of all", () => {
    const [first] = featureFlags({ ...info, targetFeatures: ["mutable-globals"] });
    expect(first).toEqual(expect.arrayContaining(["--mvp-features", "--enable-bulk-memory"]));
    expect(first).not.toContain("--enable-simd");
  });

  it("no attempt lets in what changes the format", () => {
    for (const flags of [...featureFlags(info), ...featureFlags({ ...info, targetFeatures: [] })]) {
      const all = flags.includes("--all-features");
      for (const feature of ["custom-descriptors", "compact-imports"]) {
        expect(flags.includes(`--disable-${feature}`)).toBe(all);
        expect(flags).not.toContain(`--enable-${feature}`);
      }
    }
  });
});
