/** The command line: exit codes, files, and that no input is ever lost. */
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { chmod, link as hardLink, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { inspect } from "../../src/tools/module.ts";
import type { LinkReport } from "../../src/tools/report.ts";
import { assemble, familyOf, HEAP_BASE, instantiate, programText } from "./support.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CLI = join(ROOT, "src", "cli", "main.ts");
const PROGRAM = assemble(programText(), true);

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gomalloc-cli-"));
  await writeFile(join(folder, "app.wasm"), PROGRAM);
});

afterEach(() => rm(folder, { recursive: true }));

function gomalloc(...args: string[]): Promise<{ status: number | null; out: string; err: string }> {
  return new Promise((resolve, reject) => {
    const tsx = import.meta.resolve("tsx");
    const child = spawn(process.execPath, ["--import", tsx, CLI, ...args], { cwd: folder });
    let [out, err] = ["", ""];
    child.stdout.on("data", (chunk) => (out += chunk));
    child.stderr.on("data", (chunk) => (err += chunk));
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, out, err }));
  });
}

const read = (name: string) => new Uint8Array(readFileSync(join(folder, name)));
const files = () => readdirSync(folder).sort();

describe("gomalloc", () => {
  it("says what it can do", async () => {
    const help = await gomalloc("--help");
    expect(help.status).toBe(0);
    for (const command of ["link", "swap", "inspect"]) {
      expect(help.out).toMatch(new RegExp(`^  ${command} `, "m"));
      const { status, out } = await gomalloc(command, "--help");
      expect(status).toBe(0);
      expect(out).toMatch(new RegExp(`^gomalloc ${command}: .+\n\nUsage: gomalloc ${command} `));
    }
    const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
    expect((await gomalloc("--version")).out).toBe(`${version}\n`);
  });

  it.each([
    [[], /Usage/],
    [["frobnicate"], /no command frobnicate/],
    [["link"], /no file/],
    [["link", "app.wasm"], /no output/],
    [["link", "app.wasm", "b.wasm", "-o", "c.wasm"], /one file too many: b\.wasm/],
    [["link", "app.wasm", "-o", "c.wasm", "--frobnicate"], /--frobnicate/],
    [["link", "app.wasm", "-o", "c.wasm", "-O9"], /9 is unknown/],
    [["link", "app.wasm", "-o", "c.wasm", "--heap-base", "12k"], /12k is no address/],
    [["link", "app.wasm", "-o", "c.wasm", "--in-place"], /exclude each other/],
    [["link", "app.wasm", "-o", "c.wasm", "--names", "--no-names"], /exclude each other/],
    [["swap", "app.wasm", "-o", "c.wasm", "--family", "malloc"], /names no role/],
  ])("%j is wrong usage: 2", async (args, message) => {
    const { status, out, err } = await gomalloc(...args);
    expect(status).toBe(2);
    expect(args.length === 0 ? out : err).toMatch(message);
    expect(files()).toEqual(["app.wasm"]);
  });
});

