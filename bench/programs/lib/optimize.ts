/**
 * wasm-opt over a program: with the same flags whichever allocator it has.
 */

import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { cached } from "../../lib/build/cache.ts";
import { binaryenTool, packageVersion } from "../../lib/paths.ts";

const run = promisify(execFile);

/** A module optimised with the given flags; features are those the module names, function names stay. */
export function optimize(
  label: string,
  app: Uint8Array<ArrayBuffer>,
  flags: readonly string[],
): Promise<Uint8Array<ArrayBuffer>> {
  return cached(label, [packageVersion("binaryen"), ...flags, app], async () => {
    const folder = await mkdtemp(join(tmpdir(), "gomalloc-programs-"));
    try {
      await writeFile(join(folder, "in.wasm"), app);
      const args = [binaryenTool("wasm-opt"), ...flags, "-g", "in.wasm", "-o", "out.wasm"];
      await run(process.execPath, args, { cwd: folder }).catch((error: { stderr: string }) => {
        throw new Error(`wasm-opt failed on ${label}: ${error.stderr.slice(0, 2000)}`);
      });
      return await readFile(join(folder, "out.wasm"));
    } finally {
      await rm(folder, { recursive: true });
    }
  });
}
