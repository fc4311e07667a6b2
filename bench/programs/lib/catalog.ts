/**
 * The programs, how each is compiled, and what it is made to do.
 *
 * None was written here but the small drivers in bench/programs/native that give a library a main().
 */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Tree } from "@yowasp/clang";
import { sourceTree } from "../../lib/build/clang.ts";
import { fetchSource, type Source } from "../../lib/build/sources.ts";
import { benchFile } from "../../lib/paths.ts";
import type { Unit } from "./clang.ts";
import * as inputs from "./inputs.ts";

/** How much a workload does: a smoke test, a measurement of seconds, or a longer one. */
export type Scale = "quick" | "normal" | "full";

/** Files below a workload's root folder, by name. */
export type Files = Readonly<Record<string, string | Uint8Array>>;

/** One thing that a program is made to do. */
export interface Workload {
  readonly name: string;
  args(scale: Scale): readonly string[];
  /** What it reads. */
  files?(scale: Scale): Promise<Files>;
  /** The file, of those above, that is its standard input. */
  readonly stdin?: string;
  /** The file it writes that is compared; standard output if left out. */
  readonly output?: string;
}

/** One program. */
export interface Program {
  readonly name: string;
  /** One line for the reader of a table. */
  readonly about: string;
  /** Decides which libraries are linked. */
  readonly language: "C" | "C++";
  readonly sources: readonly Source[];
  /** Its compilation units from the folders of `sources`, in their order. */
  units(folders: readonly string[]): Promise<readonly Unit[]>;
  /** Flags for the linker. */
  readonly linking?: readonly string[];
  readonly workloads: readonly Workload[];
}

/** For every program: a stack of 1 MiB below its data. */
export const LINKING: readonly string[] = ["-Wl,-z,stack-size=1048576", "-Wl,--stack-first"];

const native = (name: string) => readFile(benchFile("programs", "native", name), "utf8");

/** The first as quick, the second as normal, the third as full. */
const sized = (...sizes: [quick: number, normal: number, full: number]) => {
  return (scale: Scale) => String(sizes[scale === "quick" ? 0 : scale === "normal" ? 1 : 2]);
};

function script(language: "lua" | "js", name: string, ...sizes: [number, number, number]): Workload {
  const file = `${name}.${language}`;
  const size = sized(...sizes);
  return {
    name,
    args: (scale) => [file, size(scale)],
    files: async () => ({ [file]: await readFile(benchFile("programs", language, file), "utf8") }),
  };
}

const LUA: Program = {
  name: "lua",
  about: "Lua 5.4 (Debian lua5.4)",
  language: "C",
  sources: [{ kind: "debian", name: "lua5.4" }],
  units: async ([folder]) => {
    const files: Tree = { ...(await sourceTree(join(folder!, "src"))), "wasi.h": await native("wasi.h") };
    const sources = Object.keys(files).filter((name) => name.endsWith(".c") && name !== "luac.c");
    // Errors are longjmps: by wasm's exceptions in the form that Node 20 has.
    const flags = ["-mllvm", "-wasm-enable-sjlj", "-D_WASI_EMULATED_SIGNAL", "-D_WASI_EMULATED_PROCESS_CLOCKS"];
    return [{ compiler: "clang", files, sources, flags: [...flags, "-include", "wasi.h"] }];
  },
  linking: ["-lsetjmp", "-lwasi-emulated-signal", "-lwasi-emulated-process-clocks"],
  workloads: [
    script("lua", "binary-trees", 9, 14, 16),
    script("lua", "strings", 100, 2500, 8000),
    script("lua", "json", 3, 60, 200),
    script("lua", "queens", 6, 10, 11),
  ],
};

