/**
 * Writes src/generated/wasm-host.ts and wasm-host-shared.ts: the host flavours as base64 strings, so that createHeap()
 * needs no file, no fetch and no bundler plug-in. Not under version control; the stamp of the build decides when they are
 * written anew.
 */
import { mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { replaceFile } from "./build-tools.ts";

/** Flavour, the file it is written to, the prefix of its constants. */
const MODULES = [
  { flavour: "host", prefix: "HOST" },
  { flavour: "host-shared", prefix: "HOST_SHARED" },
  { flavour: "host-profile", prefix: "HOST_PROFILE" },
  { flavour: "host-shared-profile", prefix: "HOST_SHARED_PROFILE" },
].map(({ flavour, prefix }) => ({
  flavour,
  prefix,
  source: fileURLToPath(new URL(`../build/gomalloc-${flavour}.wasm`, import.meta.url)),
  target: fileURLToPath(new URL(`../src/generated/wasm-${flavour}.ts`, import.meta.url)),
}));

export const INLINED_FILES = MODULES.map(({ target }) => target);

export async function writeInlinedModules(): Promise<void> {
  for (const { flavour, prefix, source, target } of MODULES) {
    const bytes = await readFile(source);
    await mkdir(join(dirname(target)), { recursive: true });
    await replaceFile(
      target,
      [
        `/** The flavour ${flavour}, base64. Written by scripts/build-inline.ts at every build; do not edit. */`,
        `export const ${prefix}_WASM_BASE64: string =\n  "${bytes.toString("base64")}";`,
        "",
      ].join("\n"),
    );
  }
}