describe("gomalloc link", () => {
  it("writes the linked module and leaves the input", async () => {
    const { status, out, err } = await gomalloc("link", "app.wasm", "-o", "out.wasm", "-O1");
    expect(err).toBe("");
    expect(status).toBe(0);
    expect(out).toMatch(/^bound {7}gomalloc\.malloc, /);
    expect(out).toMatch(/^heap base {3}1072, the exported global __heap_base$/m);
    expect(files()).toEqual(["app.wasm", "out.wasm"]);
    expect(read("app.wasm")).toEqual(PROGRAM);
    expect(familyOf(instantiate(read("out.wasm")).exports).malloc(10)).toBeGreaterThan(HEAP_BASE);
  });

  it("prints the report as JSON, and takes every option", async () => {
    const options = ["--heap-base", "0x10000", "--flavour", "host", "-Os", "--no-names", "--export-family"];
    const { status, out } = await gomalloc("link", "app.wasm", "-o", "out.wasm", "--json", ...options);
    expect(status).toBe(0);
    expect(JSON.parse(out) as LinkReport).toMatchObject({
      heapBase: 65536,
      heapBaseFrom: "option",
      flavour: "host",
      optimize: "Os",
      inline: false,
      names: "removed",
      size: { before: PROGRAM.length, after: read("out.wasm").length },
    });
    expect(inspect(read("out.wasm")).exports.map(({ name }) => name)).toContain("free_sized");
  });

  it("replaces the input when asked to, and prints nothing when asked to", async () => {
    const { status, out } = await gomalloc("link", "app.wasm", "--in-place", "-q", "-O0");
    expect([status, out]).toEqual([0, ""]);
    expect(files()).toEqual(["app.wasm"]);
    expect(inspect(read("app.wasm")).imports).toEqual([]);
  });

  it("does not take the input for the output, under whatever name", async () => {
    await hardLink(join(folder, "app.wasm"), join(folder, "hard.wasm"));
    await symlink("app.wasm", join(folder, "soft.wasm"));
    for (const name of ["app.wasm", "./app.wasm", join(folder, "app.wasm"), "hard.wasm", "soft.wasm"]) {
      const { status, err } = await gomalloc("link", "app.wasm", "-o", name);
      expect(status, name).toBe(2);
      expect(err).toContain("the output is the input");
    }
    expect(read("app.wasm")).toEqual(PROGRAM);
  });

  it("keeps an older output and leaves no other file when it fails", async () => {
    await writeFile(join(folder, "out.wasm"), "older");
    await writeFile(join(folder, "bad.wasm"), PROGRAM.subarray(0, 100));
    const { status, out, err } = await gomalloc("link", "bad.wasm", "-o", "out.wasm", "--json");
    expect(status).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ error: { code: "truncated" } });
    expect(err).toMatch(/^gomalloc: the module ends .*\n {2}The file is cut off/);
    expect(files()).toEqual(["app.wasm", "bad.wasm", "out.wasm"]);
    expect(new TextDecoder().decode(read("out.wasm"))).toBe("older");
  });

  it("files that cannot be read or written", async () => {
    const missing = await gomalloc("link", "missing.wasm", "-o", "out.wasm");
    expect(missing.status).toBe(1);
    expect(missing.err).toMatch(/cannot read missing\.wasm/);
    const nowhere = await gomalloc("link", "app.wasm", "-O0", "-o", join("no", "out.wasm"));
    expect(nowhere.status).toBe(1);
    expect(nowhere.err).toMatch(/cannot write/);
    await mkdir(join(folder, "taken"));
    const taken = await gomalloc("link", "app.wasm", "-O0", "-o", "taken");
    expect(taken.status).toBe(1);
    expect(files()).toEqual(["app.wasm", "taken"]);
    expect(readdirSync(join(folder, "taken"))).toEqual([]);
  });

  it("keeps the rights of a file that it replaces", async () => {
    await chmod(join(folder, "app.wasm"), 0o754);
    expect((await gomalloc("link", "app.wasm", "--in-place", "-O0")).status).toBe(0);
    const { statSync } = await import("node:fs");
    expect(statSync(join(folder, "app.wasm")).mode & 0o777).toBe(0o754);
  });
});

describe("source maps of files", () => {
  const map = JSON.stringify({ version: 3, sources: ["app.c"], names: [], mappings: "" });

  it("the map beside the input is found, or given, or left", async () => {
    const { addCustomSection, encodeName } = await import("../../src/tools/edit.ts");
    const mapped = addCustomSection(PROGRAM, "sourceMappingURL", encodeName("app.wasm.map")).bytes;
    await writeFile(join(folder, "app.wasm"), mapped);
    await writeFile(join(folder, "app.wasm.map"), map);
    expect((await gomalloc("link", "app.wasm", "-o", "out.wasm", "-O0")).status).toBe(0);
    expect(existsSync(join(folder, "out.wasm.map"))).toBe(true);
    expect(inspect(read("out.wasm")).sourceMappingURL).toBe("out.wasm.map");

    expect((await gomalloc("link", "app.wasm", "-o", "none.wasm", "-O0", "--no-source-map")).status).toBe(0);
    expect(existsSync(join(folder, "none.wasm.map"))).toBe(false);
    expect(inspect(read("none.wasm")).sourceMappingURL).toBeUndefined();

    await writeFile(join(folder, "broken.map"), "{");
    const broken = await gomalloc("link", "app.wasm", "-o", "b.wasm", "-O0", "--source-map", "broken.map");
    expect(broken.status).toBe(1);
    expect(existsSync(join(folder, "b.wasm"))).toBe(false);
  });
});

describe("gomalloc inspect", () => {
  it("prints what a module has", async () => {
    const { status, out } = await gomalloc("inspect", "app.wasm");
    expect(status).toBe(0);
    expect(out).toMatch(/^imports {3}gomalloc\.malloc: \(i32\) -> i32$/m);
    expect(out).toMatch(/^memory {4}defined, 2 to any number of pages$/m);
    expect(out).toMatch(/__heap_base: global 1072$/m);
    const { out: json } = await gomalloc("inspect", "app.wasm", "--json");
    expect(JSON.parse(json)).toMatchObject({ size: PROGRAM.length, functionNames: { "8": "do_malloc" } });
  });

  it("says what is wrong with a file that is no module", async () => {
    await writeFile(join(folder, "page.wasm"), "<!doctype html>");
    const { status, err } = await gomalloc("inspect", "page.wasm");
    expect(status).toBe(1);
    expect(err).toMatch(/not a WebAssembly module but HTML\n {2}A server/);
  });
});
