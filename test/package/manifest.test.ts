/** The package as users get it: the exports map, the files, the bundle in a browser's realm, the modules' shape. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createContext, runInContext } from "node:vm";
import { build } from "esbuild";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { describe, expect, it } from "vitest";
import { checkModule } from "../../scripts/build-check.ts";
import { FLAVOURS } from "../../scripts/build-wasm.ts";

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const manifest = JSON.parse(readFileSync(`${ROOT}/package.json`, "utf8"));

/** Runs a module in a Node of its own, in this package: "gomalloc" there is what a user imports. */
async function inNode(source: string): Promise<unknown> {
  const { stdout } = await run(process.execPath, ["--input-type=module", "-e", source], { cwd: ROOT });
  return JSON.parse(stdout);
}

describe("the package", () => {
  it("has no runtime dependency but binaryen, of the tools, and koffi, of the scavenger, and no work at import", () => {
    expect(manifest.dependencies ?? {}).toEqual({});
    expect(manifest.optionalDependencies ?? {}).toEqual({});
    // 104 MB of 108: whoever needs the commands asks for it.
    expect(Object.keys(manifest.peerDependencies)).toEqual(["binaryen", "koffi"]);
    expect(manifest.peerDependenciesMeta).toEqual({ binaryen: { optional: true }, koffi: { optional: true } });
    expect(manifest.devDependencies.binaryen).toBe(manifest.peerDependencies.binaryen);
    expect(manifest.sideEffects).toBe(false);
  });

  it("works through its own name", async () => {
    const source = `
      import { createHeap, createHeapAsync, MisuseError } from "gomalloc";
      const heap = createHeap();
      const ptr = heap.malloc(100);
      heap.free(ptr);
      let kind;
      try { heap.free(ptr); } catch (error) { if (error instanceof MisuseError) kind = error.kind; }
      (await createHeapAsync()).validate();
      console.log(JSON.stringify({ kind, mallocs: heap.stats().mallocs }));`;
    expect(await inNode(source)).toEqual({ kind: "double-free", mallocs: 1 });
  });

  it("hands out its wasm files and its manifest by subpath", async () => {
    const source = `
      import { readFileSync } from "node:fs";
      import { createHeap } from "gomalloc";
      import manifest from "gomalloc/package.json" with { type: "json" };
      const read = (name) => readFileSync(new URL(import.meta.resolve("gomalloc/" + name)));
      const heap = createHeap({ wasm: read("gomalloc-host.wasm") });
      const names = WebAssembly.Module.exports(new WebAssembly.Module(read("gomalloc.wasm"))).map(({ name }) => name);
      console.log(JSON.stringify({ size: heap.usableSize(heap.malloc(100)), names, version: manifest.version }));`;
    const { size, names, version } = (await inNode(source)) as { size: number; names: string[]; version: string };
    expect(size).toBe(128);
    expect(names.sort()).toEqual([...FLAVOURS[0]!.exports].sort());
    expect(version).toBe(manifest.version);
  });

  it.each([
    ["Node", { module: "NodeNext", moduleResolution: "NodeNext" }],
    ["bundlers", { module: "ESNext", moduleResolution: "Bundler" }],
  ])("has types that need nothing but ES2022 and DOM, for %s", async (_, options) => {
    const dir = await mkdtemp(join(ROOT, "build/consumer-"));
    try {
      const lib = ["ES2022", "DOM"];
      const compilerOptions = { ...options, target: "ES2022", lib, types: [], strict: true, noEmit: true };
      await writeFile(join(dir, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["index.ts"] }));
      await writeFile(
        join(dir, "index.ts"),
        `import { createHeap, type Heap, type MemStats, MisuseError, type MisuseKind } from "gomalloc";
         const heap: Heap = createHeap({ maxBytes: 1 << 20, onMisuse: "throw" });
         const floats: Float64Array = heap.view(Float64Array, heap.malloc(64)).get();
         const stats: MemStats = heap.stats();
         const hits: number = stats.stages.mcache.hits + floats.length;
         const kind = (error: unknown): MisuseKind | null => (error instanceof MisuseError ? error.kind : null);
         const disposable: { [Symbol.dispose](): void } = heap;
         // @ts-expect-error: a size is a number
         heap.malloc("8");
         // @ts-expect-error: no such option
         createHeap({ heapbase: 8 });
         export { disposable, hits, kind };`,
      );
      const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
      await run(process.execPath, [tsc, "-p", dir]).catch(({ stdout }: { stdout: string }) => expect.fail(stdout));
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  it("is clean to publint", async () => {
    const { messages } = await publint({ pkgDir: ROOT, strict: true });
    expect(messages.map((message) => formatMessage(message, manifest))).toEqual([]);
  });

  it("packs what is needed, and only that", async () => {
    const { stdout } = await run("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: ROOT });
    const [{ files }] = JSON.parse(stdout) as [{ files: { path: string }[] }];
    const paths = files.map(({ path }) => path);
    for (const needed of [
      ...["dist/index.js", "dist/index.d.ts", "dist/generated/wasm-host.js", "LICENSE", "package.json"],
      ...["build/gomalloc.wasm", "build/gomalloc-host.wasm", "assembly/abi/libc.ts", "native/gomalloc.c"],
      ...["lib/wasm32-wasip1/libgomalloc.a", "lib/wasm32-wasip1/gomalloc.o", "lib/wasm32-emscripten/libgomalloc.a"],
      "lib/fingerprints.json",
      ...["dist/cli/main.js", "dist/tools/index.d.ts", "build/gomalloc.debug.wasm", "build/gomalloc-host.debug.wasm"],
    ]) {
      expect(paths).toContain(needed);
    }
    const foreign = paths.filter(
      (path) =>
        !/^(dist|assembly|docs|native)\/|^rt(-gc|-weak)?\.ts$|^lib\/[\w-]+\/(libgomalloc(-debug|-profile)?\.a|(gomalloc|errno)\.o)$|^lib\/fingerprints\.json$|^build\/gomalloc(-host)?(-shared)?(\.debug|-profile\.debug)?\.wasm$/.test(
          path,
        ),
    );
    expect(foreign.sort()).toEqual(
      ["CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "package.json"].filter((name) =>
        foreign.includes(name),
      ),
    );
  });
});

describe("bundled for browsers", () => {
  const bundle = build({
    entryPoints: [`${ROOT}/dist/index.js`],
    bundle: true,
    format: "iife",
    globalName: "gomalloc",
    platform: "browser",
    target: "es2022",
    write: false,
    metafile: true,
  });

  it("imports nothing", async () => {
    const { metafile, warnings } = await bundle;
    expect(warnings).toEqual([]);
    const imports = Object.values(metafile.inputs).flatMap((input) => input.imports);
    expect(imports.filter(({ external, path }) => external || !path.startsWith("dist/"))).toEqual([]);
  });

  it("runs in a realm with nothing but the language, WebAssembly and atob", async () => {
    const { outputFiles } = await bundle;
    const context = createContext({ atob });
    runInContext(outputFiles[0]!.text, context);
    const result = await runInContext(
      `(async () => {
        const heap = gomalloc.createHeap();
        const ptr = heap.malloc(1000);
        heap.view(Uint8Array, ptr, 1000).get().fill(7);
        const moved = heap.realloc(ptr, 1000000);
        const kept = heap.u8.subarray(moved, moved + 1000).every((byte) => byte === 7);
        heap.validate({ deep: true });
        const key = Symbol.dispose ?? Symbol.for("Symbol.dispose");
        heap[key]();
        let code;
        try { heap.malloc(1); } catch (error) { code = error.code; }
        const other = await gomalloc.createHeapAsync();
        return { kept, code, objects: other.stats().heapObjects };
      })()`,
      context,
    );
    expect({ ...result }).toEqual({ kept: true, code: "ERR_HEAP_DISPOSED", objects: 0 });
  });

  it("has metrics and settings that run there too, without a process, a clock or a console", async () => {
    const contents = ["index.js", "metrics/index.js"].map((file) => `export * from "./dist/${file}";`).join("\n");
    const { outputFiles } = await build({
      stdin: { contents, resolveDir: ROOT },
      bundle: true,
      format: "iife",
      globalName: "gomalloc",
      platform: "browser",
      target: "es2022",
      write: false,
    });
    const context = createContext({ atob });
    runInContext(outputFiles[0]!.text, context);
    const result = runInContext(
      `(() => {
        const heap = gomalloc.createHeap({ collector: gomalloc.optionsFromEnv() });
        heap.malloc(100);
        const recorder = new gomalloc.CounterRecorder(heap);
        recorder.sample();
        const { bytes, breakdown } = gomalloc.measureHeapMemory(heap);
        return JSON.stringify({
          settings: gomalloc.optionsFromEnv(),
          text: gomalloc.prometheusText(heap).includes("go_memstats_heap_objects 1"),
          tracks: recorder.events.length,
          whole: breakdown.reduce((sum, entry) => sum + entry.bytes, 0) === bytes,
        });
      })()`,
      context,
    );
    expect(JSON.parse(result)).toEqual({ settings: {}, text: true, tracks: 4, whole: true });
  });
});

describe("the modules", () => {
  it.each(FLAVOURS)("$file is functions and globals over env.memory, with the agreed exports", (flavour) => {
    checkModule(new Uint8Array(readFileSync(`${ROOT}/${flavour.file}`)), flavour);
  });

  describe("are checked at every build:", () => {
    const MAGIC = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
    /** (type (func)), (import "env" "memory" (memory 0)), (func), (export "malloc" (func 0)), and a body. */
    const TYPE = [1, 4, 1, 0x60, 0, 0];
    const IMPORT = [2, 15, 1, 3, 0x65, 0x6e, 0x76, 6, 0x6d, 0x65, 0x6d, 0x6f, 0x72, 0x79, 2, 0, 0];
    const FUNCTION = [3, 2, 1, 0];
    const EXPORT = [7, 10, 1, 6, 0x6d, 0x61, 0x6c, 0x6c, 0x6f, 0x63, 0, 0];
    const CODE = [10, 4, 1, 2, 0, 0x0b];
    const module = (...sections: number[][]) => Uint8Array.from([...MAGIC, ...sections.flat()]);
    const expected = { file: "x.wasm", exports: ["malloc"], exact: true };

    it("a good one passes", () => {
      checkModule(module(TYPE, IMPORT, FUNCTION, EXPORT, CODE), expected);
    });

    it.each([
      ["a table", module(TYPE, IMPORT, FUNCTION, [4, 4, 1, 0x70, 0, 1], EXPORT, CODE), /has the section table/],
      ["a start function", module(TYPE, IMPORT, FUNCTION, EXPORT, [8, 1, 0], CODE), /has the section start/],
      [
        "data",
        module(TYPE, IMPORT, FUNCTION, EXPORT, CODE, [11, 7, 1, 0, 0x41, 0, 0x0b, 1, 5]),
        /has the section data/,
      ],
      [
        "elements",
        module(TYPE, IMPORT, FUNCTION, [4, 4, 1, 0x70, 0, 1], EXPORT, [9, 7, 1, 0, 0x41, 0, 0x0b, 1, 0], CODE),
        /has the section element/,
      ],
      [
        "a memory of its own",
        module(TYPE, FUNCTION, [5, 3, 1, 0, 0], EXPORT, CODE),
        /has the section memory; imports nothing/,
      ],
    ])("%s is refused", (_, bytes, message) => {
      expect(() => checkModule(bytes, expected)).toThrow(message);
    });

    it("missing and surplus exports are refused", () => {
      const bytes = module(TYPE, IMPORT, FUNCTION, EXPORT, CODE);
      expect(() => checkModule(bytes, { ...expected, exports: ["malloc", "free"] })).toThrow("does not export free");
      expect(() => checkModule(bytes, { ...expected, exports: [] })).toThrow("exports malloc beyond the ABI");
      checkModule(bytes, { ...expected, exports: [], exact: false });
    });
  });
});
