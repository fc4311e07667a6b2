/**
 * Build products by content: a product is found again as long as nothing that went into it has changed.
 */

import { createHash } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CACHE } from "../paths.ts";

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
  const path = join(CACHE, `${label}-${hash.digest("hex").slice(0, 16)}.wasm`);
  try {
    return new Uint8Array(await readFile(path));
  } catch {
    const product = await make();
    await mkdir(CACHE, { recursive: true });
    // Written aside and renamed: another process may be building the same thing.
    const aside = `${path}.${process.pid}`;
    await writeFile(aside, product);
    await rename(aside, path);
    return new Uint8Array(product);
  }
}
