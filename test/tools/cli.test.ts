/** The command line: exit codes, files, and that no input is ever lost. */
import { execFileSync, spawn } from "node:child_process";
import { existsSync, lstatSync, readdirSync, readFileSync, statSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { parse, WRITE_OPTIONS } from "../../src/cli/command.ts";
import { rewriteFile } from "../../src/cli/files.ts";
import { type LinkResult, link } from "../../src/tools/link.ts";
import { formatReport, type LinkReport } from "../../src/tools/report.ts";
import { inspect } from "../../src/wasm/parse.ts";
import { assemble, familyOf, HEAP_BASE, instantiate, programText } from "./support/programs.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** What tsc made of src/cli/main.ts, up to date by globalsetup.ts: it starts in a third of the time. */
const CLI = join(ROOT, "dist", "cli", "main.js");
const PROGRAM = assemble(programText(), true);

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gomalloc-cli-"));
  await writeFile(join(folder, "app.wasm"), PROGRAM);
});

afterEach(() => rm(folder, { recursive: true }));

function gomalloc(...args: string[]): Promise<{ status: number | null; out: string; err: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [CLI, ...args], { cwd: folder });
    let [out, err] = ["", ""];
    child.stdout.on("data", (chunk) => (out += chunk));
    child.stderr.on("data", (chunk) => (err += chunk));
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, out, err }));
  });
}

