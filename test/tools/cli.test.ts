/** The command line: exit codes, files, what is printed where, and that no input is ever lost. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
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
import { inspect, type ModuleInfo } from "../../src/wasm/parse.ts";
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

const gomalloc = (...args: string[]) => gomallocAs({}, ...args);

/** Runs the command with more variables in its environment. */
function gomallocAs(env: Record<string, string>, ...args: string[]) {
  return new Promise<{ status: number | null; out: string; err: string }>((resolve, reject) => {
    const child = spawn(process.execPath, [CLI, ...args], { cwd: folder, env: { ...process.env, ...env } });
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

/** A line for the shell in the folder; gomalloc is a command there. Bash, for the exit codes of all that a pipe joins. */
function shell(line: string, env: Record<string, string> = {}) {
  const gomalloc = `gomalloc() { ${JSON.stringify(process.execPath)} ${JSON.stringify(CLI)} "$@"; }`;
  const options = { cwd: folder, encoding: "utf8", env: { ...process.env, ...env } } as const;
  const { status, stdout, stderr } = spawnSync("bash", ["-c", `${gomalloc}; ${line}`], options);
  return { status, out: stdout, err: stderr };
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
      for (const option of ["--json", "-q, --quiet", "-h, --help", "-v, --version"]) expect(out).toContain(option);
      for (const ways of [
        ["help", command],
        ["--help", command],
        [command, "x", "--frobnicate", "-h"],
        [command, "-qh"],
      ]) {
        expect(await gomalloc(...ways)).toEqual({ status: 0, out, err: "" });
      }
      for (const text of [help.out, out]) {
        expect(text).toMatch(
          /\nExit codes:\n {2}0 {2}done\n {2}1 {2}the file or a tool .*\n {2}2 {2}the command line .*\n$/,
        );
        expect(text.split("\n").filter((line) => line.length > 80)).toEqual([]);
      }
    }
    expect(await gomalloc("help")).toEqual(help);
    expect(await gomalloc("help", "help")).toEqual(help);
  });

  it.each([
    "--version",
    "-v",
    "-V",
    "version",
    "link --version",
    "link app.wasm -qv",
    "inspect -v",
    "swap app.wasm -V",
    "--json --version",
  ])("%s prints the version", async (line) => {
    const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
    const { status, out, err } = await gomalloc(...line.split(" "));
    expect([status, err]).toEqual([0, ""]);
    if (line.includes("--json")) expect(JSON.parse(out)).toEqual({ version });
    else expect(out).toBe(`${version}\n`);
  });

  it.each([
    [[], /^gomalloc: .*\n\nUsage/],
    [["frobnicate"], /no command frobnicate\n {2}gomalloc --help/],
    [["LINK", "app.wasm"], /no command LINK\n {2}Was link meant\?/],
    [["vresion"], /no command vresion\n {2}Was version meant\?/],
    [
      ["app.wasm"],
      /no command stands before app\.wasm\n {2}Say what to do with the file: link, swap, inspect, map, profile, serve\. /,
    ],
    [["-"], /no command stands before -\n/],
    [["app.wasm", "link", "-o", "c.wasm"], /app\.wasm stands before the command\n {2}Put .*: gomalloc link app\.wasm /],
    [["--quiet", "link", "app.wasm"], /--quiet stands before the command\n {2}Put .*: gomalloc link --quiet /],
    [["-o", "c.wasm"], /no command is given, only -o\n {2}gomalloc --help/],
    [["lnik"], /no command lnik\n {2}Was link meant\?/],
    [["help", "swp"], /no command swp\n {2}Was swap meant\?/],
    [["link", "app.wasm", "--ouput", "c.wasm"], /no option --ouput\n {2}Was --output meant\? gomalloc help link/],
    [["link"], /no file/],
    [["link", "app.wasm"], /no output/],
    [["link", "app.wasm", "b.wasm", "-o", "c.wasm"], /one file too many: b\.wasm/],
    [["link", "app.wasm", "-o", "c.wasm", "--frobnicate"], /no option --frobnicate\n {2}gomalloc help link lists/],
    [["link", "app.wasm", "-o", "c.wasm", "-x"], /no option -x\n {2}gomalloc help link lists/],
    [["link", "app.wasm", "-o"], /-o, --output needs a value\n {2}Give it after the option/],
    [["link", "app.wasm", "-o", "--json"], /-o needs a value\n.* after =: --output=-out\.wasm/],
    [["link", "app.wasm", "--output"], /-o, --output needs a value\n/],
    [["link", "app.wasm", "-o=c.wasm"], /-o=c\.wasm: short options take no =\n {2}Write -o c\.wasm\./],
    [["link", "app.wasm", "-o", ""], /-o: the name or value is empty\n {2}Is a variable of the script not set\?/],
    [["link", "", "-o", "c.wasm"], /file: the name or value is empty\n/],
    [["link", "app.wasm", "--json=yes"], /--json takes no value\n {2}Give --json alone/],
    [["link", "app.wasm", "-o", "-", "--json", "--progress"], /--progress, --json and -o - exclude each other/],
    [["inspect", "app.wasm", "-o", "c.wasm"], /no option -o\n {2}gomalloc help inspect/],
    [["link", "app.wasm", "-o", "c.wasm", "-O9"], /9 is unknown/],
    [["link", "app.wasm", "-o", "c.wasm", "--heap-base", "12k"], /12k is no address/],
    [["link", "app.wasm", "-o", "c.wasm", "--in-place"], /exclude each other/],
    [["link", "app.wasm", "-o", "c.wasm", "--names", "--no-names"], /exclude each other/],
    [["swap", "app.wasm", "-o", "c.wasm", "--family", "malloc"], /names no role/],
    [["swap", "app.wasm", "-o", "c.wasm", "--family", "maloc=do_malloc"], /no role maloc\n {2}Give one of malloc, /],
  ])("%j is wrong usage: 2", async (args, message) => {
    const { status, out, err } = await gomalloc(...args);
    expect(status).toBe(2);
    expect(err).toMatch(message);
    if (!args.includes("--json")) expect(out).toBe("");
    expect(files()).toEqual(["app.wasm"]);
  });
});

