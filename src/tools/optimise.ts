/**
 * The last steps of a link: custom sections that do not hold any more go, wasm-opt runs over the whole, and the engine
 * that runs this finds the result valid if it found the program so. Cost: that of wasm-opt.
 */
import { addCustomSection, type Edited, encodeName, removeCustomSections } from "../wasm/edit.js";
import { ToolError } from "../wasm/errors.js";
import type { ModuleInfo } from "../wasm/parse.js";
import type { LinkOptions, OptimizeLevel } from "./arguments.js";
import { featureFlags, runBinaryen } from "./binaryen.js";
import type { LinkReport } from "./report.js";

export interface Built {
  readonly wasm: Uint8Array;
  readonly map?: string;
}

export interface OptimiseOptions {
  readonly optimize: OptimizeLevel;
  /** Names of functions are kept. */
  readonly names: boolean;
}

/** Without the sections that do not hold for other code, and those that are damaged. Adds warnings; `mapped`: there is a map. */
export function removeStale(bytes: Uint8Array, info: ModuleInfo, warnings: string[], mapped: boolean): Edited {
  const debug = info.sections.some(({ name }) => name?.startsWith(".debug_"));
  if (debug) {
    const lines = mapped
      ? "whose lines are in its source map"
      : "whose lines are lost. Keep them with a source map: sourceMapOf of gomalloc/profile makes one of DWARF";
    warnings.push(`the debug information (DWARF) was removed: it does not hold for the result, ${lines}`);
    if (!info.named) {
      warnings.push(
        "the program was compiled with -g, but has no function names: clang runs a wasm-opt of PATH, which drops them, " +
          "when the command that links has -O. Compile with -O2 -g -c, then link without -O",
      );
    }
  }
  const damaged = new Set(info.damaged);
  if (damaged.size > 0)
    warnings.push(`removed because they are damaged: the custom sections ${[...damaged].join(", ")}`);
  return removeCustomSections(
    bytes,
    (name) =>
      damaged.has(name) ||
      name.startsWith(".debug_") ||
      name.startsWith("reloc.") ||
      /^(sourceMappingURL|external_debug_info)$/.test(name),
  );
}

/** What `attempt` gives with the narrowest features with which it does not fail. */
export async function inNarrowest(
  info: ModuleInfo,
  attempt: (features: readonly string[]) => Promise<Built>,
): Promise<Built> {
  const attempts = featureFlags(info);
  for (const [i, features] of attempts.entries()) {
    try {
      return await attempt(features);
    } catch (error) {
      const last = i === attempts.length - 1;
      if (last || !(error instanceof ToolError) || error.code !== "binaryen") throw error;
    }
  }
  throw new Error("no features to try");
}

export async function optimise(
  { wasm, map }: Built,
  features: readonly string[],
  options: OptimiseOptions,
): Promise<Built> {
  const level = options.optimize === "O0" ? ["--remove-unused-module-elements"] : [`-${options.optimize}`];
  const names = options.names ? ["-g"] : [];
  const args = ["in.wasm", "-o", "out.wasm", ...features, ...names, ...level, "--strip-toolchain-annotations"];
  if (map === undefined) {
    const { "out.wasm": out } = await runBinaryen("wasm-opt", args, { "in.wasm": wasm }, ["out.wasm"]);
    return { wasm: out };
  }
  const made = await runBinaryen(
    "wasm-opt",
    [...args, "-ism", "in.map", "-osm", "out.map"],
    { "in.wasm": wasm, "in.map": map },
    ["out.wasm", "out.map"],
  );
  return { wasm: made["out.wasm"], map: new TextDecoder().decode(made["out.map"]) };
}

/** The result with the section sourceMappingURL, when it has a source map. */
export function withSourceMapUrl({ wasm, map }: Built, info: ModuleInfo, options: LinkOptions): Uint8Array {
  const url = options.sourceMapUrl ?? info.sourceMappingURL;
  if (map === undefined || url === undefined) return wasm;
  return addCustomSection(wasm, "sourceMappingURL", encodeName(url)).bytes;
}

/** Throws ToolError "invalid-result" when the engine takes the program and not the result. */
export function checkResult(program: Uint8Array, wasm: Uint8Array): LinkReport["validated"] {
  if (WebAssembly.validate(new Uint8Array(wasm))) return "yes";
  if (!WebAssembly.validate(new Uint8Array(program))) return "unknown";
  throw new ToolError(
    "invalid-result",
    "the linked module is not valid, though the program was",
    "Try another level of optimisation (-O1, or -O0), and report the program.",
  );
}
