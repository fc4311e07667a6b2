/**
 * What a module must be like to be merged into someone else's or linked beside it.
 *
 * It owns nothing but functions and globals: its one import is `env.memory` (object files have more), and it has no
 * memory, table, element, start or data section. Its exports are functions, under exactly the agreed names. O(sections)
 * plus one compilation.
 */
import { INTERNAL_NAMES } from "../src/tools/allocator.ts";
import { inspect } from "../src/wasm/parse.ts";

/** Ids of sections that must not occur. */
const FORBIDDEN = new Map([
  [4, "table"],
  [5, "memory"],
  [8, "start"],
  [9, "element"],
  [11, "data"],
  [12, "data count"],
]);
const HEADER_BYTES = 8;

export interface Expectation {
  readonly file: string;
  readonly exports: readonly string[];
  readonly exact: boolean;
  /** It imports the hooks of the host, too. */
  readonly profile?: true;
  /** It imports what native/object/ defines, too. */
  readonly object?: true;
}

/** What the flavours that become object files may import, beside the memory: assembly/base/program.ts. */
const OBJECT_IMPORTS = [
  ...["env.__heap_base (global)", "env.gomalloc_grow (function)", "env.gomalloc_on_misuse (function)"],
  ...["env.gomalloc_set_errno (function)", "env.gomalloc_thread_start (function)"],
];

/** What the flavours that sample may import, beside the memory: assembly/base/hooks.ts. */
const HOOKS = ["option", "stack", "report"];
const HOOK_IMPORTS = HOOKS.map((name) => `gomalloc.${name} (function)`);
const HOOK_SYMBOLS = HOOKS.map((name) => `env.gomalloc_hook_${name} (function)`);

/** Section ids of a module in file order. */
export function sectionIds(bytes: Uint8Array): number[] {
  const ids: number[] = [];
  let at = HEADER_BYTES;
  while (at < bytes.length) {
    ids.push(bytes[at++]!);
    let size = 0;
    let shift = 0;
    let byte: number;
    do {
      byte = bytes[at++]!;
      size |= (byte & 0x7f) << shift;
      shift += 7;
    } while (byte & 0x80);
    at += size >>> 0;
  }
  return ids;
}

/** Throws an Error unless a module with names has those by which link edits it (src/tools/allocator.ts). */
export function checkNames(bytes: Uint8Array, file: string): void {
  const { functionNames, globalNames } = inspect(bytes);
  const has = (names: ReadonlyMap<number, string>, name: string) => [...names.values()].includes(name);
  const missing = [
    ...(has(functionNames, INTERNAL_NAMES.function) ? [] : [`function ${INTERNAL_NAMES.function}`]),
    ...(has(globalNames, INTERNAL_NAMES.global) ? [] : [`global ${INTERNAL_NAMES.global}`]),
  ];
  if (missing.length === 0) return;
  throw new Error(
    `${file} has no ${missing.join(" and no ")}: link edits the module by that name. Keep the name, or change ` +
      "INTERNAL_NAMES in src/tools/allocator.ts with it",
  );
}

/** Throws an Error that lists everything wrong with the module. */
export function checkModule(bytes: Uint8Array<ArrayBuffer>, expected: Expectation): void {
  const faults: string[] = [];
  for (const id of sectionIds(bytes)) {
    const name = FORBIDDEN.get(id);
    if (name !== undefined) faults.push(`has the section ${name}`);
  }
  const module = new WebAssembly.Module(bytes);
  const imports = WebAssembly.Module.imports(module).map(({ module: from, name, kind }) => `${from}.${name} (${kind})`);
  const allowed = [
    ...(expected.object ? OBJECT_IMPORTS : []),
    ...(expected.profile ? (expected.object ? HOOK_SYMBOLS : HOOK_IMPORTS) : []),
  ];
  const own = imports.filter((name) => !allowed.includes(name));
  if (own.join() !== "env.memory (memory)") faults.push(`imports ${imports.join(", ") || "nothing"}`);

  const exports = WebAssembly.Module.exports(module);
  const names = new Set(exports.map(({ name }) => name));
  for (const { name, kind } of exports) if (kind !== "function") faults.push(`exports the ${kind} ${name}`);
  for (const name of expected.exports) if (!names.has(name)) faults.push(`does not export ${name}`);
  if (expected.exact) {
    for (const name of names) if (!expected.exports.includes(name)) faults.push(`exports ${name} beyond the ABI`);
  }
  if (faults.length > 0) throw new Error(`${expected.file} ${faults.join("; ")}`);
}
