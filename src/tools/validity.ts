/**
 * Whether a module is valid, asked of the engine before anything is done with it: what analyses and binaryen then see
 * is sound code. A module that the engine does not take goes on only if it uses what is newer than the engine; what
 * comes out of binaryen is then as valid as binaryen can tell. Cost: the engine's validation; a walk over the code of a
 * module that does not pass it.
 */

import { ToolError } from "../wasm/errors.js";
import { IGNORE, walkIfKnown } from "../wasm/instructions.js";
import type { ModuleInfo } from "../wasm/parse.js";
import { COMMON_FEATURES, OWN_FEATURES } from "./binaryen.js";

/** Throws ToolError "malformed" or "truncated" for a module that is damaged. */
export function refuseInvalid(bytes: Uint8Array, info: ModuleInfo): void {
  const why = engineRefusal(bytes);
  if (why === undefined || usesNewer(bytes, info)) return;
  throw new ToolError(
    "malformed",
    `the module is not valid: ${why}`,
    "The file is damaged, or uses an extension that this Node does not know: build it again, or try a newer Node.",
  );
}

/** What the engine has against the module, in its own words; undefined: nothing. */
function engineRefusal(bytes: Uint8Array): string | undefined {
  const copy = new Uint8Array(bytes);
  if (WebAssembly.validate(copy)) return undefined;
  try {
    new WebAssembly.Module(copy);
  } catch (error) {
    return (error as Error).message.replace(/^WebAssembly\.Module\(\): /, "").slice(0, 300);
  }
  return "the engine gives no reason";
}

/** Whether something in it may be newer than the engine. Throws ToolError for code that is cut off. */
function usesNewer(bytes: Uint8Array, info: ModuleInfo): boolean {
  const known = new Set<string>([...OWN_FEATURES, ...COMMON_FEATURES]);
  let newer = info.gc || info.extendedConst || (info.targetFeatures?.some((name) => !known.has(name)) ?? false);
  const types = [...info.types, ...info.globals.map(({ type }) => ({ params: [type], results: [] }))];
  newer ||= types.some((type) => type !== undefined && [...type.params, ...type.results].includes("ref"));
  const visitor = {
    ...IGNORE,
    newer: () => {
      newer = true;
    },
  };
  for (const { start, end } of info.bodies) if (!walkIfKnown(bytes, start, end, info, visitor)) newer = true;
  return newer;
}
