/** The layout of test/ is the one that test/README.md states. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ROOT } from "../../scripts/build-tools.ts";

const TEST = join(ROOT, "test");
/** Folders without tests of their own. */
const COMMON = ["assembly", "support"];

const entries = (folder: string) => readdirSync(join(TEST, folder), { withFileTypes: true });
const folders = entries(".").flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
const tested = folders.filter((name) => !COMMON.includes(name));

describe("test/", () => {
  it("has folders and its README.md, nothing else", () => {
    expect(entries(".").flatMap((entry) => (entry.isDirectory() ? [] : [entry.name]))).toEqual(["README.md"]);
  });

  it("has the folders that its README.md names", () => {
    const rows = readFileSync(join(TEST, "README.md"), "utf8").matchAll(/^\| `([^`]+)` +\|/gm);
    expect([...rows].map(([, name]) => name).sort()).toEqual([...folders].sort());
  });

  it.each(tested)("%s/ has test files, support/ and programs/", (folder) => {
    const others = entries(folder).filter(({ name }) => !name.endsWith(".test.ts") && name !== "asconfig.json");
    expect(others.filter((entry) => !entry.isDirectory()).map(({ name }) => name)).toEqual([]);
    expect(["programs", "support"]).toEqual(expect.arrayContaining(others.map(({ name }) => name)));
  });

  it("has test files nowhere else", () => {
    const files = readdirSync(TEST, { recursive: true, encoding: "utf8" }).filter((file) => /\.test\.\w+$/.test(file));
    expect(files.length).toBeGreaterThan(100);
    expect(files.filter((file) => !/^\w+\/[\w-]+\.test\.ts$/.test(file))).toEqual([]);
    expect(files.filter((file) => COMMON.includes(file.split("/")[0]!))).toEqual([]);
  });
});
