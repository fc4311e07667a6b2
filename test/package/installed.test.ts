/** The packed package in an empty folder: from Node, from TypeScript, through its command, and to the package linters. */
import { readFileSync } from "node:fs";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { assemble, COUNTING_PROGRAM } from "../support/assemble.ts";
import { Installed, ROOT } from "../support/installed.ts";

/** The package alone, and with binaryen. */
let bare: Installed;
let installed: Installed;
beforeAll(async () => {
  bare = await Installed.create();
  installed = await Installed.create();
  await installed.addPeers("binaryen");
});
afterAll(() => Promise.all([bare.dispose(), installed.dispose()]));

const manifest = JSON.parse(readFileSync(`${ROOT}/package.json`, "utf8"));

describe("without binaryen", () => {
  it("nothing but gomalloc is installed, in a few megabytes", async () => {
    const modules = join(bare.app, "node_modules");
    expect((await readdir(modules)).filter((name) => !name.startsWith("."))).toEqual(["gomalloc"]);
    let bytes = 0;
    for (const entry of await readdir(modules, { withFileTypes: true, recursive: true })) {
      if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size;
    }
    expect(bytes).toBeLessThan(8e6);
  });

  it.each(["link", "swap"])("%s says how to get it", async (name) => {
    const allocating = join(ROOT, "node_modules/vscode-oniguruma/release/onig.wasm");
    await bare.write("program.wasm", name === "link" ? assemble(COUNTING_PROGRAM) : await readFile(allocating));
    const { stderr, code } = await bare.command(name, "program.wasm", "-o", "out.wasm");
    expect(code).toBe(1);
    expect(stderr).toMatch(/^gomalloc: .*binaryen.*not installed\n/);
    const { major } = /npm install --save-dev binaryen@(?<major>\d+)\./.exec(stderr)!.groups!;
    expect(manifest.peerDependencies.binaryen).toBe(`^${major}.0.0`);
  });

  it("npx fetches it for one run, as the message says, beside a gomalloc that is installed", async () => {
    await bare.write("app.wasm", assemble(COUNTING_PROGRAM));
    const { stderr } = await bare.command("link", "app.wasm", "-o", "app.out.wasm");
    const [, argv] = /: npx (.*)\.\n/.exec(stderr)!;
    expect(await bare.npx(argv!.split(" "))).toMatchObject({ code: 0, stderr: "" });
    expect(count(await readFile(join(bare.app, "app.out.wasm")))).toBe(499_500);
    // In a folder where nothing is installed; there is no registry here that has this version.
    const folder = await bare.emptyFolder();
    await writeFile(join(folder, "app.wasm"), assemble(COUNTING_PROGRAM));
    const fetched = argv!.split(" ").map((word, i) => (word === "gomalloc" && i < 2 ? bare.tarball : word));
    expect(await bare.npx(fetched, folder)).toMatchObject({ code: 0, stderr: "" });
    expect(count(await readFile(join(folder, "app.out.wasm")))).toBe(499_500);
  });

  it("npm installs it by the message's command, and from then on the commands work", async () => {
    await bare.write("app.wasm", assemble(COUNTING_PROGRAM));
    const { stderr } = await bare.command("link", "app.wasm", "-o", "app.out.wasm");
    const [, argv] = /: npm (install .*?)\. /.exec(stderr)!;
    expect((await bare.npm(...argv!.split(" "), "--prefer-offline")).code).toBe(0);
    expect(await bare.command("link", "app.wasm", "-o", "app.out.wasm")).toMatchObject({ code: 0, stderr: "" });
  });
});

/** What the linked COUNTING_PROGRAM counts. */
function count(wasm: Uint8Array<ArrayBuffer>): number {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm));
  return (exports["count"] as (n: number) => number)(1000);
}

