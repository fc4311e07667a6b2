/**
 * Profiles and guarded blocks of C programs over libgomalloc-profile.a: the lines are those of the source, by the DWARF
 * that the compiler wrote.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { WASI } from "node:wasi";
import { expect, it } from "vitest";
import { sourceMapOf } from "../../src/profile/linemap.ts";
import {
  buildProfile,
  type DamageReport,
  findLeaks,
  type Profile,
  profileImports,
  readSamples,
  type SampledHeap,
  type SamplingOptions,
  Symbols,
} from "../../src/profile.ts";
import { link } from "../../src/tools/index.ts";
import { removeCustomSections } from "../../src/wasm/edit.ts";
import { describeWith } from "../support/describewith.ts";
import { CLANG } from "../support/needs.ts";
import { Project, ROOT } from "./support/project.ts";

const PROGRAMS = join(ROOT, "test/native/programs");
const LIB = join(ROOT, "lib/wasm32-wasip1");

interface Run {
  code: number;
  error: unknown;
  samples: SampledHeap;
  memory: WebAssembly.Memory;
  symbols: Symbols;
}

/** A project with a program of test/native/programs, compiled at a level, as a.wasm. */
async function compiled(name: string, level: string, library = `-L${LIB} -lgomalloc-profile`): Promise<Project> {
  const project = await Project.create();
  const target = "clang-19 --target=wasm32-wasi";
  // Two steps: with -O clang sends what it has linked through wasm-opt, which drops names and does not move lines along.
  await project.command(`${target} -c -g -${level} -fno-builtin-malloc ${PROGRAMS}/${name}.c -o a.o`);
  await project.command(`${target} a.o ${library} -o a.wasm`);
  return project;
}

/** Runs such a program with these arguments and what is to be sampled. */
async function run(name: string, level: string, args: string[], sampling: SamplingOptions): Promise<Run> {
  const bytes = await (await compiled(name, level)).read("a.wasm");
  return runBytes(bytes, new Symbols(bytes), [name, ...args], sampling);
}

/** Runs a program with these arguments, its name first. */
async function runBytes(
  bytes: Uint8Array<ArrayBuffer>,
  symbols: Symbols,
  args: string[],
  sampling: SamplingOptions,
): Promise<Run> {
  const wasi = new WASI({ version: "preview1", args, returnOnExit: true });
  let memory: WebAssembly.Memory | undefined;
  const gomalloc = profileImports(() => memory, sampling);
  const { wasi_snapshot_preview1: direct } = wasi.getImportObject() as Record<string, WebAssembly.ModuleImports>;
  const calls = Object.entries(direct!) as [string, (...values: unknown[]) => unknown][];
  // Node 20 crashes when wasm calls node:wasi directly while the memory is large.
  const wrapped = Object.fromEntries(calls.map(([name, call]) => [name, (...values: unknown[]) => call(...values)]));
  const { instance } = await WebAssembly.instantiate(bytes, { wasi_snapshot_preview1: wrapped, gomalloc });
  memory = instance.exports["memory"] as WebAssembly.Memory;
  let code = -1;
  let error: unknown;
  try {
    code = wasi.start(instance);
  } catch (thrown) {
    error = thrown;
  }
  return { code, error, samples: readSamples(memory), memory, symbols };
}

/** Numbers of the lines with a comment, by the comment's text. */
async function linesOf(file: string, mark: RegExp): Promise<Map<string, number>> {
  const lines = (await readFile(join(PROGRAMS, file), "utf8")).split("\n");
  return new Map(
    lines.flatMap((line, i) => {
      const found = mark.exec(line)?.[1];
      return found === undefined ? [] : [[found, i + 1] as const];
    }),
  );
}

/** File and line of each frame of the program. */
const placesOf = (profile: Profile) =>
  profile.samples.map((sample) => ({
    ...sample,
    places: sample.stack.flatMap(({ frames }) => frames.map(({ file, line }) => `${file?.split("/").at(-1)}:${line}`)),
  }));