const QUICKJS: Program = {
  name: "quickjs",
  about: "QuickJS 2021-03-27 (npm qjsc)",
  language: "C",
  sources: [{ kind: "npm", name: "qjsc", version: "0.3.0" }],
  units: async ([folder]) => {
    const files = await sourceTree(join(folder!, "deps", "quickjs_2021_03_27"));
    return [
      {
        compiler: "clang",
        files: {
          ...files,
          "driver.c": await native("quickjs.c"),
          "file.h": await native("file.h"),
          "wasi.h": await native("wasi.h"),
        },
        sources: ["quickjs.c", "libregexp.c", "libunicode.c", "libbf.c", "cutils.c", "driver.c"],
        flags: [
          "-DCONFIG_BIGNUM",
          '-DCONFIG_VERSION="2021-03-27"',
          "-D_GNU_SOURCE",
          "-include",
          "wasi.h",
          "-w",
          "-Wno-incompatible-function-pointer-types",
        ],
      },
    ];
  },
  workloads: [script("js", "objects", 2, 30, 100)],
};

const SQLITE: Program = {
  name: "sqlite",
  about: "SQLite (npm better-sqlite3) running its speedtest1 (Debian sqlite3) in memory",
  language: "C",
  sources: [
    { kind: "npm", name: "better-sqlite3", version: "13.2.0" },
    { kind: "debian", name: "sqlite3", members: ["*/test/speedtest1.c"] },
  ],
  units: async ([library, tests]) => {
    const read = (name: string) => readFile(join(library!, "deps", "sqlite3", name), "utf8");
    const files = {
      "sqlite3.c": await read("sqlite3.c"),
      "sqlite3.h": await read("sqlite3.h"),
      "speedtest1.c": await readFile(join(tests!, "test", "speedtest1.c"), "utf8"),
    };
    const flags = ["-w", "-DSQLITE_THREADSAFE=0", "-DSQLITE_OMIT_LOAD_EXTENSION", "-DSQLITE_ENABLE_RTREE"];
    return [
      {
        compiler: "clang",
        files,
        sources: ["sqlite3.c", "speedtest1.c"],
        flags: [...flags, "-D_WASI_EMULATED_GETPID", "-D_WASI_EMULATED_MMAN", "-D_WASI_EMULATED_SIGNAL"],
      },
    ];
  },
  linking: ["-lwasi-emulated-getpid", "-lwasi-emulated-mman", "-lwasi-emulated-signal"],
  workloads: [
    speedtest("speedtest1", []),
    speedtest("no-lookaside", ["--lookaside", "0", "0"]),
    speedtest("orm", ["--testset", "orm"]),
  ],
};

function speedtest(name: string, options: readonly string[]): Workload {
  const size = sized(2, 25, 100);
  return {
    name,
    // Its console output tells times.
    output: "rows.txt",
    args: (scale) => ["--size", size(scale), "--output", "rows.txt", ...options, ":memory:"],
  };
}

const JSON_CPP: Program = {
  name: "nlohmann-json",
  about: "nlohmann::json 3.11, C++ (Debian nlohmann-json3)",
  language: "C++",
  sources: [{ kind: "debian", name: "nlohmann-json3", members: ["*/single_include/*"] }],
  units: async ([folder]) => [
    {
      compiler: "clang++",
      files: { ...(await sourceTree(join(folder!, "single_include"))), "json.cc": await native("json.cc") },
      sources: ["json.cc"],
      flags: ["-std=c++17", "-fno-exceptions", "-I."],
    },
  ],
  workloads: [
    {
      name: "parse-edit-dump",
      args: (scale) => ["input.json", sized(1, 4, 12)(scale)],
      files: async (scale) => ({ "input.json": inputs.json(scale === "quick" ? 200 : 8000) }),
    },
  ],
};

const CJSON: Program = {
  name: "cjson",
  about: "cJSON 1.7 (Debian cjson)",
  language: "C",
  sources: [{ kind: "debian", name: "cjson" }],
  units: async ([folder]) => {
    const read = (name: string) => readFile(join(folder!, name), "utf8");
    const files = {
      "cJSON.c": await read("cJSON.c"),
      "cJSON.h": await read("cJSON.h"),
      "driver.c": await native("cjson.c"),
      "file.h": await native("file.h"),
    };
    return [{ compiler: "clang", files, sources: ["cJSON.c", "driver.c"], flags: ["-I."] }];
  },
  workloads: [
    cjson("large", 4000, sized(1, 10, 40)),
    // A heap of less than one MiB: what a span for each size class costs shows here.
    cjson("small", 100, sized(4, 400, 1600)),
  ],
};