/** As gomalloc, with bytes for its standard input; its standard output as bytes. */
function gomallocWith(input: Uint8Array, ...args: string[]) {
  return new Promise<{ status: number | null; bytes: Buffer; err: string }>((resolve, reject) => {
    const child = spawn(process.execPath, [CLI, ...args], { cwd: folder });
    const out: Buffer[] = [];
    let err = "";
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr.on("data", (chunk) => (err += chunk));
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, bytes: Buffer.concat(out), err }));
    child.stdin.end(input);
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
      expect(out).toMatch(new RegExp(`\nExamples:\n  gomalloc ${command} `));
      expect((await gomalloc("help", command)).out).toBe(out);
    }
    const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
    expect((await gomalloc("--version")).out).toBe(`${version}\n`);
  });

  it.each([
    [[], /Usage/],
    [["frobnicate"], /no command frobnicate\n {2}gomalloc --help/],
    [["lnik"], /no command lnik\n {2}Was link meant\?/],
    [["help", "swp"], /no command swp\n {2}Was swap meant\?/],
    [["link", "app.wasm", "--ouput", "c.wasm"], /no option --ouput\n {2}Was --output meant\? gomalloc help link/],
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

  it("the output may be the input, under whatever name: the file is replaced whole, a link stays one", async () => {
    await symlink("app.wasm", join(folder, "soft.wasm"));
    expect(await gomalloc("link", "soft.wasm", "-o", "./app.wasm", "-O0", "-q")).toMatchObject({ status: 0, err: "" });
    expect(inspect(read("app.wasm")).imports).toEqual([]);
    expect(files()).toEqual(["app.wasm", "soft.wasm"]);
    await writeFile(join(folder, "app.wasm"), PROGRAM);
    expect((await gomalloc("link", "app.wasm", "-o", "soft.wasm", "-O0", "-q")).status).toBe(0);
    expect(lstatSync(join(folder, "soft.wasm")).isSymbolicLink()).toBe(true);
    expect(inspect(read("app.wasm")).imports).toEqual([]);
  });

  it("a link to a file that is not there yet makes it; one that goes in a circle is refused", async () => {
    await mkdir(join(folder, "sub"));
    await symlink(join("sub", "new.wasm"), join(folder, "soft.wasm"));
    expect((await gomalloc("link", "app.wasm", "-o", "soft.wasm", "-O0", "-q")).status).toBe(0);
    expect(inspect(read(join("sub", "new.wasm"))).imports).toEqual([]);
    expect(lstatSync(join(folder, "soft.wasm")).isSymbolicLink()).toBe(true);
    await symlink("a.wasm", join(folder, "b.wasm"));
    await symlink("b.wasm", join(folder, "a.wasm"));
    const circle = await gomalloc("link", "app.wasm", "-o", "a.wasm", "-O0");
    expect([circle.status, circle.err]).toEqual([1, expect.stringMatching(/cannot write a\.wasm: .*circle\n {2}Give/)]);
  });

  it("devices and pipes are written to, and stay what they are", async () => {
    await symlink("/dev/null", join(folder, "null"));
    expect((await gomalloc("link", "app.wasm", "-o", "null", "-O0", "-q")).status).toBe(0);
    expect(statSync(join(folder, "null")).isCharacterDevice()).toBe(true);
    execFileSync("mkfifo", [join(folder, "pipe")]);
    const reader = readFile(join(folder, "pipe"));
    expect((await gomalloc("link", "app.wasm", "-o", "pipe", "-O0", "-q")).status).toBe(0);
    expect(inspect(new Uint8Array(await reader)).imports).toEqual([]);
    expect(files()).toEqual(["app.wasm", "null", "pipe"]);
  });

  it("- is standard input and output; the report goes to standard error then", async () => {
    const { status, bytes, err } = await gomallocWith(PROGRAM, "link", "-", "-o", "-", "-O0");
    expect(status).toBe(0);
    expect(inspect(new Uint8Array(bytes)).imports).toEqual([]);
    expect(err).toMatch(/^bound {7}gomalloc\.malloc/);
    const cut = await gomallocWith(PROGRAM.subarray(0, 50), "link", "-", "-o", "-");
    expect([cut.status, cut.bytes.length]).toEqual([1, 0]);
    expect(cut.err).toMatch(/^gomalloc: standard input: the module ends/);
    const nowhere = await gomallocWith(PROGRAM, "link", "-", "--in-place");
    expect([nowhere.status, nowhere.err]).toEqual([2, expect.stringMatching(/--in-place needs a file/)]);
  });

  it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)("%s leaves nothing behind", async (signal) => {
    const temporary = join(folder, "tmp");
    await mkdir(temporary);
    const child = spawn(process.execPath, [CLI, "link", "app.wasm", "-o", "out.wasm"], {
      cwd: folder,
      env: { ...process.env, TMPDIR: temporary },
    });
    const ended = new Promise<[number | null, string | null]>((resolve) => {
      child.on("close", (code, by) => resolve([code, by]));
    });
    const ours = () => readdirSync(temporary).filter((name) => name.startsWith("gomalloc-"));
    while (ours().length === 0 && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(ours()).toHaveLength(1);
    child.kill(signal);
    expect(await ended).toEqual([null, signal]);
    expect(ours()).toEqual([]);
    expect(files()).toEqual(["app.wasm", "tmp"]);
  });

  it("keeps an older output and leaves no other file when it fails", async () => {
    await writeFile(join(folder, "out.wasm"), "older");
    await writeFile(join(folder, "bad.wasm"), PROGRAM.subarray(0, 100));
    const { status, out, err } = await gomalloc("link", "bad.wasm", "-o", "out.wasm", "--json");
    expect(status).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ error: { code: "truncated" } });
    expect(err).toMatch(/^gomalloc: bad\.wasm: the module ends .*\n {2}The file is cut off/);
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
    expect(statSync(join(folder, "app.wasm")).mode & 0o777).toBe(0o754);
  });
});