describeWith(CLANG, "a C program over libgomalloc-profile.a", () => {
  /** Each of the ten sites has allocated 100 blocks, and the odd ones have freed theirs. */
  async function expectTenSites({ code, samples, symbols }: Run): Promise<void> {
    expect(code).toBe(0);
    const lines = await linesOf("sites.c", /site (\d)/);
    const found = placesOf(buildProfile(samples, { symbols }));
    for (const [site, line] of lines) {
      // strdup allocates by itself: its caller is the second frame.
      const own = found.filter(({ places }) => places.includes(`sites.c:${line}`));
      const live = own.reduce((n, { inuseObjects }) => n + inuseObjects, 0);
      const all = own.reduce((n, { allocObjects }) => n + allocObjects, 0);
      expect([site, all, live]).toEqual([site, 100, Number(site) % 2 === 1 ? 0 : 100]);
      if (site !== "8") expect(own[0]!.places[0]).toBe(`sites.c:${line}`);
    }
    expect(lines.size).toBe(10);
  }

  it.each(["O0", "O2"])("-%s: has the lines of its ten sites", async (level) => {
    await expectTenSites(await run("sites", level, ["1"], { rate: 1 }));
  });

  it.each(["O0", "O2"])("-%s: has them by a source map that was made of DWARF before it went", async (level) => {
    const whole = await (await compiled("sites", level)).read("a.wasm");
    const { bytes } = removeCustomSections(whole, (name) => name.startsWith(".debug_"));
    const symbols = new Symbols(bytes, { sourceMap: sourceMapOf(whole)! });
    expect(symbols.kind).toBe("source-map");
    await expectTenSites(await runBytes(new Uint8Array(bytes), symbols, ["sites", "1"], { rate: 1 }));
  });

  it.each([0, 1, 2, 3, 4, 5, 6, 7, 8])("bug %i is found, with the lines of its block and its free", async (bug) => {
    const kinds = ["overflow", "overflow", "overflow", "underflow", "underflow"];
    kinds.push("write-after-free", "write-after-free", "double-free", "double-free");
    const [[, block], [, free]] = [...(await linesOf("bugs.c", /\/\* (BLOCK|FREE) \*\//))] as [
      [string, number],
      [string, number],
    ];
    for (const level of ["O0", "O2"]) {
      const reports: DamageReport[] = [];
      const onReport = (report: DamageReport) => void reports.push(report);
      const { symbols, error } = await run("bugs", level, [String(bug)], {
        guard: "all",
        quarantine: 100_000,
        onReport,
      });
      expect(reports.map(({ kind }) => kind)).toEqual([kinds[bug]]);
      const lines = (stack: readonly number[]) => stack.flatMap((at) => symbols.frames(at)).map(({ line }) => line);
      expect(lines(reports[0]!.allocated)).toContain(block);
      if (kinds[bug] !== "underflow" && kinds[bug] !== "overflow") expect(lines(reports[0]!.freed!)).toContain(free);
      else expect(lines(reports[0]!.found)).toContain(free);
      // A second free is a misuse, which traps.
      if (kinds[bug] === "double-free") expect(error).toBeInstanceOf(WebAssembly.RuntimeError);
      else expect(error).toBeUndefined();
    }
  });

  it("bug 9, a leak, is found by its line", async () => {
    const block = [...(await linesOf("bugs.c", /\/\* (BLOCK) \*\//))][0]![1];
    const { samples, symbols } = await run("bugs", "O2", ["9"], { rate: 1 });
    const [leak, ...others] = findLeaks(samples, samples.live, { time: Date.now(), symbols });
    expect(others.filter(({ bytes }) => bytes > leak!.bytes)).toEqual([]);
    expect(leak).toMatchObject({ objects: 50 });
    expect(leak!.stack.flatMap(({ frames }) => frames.map(({ line }) => line))).toContain(block);
  });

  it("is run by gomalloc profile: a table, a file for pprof, JSON", async () => {
    const project = await compiled("sites", "O2");
    const table = await project.command("npx gomalloc profile --rate 1 a.wasm -- 1");
    expect(table).toMatch(/^Type: inuse_space$/m);
    const [first] = /^ +\S+ .* site6 .*sites\.c:\d+$/m.exec(table) ?? [];
    expect(table.split("\n").indexOf(first ?? "none")).toBe(5);
    expect([...(await project.read("heap.pb.gz"))].slice(0, 2)).toEqual([0x1f, 0x8b]);
    const json = JSON.parse(await project.command("npx gomalloc profile --rate 1 --json -o b.pb.gz a.wasm"));
    expect(json).toMatchObject({
      ...{ output: "b.pb.gz", rate: 1, lines: "dwarf", exitCode: 0, type: "inuse_space", reports: [] },
    });
    expect(json.inuseObjects - json.allocObjects).toBe(-100);
    const page = await readFile(join(ROOT, "docs/cli.md"), "utf8");
    const [, section = ""] = page.split("\n### `profile --json`\n");
    const fields = [...section.split(/\n#/)[0]!.matchAll(/^\| `(\w+)/gm)].map(([, name]) => name);
    expect(fields).toEqual(expect.arrayContaining(Object.keys(json)));
  });

  it("with another allocator is given ours by gomalloc profile", async () => {
    const project = await compiled("sites", "O2", "");
    const json = JSON.parse(await project.command("npx gomalloc profile --rate 1 --json a.wasm"));
    expect(json).toMatchObject({ lines: "source-map", exitCode: 0 });
    expect(json.top[0]).toMatchObject({ function: "site6", place: expect.stringMatching(/sites\.c:\d+$/) });
    expect(json.inuseObjects).toBeGreaterThanOrEqual(1000);
  });

  it("tells gomalloc profile of its bugs, and gives it its exit code", async () => {
    const project = await compiled("bugs", "O2");
    const line = (bug: number) => `npx gomalloc profile --guard-all -q a.wasm -- ${bug}`;
    const found = project.attempt(line(5));
    expect(found).toMatchObject({ status: 1, stderr: expect.stringMatching(/write-after-free of 0x.*, 60 bytes/) });
    expect(found.stderr).toMatch(/freed .* by\n {4}drop .*bugs\.c:\d+$/m);
    const trapped = project.attempt(line(7));
    expect(trapped).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/double-free[\s\S]*the program trapped/),
    });
    expect(project.attempt(line(99))).toMatchObject({ status: 1, stderr: "" });
  });

  it("is told by gomalloc link that it needs no link", async () => {
    const project = await compiled("sites", "O2");
    await expect(link(await project.read("a.wasm"))).rejects.toMatchObject({
      code: "unknown-import",
      message: expect.stringContaining("libgomalloc-profile.a"),
      fix: expect.stringContaining("gomalloc profile"),
    });
  });

  it("asks the host for the rate", async () => {
    const { samples } = await run("sites", "O2", ["0"], {});
    expect(samples.rate).toBe(512 * 1024);
    const off = await run("sites", "O2", ["0"], { rate: 0 });
    expect(off.samples).toMatchObject({ rate: 0, buckets: [], live: [] });
  });
});
