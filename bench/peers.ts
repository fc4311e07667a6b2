/**
 * Obtains and builds the peers whose sources npm does not bring: mimalloc and emmalloc, from Debian's archive by apt.
 * Tens of megabytes are fetched, once, into build/sources; the modules are built there and then, so that a benchmark
 * meets no compiler. Exit code 1 if one could not be had, with the reason; a benchmark then leaves it out.
 */

import { PEER_SOURCES } from "./lib/build/native.ts";
import { fetchSource, Unavailable } from "./lib/build/sources.ts";
import { ALLOCATORS, type Allocator } from "./lib/catalog.ts";

/** Fetches what one is made of unless it is there, and builds it. */
async function obtain({ name, module }: Allocator): Promise<number> {
  const bytes = await module("timed");
  if (bytes) return bytes.length;
  await fetchSource(PEER_SOURCES[name]!);
  const built = await module("timed");
  if (!built) throw new Error(`${name}: its source package has no longer the files that it is built from`);
  return built.length;
}

for (const allocator of ALLOCATORS.filter(({ name }) => name in PEER_SOURCES)) {
  try {
    console.log(`${allocator.name}: ${allocator.about}, ${await obtain(allocator)} bytes`);
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    console.error(`${allocator.name}: ${error.what} cannot be had: ${error.message}`);
    process.exitCode = 1;
  }
}
