/**
 * Writes src/generated/wasm-host.ts: the host flavour as a base64 string, so that createHeap() needs no file, no fetch
 * and no bundler plug-in. Not under version control; the stamp of the build decides when it is written anew.
 */
import { mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { replaceFile } from "./build-tools.ts";

const SOURCE = fileURLToPath(new URL("../build/gomalloc-host.wasm", import.meta.url));

export const INLINED_FILE = fileURLToPath(new URL("../src/generated/wasm-host.ts", import.meta.url));

export async function writeInlinedModule(): Promise<void> {
  const bytes = await readFile(SOURCE);
  await mkdir(join(dirname(INLINED_FILE)), { recursive: true });
  await replaceFile(
    INLINED_FILE,
    [
      "/** The host flavour, base64. Written by scripts/build-inline.ts at every build; do not edit. */",
      `export const HOST_WASM_BASE64 =\n  "${bytes.toString("base64")}";`,
      `/** Bytes of the decoded module. */\nexport const HOST_WASM_BYTES = ${bytes.length};`,
      "",
    ].join("\n"),
  );
}