function cjson(name: string, records: number, rounds: (scale: Scale) => string): Workload {
  return {
    name,
    args: (scale) => ["input.json", rounds(scale)],
    files: async () => ({ "input.json": inputs.json(records) }),
  };
}

const TREE_SITTER: Program = {
  name: "tree-sitter",
  about: "tree-sitter 0.25 with its JavaScript grammar (npm)",
  language: "C",
  sources: [
    { kind: "npm", name: "tree-sitter", version: "0.25.1" },
    { kind: "npm", name: "tree-sitter-javascript", version: "0.25.0" },
  ],
  units: async ([library, grammar]) => {
    const lib = join(library!, "vendor", "tree-sitter", "lib");
    const core = await sourceTree(lib);
    return [
      {
        compiler: "clang",
        files: { ...core, "driver.c": await native("treesitter.c"), "file.h": await native("file.h") },
        sources: ["src/lib.c", "driver.c"],
        flags: ["-Iinclude", "-Isrc", "-w"],
      },
      {
        compiler: "clang",
        files: await sourceTree(join(grammar!, "src")),
        sources: ["parser.c", "scanner.c"],
        flags: ["-I."],
      },
    ];
  },
  workloads: [
    {
      name: "parse",
      args: (scale) => ["input.js", sized(2, 10, 20)(scale)],
      files: async (scale) => ({ "input.js": inputs.javascript(scale === "quick" ? 100 : 6000) }),
    },
  ],
};

const CMARK: Program = {
  name: "cmark",
  about: "cmark 0.30 (Debian cmark)",
  language: "C",
  sources: [{ kind: "debian", name: "cmark" }],
  units: async ([folder]) => {
    const files = await sourceTree(join(folder!, "src"));
    const sources = Object.keys(files).filter((name) => name.endsWith(".c"));
    return [
      {
        compiler: "clang",
        files: { ...files, ...inputs.CMARK_CONFIG },
        sources,
        flags: ["-DCMARK_STATIC_DEFINE", "-I.", "-w"],
      },
    ];
  },
  workloads: [
    {
      name: "html",
      args: () => ["--smart", "input.md"],
      files: async (scale) => ({ "input.md": inputs.markdown(Number(sized(20, 12000, 40000)(scale))) }),
    },
  ],
};

const ZLIB: Program = {
  name: "zlib",
  about: "zlib 1.2.13 with its zpipe (Debian zlib)",
  language: "C",
  sources: [{ kind: "debian", name: "zlib" }],
  units: async ([folder]) => {
    const files = await sourceTree(folder!);
    const sources = Object.keys(files).filter((name) => name.endsWith(".c") && !name.startsWith("gz"));
    return [{ compiler: "clang", files, sources: [...sources, "examples/zpipe.c"], flags: ["-I.", "-w"] }];
  },
  workloads: [
    {
      name: "deflate",
      args: () => [],
      stdin: "input.md",
      files: async (scale) => ({ "input.md": inputs.markdown(Number(sized(20, 20000, 80000)(scale))) }),
    },
  ],
};

/** All programs, in the order of the table. */
export const PROGRAMS: readonly Program[] = [LUA, QUICKJS, SQLITE, JSON_CPP, CJSON, TREE_SITTER, CMARK, ZLIB];

/** A program's compilation units; throws Unavailable when a source cannot be had. */
export async function unitsOf(program: Program): Promise<readonly Unit[]> {
  const folders: string[] = [];
  for (const source of program.sources) folders.push(await fetchSource(source));
  return program.units(folders);
}
