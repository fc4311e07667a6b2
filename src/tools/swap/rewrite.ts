/**
 * The program with the bodies of the family replaced by calls of gomalloc's functions, which it then imports.
 *
 * Functions keep their identity: internal callers, table entries and exports follow. What only the old bodies used is
 * dead afterwards and goes when the result is optimised. A source map goes along: binaryen's API takes one only with a
 * module's text, so with a map the module is read from that. Cost: the module is read and written once by binaryen, with a
 * map twice, and its text is some fifteen times as long as the code.
 */

import { GOMALLOC } from "../../base/family.js";
import { addCustomSection, addExports, removeCustomSections } from "../../wasm/edit.js";
import { ToolError } from "../../wasm/errors.js";
import { type FunctionType, inspect } from "../../wasm/parse.js";
import { type Binaryen, loadBinaryen, runBinaryen } from "../binaryen.js";
import { type Built, inNarrowest } from "../optimise.js";
import { shiftSourceMap } from "../sourcemap.js";
import type { Member } from "./members.js";
import type { Program } from "./program.js";
import { internalName, ROLES, type Role } from "./roles.js";

/** Under such a name a function is exported while binaryen, which numbers functions its own way, looks it up. */
const HANDLE = "gomalloc:member:";

/** The program with other bodies, and the source map of that if the program's is given. */
export async function rewriteMembers(
  program: Program,
  members: Iterable<Member>,
  map: string | Uint8Array | undefined,
): Promise<Built> {
  const binaryen = await loadBinaryen();
  const list = [...members];
  const handles = list.map(({ index }) => ({ name: HANDLE + index, kind: "function" as const, index }));
  // Binaryen would name functions by a stale section; what it cannot carry over, link removes anyway.
  const clean = removeCustomSections(program.bytes, (name) => {
    return name.startsWith("reloc.") || name === "sourceMappingURL" || program.info.damaged.includes(name);
  });
  const ready = addExports(clean.bytes, handles);
  const text =
    map === undefined ? undefined : await textOf(program, ready.bytes, shiftSourceMap(map, clean.shift + ready.shift));
  try {
    const made = rewrite(binaryen, text ?? ready.bytes, list, program.info.named);
    return text === undefined ? made : { ...made, wasm: withFeatures(made.wasm, program) };
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

/** A text says nothing of the section target_features: what the program has of it is put back. */
function withFeatures(wasm: Uint8Array, { bytes, info }: Program): Uint8Array {
  const name = "target_features";
  const section = info.sections.find((one) => one.name === name);
  if (section === undefined || inspect(wasm).targetFeatures !== undefined) return wasm;
  return addCustomSection(wasm, name, bytes.subarray(section.body, section.end)).bytes;
}

/** The module's text, with the places of the source map in it. */
async function textOf(program: Program, bytes: Uint8Array, map: string): Promise<string> {
  const { wasm } = await inNarrowest(program.info, async (features) => {
    const args = ["in.wasm", "-S", "-o", "out.wat", "-g", "-ism", "in.map", ...features];
    const { "out.wat": text } = await runBinaryen("wasm-opt", args, { "in.wasm": bytes, "in.map": map }, ["out.wat"]);
    return { wasm: text };
  });
  return new TextDecoder().decode(wasm);
}

/** `program`: its bytes, or its text with the places of a source map, which the result then has too. */
function rewrite(binaryen: Binaryen, program: Uint8Array | string, list: readonly Member[], names: boolean): Built {
  const mapped = typeof program === "string";
  const module = mapped ? binaryen.parseText(program) : binaryen.readBinary(program);
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
    return emit(binaryen, module, names, mapped);
  } finally {
    module.dispose();
  }
}

/** The debug flag is binaryen's own, for all modules: it is put back. */
function emit(binaryen: Binaryen, module: InstanceType<Binaryen["Module"]>, names: boolean, mapped: boolean): Built {
  const before = binaryen.getDebugInfo();
  binaryen.setDebugInfo(names);
  try {
    if (!mapped) return { wasm: module.emitBinary() };
    const { binary, sourceMap } = module.emitBinary("program.map");
    return { wasm: binary, ...(sourceMap === null ? {} : { map: sourceMap }) };
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