describe("in Node", () => {
  it("a heap, and a program over it", async () => {
    await installed.write("program.wasm", assemble(COUNTING_PROGRAM));
    await installed.write(
      "main.js",
      `import { readdir, readFile, stat, writeFile } from "node:fs/promises";
       import { createHeap, instantiateWith, MisuseError } from "gomalloc";
       import { link } from "gomalloc/tools";
       const heap = createHeap();
       const ptr = heap.malloc(100);
       heap.free(ptr);
       let kind = "";
       try { heap.free(ptr); } catch (error) { if (error instanceof MisuseError) kind = error.kind; }
       const bytes = await readFile("program.wasm");
       const beside = await instantiateWith(bytes);
       const { wasm } = await link(bytes);
       const merged = await WebAssembly.instantiate(wasm, {});
       const results = [beside.instance, merged.instance].map(({ exports }) => exports.count(1000));
       beside.heap.validate({ deep: true });
       console.log(JSON.stringify({ kind, results, objects: beside.heap.stats().mallocs }));`,
    );
    const { stdout, stderr } = await installed.node("main.js");
    expect(stderr).toBe("");
    expect(JSON.parse(stdout)).toEqual({ kind: "double-free", results: [499_500, 499_500], objects: 1000 });
  });

  it("the README's two files for worker threads", async () => {
    const page = await readFile(join(ROOT, "README.md"), "utf8");
    const files = [...page.matchAll(/^`(\w+\.mjs)`:\n\n```js\n(.*?)^```$/gms)];
    expect(files.map(([, name]) => name)).toEqual(["main.mjs", "worker.mjs"]);
    for (const [, name, text] of files) await installed.write(name!, text!);
    const { stdout, stderr } = await installed.node("main.mjs");
    expect(stderr).toBe("");
    expect(stdout).toBe(/^It prints.*?```text\n(.*?)```$/ms.exec(page)![1]);
  });

  it("its files by subpath", async () => {
    const files = [
      "gomalloc.wasm",
      "gomalloc-host.wasm",
      "gomalloc.debug.wasm",
      "native/gomalloc.c",
      "native/gomalloc.h",
    ];
    await installed.write(
      "files.js",
      `import { readFileSync } from "node:fs";
       const size = (name) => readFileSync(new URL(import.meta.resolve("gomalloc/" + name))).length;
       console.log(JSON.stringify(${JSON.stringify(files)}.map(size)));`,
    );
    const { stdout } = await installed.node("files.js");
    const sizes = ["build/gomalloc.wasm", "build/gomalloc-host.wasm", "build/gomalloc.debug.wasm", ...files.slice(3)];
    expect(JSON.parse(stdout)).toEqual(sizes.map((name) => readFileSync(join(ROOT, name)).length));
  });
});

describe("in TypeScript, strict", () => {
  it.each([
    ["NodeNext", "NodeNext"],
    ["ESNext", "Bundler"],
  ])("module %s, resolution %s: compiles and runs", async (module, moduleResolution) => {
    await installed.write("program.wasm", assemble(COUNTING_PROGRAM));
    await bare.write(
      "src/main.ts",
      `import { createHeap, type Heap, instantiateWith, type MemStats } from "gomalloc";
       import { type LinkResult, link, ToolError } from "gomalloc/tools";

       const heap: Heap = createHeap({ maxBytes: 1 << 20 });
       const floats: Float64Array = heap.view(Float64Array, heap.malloc(64)).get();
       const stats: MemStats = heap.stats();
       // @ts-expect-error: a size is a number
       const wrong = (): number => heap.malloc("8");

       export async function main(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
         const { instance } = await instantiateWith(bytes, { onMisuse: "trap" });
         const count = instance.exports["count"] as (n: number) => number;
         const result: LinkResult = await link(bytes);
         const refused = await link(new Uint8Array()).catch((error: unknown) =>
           error instanceof ToolError ? [error.code, error.fix.length > 0] : error,
         );
         const same = count(10) === 45 && floats.length === 8 && stats.mallocs === 1 && typeof wrong === "function";
         return JSON.stringify([same, result.wasm.length > bytes.length, refused]);
       }`,
    );
    const compilerOptions = {
      ...{
        module,
        moduleResolution,
        target: "ES2022",
        lib: ["ES2022", "DOM"],
        types: [],
        outDir: "out",
        rootDir: "src",
      },
      ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: false },
    };
    await bare.write("tsconfig.json", JSON.stringify({ compilerOptions, files: ["src/main.ts"] }));
    const { stdout } = await bare.node(join(ROOT, "node_modules/typescript/bin/tsc"), "-p", ".");
    expect(stdout).toBe("");
    await installed.write("out/main.js", await readFile(join(bare.app, "out/main.js")));
    await installed.write(
      "run.js",
      `import { readdir, readFile, stat, writeFile } from "node:fs/promises";
       import { main } from "./out/main.js";
       console.log(await main(new Uint8Array(await readFile("program.wasm"))));`,
    );
    expect(JSON.parse((await installed.node("run.js")).stdout)).toEqual([true, true, ["empty", true]]);
  });
});

