/**
 * Build products by content: a product is found again as long as nothing that went into it has changed.
 */

import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CACHE } from "../paths.ts";

/** Hexadecimal digits of a product's hash in its name. */
const DIGITS = 16;

/** The product under `label` made from `inputs`, made by `make` unless it is there already. */
export async function cached(
  label: string,
  inputs: readonly (string | Uint8Array)[],
  make: () => Promise<Uint8Array>,
): Promise<Uint8Array<ArrayBuffer>> {
  const hash = createHash("sha256");
  for (const input of inputs) {
    hash.update(`${input.length}:`);
    hash.update(input);
  }
  const digest = hash.digest("hex").slice(0, DIGITS);
  const path = join(CACHE, `${label}-${digest}.wasm`);
  try {
    return new Uint8Array(await readFile(path));
  } catch {
    const product = await make();
    await mkdir(CACHE, { recursive: true });
    // Written aside and renamed: another process may be building the same thing.
    const aside = `${path}.${process.pid}`;
    await writeFile(aside, product);
    await rename(aside, path);
    await forgetOthers(label, digest);
    return new Uint8Array(product);
  }
}

/** Removes what was under `label` before. Another process that still wants it makes it again. */
async function forgetOthers(label: string, digest: string): Promise<void> {
  for (const name of await readdir(CACHE)) {
    const own = name.startsWith(`${label}-`) && name.length === label.length + 1 + DIGITS + ".wasm".length;
    if (own && name.endsWith(".wasm") && !name.includes(digest)) await rm(join(CACHE, name), { force: true });
  }
}