describe("what a script meets", () => {
  const errorIn = (text: string) =>
    (JSON.parse(text) as { error: { code: string; message: string; fix: string } }).error;

  it("an error is JSON where the report would have been, and alone there; text goes to standard error", async () => {
    const missing = ["link", "missing.wasm", "-O0", "--json"];
    const beside = await gomalloc(...missing, "-o", "out.wasm");
    expect(errorIn(beside.out)).toMatchObject({ code: "file", fix: expect.stringMatching(/^Check the path/) });
    expect([beside.status, beside.err]).toEqual([1, expect.stringMatching(/^gomalloc: cannot read missing\.wasm: /)]);
    expect(await gomalloc(...missing, "-o", "out.wasm", "-q")).toEqual({ ...beside, err: "" });
    for (const output of [["-o", "-"], ["-o-"], ["--output=-"], ["--output", "-"], ["-qo", "-"], ["-qo-"]]) {
      const { status, out, err } = await gomalloc(...missing, ...output);
      expect([status, out, errorIn(err).code]).toEqual([1, "", "file"]);
    }
  });

  it.each([
    [["link", "app.wasm", "--json"], "usage"],
    [["link", "app.wasm", "-o", "--json"], "usage"],
    [["lnik", "app.wasm", "--json"], "usage"],
    [["--json", "inspect", "app.wasm"], "usage"],
    [["swap", "app.wasm", "--json", "-o", "c.wasm", "--family", "maloc=do_malloc"], "option"],
  ])("%j: exit code 2, and the error as JSON", async (args, code) => {
    const { status, out } = await gomalloc(...args);
    expect([status, errorIn(out).code]).toEqual([2, code]);
  });

  it("the report is the one document on its stream, with -q and with the module on standard output too", async () => {
    const beside = await gomalloc("link", "app.wasm", "-o", "out.wasm", "-O0", "--json", "-q");
    expect([beside.status, beside.err]).toEqual([0, ""]);
    const { size } = JSON.parse(beside.out) as LinkReport;
    expect(size.after).toBe(read("out.wasm").length);
    const { status, bytes, err } = await gomallocWith(PROGRAM, "link", "-", "-o", "-", "-O0", "--json");
    expect([status, JSON.parse(err)]).toEqual([0, JSON.parse(beside.out)]);
    expect(new Uint8Array(bytes)).toEqual(read("out.wasm"));
  });

  it("-q prints nothing: inspect tells by its exit code whether a file is a module", async () => {
    expect(await gomalloc("inspect", "-q", "app.wasm")).toEqual({ status: 0, out: "", err: "" });
    await writeFile(join(folder, "page.wasm"), "<!doctype html>");
    expect((await gomalloc("inspect", "-q", "page.wasm")).status).toBe(1);
    expect((await gomalloc("inspect", "-q", "--json", "app.wasm")).out).toMatch(/^\{\n {2}"size": /);
  });

  it("a reader of the report that has seen enough is no fault, but an error stays one", () => {
    const pipe = (line: string) => shell(`${line} | true; echo "\${PIPESTATUS[0]}"`);
    expect(pipe("gomalloc inspect app.wasm")).toEqual({ status: 0, out: "0\n", err: "" });
    expect(pipe("gomalloc inspect missing.wasm --json -q")).toEqual({ status: 0, out: "1\n", err: "" });
    expect(pipe("gomalloc link app.wasm -o out.wasm -O0")).toEqual({ status: 0, out: "0\n", err: "" });
    expect(inspect(read("out.wasm")).imports).toEqual([]);
    expect(pipe("gomalloc inspect missing.wasm 2>&1 >/dev/null")).toEqual({ status: 0, out: "1\n", err: "" });
  });

  it("a module that its reader has not taken is one", () => {
    // The reader ends before anything is written.
    const line = 'exec 3> >(exec 3>&-; exit 0); wait $!; gomalloc link app.wasm -o - -O0 -q >&3; echo "$?"';
    const { out, err } = shell(line);
    expect(out).toBe("1\n");
    expect(err).toMatch(/^gomalloc: cannot write to standard output: the command that reads it has ended\n {2}Check /);
  });

  it.each([
    "inspect app.wasm",
    "inspect app.wasm --json",
    "link app.wasm -o out.wasm -O0",
    "link app.wasm -o - -O0 -q",
  ])("%s to a full disk: an error, once", (line) => {
    const { status, err } = shell(`gomalloc ${line} > /dev/full`);
    expect(status).toBe(1);
    expect(err).toMatch(/^gomalloc: cannot write to standard output: no room is left on the disk\n {2}Check .*\n$/);
  });

  it("closed streams are no fault of anybody's", () => {
    expect(shell("gomalloc link app.wasm -o out.wasm -O0 <&- >&- 2>&-").status).toBe(0);
    expect(inspect(read("out.wasm")).imports).toEqual([]);
    expect(shell("gomalloc inspect - <&-")).toMatchObject({
      status: 1,
      err: expect.stringMatching(/^gomalloc: standard /),
    });
  });

  it("no colours and no moving cursor, on a terminal either", () => {
    for (const env of [{ TERM: "dumb" }, { TERM: "xterm", FORCE_COLOR: "1" }]) {
      const terminal = "script -qec 'gomalloc link app.wasm -o out.wasm -O0; gomalloc inspect missing.wasm' /dev/null";
      const { out } = shell(`export -f gomalloc; SHELL=/bin/bash ${terminal}`, env);
      // What a slow machine shows of the steps, but for a terminal that cannot renew a line.
      const clear = "\r\u001b[2K";
      const lines = env.TERM === "dumb" ? out : out.split(clear).at(-1)!;
      expect(lines).not.toContain("\u001b");
      expect(lines).toMatch(/^bound {7}gomalloc\.malloc[\s\S]*\ngomalloc: cannot read missing\.wasm/);
    }
  });

  it("the module never goes to a terminal", () => {
    const terminal = "script -qec 'gomalloc link app.wasm -o -' /dev/null";
    const { status, out } = shell(`export -f gomalloc; SHELL=/bin/bash ${terminal}`);
    expect([status, out]).toEqual([
      2,
      expect.stringMatching(/^gomalloc: the output would go to the terminal\r\n {2}Redirect/),
    ]);
  });

  it("files with odd names", async () => {
    const odd = ["with space.wasm", "ünïcode.wasm", "-dash.wasm", "quote'\"$.wasm"];
    for (const name of odd) {
      await writeFile(join(folder, name), PROGRAM);
      const { status, err } = await gomalloc("link", "-q", "-O0", `--output=${name}`, "--", name);
      expect([status, err]).toEqual([0, ""]);
      expect(inspect(read(name)).imports).toEqual([]);
    }
    expect(files()).toEqual([...odd, "app.wasm"].sort());
  });

  it("a fault of the tools says so, with the place in the code", async () => {
    const broken = "data:text/javascript,Object.fromEntries = () => { throw new Error('boom') };".replaceAll(
      " ",
      "%20",
    );
    const env = { NODE_OPTIONS: `--import=${broken}` };
    const { status, out, err } = await gomallocAs(env, "inspect", "app.wasm", "--json");
    expect([status, errorIn(out).code]).toEqual([1, "internal"]);
    expect(err).toMatch(/^gomalloc: the command failed in itself: boom\n {2}Report it .*\nError: boom\n {4}at /);
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
    // More than a pipe holds, to a reader that does not want it.
    const long = programText({ rest: `(data (i32.const 2048) "${"x".repeat(100_000)}")`, heapBase: 110_000 });
    await writeFile(
      join(folder, "long.wasm"),
      assemble(long.replace('$memory (export "memory") 2', '$memory (export "memory") 3')),
    );
    const { err } = shell("head -c 8 pipe & gomalloc link long.wasm -o pipe -O0 -q");
    expect(err).toMatch(/^gomalloc: cannot write pipe: the command that reads it has ended\n {2}Check where it goes: /);
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
    // Found before the work: the input is not looked at.
    await writeFile(join(folder, "page"), "<!doctype html>");
    for (const [output, why] of [
      [
        join("no", "out.wasm"),
        /cannot write no\/out\.wasm: there is no such folder\n {2}Check that the folder is there/,
      ],
      [join("page", "out.wasm"), /cannot write page\/out\.wasm: a part of the path is no folder\n/],
      ["new/", /cannot write new\/: there is no such folder\n/],
    ] as const) {
      const { status, err } = await gomalloc("link", "page", "-o", output);
      expect([status, err]).toEqual([1, expect.stringMatching(why)]);
    }
    await rm(join(folder, "page"));
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
      expect([status, out]).toEqual([0, ""]);
      expect(err).toMatch(/^gomalloc: warning: the source map .* was left out: .*--no-source-map\n$/);
      expect(err).toMatch(why);
      expect(existsSync(join(folder, "out.wasm.map"))).toBe(false);
    } finally {
      folder = around;
    }
  });

  it("is not followed by the command either: a warning, and the module is written", async () => {
    await withMap("/etc/hostname");
    const { status, out, err } = await gomalloc("link", "app.wasm", "-o", "out.wasm", "-O0", "-q");
    expect([status, out]).toEqual([0, ""]);
    expect(err).toMatch(
      /^gomalloc: warning: the source map .* was left out: its address is no relative path\. .*--no-source-map\n$/,
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
    const json = await gomallocWith(odd, "inspect", "-", "--json");
    expect(json.bytes.toString()).toContain('"\\u001b[2Jdo\\u202e"');
    const { exports } = JSON.parse(json.bytes.toString()) as ModuleInfo;
    expect(exports.map(({ name }) => name)).toContain("\u001b[2Jdo\u202e");
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