describe("source maps of files", () => {
  const map = JSON.stringify({ version: 3, sources: ["app.c"], names: [], mappings: "" });

  it("the map beside the input is found, or given, or left", async () => {
    const { addCustomSection, encodeName } = await import("../../src/wasm/edit.ts");
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

describe("the address of a source map", () => {
  /** What `gomalloc link app.wasm -o out.wasm -q` does in the folder, but that the program was linked before. */
  const writeInFolder = async () => {
    const said = { log: "", error: "" };
    for (const way of ["log", "error"] as const) {
      vi.spyOn(console, way).mockImplementation((line: string) => {
        said[way] += `${line}\n`;
      });
    }
    try {
      const { values } = parse("link", ["-o", join(folder, "out.wasm"), "-q"], WRITE_OPTIONS);
      await rewriteFile(
        join(folder, "app.wasm"),
        values,
        async (_, given) => {
          expect(given.sourceMap).toBeUndefined();
          return linked;
        },
        formatReport,
      );
      expect(read("out.wasm")).toEqual(linked.wasm);
    } finally {
      vi.restoreAllMocks();
    }
    return { status: process.exitCode ?? 0, out: said.log, err: said.error };
  };
  let linked: LinkResult;

  beforeAll(async () => {
    linked = await link(PROGRAM, { optimize: "O0" });
  });

  const withMap = async (url: string) => {
    const { addCustomSection, encodeName } = await import("../../src/wasm/edit.ts");
    await writeFile(join(folder, "app.wasm"), addCustomSection(PROGRAM, "sourceMappingURL", encodeName(url)).bytes);
  };

  it.each([
    ["a%2Fb.map", /no such file/],
    ["%zz.map", /cannot be decoded/],
    ["a%00b.map", /names no file/],
    ["", /names no file/],
    ["file://evil.example/x.map", /no relative path/],
    ["file:///etc/hostname", /no relative path/],
    ["/etc/hostname", /no relative path/],
    ["%2Fetc/hostname", /no relative path/],
    ["http://localhost/app.map", /no relative path/],
    ["../secret.map", /outside the module's folder/],
    ["way-out.map", /outside the module's folder/],
    ["pipe.map", /no regular file/],
    [".", /no regular file/],
  ])("%s is not followed: a warning", async (url, why) => {
    // The module lies in a folder of its own, beside what it is not to read.
    const around = folder;
    folder = join(around, "app");
    try {
      await mkdir(folder);
      await withMap(url);
      await writeFile(join(around, "secret.map"), "secret words");
      await symlink("../secret.map", join(folder, "way-out.map"));
      execFileSync("mkfifo", [join(folder, "pipe.map")]);
      const { status, out, err } = await writeInFolder();
      expect([status, err]).toEqual([0, ""]);
      expect(out).toMatch(/^warning: the source map .* was left out: .*--no-source-map\n$/);
      expect(out).toMatch(why);
      expect(existsSync(join(folder, "out.wasm.map"))).toBe(false);
    } finally {
      folder = around;
    }
  });

  it("is not followed by the command either: a warning, and the module is written", async () => {
    await withMap("/etc/hostname");
    const { status, out, err } = await gomalloc("link", "app.wasm", "-o", "out.wasm", "-O0", "-q");
    expect([status, err]).toEqual([0, ""]);
    expect(out).toMatch(
      /^warning: the source map .* was left out: its address is no relative path\. .*--no-source-map\n$/,
    );
    expect(files()).toEqual(["app.wasm", "out.wasm"]);
  });

  it("a file that is no source map is refused, and none of its words are printed", async () => {
    await withMap("notes.txt");
    await writeFile(join(folder, "notes.txt"), "root:x:0:0 secret words");
    const { status, out, err } = await gomalloc("link", "app.wasm", "-o", "out.wasm", "-O0", "--json");
    expect(status).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ error: { code: "source-map" } });
    expect(out + err).not.toMatch(/root|secret/);
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

  it("reads standard input, and shows control characters in names as escapes", async () => {
    const { renameExports } = await import("../../src/wasm/edit.ts");
    const odd = renameExports(PROGRAM, ({ name }) => (name === "do_malloc" ? "\u001b[2Jdo\u202e" : undefined)).bytes;
    const { status, bytes } = await gomallocWith(odd, "inspect", "-");
    expect(status).toBe(0);
    expect(bytes.toString()).toContain("\\u{1b}[2Jdo\\u{202e}: function");
  });

  it("a directory", async () => {
    const { status, err } = await gomalloc("inspect", ".");
    expect([status, err]).toEqual([1, "gomalloc: cannot read .: it is a directory\n  Name the .wasm file in it.\n"]);
  });

  it("says what is wrong with a file that is no module", async () => {
    await writeFile(join(folder, "page.wasm"), "<!doctype html>");
    const { status, err } = await gomalloc("inspect", "page.wasm");
    expect(status).toBe(1);
    expect(err).toMatch(/page\.wasm: the file is not a WebAssembly module but HTML\n {2}A server/);
  });
});
