/**
 * Writes src/generated/wasm-trampoline.ts: a module that exports every function of the host flavour as a jump through a
 * table, which is empty at first. instantiateWith needs it for programs that bring their own memory: they want malloc
 * before the memory exists over which gomalloc can be instantiated. Not under version control.
 */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import binaryen from "binaryen";
import { replaceFile } from "./build-tools.ts";

const SOURCE = fileURLToPath(new URL("../build/gomalloc-host.wasm", import.meta.url));

export const TRAMPOLINE_FILE = fileURLToPath(new URL("../src/generated/wasm-trampoline.ts", import.meta.url));

interface Signature {
  readonly name: string;
  readonly params: readonly string[];
  readonly results: readonly string[];
}

export async function writeTrampoline(): Promise<void> {
  const signatures = hostSignatures(await readFile(SOURCE));
  const module = binaryen.parseText(trampolineText(signatures));
  try {
    if (!module.validate()) throw new Error("the trampoline is not valid");
    const base64 = Buffer.from(module.emitBinary()).toString("base64");
    const names = signatures.map(({ name }) => `  "${name}",`).join("\n");
    await replaceFile(
      TRAMPOLINE_FILE,
      [
        "/** Jumps through a table, base64. Written by scripts/build-trampoline.ts at every build; do not edit. */",
        `export const TRAMPOLINE_WASM_BASE64: string =\n  "${base64}";`,
        `/** Its functions; each jumps through the table's entry of the same index. */`,
        `export const TRAMPOLINE_NAMES: readonly string[] = [\n${names}\n];`,
        "",
      ].join("\n"),
    );
  } finally {
    module.dispose();
  }
}

/** The exported functions of a module with their types. */
function hostSignatures(bytes: Uint8Array): Signature[] {
  const module = binaryen.readBinary(bytes);
  try {
    const types = new Map([
      [binaryen.i32, "i32"],
      [binaryen.i64, "i64"],
      [binaryen.f64, "f64"],
    ]);
    const spell = (type: number) =>
      binaryen.expandType(type).map((one: number) => {
        const name = types.get(one);
        if (name === undefined) throw new Error("an export of the host flavour has a type that no trampoline knows");
        return name;
      });
    return Array.from({ length: module.getNumExports() }, (_, i) => {
      const { name, value } = binaryen.getExportInfo(module.getExportByIndex(i));
      const { params, results } = binaryen.getFunctionInfo(module.getFunction(value));
      return { name, params: spell(params), results: spell(results) };
    });
  } finally {
    module.dispose();
  }
}

function trampolineText(signatures: readonly Signature[]): string {
  const functions = signatures.map(({ name, params, results }, index) => {
    const type = `${params.map((p) => `(param ${p})`).join(" ")} ${results.map((r) => `(result ${r})`).join(" ")}`;
    const values = params.map((_, i) => `(local.get ${i})`).join(" ");
    return `(func (export "${name}") ${type} (call_indirect $table ${type} ${values} (i32.const ${index})))`;
  });
  const count = signatures.length;
  return `(module (table $table (export "table") ${count} ${count} funcref) ${functions.join("\n")})`;
}
