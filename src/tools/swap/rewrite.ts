/**
 * The program with the bodies of the family replaced by calls of gomalloc's functions, which it then imports.
 *
 * Functions keep their identity: internal callers, table entries and exports follow. What only the old bodies used is
 * dead afterwards and goes when the result is optimised. Cost: the module is read and written once by binaryen.
 */

import { GOMALLOC } from "../../base/family.js";
import { addExports, removeCustomSections } from "../../wasm/edit.js";
import { ToolError } from "../../wasm/errors.js";
import type { FunctionType } from "../../wasm/parse.js";
import { type Binaryen, loadBinaryen } from "../binaryen.js";
import type { Member } from "./members.js";
import type { Program } from "./program.js";
import { internalName, ROLES, type Role } from "./roles.js";

/** Under such a name a function is exported while binaryen, which numbers functions its own way, looks it up. */
const HANDLE = "gomalloc:member:";

export async function rewriteMembers(program: Program, members: Iterable<Member>): Promise<Uint8Array> {
  const binaryen = await loadBinaryen();
  const list = [...members];
  const handles = list.map(({ index }) => ({ name: HANDLE + index, kind: "function" as const, index }));
  // Binaryen would name functions by a stale section; what it cannot carry over, link removes anyway.
  const clean = removeCustomSections(program.bytes, (name) => {
    return name.startsWith("reloc.") || name === "sourceMappingURL" || program.info.damaged.includes(name);
  });
  try {
    return rewrite(binaryen, addExports(clean.bytes, handles).bytes, list, program.info.named);
  } catch (cause) {
    // binaryen's errors are no Errors, and their words tell nothing to those who do not know its sources
    throw new ToolError(
      "binaryen",
      `binaryen cannot rewrite the module: ${cause instanceof Error ? cause.message : "it gives no reason"}`,
      "Remove its custom sections (wasm-strip app.wasm), or build the program against gomalloc's shim and use gomalloc link.",
      { cause },
    );
  }
}

function rewrite(binaryen: Binaryen, bytes: Uint8Array, list: readonly Member[], names: boolean): Uint8Array {
  const module = binaryen.readBinary(bytes);
  try {
    // A target_features section may allow it; few engines, and not our parser, read the form of imports that it brings.
    const { CompactImports } = binaryen.Features as unknown as { CompactImports: number };
    module.setFeatures(module.getFeatures() & ~CompactImports);
    const imported = new Set<string>();
    for (const { index, role } of list) {
      const spec: Role = ROLES[role];
      for (const name of spec.imports) {
        if (imported.has(name)) continue;
        imported.add(name);
        const { params, results } = typeOf(binaryen, (ROLES as Record<string, Role>)[name]!.type);
        module.addFunctionImport(internalName(name), GOMALLOC, name, params, results);
      }
      const name = binaryen.getExportInfo(module.getExport(HANDLE + index)).value;
      const { params, results } = typeOf(binaryen, spec.type);
      const locals = Array<number>(spec.locals ?? 0).fill(binaryen.i32);
      module.removeFunction(name);
      module.addFunction(name, params, results, locals, spec.body(module, binaryen));
      module.removeExport(HANDLE + index);
    }
    return emit(binaryen, module, names);
  } finally {
    module.dispose();
  }
}

/** The debug flag is binaryen's own, for all modules: it is put back. */
function emit(binaryen: Binaryen, module: InstanceType<Binaryen["Module"]>, names: boolean): Uint8Array {
  const before = binaryen.getDebugInfo();
  binaryen.setDebugInfo(names);
  try {
    return module.emitBinary();
  } finally {
    binaryen.setDebugInfo(before);
  }
}

function typeOf(binaryen: Binaryen, { params, results }: FunctionType): { params: number; results: number } {
  return {
    params: binaryen.createType(params.map(() => binaryen.i32)),
    results: binaryen.createType(results.map(() => binaryen.i32)),
  };
}