describe("the command", () => {
  it("knows its version and its commands", async () => {
    expect(await installed.command("--version")).toEqual({ stdout: `${manifest.version}\n`, stderr: "", code: 0 });
    const { stdout } = await installed.command("--help");
    for (const name of ["link", "swap", "inspect"]) expect(stdout).toContain(name);
    expect((await installed.command("lnik")).code).toBe(2);
  });

  it("links a program, which then runs alone", async () => {
    await installed.write("program.wasm", assemble(COUNTING_PROGRAM));
    const { stdout, stderr, code } = await installed.command("link", "program.wasm", "-o", "linked.wasm");
    expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
    expect(stdout).toMatch(/malloc/);
    const wasm = await readFile(join(installed.app, "linked.wasm"));
    expect(WebAssembly.Module.imports(new WebAssembly.Module(wasm))).toEqual([]);
    expect(count(wasm)).toBe(499_500);
  });

  it("leaves nothing behind when it fails", async () => {
    await installed.write("broken.wasm", assemble(COUNTING_PROGRAM).subarray(0, 60));
    const { stderr, code } = await installed.command("link", "broken.wasm", "-o", "none.wasm");
    expect(code).toBe(1);
    expect(stderr).toMatch(/truncated|ends/);
    await expect(readFile(join(installed.app, "none.wasm"))).rejects.toThrow("ENOENT");
  });
});

describe("the linters of packages", () => {
  it("publint finds nothing in the tarball", async () => {
    const publint = join(ROOT, "node_modules/publint/src/cli.js");
    const { stdout, code } = await installed.node(publint, "run", "--strict", installed.tarball);
    expect(stdout).toContain("All good!");
    expect(code).toBe(0);
  });

  it("arethetypeswrong finds nothing, for ES modules", async () => {
    const attw = join(ROOT, "node_modules/@arethetypeswrong/cli/dist/index.js");
    // Files that are no modules have no types.
    const files = Object.keys(manifest.exports).filter((key) => /\.wasm$|\*$/.test(key));
    const exclude = files.map((key) => key.slice(2));
    const argv = [installed.tarball, "--profile", "esm-only", "--format", "json", "--exclude-entrypoints", ...exclude];
    const { stdout } = await installed.node(attw, ...argv);
    const { analysis } = JSON.parse(stdout);
    expect(analysis.types).toMatchObject({ kind: "included" });
    expect(Object.keys(analysis.entrypoints).sort()).toEqual([
      ...[
        ".",
        "./live",
        "./live/server",
        "./metrics",
        "./package.json",
        "./profile",
        "./profile/shared",
        "./scavenge",
        "./shared",
        "./shared/slim",
        "./slim",
        "./snapshot",
        "./tools",
      ],
    ]);
    const ignored = ["node10", "node16-cjs"];
    const problems = analysis.problems.filter(
      ({ resolutionKind }: { resolutionKind: string }) => !ignored.includes(resolutionKind),
    );
    expect(problems).toEqual([]);
  });
});
