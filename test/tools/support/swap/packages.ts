/**
 * The npm packages whose allocator the tests and the comparison swap, and how a package's work is run over a wasm file.
 */
import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Driven } from "./drive.ts";

const require = createRequire(import.meta.url);
const run = promisify(execFile);

export type PackageName = "oniguruma" | "sqlite" | "quickjs";

/** The wasm file of each. */
export const WASM: Record<PackageName, string> = {
  oniguruma: join(dirname(require.resolve("vscode-oniguruma/package.json")), "release", "onig.wasm"),
  sqlite: join(
    ...[dirname(require.resolve("@sqlite.org/sqlite-wasm/package.json")), "sqlite-wasm", "jswasm", "sqlite3.wasm"],
  ),
  quickjs: require.resolve("@jitl/quickjs-wasmfile-release-sync/wasm"),
};

export interface Outcome extends Driven {
  /** SHA-256 of everything that the work produced. */
  readonly digest: string;
  readonly bytes: number;
}

/** Does the package's work over `wasm` in a process of its own; what it produced is in the file `output`. */
export async function drive(name: PackageName, wasm: string, output: string): Promise<Outcome> {
  const script = fileURLToPath(new URL("drive.ts", import.meta.url));
  const args = ["--no-warnings", "--import", "tsx", script, name, wasm, output];
  const { stdout } = await run(process.execPath, args, { maxBuffer: 1 << 26 });
  return JSON.parse(stdout.trim().split("\n").at(-1)!) as Outcome;
}
