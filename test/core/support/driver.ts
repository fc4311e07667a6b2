/**
 * Builds the fuzz driver: asc compiles it, wasm-merge joins it with a flavour of the allocator, so that a call from the
 * one to the other costs no more than a call. About two seconds.
 */
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runTool } from "../../../scripts/build-tools.ts";
import { wasmPath } from "../../support/wasm.ts";

const SOURCE = "test/assembly/fuzz.assembly.ts";
const FEATURES = ["bulk-memory", "mutable-globals", "nontrapping-float-to-int", "sign-ext"];

/** What the merged module exports beside the allocator's own names. */
export interface DriverExports {
  /** The driver's memory, which the allocator takes as its env.memory. */
  memory: WebAssembly.Memory;
  footprint(slots: number, tiny: number, addresses: number): number;
  setup(base: number, slots: number, tiny: number, addresses: number, lo: number, seed: bigint): void;
  setParam(i: number, value: number): void;
  run(n: number): number;
  verify(): number;
  drain(): number;
  at(i: number): number;
}

/** The driver merged with a flavour: it imports what the flavour does, but for the memory. */
export async function buildDriver(
  flavour: "malloc" | "host" | "malloc-profile" | "host-profile",
): Promise<WebAssembly.Module> {
  const dir = await mkdtemp(join(tmpdir(), "gomalloc-fuzz-"));
  try {
    const driver = join(dir, "driver.wasm");
    const merged = join(dir, "merged.wasm");
    // Paths in a configuration file are relative to it, and so are those of the command.
    const config = ["--config", "test/assembly/asconfig.json", "--target", flavour.replace("-profile", "")];
    await runTool("assemblyscript/bin/asc.js", [SOURCE, ...config, "--outFile", driver]);
    await runTool("binaryen/bin/wasm-merge", [
      ...[driver, "env", wasmPath(flavour), "gomalloc"],
      ...FEATURES.map((f) => `--enable-${f}`),
      ...["-o", merged],
    ]);
    return new WebAssembly.Module(readFileSync(merged));
  } finally {
    await rm(dir, { recursive: true });
  }
}
